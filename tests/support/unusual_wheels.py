"""Wheels that look odd and are valid: a reader that refuses one of them is too strict."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.support.wheel_factory import (
    DIRECTORY,
    EXECUTABLE_FILE,
    STORED,
    Member,
    Row,
    WheelSpec,
    ZipLayout,
    record_hash,
)

if TYPE_CHECKING:
    from collections.abc import Callable

UNUSUAL: dict[str, Callable[[], WheelSpec]] = {}
"""Every unusual wheel by what is unusual about it."""

_BASE = WheelSpec(name="demo")
_CODE = b"VALUE = 1\n"


def _unusual(wheel: Callable[[], WheelSpec]) -> Callable[[], WheelSpec]:
    UNUSUAL[wheel.__name__.replace("_", "-")] = wheel
    return wheel


def _every_member(change: Callable[[Member], Member]) -> WheelSpec:
    return replace(_BASE, edit=lambda members: [change(member) for member in members])


@_unusual
def data_descriptor_signed() -> WheelSpec:
    """Sizes after the data, with the signature that most writers put first (APPNOTE 4.3.9.3)."""
    return _every_member(lambda member: replace(member, data_descriptor="signed"))


@_unusual
def data_descriptor_unsigned() -> WheelSpec:
    """Sizes after the data without a signature, which APPNOTE 4.3.9.3 tells readers to accept."""
    return _every_member(lambda member: replace(member, data_descriptor="unsigned"))


@_unusual
def zip64_extra() -> WheelSpec:
    """zip64 sizes in local headers of small members, as writers who don't know the size make."""
    return _every_member(lambda member: replace(member, zip64=True))


@_unusual
def zip64_data_descriptor() -> WheelSpec:
    """A streaming zip64 writer's: eight-byte sizes in the descriptor (APPNOTE 4.3.9.2)."""
    return _every_member(lambda member: replace(member, zip64=True, data_descriptor="signed"))


@_unusual
def directory_entries() -> WheelSpec:
    """Members for folders, which RECORD doesn't list."""
    folders = ("demo/", "demo/sub/", "demo-1.0.dist-info/")
    entries = [Member(name, b"", STORED, mode=DIRECTORY) for name in folders]
    return replace(_BASE, edit=lambda members: [*entries, *members])


@_unusual
def stored_members() -> WheelSpec:
    """No compression at all."""
    return _every_member(lambda member: replace(member, method=STORED))


@_unusual
def utf8_names() -> WheelSpec:
    """Names outside ASCII with flag bit 11, one of them in normal form D."""
    names = ("demo/caf\u00e9.txt", "demo/cafe\u0301s.txt", "demo/\u65e5\u672c\u8a9e.txt")
    return _BASE.with_files(*(Member(name, name.encode()) for name in names))


@_unusual
def utf8_flag_on_ascii_names() -> WheelSpec:
    """Flag bit 11 on every member, as Java's and Rust's writers set it."""
    return _every_member(lambda member: replace(member, flags=0x800))


@_unusual
def zip_comment() -> WheelSpec:
    """A zip comment, which the end record's length covers."""
    return replace(_BASE, layout=ZipLayout(comment=b"made by a build farm"))


@_unusual
def record_sha512() -> WheelSpec:
    """PEP 427: "sha256 or better"."""
    return replace(_BASE, hash_algorithm="sha512")


@_unusual
def record_without_sizes() -> WheelSpec:
    """Rows without a size, which the recording specification makes optional."""
    return replace(_BASE, record=lambda rows: [(path, digest, "") for path, digest, _ in rows])


@_unusual
def record_standard_base64() -> WheelSpec:
    """Hashes in the standard alphabet of base64, with padding, instead of the one for URLs."""
    # Of 40 files, some have `-` or `_` in their hash.
    files = {f"demo/m{number}.py": b"#" * number for number in range(40)}

    def standard(rows: list[Row]) -> list[Row]:
        return [
            (path, digest and digest.replace("-", "+").replace("_", "/") + "=", size)
            for path, digest, size in rows
        ]

    return replace(_BASE, files=files, record=standard)


@_unusual
def record_repeats_in_two_alphabets() -> WheelSpec:
    """Each row twice, with the same hash in both alphabets of base64."""

    def repeated(rows: list[Row]) -> list[Row]:
        again = [
            (path, digest and digest.replace("-", "+").replace("_", "/") + "=", size)
            for path, digest, size in rows
        ]
        return [*rows, *again]

    return replace(_BASE, record=repeated)


@_unusual
def record_crlf_and_quotes() -> WheelSpec:
    """CSV as Python's default dialect ends its lines, with a path that needs quotes."""
    files = {"demo/__init__.py": b"", "demo/a,b.txt": b"comma"}
    spec = replace(_BASE, files=files)
    record = next(member.data for member in spec.members if member.path.endswith("/RECORD"))
    return replace(spec, record=record.replace(b"\n", b"\r\n"))


