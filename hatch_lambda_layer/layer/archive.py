"""The writer of the zip: the only module that decides its bytes.

A member that comes from a wheel is copied as it is compressed there; only its headers are new.
Sorted paths, one date, modes 644 and 755, no extra fields, no directories, no Zip64: equal trees
give equal bytes.
"""

from __future__ import annotations

import errno
import hashlib
import os
import queue
import sys
import threading
import zlib
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from .._internal.filelock import try_lock, try_lock_surely
from .._internal.zip_format import (
    CENTRAL_HEADER,
    CENTRAL_SIGNATURE,
    END_RECORD,
    END_SIGNATURE,
    FLAG_UTF8,
    LOCAL_HEADER,
    LOCAL_SIGNATURE,
)
from ..exceptions import ConfigError, OutputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .tree import Entry, LayerTree

# A zip stores times from 1980 to 2107 in steps of two seconds, without a time zone.
_EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)
_LATEST = datetime(2107, 12, 31, 23, 59, 58, tzinfo=UTC)
# Version 2.0 of the format, which has deflate and folders; made on Unix, so that modes count.
_VERSION = 20
_MADE_BY = 3 << 8 | _VERSION
_BUFFER_SIZE = 1 << 19
_BUFFERS_AHEAD = 4
# Below the default limit of open files on every system, and more than the wheels whose paths
# alternate in a sorted zip.
_MOST_OPEN_FILES = 64


@dataclass(frozen=True, slots=True)
class WrittenArchive:
    """The size in bytes and the sha256 (hexadecimal) of a zip that was written."""

    size: int
    sha256: str


def archive_time(source_date_epoch: str | None) -> datetime:
    """Return the date of every member: 1980-01-01, or that of `SOURCE_DATE_EPOCH`.

    A date that a zip can't store becomes the nearest one that it can. Raises `ConfigError` when
    the variable is not a valid number of seconds.
    """
    if source_date_epoch is None:
        return _EARLIEST
    try:
        seconds = int(source_date_epoch)
    except ValueError:
        raise ConfigError(
            [f"SOURCE_DATE_EPOCH must be a number of seconds since 1970, not {source_date_epoch!r}"]
        ) from None
    clamped = min(max(seconds, int(_EARLIEST.timestamp())), int(_LATEST.timestamp()))
    return datetime.fromtimestamp(clamped - clamped % 2, UTC)


def write_archive(
    tree: LayerTree,
    path: Path,
    time: datetime,
    check: Callable[[Path, WrittenArchive], None] = lambda *_: None,
) -> WrittenArchive:
    """Write the settled `tree` as a zip to `path`, which changes only when all is written.

    Before it does, `check` is called with the path of the new zip, and may raise an exception.
    Raises `OutputError` when that fails, and leaves what was at `path` unchanged.
    """
    with _replacing(path) as file:
        sink = _Sink(file)
        writer = _Writer(sink, time)
        try:
            for entry in tree:
                writer.add(entry)
            size = writer.finish()
            written = WrittenArchive(size, sink.close())
        except BaseException as error:
            sink.abandon(error)
            raise
        finally:
            writer.close_sources()
        check(Path(file.name), written)
        return written


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8 to `path` in the same way: all of it, or `OutputError`."""
    with _replacing(path) as file:
        _write_all(file, text.encode())


def _write_all(file: BinaryIO, data: bytes) -> None:
    # An unbuffered file writes as much as there is space for; only the next call fails.
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def prepare(path: Path) -> None:
    """Remove the temporary files of killed builds beside `path`.

    Raises `OutputError` when `path` is a folder, or lies in none, before anything is written.
    """
    if path.is_dir():
        raise _not_written(path, IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)))
    check_folder(path.parent)
    for leftover in path.parent.glob(f".{path.name}.*.tmp"):
        with suppress(OSError):
            with leftover.open("r+b") as file:
                abandoned = try_lock_surely(file)
            if abandoned:
                leftover.unlink()


def check_folder(folder: Path) -> None:
    """Raise `OutputError` if there is a file where `folder` should be, or above it."""
    nearest = next((each for each in (folder, *folder.parents) if each.exists()), folder)
    if nearest.exists() and not nearest.is_dir():
        raise OutputError(
            f"{nearest} is a file, but layers go into a folder of that name",
            hint="move the file away, or name another folder: `--output-dir`, or `directory` in "
            "`[tool.hatch.build.targets.lambda-layer]`",
        )


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """Yield a new file that takes the place of `path` when the block ends without an exception."""
    temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not `tempfile`, whose files only their owner can read: the umask decides, as for any file.
        file = open(temporary, "xb", buffering=0)  # noqa: SIM115  # it is closed below
    except OSError as error:
        raise _not_written(path, error) from error
    try:
        with file:
            # Shows other builds that it is still written.
            try_lock(file)
            yield file
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        raise _not_written(path, error) from error
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def _not_written(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"{path} can't be written: {error.strerror}; what was there before is untouched",
        hint="free some disk space or change the permissions, then build again",
    )


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return  # Windows opens no folders
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class _Sink:
    """Hashes and writes in a thread of its own, while the next bytes are read.

    Hashing and writing release the interpreter's lock, so that they really run beside the reading.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self._waiting: queue.Queue[bytes | None] = queue.Queue(_BUFFERS_AHEAD)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._drain, daemon=True)
        self._thread.start()

    def put(self, data: bytes) -> None:
        """Queue more bytes; raise the error that kept earlier ones from being written."""
        if self._error is not None:
            raise self._error
        self._waiting.put(data)

    def close(self) -> str:
        """Wait until all is written, and return its sha256 (hexadecimal)."""
        self._waiting.put(None)
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._hash.hexdigest()

    def abandon(self, error: BaseException) -> None:
        """Write nothing more, and wait for the current write: the caller closes the file next."""
        self._error = self._error or error
        self._waiting.put(None)
        self._thread.join()

    def _drain(self) -> None:
        while (data := self._waiting.get()) is not None:
            if self._error is not None:
                continue  # the queue is emptied all the same, or `put` would wait for ever
            try:
                self._hash.update(data)
                _write_all(self._file, data)
            except BaseException as error:  # noqa: BLE001  # it is raised by `put` or `close`
                self._error = error


