"""No answer of a server makes us wait for ever, take all memory, or show a traceback."""

from __future__ import annotations

import io
import itertools
import sys
import time
import zlib
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer.exceptions import DownloadError
from hatch_lambda_layer.index import http as transport
from hatch_lambda_layer.index.download import Downloader
from tests.support.peak import peak_of
from tests.support.raw_server import RawServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Answer = Callable[[], Iterator[bytes]]

MIB = 1 << 20
BODY = b"content of a file"
OK = b"HTTP/1.1 200 OK\r\n"
FILE = OK + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the backoffs short, and let no proxy of this machine take part."""
    monkeypatch.setattr(transport, "BACKOFF_SECONDS", 0.01)
    monkeypatch.setenv("NO_PROXY", "*")


def answer(*pieces: bytes) -> Answer:
    return lambda: iter(pieces)


def endless(head: bytes, piece: bytes) -> Answer:
    """Begin with `head`; then much more than anyone should read, but not more than a disk has."""
    return lambda: itertools.chain([head], itertools.repeat(piece, 400 * MIB // len(piece)))


def bomb() -> Iterator[bytes]:
    """Yield a page of 2 GB of blanks, as gzip has them."""
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    yield OK + b"Content-Encoding: gzip\r\n\r\n"
    yield packer.compress(b" " * MIB) + packer.flush(zlib.Z_FULL_FLUSH)
    # A flushed piece stands alone: repeated, it is that much again.
    raw = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    piece = raw.compress(b" " * MIB) + raw.flush(zlib.Z_FULL_FLUSH)
    yield from itertools.repeat(piece, 2047)


def fetch(url: str) -> bytes:
    file = io.BytesIO()
    Downloader().fetch(url, file, largest=MIB, index=None, moved=lambda _: None)
    return file.getvalue()


def refusal(url: str) -> DownloadError:
    with pytest.raises(DownloadError) as caught:
        fetch(url)
    return caught.value


# ---- answers without an end

FETCH = """
import io
from hatch_lambda_layer.exceptions import DownloadError
from hatch_lambda_layer.index import http as transport
from hatch_lambda_layer.index.download import Downloader
transport.BACKOFF_SECONDS = 0
file = io.BytesIO()
try:
    Downloader().fetch(argv[0], file, largest=1 << 20, index=None, moved=lambda _: None)
    print(file.getvalue().decode())
except DownloadError as error:
    print(error)
"""

NO_END: dict[str, tuple[Answer, str]] = {
    "redirect": (
        endless(b"HTTP/1.1 302 Found\r\nLocation: /file\r\n\r\n", bytes(MIB)),
        BODY.decode(),
    ),
    "chunked redirect": (
        endless(
            b"HTTP/1.1 302 Found\r\nLocation: /file\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"100000\r\n" + bytes(MIB) + b"\r\n",
        ),
        BODY.decode(),
    ),
    "failure": (endless(b"HTTP/1.1 503 Busy\r\n\r\n", bytes(MIB)), "answers 503"),
    "refusal": (endless(b"HTTP/1.1 404 Not Found\r\n\r\n", bytes(MIB)), "answers 404"),
    "file": (endless(OK + b"\r\n", bytes(MIB)), "more than the 1,048,576 bytes"),
    "header line": (endless(OK + b"X: ", bytes(MIB)), "the connection broke"),
    "chunk size": (endless(CHUNKED + b"5;", b"x" * MIB), "could not be fetched"),
    "negative chunk": (endless(CHUNKED + b"-1\r\n", bytes(MIB)), "negative size"),
}
PAGES: dict[str, tuple[Answer, str]] = {
    "page": (endless(OK + b"\r\n", b" " * MIB), "serves a page of more than 33,554,432 bytes"),
    "page of 2 GB in gzip": (bomb, "serves a page of more than 33,554,432 bytes"),
    "page of unclosed links": (
        endless(OK + b"Content-Length: 33000000\r\n\r\n", b"<a b='" * 5500),
        "is not a valid page",
    ),
    "page of empty values": (
        endless(OK + b"Content-Type: json\r\nContent-Length: 33000000\r\n\r\n", b"[],{}," * 5000),
        "is not a valid page",
    ),
}

ENDLESS = NO_END | PAGES


@pytest.mark.fault(82)
@pytest.mark.skipif(sys.platform == "win32", reason="`resource` is of POSIX")
@pytest.mark.parametrize(("what", "said"), ENDLESS.values(), ids=ENDLESS)
def test_an_answer_without_an_end_takes_little_memory(
    what: Answer, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HATCH_LAMBDA_LAYER_HTTP_TIMEOUT", "10")
    with RawServer({"/it": what, "/file": answer(FILE)}) as server:
        is_page = (what, said) in PAGES.values()
        url = f"index+{server.url('/it')}#a.whl" if is_page else server.url("/it")
        printed, peak = peak_of(FETCH, url)
    assert said in printed
    assert "Traceback" not in printed
    assert peak < 128 * MIB


# ---- answers that come slowly


def dripped(head: bytes, rest: bytes) -> Answer:
    """Yield `rest` byte by byte, for half a minute at the server's pace."""
    return lambda: itertools.chain(
        [head] if head else [], (rest[n % len(rest)].to_bytes() for n in range(1000))
    )


