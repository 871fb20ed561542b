"""Unpacking source archives: tar and zip, whatever their names, into one folder only.

Nothing in an archive is trusted: bytes are counted as they are unpacked, and a member may not be
outside the folder, below a link, or a device. The lockfile's hash was checked before.
"""

from __future__ import annotations

import filecmp
import os
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

from .._internal.process import redact
from .._internal.zip_reader import ArchiveError, check_directory_size
from ..exceptions import BuildError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

# In bytes. Sources have documentation, test data and vendored libraries; anything larger is refused
# as a decompression bomb.
MAX_UNPACKED_SIZE = 2 << 30
_MAX_MEMBERS = 200_000
_CHUNK = 1 << 18
# What `tarfile` and `zipfile` read into memory: extended headers and maps of holes before a member
# of a tar, and what all members share; the directory of a zip.
_MAX_HEADER = 1 << 20
_MAX_SHARED_HEADERS = 100
_MAX_SHARED_HEADER = 1 << 16


class _Unsafe(Exception):  # noqa: N818  # it never leaves this module
    """The reason for which an archive is refused, a sentence about "it"."""


def unpack(archive: Path, folder: Path, title: str) -> Path:
    """Unpack `archive` into the new `folder`, and return the folder of the project in it.

    That is the one folder at the top, if there is nothing else, or else `folder` itself. Raises
    `BuildError`.
    """
    try:
        with archive.open("rb") as file:
            read = _reader(file)
            # Missing in 3.11.0 to 3.11.3, of which Debian 12 still has one.
            if read is _unpack_tar and not hasattr(tarfile, "data_filter"):
                raise BuildError(
                    f"This Python can't unpack the source of {title} safely",
                    hint="run hatch-lambda-layer with Python 3.11.4 or newer",
                )
            read(file, folder)
    except _Unsafe as error:
        raise _refused(title, str(error)) from error
    except (tarfile.FilterError, UnicodeError) as error:
        raise _refused(title, f"it has an unsafe member ({error})") from error
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        ValueError,
    ) as error:
        raise _refused(title, f"it is damaged ({error})") from error
    except OSError as error:
        raise _refused(title, f"it can't be unpacked ({error.strerror or error})") from error
    found = list(folder.iterdir())
    return found[0] if len(found) == 1 and found[0].is_dir() else folder


def inside(folder: Path, subdirectory: str | None, title: str) -> Path:
    """Return the project's folder in that of its source; raise `BuildError` where it has none."""
    if subdirectory is None:
        return folder
    path = PurePosixPath(subdirectory)
    if path.is_absolute() or ".." in path.parts or "\\" in subdirectory:
        raise _refused(title, f"its subdirectory {subdirectory!a} leads out of it")
    found = folder / path
    if not os.path.isdir(found):  # noqa: PTH112  # no error for a name that is too long
        raise _refused(title, f"it has no subdirectory {subdirectory!a}")
    return found


def _refused(title: str, reason: str) -> BuildError:
    return BuildError(
        f"The source of {title} is refused: {redact(reason)}",
        hint="the error is in the source: report it to its maintainers, or lock another version",
    )


def _reader(file: BinaryIO) -> Callable[[BinaryIO, Path], None]:
    """Return the function that unpacks a file, by its first bytes: a URL may have no file name."""
    head = file.read(262)
    file.seek(0)
    if head.startswith(b"PK\x03\x04"):
        return _unpack_zip
    if head.startswith(tuple(_DECOMPRESSORS)) or head[257:].startswith(b"ustar"):
        return _unpack_tar
    raise _Unsafe("it is neither a tar nor a zip archive")


def _gunzip(file: BinaryIO) -> BinaryIO:
    import gzip

    return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]


def _bunzip2(file: BinaryIO) -> BinaryIO:
    import bz2

    return bz2.BZ2File(file)  # type: ignore[return-value]


def _unxz(file: BinaryIO) -> BinaryIO:
    import lzma

    return lzma.LZMAFile(file)  # type: ignore[return-value]


_DECOMPRESSORS: Mapping[bytes, Callable[[BinaryIO], BinaryIO]] = {
    b"\x1f\x8b": _gunzip,
    b"BZh": _bunzip2,
    b"\xfd7zXZ\x00": _unxz,
}