@_unusual
def record_dot_paths() -> WheelSpec:
    """Paths as `find` lists them, and one with a `.` within."""

    def dotted(rows: list[Row]) -> list[Row]:
        return [(f"./{path.replace('/', '/./')}", digest, size) for path, digest, size in rows]

    return replace(_BASE, record=dotted)


@_unusual
def record_backslashes() -> WheelSpec:
    """Paths as Windows has them."""
    return replace(
        _BASE, record=lambda rows: [(row[0].replace("/", "\\"), *row[1:]) for row in rows]
    )


@_unusual
def record_byte_order_mark() -> WheelSpec:
    """UTF-8 as some programs of Windows write it."""
    (record,) = [member.data for member in _BASE.members if member.path.endswith("/RECORD")]
    return replace(_BASE, record=b"\xef\xbb\xbf" + record)


@_unusual
def record_lists_missing_pyc() -> WheelSpec:
    """Bytecode that was there when RECORD was made, and was left out of the wheel."""
    pyc = ("demo/__pycache__/__init__.cpython-313.pyc", record_hash(_CODE), "10")
    return replace(_BASE, record=lambda rows: [pyc, *rows])


@_unusual
def metadata_names_twice() -> WheelSpec:
    """Name and version twice in METADATA: the first ones count."""
    return replace(_BASE, extra_metadata="Name: other\nVersion: 2.0\n")


@_unusual
def zip64_extra_repeats() -> WheelSpec:
    """A zip64 field that repeats the sizes of a local header which needs none."""

    def repeating(member: Member) -> Member:
        sizes = struct.pack("<HHQQ", 1, 16, len(member.data), len(member.payload))
        return replace(member, local_extra=sizes)

    return _every_member(repeating)


@_unusual
def record_jws() -> WheelSpec:
    """A signature beside RECORD, which RECORD must not list (PEP 427)."""
    return replace(_BASE, dist_info_files={"RECORD.jws": b"{}\n", "RECORD.p7s": b"p7s"})


@_unusual
def record_first() -> WheelSpec:
    """The dist-info folder before the package; PEP 427 only recommends to have it last."""
    return replace(_BASE, edit=lambda members: members[::-1])


@_unusual
def made_on_windows() -> WheelSpec:
    """`create_system` 0 (MS-DOS), whose external attributes hold no Unix mode."""
    return _every_member(lambda member: replace(member, create_system=0, external_attr=0x20))


@_unusual
def mode_without_file_type() -> WheelSpec:
    """Permission bits alone, as writers leave them that don't set `S_IFREG`."""
    return _every_member(lambda member: replace(member, mode=0o644))


@_unusual
def mode_zero() -> WheelSpec:
    """No external attributes at all from a Unix writer."""
    return _every_member(lambda member: replace(member, external_attr=0))


@_unusual
def executable_members() -> WheelSpec:
    """A program within the package, whose executable bit an installer should keep."""
    return _BASE.with_files(Member("demo/tool.sh", b"#!/bin/sh\n", mode=EXECUTABLE_FILE))


@_unusual
def timestamp_extra_fields() -> WheelSpec:
    """Info-ZIP's extended timestamps (0x5455) and ids (0x7875), longer in the local header."""
    local = struct.pack("<HHBII", 0x5455, 9, 3, 0, 0) + struct.pack(
        "<HHBBIBI", 0x7875, 11, 1, 4, 0, 4, 0
    )
    central = struct.pack("<HHBI", 0x5455, 5, 3, 0) + local[13:]
    return _every_member(lambda m: replace(m, local_extra=local, central_extra=central))


@_unusual
def empty_files() -> WheelSpec:
    """Empty members, deflated and stored; `py.typed` is usually one."""
    return _BASE.with_files(
        Member("demo/py.typed", b""), Member("demo/sub/__init__.py", b"", STORED)
    )


@_unusual
def compressed_tag_set() -> WheelSpec:
    """A filename of several tags, a build tag, and one line a tag in WHEEL (PEP 425)."""
    return replace(_BASE, tag="py2.py3-none-any", build_tag="7")


@_unusual
def newer_minor_wheel_version() -> WheelSpec:
    """PEP 427: a greater minor Wheel-Version deserves a warning, not a failure."""
    return replace(_BASE, wheel_version="1.9")


@_unusual
def data_folders() -> WheelSpec:
    """All five folders of `.data`; purelib and platlib land beside the package (PEP 427)."""
    data = "demo-1.0.data"
    return _BASE.with_files(
        Member(f"{data}/purelib/demo_pure.py", _CODE),
        Member(f"{data}/platlib/demo_plat.py", _CODE),
        Member(f"{data}/scripts/demo-tool", b"#!python\nprint(1)\n", mode=EXECUTABLE_FILE),
        Member(f"{data}/headers/demo.h", b"#pragma once\n"),
        Member(f"{data}/data/share/demo/table.csv", b"1,2\n"),
    )


@_unusual
def deflate_of_random_bytes() -> WheelSpec:
    """A deflated member that is larger than its content."""
    noise = b"".join(record_hash(str(n).encode()).encode()[7:] for n in range(50))
    return _BASE.with_files(Member("demo/noise.bin", bytes(noise[::3])))
