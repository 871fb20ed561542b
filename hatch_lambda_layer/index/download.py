"""Downloads over HTTP: files, and the pages of indexes that list them."""

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
# The beginning of `index+PAGE#FILENAME`: a file whose URL the lockfile does not have.
_LISTED = "index+"


class Downloader:
    """Fetches files for several threads, over connections that they share.

    Proxies and `REQUESTS_CA_BUNDLE` work as in requests. Credentials are those that `access` has
    for a URL: a redirect to another origin is followed without them. `timeout` is in seconds, for
    each wait; without one, `HATCH_LAMBDA_LAYER_HTTP_TIMEOUT` counts, else 30.
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

        `index+PAGE#FILENAME` stands for the file of that name that the project's page lists. There
        may be several pages, with spaces between them: the first that lists the file counts.

        `moved` is called with the number of bytes that came, and with a negative number for those
        of a failed attempt. `index` is the URL of the file's index, which messages name. Raises
        `DownloadError` after a limited number of attempts, and for more than `largest` bytes.
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
        """Return the files of a project on an index; `None` if the index does not have the project.

        Raises `DownloadError` if the index can't be reached, refuses the request, or answers with
        something that is not a valid page.
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
        # Wheels are compressed already, and their size is checked: ask for no content coding.
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
        failing = (f"{where} failed at every attempt", "wait a little, then build again")
        wanted = self._access.advice(url) if status in _UNAUTHORIZED else ""
        reason, hint = {
            401: (f"{where} asks for a user name and a password", wanted),
            403: (f"{where} forbids it", f"check the credentials and what they may read; {wanted}"),
            404: (f"{where} does not have it (any more)", "lock again, or ask who runs the index"),
            429: (f"{where} received too many requests", "wait a little, then build again"),
        }.get(status, failing if status in transport.RETRIED_STATUS else unasked)
        return DownloadError(f"{redact(url)} answers {status}: {reason}", hint=hint)


def _passing(error: Exception) -> bool:
    """Return whether a transfer broke and is tried again; urllib3 has retried all other errors."""
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
    """Return the error for a URL that could not be fetched, with a hint by its cause."""
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
        hint = "check the network, or set HATCH_LAMBDA_LAYER_HTTP_TIMEOUT to more seconds"
    else:
        what, hint = "the connection broke", "check the network, then build again"
    return DownloadError(
        f"{redact(url)} could not be fetched from {where}: {what} ({text})", hint=hint
    )
