"""The directory of a zip is believed only where all records of the archive say the same."""

from __future__ import annotations

import hashlib
import io
import random
import struct
import zipfile
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer._internal.zip_reader import ArchiveError, ZipEntry, read_directory
from hatch_lambda_layer.exceptions import WheelError
from hatch_lambda_layer.wheels.verify import verify_wheel
from hatch_lambda_layer.wheels.wheel import Wheel, read_member
from tests.support.hostile_zips import HOSTILE_ZIPS
from tests.support.unusual_wheels import UNUSUAL
from tests.support.wheel_factory import (
    DIRECTORY,
    EXECUTABLE_FILE,
    FLAG_DESCRIPTOR,
    STORED,
    Member,
    WheelSpec,
    ZipLayout,
    zip_bytes,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

MEMBERS = (
    Member("demo/__init__.py", b"VALUE = 1\n"),
    Member("demo/data.bin", bytes(300), STORED, mode=EXECUTABLE_FILE),
)
HIDDEN = Member("demo/hidden.py", b"evil")
BASE = WheelSpec(name="demo")


def directory(data: bytes) -> list[ZipEntry]:
    return read_directory(io.BytesIO(data))


def refusal(data: bytes) -> ArchiveError:
    with pytest.raises(ArchiveError) as caught:
        directory(data)
    return caught.value


def zip64(
    members: Sequence[Member],
    *,
    seen_by_others: Sequence[Member] = (),
    between: bytes = b"",
    counted: int | None = None,
) -> bytes:
    """Give a zip with a Zip64 end record, whose plain end record may point at another directory.

    Readers that look for Zip64 only where the plain record says so see `seen_by_others`.
    """
    body, offsets = bytearray(), list[int]()
    for member in (*members, *seen_by_others):
        body += between if member in seen_by_others else b""
        offsets.append(len(body))
        body += member.local_record()
    headers = [
        member.central_header(offset)
        for member, offset in zip((*members, *seen_by_others), offsets, strict=True)
    ]
    plain = 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF
    if seen_by_others:
        other = b"".join(headers)
        plain = len(headers), len(other), len(body)
        body += other
    start, own = len(body), b"".join(headers[: len(members)])
    body += own
    end, count = len(body), len(members) if counted is None else counted
    body += struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, count, count, len(own), start)
    body += struct.pack("<IIQI", 0x07064B50, 0, end, 1)
    body += struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, plain[0], plain[0], plain[1], plain[2], 0)
    return bytes(body)


def test_the_entries_say_where_the_bytes_of_each_member_are() -> None:
    data = zip_bytes(MEMBERS)

    entries = directory(data)

    assert [entry.name for entry in entries] == [member.path for member in MEMBERS]
    for entry, member in zip(entries, MEMBERS, strict=True):
        stored = data[entry.data_offset : entry.data_offset + entry.compressed_size]
        assert stored == member.payload
        assert (entry.method, entry.size) == (member.method, len(member.data))
        assert entry.crc == zlib.crc32(member.data)
        assert entry.mode == member.mode
        assert data[entry.header_offset :].startswith(b"PK\x03\x04")


def test_the_order_is_the_directorys() -> None:
    with zipfile.ZipFile(buffer := io.BytesIO(), "w") as archive:
        for name in ("b", "a", "c/", "c/d"):
            archive.writestr(name, b"")

    assert [entry.name for entry in directory(buffer.getvalue())] == ["b", "a", "c/", "c/d"]


def test_an_empty_archive_has_no_entries() -> None:
    assert directory(zip_bytes([])) == []


@pytest.mark.parametrize("name", UNUSUAL)
def test_an_unusual_archive_reads_as_zipfile_reads_it(name: str) -> None:
    data = UNUSUAL[name]().data

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        expected = [
            (info.filename, info.file_size, info.compress_size, info.CRC)
            for info in archive.infolist()
        ]
    assert [(e.name, e.size, e.compressed_size, e.crc) for e in directory(data)] == expected


