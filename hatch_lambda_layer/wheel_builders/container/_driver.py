"""Runs what it is told, as the first process of a container; ends with whoever tells it.

`python _driver.py OUT [UID GID]`. On standard input come JSON objects, one a line:
`argv`, `cwd`, `env` (what is added to the environment), `log` (the name of a file in OUT) and
`seconds`, after which the command is ended; with `root`, it runs as this process does, else as UID
and GID. Each is answered by `{"code": …}`, where `null` means that its time was up, and by an
`error` where it could not be started. Until then, `{"last": …}` now and then is the last line of
its log; the very first line says what the container is.

When input ends, or nothing has come for two minutes, whoever started the container is gone, and it
ends. Everything in it ends with its first process. Only the standard library is used, of any
Python from 3.9 on.
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
    """Whoever started the container, at the other end of standard input."""

    def __init__(self) -> None:
        self._requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._heard = time.monotonic()
        threading.Thread(target=self._listen, daemon=True).start()

    def request(self) -> dict[str, Any]:
        """Wait for the next request."""
        while True:
            self.check()
            with contextlib.suppress(queue.Empty):
                return self._requests.get(timeout=_PATIENCE_SECONDS)

    def check(self) -> None:
        """End the container unless something has come lately."""
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
    # From the terminal, they are for whoever started the container.
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
    # Followed nowhere: what ran before may have put a link or a pipe in its place.
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
    """End what a command has left running: it would be there while the next one is built."""
    # Elsewhere than in a container of its own, that would be every process of the user.
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
