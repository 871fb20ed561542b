"""Wheels written byte by byte, so that a test can make any single field hostile.

The zip structures follow PKWARE's APPNOTE 6.3: local file headers (4.3.7), data descriptors
(4.3.9), central directory headers (4.3.12), zip64 (4.3.14, 4.5.3) and the end record (4.3.16). The
standard library's `zipfile` isn't used to write: it refuses or repairs much of what is needed here.
"""

from __future__ import annotations

import base64
import bz2
import csv
import hashlib
import io
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from packaging.tags import parse_tag
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from pathlib import Path

STORED, DEFLATED, BZIP2 = 0, 8, 12
FLAG_ENCRYPTED, FLAG_DESCRIPTOR, FLAG_UTF8 = 0x1, 0x8, 0x800

REGULAR_FILE, EXECUTABLE_FILE, DIRECTORY = 0o100644, 0o100755, 0o040755
SYMLINK, CHARACTER_DEVICE, FIFO = 0o120777, 0o020666, 0o010644

_U32 = 0xFFFFFFFF
_DOS_DATE_1980 = 0x0021

Row = tuple[str, str, str]
"""One RECORD row: path, `algorithm=urlsafe-base64-without-padding`, size in bytes."""


@dataclass(frozen=True)
class Member:
    """One member of a zip, with an override for every field that a hostile writer could falsify.

    An unprefixed override (`crc`, `size`, `csize`) goes into both headers, a `local_…` or
    `central_…` one into that header alone. Text names outside ASCII set flag bit 11.
    """

    name: str | bytes
    data: bytes = b""
    method: int = DEFLATED
    _: KW_ONLY
    mode: int = REGULAR_FILE
    flags: int | None = None
    raw: bytes | None = None
    """The bytes stored in the file, in place of `data` compressed by `method`."""
    crc: int | None = None
    size: int | None = None
    csize: int | None = None
    recorded: tuple[str, int] | None = None
    """The hash and size that RECORD claims, where they aren't those of `data`."""

    local_name: bytes | None = None
    local_method: int | None = None
    local_crc: int | None = None
    local_sizes: tuple[int, int] | None = None
    """Compressed and uncompressed size in the local header."""
    local_extra: bytes = b""
    zip64: bool = False
    """Put both sizes in a zip64 extra field of the local header, as streaming writers do."""
    data_descriptor: Literal["signed", "unsigned"] | None = None
    """Set flag bit 3, leave zeros in the local header and write CRC and sizes after the data."""

    central_crc: int | None = None
    central_size: int | None = None
    central_csize: int | None = None
    central_extra: bytes = b""
    create_system: int = 3
    external_attr: int | None = None

    omit_local: bool = False
    """Leave the member's bytes out; `shares_local_with` or `inside` says where its entry points."""
    omit_central: bool = False
    """Leave it out of the central directory (and so out of RECORD)."""
    shares_local_with: int | None = None
    """Index of an earlier member whose local header this central entry points at."""
    inside: int | None = None
    """Index of an earlier member whose file data starts with this one's local header."""

    @property
    def raw_name(self) -> bytes:
        """The name as written in the central directory."""
        return self.name if isinstance(self.name, bytes) else self.name.encode()

    @property
    def path(self) -> str:
        """The name as RECORD lists it: decoded by flag bit 11, as readers do (APPNOTE D.1)."""
        if isinstance(self.name, str):
            return self.name
        if self.written_flags & FLAG_UTF8:
            return self.name.decode("utf-8", "surrogateescape")
        return self.name.decode("cp437")

    @property
    def written_flags(self) -> int:
        """The general purpose bit flag of both headers."""
        if self.flags is not None:
            return self.flags
        flags = FLAG_DESCRIPTOR if self.data_descriptor else 0
        return flags | (FLAG_UTF8 if isinstance(self.name, str) and not self.name.isascii() else 0)

    @cached_property
    def payload(self) -> bytes:
        """The file data as stored in the zip."""
        if self.raw is not None:
            return self.raw
        if self.method == DEFLATED:
            return deflated(self.data)
        return bz2.compress(self.data) if self.method == BZIP2 else self.data

    @cached_property
    def _common(self) -> tuple[int, int, int]:
        crc = zlib.crc32(self.data) if self.crc is None else self.crc
        csize = len(self.payload) if self.csize is None else self.csize
        return crc, csize, len(self.data) if self.size is None else self.size

    @property
    def _version_needed(self) -> int:
        return 45 if self.zip64 else 20

    def local_header(self) -> bytes:
        """The local file header, without the file data."""
        crc, csize, size = self._common
        if self.data_descriptor:
            crc = csize = size = 0
        crc = crc if self.local_crc is None else self.local_crc
        csize, size = self.local_sizes or (csize, size)
        extra = self.local_extra
        if self.zip64:
            # The local header's zip64 field carries both sizes, uncompressed first (4.5.3).
            extra += struct.pack("<HHQQ", 1, 16, size, csize)
            csize = size = _U32
        name = self.raw_name if self.local_name is None else self.local_name
        method = self.method if self.local_method is None else self.local_method
        flags, version = self.written_flags, self._version_needed
        head = struct.pack("<IHHHHH", 0x04034B50, version, flags, method, 0, _DOS_DATE_1980)
        sizes = struct.pack("<IIIHH", crc, csize, size, len(name), len(extra))
        return head + sizes + name + extra

    def descriptor(self) -> bytes:
        """The data descriptor, empty unless `data_descriptor` asks for one."""
        if not self.data_descriptor:
            return b""
        signature = struct.pack("<I", 0x08074B50) if self.data_descriptor == "signed" else b""
        return signature + struct.pack("<IQQ" if self.zip64 else "<III", *self._common)

    def local_record(self) -> bytes:
        """Local header, file data and data descriptor."""
        return self.local_header() + self.payload + self.descriptor()

    def central_header(self, offset: int) -> bytes:
        """The central directory header that points at the local header at `offset`."""
        crc, csize, size = self._common
        crc = crc if self.central_crc is None else self.central_crc
        csize = csize if self.central_csize is None else self.central_csize
        size = size if self.central_size is None else self.central_size
        attributes = self.mode << 16 | (0x10 if self.mode & 0o170000 == 0o040000 else 0)
        attributes = attributes if self.external_attr is None else self.external_attr
        name, extra = self.raw_name, self.central_extra
        flags, version = self.written_flags, self._version_needed
        made_by = self.create_system << 8 | version
        head = struct.pack("<IHHHH", 0x02014B50, made_by, version, flags, self.method)
        sizes = struct.pack("<HHIII", 0, _DOS_DATE_1980, crc, csize, size)
        rest = struct.pack("<HHHHHII", len(name), len(extra), 0, 0, 0, attributes, offset)
        return head + sizes + rest + name + extra


