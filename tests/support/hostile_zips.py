"""Wheels with exactly one thing broken in the zip, each beside what an error about it must say.

Every one is a valid wheel but for its fault: RECORD lists the hostile member with its true hash and
size, so that a reader can't refuse it for another reason.
"""

from __future__ import annotations

import hashlib
import stat
import struct
import unicodedata
import zlib
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, replace
from typing import Literal

from tests.support.wheel_factory import (
    BZIP2,
    CHARACTER_DEVICE,
    FIFO,
    FLAG_ENCRYPTED,
    FLAG_UTF8,
    STORED,
    SYMLINK,
    Member,
    WheelSpec,
    ZipLayout,
    deflated,
    record_digest,
    record_hash,
    zip_bytes,
)

MIB = 1024 * 1024
BOMB_SIZE = 1024 * MIB
"""More than four times the 250 MB that a Lambda function and its layers may have unzipped."""

BASE = WheelSpec(name="demo")
MODULE, CODE = "demo/module.py", b"VALUE = 1\n"


@dataclass(frozen=True)
class HostileWheel:
    """A hostile wheel, and what the error about it must mention."""

    filename: str
    data: bytes
    _: KW_ONLY
    member: str = ""
    """Text of the member's name that survives quoting and escaping; empty: no one member."""
    keywords: tuple[str, ...] = ()
    """Words for the reason; one of them is enough, in any case."""

    @property
    def sha256(self) -> str:
        """The wheel's SHA-256 in hex."""
        return hashlib.sha256(self.data).hexdigest()

    def missing_from(self, message: str) -> list[str]:
        """What `message` doesn't say; empty when it names wheel, member and reason."""
        missing = []
        if self.filename not in message:
            missing.append(f"the wheel: {self.filename}")
        if self.member not in message:
            missing.append(f"the member: {self.member}")
        # The filename's own words must not count as a reason.
        reason = message.replace(self.filename, "").lower()
        if not any(word.lower() in reason for word in self.keywords):
            missing.append(f"the reason, one of: {', '.join(self.keywords)}")
        return missing


Fault = Callable[[], WheelSpec | bytes]
Catalogue = dict[str, Callable[[], HostileWheel]]

HOSTILE_ZIPS: Catalogue = {}


def hostile(catalogue: Catalogue, *keywords: str, member: str = "") -> Callable[[Fault], Fault]:
    """Registers a fault in `catalogue`, under its function's name with hyphens."""

    def register(fault: Fault) -> Fault:
        def build() -> HostileWheel:
            wheel = fault()
            if isinstance(wheel, WheelSpec):
                return HostileWheel(wheel.filename, wheel.data, member=member, keywords=keywords)
            return HostileWheel(BASE.filename, wheel, member=member, keywords=keywords)

        catalogue[fault.__name__.replace("_", "-")] = build
        return fault

    return register


def hostile_members(
    catalogue: Catalogue, *keywords: str, member: str = "evil", **faults: Member
) -> None:
    """Registers one wheel for each of `faults`: the member beside an otherwise valid package."""
    for name, broken in faults.items():

        def fault(broken: Member = broken) -> WheelSpec:
            return BASE.with_files(broken)

        fault.__name__ = name
        hostile(catalogue, *keywords, member=member)(fault)


