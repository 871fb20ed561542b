"""Downloads over HTTP: files, and the pages of indexes that list them."""

from __future__ import annotations

import itertools
import random
import re
import threading
import time
import zlib
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple, TypeVar
from urllib.parse import unquote, urlsplit

import requests
from urllib3.exceptions import DecodeError, HTTPError
from urllib3.exceptions import SSLError as TlsError

from .._internal.process import redact
from ..exceptions import DownloadError
from . import http as transport
from .auth import IndexAccess
from .connections import BadAnswerError, SlowAnswerError
from .pages import read_links

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import BinaryIO

    from .pages import Link

_T = TypeVar("_T")

_UNAUTHORIZED = (401, 403)
_CHUNK = 1 << 18
# The largest pages of PyPI have some 10 MB.
_MAX_PAGE_SIZE = 32 << 20
_PAGE_CHUNK = 1 << 14
# Within how many timeouts a page has to be there: it may be nothing but empty blocks of gzip.
_TIMEOUTS_OF_PAGE = 10
# What may go wrong until a body is read to its end; decoding apart, that of urllib3 itself.
_FAILURES = (requests.RequestException, HTTPError)
_RANGE = re.compile(r"bytes \d+-\d+/(\d+)")
_JSON_INDEX = "application/vnd.pypi.simple.v1+json"
_HTML_INDEX = "application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
# The beginning of `index+PAGE#FILENAME`: a file whose URL the lockfile does not have.
_LISTED = "index+"


