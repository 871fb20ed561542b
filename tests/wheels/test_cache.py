"""The cache: what is put in comes out as it was verified, or counts as absent."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer._internal.console import Console
from hatch_lambda_layer._internal.store import Store
from hatch_lambda_layer.exceptions import CacheError
from hatch_lambda_layer.wheels.cache import WheelCache
from hatch_lambda_layer.wheels.fetch import collect_wheels
from hatch_lambda_layer.wheels.selection import LockedWheel
from hatch_lambda_layer.wheels.verify import verify_wheel
from hatch_lambda_layer.wheels.wheel import read_member
from tests.support.displays import Lines
from tests.support.elf_factory import ElfSpec
from tests.support.index_server import IndexServer
from tests.support.wheel_factory import EXECUTABLE_FILE, STORED, Member, WheelSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hatch_lambda_layer.wheels.wheel import Wheel

WHEEL = WheelSpec(
    name="Alpha.Pkg",
    version="1.2",
    requires_dist=["beta>=1", 'gamma; extra == "x"'],
    extra_metadata="Provides-Extra: x\n",
    files={
        "alpha/__init__.py": b"",
        "alpha/ünï.py": b"x = 1\n" * 1000,
        "alpha/data.bin": Member("alpha/data.bin", b"stored", STORED),
        "alpha/tool": Member("alpha/tool", b"#!/bin/sh\n", mode=EXECUTABLE_FILE),
    },
)
LOCKED = LockedWheel(
    name="alpha-pkg",
    version="1.2",
    filename=WHEEL.filename,
    sha256=WHEEL.sha256,
    size=len(WHEEL.data),
    location="https://index.invalid/alpha.whl",
    index_url=None,
)

_INSERT_OFTEN = """
import sys
from pathlib import Path
from hatch_lambda_layer._internal.store import Store
from hatch_lambda_layer.wheels.cache import WheelCache
from hatch_lambda_layer.wheels.verify import verify_wheel

cache = WheelCache(Store(Path(sys.argv[1])))
data = Path(sys.argv[2]).read_bytes()
for _ in range(60):
    with cache.store.temporary() as temporary:
        temporary.file.write(data)
        temporary.file.flush()
        cache.insert(temporary, verify_wheel(temporary.path, sys.argv[3], sys.argv[4]))
