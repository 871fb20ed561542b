"""Runs commands, as the first process of a container, for the process that started it.

`python _driver.py OUT [UID GID]`. Each line of standard input is a JSON object with a
command: `argv`, `cwd`, `env` (added to the environment), `log` (the name of a file in OUT) and
`seconds`, after which the command is killed. With `root`, it runs as the user of this process, else
as UID and GID. The answer is `{"code": …}`: the exit code, or `null` where the time was up. It has
an `error` where the command could not be started. While the command runs, `{"last": …}` is the
last line of its log, about once a second. The first line of all describes the container: `python`
(major and minor version), `machine` and `path`.

When input ends, or no line has come for two minutes, the process that started the container is
gone, and this one exits. Everything else in the container ends with it. Only the standard library
is used, of any Python from 3.9 on.
"""

import contextlib
import json
import os
import platform
import queue
import signal
import subprocess
import sys
import threading
import time
from typing import Any, Optional

_PATIENCE_SECONDS = 120
_SECONDS_BETWEEN_SIGNS = 1
_LAST_BYTES = 500


class Teller:
    """The process that started the container, at the other end of standard input."""

    def __init__(self) -> None:
        self._requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._heard = time.monotonic()
        threading.Thread(target=self._listen, daemon=True).start()

    def request(self) -> dict[str, Any]:
        """Wait for the next request and return it."""
        while True:
            self.check()
            with contextlib.suppress(queue.Empty):
                return self._requests.get(timeout=_PATIENCE_SECONDS)

    def check(self) -> None:
        """Exit, which ends the container, unless a line has come in the last two minutes."""
        if time.monotonic() - self._heard > _PATIENCE_SECONDS:
            os._exit(1)

    def _listen(self) -> None:
        for line in sys.stdin:
            self._heard = time.monotonic()
            if request := json.loads(line):
                self._requests.put(request)
        os._exit(0)


def main() -> None:
    out, *ids = sys.argv[1:]
    owner = [int(each) for each in ids] or None  # as `user` and `group` take them
    # Ctrl+C at the terminal is for the process that started the container.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    teller = Teller()
    _say(
        python=list(sys.version_info[:2]),
        machine=platform.machine(),
        path=os.environ.get("PATH", os.defpath),
    )
    while True:
        request = teller.request()
        try:
            _say(code=_run(request, teller, out, owner))
        except OSError as error:
            _say(code=127, error=str(error))


def _run(
    request: dict[str, Any], teller: Teller, out: str, owner: Optional[list[int]]
) -> Optional[int]:
    # No link is followed: an earlier command may have put a link or a pipe in the log's place.
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK
    log = os.open(f"{out}/{request['log']}", flags, 0o600)
    options: dict[str, Any] = {}
    if owner:
        os.fchown(log, *owner)
        if not request.get("root"):
            options = {"user": owner[0], "group": owner[1], "extra_groups": []}
    try:
        process = subprocess.Popen(
            request["argv"],
            cwd=request["cwd"],
            env={**os.environ, **request["env"]},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            **options,
        )
        code = _wait(process, time.monotonic() + request["seconds"], teller, log)
        _clear()
        return code
    finally:
        os.close(log)


def _wait(process: subprocess.Popen[bytes], end: float, teller: Teller, log: int) -> Optional[int]:
    said = time.monotonic()
    pause = 0.005
    while process.poll() is None:
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)
        now = time.monotonic()
        teller.check()
        if now > end:
            process.kill()
            process.wait()
            return None
        if now - said > _SECONDS_BETWEEN_SIGNS:
            said = now
            _say(last=_last(log))
    return process.returncode


def _last(log: int) -> str:
    size = os.fstat(log).st_size
    text = os.pread(log, _LAST_BYTES, max(0, size - _LAST_BYTES)).decode("utf-8", "replace")
    return next((line for line in reversed(text.splitlines()) if line.strip()), "")


def _clear() -> None:
    """Kill the processes that a command has left running: they must not affect the next build."""
    # Outside a container, this would kill every process of the user.
    if os.getpid() != 1:
        return
    with contextlib.suppress(OSError):
        os.kill(-1, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def _say(**facts: object) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