class _Page(NamedTuple):
    """The answer to a request for a page, whose content was decoded; empty after an error."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def found(self) -> bool:
        """Whether the page is the one that was asked for."""
        return _found(self.status)


class Downloader:
    """Fetches files for several threads, over connections that they share.

    Proxies and `REQUESTS_CA_BUNDLE` work as in requests. Credentials are those that `access` has
    for a URL: a redirect to another origin is followed without them. `timeout` is in seconds, for
    each wait; without one, `HATCH_LAMBDA_LAYER_HTTP_TIMEOUT` counts, else 30.
    """

    def __init__(self, access: IndexAccess | None = None, timeout: float | None = None) -> None:
        self._access = access or IndexAccess()
        self._timeout = timeout or transport.answer_timeout()
        self._adapter = transport.open_adapter(self._access.certificates)
        self._threads = threading.local()
        self._listed: dict[str, Link] = {}

    def fetch(
        self,
        url: str,
        file: BinaryIO,
        *,
        largest: int,
        index: str | None,
        moved: Callable[[int], None],
    ) -> None:
        """Write what `url` serves to the empty `file`.

        `index+PAGE#FILENAME` stands for the file of that name that the project's page lists. There
        may be several pages, with spaces between them: the first that lists the file counts.

        `moved` is called with the number of bytes that came, and with a negative number for those
        of a failed attempt. `index` is the URL of the file's index, which messages name. Raises
        `DownloadError` after a limited number of attempts, and for more than `largest` bytes.
        """

        def undo() -> None:
            moved(-file.tell())
            file.seek(0)
            file.truncate()

        self._persist(lambda: self._fetch_once(url, file, largest, index, moved), url, index, undo)

    def tail(self, url: str, length: int, index: str | None) -> tuple[int | None, bytes]:
        """Return the size of what `url` serves, and its last `length` bytes; try that once.

        No bytes where the server does not serve parts, and no size where it does not tell it, or
        can't be asked.
        """
        try:
            if url.startswith(_LISTED):
                url = self._link(url, index).url
            headers = {"Accept-Encoding": "identity", "Range": f"bytes=-{length}"}
            with self._get(url, headers) as answer:
                if answer.status_code == HTTPStatus.PARTIAL_CONTENT:
                    whole = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
                    data = answer.raw.read(length + 1) if whole else b""
                    return (int(whole[1]), data) if whole and len(data) <= length else (None, b"")
                size = answer.headers.get("Content-Length", "")
                return int(size) if _found(answer.status_code) and size.isdigit() else None, b""
        except (*_FAILURES, DownloadError):
            return None, b""

    def links(self, index_url: str, name: str) -> list[Link] | None:
        """Return the files of a project on an index; `None` if the index does not have the project.

        Raises `DownloadError` if the index can't be reached, refuses the request, or answers with
        something that is not a valid page.
        """
        return self.listed(f"{index_url.rstrip('/')}/{name}/", index_url)

    def listed(self, url: str, index: str | None = None) -> list[Link] | None:
        """Return the files that the page at `url` lists; `None` if it is not there.

        `index` is the URL of its index, which messages name. Raises `DownloadError` like `links`.
        """
        page = self._persist(lambda: self._page(url), url, index)
        if page.status == HTTPStatus.NOT_FOUND:
            return None
        if not page.found:
            raise self._refused(url, index, page.status)
        return read_links(page.url, page.headers, page.body)

    def _persist(
        self,
        attempt: Callable[[], _T],
        url: str,
        index: str | None,
        undo: Callable[[], None] = lambda: None,
    ) -> _T:
        """Return what `attempt` does; after a transfer that broke, `undo` it and try again."""
        for number in itertools.count(1):
            try:
                return attempt()
            except _FAILURES as error:
                if number == transport.ATTEMPTS or not _passing(error):
                    raise _unreachable(url, self._named(url, index), error) from error
            undo()
            time.sleep(transport.BACKOFF_SECONDS * 2**number * random.uniform(0.5, 1.5))  # noqa: S311
        raise AssertionError

    def _link(self, location: str, index: str | None) -> Link:
        """Return what the first page that lists a file says of it; no page is asked twice."""
        if link := self._listed.get(location):
            return link
        pages, _, name = location.removeprefix(_LISTED).partition("#")
        for url in pages.split():
            page = self._page(url)
            if page.status == HTTPStatus.NOT_FOUND:
                continue
            if not page.found:
                raise self._refused(url, None, page.status)
            links = read_links(page.url, page.headers, page.body, unquote(name))
            if links:
                return self._listed.setdefault(location, links[0])
        raise DownloadError(
            f"{self._named(pages.split()[0], index)} does not list `{unquote(name)}` (any more)",
            hint="lock again, or ask who runs the index",
        )

    def _page(self, url: str) -> _Page:
        ends = time.monotonic() + _TIMEOUTS_OF_PAGE * self._timeout
        headers = {"Accept": f"{_JSON_INDEX}, {_HTML_INDEX}", "Accept-Encoding": "gzip"}
        body = bytearray()
        with self._get(url, headers) as answer:
            for piece in _decoded(answer) if _found(answer.status_code) else ():
                body += piece
                if len(body) > _MAX_PAGE_SIZE:
                    reason = f"serves a page of more than {_MAX_PAGE_SIZE:,} bytes"
                elif time.monotonic() > ends:
                    reason = "does not serve its page in time"
                else:
                    continue
                raise DownloadError(f"{redact(url)} {reason}", hint="ask who runs the index")
        return _Page(answer.url, answer.status_code, answer.headers, bytes(body))

    def _fetch_once(
        self,
        url: str,
        file: BinaryIO,
        largest: int,
        index: str | None,
        moved: Callable[[int], None],
    ) -> None:
        if url.startswith(_LISTED):
            url = self._link(url, index).url
        # Files are hashed as they are: ask for no content coding, and undo none. Some servers name
        # the compression of an archive there.
        with self._get(url, {"Accept-Encoding": "identity"}) as answer:
            if not _found(answer.status_code):
                raise self._refused(url, index, answer.status_code)
            for chunk in answer.raw.stream(_CHUNK, decode_content=False):
                if file.tell() + len(chunk) > largest:
                    raise DownloadError(
                        f"{redact(url)} serves more than the {largest:,} bytes it should have"
                    )
                file.write(chunk)
                moved(len(chunk))

    def _get(self, url: str, headers: Mapping[str, str]) -> requests.Response:
        """Return an answer whose body is still to be read."""
        try:
            return self._session().get(url, stream=True, timeout=self._timeout, headers=headers)
        except requests.RequestException:
            raise
        except (ValueError, HTTPError) as error:
            # Not each part of requests and urllib3 knows what URLs a redirect may lead to.
            raise requests.exceptions.InvalidURL(str(error)) from error

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._threads, "session", None)
        if session is None:
            session = self._threads.session = transport.open_session(self._access, self._adapter)
        return session

    def _named(self, url: str, index: str | None) -> str:
        if named := self._access.index_of(url):
            return f"index `{named.name}` ({named.url})"
        if index:
            return f"index {redact(index)}"
        try:
            return f"host {urlsplit(url.removeprefix(_LISTED)).hostname}"
        except ValueError:
            return "its host"

    def _refused(self, url: str, index: str | None, status: int) -> DownloadError:
        where = self._named(url, index)
        unasked = (f"{where} refuses it", "ask who runs the index")
        failing = (f"{where} failed at every attempt", "wait a little, then build again")
        wanted = self._access.advice(url) if status in _UNAUTHORIZED else ""
        reason, hint = {
            401: (f"{where} asks for a user name and a password", wanted),
            403: (f"{where} forbids it", f"check the credentials and what they may read; {wanted}"),
            404: (f"{where} does not have it (any more)", "lock again, or ask who runs the index"),
            429: (f"{where} received too many requests", "wait a little, then build again"),
        }.get(status, failing if status in transport.RETRIED_STATUS else unasked)
        return DownloadError(f"{redact(url)} answers {status}: {reason}", hint=hint)


def _found(status: int) -> bool:
    """Return whether an answer is what was asked for: a redirect that leads nowhere is not."""
    return HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES


def _decoded(answer: requests.Response) -> Iterator[bytes]:
    """Yield the content of a page in small pieces, some of them empty."""
    pieces: Iterator[bytes] = answer.raw.stream(_PAGE_CHUNK, decode_content=False)
    coding = answer.headers.get("Content-Encoding", "").strip().lower()
    if coding in ("", "identity"):
        yield from pieces
        return
    if coding not in ("gzip", "x-gzip"):
        raise DecodeError(f"it is encoded as {coding[:40]!a}, which nobody asked for")
    inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
    for piece in pieces:
        tail, more = piece, b""
        # A full piece may be followed by another one, even when no input is left.
        while tail or len(more) == _CHUNK:
            try:
                more = inflate.decompress(tail, _CHUNK)
            except zlib.error as error:
                raise DecodeError(f"it is not valid gzip ({error})") from error
            yield more
            tail = inflate.unconsumed_tail
    if not inflate.eof:
        raise DecodeError("its gzip ends too early")


def _passing(error: Exception) -> bool:
    """Return whether a transfer broke and is tried again; urllib3 has retried all other errors."""
    if isinstance(error, requests.ConnectionError):
        return not error.args or not hasattr(error.args[0], "reason")
    return isinstance(error, HTTPError)


def _unreachable(url: str, where: str, error: Exception) -> DownloadError:
    """Return the error for a URL that could not be fetched, with a hint by its cause."""
    asked = _asked(error, url)
    cause: object = error.args[0] if error.args else error
    cause = getattr(cause, "reason", None) or cause
    cause = _own(error) or cause
    text = redact(str(cause))
    asking = "lock again, or ask who runs the index"
    url_alone = asked.replace("****@", "").removesuffix("?****")
    check = f"check the network: `curl -I {url_alone}` has to answer"
    slow = f"{check}; or set HATCH_LAMBDA_LAYER_HTTP_TIMEOUT to more seconds"
    if isinstance(error, requests.exceptions.SSLError | TlsError):
        what, hint = "its certificate is not trusted", "name your CA's file in SSL_CERT_FILE"
    elif isinstance(error, requests.exceptions.ProxyError):
        what, hint = "the proxy does not answer", "check HTTPS_PROXY, HTTP_PROXY and NO_PROXY"
    elif isinstance(error, ValueError):  # those of requests about URLs and headers
        what, hint = "its URL, or the one that it redirects to, is not valid", asking
    elif isinstance(error, requests.TooManyRedirects):
        what, hint = "it redirects again and again", asking
    elif isinstance(error, DecodeError) or isinstance(cause, BadAnswerError):
        what, hint = "the answer is not valid", asking
    elif "NameResolutionError" in type(cause).__name__ or "resolve" in text:
        what, hint = "its name is not found", check
    elif isinstance(cause, SlowAnswerError):
        what, hint = "it answers too slowly", slow
    elif isinstance(error, requests.Timeout) or "timed out" in text:
        what, hint = "it does not answer in time", slow
    else:
        what, hint = "the connection broke", check
    return DownloadError(f"{asked} could not be fetched from {where}: {what} ({text})", hint=hint)


def _asked(error: Exception, url: str) -> str:
    """Return the URL that an error is about: that of a page, or one that a redirect led to."""
    found = getattr(getattr(error, "request", None), "url", None)
    return redact(found or url.removeprefix(_LISTED).partition("#")[0].partition(" ")[0])


def _own(error: BaseException | None) -> BaseException | None:
    """Return what our own connections found wrong, among the causes of an error."""
    while error is not None and not isinstance(error, SlowAnswerError | BadAnswerError):
        error = error.__cause__ or error.__context__
    return error
