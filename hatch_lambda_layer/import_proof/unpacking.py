"""Unpacking a layer as Lambda does: with the modes and the links that its zip has."""

from __future__ import annotations

import os
import stat
import zlib
from typing import TYPE_CHECKING, BinaryIO

from .._internal.zip_format import DEFLATED
from .._internal.zip_reader import ArchiveError, ZipEntry, read_directory
from ..exceptions import LambdaLayerError
from ..wheels.members import unsafe_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# In bytes. Lambda takes a quarter of that for a function with all its layers.
MAX_UNPACKED_SIZE = 1 << 30
_CHUNK = 1 << 18
_LONGEST_LINK = 4096
_FOLDER_MODE = 0o755


def unpack_layer(archive: Path, folder: Path) -> dict[Path, int]:
    """Unpack a zip into the new `folder`; return the modes that have yet to be set.

    Everybody may read it until they are set (`set_modes`). Raises `LambdaLayerError`.
    """
    try:
        with archive.open("rb") as stream:
            return _unpack(stream, folder)
    except ArchiveError as error:
        where = f", member {error.member!a}" if error.member is not None else ""
        raise LambdaLayerError(
            f"{archive} is refused{where}: {error.reason}",
            hint="make it anew; Python's `zipfile` and `zip` write nothing of the kind",
        ) from error
    except OSError as error:
        raise LambdaLayerError(f"{archive} can't be unpacked: {error.strerror}") from error


def set_modes(modes: dict[Path, int]) -> None:
    """Set the modes of files as in a zip, in such a way that they count for their owner, too.

    A function runs as a user who owns none of them: what others may do is all that counts.
    """
    for path, mode in sorted(modes.items(), reverse=True):
        others = mode & 0o7
        path.chmod(others << 6 | others << 3 | others)


def _unpack(stream: BinaryIO, folder: Path) -> dict[Path, int]:
    entries = read_directory(stream)
    _make(folder)
    left = MAX_UNPACKED_SIZE
    modes: dict[Path, int] = {}
    links: dict[Path, str] = {}
    for entry in entries:
        if reason := unsafe_name(entry.name):
            raise ArchiveError(reason, entry.name)
        path = folder / entry.name
        is_folder = entry.name.endswith("/")
        _make(path if is_folder else path.parent)
        left -= entry.size
        if left < 0:
            raise ArchiveError(f"it unpacks to more than {MAX_UNPACKED_SIZE:,} bytes")
        kind = stat.S_IFMT(entry.mode)
        if kind == stat.S_IFLNK:
            links[path] = _link(stream, entry)
        elif is_folder or kind in (0, stat.S_IFREG):
            if not is_folder:
                _write(stream, entry, path)
            # Archives that were made on Windows have no modes.
            if mode := stat.S_IMODE(entry.mode):
                modes[path] = mode
        else:
            raise ArchiveError("it is a device, pipe or socket", entry.name)
    # Last, so that nothing is written through one.
    for path, target in links.items():
        if os.path.lexists(path):
            raise ArchiveError("it is in the archive twice", path.name)
        path.symlink_to(target)
    return modes


def _make(folder: Path) -> None:
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir()
        # The umask of whoever runs this must not decide what a function can read.
        each.chmod(_FOLDER_MODE)


def _write(stream: BinaryIO, entry: ZipEntry, path: Path) -> None:
    size = crc = 0
    with path.open("wb") as copy:
        for data in _content(stream, entry):
            size += len(data)
            if size > entry.size:
                raise ArchiveError("it inflates to more than its header says", entry.name)
            crc = zlib.crc32(data, crc)
            copy.write(data)
    if (size, crc) != (entry.size, entry.crc):
        raise ArchiveError("its content is not what its header says", entry.name)
    path.chmod(0o644)


def _link(stream: BinaryIO, entry: ZipEntry) -> str:
    if entry.size > _LONGEST_LINK:
        raise ArchiveError("it is a link that is longer than any path", entry.name)
    target = os.fsdecode(b"".join(_content(stream, entry))[: _LONGEST_LINK + 1])
    if not target or "\0" in target:
        raise ArchiveError("it is a link to nothing", entry.name)
    return target


def _content(stream: BinaryIO, entry: ZipEntry) -> Iterator[bytes]:
    """Yield the content of a member, never much more at once than is compressed."""
    stream.seek(entry.data_offset)
    left = entry.compressed_size
    inflater = zlib.decompressobj(-zlib.MAX_WBITS) if entry.method == DEFLATED else None
    try:
        while left and (data := stream.read(min(left, _CHUNK))):
            left -= len(data)
            if inflater is None:
                yield data
                continue
            while data:
                yield inflater.decompress(data, _CHUNK)
                data = inflater.unconsumed_tail
        if inflater is not None:
            yield inflater.flush()
    except zlib.error as error:
        raise ArchiveError(f"its content is damaged ({error})", entry.name) from error