def test_a_zip64_end_record_is_read() -> None:
    assert [entry.name for entry in directory(zip64(MEMBERS))] == [each.path for each in MEMBERS]


def test_a_stream_of_zip64_members_is_read() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def tell(self) -> int:
            raise OSError

        def seek(self, _offset: int, _whence: int = 0, /) -> int:
            raise OSError

    with zipfile.ZipFile(pipe := Pipe(), "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("big.txt", "w", force_zip64=True) as member:
            member.write(b"text " * 1000)
        archive.writestr("small.txt", b"text")

    assert [(e.name, e.size) for e in directory(pipe.getvalue())] == [
        ("big.txt", 5000),
        ("small.txt", 4),
    ]


@pytest.mark.fault(25)
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(zip64(MEMBERS, counted=1), "members", id="zip64-record-counts-less"),
        pytest.param(zip64(MEMBERS, counted=3), "members", id="zip64-record-counts-more"),
        pytest.param(zip64(MEMBERS, seen_by_others=[HIDDEN]), "director", id="two-directories"),
        pytest.param(
            zip64(MEMBERS, seen_by_others=[HIDDEN], between=b"\0"), "", id="two-directories-padded"
        ),
        pytest.param(
            zip_bytes(
                [
                    *MEMBERS[:1],
                    # The last header's extra field ends where a Zip64 locator would stand.
                    replace(
                        MEMBERS[1],
                        central_extra=struct.pack("<HH", 0xCAFE, 20)
                        + struct.pack("<IIQI", 0x07064B50, 0, 0, 1),
                    ),
                ],
                ZipLayout(entry_count=1),
            ),
            "Zip64 locator",
            id="false-zip64-locator",
        ),
    ],
)
def test_end_records_that_say_different_things_are_refused(data: bytes, reason: str) -> None:
    assert reason in refusal(data).reason


@pytest.mark.fault(25)
@pytest.mark.parametrize(
    "padding", [b"", b"\0", b"PK", bytes(64)], ids=["none", "one", "signature", "many"]
)
def test_a_member_that_only_its_local_header_tells_of_is_refused(padding: bytes) -> None:
    refusal(zip_bytes(MEMBERS, ZipLayout(gap=padding + HIDDEN.local_record())))


@pytest.mark.fault(25)
def test_a_member_that_some_readers_know_by_another_name_is_refused() -> None:
    # Info-ZIP's Unicode path (APPNOTE 4.6.9): unzip and libarchive extract `demo/evil.py` here.
    path, name = b"demo/evil.py", MEMBERS[0].raw_name
    extra = struct.pack("<HHBI", 0x7075, 5 + len(path), 1, zlib.crc32(name)) + path
    member = replace(MEMBERS[0], central_extra=extra, local_extra=extra)

    assert refusal(zip_bytes([member])).member == "demo/__init__.py"


@pytest.mark.fault(25)
@pytest.mark.parametrize(
    "comment",
    [b"PK\x05\x06" + bytes(18), zip_bytes(MEMBERS), b"...PK\x05\x06..."],
    ids=["end-record", "whole-zip", "signature"],
)
def test_a_comment_that_could_be_the_archives_end_is_refused(comment: bytes) -> None:
    refusal(zip_bytes(MEMBERS, ZipLayout(comment=comment)))


@pytest.mark.fault(25)
@pytest.mark.parametrize(
    "change",
    [
        {"local_crc": 1},
        {"local_sizes": (1, 1)},
        {"local_method": STORED},
        {"local_name": b"demo/__init__.pz"},
        {"local_name": b"demo/__init__.pyc"},
        {"central_crc": 1},
        {"central_csize": 5},
        {"central_size": 5},
        {"data_descriptor": "signed", "local_crc": 1},
        {"data_descriptor": "signed", "central_crc": 1},
        {"data_descriptor": "unsigned", "central_size": 1},
        {"flags": FLAG_DESCRIPTOR},
    ],
    ids="-".join,
)
def test_a_member_that_two_records_describe_differently_is_refused(
    change: dict[str, object],
) -> None:
    wrong = Member("demo/__init__.py", b"VALUE = 1\n", **change)  # type: ignore[arg-type]

    assert refusal(zip_bytes([wrong, MEMBERS[1]])).member == "demo/__init__.py"


