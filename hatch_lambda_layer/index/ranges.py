"""Parts of files at signed URLs, such as those at which Lambda shows the zip of a layer."""

from __future__ import annotations

import os
import random
import time
from http import HTTPStatus
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

from .._internal.process import redact
from ..exceptions import DownloadError
from . import http as transport
from .auth import IndexAccess

_CHUNK = 1 << 18
# Trusted by the clients of AWS, whose host this is.
_BUNDLES = ("AWS_CA_BUNDLE",)
_REFUSED = {HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN}
_DAMAGED = "run it again; check whether a proxy changes or cuts responses"


class _Nobody(IndexAccess):
    """The credentials for signed URLs: none. A server refuses a URL that is signed and more."""

    def authorization(self, url: str) -> str | None:  # noqa: ARG002  # whatever netrc has for it
        """Return `None`."""
        return None


class ExpiredUrlError(DownloadError):
    """A signed URL that is refused: it is good for a few minutes only."""


class SignedFile:
    """A file of `size` bytes at a signed URL, of which parts can be fetched.

    Nothing but the URL is sent: no credentials. No message has its query, which is as good as a
    password.
    """

    def __init__(self, url: str, size: int) -> None:
        bundle = {name: os.environ[name] for name in _BUNDLES if os.environ.get(name)}
        adapter = transport.open_adapter(bundle)
        # Of its own retries urllib3 logs the whole URL.
        adapter.max_retries = Retry(0, read=False)
        self._session = transport.open_session(_Nobody(), adapter)
        self._timeout = transport.answer_timeout()
        self._url = url
        self._shown = redact(url)
        self._size = size

    def fetch(self, start: int, stop: int) -> bytes:
        """Fetch the bytes from one offset up to another.

        Raises `ExpiredUrlError` where the URL is refused, and `DownloadError` where the server
        can't be reached, serves a file of another size, or no part of one.
        """
        for number in range(1, transport.ATTEMPTS + 1):
            try:
                data = self._fetch_once(start, stop)
            except (requests.RequestException, HTTPError, ValueError) as error:
                reason = self._reason(error)
            else:
                if data is not None:
                    return data
                reason = "its server fails, or its answer is cut"
            if number < transport.ATTEMPTS:
                pause = transport.BACKOFF_SECONDS * 2**number
                time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311  # no secret
        # Not chained: what urllib3 says has the path and the query of the URL.
        raise DownloadError(
            f"{self._shown} could not be read: {reason}",
            hint="check the network and the proxy, then run it again",
        )

    def _fetch_once(self, start: int, stop: int) -> bytes | None:
        """Fetch a part; return `None` for an answer after which it is to be asked for again."""
        headers = {"Range": f"bytes={start}-{stop - 1}", "Accept-Encoding": "identity"}
        with self._session.get(
            self._url, headers=headers, stream=True, timeout=self._timeout
        ) as answer:
            if answer.status_code in transport.RETRIED_STATUS:
                return None
            self._check(answer, f"bytes {start}-{stop - 1}/{self._size}")
            data = b""
            for chunk in answer.raw.stream(_CHUNK, decode_content=False):
                data += chunk
                if len(data) > stop - start:
                    break
        return data if len(data) == stop - start else None

    def _check(self, answer: requests.Response, wanted: str) -> None:
        """Raise `DownloadError` for an answer that is not the part that was asked for."""
        if answer.status_code in _REFUSED:
            raise ExpiredUrlError(f"{self._shown} answers {answer.status_code}")
        found = answer.headers.get("Content-Range", "no range")
        if answer.status_code != HTTPStatus.PARTIAL_CONTENT or found != wanted:
            raise DownloadError(
                f"{self._shown} answers {answer.status_code} with {found} instead of {wanted}",
                hint=_DAMAGED,
            )

    def _reason(self, error: Exception) -> str:
        cause: object = error.args[0] if error.args else error
        text = str(getattr(cause, "reason", None) or cause)
        query = urlsplit(self._url).query
        return redact(text.replace(query, "****") if query else text)
