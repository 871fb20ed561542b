"""moto's server as AWS, behind a proxy that notes every request as it was sent, and can fail.

moto accepts what AWS refuses, so the requests are what a test asserts. Faults happen on the wire: a
connection is really reset, an answer really never comes, a process is really killed.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qs, urlsplit

from tests.support.loopback import LoopbackServer, Quiet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

Fault = Literal[
    "throttle", "error", "error after", "reset", "reset after", "timeout after", "cut after"
]
FAULTS: tuple[Fault, ...] = (
    "throttle",
    "error",
    "error after",
    "reset",
    "reset after",
    "timeout after",
    "cut after",
)
# What AWS answers a client that asks too often, and when it is broken.
_THROTTLED = {
    "s3": (503, "application/xml", b"<Error><Code>SlowDown</Code></Error>"),
    "lambda": (429, "application/json", b'{"Reason": "CallerRateLimitExceeded"}'),
    "ssm": (400, "application/json", b'{"__type": "ThrottlingException"}'),
    "sts": (400, "text/xml", b"<E><Error><Code>Throttling</Code></Error></E>"),
}
# Every request looks for moto's modules on disk, which is a third of its time.
_SERVER = """
import moto.backends
modules = list(moto.backends.list_of_moto_modules())
moto.backends.list_of_moto_modules = lambda: modules
from moto.server import main
main()
"""
# Signed URLs, which name no service, are those of S3.
_THROTTLED[""] = _THROTTLED["s3"]
_HOP = {"connection", "transfer-encoding", "content-length", "server", "date"}


@dataclass(frozen=True)
class Request:
    """A request as it came over the wire."""

    service: str
    region: str
    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    """By their names in lower case."""
    body: bytes

    @property
    def json(self) -> dict[str, object]:
        """The body of a request to Lambda or SSM."""
        value: dict[str, object] = json.loads(self.body)
        return value

    @property
    def call(self) -> str:
        """What was asked, in short: `PUT s3`, `POST lambda`."""
        return f"{self.method} {self.service}"

    @property
    def publishes(self) -> bool:
        """Whether it is a call of `PublishLayerVersion`."""
        return self.call == "POST lambda" and self.path.endswith("/versions")


@dataclass(frozen=True)
class Answer:
    """What is answered instead of what AWS would answer."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def xml(cls, status: int, code: str, message: str = "", service: str = "s3") -> Answer:
        """Give an error as S3 and STS write it; only STS has something around it."""
        text = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        text = text if service == "s3" else f"<ErrorResponse>{text}</ErrorResponse>"
        return cls(status, text.encode(), (("Content-Type", "application/xml"),))

    @classmethod
    def json(cls, status: int, code: str, message: str = "", **headers: str) -> Answer:
        """Give an error as Lambda and SSM write it."""
        kind = (("x-amzn-ErrorType", code), *headers.items())
        return cls(status, json.dumps({"__type": code, "message": message}).encode(), kind)


@dataclass
class Injected:
    """What happens to the request with this number, counted from 0, or to those that fit."""

    number: int | Callable[[Request], bool]
    fault: Fault | Answer | Callable[[], None]
    before: bool = True
    """Whether a function is called before AWS gets the request; an `Answer` instead of AWS's."""
    goes_on: bool = False
    """Where the fault is a function: whether the request is answered in spite of it."""

    def meets(self, number: int, request: Request) -> bool:
        """Whether it happens to this request."""
        return self.number(request) if callable(self.number) else self.number == number


@dataclass
class Aws:
    """The proxy; `requests` are those since the last `watch`."""

    endpoint: str
    requests: list[Request] = field(default_factory=list)
    faults: Sequence[Injected] = ()
    stands_in: list[Callable[[Request], Answer | None]] = field(default_factory=list)
    """What answers instead of moto, where moto lacks it: the first answer counts."""
    served: int = 0
    """How many bytes of bodies were answered."""

    def calls(self, service: str | None = None) -> list[str]:
        """Give what was asked, in order."""
        return [each.call for each in self.requests if service in (None, each.service)]

    @contextmanager
    def watch(self) -> Iterator[list[Request]]:
        """Give the requests of the block."""
        noted: list[Request] = []
        self.requests = noted
        yield noted

    def puts(self) -> list[Request]:
        """Give the requests that write an object."""
        return [each for each in self.requests if each.call == "PUT s3"]

    def publications(self) -> list[Request]:
        """Give the requests that make a layer version."""
        return [each for each in self.requests if each.publishes]


