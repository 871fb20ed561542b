"""Temporary folders that are removed even after this process was killed: by the next one."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from .filelock import try_lock, try_lock_surely
from .removal import remove_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIX = "hatch-lambda-layer-"
_LOCK = "lock"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield a new folder among the system's temporary files that only this user can enter.

    It is removed afterwards. Those that killed processes have left are removed first.
    """
    _sweep()
    folder, lock = _own_folder()
    try:
        # Links resolved: programs report the real paths of what they write.
        yield folder.resolve()
    finally:
        lock.close()  # Windows can't remove open files
        remove_tree(folder)


def _own_folder() -> tuple[Path, BinaryIO]:
    """Make a private folder with a locked file in it, which shows that its owner is alive."""
    import tempfile

    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        # Another process may sweep the folder away between the steps: then try again.
        with suppress(FileNotFoundError):
            file = (folder / _LOCK).open("xb")
            if try_lock(file) and (folder / _LOCK).exists():
                return folder, file
            file.close()


def _sweep() -> None:
    import tempfile

    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError), (folder / _LOCK).open("r+b") as file:
            if try_lock_surely(file):
                remove_tree(folder)