# Names that land outside the folder, or that land elsewhere on another system.
hostile_members(
    HOSTILE_ZIPS,
    *("outside", "parent", "..", "escape", "travers"),
    member="evil.py",
    parent_traversal=Member("../evil.py", CODE),
    parent_traversal_inside=Member("demo/../../evil.py", CODE),
    parent_traversal_staying_inside=Member("demo/folder/../evil.py", CODE),
    parent_traversal_in_data=Member("demo-1.0.data/purelib/../../../evil.py", CODE),
)
hostile_members(
    HOSTILE_ZIPS,
    *("absolute", "outside", "drive", "colon", "unc", "empty", "backslash"),
    member="evil.py",
    absolute_path=Member("/evil.py", CODE),
    drive_path=Member("C:/evil.py", CODE),
    drive_relative_path=Member("C:evil.py", CODE),
    unc_path=Member("//server/share/evil.py", CODE),
    unc_path_backslashes=Member("\\\\server\\share\\evil.py", CODE),
    backslash=Member("demo\\evil.py", CODE),
)
hostile_members(
    HOSTILE_ZIPS,
    *("control", "nul"),
    nul_in_name=Member("demo/evil.py\0.txt", CODE),
    newline_in_name=Member("demo/evil\n.py", CODE),
    escape_in_name=Member("demo/evil\x1b[31m.py", CODE),
    delete_in_name=Member("demo/evil\x7f.py", CODE),
    c1_control_in_name=Member("demo/evil\x9b.py", CODE),
)
# What shows one name and is another.
hostile_members(
    HOSTILE_ZIPS,
    "seen",
    bidirectional_in_name=Member("demo/evil\u202etxt.py", CODE),
    zero_width_in_name=Member("demo/evil\u200b.py", CODE),
    tag_in_name=Member("demo/evil\U000e0041.py", CODE),
    private_in_name=Member("demo/evil\ue000.py", CODE),
)
hostile_members(
    HOSTILE_ZIPS,
    *("normal", "segment", "component", "empty", "dot", "'.'", "`.`", "//"),
    member="evil.py",
    dot_segment=Member("demo/./evil.py", CODE),
    empty_segment=Member("demo//evil.py", CODE),
)
hostile_members(
    HOSTILE_ZIPS, "empty", "no name", "without a name", member="", empty_name=Member("", CODE)
)
# PEP 427: names in the archive are UTF-8. Without flag bit 11 they are CP437 (APPNOTE D.1), and the
# RECORD of these wheels lists them so.
hostile_members(
    HOSTILE_ZIPS,
    *("utf-8", "utf8", "encod", "decod", "bit 11"),
    latin1_name_without_utf8_flag=Member(b"demo/evil\xe9.py", CODE),
    utf8_name_without_utf8_flag=Member("demo/evil\u00e9.py".encode(), CODE),
)
hostile_members(
    HOSTILE_ZIPS,
    *("utf-8", "utf8", "encod", "decod"),
    member="",  # There is no text for this name that an error could show.
    invalid_utf8_with_utf8_flag=Member(b"demo/evil\xe9.py", CODE, flags=FLAG_UTF8),
)
# Linux: a file's name has at most 255 bytes, a path at most 4,096.
hostile_members(
    HOSTILE_ZIPS,
    *("long", "length"),
    member="nnnn",
    long_name=Member(f"demo/{'n' * 300}.py", CODE),
    long_path=Member("demo/" + "nnnnnnnn/" * 500 + "module.py", CODE),
)
# The type is in the Unix mode, the upper half of the external attributes.
hostile_members(
    HOSTILE_ZIPS,
    *("link", "regular file", "device", "fifo", "socket", "special", "type"),
    symlink=Member("demo/evil", b"/etc/passwd", STORED, mode=SYMLINK),
    device=Member("demo/evil", b"", STORED, mode=CHARACTER_DEVICE),
    fifo=Member("demo/evil", b"", STORED, mode=FIFO),
    socket=Member("demo/evil", b"", STORED, mode=stat.S_IFSOCK | 0o644),
)
# A streaming reader and a reader of the central directory see two different wheels.
hostile_members(
    HOSTILE_ZIPS,
    *("local header", "central directory", "differ", "disagree", "unlike"),
    member=MODULE,
    local_name_differs=Member(MODULE, CODE, local_name=b"demo/other.py"),
    local_method_differs=Member(MODULE, CODE, local_method=STORED),
    local_crc_differs=Member(MODULE, CODE, local_crc=1),
    local_sizes_differ=Member(MODULE, CODE, local_sizes=(3, 4)),
    central_crc_differs=Member(MODULE, CODE, central_crc=1),
    central_size_differs=Member(MODULE, CODE, central_size=4),
)
_ZIP64_OTHER = struct.pack("<HHQQ", 1, 16, 99, 99)
hostile_members(
    HOSTILE_ZIPS,
    "zip64",
    member=MODULE,
    zip64_contradicts_local_header=Member(MODULE, CODE, local_extra=_ZIP64_OTHER),
    zip64_contradicts_directory=Member(MODULE, CODE, central_extra=_ZIP64_OTHER),
    zip64_twice=Member(MODULE, CODE, local_extra=struct.pack("<HHHH", 1, 0, 1, 0)),
    zip64_of_half_a_number=Member(MODULE, CODE, local_extra=struct.pack("<HHL", 1, 4, 99)),
)
hostile_members(
    HOSTILE_ZIPS,
    "cut off",
    member=MODULE,
    extra_field_cut_off=Member(MODULE, CODE, local_extra=b"\x55\x55\x10\x00\x01"),
)
hostile_members(HOSTILE_ZIPS, "crc", "checksum", member=MODULE, bad_crc=Member(MODULE, CODE, crc=1))
hostile_members(
    HOSTILE_ZIPS,
    *("deflate", "decompress", "inflate", "corrupt", "broken", "truncated", "trailing", "stream"),
    member=MODULE,
    # Block type 3 doesn't exist (RFC 1951, 3.2.3).
    broken_deflate=Member(MODULE, CODE, raw=b"\x07" + bytes(9)),
    deflate_ends_early=Member(MODULE, CODE, raw=deflated(CODE)[:-4]),
    bytes_after_deflate_stream=Member(MODULE, CODE, raw=deflated(CODE) + b"hidden"),
)
hostile_members(
    HOSTILE_ZIPS, "encrypt", member=MODULE, encrypted=Member(MODULE, CODE, flags=FLAG_ENCRYPTED)
)
hostile_members(
    HOSTILE_ZIPS,
    *("method", "compression"),
    member=MODULE,
    bzip2=Member(MODULE, CODE, BZIP2),
    unknown_method=Member(MODULE, CODE, 99),
)
hostile_members(
    HOSTILE_ZIPS,
    *("size", "bytes", "larger", "smaller", "longer", "shorter", "more", "fewer"),
    member=MODULE,
    # RECORD and CRC speak of the claimed four bytes: who reads no further finds nothing wrong.
    size_too_small=Member(
        MODULE, CODE, size=4, crc=zlib.crc32(CODE[:4]), recorded=(record_hash(CODE[:4]), 4)
    ),
    size_too_large=Member(MODULE, CODE, size=99),
)