class Proxy(LoopbackServer):
    """A proxy of one test or one run, before the server of all tests."""

    def __init__(self, server: str) -> None:
        super().__init__(_Handler)
        self.target = server
        self.aws = Aws(f"http://{self.address}")
        self.lock = threading.Lock()


class _Handler(Quiet, BaseHTTPRequestHandler):
    server: Proxy
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self._upstream: http.client.HTTPConnection | None = None

    def finish(self) -> None:
        super().finish()
        if self._upstream:
            self._upstream.close()

    def _serve(self) -> None:
        body = self._body()
        aws = self.server.aws
        request = self._noted(body)
        with self.server.lock:
            number = len(aws.requests)
            aws.requests.append(request)
        injected = next((each for each in aws.faults if each.meets(number, request)), None)
        if injected is None:
            self._answer(*self._forward(body))
        elif isinstance(injected.fault, Answer):
            answer = injected.fault
            if not injected.before:
                self._forward(body)
            head = self.command == "HEAD"
            self._answer(answer.status, list(answer.headers), b"" if head else answer.body)
        elif callable(injected.fault):
            self._call(injected.fault, injected, body)
        else:
            self._fail(injected.fault, body)

    def _call(self, fault: Callable[[], None], injected: Injected, body: bytes) -> None:
        if injected.before:
            fault()
            if injected.goes_on:
                self._answer(*self._forward(body))
                return
        else:
            self._forward(body)
            fault()
        self._reset()

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _serve  # noqa: N815  # the base class's names

    def _noted(self, body: bytes) -> Request:
        url = urlsplit(self.path)
        # The credential of a signature is KEY/DATE/REGION/SERVICE/aws4_request.
        scope = self.headers.get("Authorization", "////").split("/")
        return Request(
            service=scope[3],
            region=scope[2],
            method=self.command,
            path=url.path,
            query=parse_qs(url.query, keep_blank_values=True),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
        )

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        request = self._noted(body)
        for each in self.server.aws.stands_in:
            if own := each(request):
                return own.status, list(own.headers), own.body
        if self._upstream is None:
            self._upstream = http.client.HTTPConnection(self.server.target)
        headers = {k: v for k, v in self.headers.items() if k.lower() != "transfer-encoding"}
        headers["Content-Length"] = str(len(body))
        self._upstream.request(self.command, self.path, body=body, headers=headers)
        answer = self._upstream.getresponse()
        return answer.status, answer.getheaders(), answer.read()

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        length = str(len(body))
        for name, value in headers:
            if name.lower() not in _HOP:
                self.send_header(name, value)
            elif name.lower() == "content-length" and self.command == "HEAD":
                length = value
        self.send_header("Content-Length", length)
        self.end_headers()
        self.wfile.write(body)
        with self.server.lock:
            self.server.aws.served += len(body)

    def _fail(self, fault: Fault, body: bytes) -> None:
        answer = self._forward(body) if fault.endswith(" after") else None
        kind = fault.partition(" ")[0]
        if kind == "cut" and answer is not None:
            # As a proxy cuts it that then sends a length of its own.
            status, headers, text = answer
            self._answer(status, headers, text[: len(text) // 2])
        elif kind == "reset":
            self._reset()
        elif kind == "timeout":
            # Longer than the client waits; it hangs up then.
            self.connection.settimeout(20)
            with suppress(OSError):
                self.connection.recv(1)
            self.close_connection = True
        elif kind == "throttle":
            status, content_type, text = _THROTTLED[self._noted(b"").service]
            headers = [("Content-Type", content_type)]
            if status == 429:
                headers.append(("x-amzn-ErrorType", "TooManyRequestsException"))
            self._answer(status, headers, b"" if self.command == "HEAD" else text)
        else:
            self._answer(500, [("Content-Type", "text/plain")], b"")

    def _reset(self) -> None:
        # With a linger of zero seconds, closing sends RST instead of FIN.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.shutdown(socket.SHUT_RD)
        self.close_connection = True
        self.connection.close()


@contextmanager
def moto_server() -> Iterator[str]:
    """Start moto's server in a process of its own and give its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # Nor does coverage measure it, which would take a third of its time.
    environment = {
        name: value
        for name, value in os.environ.items()
        if "PROXY" not in name.upper() and not name.startswith("COVERAGE_")
    }
    environment["MOTO_ENABLE_ISO_REGIONS"] = "false"
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVER, "-H", "127.0.0.1", "-p", str(port)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("moto's server does not start") from None
                time.sleep(0.05)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()
