"""Imports one module of a layer, or reads its metadata, as the function's process would.

`python -I -S _importer.py REQUEST`, by the target's interpreter (3.9 or newer); REQUEST is a JSON
object. `path` are the folders that a function imports from before the standard library, `after`
those behind it, `user` the user and group to become, or null. Standard output has one JSON object
a line. With `bytecode`, a folder, modules are compiled into it, and found there by the next one.

With `steps`, the names of modules, a child imports one after the other, while this process watches
its time (`seconds` for each step) and its memory (`memory`, in bytes). The first is imported in any
case; if it fails, nothing else is tried. For each step there is a line with `step`, `seconds`,
`peak` (bytes), `ended` (how the child ended if it did, else null), `error` (the texts of the
exception and of its causes, else null), `at` (where it was raised) and `said` (the end of what the
child has printed). A step that is not tried has no line.

With `code`, the text of a module with a `handler`, that is called with the object `event`, and the
line has `result` or `error`. With `client`, the runtime's client is started instead, and this
process plays the API that it asks for work.
"""

# ruff: noqa: S110, SIM105  # it must import little: a layer may have modules of the same names

from __future__ import annotations

import importlib
import json
import os
import resource
import select
import signal
import site
import sys
import time
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_PAUSE_SECONDS = 0.02
_SHOWN_BYTES = 2000
_LONGEST_REPORT = 1 << 20
_MOST_CAUSES = 4
_LONGEST_TEXT = 1000
_PAGE = os.sysconf("SC_PAGESIZE")
_DONE_SECONDS = 0.2


def main() -> None:
    request = json.loads(sys.argv[1])
    # Modules that read the arguments, or look for the main program, see those of a function.
    sys.argv[:] = ["/var/runtime/bootstrap.py"]
    report = os.fdopen(os.dup(1), "w")
    # What a module prints, or a library, must not be taken for a report.
    os.dup2(2, 1)
    _become(request.get("user"))
    site.setquit()
    site.setcopyright()
    site.sethelper()
    for line in _answer(request):
        report.write(json.dumps(line) + "\n")
        report.flush()


def _answer(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "steps" in request:
        yield from _import_all(request)
    elif request.get("client"):
        yield _through_client(request)
    else:
        yield _directly(request)


def _become(user: list[int] | None) -> None:
    """Become the user that functions run as: what only root can read is not readable for them."""
    if user:
        uid, gid = user
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)


def _import_all(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    first, *rest = request["steps"]
    end = time.monotonic() + 3 * request["seconds"]
    is_known = False
    while time.monotonic() < end:
        killed = None
        for line in _Watch([first, *rest], request, end).lines():
            if line["ended"]:
                killed = line["step"]
            if line["step"] != first or not is_known:
                yield line
            is_known = True
        if killed not in rest:
            return
        # A step that has ended its process is left out, and the others are tried in a new one.
        rest = rest[rest.index(killed) + 1 :]


class _Watch:
    """A child that imports one module after the other, until it ends or has to."""

    def __init__(self, steps: list[str], request: dict[str, Any], end: float) -> None:
        self._request = request
        self._end = end
        self._results, results = os.pipe()
        self._noise, noise = os.pipe()
        self._child = os.fork()
        if not self._child:
            os.close(self._results)
            os.close(self._noise)
            os.dup2(noise, 1)
            os.dup2(noise, 2)
            _child(steps, request, results)
        os.close(results)
        os.close(noise)
        self._step = steps[0]
        self._begun = time.monotonic()
        self._is_running = True
        self._peak = 0
        self._said = self._text = b""
        self._left = _LONGEST_REPORT

    def lines(self) -> Iterator[dict[str, Any]]:
        """Yield a line for each step that was begun."""
        waiting = {self._results, self._noise}
        ended = None
        while self._results in waiting and not ended:
            ready, _, _ = select.select(list(waiting), [], [], _PAUSE_SECONDS)
            for descriptor in ready:
                if not self._read(descriptor):
                    waiting.discard(descriptor)
            yield from self._finished()
            ended = self._excess()
            if not ready and self._has_ended():
                # What it has started may keep the pipes open.
                break
        status, peak = self._reap(at_once=ended is not None)
        os.close(self._results)
        self._said = (self._said + _rest(self._noise))[-_SHOWN_BYTES:]
        if not self._is_running and not ended:
            return
        if not ended and os.WIFSIGNALED(status):
            ended = f"signal {os.WTERMSIG(status)}"
        yield {
            "step": self._step,
            "seconds": time.monotonic() - self._begun,
            "peak": max(self._peak, peak),
            "ended": ended or f"exit {os.WEXITSTATUS(status)}",
            "error": None,
            "at": None,
            "said": self._said.decode("utf-8", "replace"),
        }

    def _read(self, descriptor: int) -> bool:
        data = os.read(descriptor, 1 << 16)
        if descriptor == self._noise:
            self._said = (self._said + data)[-_SHOWN_BYTES:]
        else:
            self._text += data
            self._left -= len(data)
        return bool(data)

    def _finished(self) -> Iterator[dict[str, Any]]:
        *lines, self._text = self._text.split(b"\n")
        for line in map(json.loads, lines):
            self._is_running = "begin" in line
            if self._is_running:
                self._step, self._begun = line["begin"], time.monotonic()
            else:
                yield {**line, "ended": None, "said": self._said.decode("utf-8", "replace")}

    def _excess(self) -> str | None:
        """Return why the child has to end, if it has to."""
        memory = _memory(self._child)
        self._peak = max(self._peak, memory)
        if memory > self._request["memory"]:
            return "memory"
        if time.monotonic() > min(self._begun + self._request["seconds"], self._end):
            return "deadline"
        return "report" if self._left < 0 else None

    def _has_ended(self) -> bool:
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self._child, options) is not None

    def _reap(self, *, at_once: bool) -> tuple[int, int]:
        """Return the status of the child, and its peak of memory in bytes."""
        end = time.monotonic() + (0 if at_once else _DONE_SECONDS)
        while True:
            pid, status, usage = os.wait4(self._child, os.WNOHANG)
            if not pid and time.monotonic() >= end:
                # One that has closed its report need not end.
                os.kill(self._child, signal.SIGKILL)
                pid, status, usage = os.wait4(self._child, 0)
            if pid:
                return status, int(usage.ru_maxrss) * 1024
            time.sleep(0.001)


