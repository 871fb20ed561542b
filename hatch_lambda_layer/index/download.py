"""What is fetched over HTTP: files, and the pages of indexes that list them."""

from __future__ import annotations

import math
import os
import random
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import requests

from .._internal.process import redact
from ..exceptions import DownloadError
from . import http as transport
from .auth import IndexAccess
from .pages import read_links

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from .pages import Link

_UNAUTHORIZED = (401, 403)
_CHUNK = 1 << 18
_JSON_INDEX = "application/vnd.pypi.simple.v1+json"
_HTML_INDEX = "application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
# Before the page of a project and the name of a file, where a lockfile has no URL of the file.
_LISTED = "index+"


class Downloader:
    """Fetches files for several threads, over connections that they share.

    Proxies and `REQUESTS_CA_BUNDLE` work as in requests. Credentials are those that `access` has
    for a URL: a redirect to elsewhere is followed without them.
    """

    def __init__(self, access: IndexAccess | None = None, timeout: float | None = None) -> None:
        self._access = access or IndexAccess()
        default = os.environ.get("HATCH_LAMBDA_LAYER_HTTP_TIMEOUT", "30")
        try:
            self._timeout = timeout or float(default)
        except ValueError:
            self._timeout = math.nan
        if not (math.isfinite(self._timeout) and self._timeout > 0):
            raise DownloadError(
                f"HATCH_LAMBDA_LAYER_HTTP_TIMEOUT must be a number of seconds, not {default!r}"
            )
        self._adapter = transport.open_adapter()
        self._threads = threading.local()

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

        `index+PAGE#FILENAME` is the file that the page of its project links; where several pages,
        with spaces between them, can have it, the first of them that does.

        `moved` is called with the bytes as they come, and with what a failed attempt had
        brought, negative. Raises `DownloadError` after bounded attempts, and when the body has
        more than `largest` bytes.
        """
        for attempt in range(1, transport.ATTEMPTS + 1):
            try:
                return self._fetch_once(url, file, largest, index, moved)
            except requests.RequestException as error:
                if attempt == transport.ATTEMPTS or not _passing(error):
                    raise _unreachable(url, self._named(url, index), error) from error
            moved(-file.tell())
            file.seek(0)
            file.truncate()
            time.sleep(transport.BACKOFF_SECONDS * 2**attempt * random.uniform(0.5, 1.5))  # noqa: S311
        return None

    def links(self, index_url: str, name: str) -> list[Link] | None:
        """Ask an index for the files of a project; `None` where it does not have the project.

        Raises `DownloadError` for every other answer than these two.
        """
        page = f"{index_url.rstrip('/')}/{name}/"
        try:
            answer = self._page(page)
        except requests.RequestException as error:
            raise _unreachable(page, self._named(page, index_url), error) from error
        if answer.status_code == requests.codes.not_found:
            return None
        if not answer.ok:
            raise self._refused(page, index_url, answer.status_code)
        return read_links(answer.url, answer.headers, answer.content)

    def _link(self, location: str, index: str | None) -> Link:
        """Return what the first page that lists a file says of it."""
        pages, _, name = location.removeprefix(_LISTED).partition("#")
        for page in pages.split():
            answer = self._page(page)
            if answer.status_code == requests.codes.not_found:
                continue
            if not answer.ok:
                raise self._refused(page, None, answer.status_code)
            links = read_links(answer.url, answer.headers, answer.content, unquote(name))
            if links:
                return links[0]
        raise DownloadError(
            f"{self._named(pages.split()[0], index)} does not list `{unquote(name)}` (any more)",
            hint="lock again, or ask who runs the index",
        )

    def _page(self, url: str) -> requests.Response:
        accept = f"{_JSON_INDEX}, {_HTML_INDEX}"
        return self._session().get(url, headers={"Accept": accept}, timeout=self._timeout)

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
        # Wheels are compressed already, and their size is checked: no content coding.
        headers = {"Accept-Encoding": "identity"}
        with self._session().get(
            url, stream=True, timeout=self._timeout, headers=headers
        ) as answer:
            if not answer.ok:
                raise self._refused(url, index, answer.status_code)
            for chunk in answer.iter_content(_CHUNK):
                if file.tell() + len(chunk) > largest:
                    raise DownloadError(
                        f"{redact(url)} serves more than the {largest:,} bytes it should have"
                    )
                file.write(chunk)
                moved(len(chunk))

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._threads, "session", None)
        if session is None:
            session = self._threads.session = transport.open_session(self._access, self._adapter)
        return session

    def _named(self, url: str, index: str | None) -> str:
        if named := self._access.index_of(url):
            return f"index `{named.name}` ({named.url})"
        return f"index {redact(index)}" if index else f"host {urlsplit(url).hostname}"

    def _refused(self, url: str, index: str | None, status: int) -> DownloadError:
        where = self._named(url, index)
        unasked = (f"{where} refuses it", "ask who runs the index")
        failing = (f"{where} failed, and went on failing", "wait a little, then build again")
        wanted = self._access.advice(url) if status in _UNAUTHORIZED else ""
        reason, hint = {
            401: (f"{where} asks for a user name and a password", wanted),
            403: (f"{where} forbids it", f"check the credentials and what they may read; {wanted}"),
            404: (f"{where} does not have it (any more)", "lock again, or ask who runs the index"),
            429: (f"{where} is asked too often", "wait a little, then build again"),
        }.get(status, failing if status in transport.RETRIED_STATUS else unasked)
        return DownloadError(f"{redact(url)} answers {status}: {reason}", hint=hint)


def _passing(error: Exception) -> bool:
    """Tell a broken transfer, which is tried again, from what urllib3 has tried often enough."""
    broken = (
        requests.exceptions.ChunkedEncodingError,
        requests.exceptions.ContentDecodingError,
    )
    if isinstance(error, broken):
        return True
    if isinstance(error, requests.ConnectionError):
        return not error.args or not hasattr(error.args[0], "reason")
    return False


def _unreachable(url: str, where: str, error: Exception) -> DownloadError:
    """Say what kept a file from coming, in the terms a person can act on."""
    cause: object = error.args[0] if error.args else error
    cause = getattr(cause, "reason", None) or cause
    text = redact(str(cause))
    if isinstance(error, requests.exceptions.SSLError):
        what, hint = "its certificate is not trusted", "name your CA's file in SSL_CERT_FILE"
    elif isinstance(error, requests.exceptions.ProxyError):
        what, hint = "the proxy does not answer", "check HTTPS_PROXY, HTTP_PROXY and NO_PROXY"
    elif "NameResolutionError" in type(cause).__name__ or "resolve" in text:
        what, hint = "its name is not found", "check the network, then build again"
    elif isinstance(error, requests.Timeout) or "timed out" in text:
        what = "it does not answer in time"
        hint = "check the network, or allow more seconds in HATCH_LAMBDA_LAYER_HTTP_TIMEOUT"
    else:
        what, hint = "the connection broke", "check the network, then build again"
    return DownloadError(
        f"{redact(url)} could not be fetched from {where}: {what} ({text})", hint=hint
    )
