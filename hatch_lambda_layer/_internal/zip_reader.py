"""Reading the members of a zip archive, which is refused unless all of its records agree.

`zipfile` finds the central directory and parses it. Other readers also use what it does not look
at: the local headers, the data descriptors, and the bytes between the records. An archive that
could be read differently from those is refused.
"""

from __future__ import annotations

import struct
import zipfile
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, NoReturn

from .zip_format import (
    CENTRAL_SIGNATURE,
    DEFLATED,
    DESCRIPTOR_SIGNATURE,
    END_RECORD,
    END_SIGNATURE,
    FLAG_DATA_DESCRIPTOR,
    FLAG_ENCRYPTED,
    FLAG_MASKED_HEADER,
    FLAG_PATCHED,
    FLAG_STRONG_ENCRYPTION,
    FLAG_UTF8,
    LOCAL_HEADER,
    LOCAL_SIGNATURE,
    MAX_16,
    MAX_32,
    STORED,
    UNICODE_PATH_EXTRA_ID,
    ZIP64_EXTRA_ID,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# `zipfile` reads the directory as a whole, and makes some 500 bytes of each member in it.
_MAX_DIRECTORY_SIZE = 32 << 20
_MAX_MEMBERS = 200_000
_EXTRA_HEADER = struct.Struct("<HH")
# signature, size of the rest, versions made by and needed, disk, disk of the directory, members on
# it, members, size and offset of the directory
_ZIP64_END = struct.Struct("<4sQ2H2L4Q")
_ZIP64_END_SIGNATURE = b"PK\x06\x06"
_ZIP64_LOCATOR = struct.Struct("<4sLQL")
_ZIP64_LOCATOR_SIGNATURE = b"PK\x06\x07"
_ENCRYPTED = FLAG_ENCRYPTED | FLAG_STRONG_ENCRYPTION | FLAG_MASKED_HEADER


class ArchiveError(Exception):
    """The archive is damaged, or its records contradict each other."""

    def __init__(self, reason: str, member: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.member = member


class ZipEntry(NamedTuple):
    """A member of an archive; directories end in `/`. Offsets and sizes are in bytes."""

    name: str
    method: int
    header_offset: int
    data_offset: int
    compressed_size: int
    size: int
    crc: int
    mode: int


def read_directory(stream: BinaryIO) -> list[ZipEntry]:
    """Return the members of the archive, in the order of the central directory.

    Raises `ArchiveError` for bytes before or after the archive, overlapping members, members that
    the directory does not list, and headers that contradict it.
    """
    check_directory_size(stream)
    try:
        archive = zipfile.ZipFile(stream)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
        raise ArchiveError(f"it is not a valid zip archive ({error})") from error
    infos = archive.infolist()
    directory = _check_end(stream, archive, len(infos))
    entries = {}
    position = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < position:
            raise ArchiveError("it overlaps another member", info.orig_filename)
        if info.header_offset > position:
            _check_gap(stream, position)
        entry = _entry(stream, info)
        entries[id(info)] = entry
        position = entry.data_offset + entry.compressed_size
        if info.flag_bits & FLAG_DATA_DESCRIPTOR:
            position += _descriptor_size(stream, entry)
    if position > directory:
        raise ArchiveError("the directory overlaps the members")
    if position < directory:
        _check_gap(stream, position)
    return [entries[id(info)] for info in infos]


def check_directory_size(stream: BinaryIO) -> None:
    """Raise `ArchiveError` if the directory is too large to be read, or lists too many members.

    An archive without a directory is left to `zipfile`, which says what is wrong with it.
    """
    start = max(stream.seek(0, 2) - END_RECORD.size - MAX_16, 0)
    stream.seek(start)
    tail = stream.read()
    # Where `zipfile` looks first, then where it looks next.
    at = len(tail) - END_RECORD.size
    if at < 0 or not tail.startswith(END_SIGNATURE, at) or not tail.endswith(b"\0\0"):
        at = tail.rfind(END_SIGNATURE)
    if not 0 <= at <= len(tail) - END_RECORD.size:
        return
    end = start + at
    numbers = _zip64_end(stream, end)
    if numbers:
        end -= _ZIP64_LOCATOR.size + _ZIP64_END.size
    size = numbers[1] if numbers else END_RECORD.unpack_from(tail, at)[5]
    if size > _MAX_DIRECTORY_SIZE:
        raise ArchiveError(f"its directory has {size:,} bytes, more than any archive needs")
    stream.seek(max(end - size, 0))
    if stream.read(size).count(CENTRAL_SIGNATURE) > _MAX_MEMBERS:
        raise ArchiveError(f"it has more than {_MAX_MEMBERS:,} members")


def _check_end(stream: BinaryIO, archive: zipfile.ZipFile, members: int) -> int:
    """Check that the archive fills the file; return the offset of its central directory."""
    size = stream.seek(0, 2)
    end = size - END_RECORD.size - len(archive.comment)
    stream.seek(max(end, 0))
    tail = stream.read(END_RECORD.size)
    if not tail.startswith(END_SIGNATURE) or END_SIGNATURE in archive.comment:
        raise ArchiveError("bytes follow the archive")
    _, _, _, _, *plain, comment_size = END_RECORD.unpack(tail)
    if comment_size != len(archive.comment):
        raise ArchiveError("its comment is longer than the file")
    start = archive.start_dir
    numbers = _zip64_end(stream, end)
    if numbers is not None:
        # Some readers use Zip64 only if the plain record points to it: so both must agree.
        end -= _ZIP64_LOCATOR.size + _ZIP64_END.size
        limits = (MAX_16, MAX_32, MAX_32)
        if any(a not in (b, limit) for a, b, limit in zip(plain, numbers, limits, strict=True)):
            raise ArchiveError("its end records describe different directories")
    count, directory_size, offset = numbers or plain
    if count != members:
        raise ArchiveError(f"its end says {count} members, its directory lists {members}")
    if offset + directory_size != end or offset != start:
        raise ArchiveError("bytes lie before the archive, or between its directory and its end")
    return start


def _zip64_end(stream: BinaryIO, end: int) -> tuple[int, int, int] | None:
    """Return members, size and offset of the directory from the Zip64 records, if they exist."""
    locator_at = end - _ZIP64_LOCATOR.size
    record_at = locator_at - _ZIP64_END.size
    stream.seek(max(locator_at, 0))
    locator = stream.read(_ZIP64_LOCATOR.size)
    if not locator.startswith(_ZIP64_LOCATOR_SIGNATURE):
        return None
    stream.seek(max(record_at, 0))
    record = stream.read(_ZIP64_END.size)
    if (
        _ZIP64_LOCATOR.unpack(locator)[2] != record_at
        or len(record) < _ZIP64_END.size
        or not record.startswith(_ZIP64_END_SIGNATURE)
    ):
        raise ArchiveError("its Zip64 locator does not lead to a Zip64 end record")
    _, _, _, _, _, _, _, count, size, offset = _ZIP64_END.unpack(record)
    return count, size, offset


def _check_gap(stream: BinaryIO, position: int) -> NoReturn:
    # No tool leaves gaps in a wheel, and a gap could hide a member.
    stream.seek(position)
    if position == 0:
        raise ArchiveError("bytes lie before the archive")
    if stream.read(4) == LOCAL_SIGNATURE:
        raise ArchiveError("it has a member that its directory does not list")
    raise ArchiveError(f"the bytes at {position:,} belong to no member")


def _entry(stream: BinaryIO, info: zipfile.ZipInfo) -> ZipEntry:
    _check_readable(info)
    stream.seek(info.header_offset)
    header = stream.read(LOCAL_HEADER.size)
    if len(header) < LOCAL_HEADER.size or not header.startswith(LOCAL_SIGNATURE):
        raise ArchiveError("its local header is missing", info.orig_filename)
    _, _, flags, method, _, _, crc, compressed, size, name_size, extra_size = LOCAL_HEADER.unpack(
        header
    )
    name = stream.read(name_size)
    extra = stream.read(extra_size)
    for each in (extra, info.extra):
        if any(path[5:] != name for path in _extra_fields(info, each, UNICODE_PATH_EXTRA_ID)):
            raise ArchiveError("it has a different name for some readers", info.orig_filename)
    size, compressed = _zip64_sizes(info, extra, size, compressed)
    _check_zip64(info)
    _check_agreement(info, name, flags, method, (crc, compressed, size))
    return ZipEntry(
        name=info.orig_filename,
        method=method,
        header_offset=info.header_offset,
        data_offset=info.header_offset + LOCAL_HEADER.size + name_size + extra_size,
        compressed_size=info.compress_size,
        size=info.file_size,
        crc=info.CRC,
        mode=info.external_attr >> 16,
    )


def _check_readable(info: zipfile.ZipInfo) -> None:
    name, flags = info.orig_filename, info.flag_bits
    if flags & _ENCRYPTED:
        raise ArchiveError("it is encrypted", name)
    if flags & FLAG_PATCHED or info.compress_type not in (STORED, DEFLATED):
        raise ArchiveError(f"its compression method ({info.compress_type}) is unknown", name)
    if not flags & FLAG_UTF8 and not name.isascii():
        raise ArchiveError("its name is not ASCII, and not marked as UTF-8", name)
    if info.compress_type == STORED and info.compress_size != info.file_size:
        raise ArchiveError("it is stored, but its two sizes differ", name)


def _check_agreement(
    info: zipfile.ZipInfo, name: bytes, flags: int, method: int, facts: tuple[int, int, int]
) -> None:
    """Raise `ArchiveError` if a local header contradicts the directory.

    `facts` are the CRC, the compressed size and the size in the local header.
    """
    wrong = []
    if name != info.orig_filename.encode():
        wrong.append(f"name {name!r}")
    if method != info.compress_type:
        wrong.append(f"method {method}")
    if (flags ^ info.flag_bits) & (_ENCRYPTED | FLAG_DATA_DESCRIPTOR | FLAG_PATCHED):
        wrong.append(f"flags {flags:#x}")
    # With a data descriptor, the numbers come after the data and the header may hold zeros.
    streamed = flags & FLAG_DATA_DESCRIPTOR and not any(facts)
    if facts != (info.CRC, info.compress_size, info.file_size) and not streamed:
        wrong.append(f"CRC and sizes {facts}")
    if wrong:
        raise ArchiveError(
            f"its local header contradicts the directory: {', '.join(wrong)}", info.orig_filename
        )


def _zip64_sizes(
    info: zipfile.ZipInfo, extra: bytes, size: int, compressed: int
) -> tuple[int, int]:
    """Return size and compressed size, from the Zip64 field where a local header points to it.

    The field may repeat both where the header does not point to it; some writers do.
    """
    numbers = _zip64_numbers(info, extra)
    values = [size, compressed]
    places = [place for place, value in enumerate(values) if value == MAX_32]
    if len(numbers) == len(values):
        places = [0, 1]
    if len(numbers) not in (0, len(places)):
        raise _contradicts(info)
    for place, number in zip(places, numbers, strict=False):
        if values[place] not in (MAX_32, number):
            raise _contradicts(info)
        values[place] = number
    return values[0], values[1]


def _check_zip64(info: zipfile.ZipInfo) -> None:
    """Raise `ArchiveError` if the directory's Zip64 field has other numbers than it stands for."""
    wanted = iter((info.file_size, info.compress_size, info.header_offset))
    if not all(number in wanted for number in _zip64_numbers(info, info.extra)):
        raise _contradicts(info)


def _zip64_numbers(info: zipfile.ZipInfo, extra: bytes) -> list[int]:
    fields = list(_extra_fields(info, extra, ZIP64_EXTRA_ID))
    if len(fields) > 1 or any(len(field) % 8 for field in fields):
        raise _contradicts(info)
    return [number for field in fields for (number,) in struct.iter_unpack("<Q", field)]


def _contradicts(info: zipfile.ZipInfo) -> ArchiveError:
    return ArchiveError("its Zip64 field contradicts its header", info.orig_filename)


def _extra_fields(info: zipfile.ZipInfo, extra: bytes, wanted: int) -> Iterator[bytes]:
    """Yield the content of each extra field of one kind."""
    while len(extra) >= _EXTRA_HEADER.size:
        kind, length = _EXTRA_HEADER.unpack_from(extra)
        extra = extra[_EXTRA_HEADER.size :]
        if length > len(extra):
            raise ArchiveError("an extra field of its header is cut off", info.orig_filename)
        if kind == wanted:
            yield extra[:length]
        extra = extra[length:]


def _descriptor_size(stream: BinaryIO, entry: ZipEntry) -> int:
    """Check the data descriptor that follows a member; return its length in bytes."""
    stream.seek(entry.data_offset + entry.compressed_size)
    tail = stream.read(24)
    for layout in _descriptors(entry):
        if tail.startswith(layout):
            return len(layout)
    raise ArchiveError("its data descriptor contradicts the directory", entry.name)


def _descriptors(entry: ZipEntry) -> Iterable[bytes]:
    """Yield the forms a descriptor may have: with its signature or not, of 32 or 64 bits."""
    facts = (entry.crc, entry.compressed_size, entry.size)
    for form in ("<LQQ", "<LLL"):
        if form == "<LLL" and max(facts) > MAX_32:
            continue
        packed = struct.pack(form, *facts)
        yield DESCRIPTOR_SIGNATURE + packed
        yield packed
