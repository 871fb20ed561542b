"""The bytes of a layer's zip, and what is on disk when they can't be written."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import zipfile
import zlib
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer._internal.zip_reader import read_directory
from hatch_lambda_layer.exceptions import ConfigError, OutputError, SizeError
from hatch_lambda_layer.layer.archive import archive_time, prepare, write_archive, write_text
from hatch_lambda_layer.layer.inclusion import find_included, pack
from hatch_lambda_layer.layer.tree import Entry, LayerTree
from tests.support.limits import check

if TYPE_CHECKING:
    from collections.abc import Iterator

EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)
LATEST = datetime(2107, 12, 31, 23, 59, 58, tzinfo=UTC)
NOISE = random.Random(0).randbytes(3 << 20)  # noqa: S311  # content that no zip makes smaller

# Written by another process, which may give up rights or have its files limited first.
CHILD = """
import os, resource, sys
from datetime import UTC, datetime
from pathlib import Path
from hatch_lambda_layer.layer.archive import write_archive
from hatch_lambda_layer.layer.tree import Entry, LayerTree
if sys.argv[2] == "nobody" and os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
if sys.argv[2] == "limited":
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
entry = Entry.made("python/noise.bin", "demo", os.urandom(3 << 20))
try:
    write_archive(LayerTree((entry,)), Path(sys.argv[1]), datetime(1980, 1, 1, tzinfo=UTC))
except Exception as error:
    print(type(error).__name__, error)
