"""Wheels whole as zips, with exactly one thing broken in dist-info or the data folder."""

from __future__ import annotations

from dataclasses import replace

from tests.support.hostile_zips import BASE, CODE, MODULE, Catalogue, hostile, hostile_members
from tests.support.wheel_factory import Member, Row, WheelSpec, record_hash

HOSTILE_DIST_INFO: Catalogue = {}

_INIT = "demo/__init__.py"
_RECORD = ("record",)


def _init_row(digest: str | None = None, size: str | None = None) -> WheelSpec:
    """The valid wheel with another hash or size in RECORD for its one module."""

    def change(rows: list[Row]) -> list[Row]:
        return [
            (path, old if digest is None else digest, length if size is None else size)
            if path == _INIT
            else (path, old, length)
            for path, old, length in rows
        ]

    return replace(BASE, record=change)


@hostile(HOSTILE_DIST_INFO, *_RECORD)
def record_missing() -> WheelSpec:
    """No RECORD: PEP 427 requires one, and its absence would turn every check off."""
    return replace(BASE, record=None)


@hostile(HOSTILE_DIST_INFO, *_RECORD)
def record_empty() -> WheelSpec:
    """A RECORD of no bytes."""
    return replace(BASE, record=b"")


@hostile(HOSTILE_DIST_INFO, "record", "utf-8", "csv")
def record_not_text() -> WheelSpec:
    """A RECORD that is neither UTF-8 nor CSV."""
    return replace(BASE, record=b"\xff\xfe\x00\x01\n")


@hostile(HOSTILE_DIST_INFO, *_RECORD)
def record_row_too_short() -> WheelSpec:
    """A RECORD whose rows lack hash and size columns."""
    return replace(BASE, record=f"{_INIT}\n{BASE.dist_info}/RECORD\n".encode())


@hostile(HOSTILE_DIST_INFO, "record", "hash", member=_INIT)
def record_wrong_hash() -> WheelSpec:
    """PEP 427: installation fails for a file that isn't correctly hashed in RECORD."""
    return _init_row(digest=record_hash(b"something else"))


@hostile(HOSTILE_DIST_INFO, "record", "size", member=_INIT)
def record_wrong_size() -> WheelSpec:
    """The right hash beside a wrong size."""
    return _init_row(size="99999")


@hostile(HOSTILE_DIST_INFO, "record", "size", member=_INIT)
def record_size_not_a_number() -> WheelSpec:
    """The right hash beside a size that isn't one."""
    return _init_row(size="many")


@hostile(HOSTILE_DIST_INFO, "record", "hash", member=_INIT)
def record_without_hash() -> WheelSpec:
    """A row without a hash, which only RECORD itself may have (PEP 427)."""
    return _init_row(digest="")


@hostile(HOSTILE_DIST_INFO, "md5", "algorithm", "sha256", member=_INIT)
def record_md5() -> WheelSpec:
    """PEP 427: "sha256 or better"; md5, sha1 and sha224 are not permitted."""
    content = next(member.data for member in BASE.members if member.path == _INIT)
    return _init_row(digest=record_hash(content, "md5"))


@hostile(HOSTILE_DIST_INFO, "sha0", "algorithm", member=_INIT)
def record_unknown_algorithm() -> WheelSpec:
    """A hash by an algorithm that doesn't exist."""
    return _init_row(digest="sha0=abcdef")


@hostile(HOSTILE_DIST_INFO, *_RECORD, member="demo/absent.py")
def record_lists_too_much() -> WheelSpec:
    """A row for a file that the wheel doesn't have."""
    absent = ("demo/absent.py", record_hash(CODE), str(len(CODE)))
    return replace(BASE, record=lambda rows: [absent, *rows])


@hostile(HOSTILE_DIST_INFO, *_RECORD, member=_INIT)
def record_lists_too_little() -> WheelSpec:
    """A file that RECORD doesn't list: PEP 427 makes that a failure."""
    return replace(BASE, record=lambda rows: [row for row in rows if row[0] != _INIT])


@hostile(HOSTILE_DIST_INFO, *_RECORD, member="demo/file")
def record_lists_too_little_often() -> WheelSpec:
    """Nine unlisted files, of which an error names the first five."""
    spec = BASE.with_files(*(Member(f"demo/file{n}.py", CODE) for n in range(9)))
    return replace(spec, record=lambda rows: [row for row in rows if "/file" not in row[0]])


