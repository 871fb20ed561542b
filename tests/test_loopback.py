"""The loopback servers of the tests: their errors belong to the test that started them."""

from __future__ import annotations

import http.client
import socket
import ssl
import struct
import threading
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.certificates import make_ca
from tests.support.index_server import IndexServer
from tests.support.loopback import LoopbackServer, Quiet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MEGABYTE = b"x" * 1_000_000


class Watched(LoopbackServer):
    """A server of which a test knows that a connection has come to its end."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.ended = threading.Event()

    def shutdown_request(self, request: Any) -> None:
        # It is called after the connection's error, where there is one.
        super().shutdown_request(request)
        self.ended.set()


class WatchedIndex(Watched, IndexServer):
    """An index of that kind."""


class Server(Watched):
    """A server that goes on with a PUT when the client has left."""

    def __init__(self) -> None:
        super().__init__(Handler)
        self.reached = threading.Event()
        self.client_left = threading.Event()


class Handler(Quiet, BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        if self.path == "/broken":
            raise LookupError(self.path)
        self.send_response(200)
        self.end_headers()

    def do_PUT(self) -> None:
        self.server.reached.set()
        assert self.server.client_left.wait(20)
        if self.path == "/write":
            self.wfile.write(MEGABYTE)
        elif self.path == "/read":
            self.rfile.read(1)
        else:
            self.connection.shutdown(socket.SHUT_RDWR)


@pytest.fixture(autouse=True)
def quiet(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Check that no test prints anything."""
    yield
    assert capfd.readouterr() == ("", "")


def get(server: LoopbackServer, path: str) -> int:
    connection = http.client.HTTPConnection(server.address, timeout=20)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def reset(connection: socket.socket) -> None:
    # With a linger of zero seconds, closing sends RST instead of FIN.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.mark.parametrize("doing", ["read", "write", "shut down"])
def test_a_connection_that_the_client_resets_is_no_error(doing: str) -> None:
    with Server() as server:
        client = socket.create_connection(("127.0.0.1", server.server_port), timeout=20)
        client.sendall(f"PUT /{doing.partition(' ')[0]} HTTP/1.1\r\n\r\n".encode())
        assert server.reached.wait(20)
        reset(client)
        server.client_left.set()
        assert server.ended.wait(20)


def test_a_certificate_that_the_client_refuses_is_no_error(tmp_path: Path) -> None:
    with WatchedIndex(tls=make_ca(tmp_path).server_context) as server:
        with pytest.raises(ssl.SSLCertVerificationError):
            http.client.HTTPSConnection(server.address, timeout=20).connect()
        assert server.ended.wait(20)


def test_an_exception_of_a_handler_is_raised_where_its_server_ends() -> None:
    def fail_twice(server: Server) -> None:
        with server:
            for _ in range(2):
                with pytest.raises(http.client.RemoteDisconnected):
                    get(server, "/broken")
            assert get(server, "/") == 200

    with Server() as other:
        with pytest.raises(ExceptionGroup, match="handlers failed") as caught:
            fail_twice(server := Server())
        assert [repr(each) for each in caught.value.exceptions] == ["LookupError('/broken')"] * 2
        assert get(other, "/") == 200
    with pytest.raises(ConnectionRefusedError):
        get(server, "/")


def test_an_exception_of_the_block_is_shown_with_that_of_the_handler() -> None:
    with pytest.raises(ExceptionGroup) as caught, Server() as server:
        get(server, "/broken")
    assert isinstance(caught.value.__context__, http.client.RemoteDisconnected)
