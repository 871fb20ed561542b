"""Advisory locks on open files and folders, which the system drops when their process ends."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

_SECONDS_BETWEEN_TRIES = 0.05

# The usual library for this, filelock, imports asyncio: 50 ms, a third of a warm build.
if sys.platform == "win32":
    import errno
    import msvcrt

    def _lock(handle: int) -> bool | None:
        """Lock an open file; return `None` where the file system has no locks."""
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            return False if error.errno in (errno.EACCES, errno.EDEADLOCK) else None
        return True
else:
    import fcntl

    def _lock(handle: int) -> bool | None:
        """Lock an open file or folder; return `None` where the file system has no locks."""
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return None
        return True


def try_lock(file: BinaryIO) -> bool:
    """Lock `file` for this process until it is closed; return whether no other process holds it.

    Some network file systems have no locks. There the answer is yes: going on is better than
    waiting for ever.
    """
    return _lock(file.fileno()) is not False


def try_lock_surely(file: BinaryIO) -> bool:
    """Lock `file` as `try_lock` does, but return false where the file system has no locks.

    This is the question to ask before something of another process is removed.
    """
    return _lock(file.fileno()) is True


@contextmanager
def locked(folders: Iterable[Path], instead: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Lock `folders`, one after the other, for the length of the context.

    `on_wait` is called once if another process holds one of the locks. The folder itself is locked:
    that leaves no file in it that could be committed or uploaded, needs no permission to write, and
    holds for every user and container that sees the folder. A missing folder is made, and removed
    at the end if it is still empty. Where the system locks no folders (Windows, some network file
    systems), a file in the folder `instead` is locked; without any locks the context is entered at
    once.
    """
    waited = False

    def wait() -> None:
        nonlocal waited
        if not waited:
            on_wait()
            waited = True
        time.sleep(_SECONDS_BETWEEN_TRIES)

    with ExitStack() as stack:
        # In one order for all processes, so that two never wait for each other.
        for folder in sorted({folder.resolve() for folder in folders}):
            stack.enter_context(_locked(folder, instead, wait))
        yield


@contextmanager
def _locked(folder: Path, instead: Path, wait: Callable[[], None]) -> Iterator[None]:
    made: list[Path] = []
    handle = _lock_folder(folder, made, wait)
    if handle is None:
        handle = _lock_file(instead / hashlib.sha256(os.fsencode(folder)).hexdigest(), wait)
    try:
        yield
    finally:
        # While it is locked: whoever waits for it finds out that it is gone.
        for each in made:
            with suppress(OSError):
                each.rmdir()
        if handle is not None:
            os.close(handle)


def _lock_folder(folder: Path, made: list[Path], wait: Callable[[], None]) -> int | None:
    """Lock a folder, and add those that were made for that to `made`; `None` if it can't be."""
    if sys.platform == "win32":
        return None
    while True:
        made += [each for each in (folder, *folder.parents) if not each.exists()]
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
        handle = _open_locked(folder, os.O_RDONLY | os.O_DIRECTORY, wait)
        # The process that made the folder may have removed it while this one waited.
        if handle is None or _is_at(handle, folder):
            return handle
        os.close(handle)


def _lock_file(path: Path, wait: Callable[[], None]) -> int | None:
    """Lock a file, which stays: two processes must never lock two files of one name."""
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return _open_locked(path, os.O_RDWR | os.O_CREAT, wait)


def _open_locked(path: Path, flags: int, wait: Callable[[], None]) -> int | None:
    try:
        handle = os.open(path, flags, 0o600)
    except OSError:
        return None
    try:
        while (locked := _lock(handle)) is False:
            wait()
    except BaseException:
        os.close(handle)
        raise
    if locked:
        return handle
    os.close(handle)
    return None


def _is_at(handle: int, folder: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), folder.stat())
    except OSError:
        return False
