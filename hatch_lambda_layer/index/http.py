"""HTTP sessions: which certificates they trust, their retries, and who gets credentials."""

from __future__ import annotations

import io
import math
import os
import ssl
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
import truststore
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.exceptions import InvalidHeader, MaxRetryError
from urllib3.util import Retry

from .. import __version__
from ..config.indexes import origin
from ..exceptions import DownloadError
from .connections import POOLS, discard

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .auth import IndexAccess

ATTEMPTS = 4
RETRIED_STATUS = (408, 425, 429, 500, 502, 503, 504)
BACKOFF_SECONDS = 0.4
# A server that wants us to wait for longer is reported instead.
_LONGEST_RETRY_AFTER_SECONDS = 60
# To one host: more than there are threads, so that none has to be closed.
_MOST_CONNECTIONS = 32
_MOST_REDIRECTS = 10
_BUNDLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def answer_timeout() -> float:
    """Return the seconds to wait for a server; raise `DownloadError` if they are not a number."""
    value = os.environ.get("HATCH_LAMBDA_LAYER_HTTP_TIMEOUT", "30")
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds > 0):
        raise DownloadError(
            f"HATCH_LAMBDA_LAYER_HTTP_TIMEOUT must be a number of seconds, not {value!r}"
        )
    return seconds


def open_session(access: IndexAccess, adapter: HTTPAdapter) -> requests.Session:
    """Return a session for one thread, over an adapter that threads may share."""
    session = _Session(access)
    session.headers["User-Agent"] = f"hatch-lambda-layer/{__version__}"
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def open_adapter(certificates: Mapping[str, str]) -> HTTPAdapter:
    """Return a pool of connections; raise `DownloadError` for certificates that can't be used.

    `certificates` are files or folders to trust as well, by the name of the setting.
    """
    retries = _Retry(
        total=ATTEMPTS,
        connect=ATTEMPTS - 1,
        read=ATTEMPTS - 1,
        other=0,  # a certificate is no more trusted the second time
        status_forcelist=RETRIED_STATUS,
        backoff_factor=BACKOFF_SECONDS,
        backoff_jitter=BACKOFF_SECONDS,
        # `_Retry` reports what is too long; urllib3 would wait for less than asked.
        retry_after_max=sys.maxsize,
        raise_on_status=False,
    )
    return _Adapter(certificates, max_retries=retries, pool_maxsize=_MOST_CONNECTIONS)


class _Session(requests.Session):
    """A session in which `access` alone decides which requests get credentials, also redirects."""

    def __init__(self, access: IndexAccess) -> None:
        super().__init__()
        self.max_redirects = _MOST_REDIRECTS
        self._access = access
        self.auth = self._authorize

    def _authorize(self, request: Any) -> Any:
        if value := self._access.authorization(request.url):
            request.headers["Authorization"] = value
        return request

    def get_redirect_target(self, resp: Any) -> str | None:
        if resp.is_redirect:
            # requests would read the whole body of a redirect into memory.
            discard(resp.raw)
            resp.raw = io.BytesIO()
        return super().get_redirect_target(resp)

    def rebuild_auth(self, prepared_request: Any, response: Any) -> None:
        # Within one origin the header stays: credentials from the first URL are found nowhere else.
        if origin(prepared_request.url) != origin(response.request.url):
            prepared_request.headers.pop("Authorization", None)
            self._authorize(prepared_request)


class _Adapter(HTTPAdapter):
    """An adapter that trusts the system's certificates and those that the environment names.

    All connections share one context: reading the certificates for each would take longer than
    most downloads.
    """

    def __init__(self, certificates: Mapping[str, str], **kwargs: Any) -> None:
        self._certificates = certificates
        super().__init__(**kwargs)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        self._context = _system_context()
        named = {name: os.environ.get(name) for name in _BUNDLES}
        # The settings often name one and the same file, and to read it takes 25 ms.
        by_bundle = {path: name for name, path in reversed({**named, **self._certificates}.items())}
        for bundle, name in by_bundle.items():
            if bundle:
                _trust(self._context, bundle, name)
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, ssl_context=self._context, **kwargs)
        manager.pool_classes_by_scheme = POOLS
        return manager

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
    """Retries that give up if a server asks for a long wait, and ignore a malformed header."""

    def get_retry_after(self, response: Any) -> float | None:
        try:
            return super().get_retry_after(response)
        except InvalidHeader:
            return None
        except (ValueError, OverflowError):
            # Python refuses to count that far, or the date has a thirteenth month.
            return math.inf if response.headers["Retry-After"].strip().isdecimal() else None

    def increment(self, *args: Any, **kwargs: Any) -> Any:
        response = kwargs.get("response")
        if response is not None:
            # urllib3 would read the whole body before it tries again.
            discard(response)
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
