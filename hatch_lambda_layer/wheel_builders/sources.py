"""Sources as a lockfile names them: the digest of each, and its files on disk to build from."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from .._internal.process import redact
from ..exceptions import BuildError, DownloadError
from ..lockfiles.protocol import UNNAMED
from ..wheels.digest import check_sha256
from ..wheels.location import local_path
from . import folders
from .beside import digest_beside, lay_beside, named_beside, root_around

if TYPE_CHECKING:
    from ..index.auth import IndexAccess
    from ..wheels.selection import LockedSource
    from .deadline import Deadline

_KINDS = {"sdist": "sdist", "archive": "archive", "vcs": "git repository", "directory": "folder"}
_FOLDERS = ("directory", "project")


def title(source: LockedSource) -> str:
    """Return the words for a source: its package and its kind."""
    if source.kind == "project":
        return f"the project `{source.name}`"
    if source.name == UNNAMED:
        return f"the {_KINDS[source.kind]} {redact(source.location)}"
    package = f"{source.name} {source.version or ''}".rstrip()
    return f"package `{package}` (from its {_KINDS[source.kind]})"


def source_digest(source: LockedSource) -> str:
    """Return what identifies the content of a source, whatever its URL or path.

    An archive's sha256, a repository's commit, or a digest of a folder's files, of what its build
    names beside it, and of the repository around it where the build asks that; then the
    subdirectory. Raises `BuildError` for a folder that can't be read.
    """
    if source.kind in _FOLDERS:
        folder = _folder(source)
        if not folder.is_dir():
            raise BuildError(
                f"The folder `{folder}` of {title(source)} can't be read: there is no such folder",
                hint="lock again if the folder has moved",
            )
        digest = _folder_digest(folder)
    else:
        digest = (source.commit if source.kind == "vcs" else source.sha256) or ""
    return f"{digest}#{source.subdirectory}" if source.subdirectory else digest


def around(source: LockedSource) -> Path | None:
    """Return the repository or workspace around a source that is a folder, else `None`."""
    return root_around(_folder(source)) if source.kind in _FOLDERS else None


def read_beside(source: LockedSource) -> list[str]:
    """Return what the build of a folder reads outside of it, relative to the folder."""
    root = around(source)
    if root is None:
        return []
    folder = _folder(source)
    return [os.path.relpath(path, folder) for path in named_beside(folder, root)]


def folder_of(source: LockedSource) -> Path | None:
    """Return the folder of a source that is one, else `None`."""
    return _folder(source) if source.kind in _FOLDERS else None


def _folder(source: LockedSource) -> Path:
    return Path(source.location, source.subdirectory or "").resolve()


def _folder_digest(folder: Path) -> str:
    from .versioning import reads_repository

    digest = folders.digest_folder(folder)
    facts = digest
    root = root_around(folder)
    if root and (named := named_beside(folder, root)):
        facts += f"\0{digest_beside(folder, root, named)}"
    repository = folders.repository_root(folder) if reads_repository(folder) else None
    if repository is not None and shutil.which("git") is not None:
        from . import git

        facts += f"\0{git.describe(repository)}"
    if facts == digest:
        return digest
    return hashlib.sha256(facts.encode("utf-8", "surrogateescape")).hexdigest()


def obtain(
    source: LockedSource, folder: Path, deadline: Deadline, access: IndexAccess | None = None
) -> Path:
    """Copy or fetch a source into the empty `folder`, and return the project's folder there.

    Its files have the modes 644 and 755 whatever the umask: some backends put them into a wheel.
    HTTP requests have the credentials of `access`. Raises `BuildError` and `DownloadError`.
    """
    project = _obtained(source, folder, deadline, access)
    _set_modes(folder / "tree")
    return project


def _set_modes(tree: Path) -> None:
    for parent, below, names in os.walk(tree):
        below[:] = [name for name in below if name != ".git"]
        Path(parent).chmod(0o755)
        for path in (Path(parent, name) for name in names):
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)


def _obtained(
    source: LockedSource, folder: Path, deadline: Deadline, access: IndexAccess | None
) -> Path:
    # Imported here: a build that finds every wheel in the cache does not need them.
    from . import git
    from .unpacking import inside, unpack

    named = title(source)
    tree = folder / "tree"
    if source.kind in _FOLDERS:
        return _copied(_folder(source), tree, deadline)
    if source.kind == "vcs":
        url = access.url_with_credentials(source.location) if access else source.location
        git.check_out(url, source.commit or "", tree, named, deadline)
        return inside(tree, source.subdirectory, named)
    archive = folder / "archive"
    _fetch(source, archive, access)
    return inside(unpack(archive, tree, named), source.subdirectory, named)


def _copied(folder: Path, tree: Path, deadline: Deadline) -> Path:
    """Copy a folder to its place in a view of what is around it, and return the copy's path.

    The view of a repository is a clone: backends ask it for the version.
    """
    from . import git

    repository, root = folders.repository_root(folder), root_around(folder)
    if repository is not None:
        git.shadow(repository, folder, tree, deadline)
    project = tree / folder.relative_to(root) if root else tree
    folders.copy_ignore_files(folder, project)
    folders.copy_folder(folder, project)
    if root is not None:
        links = lay_beside(folder, root, named_beside(folder, root), tree)
        git.ignore(tree, links)
    return project


def _fetch(source: LockedSource, archive: Path, access: IndexAccess | None) -> None:
    from .unpacking import MAX_UNPACKED_SIZE

    path = local_path(source.location)
    if path is not None:
        try:
            shutil.copyfile(path, archive)
        except OSError as error:
            raise DownloadError(
                f"The source of {title(source)} can't be copied from {path}: {error.strerror}",
                hint="lock again if the file has moved",
            ) from error
    else:
        from ..index.download import Downloader

        with archive.open("w+b") as file:
            Downloader(access).fetch(
                source.location,
                file,
                largest=MAX_UNPACKED_SIZE,
                index=source.index_url,
                moved=lambda _: None,
            )
    with archive.open("rb") as file:
        check_sha256(file, source, f"The source of {title(source)}")
