"""Locks between processes: the second one waits, and a dead one holds nothing."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer._internal.filelock import locked, try_lock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_flock = fcntl.flock

_HOLD = """
import subprocess, sys
from pathlib import Path
from hatch_lambda_layer._internal.filelock import locked

folders = [Path(path) for path in sys.argv[3:]]
with locked(folders, Path(sys.argv[2]), lambda: print("waits", flush=True)):
    if sys.argv[1] == "with-child":
        # Like the programs that a build starts: it lives on when the build is killed.
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(5)"], stdout=2)
    print("holds", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def process_with(*paths: Path, mode: str = "alone") -> Iterator[subprocess.Popen[str]]:
    """Start a process that locks the folders `paths` until it gets a line."""
    argv = [sys.executable, "-c", _HOLD, mode, str(paths[0].parent / "instead"), *map(str, paths)]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        yield process
        process.kill()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def release(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")


def waits_of(*paths: Path) -> int:
    """Take the locks, and return how often waiting was announced."""
    calls: list[None] = []
    with locked(paths, paths[0].parent / "instead", lambda: calls.append(None)):
        return len(calls)


def test_a_free_lock_is_taken_without_a_word(tmp_path: Path) -> None:
    assert waits_of(tmp_path / "made" / "on the way" / "lock") == 0


@pytest.mark.fault(43)
def test_a_lock_leaves_nothing_behind_and_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    assert waits_of(tmp_path / "there", tmp_path / "made" / "on the way") == 0
    assert list(tmp_path.rglob("*")) == [tmp_path / "there"]


@pytest.mark.fault(43)
def test_what_was_written_into_a_locked_folder_stays(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    with locked([folder], tmp_path / "instead", lambda: None):
        (folder / "file").write_bytes(b"")
    assert [path.name for path in folder.iterdir()] == ["file"]


@pytest.mark.fault(43)
def test_a_folder_that_was_removed_while_another_waited_for_it_is_made_and_locked_again(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "made"
    with process_with(folder) as first, process_with(folder) as second:
        assert {said(first), said(second)} == {"holds", "waits"}
        waiting, holding = (second, first)
        release(holding)
        release(waiting)
        assert holding.wait(5) == waiting.wait(5) == 0
    assert not folder.exists()


def _no_locks(*_: object) -> None:
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


def _no_locks_on_folders(handle: int, operation: int) -> None:
    if stat.S_ISDIR(os.fstat(handle).st_mode):
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    _flock(handle, operation)


def test_where_no_folder_can_be_locked_a_file_elsewhere_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "flock", _no_locks_on_folders)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    for _ in range(2):
        assert waits_of(tmp_path / "a", tmp_path / "b") == 0
    assert [path.read_bytes() for path in (tmp_path / "instead").iterdir()] == [b"", b""]
    (path, _) = sorted((tmp_path / "instead").iterdir())
    with path.open("r+b") as file:
        assert try_lock(file)
        timer = threading.Timer(0.3, file.close)
        timer.start()
        assert waits_of(tmp_path / "a", tmp_path / "b") == 1
        timer.join()


def test_where_nothing_can_be_locked_nobody_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "flock", _no_locks)
    with locked([tmp_path], tmp_path / "instead", lambda: pytest.fail("it waits")):
        assert waits_of(tmp_path) == 0


def test_without_a_place_for_a_lock_nobody_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "flock", _no_locks_on_folders)
    (tmp_path / "instead").write_bytes(b"a file")
    assert waits_of(tmp_path / "folder") == 0


def test_a_lock_is_free_after_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        locked([tmp_path / "lock"], tmp_path / "instead", lambda: None),
    ):
        raise ZeroDivisionError
    assert waits_of(tmp_path / "lock") == 0


def test_a_lock_counts_within_one_process(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("a+b") as first, (tmp_path / "lock").open("a+b") as second:
        assert try_lock(first)
        assert not try_lock(second)
        first.close()
        assert try_lock(second)


@pytest.mark.fault(43)
def test_the_second_process_says_once_that_it_waits_and_then_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with process_with(path) as first:
        assert said(first) == "holds"
        with process_with(path) as second:
            assert said(second) == "waits"
            time.sleep(0.3)  # several tries
            release(first)
            assert said(second) == "holds"


@pytest.mark.fault(43)
def test_several_locks_are_waited_for_one_after_the_other(tmp_path: Path) -> None:
    paths = [tmp_path / "a", tmp_path / "b"]
    with process_with(paths[0]) as first, process_with(paths[1]) as second:
        assert said(first) == said(second) == "holds"
        with process_with(*paths) as third:
            assert said(third) == "waits"
            release(first)
            time.sleep(0.2)
            release(second)
            assert said(third) == "holds"


@pytest.mark.fault(41)
@pytest.mark.parametrize("mode", ["alone", "with-child"])
def test_the_lock_of_a_killed_process_is_free(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "lock"
    with process_with(path, mode=mode) as holder:
        assert said(holder) == "holds"
        waiting = threading.Timer(0.3, holder.send_signal, [signal.SIGKILL])
        waiting.start()
        start = time.monotonic()
        assert waits_of(path) == 1
        assert 0.2 < time.monotonic() - start < 4
        waiting.join()


@pytest.mark.fault(42)
def test_an_interrupt_is_heard_while_waiting(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with process_with(path) as first:
        assert said(first) == "holds"
        with process_with(path) as second:
            assert said(second) == "waits"
            second.send_signal(signal.SIGTERM)
            assert second.wait(timeout=5) == -signal.SIGTERM
        assert waits_of(tmp_path / "another") == 0
        assert first.poll() is None