_CLASH = ("collide", "clash", "collision", "differ only", "same", "duplicate", "twice")


@hostile(HOSTILE_ZIPS, *_CLASH, member="demo/__init__.py")
def duplicate_member() -> WheelSpec:
    """Two members of one name: readers disagree on which of them counts."""
    return replace(BASE, edit=lambda members: [Member("demo/__init__.py", b"evil\n"), *members])


@hostile(HOSTILE_ZIPS, *_CLASH, "case", member="demo/")
def case_collision() -> WheelSpec:
    """Two names that are one file where names are compared without case."""
    return BASE.with_files(Member("demo/Data.txt", b"one"), Member("demo/data.txt", b"two"))


@hostile(HOSTILE_ZIPS, *_CLASH, "unicode", "normal", member="demo/")
def unicode_collision() -> WheelSpec:
    """One name in normal forms C and D, which some file systems take for one file."""
    names = [unicodedata.normalize(form, "demo/caf\u00e9.txt") for form in ("NFC", "NFD")]
    return BASE.with_files(*(Member(name, name.encode()) for name in names))


@hostile(HOSTILE_ZIPS, *_CLASH, "folder", "directory", "below", member="demo/thing")
def file_is_also_folder() -> WheelSpec:
    """A file whose path is another member's folder."""
    return BASE.with_files(Member("demo/thing", b"file"), Member("demo/thing/inner.py", CODE))


_BEFORE = ("before", "prepended", "leading", "start")
_AFTER = ("after", "trailing", "appended", "follow")


@hostile(HOSTILE_ZIPS, *_BEFORE)
def bytes_before() -> WheelSpec:
    """A stub before the zip, offsets counted from the first member, as `cat stub zip` leaves it."""
    return replace(BASE, layout=ZipLayout(prefix=b"#!/bin/sh\n"))


@hostile(HOSTILE_ZIPS, *_BEFORE)
def bytes_before_counted() -> WheelSpec:
    """A stub before the zip with all offsets right, as self-extracting archives have."""
    return replace(BASE, layout=ZipLayout(prefix=b"#!/bin/sh\n", offsets_count_prefix=True))


@hostile(HOSTILE_ZIPS, *_AFTER)
def bytes_after() -> WheelSpec:
    """Bytes after the end record that no comment length covers."""
    return replace(BASE, layout=ZipLayout(suffix=b"\nhidden"))


@hostile(HOSTILE_ZIPS, *_BEFORE, *_AFTER, "more than one", "two")
def second_zip_after() -> bytes:
    """Two whole zips in one file."""
    return BASE.data + replace(BASE, files={"evil.py": CODE}).data


@hostile(HOSTILE_ZIPS, "comment")
def comment_longer_than_file() -> bytes:
    """An end record whose comment goes on behind the end of the file."""
    return BASE.data[:-2] + b"\x32\0"


_GAP = ("between", "gap", "unaccounted", "hidden", "not list", "belong", "central directory")


@hostile(HOSTILE_ZIPS, *_GAP)
def gap_before_directory() -> WheelSpec:
    """Bytes between the last member and the central directory that no header accounts for."""
    return replace(BASE, layout=ZipLayout(gap=b"hidden bytes"))


@hostile(HOSTILE_ZIPS, *_GAP)
def local_entry_not_in_directory() -> WheelSpec:
    """A local entry that the central directory doesn't list: only streaming readers see it."""
    return BASE.with_files(Member("demo/evil.py", CODE, omit_central=True))


@hostile(HOSTILE_ZIPS, "overlap", "share", "differ", "local header", member="demo/")
def shared_local_header() -> WheelSpec:
    """Two central directory entries that point at one local header."""
    copy = Member("demo/copy.py", CODE, omit_local=True, shares_local_with=0)
    return replace(BASE, files={MODULE: Member(MODULE, CODE), "copy": copy})


