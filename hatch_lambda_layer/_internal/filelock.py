"""Advisory locks on open files, which the system drops when their process ends."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, BinaryIO

from ..exceptions import CacheError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

_SECONDS_BETWEEN_TRIES = 0.05

# The usual library for this, filelock, imports asyncio: 50 ms, a third of a warm build.
if sys.platform == "win32":
    import msvcrt

    def try_lock(file: BinaryIO) -> bool:
        """Lock `file` for this process until it is closed; say whether that worked."""
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def try_lock(file: BinaryIO) -> bool:
        """Lock `file` for this process until it is closed; say whether that worked."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            # Some network file systems have no locks: better to go on than to wait for ever.
            return True
        return True


@contextmanager
def locked(paths: Iterable[Path], on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold the locks on `paths`, taken in their order; call `on_wait` once when one is held.

    The files stay, empty, since removing one would let two processes lock two files of one name.
    """
    with ExitStack() as stack:
        waits = False
        for path in paths:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                file = stack.enter_context(path.open("a+b"))
            except OSError as error:
                raise CacheError(
                    f"The cache can't be written at {path}: {error.strerror}",
                    hint="free the space, or name another folder in HATCH_LAMBDA_LAYER_CACHE_DIR",
                ) from error
            while not try_lock(file):
                if not waits:
                    on_wait()
                    waits = True
                time.sleep(_SECONDS_BETWEEN_TRIES)
        yield
