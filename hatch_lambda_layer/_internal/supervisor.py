"""Programs that end with all that they have started, and with this process however it ends.

On POSIX, a supervisor (`_supervisor.py`), in a session of its own, is the parent of the program.
It reads a pipe that only this process can write to: the system closes it when this process is
killed. On Windows, a job object does the same.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# A little longer than the supervisor tries to kill what does not end.
_SECONDS_TO_END = 12.0
# Python sets it where no locale is set; the program should not notice who has started it.
_COERCED = "LC_CTYPE"

if sys.platform == "win32":
    from .job import Job

    class _Guard:
        """Starts a program in a job of its own."""

        def start(
            self, argv: Sequence[str], cwd: Path, env: Mapping[str, str]
        ) -> subprocess.Popen[bytes]:
            self._job = Job()
            return self._job.start(argv, cwd, env)

        def code(self, process: subprocess.Popen[bytes]) -> int:
            self._job.end()
            return int(process.returncode)

        def end(self) -> None:
            self._job.end()

else:

    class _Guard:
        """Starts a program through a supervisor."""

        _control = _status = -1

        def start(
            self, argv: Sequence[str], cwd: Path, env: Mapping[str, str]
        ) -> subprocess.Popen[bytes]:
            control, self._control = os.pipe()
            self._status, status = os.pipe()
            unset = "" if _COERCED in env else _COERCED
            script = str(Path(__file__).with_name("_supervisor.py"))
            supervisor = [sys.executable, "-I", "-S", script, str(control), str(status), unset]
            try:
                return subprocess.Popen(
                    [*supervisor, *argv],
                    cwd=cwd,
                    env=dict(env),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    pass_fds=(control, status),
                    # Ctrl-C in the terminal reaches this process alone, which then ends the rest.
                    start_new_session=True,
                )
            finally:
                os.close(control)
                os.close(status)

        def code(self, process: subprocess.Popen[bytes]) -> int:
            said = os.read(self._status, 64).decode()
            if said.startswith("errno"):
                number = int(said.split()[1])
                raise OSError(number, os.strerror(number))
            # It says nothing when it is killed itself.
            return int(said or process.returncode)

        def end(self) -> None:
            for descriptor in (self._control, self._status):
                with suppress(OSError):
                    os.close(descriptor)
            self._control = self._status = -1


class SupervisedProcess:
    """A running program with all that it starts; at the end of the context none of it runs."""

    def __init__(self, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> None:
        """Start the program; raise `OSError` if the supervisor can't be started."""
        self._guard = _Guard()
        try:
            self._process = self._guard.start(argv, cwd, env)
        except BaseException:
            self._guard.end()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._guard.end()
        try:
            self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        finally:
            for pipe in (self._process.stdout, self._process.stderr):
                if pipe is not None:
                    pipe.close()

    def communicate(self, seconds: float) -> tuple[int, bytes, bytes]:
        """Wait for the program to end; return its exit code, its output and its errors.

        Raises `OSError` if it can't be started, and `subprocess.TimeoutExpired`.
        """
        output, errors = self._process.communicate(timeout=seconds)
        return self._guard.code(self._process), output, errors
