"""The names and sizes of an archive's files, from its central directory alone.

An archive that lies on a server is so listed by a few requests, for the bytes at its end.
"""

from __future__ import annotations

import io
import struct
import zipfile
from typing import TYPE_CHECKING, Any, BinaryIO

from .zip_reader import ArchiveError, check_directory_size

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# An end record with the longest comment has less, and so have most directories.
_FIRST_READ = 1 << 18
# More than the largest directory that is read, see `check_directory_size`.
_MOST_READ = 40 << 20


def list_files(stream: BinaryIO) -> Mapping[str, int]:
    """Return the size in bytes of each file by its name; folders are left out.

    The archive may be anybody's: only its directory is read, and the last file of a name counts,
    as with what unpacks it. Raises `ArchiveError` for what is not a zip archive.
    """
    try:
        check_directory_size(stream)
        with zipfile.ZipFile(stream) as archive:
            return {
                each.filename: each.file_size
                for each in archive.infolist()
                if each.filename[-1:] != "/"
            }
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
        raise ArchiveError(f"it is not a valid zip archive ({error})") from error


class EndReader(io.RawIOBase):
    """A file of `size` bytes that is read from its end; what was read is kept.

    `fetch` returns the bytes from one offset up to another. Raises `ArchiveError` where more is
    wanted than any directory of an archive has.
    """

    def __init__(self, fetch: Callable[[int, int], bytes], size: int) -> None:
        self._fetch = fetch
        self._size = size
        self._position = 0
        self._start = size
        self._end = b""

    def readable(self) -> bool:
        """Return true."""
        return True

    def seekable(self) -> bool:
        """Return true."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to an offset; return the new position."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("the offset lies before the file")
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer from the position on; return the number of bytes."""
        stop = min(self._position + len(buffer), self._size)
        if self._position >= stop:
            return 0
        self._reach(self._position)
        data = self._end[self._position - self._start : stop - self._start]
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def _reach(self, position: int) -> None:
        """Fetch what lies between a position and what has been read already."""
        if position >= self._start:
            return
        start = max(0, min(position, self._start - _FIRST_READ))
        if self._size - start > _MOST_READ:
            raise ArchiveError("its directory is larger than any archive needs")
        self._end = self._fetch(start, self._start) + self._end
        self._start = start