def deflated(data: bytes) -> bytes:
    """`data` as a raw deflate stream."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return compressor.compress(data) + compressor.flush()


@dataclass(frozen=True, kw_only=True)
class ZipLayout:
    """What surrounds the members of a zip, and what the end record claims about them."""

    prefix: bytes = b""
    suffix: bytes = b""
    comment: bytes = b""
    gap: bytes = b""
    """Bytes between the last member and the central directory."""
    offsets_count_prefix: bool = False
    """Whether offsets are from the file's first byte, or from the first member (`cat stub zip`)."""
    entry_count: int | None = None
    directory_offset: int | None = None
    directory_size: int | None = None


def zip_bytes(members: Sequence[Member], layout: ZipLayout | None = None) -> bytes:
    """The zip of `members` in their order, with a zip64 end record where the count needs it."""
    layout = layout or ZipLayout()
    base = len(layout.prefix) if layout.offsets_count_prefix else 0
    body, offsets = bytearray(), list[int]()
    for member in members:
        if member.shares_local_with is not None:
            offsets.append(offsets[member.shares_local_with])
        elif member.inside is not None:
            offsets.append(offsets[member.inside] + len(members[member.inside].local_header()))
        else:
            offsets.append(base + len(body))
        if not member.omit_local:
            body += member.local_record()
    body += layout.gap
    headers = [
        member.central_header(offset)
        for member, offset in zip(members, offsets, strict=True)
        if not member.omit_central
    ]
    directory = b"".join(headers)
    count = len(headers) if layout.entry_count is None else layout.entry_count
    size = len(directory) if layout.directory_size is None else layout.directory_size
    offset = base + len(body) if layout.directory_offset is None else layout.directory_offset
    end = b""
    if count >= 0xFFFF:
        end += struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, count, count, size, offset)
        end += struct.pack("<IIQI", 0x07064B50, 0, base + len(body) + len(directory), 1)
        count = 0xFFFF
    end += struct.pack("<IHHHHII", 0x06054B50, 0, 0, count, count, size, offset)
    end += struct.pack("<H", len(layout.comment)) + layout.comment
    return layout.prefix + bytes(body) + directory + end + layout.suffix


def record_hash(data: bytes, algorithm: str = "sha256") -> str:
    """`data`'s hash as RECORD writes it: `sha256=` and urlsafe base64 without padding."""
    return record_digest(hashlib.new(algorithm, data).digest(), algorithm)


def record_digest(digest: bytes, algorithm: str = "sha256") -> str:
    """A finished digest as RECORD writes it."""
    return f"{algorithm}={base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


RecordRule = Literal["right"] | Callable[[list[Row]], list[Row]] | bytes | None