DRIPPED = {
    "header": (dripped(b"", OK + b"X: " + b"y" * 1000), "no complete header within 0.3 seconds"),
    "interim answers": (
        dripped(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        "no complete header within 0.3 seconds",
    ),
    "body": (dripped(OK + b"Content-Length: 1000\r\n\r\n", b"x"), "less than 1,024 bytes a second"),
    "chunks": (dripped(CHUNKED, b"1\r\nx\r\n"), "less than 1,024 bytes a second"),
    "trailers": (
        dripped(CHUNKED + b"1\r\nx\r\n0\r\n", b"X: y\r\n"),
        "less than 1,024 bytes a second",
    ),
}


@pytest.mark.fault(83)
@pytest.mark.parametrize(("what", "said"), DRIPPED.values(), ids=DRIPPED)
@pytest.mark.parametrize("place", ["file", "page"])
def test_an_answer_that_drips_is_given_up(
    what: Answer, said: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HATCH_LAMBDA_LAYER_HTTP_TIMEOUT", "0.3")
    started = time.monotonic()
    with RawServer({"/it": what}, pause=0.03) as server:
        url = server.url("/it")
        error = refusal(f"index+{url}#a.whl" if place == "page" else url)
    assert said in str(error)
    assert "it answers too slowly" in str(error)
    assert "HATCH_LAMBDA_LAYER_HTTP_TIMEOUT" in str(error)
    assert time.monotonic() - started < 20
    assert len(server.requests) == transport.ATTEMPTS


@pytest.mark.fault(83)
@pytest.mark.parametrize(
    "what",
    [
        endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        endless(CHUNKED + b"1\r\nx\r\n0\r\n", b"X: y\r\n"),
        endless(CHUNKED, b"1;" + b"y" * 60_000 + b"\r\nx\r\n"),
    ],
    ids=["interim answers", "trailers", "chunk extensions"],
)
def test_lines_that_come_quickly_and_do_not_end_are_given_up(what: Answer) -> None:
    with RawServer({"/it": what}) as server:
        assert "do not end" in str(refusal(server.url("/it")))


@pytest.mark.fault(83)
def test_a_page_of_empty_blocks_of_gzip_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HATCH_LAMBDA_LAYER_HTTP_TIMEOUT", "0.2")
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    head = OK + b"Content-Encoding: gzip\r\n\r\n" + packer.flush(zlib.Z_FULL_FLUSH)
    blocks = b"\0\0\0\xff\xff" * 4000
    what = lambda: itertools.chain([head], itertools.repeat(blocks, 3000))  # noqa: E731
    with RawServer({"/it": what}, pause=0.01) as server:
        error = refusal(f"index+{server.url('/it')}#a.whl")
    assert "does not serve its page in time" in str(error)


@pytest.mark.fault(83)
def test_a_slow_server_that_keeps_its_pace_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HATCH_LAMBDA_LAYER_HTTP_TIMEOUT", "0.5")
    content = bytes(100_000)
    head = OK + b"Content-Length: %d\r\n\r\n" % len(content)
    pieces = [head, *(content[at : at + 2000] for at in range(0, len(content), 2000))]
    with RawServer({"/it": answer(*pieces)}, pause=0.05) as server:
        assert fetch(server.url("/it")) == content


# ---- answers that are not valid

LONG = "a" * 70


def redirect(location: str) -> bytes:
    # As it was given: UTF-8, where a header is Latin-1.
    head = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
    return head.encode()


NOT_VALID = {
    "redirect to half an address": (redirect("http://[::1"), "is not valid"),
    "redirect to a long label": (redirect(f"http://{LONG}.test/x"), "is not valid"),
    "redirect to an empty label": (redirect("http://a..test/x"), "is not valid"),
    "redirect to no port": (redirect("http://127.0.0.1:99999/x"), "is not valid"),
    "redirect to a port in words": (redirect("http://127.0.0.1:http/x"), "is not valid"),
    "redirect to a host that is not ASCII": (redirect("http://\u2100\ud7a4.invalid/x"), "fetched"),
    "redirect to no text": (
        b"HTTP/1.1 302 Found\r\nLocation: http://\xff\xfe/\r\nContent-Length: 0\r\n\r\n",
        "is not valid",
    ),
    "redirect to a file": (redirect("file:///etc/passwd"), "is not valid"),
    "redirect to nowhere": (redirect(""), "answers 302"),
    "redirect without an address": (b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", "302"),
    "redirect to itself": (redirect("/it"), "it redirects again and again"),
    "not modified": (b"HTTP/1.1 304 Not Modified\r\n\r\n", "answers 304"),
    "a wait of 5,000 digits": (
        b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nRetry-After: " + b"9" * 5000 + b"\r\n\r\n",
        "answers 503",
    ),
    "a wait until the thirteenth month": (
        b"HTTP/1.1 503 Busy\r\nRetry-After: Fri, 31 Dec 99999999999 25:61:61 GMT\r\n\r\n",
        "answers 503",
    ),
    "a chunk of negative size": (CHUNKED + b"-5\r\nabc\r\n", "the answer is not valid"),
    "a chunk without a size": (CHUNKED + b"zz\r\nabc\r\n", "the connection broke"),
    "a length of 5,000 digits": (
        OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n" + b"x" * (MIB + 1),
        "more than",
    ),
    "two lengths": (
        OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        "could not be fetched",
    ),
    "200 headers": (OK + b"X: y\r\n" * 200 + b"\r\n", "could not be fetched"),
    "no HTTP": (b"220 smtp.test ESMTP\r\n", "could not be fetched"),
    "a status of four digits": (b"HTTP/1.1 9999 Huge\r\n\r\n", "could not be fetched"),
    "nothing": (b"", "could not be fetched"),
}


@pytest.mark.fault(84)
@pytest.mark.parametrize(("what", "said"), NOT_VALID.values(), ids=NOT_VALID)
def test_an_answer_that_is_not_valid_is_said_to_be_that(what: bytes, said: str) -> None:
    with RawServer({"/it": answer(what)}) as server:
        assert said in str(refusal(server.url("/it")))


@pytest.mark.fault(84)
@pytest.mark.parametrize("coding", ["br", "gzip, gzip", "deflate"])
def test_a_page_in_a_coding_that_was_not_asked_for_is_refused(coding: str) -> None:
    head = OK + f"Content-Encoding: {coding}\r\nContent-Length: 3\r\n\r\n".encode()
    with RawServer({"/it": answer(head, b"abc")}) as server:
        error = refusal(f"index+{server.url('/it')}#a.whl")
    assert "which nobody asked for" in str(error)


@pytest.mark.fault(84)
@pytest.mark.parametrize("body", [b"no gzip", zlib.compress(b"x" * 999, wbits=31)[:-9]])
def test_a_page_in_broken_gzip_is_refused(body: bytes) -> None:
    head = OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    with RawServer({"/it": answer(head, body)}) as server:
        assert "gzip" in str(refusal(f"index+{server.url('/it')}#a.whl"))


@pytest.mark.fault(84)
def test_a_file_that_is_said_to_be_encoded_is_taken_as_it_is() -> None:
    body = zlib.compress(BODY, wbits=31)
    head = OK + b"Content-Encoding: x-gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    with RawServer({"/it": answer(head, body)}) as server:
        assert fetch(server.url("/it")) == body


@pytest.mark.fault(84)
@pytest.mark.parametrize(
    "url",
    [
        "http://[::1",
        f"http://{LONG}.test/",
        "http://127.0.0.1:99999/",
        "http://",
        "ftp://127.0.0.1/",
        "http://\ud800.test/",
        "index+http://[::1#a.whl",
        "index+http://127.0.0.1:x/#a.whl",
    ],
)
def test_a_url_that_is_not_valid_is_said_to_be_that(url: str) -> None:
    assert "is not valid" in str(refusal(url))