"""


def made(path: str, content: bytes = b"", *, executable: bool = False) -> Entry:
    return Entry.made(path, "demo", content, executable=executable)


def written(tree: LayerTree, path: Path, time: datetime = EARLIEST) -> bytes:
    result = write_archive(tree, path, time)
    data = path.read_bytes()
    assert (result.size, result.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    return data


def write_in_child(path: Path, how: str) -> str:
    argv = [sys.executable, "-c", CHILD, str(path), how]
    return subprocess.run(argv, capture_output=True, check=False, text=True, timeout=60).stdout


def from_wheels(folder: Path, count: int, *, shift: int = 0) -> LayerTree:
    """Give a tree whose neighbouring entries lie in different files, at different offsets."""
    entries = []
    for number in range(count):
        source = folder / f"{number}.whl"
        data = bytearray(shift)
        for member in range(4):
            content = f"wheel {number} member {member}\n".encode() * (member * 50 + 1)
            deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
            raw = deflate.compress(content) + deflate.flush()
            path = f"python/{member}/{number}.txt"
            entry = made(path, content)._replace(
                method=8,
                source=source,
                offset=len(data),
                compressed_size=len(raw),
                packed_crc=zlib.crc32(raw),
            )
            entries.append(entry)
            data += raw
        source.write_bytes(data)
    return LayerTree(tuple(entries)).settled()


SMALL = LayerTree(
    (
        made("python/bin/tool", b"#!/bin/sh\n", executable=True),
        made("python/caf\u00e9.txt", "caf\u00e9".encode()),
        made("python/empty.txt"),
    )
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@contextmanager
def untouched(path: Path) -> Iterator[None]:
    """Have an old zip at `path`, and see that nothing but it is there afterwards."""
    path.write_bytes(b"the old zip")
    yield
    assert path.read_bytes() == b"the old zip"
    assert names(path.parent) == [path.name]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a folder on a disk of 1 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small disk: another test limits the size of files")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_every_field_of_the_zip_is_the_one_that_it_should_be(tmp_path: Path) -> None:
    data = written(SMALL, tmp_path / "layer.zip")

    expected, offset, headers = io.BytesIO(), 0, b""
    for entry in SMALL:
        name, content = entry.path.encode(), entry.source
        assert isinstance(content, bytes)
        flags = 0x800 if entry.path.endswith("caf\u00e9.txt") else 0
        # Version 2.0, flags, stored, midnight, 1980-01-01, CRC, sizes, name, no extra field.
        facts = struct.pack("<HHHH", flags, 0, 0, 0x21) + struct.pack(
            "<LLLHH", entry.crc, len(content), len(content), len(name), 0
        )
        expected.write(b"PK\x03\x04" + struct.pack("<H", 20) + facts + name + content)
        # Made on Unix; no comment, disk 0, no internal attributes, the mode.
        mode = 0o100755 if entry.executable else 0o100644
        headers += b"PK\x01\x02" + struct.pack("<HH", 3 << 8 | 20, 20) + facts
        headers += struct.pack("<HHHLL", 0, 0, 0, mode << 16, offset) + name
        offset = expected.tell()
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 3, 3, len(headers), offset, 0)
    assert data == expected.getvalue() + headers + end


def test_members_are_copied_as_they_are_compressed(tmp_path: Path) -> None:
    tree = from_wheels(tmp_path, 3)

    data = written(tree, tmp_path / "layer.zip")

    for entry, copy in zip(tree, read_directory(io.BytesIO(data)), strict=True):
        assert isinstance(entry.source, Path)
        source = entry.source.read_bytes()[entry.offset :][: entry.compressed_size]
        assert data[copy.data_offset :][: copy.compressed_size] == source
        assert (copy.name, copy.method, copy.crc) == (entry.path, entry.method, entry.crc)


@pytest.mark.fault(48)
def test_equal_trees_give_equal_bytes_wherever_their_content_lies(tmp_path: Path) -> None:
    for name in ("one", "two", "out"):
        (tmp_path / name).mkdir()
    one, two = (from_wheels(tmp_path / name, 5, shift=n) for n, name in enumerate(("one", "two")))

    assert one != two
    assert written(one, tmp_path / "out/1.zip") == written(two, tmp_path / "out/another.zip")


@pytest.mark.fault(46)
def test_the_umask_decides_about_the_zip_and_not_about_what_is_in_it(tmp_path: Path) -> None:
    zips = []
    for umask, mode in ((0o000, 0o666), (0o022, 0o644), (0o077, 0o600)):
        previous = os.umask(umask)
        try:
            zips.append(written(SMALL, tmp_path / "layer.zip"))
        finally:
            os.umask(previous)
        assert (tmp_path / "layer.zip").stat().st_mode & 0o777 == mode

    assert zips[0] == zips[1] == zips[2]


def test_more_sources_than_may_be_open_and_members_larger_than_the_buffer(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="limits of open files are Unix's")
    (tmp_path / "large.whl").write_bytes(b"before" + NOISE + b"after")
    large = made("python/1/large.bin", NOISE)._replace(source=tmp_path / "large.whl", offset=6)
    tree = LayerTree((*from_wheels(tmp_path, 200).entries, large)).settled()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Half as many as there are sources, beside those that tests before this one hold.
    highest = max(int(each.name) for each in Path("/dev/fd").iterdir())
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 100, limits[1]))
    try:
        data = written(tree, tmp_path / "layer.zip")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert archive.read("python/1/large.bin") == NOISE
        assert len(archive.namelist()) == 801
        assert archive.read("python/3/199.txt") == b"wheel 199 member 3\n" * 151


@pytest.mark.parametrize("program", [["unzip", "-tqq"], ["zipinfo"], ["bsdtar", "-tf"]])
def test_other_programs_read_the_zip_without_a_complaint(
    program: list[str], tmp_path: Path
) -> None:
    if shutil.which(program[0]) is None:
        pytest.skip(f"`{program[0]}` is not installed")
    tree = LayerTree((*from_wheels(tmp_path, 5).entries, *SMALL.entries)).settled()
    written(tree, tmp_path / "layer.zip")

    result = subprocess.run(
        [*program, str(tmp_path / "layer.zip")],
        capture_output=True,
        check=True,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        text=True,
    )

    assert result.stderr == ""
    if program[0] == "bsdtar":
        assert result.stdout.splitlines() == [entry.path for entry in tree]
    if program[0] == "zipinfo":
        lines = result.stdout.splitlines()
        assert sum(line.startswith("-rwxr-xr-x  2.0 unx") for line in lines) == 1
        assert sum(line.startswith("-rw-r--r--  2.0 unx") for line in lines) == 22
        assert sum(" 80-Jan-01 00:00 " in line for line in lines) == 23


@pytest.mark.fault(35)
def test_65534_files_need_no_zip64_and_one_more_is_refused(tmp_path: Path) -> None:
    tree = LayerTree(tuple(made(f"python/{number:05}") for number in range(65_534)))
    assert check(LayerTree((*tree.entries[:-1], made("x", b"1"))), max_size=1 << 20) == []

    data = written(tree, tmp_path / "layer.zip")

    assert b"PK\x06\x06" not in data
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert len(archive.namelist()) == 65_534
    with pytest.raises(SizeError, match="65,535 files"):
        check(LayerTree((*tree.entries, made("x"))), max_size=1 << 20)


@pytest.mark.fault(47)
@pytest.mark.parametrize(
    ("epoch", "expected"),
    [
        (None, EARLIEST),
        ("0", EARLIEST),
        ("-1", EARLIEST),
        ("-99999999999999999999", EARLIEST),
        ("315532799", EARLIEST),
        ("315532800", EARLIEST),
        ("315532802", datetime(1980, 1, 1, 0, 0, 2, tzinfo=UTC)),
        ("1700000001", datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        ("4354819199", LATEST),
        ("99999999999999999999", LATEST),
    ],
)
def test_the_date_is_clamped_to_what_zip_can_say(
    epoch: str | None, expected: datetime, tmp_path: Path
) -> None:
    time = archive_time(epoch)

    written(SMALL, tmp_path / "layer.zip", time)

    assert time == expected
    with zipfile.ZipFile(tmp_path / "layer.zip") as archive:
        assert {info.date_time for info in archive.infolist()} == {expected.timetuple()[:6]}


@pytest.mark.fault(47)
@pytest.mark.parametrize("epoch", ["", "now", "1.5", "1e9", "0x10", "12 seconds", "\u0663" * 5000])
def test_a_date_that_is_no_number_is_an_error(epoch: str) -> None:
    with pytest.raises(ConfigError) as caught:
        archive_time(epoch)

    assert "SOURCE_DATE_EPOCH" in str(caught.value)
    assert "seconds since 1970" in str(caught.value)


@pytest.mark.fault(40)
def test_a_full_disk_leaves_the_old_zip(small_disk: Path) -> None:
    tree = LayerTree(tuple(made(f"python/{number}.bin", NOISE) for number in range(20)))

    with untouched(path := small_disk / "layer.zip"), pytest.raises(OutputError) as caught:
        write_archive(tree, path, EARLIEST)

    assert f"{path} can't be written: No space left on device" in str(caught.value)
    assert "what was there before is untouched" in str(caught.value)


@pytest.mark.fault(40)
def test_a_full_disk_leaves_the_old_manifest(small_disk: Path) -> None:
    with untouched(small_disk / "layer.json"), pytest.raises(OutputError):
        write_text(small_disk / "layer.json", "x" * len(NOISE))


@pytest.mark.fault(40)
def test_a_file_that_grows_over_its_limit_leaves_the_old_zip(tmp_path: Path) -> None:
    with untouched(path := tmp_path / "layer.zip"):
        message = write_in_child(path, "limited")

    assert message.startswith(f"OutputError {path} can't be written: File too large")


@pytest.mark.fault(44)
def test_a_folder_that_may_not_be_written_to_is_named() -> None:
    # Not in pytest's own folder, which nobody but its owner may enter.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "layer.zip")
        path.parent.chmod(0o755 if os.geteuid() == 0 else 0o555)
        if os.geteuid() == 0:
            path.write_bytes(b"the old zip")
        message = write_in_child(path, "nobody")
        path.parent.chmod(0o755)

        assert message.startswith(f"OutputError {path} can't be written: Permission denied")
        assert names(path.parent) == (["layer.zip"] if os.geteuid() == 0 else [])


@pytest.mark.fault(44)
def test_an_output_that_is_a_folder_is_named_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "layer.zip"
    (path / "inside").mkdir(parents=True)

    with pytest.raises(OutputError, match="can't be written: Is a directory"):
        write_archive(SMALL, path, EARLIEST)

    assert names(tmp_path) == ["layer.zip"]
    assert names(path) == ["inside"]


@pytest.mark.fault(44)
def test_an_output_below_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "dist").write_text("no folder", encoding="utf-8")

    with pytest.raises(OutputError, match="can't be written"):
        write_archive(SMALL, tmp_path / "dist/layer.zip", EARLIEST)


@pytest.mark.fault(68)
@pytest.mark.parametrize("fault", ["shorter", "gone", "another byte", "shifted"])
def test_a_source_that_changes_meanwhile_is_named_and_no_layer_is_written(
    fault: str, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    tree = from_wheels(tmp_path, 3)
    data = (tmp_path / "2.whl").read_bytes()
    changed = {
        "shorter": b"x",
        "another byte": data[:-9] + bytes([data[-9] ^ 1]) + data[-8:],
        "shifted": b"\0" + data[:-1],
    }
    (tmp_path / "2.whl").unlink()
    if fault in changed:
        (tmp_path / "2.whl").write_bytes(changed[fault])

    with untouched(tmp_path / "out/layer.zip"), pytest.raises(OutputError) as caught:
        write_archive(tree, tmp_path / "out/layer.zip", EARLIEST)

    assert str(tmp_path / "2.whl") in str(caught.value)


@pytest.mark.fault(68)
def test_a_file_that_was_compressed_here_and_changed_is_named(tmp_path: Path) -> None:
    (tmp_path / "data.bin").write_bytes(NOISE)
    pack_path = tmp_path / "pack"
    with pack_path.open("wb") as file:
        entries = pack(find_included(tmp_path, [("data.bin", "data.bin")]), pack_path, file, {})
    good = written(LayerTree(tuple(entries)), tmp_path / "layer.zip")
    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        assert archive.read("data.bin") == NOISE
    # Another build writes its own into the same file.
    with pack_path.open("r+b") as file:
        file.seek(len(NOISE) // 2)
        file.write(b"something else")
    with pytest.raises(OutputError, match="has changed"):
        write_archive(LayerTree(tuple(entries)), tmp_path / "layer.zip", EARLIEST)
    assert (tmp_path / "layer.zip").read_bytes() == good


def test_an_interrupted_write_leaves_neither_file_nor_thread(tmp_path: Path) -> None:
    class Interrupting(LayerTree):
        def __iter__(self) -> Iterator[Entry]:
            yield from self.entries
            raise KeyboardInterrupt

    threads = threading.active_count()
    with untouched(tmp_path / "layer.zip"), pytest.raises(KeyboardInterrupt):
        write_archive(Interrupting((made("a", NOISE),)), tmp_path / "layer.zip", EARLIEST)

    assert threading.active_count() == threads


def test_text_is_written_whole_into_a_folder_that_is_made(tmp_path: Path) -> None:
    write_text(tmp_path / "a/b/layer.json", "caf\u00e9\n")

    assert (tmp_path / "a/b/layer.json").read_bytes() == "caf\u00e9\n".encode()
    assert names(tmp_path / "a/b") == ["layer.json"]


@pytest.mark.fault(41)
def test_only_leftovers_of_the_same_zip_are_swept(tmp_path: Path) -> None:
    kept = ["layer.zip", "layer.json", ".layer-b.zip.12ab34cd.tmp", ".layer.zip.txt", "a.tmp"]
    for name in [*kept, ".layer.zip.12ab34cd.tmp", ".layer.zip.00000000.tmp"]:
        (tmp_path / name).touch()

    prepare(tmp_path / "layer.zip")

    assert names(tmp_path) == sorted(kept)


@pytest.mark.fault(67, 72)
@pytest.mark.parametrize("locks", [True, False])
def test_what_another_build_is_writing_is_not_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, locks: bool
) -> None:
    class Meanwhile(LayerTree):
        def __iter__(self) -> Iterator[Entry]:
            prepare(tmp_path / "layer.zip")
            yield from self.entries

    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    if not locks:
        monkeypatch.setattr(fcntl, "flock", no_locks)
    written(Meanwhile((made("a", NOISE),)), tmp_path / "layer.zip")
    assert names(tmp_path) == ["layer.zip"]
