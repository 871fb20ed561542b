"""The one door for HTTP: pooled, retried within bounds, and with credentials for one host only."""

from __future__ import annotations

import math
import os
import random
import re
import ssl
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import requests
import truststore
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.exceptions import InvalidHeader, MaxRetryError
from urllib3.util import Retry

from . import __version__
from .exceptions import DownloadError
from .index_pages import find_link
from .process import redact

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from .index_pages import Link
    from .selection import LockedWheel

_ATTEMPTS = 4
_RETRIED_STATUS = (408, 425, 429, 500, 502, 503, 504)
_BACKOFF_SECONDS = 0.4
# A server that wants us to wait for longer is reported instead.
_LONGEST_RETRY_AFTER_SECONDS = 60
_CHUNK = 1 << 18
# To one host: more than there are threads, so that none has to be closed.
_MOST_CONNECTIONS = 32
_BUNDLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
# Pages of large projects have megabytes: only one that has yanked something is parsed.
_SOMETHING_YANKED = re.compile(rb'"yanked"\s*:\s*(?!false)|data-yanked')
_JSON_INDEX = "application/vnd.pypi.simple.v1+json"
_HTML_INDEX = "application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
# Before the page of a project and the name of a file, where a lockfile has no URL of the file.
_LISTED = "index+"


class _Adapter(HTTPAdapter):
    """Trusts what the operating system trusts, and the certificates named by the environment.

    One context for every connection: reading the certificates anew for each takes longer than
    most downloads.
    """

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        self._context = _system_context()
        # The variables often name one and the same file, and to read it takes 25 ms.
        for bundle, name in {os.environ.get(name): name for name in reversed(_BUNDLES)}.items():
            if bundle:
                _trust(self._context, bundle, name)
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        return super().proxy_manager_for(proxy, ssl_context=self._context, **kwargs)

    def build_connection_pool_key_attributes(
        self, request: Any, verify: Any, cert: Any = None
    ) -> Any:
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, {key: value for key, value in pool.items() if not key.startswith("ca_cert")}

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        # The context has the certificates already; requests would add its own to each connection.
        pass


def _system_context() -> ssl.SSLContext:
    if sys.platform in ("darwin", "win32"):
        # There, only the system itself can say what it trusts.
        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Elsewhere the system has files, which need not lie where this OpenSSL looks for them.
    context = ssl.create_default_context()
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    return context


class _Retry(Retry):
    """Gives up where a server wants us to wait for too long, and knows what says nothing."""

    def get_retry_after(self, response: Any) -> float | None:
        try:
            return super().get_retry_after(response)
        except InvalidHeader:
            return None

    def increment(self, *args: Any, **kwargs: Any) -> Any:
        response = kwargs.get("response")
        wait = self.get_retry_after(response) if response is not None else None
        if wait is not None and wait > _LONGEST_RETRY_AFTER_SECONDS:
            raise MaxRetryError(kwargs["_pool"], args[1] if len(args) > 1 else None)
        return super().increment(*args, **kwargs)


def _trust(context: ssl.SSLContext, bundle: str, name: str) -> None:
    """Trust a file or folder of certificates; raise `DownloadError` for one that can't be used."""
    try:
        if Path(bundle).is_dir():
            context.load_verify_locations(capath=bundle)
        else:
            context.load_verify_locations(cafile=bundle)
    except OSError as error:
        raise DownloadError(
            f"{name} names {bundle}, which can't be used: {error.strerror or error}",
            hint="name a file of certificates in PEM form",
        ) from error