"""


@pytest.fixture
def cache(cache_dir: Path) -> WheelCache:
    return WheelCache(Store(cache_dir))


def insert(cache: WheelCache, data: bytes = WHEEL.data) -> Wheel:
    """Verify the wheel in a temporary file and put it in."""
    with cache.store.temporary() as temporary:
        temporary.file.write(data)
        temporary.file.flush()
        return cache.insert(temporary, verify_wheel(temporary.path, WHEEL.filename, WHEEL.sha256))


def temporaries(cache: WheelCache) -> list[Path]:
    return list((cache.store.root / "v2" / "tmp").iterdir())


def verification(cache: WheelCache) -> tuple[list[object], list[object]]:
    """Return the facts and the fields of the verification as it is kept."""
    note = cache.store.note("wheels", WHEEL.sha256)
    assert note is not None
    *facts, fields = json.loads(note)
    return facts, fields


def keep(cache: WheelCache, facts: list[object], fields: list[object]) -> None:
    """Replace the verification, as somebody who knows of the checksum could."""
    cache.store.put_note("wheels", WHEEL.sha256, json.dumps([*facts, fields]).encode())


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[IndexServer]:
    monkeypatch.setenv("NO_PROXY", "*")
    with IndexServer() as running:
        running.add(WHEEL)
        yield running


def collect(cache: WheelCache, server: IndexServer) -> Wheel:
    wanted = LOCKED._replace(location=server.file_url(WHEEL.filename))
    (wheel,) = collect_wheels([wanted], cache, Console(Lines()))
    assert wheel.file.read_bytes() == WHEEL.data
    assert wheel == verify_wheel(wheel.file, WHEEL.filename, WHEEL.sha256)
    return wheel


def test_what_was_verified_is_read_again_as_it_was(cache: WheelCache) -> None:
    assert cache.wheel(LOCKED) is None
    inserted = insert(cache)
    found = WheelCache(Store(cache.store.root)).wheel(LOCKED)
    assert found == inserted
    assert inserted == verify_wheel(inserted.file, WHEEL.filename, WHEEL.sha256)
    assert inserted.file.read_bytes() == WHEEL.data
    assert [member.executable for member in inserted.members].count(True) == 1
    assert temporaries(cache) == []


def test_a_wheel_lies_under_its_hash_alone(cache: WheelCache) -> None:
    file = insert(cache).file
    assert file.parent.name == WHEEL.sha256
    assert cache.store.root in file.parents


def test_the_same_bytes_under_another_filename_are_verified_again(cache: WheelCache) -> None:
    insert(cache)
    renamed = LOCKED._replace(filename=WHEEL.filename.replace("1.2", "1.3"))
    assert cache.wheel(renamed) is None


def test_inserting_twice_leaves_one_sound_wheel(cache: WheelCache) -> None:
    insert(cache)
    insert(cache)
    assert cache.wheel(LOCKED) is not None


def _grow(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def _flip(path: Path) -> None:
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])


def _flip_all(path: Path) -> None:
    path.write_bytes(bytes(each ^ 1 for each in path.read_bytes()))


def _flip_and_keep_the_time(path: Path) -> None:
    status = path.stat()
    _flip(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_mtime_ns == status.st_mtime_ns


def _touch(path: Path) -> None:
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))


def _restore(path: Path) -> None:
    """Put a copy with the same time in its place, as a backup does."""
    copy = path.with_name("copy")
    shutil.copy2(path, copy)
    copy.replace(path)


@pytest.mark.fault(69)
@pytest.mark.parametrize(
    "change", [_grow, _flip, _flip_and_keep_the_time, lambda path: path.unlink()]
)
def test_a_wheel_that_was_changed_counts_as_absent_and_is_fetched_again(
    cache: WheelCache, server: IndexServer, change: Callable[[Path], None]
) -> None:
    first = collect(cache, server)
    change(first.file)
    assert cache.wheel(LOCKED) is None
    assert collect(cache, server) == first
    assert len(server.requests) == 2
    assert cache.wheel(LOCKED) == first


@pytest.mark.fault(73)
@pytest.mark.parametrize("change", [_touch, _restore, lambda path: path.chmod(0o400)])
def test_a_wheel_whose_status_alone_was_changed_is_hashed_again_and_not_fetched(
    cache: WheelCache, server: IndexServer, change: Callable[[Path], None]
) -> None:
    first = collect(cache, server)
    change(first.file)
    assert cache.wheel(LOCKED) is None
    assert collect(cache, server) == first
    assert len(server.requests) == 1
    # And only once: what is known of it is true again.
    assert cache.wheel(LOCKED) == first


@pytest.mark.fault(73)
def test_a_wheel_whose_verification_is_lost_is_verified_again_and_not_fetched(
    cache: WheelCache, server: IndexServer
) -> None:
    first = collect(cache, server)
    first.file.with_name("note").unlink()
    assert collect(cache, server) == first
    assert len(server.requests) == 1
    assert cache.wheel(LOCKED) == first


def _rot(cache: WheelCache, file: Path) -> None:
    """Change the file, and let the cache believe that it was so when it was verified."""
    _flip(file)
    (schema, filename, _), fields = verification(cache)
    status = file.stat()
    now = [status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns]
    keep(cache, [schema, filename, now], fields)
    assert cache.wheel(LOCKED) is not None


@pytest.mark.fault(69)
def test_where_all_wheels_are_hashed_nothing_that_a_disk_has_changed_is_used(
    cache: WheelCache, server: IndexServer
) -> None:
    first = collect(cache, server)
    hashing = WheelCache(cache.store, hash_all=True)
    assert collect(hashing, server) == first
    assert len(server.requests) == 1
    _rot(cache, first.file)
    assert collect(hashing, server) == first
    assert len(server.requests) == 2


@pytest.mark.fault(74)
@pytest.mark.parametrize("part", [".", "v2"])
@pytest.mark.parametrize("how", ["mode", "owner"])
def test_in_a_cache_that_others_can_write_no_verification_is_believed(
    cache: WheelCache, server: IndexServer, part: str, how: str
) -> None:
    first = collect(cache, server)
    facts, (*fields, members) = verification(cache)
    assert isinstance(members, list)
    members[0][0] = "another/name.py"
    keep(cache, facts, [*fields, members])
    believed = cache.wheel(LOCKED)
    assert believed is not None
    assert believed != first
    folder = cache.store.root / part
    if how == "mode":
        folder.chmod(0o770)
    elif os.geteuid() == 0:
        os.chown(folder, 12345, -1)
    else:
        pytest.skip("only root can give a folder away")
    untrusted = WheelCache(Store(cache.store.root))
    assert untrusted.wheel(LOCKED) is None
    assert collect(untrusted, server) == first
    assert len(server.requests) == 1
    _grow(first.file)
    assert collect(untrusted, server) == first
    assert len(server.requests) == 2


@pytest.mark.fault(70)
@pytest.mark.parametrize(
    "path",
    [
        "../../../evil",
        "/evil",
        "a/../../evil",
        "a//b",
        "a/./b",
        "..",
        "a\\b",
        "a\nb",
        "C:evil",
        "a/..",
    ],
)
def test_a_verification_whose_paths_lead_elsewhere_counts_as_absent(
    cache: WheelCache, path: str
) -> None:
    first = insert(cache)
    facts, (*fields, members) = verification(cache)
    assert isinstance(members, list)
    for position in (0, -1):
        edited = [list(member) for member in members]
        edited[position][0] = path
        keep(cache, facts, [*fields, edited])
        assert cache.wheel(LOCKED) is None
    keep(cache, facts, [*fields, members])
    assert cache.wheel(LOCKED) == first


@pytest.mark.fault(70)
@pytest.mark.parametrize("text", [b"", b"{", b"null", b"\xff\xfe", b"[" * 200_000])
def test_a_verification_that_can_not_be_read_counts_as_absent(
    cache: WheelCache, text: bytes
) -> None:
    note = insert(cache).file.with_name("note")
    note.write_bytes(text)
    assert cache.wheel(LOCKED) is None
    cache.store.put_note("wheels", WHEEL.sha256, text)
    assert cache.wheel(LOCKED) is None
    assert insert(cache) == cache.wheel(LOCKED)


@pytest.mark.parametrize("index", range(7))
def test_a_verification_that_lacks_something_counts_as_absent(
    cache: WheelCache, index: int
) -> None:
    insert(cache)
    facts, fields = verification(cache)
    del fields[index]
    keep(cache, facts, fields)
    assert cache.wheel(LOCKED) is None


def test_a_verification_of_half_a_member_counts_as_absent(cache: WheelCache) -> None:
    insert(cache)
    facts, (*fields, members) = verification(cache)
    assert isinstance(members, list)
    members[0].pop()
    keep(cache, facts, [*fields, members])
    assert cache.wheel(LOCKED) is None


NATIVE = WheelSpec(
    name="native",
    tag="cp313-cp313-manylinux_2_17_x86_64",
    files={
        "native/_x.abi3.so": ElfSpec(module="_x", libraries=["libz.so.1"]).data,
        "native/broken.so": ElfSpec().data[:90],
        "native/__init__.py": b"",
    },
)


def test_the_facts_about_native_code_are_kept_with_the_verification(
    cache: WheelCache, tmp_path: Path
) -> None:
    locked = LockedWheel("native", "1.0", NATIVE.filename, NATIVE.sha256, None, "", None)
    with cache.store.temporary() as temporary:
        temporary.file.write(NATIVE.data)
        temporary.file.flush()
        wheel = verify_wheel(temporary.path, NATIVE.filename, NATIVE.sha256)
        inserted = cache.insert(temporary, wheel)
    assert cache.wheel(locked) == inserted
    paths = {member.sha256: member.path for member in wheel.members}
    facts = {paths[sha256]: elf for sha256, elf in inserted.native}
    assert facts.keys() == {"native/_x.abi3.so", "native/broken.so"}
    assert facts["native/_x.abi3.so"].libraries == ("libz.so.1",)
    assert facts["native/broken.so"].broken == "it ends too early"
    note = inserted.file.with_name("note")
    text = cache.store.note("wheels", NATIVE.sha256)
    assert text is not None
    for edited in (text.replace(b'["libz.so.1"]', b"null"), text.replace(b'"x86_64",64,', b"64,")):
        assert edited != text
        cache.store.put_note("wheels", NATIVE.sha256, edited)
        assert note.exists()
        assert cache.wheel(locked) is None


def test_a_sweep_leaves_the_wheels(cache: WheelCache) -> None:
    cache.store.sweep()  # of nothing
    wheel = insert(cache)
    cache.store.sweep()
    assert cache.wheel(LOCKED) == wheel


@pytest.mark.fault(43)
def test_processes_that_insert_one_wheel_at_once_never_show_half_of_it(
    cache: WheelCache, tmp_path: Path
) -> None:
    source = WHEEL.write(tmp_path)
    argv = [sys.executable, "-c", _INSERT_OFTEN, str(cache.store.root), str(source)]
    argv += [WHEEL.filename, WHEEL.sha256]
    writers = [subprocess.Popen(argv) for _ in range(2)]
    seen = 0
    while any(writer.poll() is None for writer in writers):
        if (found := cache.wheel(LOCKED)) is not None:
            seen += 1
            assert hashlib.sha256(found.file.read_bytes()).hexdigest() == WHEEL.sha256
            assert len(found.members) == len(WHEEL.members)
        cache.store.sweep()
    assert [writer.returncode for writer in writers] == [0, 0]
    assert seen > 0
    assert temporaries(cache) == []
    assert insert(cache) == cache.wheel(LOCKED)


@pytest.mark.fault(68)
@pytest.mark.parametrize("change", [_flip_all, lambda path: path.unlink()], ids=["bytes", "gone"])
def test_a_member_of_a_wheel_that_has_changed_is_not_read(
    cache: WheelCache, change: Callable[[Path], None]
) -> None:
    wheel = insert(cache)
    (member,) = (each for each in wheel.members if each.path == "alpha/ünï.py")
    assert read_member(wheel, member) == b"x = 1\n" * 1000
    change(wheel.file)
    with pytest.raises(CacheError, match=WHEEL.sha256):
        read_member(wheel, member)
