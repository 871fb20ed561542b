"""The dependencies, extras and groups that the `pyproject.toml` of one project asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..._internal.tables import table_at
from .. import markers
from ..pylock_text import python_marker
from .requirements import Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .workspace import Project, Workspace


def dependencies(project: Project) -> Iterator[Wanted]:
    """Yield the dependencies of `[project]` and those of its extras."""
    fields = table_at(project.pyproject, "project")
    for text in fields.get("dependencies", ()):
        yield Wanted(text)
    for extra, texts in table_at(fields, "optional-dependencies").items():
        for text in texts:
            yield Wanted(text, extra=extra, marker=markers.of_extra(extra))


def extras(project: Project) -> set[str]:
    """Return the normalised names of the extras."""
    return {
        _normal(name) for name in table_at(project.pyproject, "project", "optional-dependencies")
    }


def dynamic_fields(project: Project) -> set[str]:
    """Return the fields that decide what is locked, and that only a build backend knows."""
    if project.name is None:
        return {"dependencies"}
    dynamic = table_at(project.pyproject, "project").get("dynamic", ())
    return {"dependencies", "optional-dependencies"}.intersection(dynamic)


def groups(project: Project) -> dict[str, list[Wanted]]:
    """Return the dependency groups (PEP 735) by their normalised names, included ones resolved.

    Raises `ValueError` for a group that is missing or includes itself.
    """
    tables = {_normal(k): v for k, v in table_at(project.pyproject, "dependency-groups").items()}
    settings = {_normal(k): v for k, v in table_at(project.uv, "dependency-groups").items()}
    found = {name: list(_group(name, tables, settings, ())) for name in tables}
    if old := project.uv.get("dev-dependencies"):
        found.setdefault("dev", []).extend(Wanted(text) for text in old)
    return {name: [wanted._replace(group=name) for wanted in each] for name, each in found.items()}


def group_pythons(project: Project) -> dict[str, str]:
    """Return the versions of Python that groups are limited to, by the names of the groups.

    Those of included groups count for the group, too. The versions are specifiers (PEP 440).
    """
    limits = {
        _normal(name): settings["requires-python"]
        for name, settings in table_at(project.uv, "dependency-groups").items()
        if "requires-python" in settings
    }
    return {
        name: ",".join(found)
        for name in _included(project)
        if (found := [limits[each] for each in _included(project, name) if each in limits])
    }


def required_members(workspace: Workspace) -> dict[str, bool | None]:
    """Return the members that another one requires, with whether that is to be editable."""
    found: dict[str, bool | None] = {}
    for project in (workspace.root, *workspace.members.values()):
        for key, value in table_at(project.uv, "sources").items():
            for source in value if isinstance(value, list) else [value]:
                name = _normal(key)
                if source.get("workspace") is True and name != project.name:
                    found[name] = source.get("editable", found.get(name))
    return found


def kind_of_member(project: Project, required: Mapping[str, bool | None]) -> str:
    """Return how uv locks a member: `virtual`, `editable` or `directory`."""
    name = project.name or ""
    if not project.is_package(required=name in required):
        return "virtual"
    return "directory" if required.get(name) is False else "editable"


def _included(project: Project, *names: str) -> dict[str, None]:
    """Return the names of all groups, or these with the groups that they include."""
    tables = {_normal(k): v for k, v in table_at(project.pyproject, "dependency-groups").items()}
    found = dict.fromkeys(names or tables)
    pending = list(names)
    while pending:
        for item in tables.get(pending.pop(), ()):
            name = _normal(item["include-group"]) if isinstance(item, dict) else None
            if name is not None and name not in found:
                found[name] = None
                pending.append(name)
    return found


def _group(
    name: str,
    tables: Mapping[str, Sequence[Any]],
    settings: Mapping[str, Mapping[str, str]],
    within: tuple[str, ...],
) -> Iterator[Wanted]:
    if name in within or name not in tables:
        raise ValueError(f"the group `{name}` is missing, or includes itself")
    pythons = settings.get(name, {}).get("requires-python", "")
    marker = markers.parse_marker(python_marker(pythons) or "")
    for item in tables[name]:
        if isinstance(item, str):
            each = [Wanted(item)]
        else:
            each = list(_group(_normal(item["include-group"]), tables, settings, (*within, name)))
        for wanted in each:
            yield wanted._replace(marker=markers.all_of(wanted.marker, marker))


def _normal(name: str) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(name)
