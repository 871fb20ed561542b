"""Requirements of a project of poetry, and of the packages of `poetry.lock`.

Both are written alike: a name with a constraint, a table, or several tables with their markers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..._internal.tables import strings_at, table_at
from .. import pylock_text as _text
from ..walk import Need
from .constraints import allows, alternatives

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from packaging.requirements import Requirement

    from .document import PoetryPackage

# What takes a dependency from elsewhere than an index, by the kinds of `source` in the lockfile.
_PLACES = {"git": ("git",), "url": ("url",), "path": ("file", "directory")}
_REFERENCES = ("branch", "tag", "rev")


def needs_of_project(
    project: Mapping[str, Any],
    groups: Iterable[str],
    extras: Iterable[str],
    main: bool = True,  # noqa: FBT001, FBT002
) -> Iterator[Need]:
    """Yield what a project requires itself if `main` is set, and some of its groups and extras."""
    from ...config.project import direct_requirements

    poetry = table_at(project, "tool", "poetry")
    own, groups, extras = table_at(poetry, "dependencies"), list(groups), list(extras)
    standard = {key: value for key, value in project.items() if key != "tool"}
    for requirement in direct_requirements(standard, groups, extras, main=main):
        yield _of_requirement(requirement, own)
    if main and "dependencies" not in table_at(project, "project"):
        # Beside the standard's list, poetry's table only says where dependencies come from.
        lists = _by_name(table_at(poetry, "extras"))
        chosen = {_normal(name) for each in extras for name in lists.get(_normal(each), ())}
        yield from (need for need in read_needs(own) if not need.is_optional or need.name in chosen)
    for table in _groups(poetry, groups):
        yield from read_needs(table)


def groups_of(project: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of a project's groups."""
    poetry = table_at(project, "tool", "poetry")
    # The only group before poetry 1.2.
    yield from ["dev"] if "dev-dependencies" in poetry else []
    yield from (name for name in table_at(poetry, "group") if name != "main")
    yield from table_at(project, "dependency-groups")


def extras_of(project: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of a project's extras."""
    yield from table_at(project, "tool", "poetry", "extras")
    yield from table_at(project, "project", "optional-dependencies")


def read_needs(table: Mapping[str, Any]) -> Iterator[Need]:
    """Yield the dependencies in a table of poetry's, all but the one on Python."""
    for name, value in table.items():
        if name.lower() != "python":
            for each in value if isinstance(value, list) else [value]:
                yield _need(name, each if isinstance(each, dict) else {"version": each})


def _need(name: str, facts: Mapping[str, Any]) -> Need:
    constraint = str(facts.get("version", "*"))
    return Need(
        name=_normal(name),
        text=f"{name} {constraint}",
        marker=marker_of(facts),
        extras=frozenset(map(_normal, facts.get("extras", ()))),
        is_optional=facts.get("optional") is True,
        accepts=_accepting(constraint, facts),
    )


def marker_of(facts: Mapping[str, Any]) -> str:
    """Return the marker (PEP 508) of a dependency's table, empty where there is none."""
    platform = facts.get("platform")
    of_platform = f'sys_platform == "{platform}"' if platform else None
    python = _python_marker(facts.get("python", "*"))
    return _text.all_of(facts.get("markers"), python, of_platform) or ""


def _of_requirement(requirement: Requirement, own: Mapping[str, Any]) -> Need:
    """Return the need of a standard requirement; poetry's table may name its place."""
    name = _normal(requirement.name)
    tables = {key: each for key, each in own.items() if _normal(key) == name}
    enriched = next(read_needs(tables), None)
    specifier = requirement.specifier

    def accepts(package: PoetryPackage) -> bool:
        if enriched is not None and not enriched.accepts(package):
            return False
        return requirement.url is not None or specifier.contains(package.version, prereleases=True)

    return Need(
        name=name,
        text=str(requirement),
        marker=str(requirement.marker or ""),
        extras=frozenset(map(_normal, requirement.extras)),
        accepts=accepts,
    )


def _accepting(constraint: str, facts: Mapping[str, Any]) -> Callable[[PoetryPackage], bool]:
    kinds = next((kinds for key, kinds in _PLACES.items() if key in facts), None)
    reference = next((str(facts[key]) for key in _REFERENCES if key in facts), None)
    index = facts.get("source")

    def accepts(package: PoetryPackage) -> bool:
        source = package.source
        if kinds is not None:
            is_there = source.get("type") in kinds
            return is_there and reference in (None, source.get("reference"))
        if index is not None and index.lower() != source.get("reference", "pypi").lower():
            return False
        return allows(constraint, package.version)

    return accepts


def _groups(poetry: Mapping[str, Any], names: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    """Yield the dependencies of groups in poetry's own tables, and of those that they include."""
    tables = _by_name(table_at(poetry, "group"))
    waiting, seen = [_normal(name) for name in names], set[str]()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            group = table_at(tables, name)
            yield table_at(group, "dependencies")
            if name == "dev":
                yield table_at(poetry, "dev-dependencies")
            waiting += map(_normal, strings_at(group, "include-groups"))


def _python_marker(constraint: str) -> str | None:
    """Return the marker of a constraint on Python; `None` for all, or one not understood."""
    try:
        return _text.any_of(map(_text.python_marker, alternatives(constraint)))
    except ValueError:
        return None


def _by_name(table: Mapping[str, Any]) -> dict[str, Any]:
    return {_normal(name): each for name, each in table.items()}


def _normal(name: str) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(name)