@dataclass(frozen=True, kw_only=True, eq=False)
class WheelSpec:
    """A wheel to build; the defaults give a small valid one.

    `record` is `"right"`, a function from the right rows to those to write, the file's bytes, or
    `None` for a wheel without RECORD. `edit` changes the finished list of members, after RECORD.
    """

    name: str
    version: str = "1.0"
    tag: str = "py3-none-any"
    build_tag: str = ""
    files: Mapping[str, bytes | Member] | None = None
    """Content by path; a `Member` is written as it is. Default: one importable package."""
    requires_dist: Sequence[str] = ()
    requires_python: str | None = None
    extra_metadata: str = ""
    """More METADATA header lines, such as `Provides-Extra: cli`."""
    root_is_purelib: bool = True
    entry_points: str | None = None
    wheel_version: str = "1.0"
    dist_info_files: Mapping[str, bytes | None] = field(default_factory=dict)
    """Files in the dist-info folder to add, to replace, or (with `None`) to leave out."""
    hash_algorithm: str = "sha256"
    record: RecordRule = "right"
    edit: Callable[[list[Member]], list[Member]] | None = None
    layout: ZipLayout = field(default_factory=ZipLayout)

    @property
    def module(self) -> str:
        """The importable name, which is also the filename's normalised name."""
        return canonicalize_name(self.name).replace("-", "_")

    @property
    def filename(self) -> str:
        """The wheel's filename (PEP 427)."""
        build = f"-{self.build_tag}" if self.build_tag else ""
        return f"{self.module}-{self.version}{build}-{self.tag}.whl"

    @property
    def dist_info(self) -> str:
        """The name of the dist-info folder."""
        return f"{self.module}-{self.version}.dist-info"

    @property
    def metadata(self) -> bytes:
        """The METADATA file, also what an index serves under PEP 658."""
        lines = ["Metadata-Version: 2.1", f"Name: {self.name}", f"Version: {self.version}"]
        if self.requires_python is not None:
            lines.append(f"Requires-Python: {self.requires_python}")
        lines += [f"Requires-Dist: {requirement}" for requirement in self.requires_dist]
        return ("\n".join(lines) + "\n" + self.extra_metadata).encode()

    @property
    def wheel_file(self) -> bytes:
        """The WHEEL file, with a compressed tag set written out one tag a line."""
        tags = sorted(str(tag) for tag in parse_tag(self.tag))
        lines = [
            f"Wheel-Version: {self.wheel_version}",
            "Generator: tests",
            f"Root-Is-Purelib: {str(self.root_is_purelib).lower()}",
            *(f"Tag: {tag}" for tag in tags),
        ]
        return ("\n".join(lines) + "\n").encode()

    @cached_property
    def members(self) -> list[Member]:
        """All members in archive order, the dist-info folder last as PEP 427 recommends."""
        files = self.files
        if files is None:
            files = {f"{self.module}/__init__.py": f'__version__ = "{self.version}"\n'.encode()}
        members = [c if isinstance(c, Member) else Member(path, c) for path, c in files.items()]
        info: dict[str, bytes | None] = {"METADATA": self.metadata, "WHEEL": self.wheel_file}
        if self.entry_points is not None:
            info["entry_points.txt"] = self.entry_points.encode()
        for name, content in (info | dict(self.dist_info_files)).items():
            if content is not None:
                members.append(Member(f"{self.dist_info}/{name}", content))
        if (record := self._record(members)) is not None:
            members.append(Member(f"{self.dist_info}/RECORD", record))
        return self.edit(members) if self.edit else members

    def _record(self, members: Sequence[Member]) -> bytes | None:
        if self.record is None or isinstance(self.record, bytes):
            return self.record
        # A path that two members bear gets one row, for the last of them, which installers keep.
        by_path = {m.path: self._row(m) for m in members if self._is_listed(m)}
        # PEP 427: RECORD lists itself without a hash, and its signatures aren't listed at all.
        rows = [*by_path.values(), (f"{self.dist_info}/RECORD", "", "")]
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(
            rows if self.record == "right" else self.record(rows)
        )
        return text.getvalue().encode("utf-8", "surrogateescape")

    def _row(self, member: Member) -> Row:
        digest, size = member.recorded or (
            record_hash(member.data, self.hash_algorithm),
            len(member.data),
        )
        return member.path, digest, str(size)

    def _is_listed(self, member: Member) -> bool:
        signatures = (f"{self.dist_info}/RECORD.jws", f"{self.dist_info}/RECORD.p7s")
        return not (member.omit_central or member.path.endswith("/") or member.path in signatures)

    @cached_property
    def data(self) -> bytes:
        """The wheel's bytes; the same on every call and every machine."""
        return zip_bytes(self.members, self.layout)

    def build(self) -> bytes:
        """The wheel's bytes."""
        return self.data

    @property
    def sha256(self) -> str:
        """The wheel's SHA-256 in hex."""
        return hashlib.sha256(self.data).hexdigest()

    def write(self, directory: Path) -> Path:
        """Writes the wheel into `directory` and returns its path."""
        path = directory / self.filename
        path.write_bytes(self.data)
        return path

    def with_files(self, *members: Member) -> WheelSpec:
        """The same wheel with `members` beside its package, listed in RECORD as they are."""
        files = {m.path: m for m in self.members if not m.path.startswith(f"{self.dist_info}/")}
        # Keys only keep entries apart: two members may bear one path.
        extra = {f"{number} {m.path}": m for number, m in enumerate(members)}
        return replace(self, files={**files, **extra})
