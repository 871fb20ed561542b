"""A watch for a secret: in the arguments of every process, and in every file below some folders."""

from __future__ import annotations

import os
import stat
import threading
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ARGUMENTS_SECONDS = 0.002
_FILES_SECONDS = 0.02


@dataclass(frozen=True)
class LeakedFile:
    """A file that has held the secret, with its mode and that of its folder."""

    path: Path
    mode: int
    folder_mode: int


class LeakWatch:
    """Looks for `secret` between `__enter__` and `__exit__`, as often as it can.

    `arguments` has the command lines it was in, `files` the files, while it watched.
    """

    def __init__(self, secret: str, *folders: Path) -> None:
        self.arguments: set[str] = set()
        self.files: set[LeakedFile] = set()
        self.samples = 0
        self._secret = secret.encode()
        self._folders = folders
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._watch_arguments),
            threading.Thread(target=self._watch_files),
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def left(self) -> list[Path]:
        """Give the files that hold the secret now."""
        return [each.path for each in self._leaked_files()]

    def _watch_arguments(self) -> None:
        while not self._ended.wait(_ARGUMENTS_SECONDS):
            self.samples += 1
            for process in Path("/proc").glob("[0-9]*/cmdline"):
                # It may end meanwhile.
                with suppress(OSError):
                    if self._secret in (line := process.read_bytes()):
                        self.arguments.add(line.replace(b"\0", b" ").decode("utf-8", "replace"))

    def _watch_files(self) -> None:
        while not self._ended.wait(_FILES_SECONDS):
            self.files.update(self._leaked_files())

    def _leaked_files(self) -> Iterator[LeakedFile]:
        for path in _below(self._folders):
            with suppress(OSError):
                if any(self._secret in data for data in _contents(path)):
                    modes = (stat.S_IMODE(each.stat().st_mode) for each in (path, path.parent))
                    yield LeakedFile(path, *modes)


def _below(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        for root, _, names in os.walk(folder):
            yield from (Path(root, name) for name in names)


def _contents(path: Path) -> Iterator[bytes]:
    if not stat.S_ISREG(path.lstat().st_mode):
        return
    yield path.read_bytes()
    if path.suffix in (".zip", ".whl"):
        with suppress(zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
            yield from (archive.read(name) for name in archive.namelist())
