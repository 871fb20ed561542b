"""The cache: what is put in comes out as it was verified, or counts as absent."""

from __future__ import annotations

import hashlib
import json
import os
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
from tests.support.index_server import IndexServer
from tests.support.wheel_factory import EXECUTABLE_FILE, STORED, Member, WheelSpec

if TYPE_CHECKING:
    from collections.abc import Callable
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


def verification(cache: WheelCache) -> list[list[object]]:
    """Return the result of the verification as it is kept."""
    note = cache.store.note("wheels", WHEEL.sha256)
    assert note is not None
    facts, fields = json.loads(note)
    return [facts, fields]


def keep(cache: WheelCache, verification: object) -> None:
    """Replace the result of the verification, as somebody who knows of the checksum could."""
    cache.store.put_note("wheels", WHEEL.sha256, json.dumps(verification).encode())


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


def _touch(path: Path) -> None:
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))


@pytest.mark.parametrize(
    "change", [_grow, _flip, _touch, lambda path: path.unlink()], ids=["size", "bytes", "mtime", ""]
)
def test_a_wheel_that_was_changed_counts_as_absent_and_is_fetched_again(
    cache: WheelCache, change: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    with IndexServer() as server:
        server.add(WHEEL)
        wanted = LOCKED._replace(location=server.file_url(WHEEL.filename))
        (first,) = collect_wheels([wanted], cache, Console(Lines()))
        change(first.file)
        assert cache.wheel(wanted) is None
        (second,) = collect_wheels([wanted], cache, Console(Lines()))
        assert len(server.requests) == 2
    assert second == first
    assert second.file.read_bytes() == WHEEL.data


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


@pytest.mark.parametrize("index", range(5))
def test_a_verification_that_lacks_something_counts_as_absent(
    cache: WheelCache, index: int
) -> None:
    insert(cache)
    facts, fields = verification(cache)
    del fields[index]
    keep(cache, [facts, fields])
    assert cache.wheel(LOCKED) is None


def test_a_verification_of_half_a_member_counts_as_absent(cache: WheelCache) -> None:
    insert(cache)
    facts, (*fields, members) = verification(cache)
    assert isinstance(members, list)
    members[0].pop()
    keep(cache, [facts, [*fields, members]])
    assert cache.wheel(LOCKED) is None


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
