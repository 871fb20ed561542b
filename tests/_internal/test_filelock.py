"""Locks between processes: the second one waits, and a dead one holds nothing."""

from __future__ import annotations

import signal
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

_HOLD = """
import subprocess, sys
from pathlib import Path
from hatch_lambda_layer._internal.filelock import locked

with locked([Path(path) for path in sys.argv[2:]], lambda: print("waits", flush=True)):
    if sys.argv[1] == "with-child":
        # Like the programs that a build starts: it lives on when the build is killed.
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(5)"], stdout=2)
    print("holds", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def process_with(*paths: Path, mode: str = "alone") -> Iterator[subprocess.Popen[str]]:
    """Start a process that locks `paths` until it gets a line."""
    argv = [sys.executable, "-c", _HOLD, mode, *map(str, paths)]
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
    """Take the locks and give how often waiting was announced."""
    calls: list[None] = []
    with locked(paths, lambda: calls.append(None)):
        return len(calls)


def test_a_free_lock_is_taken_without_a_word(tmp_path: Path) -> None:
    assert waits_of(tmp_path / "made" / "on the way" / "lock") == 0


def test_lock_files_stay_and_are_empty(tmp_path: Path) -> None:
    # Removing one would let two processes lock two files of one name.
    paths = [tmp_path / "a", tmp_path / "b"]
    for _ in range(2):
        assert waits_of(*paths) == 0
    assert [path.read_bytes() for path in paths] == [b"", b""]


def test_a_lock_is_free_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locked([tmp_path / "lock"], lambda: None):
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
