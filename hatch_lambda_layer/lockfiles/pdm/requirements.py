"""Requirements of a project of pdm, and of the packages of `pdm.lock`.

Beside those of PEP 508, pdm has lines for folders in develop mode: `-e file:///…#egg=name`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ..._internal.tables import array_at, strings_at, table_at
from ..walk import Need

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from packaging.requirements import Requirement

    from .document import PdmPackage

_EDITABLE = re.compile(r"-e\s+(?P<place>[^#;\s]+)(#.*?egg=(?P<name>[\w.-]+))?")


def groups_of(project: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of a project's groups."""
    yield from table_at(project, "dependency-groups")
    yield from table_at(project, "tool", "pdm", "dev-dependencies")


def extras_of(project: Mapping[str, Any]) -> Iterable[str]:
    """Return the names of a project's extras, which pdm calls groups, too."""
    return table_at(project, "project", "optional-dependencies")


def needs_of_project(
    project: Mapping[str, Any],
    groups: Iterable[str],
    extras: Iterable[str],
    main: bool = True,  # noqa: FBT001, FBT002
) -> Iterator[Need]:
    """Yield what a project requires itself if `main` is set, and some of its groups and extras."""
    from ...config.project import direct_requirements

    groups, tables = list(groups), table_at(project, "dependency-groups")
    standard = {
        name: [each for each in array_at(tables, name) if not _is_editable(each)] for name in tables
    }
    valid = {**project, "dependency-groups": standard}
    yield from map(_of_requirement, direct_requirements(valid, groups, extras, main=main))
    waiting, seen = [_normal(name) for name in groups], set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for line in _lines(project, name):
            if isinstance(line, dict):
                waiting.append(_normal(str(line.get("include-group"))))
            elif _is_editable(line):
                yield parse_need(line)


def says_what_it_needs(project: Mapping[str, Any]) -> bool:
    """Return whether `pyproject.toml` itself lists all the dependencies that were locked."""
    dynamic = set(strings_at(project, "project", "dynamic"))
    computed = dynamic.intersection(("dependencies", "optional-dependencies"))
    return (
        "project" in project
        and not computed
        and "workspace" not in table_at(project, "tool", "pdm")
    )


def parse_need(line: str) -> Need:
    """Parse a requirement; raise `InvalidRequirement` for one that is not valid."""
    from packaging.requirements import Requirement

    match = _EDITABLE.match(line)
    if match is None:
        return _of_requirement(Requirement(line))
    name = match["name"] or match["place"].rstrip("/").rpartition("/")[2]
    return Need(name=_normal(name), text=line, accepts=lambda package: package.is_direct)


def _of_requirement(requirement: Requirement) -> Need:
    specifier, url = requirement.specifier, requirement.url

    def accepts(package: PdmPackage) -> bool:
        if url is not None:
            return package.is_direct
        return not package.version or specifier.contains(package.version, prereleases=True)

    return Need(
        name=_normal(requirement.name),
        text=str(requirement),
        marker=str(requirement.marker or ""),
        extras=frozenset(map(_normal, requirement.extras)),
        accepts=accepts,
    )


def _lines(project: Mapping[str, Any], group: str) -> Iterator[Any]:
    for name, lines in table_at(project, "dependency-groups").items():
        yield from lines if _normal(name) == group else ()
    for name in (old := table_at(project, "tool", "pdm", "dev-dependencies")):
        yield from strings_at(old, name) if _normal(name) == group else ()


def _is_editable(line: object) -> bool:
    return isinstance(line, str) and _EDITABLE.match(line) is not None


def _normal(name: str) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(name)
