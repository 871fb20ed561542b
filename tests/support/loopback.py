"""HTTP servers of tests on loopback, whose unexpected errors fail the test that they belong to.

`socketserver` prints a traceback for every error of a connection's thread, also where a test has
reset the connection on purpose; and to what is `sys.stderr` then, which may be another test's.
"""

from __future__ import annotations

import errno
import ssl
import sys
import threading
from http.server import ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler

# What reading and writing raise when the client has closed the connection or refused the
# certificate.
_CLIENT_WENT_AWAY = (BrokenPipeError, ConnectionAbortedError, ConnectionResetError, ssl.SSLError)


class LoopbackServer(ThreadingHTTPServer):
    """A server on a free port of 127.0.0.1, serving between `__enter__` and `__exit__`.

    A client that goes away is ignored. Every other exception of a handler is kept, and `__exit__`
    raises them all as one `ExceptionGroup`.
    """

    daemon_threads = True

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self._unexpected: list[Exception] = []
        self._serving = threading.Thread(target=self.serve_forever, args=(0.01,))

    @property
    def address(self) -> str:
        """The host and the port."""
        return f"127.0.0.1:{self.server_port}"

    def __enter__(self) -> Self:
        self._serving.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.shutdown()
        self._serving.join()
        self.server_close()
        if self._unexpected:
            raise ExceptionGroup("a loopback server's handlers failed", self._unexpected)

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        """Keep the exception, unless it says that the client went away."""
        error = sys.exception()
        # A socket that the client has reset already can't be shut down.
        not_connected = isinstance(error, OSError) and error.errno == errno.ENOTCONN
        if isinstance(error, Exception) and not (
            not_connected or isinstance(error, _CLIENT_WENT_AWAY)
        ):
            self._unexpected.append(error)


class Quiet:
    """What a handler inherits from first to log nothing: servers note what tests look at."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Stay quiet."""