class _Budget:
    """A stream that raises `_Unsafe` for errors, and for more bytes than an archive may hold.

    While `in_header`, for more bytes than a header may have.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._left = MAX_UNPACKED_SIZE
        self.header_left = _MAX_HEADER
        self.in_header = True

    def read(self, size: int) -> bytes:
        try:
            data = self._stream.read(size)
        # Each decompressor has exceptions of its own.
        except Exception as error:
            raise _Unsafe(f"it is damaged ({error})") from error
        self._left -= len(data)
        if self._left < 0:
            raise _Unsafe(f"it unpacks to more than {MAX_UNPACKED_SIZE:,} bytes")
        if self.in_header:
            self.header_left -= len(data)
            if self.header_left < 0:
                raise _Unsafe(f"a member has a header of more than {_MAX_HEADER:,} bytes")
        return data


def _decompressed(file: BinaryIO) -> BinaryIO:
    head = file.read(6)
    file.seek(0)
    for magic, opener in _DECOMPRESSORS.items():
        if head.startswith(magic):
            try:
                return opener(file)
            except ImportError as error:
                raise _Unsafe(f"this Python can't unpack it ({error})") from error
    return file


def _unpack_tar(file: BinaryIO, folder: Path) -> None:
    stream = _Budget(_decompressed(file))
    links: dict[PurePosixPath, tuple[bytes, str]] = {}
    files: set[PurePosixPath] = set()
    folder.mkdir()
    with tarfile.open(fileobj=stream, mode="r|") as tar:  # type: ignore[call-overload]
        for number in range(_MAX_MEMBERS + 1):
            stream.header_left, stream.in_header = _MAX_HEADER, True
            member = tar.next()
            if member is None:
                break
            # A hard link to what is missing makes `tarfile` look through all headers to come.
            stream.in_header = not member.isreg()
            if number == _MAX_MEMBERS:
                raise _Unsafe(f"it has more than {_MAX_MEMBERS:,} members")
            _check_shared(tar)
            if not _says_the_same(member, links, files, folder):
                _check_place(member, links, files)
                tar.extract(member, folder, filter="data")
            # It would keep every header until the end. Later hard links find files in the folder.
            tar.members.clear()
    # A compressed stream has its checksum behind the last member.
    while stream.read(_CHUNK):
        pass


def _check_shared(tar: tarfile.TarFile) -> None:
    """Refuse large headers for all members: each of them gets a copy."""
    shared = tar.pax_headers
    if (
        len(shared) > _MAX_SHARED_HEADERS
        or sum(len(key) + len(value) for key, value in shared.items()) > _MAX_SHARED_HEADER
    ):
        raise _Unsafe("its global header is too large")


def _says_the_same(
    member: tarfile.TarInfo,
    links: Mapping[PurePosixPath, tuple[bytes, str]],
    files: Collection[PurePosixPath],
    folder: Path,
) -> bool:
    """Return whether a link is in the archive already, or a file of the content that it leads to.

    tar writes a file that it is given twice as a hard link to itself the second time.
    """
    path = PurePosixPath(member.name)
    if path in links:
        return links[path] == (member.type, member.linkname)
    target = PurePosixPath(member.linkname)
    if not member.islnk() or path not in files or target not in files:
        return False
    return path == target or filecmp.cmp(folder / path, folder / target, shallow=False)


def _check_place(
    member: tarfile.TarInfo,
    links: dict[PurePosixPath, tuple[bytes, str]],
    files: set[PurePosixPath],
) -> None:
    """Raise `_Unsafe` for a member that could be written outside the folder.

    `links` (with their kinds and where they lead) and `files` have the paths of the members before
    it, and get its own.
    """
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts:
        raise _Unsafe(f"its member {member.name!a} leads out of it")
    if member.issparse():
        raise _Unsafe(f"its member {member.name!a} is a sparse file, of which holes make any size")
    # What is written through a link, or over one, can land anywhere.
    if not links.keys().isdisjoint((path, *path.parents)):
        raise _Unsafe(f"its member {member.name!a} lies on or below a link")
    if member.issym() or member.islnk():
        if path in files:
            raise _Unsafe(f"its member {member.name!a} is in it twice")
        links[path] = (member.type, member.linkname)
    elif not member.isdir():
        files.add(path)


def _unpack_zip(file: BinaryIO, folder: Path) -> None:
    folder.mkdir()
    left = MAX_UNPACKED_SIZE
    try:
        check_directory_size(file)
    except ArchiveError as error:
        raise _Unsafe(error.reason) from error
    with zipfile.ZipFile(file) as archive:
        if len(archive.infolist()) > _MAX_MEMBERS:
            raise _Unsafe(f"it has more than {_MAX_MEMBERS:,} members")
        for member in archive.infolist():
            path = PurePosixPath(member.filename)
            if not member.filename:
                raise _Unsafe("it has a member without a name")
            drive = ":" in member.filename.partition("/")[0]
            if path.is_absolute() or ".." in path.parts or "\\" in member.filename or drive:
                raise _Unsafe(f"its member {member.filename!a} leads out of it")
            target = folder / path
            if member.is_dir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as stream, target.open("wb") as copy:
                while chunk := stream.read(_CHUNK):
                    left -= len(chunk)
                    if left < 0:
                        raise _Unsafe(f"it unpacks to more than {MAX_UNPACKED_SIZE:,} bytes")
                    copy.write(chunk)
            if member.external_attr >> 16 & 0o111:
                target.chmod(0o755)
