"""Workspaces of uv: the folder that has the lockfile, and the projects that are locked in it.

The rules are those of https://docs.astral.sh/uv/concepts/projects/workspaces/.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..._internal.tables import strings_at, table_at, value_at
from ..tools import read_pyproject

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, kw_only=True, slots=True)
class Project:
    """A folder with its `pyproject.toml`, parsed; the table is empty where there is no file."""

    folder: Path
    pyproject: Mapping[str, Any]

    @classmethod
    def read(cls, folder: Path) -> Project:
        """Read the project in `folder`; raise `LockfileError` for a file that is not valid."""
        path = folder / "pyproject.toml"
        return cls(folder=folder, pyproject=read_pyproject(path) if path.is_file() else {})

    @property
    def name(self) -> str | None:
        """The normalised name in `[project]`, `None` without it."""
        from packaging.utils import canonicalize_name

        name = table_at(self.pyproject, "project").get("name")
        return canonicalize_name(name) if isinstance(name, str) else None

    @property
    def uv(self) -> Mapping[str, Any]:
        """The table `[tool.uv]`."""
        return table_at(self.pyproject, "tool", "uv")

    @property
    def workspace(self) -> Mapping[str, Any] | None:
        """The table `[tool.uv.workspace]`, however it is written; `None` without it."""
        found = value_at(self.uv, "workspace")
        return found if isinstance(found, dict) else None

    @property
    def is_managed(self) -> bool:
        """Whether uv locks the project."""
        return self.uv.get("managed") is not False

    def is_package(self, *, required: bool) -> bool:
        """Return whether uv builds the project; `required` by another one, it needs no backend."""
        chosen = self.uv.get("package")
        return chosen if isinstance(chosen, bool) else required or "build-system" in self.pyproject


@dataclass(frozen=True, kw_only=True, slots=True)
class Workspace:
    """A root and its members by their normalised names, of which the root is one if it has one."""

    root: Project
    members: Mapping[str, Project]

    def project_in(self, folder: Path) -> Project | None:
        """Return the member in `folder`, or the root."""
        known = (self.root, *self.members.values())
        return next((each for each in known if each.folder == folder), None)

    def is_beyond(self, folder: Path) -> bool:
        """Return whether another project lies between the root and the project in `folder`.

        A member is locked with the others even then, but uv ends its search for the root's sources
        at that project.
        """
        between = (each for each in folder.parents if self.root.folder in each.parents)
        return any((each / "pyproject.toml").is_file() for each in between)


def find_workspace(folder: Path) -> Workspace:
    """Return the workspace that the project in `folder` belongs to, at least one of its own.

    Raises `LockfileError` for a `pyproject.toml` that is not valid.
    """
    root = Project.read(find_root(folder))
    members = {} if root.name is None else {root.name: root}
    for path in _member_folders(root):
        project = Project.read(path)
        if project.name is not None and project.is_managed:
            members.setdefault(project.name, project)
    return Workspace(root=root, members=members)


def find_root(folder: Path) -> Path:
    """Return the root of the workspace that the project in `folder` is a member of, or `folder`.

    Raises `LockfileError` for a `pyproject.toml` that is not valid.
    """
    folder = normal(folder)
    if Project.read(folder).workspace is not None:
        return folder
    for parent in folder.parents:
        if (parent / "pyproject.toml").is_file():
            # Another project lies between, or the workspace does not have this one.
            return parent if folder in _member_folders(Project.read(parent)) else folder
    return folder


def pyproject_paths(folder: Path) -> Iterator[Path]:
    """Yield what is read to find the workspace of a project, and where uv has settings for it."""
    root = find_root(folder)
    yield normal(folder) / "pyproject.toml"
    for each in (root, *_member_folders(Project.read(root))):
        yield each / "pyproject.toml"
    yield root / "uv.toml"


def normal(path: Path) -> Path:
    """Return an absolute path without `..`; links are not followed, as uv does not."""
    return Path(os.path.abspath(path))  # noqa: PTH100  # Path.absolute keeps `..`


def _member_folders(root: Project) -> list[Path]:
    """Return the folders that the patterns of a workspace name, sorted; excluded ones are not."""
    import glob

    if root.workspace is None:
        return []
    excluded = [os.path.normpath(each) for each in strings_at(root.workspace, "exclude")]
    found = set()
    for pattern in strings_at(root.workspace, "members"):
        names = glob.iglob(  # noqa: PTH207  # Path.glob skips hidden folders in no version
            os.path.normpath(pattern), root_dir=root.folder, recursive=True, include_hidden=True
        )
        found |= {name for name in names if not any(fnmatchcase(name, x) for x in excluded)}
    folders = (normal(root.folder / name) for name in sorted(found))
    return [each for each in folders if (each / "pyproject.toml").is_file()]
