"""Running subprocesses, which only this module does, and redacting what they print."""

from __future__ import annotations

import contextlib
import queue
import re
import subprocess
import tempfile
import threading
from typing import IO, TYPE_CHECKING, cast

from ..exceptions import ToolError, ToolTimeoutError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

# How long a program may run for which nobody has set a limit: nothing is waited for for ever.
LONGEST_SECONDS = 3600.0
_LONGEST_LINE = 1 << 16
_CREDENTIALS_IN_URL = re.compile(r"(?<=://)[^/?#\s]+@")
# The query of a URL may hold a secret, as that of a signed URL does. Each search ends at the next
# `://`, so that the time does not grow with the square of their number.
_QUERY_OF_URL = re.compile(r"(://(?:[^\s?#'\":]|:(?!//))*+\?)[^\s#'\"]+")


def redact(text: str) -> str:
    """Return `text` without the user names, passwords and queries of the URLs in it."""
    return _QUERY_OF_URL.sub(r"\1****", _CREDENTIALS_IN_URL.sub("****@", text))


def run(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    timeout: float = LONGEST_SECONDS,
    supervised: bool = True,
) -> bytes:
    """Run `argv` without a shell and return its standard output; see `run_both`."""
    return run_both(argv, cwd=cwd, env=env, timeout=timeout, supervised=supervised)[0]


def run_both(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    timeout: float = LONGEST_SECONDS,
    supervised: bool = True,
) -> tuple[bytes, str]:
    """Run `argv` without a shell; return its standard output and its redacted standard error.

    The program gets no standard input, so that it can never wait for an answer. When this process
    is interrupted or killed, when the program ends or `timeout` seconds have passed, all that it
    has started is killed, too. That takes a supervisor (10 ms); without, what is killed is the
    program alone, and only while this process can do it.

    Raises `ToolError`, with the redacted output, if the program fails or can't be started, and
    `ToolTimeoutError` if its time is up.
    """
    name = re.split(r"[/\\]", argv[0])[-1]
    command = redact(" ".join([name, *argv[1:]]))
    call = _run_supervised if supervised else _run_alone
    try:
        code, output, errors = call(argv, cwd, env, timeout)
    except OSError as error:
        raise ToolError(command, f"it could not be started: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        said = redact((error.stderr or error.stdout or b"").decode("utf-8", "replace"))
        raise ToolTimeoutError(command, said, timeout) from error
    if code == 0:
        return output, redact(errors.decode("utf-8", "replace"))
    said = errors.decode("utf-8", "replace") or output.decode("utf-8", "replace")
    if code < 0:
        said = f"{said}\nit was ended by signal {-code}"
    raise ToolError(command, redact(said) or f"exit code {code}")


def _run_supervised(
    argv: Sequence[str], cwd: Path, env: Mapping[str, str], timeout: float
) -> tuple[int, bytes, bytes]:
    from .supervisor import SupervisedProcess

    with SupervisedProcess(argv, cwd=cwd, env=env) as process:
        return process.communicate(timeout)


def _run_alone(
    argv: Sequence[str], cwd: Path, env: Mapping[str, str], timeout: float
) -> tuple[int, bytes, bytes]:
    done = subprocess.run(
        list(argv),
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=timeout,
    )
    return done.returncode, done.stdout, done.stderr


class Conversation:
    """A running program that is sent lines, and answers in lines.

    It is in a session of its own: Ctrl-C in the terminal reaches this process alone, which decides
    what becomes of the program. However this process ends, the program sees the end of its input.
    """

    def __init__(self, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> None:
        """Start the program; raise `ToolError` if that fails."""
        self.command = redact(" ".join([re.split(r"[/\\]", argv[0])[-1], *argv[1:]]))
        # Not a pipe: a full pipe that nobody reads would make the program wait.
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `end`
        try:
            self._process = subprocess.Popen(
                list(argv),
                cwd=cwd,
                env=dict(env),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                start_new_session=True,
            )
        except OSError as error:
            self._errors.close()
            reason = f"it could not be started: {error.strerror}"
            raise ToolError(self.command, reason) from error
        self._ended = threading.Event()
        self._end: tuple[int | None, str] | None = None
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        # A daemon, since children of the program may keep its pipe open for as long as they like.
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def tell(self, line: bytes) -> None:
        """Write a line to the program; if it has ended, nothing happens until `hear` is called."""
        with contextlib.suppress(OSError, ValueError):
            pipe = cast("IO[bytes]", self._process.stdin)
            pipe.write(line + b"\n")
            pipe.flush()

    def hear(self, seconds: float) -> bytes:
        """Return the next line; raise `TimeoutError`, or `EOFError` if there will be none."""
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            raise TimeoutError from None
        if line is None:
            self._lines.put(None)
            raise EOFError
        return line

    def lasts(self, seconds: float) -> bool:
        """Wait for some time; return whether the conversation is still open after it."""
        return not self._ended.wait(seconds)

    def end(self, seconds: float) -> tuple[int | None, str]:
        """Close the program's input, wait for it to end, and kill it if it does not in time.

        Returns its exit code, `None` if it was killed, and its standard error, redacted.
        """
        if self._end is not None:
            return self._end
        self._ended.set()
        with contextlib.suppress(OSError):
            cast("IO[bytes]", self._process.stdin).close()
        code: int | None = None
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self._process.kill()
            self._process.wait()
        self._listener.join(1)
        self._errors.seek(0)
        said = self._errors.read().decode("utf-8", "replace")
        self._errors.close()
        self._end = (code, redact(said).strip())
        return self._end

    def _listen(self) -> None:
        with contextlib.suppress(OSError), cast("IO[bytes]", self._process.stdout) as pipe:
            # A line that never ends must not fill the memory.
            while line := pipe.readline(_LONGEST_LINE):
                self._lines.put(line)
        self._lines.put(None)