class _Writer:
    """Writes members in the order given."""

    def __init__(self, sink: _Sink, time: datetime) -> None:
        self._sink = sink
        self._pending: list[bytes] = []
        self._pending_size = 0
        self._position = 0
        self._directory: list[bytes] = []
        self._sources: dict[Path, BinaryIO] = {}
        self._date = (time.year - 1980) << 9 | time.month << 5 | time.day
        self._clock = time.hour << 11 | time.minute << 5 | time.second // 2

    def add(self, entry: Entry) -> None:
        """Write the local header and the content of a member."""
        path, _, _, method, _, _, compressed_size, size, crc, _, _ = entry
        name = path.encode()
        facts = (0 if path.isascii() else FLAG_UTF8, method, self._clock, self._date)
        sizes = (crc, compressed_size, size)
        offset = self._position
        header = LOCAL_HEADER.pack(LOCAL_SIGNATURE, _VERSION, *facts, *sizes, len(name), 0)
        self._write(header + name)
        self._copy(entry)
        self._directory.append(
            CENTRAL_HEADER.pack(
                CENTRAL_SIGNATURE,
                _MADE_BY,
                _VERSION,
                *facts,
                *sizes,
                len(name),
                0,  # extra field
                0,  # comment
                0,  # disk
                0,  # internal attributes
                entry.mode << 16,
                offset,
            )
            + name
        )

    def finish(self) -> int:
        """Write the central directory, and return the size of the archive in bytes."""
        start = self._position
        self._write(b"".join(self._directory))
        size = self._position - start
        count = len(self._directory)
        self._write(END_RECORD.pack(END_SIGNATURE, 0, 0, count, count, size, start, 0))
        self._flush()
        return self._position

    def close_sources(self) -> None:
        """Close the files that were copied from."""
        for source in self._sources.values():
            source.close()
        self._sources.clear()

    def _copy(self, entry: Entry) -> None:
        if isinstance(entry.source, bytes):
            self._write(entry.source)
            return
        source = self._open(entry.source)
        source.seek(entry.offset)
        left = entry.compressed_size
        crc = 0
        while left and (chunk := source.read(min(left, _BUFFER_SIZE))):
            left -= len(chunk)
            crc = zlib.crc32(chunk, crc)
            self._write(chunk)
        # Nothing is inflated here, so this is the only thing that shows a file that has changed.
        if left or crc != entry.packed_crc:
            raise OutputError(
                f"{entry.source} has changed since it was verified, in {entry.path!r}; no layer "
                "was written",
                hint="build again; if that fails in the same way, remove the file first",
            )

    def _open(self, path: Path) -> BinaryIO:
        source = self._sources.get(path)
        if source is None:
            if len(self._sources) == _MOST_OPEN_FILES:
                self.close_sources()
            try:
                source = self._sources[path] = open(path, "rb", buffering=0)  # noqa: SIM115
            except OSError as error:
                raise OutputError(f"{path} can't be read: {error.strerror}") from error
        return source

    def _write(self, data: bytes) -> None:
        self._position += len(data)
        self._pending.append(data)
        self._pending_size += len(data)
        if self._pending_size >= _BUFFER_SIZE:
            self._flush()

    def _flush(self) -> None:
        self._sink.put(b"".join(self._pending))
        self._pending.clear()
        self._pending_size = 0
