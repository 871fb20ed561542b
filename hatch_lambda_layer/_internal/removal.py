"""Removing folders whatever is in them: nested without end, read-only, or still written to."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_ALL = stat.S_IRWXU


def remove_tree(folder: Path) -> None:
    """Remove a folder with all that is in it; what can't be removed stays, without an error.

    `shutil.rmtree` calls itself for each level (in Python 3.11 and 3.12), opens each, and needs
    paths that the system takes. Here each folder is moved to the top before it is emptied: neither
    the stack nor a path grows with the depth.
    """
    if folder.is_symlink() or not folder.is_dir():
        return
    top = str(folder)
    # No name that a folder in it may have already.
    prefix = os.path.join(top, f".{os.urandom(8).hex()}-")  # noqa: PTH118
    waiting, moved = [top], 0
    emptied: list[str] = []
    while waiting:
        path = waiting.pop()
        emptied.append(path)
        for inner in _empty(path):
            moved += 1
            new = f"{prefix}{moved}"
            with suppress(OSError):
                _open_up(inner)
                os.rename(inner, new)  # noqa: PTH104
                waiting.append(new)
    for path in reversed(emptied):
        with suppress(OSError):
            os.rmdir(path)  # noqa: PTH106


def _empty(folder: str) -> list[str]:
    """Remove the files and links of a folder, and return the paths of the folders in it."""
    folders = []
    with suppress(OSError):
        _open_up(folder)
        with os.scandir(folder) as entries:
            found = list(entries)
        for entry in found:
            if _is_folder(entry):
                folders.append(entry.path)
            else:
                _unlink(entry.path)
    return folders


def _open_up(folder: str) -> None:
    """Let this user enter a folder, list it, and remove and move what is in it."""
    if os.lstat(folder).st_mode & _ALL != _ALL:
        os.chmod(folder, _ALL)  # noqa: PTH101


def _unlink(path: str) -> None:
    try:
        os.unlink(path)  # noqa: PTH108
    except PermissionError:
        if sys.platform == "win32":
            # There, a file's own mode decides.
            with suppress(OSError):
                os.chmod(path, stat.S_IWRITE)  # noqa: PTH101
                os.unlink(path)  # noqa: PTH108
    except OSError:
        pass


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a folder, and no link to one (on Windows, a junction is one)."""
    with suppress(OSError):
        if not entry.is_dir(follow_symlinks=False):
            return False
        tag = getattr(entry.stat(follow_symlinks=False), "st_reparse_tag", 0)
        return tag != getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", -1)
    return False
