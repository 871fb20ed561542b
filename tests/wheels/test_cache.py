"""The cache: what is put in comes out as it was proved, or counts as absent."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer._internal.console import Console
from hatch_lambda_layer.exceptions import CacheError
from hatch_lambda_layer.wheels.cache import Cache, default_cache_dir
from hatch_lambda_layer.wheels.fetch import collect_wheels
from hatch_lambda_layer.wheels.selection import LockedSource, LockedWheel, Selection
from hatch_lambda_layer.wheels.verify import prove
from tests.support.displays import Lines
from tests.support.index_server import IndexServer
from tests.support.wheel_factory import EXECUTABLE_FILE, STORED, Member, WheelSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
from hatch_lambda_layer.wheels.cache import Cache
from hatch_lambda_layer.wheels.verify import prove

cache, data = Cache(Path(sys.argv[1])), Path(sys.argv[2]).read_bytes()
for _ in range(60):
    with cache.temporary() as temporary:
        temporary.file.write(data)
        temporary.file.flush()
        cache.insert(temporary, prove(temporary.path, sys.argv[3], sys.argv[4]))
"""

_HOLD_TEMPORARY = """
import sys, time
from pathlib import Path
from hatch_lambda_layer.wheels.cache import Cache

with Cache(Path(sys.argv[1])).temporary() as temporary:
    temporary.file.write(b"half")
    print(temporary.path, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def cache(cache_dir: Path) -> Cache:
    return Cache(cache_dir)


def insert(cache: Cache, data: bytes = WHEEL.data) -> Wheel:
    """Prove the wheel in a temporary file and put it in."""
    with cache.temporary() as temporary:
        temporary.file.write(data)
        temporary.file.flush()
        return cache.insert(temporary, prove(temporary.path, WHEEL.filename, WHEEL.sha256))


def proof_of(wheel: Wheel) -> Path:
    return wheel.file.with_suffix(".json")


def temporaries(cache: Cache) -> list[Path]:
    return list((cache.root / "v1" / "tmp").iterdir())


@pytest.fixture
def holder(cache: Cache) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Another process that is writing a temporary file, and the path of that file."""
    argv = [sys.executable, "-c", _HOLD_TEMPORARY, str(cache.root)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        path = Path(process.stdout.readline().strip())
        yield process, path
        process.kill()


def test_what_was_proved_is_read_again_as_it_was(cache: Cache) -> None:
    assert cache.wheel(LOCKED) is None
    inserted = insert(cache)
    found = Cache(cache.root).wheel(LOCKED)
    assert found == inserted
    assert inserted == prove(inserted.file, WHEEL.filename, WHEEL.sha256)
    assert inserted.file.read_bytes() == WHEEL.data
    assert [member.executable for member in inserted.members].count(True) == 1
    assert temporaries(cache) == []


def test_a_wheel_lies_under_its_hash_alone(cache: Cache) -> None:
    file = insert(cache).file
    assert file.name == f"{WHEEL.sha256}.whl"
    assert cache.root in file.parents


def test_the_same_bytes_under_another_filename_are_proved_again(cache: Cache) -> None:
    insert(cache)
    renamed = LOCKED._replace(filename=WHEEL.filename.replace("1.2", "1.3"))
    assert cache.wheel(renamed) is None


def test_inserting_twice_leaves_one_sound_wheel(cache: Cache) -> None:
    insert(cache)
    insert(cache)
    assert cache.wheel(LOCKED) is not None


def _grow(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def _flip(path: Path) -> None:
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])


def _touch(path: Path) -> None:
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))


@pytest.mark.parametrize(
    "change", [_grow, _flip, _touch, lambda path: path.unlink()], ids=["size", "bytes", "mtime", ""]
)
def test_a_wheel_that_was_changed_counts_as_absent_and_is_fetched_again(
    cache: Cache, change: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
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


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"{}",
        b"[]",
        b"null",
        b"\xff\xfe",
        json.dumps({"size": len(WHEEL.data)}).encode(),
    ],
)
def test_a_proof_that_can_not_be_read_counts_as_absent(cache: Cache, text: bytes) -> None:
    proof_of(insert(cache)).write_bytes(text)
    assert cache.wheel(LOCKED) is None
    assert insert(cache) == cache.wheel(LOCKED)


@pytest.mark.parametrize("key", ["size", "mtime_ns", "filename", "dist_info", "members", "name"])
def test_a_proof_that_lacks_something_counts_as_absent(cache: Cache, key: str) -> None:
    path = proof_of(insert(cache))
    proof = json.loads(path.read_bytes())
    del proof[key]
    path.write_text(json.dumps(proof), encoding="utf-8")
    assert cache.wheel(LOCKED) is None


