"""The pages of a package index on loopback: what the network takes is not the subject."""

from __future__ import annotations

import json
import urllib.request
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from tests.support.loopback import LoopbackServer, Quiet

if TYPE_CHECKING:
    from collections.abc import Mapping

_JSON = "application/vnd.pypi.simple.v1+json"
# As long as PyPI lets pip keep a page.
_KEPT = "max-age=600, public"


class Pages(LoopbackServer):
    """Serves the pages of the index at `upstream`, each as it was when it was first asked for.

    The files are where that index has them: the caches have what a build needs.
    """

    def __init__(self, upstream: str) -> None:
        super().__init__(_Handler)
        self._upstream = upstream.rstrip("/")
        self._pages: dict[str, bytes] = {}

    @property
    def simple_url(self) -> str:
        """The URL of the index."""
        return f"http://127.0.0.1:{self.server_port}/simple/"

    def page(self, name: str) -> bytes:
        """Give the page of a project in JSON (PEP 691)."""
        if name not in self._pages:
            url = f"{self._upstream}/{name}/"
            request = urllib.request.Request(url, headers={"Accept": _JSON})  # https
            with urllib.request.urlopen(request, timeout=60) as answer:  # likewise
                found = json.load(answer)
            found["files"] = [_absolute(file, url) for file in found["files"]]
            self._pages[name] = json.dumps(found).encode()
        return self._pages[name]


def _absolute(file: Mapping[str, object], page: str) -> dict[str, object]:
    return {**file, "url": urljoin(page, str(file["url"]))}


class _Handler(Quiet, BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Pages

    def do_GET(self) -> None:
        try:
            body, status = self.server.page(self.path.strip("/").rpartition("/")[2]), 200
        except OSError:
            body, status = b"{}", 404
        self.send_response(status)
        for name, value in (
            ("Content-Type", _JSON),
            ("Content-Length", str(len(body))),
            ("Cache-Control", _KEPT),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
