"""Connections whose answers end: a deadline for headers, a smallest rate and bounds for the rest.

The timeout of a socket is for each read alone: a server that sends one byte now and then never
runs into it. And `http.client` and urllib3 read interim answers, trailers and the lines before
chunks for as long as they come.
"""

from __future__ import annotations

import io
import time
from http.client import HTTPException, HTTPResponse
from typing import TYPE_CHECKING, Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

# Far below what any line carries that people work with: a wheel of 10 MB would take three hours.
SMALLEST_RATE = 1024
# Over how many timeouts the rate is averaged: a pause of one timeout is allowed.
_TIMEOUTS_AVERAGED = 2
# The lines of one answer: status, headers, trailers and sizes of chunks. These may also be as long
# as the content.
_MAX_LINES = 1 << 18
# A body that nobody wants is read to its end if it is as short as this: its connection can be used
# again.
_MAX_DISCARDED = 4096


class SlowAnswerError(TimeoutError):
    """An answer whose header is late, or whose body comes too slowly."""


class BadAnswerError(HTTPException):
    """An answer that no client can read to its end."""


def discard(answer: BaseHTTPResponse) -> None:
    """Let go of an answer whose body is not needed, without reading a long one."""
    length = getattr(answer, "length_remaining", None)
    if length is not None and length <= _MAX_DISCARDED:
        answer.drain_conn()
        answer.release_conn()
    else:
        answer.close()


class _Watched(io.RawIOBase):
    """The bytes of one answer as they come from its socket, whose timeout is that of each read."""

    def __init__(self, raw: io.RawIOBase, sock: Any) -> None:
        self._raw = raw
        self._sock = sock
        self._timeout = sock.gettimeout()
        self._started = time.monotonic()
        self._in_header = True
        self._waited = 0.0
        self._averaged = 0
        self.received = 0

    def end_header(self) -> None:
        self._in_header = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._timeout is None:
            return self._received(buffer)
        if self._in_header:
            left = self._started + self._timeout - time.monotonic()
            if left <= 0:
                raise self._late()
            self._sock.settimeout(left)
            try:
                return self._received(buffer)
            except TimeoutError:
                if not self.received:
                    raise
                raise self._late() from None
            finally:
                self._sock.settimeout(self._timeout)
        # Only waiting counts: what is done with the bytes takes its own time.
        started = time.monotonic()
        count = self._received(buffer)
        self._waited += time.monotonic() - started
        if self._waited > _TIMEOUTS_AVERAGED * self._timeout:
            if self.received - self._averaged < SMALLEST_RATE * self._waited:
                raise SlowAnswerError(
                    f"less than {SMALLEST_RATE:,} bytes a second for {self._waited:.0f} seconds"
                )
            self._waited, self._averaged = 0.0, self.received
        return count

    def _late(self) -> SlowAnswerError:
        return SlowAnswerError(f"no complete header within {self._timeout:g} seconds")

    def _received(self, buffer: Any) -> int | None:
        count = self._raw.readinto(buffer)
        self.received += count or 0
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Reader(io.BufferedReader):
    """The buffer from which `http.client` and urllib3 read an answer; its lines are bounded."""

    def __init__(self, watched: _Watched) -> None:
        super().__init__(watched)
        self._watched = watched
        self._lines = 0

    def readline(self, limit: int | None = -1) -> bytes:
        if limit is None or limit < 0:
            limit = _MAX_LINES + 1
        line = super().readline(limit)
        self._lines += len(line)
        content = self._watched.received - self._lines
        if self._lines > _MAX_LINES + max(content, 0):
            raise BadAnswerError("its headers, trailers or chunk sizes do not end")
        return line

    def read(self, size: int | None = -1) -> bytes:
        # Nothing here is read without a size, but for a chunk whose size is said to be negative.
        if size is None or size < 0:
            raise BadAnswerError("a chunk of it has a negative size")
        return super().read(size)


class _Answer(HTTPResponse):
    """An answer that is read through the above."""

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._watched = _Watched(self.fp.detach(), sock)
        self.fp = _Reader(self._watched)

    def begin(self) -> None:
        super().begin()
        self._watched.end_header()


class _PlainConnection(HTTPConnection):
    response_class = _Answer


class _TlsConnection(HTTPSConnection):
    response_class = _Answer


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


POOLS = {"http": _HttpPool, "https": _HttpsPool}