@hostile(HOSTILE_ZIPS, "overlap", member="demo/")
def overlapping_members() -> WheelSpec:
    """A member whose local header and data lie within another member's data."""
    inner = Member("demo/inner.py", CODE, omit_local=True, inside=0)
    outer = Member("demo/outer.bin", inner.local_record(), STORED)
    return replace(BASE, files={"outer": outer, "inner": inner})


@hostile(HOSTILE_ZIPS, "count", "entries", "members", "central directory", "end record")
def entry_count_too_small() -> WheelSpec:
    """An end record that counts fewer entries than the central directory has."""
    return replace(BASE, layout=ZipLayout(entry_count=2))


@hostile(HOSTILE_ZIPS, *_BEFORE, "central directory", "offset", "not a zip")
def directory_offset_beyond_file() -> WheelSpec:
    """An end record that puts the central directory beyond the end of the file."""
    return replace(BASE, layout=ZipLayout(directory_offset=1 << 30))


_NO_ZIP = ("not a zip", "truncated", "end of central directory", "end record", "incomplete")


@hostile(HOSTILE_ZIPS, *_NO_ZIP)
def truncated() -> bytes:
    """A wheel that lost its last forty bytes, the end record among them."""
    return BASE.data[:-40]


@hostile(HOSTILE_ZIPS, *_NO_ZIP, "empty")
def empty_file() -> bytes:
    """A wheel of no bytes."""
    return b""


@hostile(HOSTILE_ZIPS, *_NO_ZIP)
def not_a_zip() -> bytes:
    """An error page saved under a wheel's name."""
    return b"<!DOCTYPE html><title>502 Bad Gateway</title>\n" * 20


@hostile(HOSTILE_ZIPS, "entries", "members", "65,534", "65534")
def too_many_entries() -> WheelSpec:
    """65,540 members, which only a zip64 end record can count."""
    return BASE.with_files(*(Member(f"demo/{n}", b"", STORED) for n in range(65_540 - 4)))


def repeated(
    piece: bytes, count: int, name: str, *, descriptor: Literal["signed"] | None = None
) -> Member:
    """A member of `count` times `piece` with true CRC, sizes and hash, never held as a whole.

    A full flush ends on a whole byte and forgets what came before it, so the compressed piece can
    itself be repeated.
    """
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = compressor.compress(piece) + compressor.flush(zlib.Z_FULL_FLUSH)
    crc, digest, size = 0, hashlib.sha256(), len(piece) * count
    for _ in range(count):
        crc = zlib.crc32(piece, crc)
        digest.update(piece)
    recorded = (record_digest(digest.digest()), size)
    raw = packed * count + deflated(b"")
    return Member(name, raw=raw, crc=crc, size=size, recorded=recorded, data_descriptor=descriptor)


_BOMB = ("larger", "limit", "budget", "ratio", "bomb", "too much", "too large", "exceed", "250")
_ZEROS = "demo/zeros.bin"


@hostile(HOSTILE_ZIPS, *_BOMB)
def zip_bomb() -> WheelSpec:
    """One member of 1 GiB in 1 MB, with honest headers."""
    return BASE.with_files(repeated(bytes(MIB), BOMB_SIZE // MIB, _ZEROS))


@hostile(HOSTILE_ZIPS, *_BOMB, "size", "more", member=_ZEROS)
def zip_bomb_lying() -> WheelSpec:
    """One member of 1 GiB whose headers and RECORD speak of its first 1,000 bytes only."""
    zeros, claimed = repeated(bytes(MIB), BOMB_SIZE // MIB, _ZEROS), bytes(1000)
    record = (record_hash(claimed), 1000)
    return BASE.with_files(replace(zeros, crc=zlib.crc32(claimed), size=1000, recorded=record))


@hostile(HOSTILE_ZIPS, *_BOMB)
def zip_bomb_descriptor() -> WheelSpec:
    """The honest bomb as a streaming writer makes it: its local header doesn't tell the sizes."""
    return BASE.with_files(repeated(bytes(MIB), BOMB_SIZE // MIB, _ZEROS, descriptor="signed"))


@hostile(HOSTILE_ZIPS, *_BOMB)
def zip_bomb_many_members() -> WheelSpec:
    """1,024 members of 1 MiB each: none of them large, only their sum."""
    zeros = repeated(bytes(MIB), 1, "")
    return BASE.with_files(*(replace(zeros, name=f"demo/zeros{n}.bin") for n in range(1024)))


@hostile(HOSTILE_ZIPS, *_BOMB)
def zip_bomb_nested() -> WheelSpec:
    """A member of 1 GiB of zips, each of which inflates to a thousand times its own size."""
    inner = zip_bytes([repeated(bytes(MIB), 64, "zeros.bin")])
    return BASE.with_files(repeated(inner, BOMB_SIZE // len(inner) + 1, "demo/nested.zip"))
