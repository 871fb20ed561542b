"""Files and folders that must not outlive the process that makes them, whatever ends it.

Beside each lies a file that its owner keeps locked. When that process has died, the lock is free,
and the next one removes both.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO

from .filelock import try_lock, try_lock_surely
from .removal import remove_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SUFFIX = ".lock"
_SECONDS_BETWEEN_TRIES = 0.001


def unique_name() -> str:
    """Return a name that no other process has."""
    return os.urandom(8).hex()


@contextmanager
def owned(path: Path) -> Iterator[None]:
    """Own what will be at `path`, a `unique_name` in a folder that exists; remove it at the end.

    Raises `OSError` where the file beside it can't be made.
    """
    lock = _take(_lock_of(path))
    try:
        yield
    finally:
        remove(path)
        _remove_lock(_lock_of(path), lock)


def disown(path: Path) -> None:
    """Remove what another thread of this process owns, which may never come to do so itself."""
    remove(path)
    with suppress(OSError):
        _lock_of(path).unlink()


def is_owned(path: Path) -> bool:
    """Return whether the process that owns what is or was at `path` is alive."""
    try:
        with _lock_of(path).open("r+b") as lock:
            return not try_lock_surely(lock)
    except OSError:
        return False


def oldest_owner(folder: Path) -> float | None:
    """Return since when there is an owner in `folder`, a time; `None` where there is none."""
    found = []
    with suppress(OSError):
        for path in folder.iterdir():
            if path.suffix == _SUFFIX and is_owned(path.with_suffix("")):
                with suppress(OSError):
                    found.append(path.stat().st_mtime)
    return min(found, default=None)


def sweep(folder: Path) -> None:
    """Remove what processes that have died have left in `folder`, which has nothing else."""
    with suppress(OSError):
        for path in folder.iterdir():
            if path.suffix == _SUFFIX:
                with suppress(OSError), path.open("r+b") as lock:
                    if try_lock_surely(lock):
                        remove(path.with_suffix(""))
                        _remove_lock(path, lock)
            # The file is made first and removed last: without it, there is no owner.
            elif not _lock_of(path).exists():
                remove(path)


def remove(path: Path) -> None:
    """Remove a file or a folder, as far as that is possible."""
    if path.is_dir() and not path.is_symlink():
        remove_tree(path)
    else:
        with suppress(OSError):
            path.unlink()


def _lock_of(path: Path) -> Path:
    return path.with_name(path.name + _SUFFIX)


def _take(path: Path) -> BinaryIO:
    while True:
        try:
            file = path.open("a+b")
            # Another process's sweep can lock and remove it between the two steps: then once more.
            if try_lock(file) and path.exists():
                return file
            file.close()
            time.sleep(_SECONDS_BETWEEN_TRIES)
        except BaseException:
            # A signal may come as soon as the file exists.
            with suppress(OSError):
                path.unlink()
            raise


def _remove_lock(path: Path, lock: BinaryIO) -> None:
    if sys.platform == "win32":
        lock.close()  # Windows removes no open files
    with suppress(OSError):
        path.unlink()
    lock.close()