def _rest(noise: int) -> bytes:
    """Return what is still in a pipe, which others may keep open."""
    os.set_blocking(noise, False)
    try:
        return os.read(noise, 1 << 16)
    except OSError:
        return b""
    finally:
        os.close(noise)


def _memory(pid: int) -> int:
    """Return the memory of a process in bytes; 0 if it has ended."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * int(_PAGE)
    except (OSError, IndexError):
        return 0


def _child(steps: list[str], request: dict[str, Any], report: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Whatever happens between two looks of the parent.
    most = 2 * request["memory"]
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    # What is loaded by now is loaded in a function, too: the runtime's client has imported it.
    sys.path[:0] = request["path"]
    sys.path += request["after"]
    if request.get("bytecode"):
        sys.pycache_prefix = request["bytecode"]
        sys.dont_write_bytecode = False
    for number, step in enumerate(steps):
        os.write(report, json.dumps({"begin": step}).encode() + b"\n")
        texts = at = None
        start = time.perf_counter()
        try:
            importlib.import_module(step)
        except BaseException as error:  # noqa: BLE001  # whatever a module raises
            texts, at = _texts(error), _place(error)
        seconds = time.perf_counter() - start
        _flush()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        line = {"step": step, "seconds": seconds, "peak": peak, "error": texts, "at": at}
        os.write(report, json.dumps(line).encode() + b"\n")
        if texts and not number:
            break
    os._exit(0)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:  # noqa: BLE001  # a module may have put anything in its place
            pass


def _texts(error: BaseException | None) -> list[str]:
    texts: list[str] = []
    while error is not None and len(texts) < _MOST_CAUSES:
        try:
            text = "".join(traceback.format_exception_only(type(error), error)).strip()
        except Exception:  # noqa: BLE001  # an exception of theirs may have no text
            text = type(error).__name__
        if text not in texts:
            texts.append(text[:_LONGEST_TEXT])
        hidden = None if error.__suppress_context__ else error.__context__
        error = error.__cause__ or hidden
    return texts


def _place(error: BaseException) -> str | None:
    frames = traceback.extract_tb(error.__traceback__)
    # Those of this script and of the import system say nothing.
    found = [each for each in frames if not each.filename.startswith(("<", "/var/lang/"))]
    return f"{found[-1].filename}:{found[-1].lineno}" if found else None


def _directly(request: dict[str, Any]) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "probe"}
    try:
        exec(compile(request["code"], "probe.py", "exec"), names)  # noqa: S102  # our own
        return {"result": names["handler"](request["event"], None), "error": None}
    except BaseException as error:  # noqa: BLE001  # whatever is raised is the answer
        return {"result": None, "error": _texts(error)}


def _through_client(request: dict[str, Any]) -> dict[str, Any]:
    """Return what the handler answers, called by the runtime's client, whose API is served here."""
    import subprocess
    import tempfile

    answer, port = _serve(json.dumps(request["event"]).encode(), request["seconds"])
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as said:
        with open(f"{folder}/import_proof_probe.py", "w", encoding="utf-8") as file:
            file.write(request["code"])
        path = [folder, *request["path"], *request["after"]]
        process = subprocess.Popen(
            [sys.executable, "-s", "-S", "-m", "awslambdaric", "import_proof_probe.handler"],
            env={
                **os.environ,
                "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
                "PYTHONPATH": os.pathsep.join(path),
            },
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
        end = time.monotonic() + request["seconds"]
        while not answer and process.poll() is None and time.monotonic() < end:
            time.sleep(_PAUSE_SECONDS / 4)
        ended = process.poll()
        process.kill()
        process.wait()
        said.seek(0)
        text = said.read()[-_SHOWN_BYTES:].decode("utf-8", "replace").strip()
    if "response" in answer:
        return {"result": json.loads(answer["response"]), "error": None}
    if "error" in answer:
        return {"result": None, "error": [answer["error"].decode("utf-8", "replace")]}
    how = "did not answer in time" if ended is None else f"ended with exit code {ended}"
    return {"result": None, "error": [f"the runtime's client {how}", text]}


def _serve(event: bytes, seconds: float) -> tuple[dict[str, bytes], int]:
    """Serve one event by the Lambda Runtime API; return where the answer will be, and the port."""
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    answer: dict[str, bytes] = {}
    deadline = str(int((time.time() + seconds) * 1000))
    arn = "arn:aws:lambda:us-east-1:123456789012:function:import-proof"

    class Api(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(event)))
            self.send_header("Lambda-Runtime-Aws-Request-Id", "import-proof")
            self.send_header("Lambda-Runtime-Deadline-Ms", deadline)
            self.send_header("Lambda-Runtime-Invoked-Function-Arn", arn)
            self.end_headers()
            self.wfile.write(event)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer.setdefault("response" if self.path.endswith("/response") else "error", body)
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *_: object) -> None:  # noqa: A002  # its name there
            pass

    server = HTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return answer, server.server_port


if __name__ == "__main__":
    main()
