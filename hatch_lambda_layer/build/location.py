"""Which folder is the project: the one that is named, or the nearest with the files of one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..config.reader import nearest
from ..exceptions import ConfigError, backticked
from ..layout import LayerPathLayout
from ..lockfiles import LOCKFILES, LockRequest
from ..lockfiles.foreign import find_foreign

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# What a project can have beside lockfiles.
_FILES = ("pyproject.toml", "setup.py")


@dataclass(frozen=True, slots=True)
class ProjectFolder:
    """The folder of a project, and the names of the files for which it is one.

    `is_evident` is false where it was looked for, or has no `pyproject.toml`.
    """

    path: Path
    files: Sequence[str]
    is_evident: bool

    def __str__(self) -> str:
        names = backticked(self.files)
        return f"The project is {self.path}" + (f", which has {names}" if names else "")


def locate_project(named: Path | None, *, has_lockfile: bool = False) -> ProjectFolder:
    """Return the folder `named`; with `None`, the current one or the nearest one around it.

    Folders are looked at up to the root of the git repository. With `has_lockfile`, the caller
    names a lockfile, and the folder needs no files of a project. Raises `ConfigError` where there
    is no such folder.
    """
    folder = _existing(named).absolute()
    if (folder / _FILES[0]).is_file():
        # Whoever reads it says what is wrong with it: no lockfile is looked for before.
        return ProjectFolder(folder, [_FILES[0]], is_evident=True)
    files = _files_of(folder)
    if files or has_lockfile:
        return ProjectFolder(folder, files, is_evident=False)
    around = next(((each, found) for each in _above(folder) if (found := _files_of(each))), None)
    if around and named is None:
        return ProjectFolder(*around, is_evident=False)
    advice = (
        f"the project around it is {around[0]}, name that"
        if around
        else "name the folder of the project"
    )
    raise ConfigError(
        [f"{folder} has no pyproject.toml, no lockfile and no requirements.txt: {advice}"]
    )


def _existing(named: Path | None) -> Path:
    path = named or Path()
    if path.is_dir():
        return path
    if path.exists():
        raise ConfigError([f"`{path}` is a file: name the folder of the project"])
    parent = path.absolute().parent
    others = [each.name for each in parent.iterdir() if each.is_dir()] if parent.is_dir() else []
    raise ConfigError([f"There is no folder `{path}`{nearest(path.name, others)}"])


def _files_of(folder: Path) -> list[str]:
    """Return the names of the files that make a folder a project."""
    request = LockRequest(layout=LayerPathLayout(folder / "pyproject.toml", folder))
    found = [folder / name for name in _FILES if (folder / name).is_file()]
    for lockfile in LOCKFILES.values():
        found += lockfile.find(request)
    return [each.name for each in (*found, *find_foreign(folder))]


def _above(folder: Path) -> Iterator[Path]:
    """Yield the folders around `folder`, up to the root of its git repository."""
    around = (folder, *folder.parents)
    if not any((each / ".git").exists() for each in around):
        return
    for inner, outer in zip(around, folder.parents, strict=False):
        if (inner / ".git").exists():
            return
        yield outer