@hostile(HOSTILE_DIST_INFO, "record", "twice", "duplicate", member=_INIT)
def record_lists_twice() -> WheelSpec:
    """Two rows of different hashes for one file, the true one last."""
    return replace(BASE, record=lambda rows: [(_INIT, record_hash(CODE), "10"), *rows])


@hostile(HOSTILE_DIST_INFO, "METADATA")
def metadata_missing() -> WheelSpec:
    """No METADATA."""
    return replace(BASE, dist_info_files={"METADATA": None})


@hostile(HOSTILE_DIST_INFO, "WHEEL")
def wheel_file_missing() -> WheelSpec:
    """No WHEEL."""
    return replace(BASE, dist_info_files={"WHEEL": None})


@hostile(HOSTILE_DIST_INFO, "Wheel-Version", "2.0", "wheel version", "format version")
def wheel_version_too_new() -> WheelSpec:
    """PEP 427: an installer must fail on a greater major Wheel-Version."""
    return replace(BASE, wheel_version="2.0")


@hostile(HOSTILE_DIST_INFO, "Wheel-Version", "wheel version", "format version")
def wheel_version_missing() -> WheelSpec:
    """A WHEEL file that doesn't say its version."""
    return replace(BASE, dist_info_files={"WHEEL": b"Root-Is-Purelib: true\nTag: py3-none-any\n"})


@hostile(HOSTILE_DIST_INFO, "name", "METADATA")
def metadata_name_differs() -> WheelSpec:
    """METADATA of another distribution than the filename says."""
    return replace(BASE, dist_info_files={"METADATA": WheelSpec(name="other").metadata})


@hostile(HOSTILE_DIST_INFO, "version", "METADATA")
def metadata_version_differs() -> WheelSpec:
    """METADATA of another version than the filename says."""
    metadata = WheelSpec(name="demo", version="2.0").metadata
    return replace(BASE, dist_info_files={"METADATA": metadata})


@hostile(HOSTILE_DIST_INFO, "other", member="METADATA")
def metadata_name_differs_first() -> WheelSpec:
    """Two names in METADATA, of which the first counts, and is another one."""
    metadata = BASE.metadata.replace(b"Name:", b"Name: other\nName:")
    return replace(BASE, dist_info_files={"METADATA": metadata})


@hostile(HOSTILE_DIST_INFO, "headers", member="METADATA")
def metadata_of_endless_headers() -> WheelSpec:
    """More headers than any description has text: each of them would be a value in memory."""
    return replace(BASE, extra_metadata="X-Filler: 0\n" * 100_000)


@hostile(HOSTILE_DIST_INFO, "twice", member="RECORD")
def record_lists_twice_in_two_ways() -> WheelSpec:
    """One file as two paths, with two hashes."""
    return replace(BASE, record=lambda rows: [(f"./{_INIT}", record_hash(CODE), "10"), *rows])


@hostile(HOSTILE_DIST_INFO, "dist-info")
def two_dist_info_folders() -> WheelSpec:
    """The dist-info folder of a second distribution, listed in the first one's RECORD."""
    other = WheelSpec(name="other")
    return BASE.with_files(
        Member("other-1.0.dist-info/METADATA", other.metadata),
        Member("other-1.0.dist-info/WHEEL", other.wheel_file),
    )


@hostile(HOSTILE_DIST_INFO, "dist-info")
def dist_info_of_another_name() -> bytes:
    """One dist-info folder, named for another distribution than the filename."""
    return WheelSpec(name="other").data


@hostile(HOSTILE_DIST_INFO, "dist-info", "METADATA", "RECORD", "WHEEL")
def dist_info_missing() -> WheelSpec:
    """A wheel of one module and nothing else."""
    return replace(BASE, edit=lambda members: [m for m in members if m.path == _INIT])


hostile_members(
    HOSTILE_DIST_INFO,
    *("scheme", ".data", "unknown"),
    member="demo-1.0.data",
    # PEP 427: each folder of `.data` is a key of the install scheme.
    unknown_data_scheme=Member("demo-1.0.data/bogus/evil.py", CODE),
    file_in_data_folder_itself=Member("demo-1.0.data/evil.py", CODE),
)


@hostile(HOSTILE_DIST_INFO, "collide", "clash", "same", "twice", "duplicate", member=MODULE)
def data_folder_overwrites_root() -> WheelSpec:
    """One installed path with two contents, from the root and from `.data/purelib`."""
    return BASE.with_files(Member(MODULE, CODE), Member(f"demo-1.0.data/purelib/{MODULE}", b"no\n"))
