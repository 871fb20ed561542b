"""The direct requirements of a project, read from its `pyproject.toml`."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from packaging.dependency_groups import DependencyGroupInclude, DependencyGroupResolver
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from .._internal.tables import strings_at, table_at

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence


def direct_requirements(
    pyproject: Mapping[str, object],
    groups: Iterable[str] = (),
    extras: Iterable[str] = (),
    *,
    main: bool = True,
) -> list[Requirement]:
    """Return the project's own dependencies if `main` is set, and those of `groups` and `extras`.

    They are read from `[project]` (PEP 621), `[dependency-groups]` (PEP 735) and from the older
    tables of poetry, pdm and uv. Malformed entries are skipped, of `[dependency-groups]` the whole
    group: the project's tool, which has read them before, reports them better. Of poetry's
    constraints only the markers are read.
    """
    project = _Project(pyproject)
    found = [*project.main()] if main else []
    for extra in extras:
        found += project.of_extra(extra)
    for group in groups:
        found += project.of_group(group)
    return found


class _Project:
    """The dependencies in a `pyproject.toml`; each extra and each group is read only once."""

    def __init__(self, pyproject: Mapping[str, object]) -> None:
        self._pyproject = pyproject
        self._project = table_at(pyproject, "project")
        self._poetry = table_at(pyproject, "tool", "poetry")
        name = self._project.get("name") or self._poetry.get("name") or ""
        self._name = canonicalize_name(str(name))
        self._seen: set[tuple[str, str]] = set()

    def main(self) -> Iterator[Requirement]:
        """Yield the dependencies that the project always has."""
        yield from self._parsed(strings_at(self._project, "dependencies"))
        if "dependencies" not in self._project:
            # Beside PEP 621's list, poetry's table only says where dependencies come from.
            yield from _from_poetry(table_at(self._poetry, "dependencies"))

    def of_extra(self, name: str) -> Iterator[Requirement]:
        """Yield the dependencies that the extra `name` adds."""
        name = canonicalize_name(name)
        if self._is_new("extra", name):
            yield from self._parsed(
                strings_at(_by_name(self._project, "optional-dependencies"), name)
            )
            optional = strings_at(_by_name(self._poetry, "extras"), name)
            if optional:
                yield from _from_poetry(table_at(self._poetry, "dependencies"), optional)

    def of_group(self, name: str) -> Iterator[Requirement]:
        """Yield the dependencies of the group `name` and of the groups that it includes."""
        name = canonicalize_name(name)
        if not self._is_new("group", name):
            return
        group = self._standard_group(name)
        poetry = table_at(_by_name(self._poetry, "group"), name)
        pdm = _by_name(self._pyproject, "tool", "pdm", "dev-dependencies")
        yield from self._expanded(each for each in group if isinstance(each, Requirement))
        yield from self._parsed(strings_at(pdm, name))
        yield from _from_poetry(table_at(poetry, "dependencies"))
        if name == "dev":
            yield from self._parsed(strings_at(self._pyproject, "tool", "uv", "dev-dependencies"))
            yield from _from_poetry(table_at(self._poetry, "dev-dependencies"))
        included = [
            str(each.include_group) for each in group if isinstance(each, DependencyGroupInclude)
        ]
        for each in (*included, *strings_at(poetry, "include-groups")):
            yield from self.of_group(each)

    def _standard_group(self, name: str) -> Sequence[Requirement | DependencyGroupInclude]:
        """Return what `[dependency-groups]` has for `name`; it may include a group of a tool's."""
        try:
            return DependencyGroupResolver(table_at(self._pyproject, "dependency-groups")).lookup(
                name
            )
        except (ExceptionGroup, ValueError):
            return ()

    def _is_new(self, kind: str, name: str) -> bool:
        new = (kind, name) not in self._seen
        self._seen.add((kind, name))
        return new

    def _parsed(self, texts: Iterable[str]) -> Iterator[Requirement]:
        for text in texts:
            with suppress(InvalidRequirement):
                yield from self._expanded([Requirement(text)])

    def _expanded(self, requirements: Iterable[Requirement]) -> Iterator[Requirement]:
        for requirement in requirements:
            if canonicalize_name(requirement.name) == self._name:
                # An extra that combines others requires the project itself, with those extras.
                for extra in sorted(map(canonicalize_name, requirement.extras)):
                    yield from self.of_extra(extra)
            else:
                yield requirement


def _from_poetry(
    table: Mapping[str, object], optional: Collection[str] | None = None
) -> Iterator[Requirement]:
    """Yield the dependencies in poetry's table: those not optional, or those named in `optional`.

    A value is a version, a table, or several tables with different markers.
    """
    wanted = {canonicalize_name(name) for name in optional or ()}
    for name, value in table.items():
        if name.lower() == "python":
            continue
        for each in value if isinstance(value, list) else [value]:
            facts = table_at(each)
            if (facts.get("optional") is True) != (optional is not None):
                continue
            if optional is not None and canonicalize_name(name) not in wanted:
                continue
            text = f"{name}[{','.join(strings_at(facts, 'extras'))}]"
            for reading in (f"{text}; {facts.get('markers', '')}".rstrip("; "), text):
                try:
                    yield Requirement(reading)
                except InvalidRequirement:
                    continue
                break


def _by_name(value: object, *keys: str) -> dict[str, object]:
    return {canonicalize_name(name): each for name, each in table_at(value, *keys).items()}
