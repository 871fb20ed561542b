"""The edge: exceptions and signals become a message and an exit code."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer._internal.errors import abort, reported
from hatch_lambda_layer.exceptions import (
    ConfigError,
    Interrupted,
    LambdaLayerError,
    LockfileError,
    SizeError,
)

if TYPE_CHECKING:
    from pathlib import Path


class Screen:
    """A display that ends the program as Hatch's does, and keeps what it has shown."""

    def __init__(self, verbosity: int = 0, *, exits: bool = True) -> None:
        self.verbosity = verbosity
        self.exits = exits
        self.aborted: list[str] = []
        self.details: list[str] = []

    def display_info(self, message: str = "") -> None:
        raise AssertionError(message)

    def display_warning(self, message: str = "") -> None:
        raise AssertionError(message)

    def display_debug(self, message: str = "", level: int = 1) -> None:
        if self.verbosity >= level:
            self.details.append(message)

    def abort(self, message: str = "", code: int = 1) -> None:
        self.aborted.append(message)
        if self.exits:
            sys.exit(code)


def ended_by(error: BaseException, screen: Screen) -> object:
    """Give the exit code of a block that raises `error`."""
    with pytest.raises(SystemExit) as caught, reported(screen):
        raise error
    return caught.value.code


def test_a_block_that_succeeds_shows_nothing() -> None:
    screen = Screen()
    with reported(screen):
        pass
    assert screen.aborted == screen.details == []


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (LambdaLayerError("It broke"), "error: It broke"),
        (LockfileError("It is stale", hint="run `uv lock`"), "error: It is stale\n\nhint: run"),
        (ConfigError(["One is wrong", "two is wrong"]), "error: One is wrong\ntwo is wrong"),
        (SizeError("Too large"), "error: Too large"),
    ],
)
def test_an_error_is_its_message_and_exit_code_one(error: Exception, message: str) -> None:
    screen = Screen()
    assert ended_by(error, screen) == 1
    (shown,) = screen.aborted
    assert shown.startswith(message)
    assert screen.details == []


def test_a_traceback_is_shown_where_details_are_wanted() -> None:
    screen = Screen(verbosity=1)
    assert ended_by(LambdaLayerError("It broke"), screen) == 1
    assert screen.aborted == ["error: It broke"]
    (detail,) = screen.details
    assert detail.startswith("Traceback (most recent call last)")
    assert "LambdaLayerError: It broke" in detail


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/x/y"), "error: /x/y: No space left"),
        (OSError(errno.EIO, "Input/output error"), "error: The system: Input/output error"),
        (OSError("odd"), "error: The system: odd"),
    ],
)
def test_an_error_of_the_system_names_its_file(error: OSError, message: str) -> None:
    screen = Screen()
    assert ended_by(error, screen) == 1
    (shown,) = screen.aborted
    assert shown.startswith(message)


@pytest.mark.fault(42)
def test_control_c_is_130_and_says_what_is_known_of_the_work() -> None:
    screen = Screen()
    assert ended_by(KeyboardInterrupt(), screen) == 130
    noted = KeyboardInterrupt()
    noted.add_note("one of two is done")
    assert ended_by(noted, screen) == 130
    assert screen.aborted == ["error: Interrupted", "error: Interrupted: one of two is done"]


@pytest.mark.fault(42)
def test_sigterm_unwinds_the_block_and_is_143() -> None:
    screen = Screen()
    unwound: list[bool] = []
    before = signal.getsignal(signal.SIGTERM)

    def work() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            threading.Event().wait(10)
        finally:
            unwound.append(True)

    with pytest.raises(SystemExit) as caught, reported(screen):
        work()
    assert caught.value.code == 143
    assert unwound == [True]
    assert screen.aborted == ["error: Interrupted"]
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.fault(77)
def test_nothing_that_handles_failures_handles_an_interruption() -> None:
    def work() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            threading.Event().wait(10)
        except Exception as error:
            raise LambdaLayerError("the source is damaged") from error

    screen = Screen()
    with pytest.raises(SystemExit) as caught, reported(screen):
        work()
    assert caught.value.code == 143
    assert screen.aborted == ["error: Interrupted"]


@pytest.mark.fault(77)
def test_one_control_c_that_comes_twice_is_one() -> None:
    cleaned: list[bool] = []

    def work() -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            threading.Event().wait(10)
        finally:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
            cleaned.append(True)

    screen = Screen()
    with pytest.raises(SystemExit) as caught, reported(screen):
        work()
    assert caught.value.code == 130
    assert cleaned == [True]


@pytest.mark.fault(77)
def test_control_c_stays_ignored_where_it_is_as_in_the_background_of_a_shell() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with reported(Screen()):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_signal_handler_of_the_program_is_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with reported(Screen()):
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


def test_another_thread_than_the_main_one_needs_no_signals() -> None:
    screen = Screen(exits=False)
    codes: list[object] = []

    def work() -> None:
        try:
            with reported(screen):
                raise LambdaLayerError("It broke")
        except SystemExit as end:
            codes.append(end.code)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert codes == [1]
    assert screen.aborted == ["error: It broke"]


def test_the_program_ends_also_where_the_display_does_not_end_it() -> None:
    screen = Screen(exits=False)
    with pytest.raises(SystemExit) as caught:
        abort(screen, Interrupted(143))
    assert caught.value.code == 143
    assert len(screen.aborted) == 1


@pytest.mark.parametrize("error", [RuntimeError("a defect"), SystemExit(7)])
def test_what_is_no_fault_of_the_user_goes_through(error: BaseException) -> None:
    screen = Screen()
    with pytest.raises(type(error)) as caught, reported(screen):
        raise error
    assert caught.value is error
    assert screen.aborted == []


@pytest.mark.fault(42)
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_real_signal_ends_a_real_process_with_its_code(
    tmp_path: Path, name: str, code: int
) -> None:
    script = tmp_path / "work.py"
    script.write_text(
        "import sys, time\n"
        "from tests._internal.test_errors import Screen\n"
        "from hatch_lambda_layer._internal.errors import reported\n"
        "screen = Screen()\n"
        "try:\n"
        "    with reported(screen):\n"
        "        print('up', flush=True)\n"
        "        time.sleep(30)\n"
        "finally:\n"
        "    print(screen.aborted, flush=True)\n",
        encoding="utf-8",
    )
    process = subprocess.Popen(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.Signals[name])
    stdout, stderr = process.communicate(timeout=20)
    assert process.returncode == code
    assert "Interrupted" in stdout
    assert stderr == ""


def test_a_signal_that_comes_in_a_callback_is_not_lost(capsys: pytest.CaptureFixture[str]) -> None:
    class Noisy:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.01)

    with pytest.raises(SystemExit) as caught, reported(Screen()):
        Noisy()
    assert caught.value.code == 143
    assert "Traceback" not in capsys.readouterr().err
