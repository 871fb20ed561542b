"""The requirements in `uv.lock`, for all environments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..._internal.tables import table_at, tables_at
from ..graph import LockGraph, Root
from ..markers import as_text, parse_marker, without_extras
from ..walk import Need
from .requirements import LOCAL_KINDS
from .workspace import normal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from ..protocol import LockRequest


class UvPackage:
    """One package of the lockfile; `names` are what is chosen of packages that conflict."""

    def __init__(self, content: Mapping[str, Any], names: Collection[str]) -> None:
        self.content = content
        self.name = str(content["name"])
        self.version = str(content.get("version", ""))
        self._names = names

    def dependencies(self) -> Iterator[Need]:
        """Yield all its dependencies, those of its extras too."""
        yield from self.needs(table_at(self.content, "optional-dependencies"))

    def needs(self, extras: Collection[str]) -> Iterator[Need]:
        """Yield its dependencies where `extras` of it are required, and no others."""
        yield from self.read(tables_at(self.content, "dependencies"))
        for extra in extras:
            yield from self.read(tables_at(self.content, "optional-dependencies", extra))

    def groups(self) -> Mapping[str, Any]:
        """Return its groups, with the dependencies of each."""
        return table_at(self.content, "dev-dependencies")

    def fits(self, environment: Mapping[str, str]) -> bool:  # noqa: ARG002
        """Return true: only markers limit a package of uv."""
        return True

    def read(self, entries: Iterable[Mapping[str, Any]]) -> Iterator[Need]:
        """Yield the dependencies in a list, but those that what is chosen rules out."""
        for entry in entries:
            tree = without_extras(parse_marker(entry.get("marker", "")), self._names)
            marker = as_text(tree)
            if marker is not None:
                name = str(entry["name"])
                extras = frozenset(entry.get("extra", ()))
                yield Need(name=name, text=name, marker=marker, extras=extras)


def read_graph(path: Path, content: Mapping[str, Any], request: LockRequest) -> LockGraph:
    """Return what the project requires by its lockfile, of which `content` is the parsed text."""
    folder = normal(request.layout.dir_project_root)
    facts = tables_at(content, "package")
    own = next((each for each in facts if folder in _folders(each, path.parent)), None)
    names = set() if own is None else _conflicting(str(own["name"]), request)
    packages = [UvPackage(each, names) for each in facts]
    # A root without a name of its own has groups only, in the table of the workspace.
    table = {"name": "", "dev-dependencies": table_at(content, "manifest", "dependency-groups")}
    project = UvPackage(table if own is None else own, names)
    roots = [Root("the project", request.main, tuple(project.needs(())))]
    for extra, entries in table_at(project.content, "optional-dependencies").items():
        chosen = _normal(extra) in map(_normal, request.extras)
        roots.append(Root(f"extra {extra}", chosen, tuple(project.read(entries))))
    for group, entries in project.groups().items():
        chosen = _normal(group) in map(_normal, request.groups)
        roots.append(Root(f"group {group}", chosen, tuple(project.read(entries))))
    return LockGraph.of(roots, packages)


def _folders(facts: Mapping[str, Any], root: Path) -> Iterator[Path]:
    source = table_at(facts, "source")
    yield from (normal(root / source[kind]) for kind in LOCAL_KINDS if kind in source)


def _conflicting(name: str, request: LockRequest) -> set[str]:
    """Return how uv writes in a marker which conflicting extras and groups are chosen."""
    chosen = [("extra", each) for each in request.extras]
    chosen += [("group", each) for each in request.groups]
    return {f"{kind}-{len(name)}-{name}-{_normal(each)}" for kind, each in chosen}


def _normal(name: str) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(name)
