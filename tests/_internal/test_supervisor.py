"""Programs end with all that they have started, whatever becomes of this process."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer._internal.filelock import try_lock
from hatch_lambda_layer._internal.process import run
from hatch_lambda_layer.exceptions import ToolError, ToolTimeoutError
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sessions and signals are of POSIX")

# Starts a process that is neither a child, nor in its session, nor holds one of its pipes; that
# one keeps a lock, which the system drops when it ends.
STARTER = """
import os, pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        import fcntl
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        lock = open(folder / 'lock', 'w')
        fcntl.flock(lock, fcntl.LOCK_EX)
        (folder / 'running').touch()
        time.sleep(120)
    os._exit(0)
while not (folder / 'running').exists():
    time.sleep(0.01)
time.sleep(float(sys.argv[2]))
"""
CALLER = f"""
import sys, pathlib
from hatch_lambda_layer._internal.process import run
run([sys.executable, '-c', {STARTER!r}, sys.argv[1], '120'], cwd=pathlib.Path(), env={{}})
"""


def is_over(folder: Path) -> bool:
    with (folder / "lock").open("rb") as lock:
        return try_lock(lock)


@pytest.mark.fault(76)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_all_that_a_program_has_started_ends_with_this_process(
    tmp_path: Path, number: signal.Signals
) -> None:
    command = [sys.executable, "-c", CALLER, str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as caller:
        wait_until((tmp_path / "running").exists)
        assert not is_over(tmp_path)
        start = time.monotonic()
        caller.send_signal(number)
        caller.wait()
    wait_until(lambda: is_over(tmp_path))
    assert time.monotonic() - start < 5


@pytest.mark.fault(76)
def test_what_a_program_leaves_running_ends_with_it(tmp_path: Path) -> None:
    run([sys.executable, "-c", STARTER, str(tmp_path), "0"], cwd=tmp_path, env={})
    assert is_over(tmp_path)


@pytest.mark.fault(76, 79)
def test_a_program_whose_time_is_up_ends_with_all_that_it_has_started(tmp_path: Path) -> None:
    starter = f"print('so far', flush=True)\n{STARTER}"
    start = time.monotonic()
    with pytest.raises(ToolTimeoutError) as caught:
        run([sys.executable, "-c", starter, str(tmp_path), "60"], cwd=tmp_path, env={}, timeout=3)
    assert time.monotonic() - start < 10
    assert is_over(tmp_path)
    assert "not done after 3 seconds" in str(caught.value)
    assert caught.value.said == "so far"


@pytest.mark.fault(79)
def test_a_program_without_a_supervisor_has_a_deadline_too(tmp_path: Path) -> None:
    with pytest.raises(ToolTimeoutError, match="not done after 1 seconds"):
        run(["sleep", "60"], cwd=tmp_path, env={}, timeout=1, supervised=False)


def test_a_program_does_not_notice_its_supervisor(tmp_path: Path) -> None:
    # Variables, ignored signals (not those that the C library has for itself), open files.
    code = (
        "import os, signal\n"
        "print(open('/proc/self/environ').read(), os.listdir('/proc/self/fd'))\n"
        "shown = [n for n in range(1, 32) if signal.getsignal(n) is signal.SIG_IGN]\n"
        "print(shown)\n"
    )
    said = [
        run([sys.executable, "-c", code], cwd=tmp_path, env={"A": "b"}, supervised=supervised)
        for supervised in (True, False)
    ]
    assert said[0] == said[1]
    assert said[0].startswith(b"A=b\0 ")


def test_a_supervisor_that_is_killed_is_reported(tmp_path: Path) -> None:
    code = "import os, signal, time; os.kill(os.getppid(), signal.SIGKILL); time.sleep(0.1)"
    with pytest.raises(ToolError, match="signal 9"):
        run([sys.executable, "-c", code], cwd=tmp_path, env={})
