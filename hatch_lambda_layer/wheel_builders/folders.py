"""Folders as sources: the files that count, their digest, and a copy to build from.

The digest and the copy have the same files, so that a wheel can't depend on a file whose change
would go unnoticed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..exceptions import BuildError, OutputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

# Folders that tools make: not content of the project, and often very large.
_SKIPPED_FOLDERS = frozenset(
    {
        ".eggs",
        ".git",
        ".hg",
        ".hypothesis",
        ".mypy_cache",
        ".nox",
        ".pytest_cache",
        ".ruff_cache",
        ".svn",
        ".tox",
        "__pycache__",
        "node_modules",
    }
)
# Files that mark a virtual environment and a cache of any tool (https://bford.info/cachedir).
_MARKS_OF_SKIPPED_FOLDERS = ("pyvenv.cfg", "CACHEDIR.TAG")
# Folders of build results, unless one is a package: setuptools would even put old files of `build`
# into a new wheel. In a monorepo, layers are there as well.
_SKIPPED_AT_TOP = frozenset({"build", "dist"})
# `.git` is a file in a worktree and in a submodule.
_SKIPPED_FILES = frozenset({".DS_Store", ".git"})
_READ_AT_ONCE = 1 << 20


class FolderFile(NamedTuple):
    """A file below a folder: `name` is its path in the folder with `/`, `path` its path on disk.

    `size` is in bytes; `executable` means that any x bit is set.
    """

    name: str
    path: str
    size: int
    executable: bool


def digest_folder(folder: Path) -> str:
    """Return the sha256, in hex, of the names, x bits and contents of the files that count.

    The ignore files of the repository around it count as well: build backends read them. Raises
    `BuildError` where the folder can't be read.
    """
    return digest_files(folder, lambda: [*_ignore_files(folder), *files_of(folder)])


def digest_files(folder: Path, files: Callable[[], Iterable[FolderFile]]) -> str:
    """Return the sha256, in hex, of files; `folder` is what `BuildError` names."""
    digest = hashlib.sha256()
    try:
        for file in files():
            content = _sha256(file)
            line = f"{file.name}\0{'x' if file.executable else '-'}\0{content}\0"
            digest.update(line.encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise _unreadable(folder, error) from error
    return digest.hexdigest()


def copy_folder(folder: Path, copy: Path) -> None:
    """Copy the files that count; links are followed, since the copy is elsewhere.

    Raises `BuildError` where the folder can't be read.
    """
    copy_files(folder, lambda: files_of(folder), copy)


def copy_files(folder: Path, files: Callable[[], Iterable[FolderFile]], copy: Path) -> None:
    """Copy files to their places in `copy`; `folder` is what `BuildError` names."""
    made = set()
    try:
        for file in files():
            target = copy / file.name
            if target.parent not in made:
                target.parent.mkdir(parents=True, exist_ok=True)
                made.add(target.parent)
            shutil.copyfile(file.path, target)
            if file.executable:
                target.chmod(0o755)
    except OSError as error:
        raise _unreadable(folder, error) from error


def file_names(folder: Path) -> list[str]:
    """Return the paths of the files that count, relative to the folder, with `/`.

    Raises `BuildError` where the folder can't be read.
    """
    try:
        return [file.name for file in files_of(folder)]
    except OSError as error:
        raise _unreadable(folder, error) from error


def copy_ignore_files(folder: Path, copy: Path) -> None:
    """Copy the ignore files above `folder` to the same places above `copy`."""
    for file in _ignore_files(folder):
        target = copy / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file.path, target)


def repository_root(folder: Path) -> Path | None:
    """Return the root of the git repository that `folder` is in, else `None`."""
    return next((each for each in (folder, *folder.parents) if (each / ".git").exists()), None)


def file_at(path: Path, name: str) -> FolderFile:
    """Return the file at `path` under a name; raise `OSError` where it is not there."""
    status = path.stat()
    return FolderFile(name, str(path), status.st_size, executable=bool(status.st_mode & 0o111))


def is_skipped(entry: os.DirEntry[str]) -> bool:
    """Return whether a file or folder beside a source has nothing that a build may need."""
    if entry.is_dir():
        return _is_skipped(entry, at_top=False)
    return entry.name in _SKIPPED_FILES


def _ignore_files(folder: Path) -> list[FolderFile]:
    root = repository_root(folder)
    if root is None or root == folder:
        return []
    above = [each for each in folder.parents if each.is_relative_to(root)]
    paths = [(f"{'../' * depth}.gitignore", each) for depth, each in enumerate(above, 1)]
    return [
        FolderFile(name, str(path), path.stat().st_size, executable=False)
        for name, each in paths
        if (path := each / ".gitignore").is_file()
    ]


def files_of(folder: Path) -> Iterator[FolderFile]:
    """Yield the files that count, sorted by name; raise `OSError` where one can't be read."""
    if not folder.is_dir():
        raise NotADirectoryError(None, "there is no such folder", str(folder))
    real = os.path.realpath(folder)
    yield from sorted(_walk(str(folder), "", (real,)))


def _walk(folder: str, prefix: str, inside: tuple[str, ...]) -> Iterator[FolderFile]:
    """Yield the files below a folder; `inside` has its real path and those of its parents."""
    with os.scandir(folder) as found:
        entries = list(found)
    at_top = not prefix or any(entry.name == "pyproject.toml" for entry in entries)
    for entry in entries:
        if entry.is_file():
            if entry.name not in _SKIPPED_FILES and not entry.name.endswith(".pyc"):
                status = entry.stat()
                executable = bool(status.st_mode & 0o111)
                yield FolderFile(prefix + entry.name, entry.path, status.st_size, executable)
        elif entry.is_dir() and not _is_skipped(entry, at_top=at_top):
            real = os.path.join(inside[-1], entry.name)  # noqa: PTH118  # half the time of a walk
            if entry.is_symlink():
                real = os.path.realpath(entry.path)
                # A link to a folder that it is in would never end.
                if real in inside:
                    continue
            yield from _walk(entry.path, f"{prefix}{entry.name}/", (*inside, real))


def _is_skipped(entry: os.DirEntry[str], *, at_top: bool) -> bool:
    if entry.name in _SKIPPED_FOLDERS or entry.name.endswith(".egg-info"):
        return True
    path = Path(entry)
    if at_top and entry.name in _SKIPPED_AT_TOP and not (path / "__init__.py").exists():
        return True
    return any((path / mark).exists() for mark in _MARKS_OF_SKIPPED_FOLDERS)


def _sha256(file: FolderFile) -> str:
    with open(file.path, "rb", buffering=0) as stream:
        if file.size > _READ_AT_ONCE:
            return hashlib.file_digest(stream, "sha256").hexdigest()
        return hashlib.sha256(stream.read()).hexdigest()


def _unreadable(folder: Path, error: OSError) -> BuildError:
    where = f" ({error.filename})" if error.filename not in (None, str(folder)) else ""
    return BuildError(
        f"The folder `{folder}`, which the lockfile names, can't be read: {error.strerror}{where}",
        hint="lock again if the folder has moved",
    )


def new_folder(parent: Path) -> Path:
    """Make a folder that is the root of a repository to tools which search the folders above.

    hatchling searches upwards for `.gitignore` until it finds a `.git`, and git for `.git`: the
    ignore file of the work folder would leave nothing in a wheel. Raises `OutputError`.
    """
    import tempfile

    try:
        parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=parent, prefix="build-")).resolve()
        (folder / ".git").touch()
    except OSError as error:
        raise OutputError(f"{parent} can't be written: {error.strerror}") from error
    return folder
