"""What a project itself asks for, as its `pyproject.toml` says it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from packaging.requirements import Requirement


def direct_requirements(
    pyproject: Mapping[str, object], groups: Iterable[str] = (), extras: Iterable[str] = ()
) -> list[Requirement]:
    """Give the project's own dependencies, and those of `groups` and `extras`.

    They are read from `[project]` (PEP 621), `[dependency-groups]` (PEP 735) and from the tables
    that poetry, pdm and uv had before. What is malformed is passed over: the project's tool, which
    has read it before, reports it better. Of poetry's constraints only the markers are read.
    """
    project = _Project(pyproject)
    found = [*project.main()]
    for extra in extras:
        found += project.of_extra(extra)
    for group in groups:
        found += project.of_group(group)
    return found


class _Project:
    """The tables of a `pyproject.toml`; each extra and each group is given once."""

    def __init__(self, pyproject: Mapping[str, object]) -> None:
        tool = _table(pyproject.get("tool"))
        self._project = _table(pyproject.get("project"))
        self._groups = _by_name(pyproject.get("dependency-groups"))
        self._poetry = _table(tool.get("poetry"))
        self._poetry_groups = _by_name(self._poetry.get("group"))
        self._pdm_groups = _by_name(_table(tool.get("pdm")).get("dev-dependencies"))
        self._uv = _table(tool.get("uv"))
        self._name = _normal(str(self._project.get("name") or self._poetry.get("name") or ""))
        self._seen: set[tuple[str, str]] = set()

    def main(self) -> Iterator[Requirement]:
        """Give the dependencies that the project always has."""
        yield from self._parsed(self._project.get("dependencies"))
        if "dependencies" not in self._project:
            # Beside PEP 621's, poetry's table only says where dependencies come from.
            yield from _from_poetry(self._poetry.get("dependencies"))

    def of_extra(self, name: str) -> Iterator[Requirement]:
        """Give what the extra `name` adds."""
        name = _normal(name)
        if self._is_new("extra", name):
            yield from self._parsed(_by_name(self._project.get("optional-dependencies")).get(name))
            optional = _strings(_by_name(self._poetry.get("extras")).get(name))
            if optional:
                yield from _from_poetry(self._poetry.get("dependencies"), optional)

    def of_group(self, name: str) -> Iterator[Requirement]:
        """Give what the group `name` has, with the groups that it includes."""
        name = _normal(name)
        if not self._is_new("group", name):
            return
        group, poetry = self._groups.get(name), _table(self._poetry_groups.get(name))
        yield from self._parsed(group)
        yield from self._parsed(self._pdm_groups.get(name))
        yield from _from_poetry(poetry.get("dependencies"))
        if name == "dev":
            yield from self._parsed(self._uv.get("dev-dependencies"))
            yield from _from_poetry(self._poetry.get("dev-dependencies"))
        included = [_table(item).get("include-group") for item in _list(group)]
        for each in _strings([*included, *_list(poetry.get("include-groups"))]):
            yield from self.of_group(each)

    def _is_new(self, kind: str, name: str) -> bool:
        new = (kind, name) not in self._seen
        self._seen.add((kind, name))
        return new

    def _parsed(self, texts: object) -> Iterator[Requirement]:
        from packaging.requirements import InvalidRequirement, Requirement

        for text in _strings(texts):
            try:
                requirement = Requirement(text)
            except InvalidRequirement:
                continue
            if _normal(requirement.name) == self._name:
                # An extra that collects others asks for the project itself.
                for extra in sorted(map(_normal, requirement.extras)):
                    yield from self.of_extra(extra)
            else:
                yield requirement


def _from_poetry(table: object, optional: Collection[str] | None = None) -> Iterator[Requirement]:
    """Give the dependencies of poetry's table: those that are not optional, or named in `optional`.

    A value is a version, a table, or several tables for different circumstances.
    """
    from packaging.requirements import InvalidRequirement, Requirement

    wanted = {_normal(name) for name in optional or ()}
    for name, value in _table(table).items():
        if name.lower() == "python":
            continue
        for each in value if isinstance(value, list) else [value]:
            facts = _table(each)
            if (facts.get("optional") is True) != (optional is not None):
                continue
            if optional is not None and _normal(name) not in wanted:
                continue
            text = f"{name}[{','.join(_strings(facts.get('extras')))}]"
            for reading in (f"{text}; {facts.get('markers', '')}".rstrip("; "), text):
                try:
                    yield Requirement(reading)
                except InvalidRequirement:
                    continue
                break


def _normal(name: str) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(name)


def _table(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _by_name(value: object) -> Mapping[str, object]:
    return {_normal(name): each for name, each in _table(value).items()}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _strings(value: object) -> list[str]:
    return [each for each in _list(value) if isinstance(each, str)]
