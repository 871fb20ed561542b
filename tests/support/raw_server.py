"""A loopback server that answers with bytes as they are, piece by piece: no HTTP library helps."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING

from tests.support.loopback import LoopbackServer, Quiet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class RawServer(LoopbackServer):
    """A server that answers each path with pieces, and closes the connection behind the last.

    `pause` are the seconds between two pieces. `requests` counts what was asked for.
    """

    def __init__(self, answers: dict[str, Callable[[], Iterable[bytes]]], pause: float = 0) -> None:
        super().__init__(_Handler)
        self.answers = answers
        self.pause = pause
        self.requests: list[str] = []
        self.closing = threading.Event()

    def __exit__(self, *exc: object) -> None:
        self.closing.set()
        super().__exit__(*exc)

    def url(self, path: str) -> str:
        """The URL of a path."""
        return f"http://{self.address}{path}"


class _Handler(Quiet, BaseHTTPRequestHandler):
    server: RawServer

    def handle(self) -> None:
        """Read one request, and answer it."""
        path = self.rfile.readline().split()[1].decode()
        while self.rfile.readline().strip():
            pass
        self.server.requests.append(path)
        for piece in self.server.answers[path]():
            self.wfile.write(piece)
            if self.server.pause and self.server.closing.wait(self.server.pause):
                break
