"""Wheels are verified before anything of them is used: hostile ones refused, odd ones accepted."""

from __future__ import annotations

import base64
import hashlib
import random
import time
import tracemalloc
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer._internal.console import Console
from hatch_lambda_layer._internal.store import Store
from hatch_lambda_layer.exceptions import WheelError
from hatch_lambda_layer.wheels.cache import WheelCache
from hatch_lambda_layer.wheels.fetch import collect_wheels
from hatch_lambda_layer.wheels.selection import LockedWheel
from hatch_lambda_layer.wheels.verify import MAX_UNPACKED_SIZE, verify_wheel
from hatch_lambda_layer.wheels.wheel import Wheel, fold, read_member
from tests.support.displays import Lines
from tests.support.hostile_wheels import HOSTILE, HostileWheel
from tests.support.unusual_wheels import UNUSUAL
from tests.support.wheel_factory import DIRECTORY, STORED, Member, Row, WheelSpec

if TYPE_CHECKING:
    from pathlib import Path

# The rows of docs/faults.md, by the names in the catalogue of hostile wheels.
FAULTS = {
    22: "parent-traversal parent-traversal-inside parent-traversal-staying-inside "
    "parent-traversal-in-data",
    23: "absolute-path drive-path drive-relative-path unc-path unc-path-backslashes backslash "
    "nul-in-name newline-in-name escape-in-name delete-in-name c1-control-in-name dot-segment "
    "empty-segment empty-name",
    24: "symlink device fifo socket",
    25: "local-name-differs local-method-differs local-crc-differs local-sizes-differ "
    "central-crc-differs central-size-differs duplicate-member file-is-also-folder bytes-before "
    "bytes-before-counted bytes-after second-zip-after gap-before-directory "
    "local-entry-not-in-directory shared-local-header overlapping-members entry-count-too-small "
    "directory-offset-beyond-file",
    26: "case-collision unicode-collision",
    27: "zip-bomb zip-bomb-lying zip-bomb-descriptor zip-bomb-many-members zip-bomb-nested "
    "size-too-small size-too-large",
    28: "bad-crc broken-deflate deflate-ends-early bytes-after-deflate-stream encrypted bzip2 "
    "unknown-method truncated empty-file not-a-zip",
    29: "record-missing record-empty record-not-text record-row-too-short record-wrong-hash "
    "record-wrong-size record-size-not-a-number record-without-hash record-md5 "
    "record-unknown-algorithm record-lists-too-much record-lists-too-little "
    "record-lists-too-little-often record-lists-twice metadata-missing wheel-file-missing "
    "wheel-version-too-new wheel-version-missing metadata-name-differs metadata-version-differs "
    "two-dist-info-folders dist-info-of-another-name dist-info-missing",
    30: "unknown-data-scheme file-in-data-folder-itself",
    34: "latin1-name-without-utf8-flag utf8-name-without-utf8-flag invalid-utf8-with-utf8-flag "
    "long-name long-path",
    35: "too-many-entries",
    86: "metadata-of-endless-headers",
    87: "bidirectional-in-name zero-width-in-name tag-in-name private-in-name "
    "zip64-contradicts-local-header zip64-contradicts-directory zip64-twice "
    "zip64-of-half-a-number extra-field-cut-off comment-longer-than-file",
    88: "metadata-name-differs-first record-lists-twice-in-two-ways",
}
# Sound in itself: two of its files want one place in the layer. See test_placement.py.
REFUSED_IN_THE_TREE = {"data-folder-overwrites-root"}

HOSTILE_CASES = [
    pytest.param(name, marks=pytest.mark.fault(row), id=name)
    for row, names in FAULTS.items()
    for name in names.split()
]


def verified(spec: WheelSpec, folder: Path) -> Wheel:
    return verify_wheel(spec.write(folder), spec.filename, spec.sha256)


def refusal(wheel: WheelSpec | HostileWheel, folder: Path) -> WheelError:
    path = folder / "refused.whl"
    path.write_bytes(wheel.data)
    with pytest.raises(WheelError) as caught:
        verify_wheel(path, wheel.filename, wheel.sha256)
    return caught.value


