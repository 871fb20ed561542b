"""The sources that `[tool.uv.sources]` names for what a project is built with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from ..._internal.tables import strings_at, table_at
from ...exceptions import LockfileError
from .requirements import Sources, Wanted, index_place
from .workspace import Project, Workspace, find_root, find_workspace, normal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .requirements import UvRequirement


class NamedIndex(NamedTuple):
    """An index that is named for a requirement."""

    name: str
    url: str


class NamedSource(NamedTuple):
    """Where a requirement comes from, by the words of uv.

    `kind` is `registry`, `git`, `url`, `path` (a file), `virtual`, or another one for a folder.
    `place` is a URL or an absolute path.
    """

    kind: str
    place: str
    reference: str | None = None
    subdirectory: str | None = None
    named_index: NamedIndex | None = None


@dataclass(frozen=True)
class BuildContext:
    """The project in `folder`, by which its requirements are understood.

    Where it has been unpacked or checked out, nothing outside of the folder `within` counts.
    """

    folder: Path
    within: Path | None = None

    def requires(self) -> list[str]:
        """Return the requirements of `[build-system]`."""
        return strings_at(table_at(self._project.pyproject, "build-system"), "requires")

    def dependencies(self) -> list[str]:
        """Return what the project itself requires, as far as `pyproject.toml` says it."""
        return strings_at(table_at(self._project.pyproject, "project"), "dependencies")

    def named(self, name: str, text: str) -> NamedSource | None:
        """Return the source that is named for a requirement, whose normalised name is `name`.

        Raises `LockfileError` where the marker of a source decides, or where a project of the
        workspace is required without saying so, which uv takes for an error, too.
        """
        if name in self._names or "file:" in text:
            return self._found(name, text)
        if self._root.workspace is not None and name in self._workspace.members:
            raise LockfileError(
                f"`{name}` is required to build the project in {self.folder}, and is a project of "
                "its workspace: an index may have another one of that name",
                hint=f"add `{name} = {{ workspace = true }}` to `[tool.uv.sources]`",
            )
        return None

    def _found(self, name: str, text: str) -> NamedSource:
        sources = Sources(project=self._project, workspace=self._workspace)
        # Without its own marker, each of the sources shows.
        found = list(sources.locked([Wanted(text.partition(";")[0])]))
        if len(found) != 1:
            raise LockfileError(
                f"`[tool.uv.sources]` has several sources for `{name}`, which is required to build "
                f"the project in {self.folder}",
                hint="name one for all systems: this machine builds for another one",
            )
        return self._source(found[0])

    def _source(self, found: UvRequirement) -> NamedSource:
        kind, place, details = found.source
        facts = dict(details)
        index = next(self._indexes(place), None) if kind == "registry" and place else None
        return NamedSource(kind, place, facts.get("reference"), facts.get("subdirectory"), index)

    def _indexes(self, place: str) -> Iterator[NamedIndex]:
        for project in (self._project, self._root):
            for each in project.uv.get("index", ()):
                if "name" in each and index_place(each["url"], project.folder) == place:
                    yield NamedIndex(each["name"], each["url"] if "://" in each["url"] else place)

    @cached_property
    def _project(self) -> Project:
        return Project.read(self.folder)

    @cached_property
    def _root(self) -> Project:
        root = find_root(self.folder)
        if self.within is not None and not root.is_relative_to(normal(self.within)):
            return self._project
        return Project.read(root)

    @cached_property
    def _names(self) -> frozenset[str]:
        from packaging.utils import canonicalize_name

        tables = (table_at(each.uv, "sources") for each in (self._project, self._root))
        return frozenset(canonicalize_name(name) for table in tables for name in table)

    @cached_property
    def _workspace(self) -> Workspace:
        if self._root is self._project:
            return Workspace(root=self._project, members={})
        return find_workspace(self.folder)