def test_a_proof_of_half_a_member_counts_as_absent(cache: Cache) -> None:
    path = proof_of(insert(cache))
    proof = json.loads(path.read_bytes())
    proof["members"][0].pop()
    path.write_text(json.dumps(proof), encoding="utf-8")
    assert cache.wheel(LOCKED) is None


def test_a_selection_is_given_again_as_it_was_kept(cache: Cache) -> None:
    other = LOCKED._replace(size=None, index_url="https://index.invalid/simple/")
    source = LockedSource(
        name="src",
        version=None,
        kind="vcs",
        location="https://index.invalid/src.git",
        sha256=None,
        commit="0" * 40,
        subdirectory="lib",
        index_url=None,
        reason="src is a git repository",
    )
    selection = Selection(wheels=(LOCKED, other), sources=(source,))
    assert cache.selection("key") is None
    cache.keep_selection("key", selection)
    assert Cache(cache.root).selection("key") == selection
    assert cache.selection("another") is None


@pytest.mark.parametrize("text", [b"", b"[", b"[[1]]", b"5", b"null", b"\xff"])
def test_a_selection_that_can_not_be_read_counts_as_absent(cache: Cache, text: bytes) -> None:
    cache.keep_selection("key", Selection(wheels=(LOCKED,), sources=()))
    (path,) = (cache.root / "v1" / "selections").iterdir()
    path.write_bytes(text)
    assert cache.selection("key") is None


def test_a_temporary_file_goes_with_its_block(cache: Cache) -> None:
    with cache.temporary() as temporary:
        assert temporaries(cache) == [temporary.path]
    assert temporaries(cache) == []
    with pytest.raises(ZeroDivisionError), cache.temporary():
        raise ZeroDivisionError
    assert temporaries(cache) == []


@pytest.mark.fault(41)
def test_a_sweep_removes_what_has_no_owner_any_more(
    cache: Cache, holder: tuple[subprocess.Popen[str], Path]
) -> None:
    process, theirs = holder
    with cache.temporary() as ours:
        cache.sweep()
        assert sorted(temporaries(cache)) == sorted([ours.path, theirs])
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert theirs.exists()
        cache.sweep()
        assert temporaries(cache) == [ours.path]


def test_a_sweep_leaves_the_wheels(cache: Cache) -> None:
    cache.sweep()  # of nothing
    wheel = insert(cache)
    cache.sweep()
    assert cache.wheel(LOCKED) == wheel


@pytest.mark.fault(43)
def test_processes_that_insert_one_wheel_at_once_never_show_half_of_it(
    cache: Cache, tmp_path: Path
) -> None:
    source = WHEEL.write(tmp_path)
    argv = [sys.executable, "-c", _INSERT_OFTEN, str(cache.root), str(source)]
    argv += [WHEEL.filename, WHEEL.sha256]
    writers = [subprocess.Popen(argv) for _ in range(2)]
    seen = 0
    while any(writer.poll() is None for writer in writers):
        if (found := cache.wheel(LOCKED)) is not None:
            seen += 1
            assert hashlib.sha256(found.file.read_bytes()).hexdigest() == WHEEL.sha256
            assert len(found.members) == len(WHEEL.members)
        cache.sweep()
    assert [writer.returncode for writer in writers] == [0, 0]
    assert seen > 0
    assert temporaries(cache) == []
    assert insert(cache) == cache.wheel(LOCKED)


@pytest.mark.fault(40)
@pytest.mark.parametrize("blocked", [".", "v1", "v1/tmp", "v1/wheels"])
def test_a_cache_that_can_not_be_written_is_reported(cache: Cache, blocked: str) -> None:
    # A file where a folder should be: what holds even for root, whom no permission keeps out.
    path = cache.root / blocked
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    with pytest.raises(CacheError, match="can't be written") as caught:
        insert(cache)
    assert str(cache.root) in str(caught.value)
    assert "HATCH_LAMBDA_LAYER_CACHE_DIR" in str(caught.value)


def test_the_folder_is_the_one_that_the_variable_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HATCH_LAMBDA_LAYER_CACHE_DIR", "some/where")
    assert default_cache_dir() == tmp_path / "some" / "where"


def test_the_folder_is_else_the_usual_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HATCH_LAMBDA_LAYER_CACHE_DIR")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert default_cache_dir().name == "hatch-lambda-layer"
    assert tmp_path in default_cache_dir().parents