def content(wheel: Wheel) -> dict[str, bytes]:
    return {member.path: read_member(wheel, member) for member in wheel.members}


def test_each_hostile_wheel_of_the_catalogue_is_expected_to_be_refused() -> None:
    listed = [name for names in FAULTS.values() for name in names.split()]

    assert sorted([*listed, *REFUSED_IN_THE_TREE]) == sorted(HOSTILE)


@pytest.mark.parametrize("name", HOSTILE_CASES)
def test_a_hostile_wheel_is_refused_by_name_and_leaves_nothing_in_the_cache(
    name: str, tmp_path: Path, cache_dir: Path
) -> None:
    hostile = HOSTILE[name]()
    source = tmp_path / hostile.filename
    source.write_bytes(hostile.data)
    locked = LockedWheel(
        name="demo",
        version="1.0",
        filename=hostile.filename,
        sha256=hostile.sha256,
        size=None,
        location=str(source),
        index_url=None,
    )

    with pytest.raises(WheelError) as caught:
        collect_wheels([locked], WheelCache(Store(cache_dir)), Console(Lines()))

    message = str(caught.value)
    assert hostile.missing_from(message) == []
    assert "hint: " in message
    assert message.replace("\n", "").isprintable()
    assert [path for path in cache_dir.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("name", UNUSUAL)
def test_an_unusual_wheel_is_accepted_with_its_content(name: str, tmp_path: Path) -> None:
    spec = UNUSUAL[name]()

    wheel = verified(spec, tmp_path)

    files = {member.path: member for member in spec.members if not member.path.endswith("/")}
    assert content(wheel) == {path: member.data for path, member in files.items()}
    for member in wheel.members:
        wanted = files[member.path]
        assert (member.size, member.crc) == (len(wanted.data), zlib.crc32(wanted.data))
        assert member.sha256 == hashlib.sha256(wanted.data).hexdigest()
        executable = bool(wanted.mode & 0o111) and wanted.external_attr is None
        assert member.executable is executable
    assert (wheel.name, wheel.version) == ("demo", "1.0")
    assert wheel.dist_info == "demo-1.0.dist-info"


def test_a_proved_wheel_says_what_its_metadata_says(tmp_path: Path) -> None:
    spec = WheelSpec(
        name="Foo.Bar", version="2.1.post1", requires_dist=["boto3>=1", "broken (>dev)"]
    )

    wheel = verified(spec, tmp_path)

    assert (wheel.name, wheel.version) == ("foo-bar", "2.1.post1")
    # Old wheels have requirements that no parser takes: they are the resolver's affair.
    assert wheel.requires_dist == ("boto3>=1", "broken (>dev)")
    assert wheel.sha256 == spec.sha256
    assert wheel.dist_info == "foo_bar-2.1.post1.dist-info"


@pytest.mark.fault(86)
def test_a_metadata_file_of_30_000_headers_is_read_at_once(tmp_path: Path) -> None:
    headers = "".join(f"X{number}: 0\n" for number in range(30_000))
    spec = WheelSpec(name="demo", requires_dist=["boto3"], extra_metadata=headers)
    start = time.process_time()
    assert verified(spec, tmp_path).requires_dist == ("boto3",)
    assert time.process_time() - start < 5


@pytest.mark.parametrize("level", [1, 6, 9])
@pytest.mark.parametrize("kind", ["zeros", "text", "noise"])
def test_a_member_of_any_size_is_accepted(kind: str, level: int, tmp_path: Path) -> None:
    # Around powers of two, where the buffers of a reader end while output is still to come.
    sizes = {(1 << power) + more for power in range(14, 21) for more in (-1, 0, 1, 25, 100, 257)}
    noise = random.Random(0).randbytes(2 << 20)  # noqa: S311  # noise, no secret
    text = b"def function(argument): return argument + 1\n" * (1 << 15)
    source = {"zeros": bytes(2 << 20), "text": text, "noise": noise}[kind]
    members = []
    for size in sorted(sizes):
        deflate = zlib.compressobj(level, zlib.DEFLATED, -15)
        raw = deflate.compress(source[:size]) + deflate.flush()
        members.append(Member(f"demo/{size}.bin", source[:size], raw=raw))

    found = content(verified(WheelSpec(name="demo").with_files(*members), tmp_path))

    for member in members:
        assert found[member.path] == member.data


@pytest.mark.fault(27)
@pytest.mark.parametrize("name", ["zip-bomb", "zip-bomb-lying", "zip-bomb-descriptor"])
def test_a_zip_bomb_is_stopped_with_little_memory_and_at_once(name: str, tmp_path: Path) -> None:
    bomb = HOSTILE[name]()
    start = time.process_time()
    tracemalloc.start()
    try:
        refusal(bomb, tmp_path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 8 * 1024 * 1024 + len(bomb.data)
    assert time.process_time() - start < 2


@pytest.mark.fault(27)
def test_a_large_honest_wheel_is_read_in_pieces(tmp_path: Path) -> None:
    # Ninety zeros of a hundred are squeezed away: 64 MiB in 64 kB, within what a layer may have.
    wheel = WheelSpec(name="demo").with_files(Member("demo/zeros.bin", bytes(64 << 20)))
    path = wheel.write(tmp_path)
    tracemalloc.start()
    try:
        verify_wheel(path, wheel.filename, "")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 8 << 20


@pytest.mark.fault(27)
def test_the_declared_sizes_of_all_members_count_together(tmp_path: Path) -> None:
    halves = [Member(f"demo/{n}.bin", b"", size=MAX_UNPACKED_SIZE // 2) for n in range(2)]

    error = refusal(WheelSpec(name="demo").with_files(*halves), tmp_path)

    assert f"{MAX_UNPACKED_SIZE:,}" in error.reason
    assert "zip bomb" in error.reason


@pytest.mark.fault(29)
def test_a_wrong_record_names_the_first_five_and_counts_the_rest(tmp_path: Path) -> None:
    error = refusal(HOSTILE["record-lists-too-little-often"](), tmp_path)

    assert error.reason.count("is not listed") == 5
    assert all(f"'demo/file{number}.py'" in error.reason for number in range(5))
    assert "and 4 more" in error.reason


@pytest.mark.fault(29)
@pytest.mark.parametrize(
    ("digest", "size"),
    [
        (None, "\x1b[2J"),
        (None, "2\udcff"),
        ("sha\x1b]0;title\x07=abc", None),
        ("\udcff=abc", None),
        ("sha256=\x1b[31m", None),
    ],
    ids=["escape-in-size", "bad-utf8-in-size", "escape-in-name", "bad-utf8-in-name", "in-hash"],
)
def test_what_a_hostile_record_says_never_reaches_the_terminal_raw(
    digest: str | None, size: str | None, tmp_path: Path
) -> None:
    spec = replace(
        WheelSpec(name="demo"),
        record=lambda rows: [(rows[0][0], digest or rows[0][1], size or rows[0][2]), *rows[1:]],
    )

    error = refusal(spec, tmp_path)

    assert "demo/__init__.py" in error.reason
    assert error.reason.isprintable()


def test_a_record_may_list_folders_and_repeat_a_row(tmp_path: Path) -> None:
    spec = replace(WheelSpec(name="demo"), record=lambda rows: [("demo/", "", ""), rows[0], *rows])

    assert "demo/__init__.py" in content(verified(spec, tmp_path))


def test_a_record_may_have_empty_lines(tmp_path: Path) -> None:
    spec = WheelSpec(name="demo")
    record = next(member.data for member in spec.members if member.path.endswith("RECORD"))

    wheel = verified(replace(spec, record=b"\n" + record + b"\r\n\n"), tmp_path)

    assert "demo/__init__.py" in content(wheel)


@pytest.mark.fault(27)
@pytest.mark.parametrize("name", ["METADATA", "WHEEL"])
def test_metadata_that_is_itself_a_bomb_is_not_inflated(name: str, tmp_path: Path) -> None:
    spec = WheelSpec(name="demo", dist_info_files={name: bytes((32 << 20) + 1)})

    error = refusal(spec, tmp_path)

    assert error.member == f"demo-1.0.dist-info/{name}"
    assert "too many for metadata" in error.reason


def test_padding_of_the_hashes_in_a_record_is_no_fault(tmp_path: Path) -> None:
    spec = replace(
        WheelSpec(name="demo"),
        record=lambda rows: [(path, f"{digest}=", size) for path, digest, size in rows],
    )

    assert "demo/__init__.py" in content(verified(spec, tmp_path))


@pytest.mark.fault(34)
def test_the_longest_names_that_linux_takes_are_accepted(tmp_path: Path) -> None:
    names = ["demo/" + "n" * 255, "demo/" + "\u00e9" * 127, "demo/" + "d/" * 1900 + "module.py"]

    wheel = verified(
        WheelSpec(name="demo").with_files(*(Member(name, b"") for name in names)), tmp_path
    )

    assert {member.path for member in wheel.members} > set(names)


@pytest.mark.fault(34)
@pytest.mark.parametrize("name", ["demo/" + "n" * 256, "demo/" + "\u00e9" * 128])
def test_one_byte_more_in_a_name_is_refused(name: str, tmp_path: Path) -> None:
    error = refusal(WheelSpec(name="demo").with_files(Member(name, b"")), tmp_path)

    assert "255 bytes" in error.reason
    assert error.member == name


@pytest.mark.fault(24)
@pytest.mark.parametrize("mode", [0o120777, 0o020666, 0o010644, 0o140644, 0o060660])
def test_a_folder_that_is_no_folder_is_refused(mode: int, tmp_path: Path) -> None:
    folder = Member("demo/sub/", b"", STORED, mode=mode)

    assert refusal(WheelSpec(name="demo").with_files(folder), tmp_path).member == "demo/sub/"


@pytest.mark.fault(25)
def test_a_folder_with_content_is_refused(tmp_path: Path) -> None:
    folder = Member("demo/sub/", b"hidden", STORED, mode=DIRECTORY)

    assert "content" in refusal(WheelSpec(name="demo").with_files(folder), tmp_path).reason


@pytest.mark.parametrize(
    "filename",
    ["demo.whl", "demo-1.0.tar.gz", "demo-1.0-py3-none-any.whl.part", "demo-x.y-py3-none-any.whl"],
)
def test_a_filename_that_is_no_wheels_is_refused(filename: str, tmp_path: Path) -> None:
    path = WheelSpec(name="demo").write(tmp_path)

    with pytest.raises(WheelError) as caught:
        verify_wheel(path, filename, "")

    assert filename in str(caught.value)


@pytest.mark.fault(26)
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Data.TXT", "data.txt"),
        ("caf\u00e9", "cafe\u0301"),
        ("CAF\u00c9", "cafe\u0301"),
        ("\u01c5", "\u01c6"),
    ],
)
def test_names_are_folded_as_file_systems_fold_them(one: str, other: str) -> None:
    assert fold(one) == fold(other)


def test_a_record_with_hexadecimal_hashes_is_accepted(tmp_path: Path) -> None:
    def hexadecimal(rows: list[Row]) -> list[Row]:
        return [(name, _as_hexadecimal(digest), size) for name, digest, size in rows]

    files = {"demo/__init__.py": b"answer = 42\n"}
    spec = WheelSpec(name="demo", version="1.0", files=files, record=hexadecimal)
    wheel = verify_wheel(spec.write(tmp_path), spec.filename, spec.sha256)
    assert "demo/__init__.py" in [member.path for member in wheel.members]


def _as_hexadecimal(digest: str) -> str:
    algorithm, _, value = digest.partition("=")
    return f"{algorithm}={base64.urlsafe_b64decode(value + '==').hex()}" if value else ""