class Downloader:
    """Fetches files for several threads, over connections that they share.

    Proxies, netrc and `REQUESTS_CA_BUNDLE` work as in requests. Credentials go to the host they
    are for: a redirect to another host is followed without them.
    """

    def __init__(self, timeout: float | None = None) -> None:
        default = os.environ.get("HATCH_LAMBDA_LAYER_HTTP_TIMEOUT", "30")
        try:
            self._timeout = timeout or float(default)
        except ValueError:
            self._timeout = math.nan
        if not (math.isfinite(self._timeout) and self._timeout > 0):
            raise DownloadError(
                f"HATCH_LAMBDA_LAYER_HTTP_TIMEOUT must be a number of seconds, not {default!r}"
            )
        self._adapter = _adapter()
        self._threads = threading.local()
        self._links: dict[str, Link] = {}
        self._locating: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

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
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._fetch_once(url, file, largest, index, moved)
            except requests.RequestException as error:
                if attempt == _ATTEMPTS or not _passing(error):
                    raise _unreachable(url, index, error) from error
            moved(-file.tell())
            file.seek(0)
            file.truncate()
            time.sleep(_BACKOFF_SECONDS * 2**attempt * random.uniform(0.5, 1.5))  # noqa: S311
        return None

    def yanked(self, locked: LockedWheel) -> str | None:
        """Ask the index why it has yanked a wheel; `None` when it has not, or does not say."""
        if locked.index_url is None:
            return None
        page = f"{locked.index_url.rstrip('/')}/{locked.name}/"
        try:
            if locked.location.startswith(_LISTED):
                return self._link(locked.location, locked.index_url).yanked
            answer = self._page(page)
            if not answer.ok or _SOMETHING_YANKED.search(answer.content) is None:
                return None
            link = find_link(answer.url, answer.headers, answer.content, locked.filename)
        # The build must not depend on a second opinion that the lockfile does not ask for.
        except (DownloadError, requests.RequestException, OSError):
            return None
        return link and link.yanked

    def _link(self, location: str, index: str | None) -> Link:
        """Give what the first page that lists a file says of it.

        Two threads want that: the one that fetches the file, and the one that asks for yanks.
        """
        with self._locating[location]:
            if location not in self._links:
                self._links[location] = self._found(location, index)
            return self._links[location]

    def _found(self, location: str, index: str | None) -> Link:
        pages, _, name = location.removeprefix(_LISTED).partition("#")
        for page in pages.split():
            answer = self._page(page)
            if answer.status_code == requests.codes.not_found:
                continue
            if not answer.ok:
                raise _refused(page, None, answer.status_code)
            link = find_link(answer.url, answer.headers, answer.content, unquote(name))
            if link is not None:
                return link
        raise DownloadError(
            f"{_named(index, pages)} does not list `{unquote(name)}` (any more)",
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
                raise _refused(url, index, answer.status_code)
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
            session = requests.Session()
            session.headers["User-Agent"] = f"hatch-lambda-layer/{__version__}"
            session.mount("https://", self._adapter)
            session.mount("http://", self._adapter)
            self._threads.session = session
        return session


def _adapter() -> _Adapter:
    """Give the pool of connections that all threads share."""
    retries = _Retry(
        total=_ATTEMPTS,
        connect=_ATTEMPTS - 1,
        read=_ATTEMPTS - 1,
        other=0,  # a certificate does not become trusted
        status_forcelist=_RETRIED_STATUS,
        backoff_factor=_BACKOFF_SECONDS,
        backoff_jitter=_BACKOFF_SECONDS,
        # `_Retry` reports what is too long; urllib3 would wait for less than asked.
        retry_after_max=sys.maxsize,
        raise_on_status=False,
    )
    return _Adapter(max_retries=retries, pool_maxsize=_MOST_CONNECTIONS)


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


def _named(index: str | None, url: str) -> str:
    return f"index {redact(index)}" if index else f"host {urlsplit(url).hostname}"


def _refused(url: str, index: str | None, status: int) -> DownloadError:
    where = _named(index, url)
    reasons = {
        401: (
            f"{where} asks for a user name and a password",
            f"put them into ~/.netrc (or the file that NETRC names) for {urlsplit(url).hostname}",
        ),
        403: (f"{where} forbids it", "check the credentials and what they may read"),
        404: (f"{where} does not have it (any more)", "lock again, or ask who runs the index"),
        429: (f"{where} is asked too often", "wait a little, then build again"),
    }
    refused = (f"{where} refuses it", "ask who runs the index")
    failing = (f"{where} failed, and went on failing", "wait a little, then build again")
    reason, hint = reasons.get(status, failing if status in _RETRIED_STATUS else refused)
    return DownloadError(f"{redact(url)} answers {status}: {reason}", hint=hint)


def _unreachable(url: str, index: str | None, error: Exception) -> DownloadError:
    """Say what kept a file from coming, in the terms a person can act on."""
    cause: object = error.args[0] if error.args else error
    cause = getattr(cause, "reason", None) or cause
    text = redact(str(cause))
    where = _named(index, url)
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