@pytest.mark.fault(28)
def test_a_stored_member_with_two_sizes_is_refused() -> None:
    assert "stored" in refusal(zip_bytes([Member("a", b"12345", STORED, size=4)])).reason


def test_other_extra_fields_may_stand_before_the_zip64_field() -> None:
    other = struct.pack("<HHI", 0xCAFE, 4, 0)

    (entry,) = directory(zip_bytes([Member("a", b"12345", local_extra=other, zip64=True)]))

    assert entry.size == 5


@pytest.mark.fault(25)
def test_flags_that_differ_between_the_headers_are_refused() -> None:
    data = bytearray(zip_bytes(MEMBERS))
    data[6] |= FLAG_DESCRIPTOR

    assert refusal(bytes(data)).member == "demo/__init__.py"


@pytest.mark.fault(25, 28)
@pytest.mark.parametrize(
    "name",
    [
        "bytes-before",
        "bytes-before-counted",
        "bytes-after",
        "second-zip-after",
        "local-entry-not-in-directory",
        "shared-local-header",
        "overlapping-members",
        "entry-count-too-small",
        "directory-offset-beyond-file",
        "truncated",
        "empty-file",
        "not-a-zip",
    ],
)
def test_an_archive_with_something_around_or_missing_is_refused(name: str) -> None:
    refusal(HOSTILE_ZIPS[name]().data)


@pytest.mark.fault(34)
def test_a_name_that_is_not_marked_as_utf8_is_refused_by_name() -> None:
    assert refusal(zip_bytes([Member("caf\u00e9".encode())])).member == "caf\u251c\u2310"


def test_folders_are_entries_that_end_in_a_slash() -> None:
    (entry,) = directory(zip_bytes([Member("demo/", b"", STORED, mode=DIRECTORY)]))

    assert (entry.name, entry.size, entry.mode) == ("demo/", 0, DIRECTORY)


def flipped_and_cut(data: bytes, seed: int) -> Iterator[bytes]:
    """Give 300 copies with one byte changed, and 100 that end too early."""
    chance = random.Random(seed)  # noqa: S311  # the same faults on every run
    for _ in range(300):
        changed = bytearray(data)
        changed[chance.randrange(len(data))] ^= chance.randrange(1, 256)
        yield bytes(changed)
    for _ in range(100):
        yield data[: chance.randrange(len(data))]


def facts(wheel: Wheel) -> list[tuple[object, ...]]:
    return [
        (wheel.name, wheel.version, wheel.dist_info, wheel.requires_dist),
        *sorted(
            (member.path, member.sha256, hashlib.sha256(read_member(wheel, member)).hexdigest())
            for member in wheel.members
        ),
    ]


@pytest.mark.fault(28)
@pytest.mark.parametrize(
    "name",
    [
        "data-folders",
        "data-descriptor-signed",
        "zip64-data-descriptor",
        "zip-comment",
        "utf8-names",
        "zip64-end",
    ],
)
def test_damage_gives_an_error_or_does_no_harm(name: str, tmp_path: Path) -> None:
    spec = UNUSUAL.get(name, lambda: BASE)()
    data = zip64(spec.members) if name == "zip64-end" else spec.data
    path = tmp_path / spec.filename
    path.write_bytes(data)
    expected = facts(verify_wheel(path, spec.filename, ""))
    messages = []

    for damaged in flipped_and_cut(data, seed=len(data)):
        path.write_bytes(damaged)
        try:
            wheel = verify_wheel(path, spec.filename, "")
        except WheelError as error:
            messages.append(str(error))
        else:
            # Dates, comments and the like: what counts is as it was.
            assert facts(wheel) == expected

    assert len(messages) > 300
    assert all(spec.filename in message for message in messages)
    assert all(message.replace("\n", "").isprintable() for message in messages)
