"""A loopback package index whose every answer can be scripted.

The index speaks the simple API in HTML (PEP 503) and JSON (PEP 691) with yanks (PEP 592) and
metadata files (PEP 658, PEP 714). Sockets, not patched functions: clients meet real faults.
"""

from __future__ import annotations

import base64
import email
import hashlib
import html
import io
import json
import re
import socket
import threading
import zipfile
from collections import deque
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename

from tests.support.loopback import LoopbackServer, Quiet

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping, Sequence
    from email.message import Message

    from tests.support.wheel_factory import WheelSpec

_JSON_TYPE = "application/vnd.pypi.simple.v1+json"


@dataclass(frozen=True)
class Status:
    """An error answer; `headers` holds `Retry-After`, `WWW-Authenticate` and their like."""

    code: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"scripted fault\n"


@dataclass(frozen=True)
class Redirect:
    """A redirect to an absolute URL, or to a path on the same server."""

    to: str
    code: int = 302


@dataclass(frozen=True)
class Close:
    """The connection closed before any answer."""


@dataclass(frozen=True)
class Truncate:
    """The right headers, the first `keep` bytes of the body, then the connection closed."""

    keep: int = 10


@dataclass(frozen=True)
class Hang:
    """Silence for `seconds`, before the answer or `after` that many bytes of its body."""

    seconds: float = 30.0
    after: int | None = None


@dataclass(frozen=True)
class WrongBytes:
    """Other bytes than the index advertises, with status 200 and a right Content-Length."""

    body: bytes = b"not what the lockfile names"


Answer = Status | Redirect | Close | Truncate | Hang | WrongBytes


@dataclass(frozen=True)
class Request:
    """One request as the server saw it; header names are looked up in any case."""

    method: str
    path: str
    headers: Message


@dataclass(frozen=True, kw_only=True)
class IndexFile:
    """A file of the index and what its project page says about it."""

    filename: str
    data: bytes
    requires_python: str | None = None
    yanked: str | bool = False
    hashes: Mapping[str, str]
    metadata: bytes | None = None

    @property
    def project(self) -> str:
        """The normalised name of the project that the filename belongs to."""
        if self.filename.endswith(".whl"):
            return parse_wheel_filename(self.filename)[0]
        return parse_sdist_filename(self.filename)[0]


class IndexServer(LoopbackServer):
    """A package index on 127.0.0.1, serving between `__enter__` and `__exit__`.

    `hostname` is only how URLs name it: a second server as `localhost` is another host to clients
    than one as `127.0.0.1`. With `user` and `password` every request needs basic authentication.
    """

    def __init__(
        self,
        *,
        hostname: str = "127.0.0.1",
        user: str | None = None,
        password: str | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(_Handler)
        self.hostname = hostname
        self.ranges = True
        """Whether the last bytes of a file are served alone (`Range: bytes=-N`)."""
        self.credentials = None if user is None else f"{user}:{password or ''}"
        self.requests: list[Request] = []
        self.connections = 0
        self.files: dict[str, IndexFile] = {}
        self.closing = threading.Event()
        self._scripts: dict[str, deque[Answer]] = {}
        self._always: dict[str, Answer] = {}
        self._lock = threading.Lock()
        self._scheme = "http" if tls is None else "https"
        if tls is not None:
            # The handshake belongs to the connection's own thread, so that a client which refuses
            # the certificate doesn't stop the server.
            self.socket = tls.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )

    def __exit__(self, *exc: object) -> None:
        self.closing.set()
        super().__exit__(*exc)

    @property
    def url(self) -> str:
        """The server's origin, without credentials or a final slash."""
        return f"{self._scheme}://{self.hostname}:{self.server_port}"

    @property
    def simple_url(self) -> str:
        """The index URL."""
        return f"{self.url}/simple/"

    @property
    def simple_url_with_credentials(self) -> str:
        """The index URL with user and password in it."""
        user, _, password = (self.credentials or "").partition(":")
        userinfo = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user else ""
        return self.simple_url.replace("://", f"://{userinfo}", 1)

    def path_of(self, filename: str) -> str:
        """The path a file is served from, for `script`."""
        return f"/files/{filename}"

    def file_url(self, filename: str) -> str:
        """The URL of a file, as lockfiles name it."""
        return self.url + quote(self.path_of(filename))

    def add(self, *wheels: WheelSpec, **options: Any) -> None:
        """Adds wheels, with `add_file`'s options for each."""
        for wheel in wheels:
            options_ = {"requires_python": wheel.requires_python, "metadata": wheel.metadata}
            self.add_file(wheel.filename, wheel.data, **(options_ | options))

    def add_file(
        self,
        filename: str,
        data: bytes,
        *,
        requires_python: str | None = None,
        yanked: str | bool = False,
        advertised: Mapping[str, str] | None = None,
        metadata: bytes | None = None,
    ) -> str:
        """Adds a wheel or sdist and returns its URL.

        `advertised` replaces the true `{"sha256": …}` (`{}`: no hash at all). A wheel's `metadata`
        defaults to the one inside or, where that can't be read or is another distribution's, to the
        filename's name and version, so that a resolver can lock a hostile wheel.
        """
        if metadata is None and filename.endswith(".whl"):
            metadata = _metadata_of(filename, data)
        hashes = {"sha256": hashlib.sha256(data).hexdigest()} if advertised is None else advertised
        self.files[filename] = IndexFile(
            filename=filename,
            data=data,
            requires_python=requires_python,
            yanked=yanked,
            hashes=hashes,
            metadata=metadata,
        )
        return self.file_url(filename)

    def script(self, path: str, *answers: Answer) -> None:
        """Gives `answers` to the next requests for `path`, one each; then the true answer again."""
        self._scripts.setdefault(path, deque()).extend(answers)

    def always(self, path: str, answer: Answer) -> None:
        """Gives `answer` to every request for `path`; `*` is any path."""
        self._always[path] = answer

    def requests_for(self, path: str) -> list[Request]:
        """The requests for one path in the order they came."""
        return [request for request in self.requests if request.path == path]

    def connected(self) -> None:
        """Counts one connection."""
        with self._lock:
            self.connections += 1

    def take(self, request: Request) -> Answer | None:
        """Records `request` and gives its scripted answer, `None` for the true one."""
        with self._lock:
            self.requests.append(request)
            if script := self._scripts.get(request.path):
                return script.popleft()
            return self._always.get(request.path, self._always.get("*"))

    def is_authorized(self, request: Request) -> bool:
        """Whether `request` carries the credentials, where there are any."""
        if self.credentials is None:
            return True
        expected = base64.b64encode(self.credentials.encode()).decode()
        return bool(request.headers.get("Authorization") == f"Basic {expected}")

    def content(self, request: Request) -> tuple[str, bytes] | None:
        """The true answer's content type and body; `None` for a path that isn't there."""
        match [part for part in request.path.split("/") if part]:
            case ["files", name] if name in self.files:
                return "application/octet-stream", self.files[name].data
            case ["files", name] if name.endswith(".metadata"):
                owner = self.files.get(name.removesuffix(".metadata"))
                found = owner.metadata if owner else None
                return None if found is None else ("application/octet-stream", found)
            case ["simple", project]:
                files = [file for file in self.files.values() if file.project == project]
                if not files or project != canonicalize_name(project):
                    return None
                if _JSON_TYPE in (request.headers.get("Accept") or ""):
                    return _JSON_TYPE, self._project_json(project, files)
                return "text/html; charset=utf-8", self._project_html(files)
        return None

    def _project_json(self, project: str, files: Sequence[IndexFile]) -> bytes:
        entries = [
            {
                "filename": file.filename,
                "url": self.file_url(file.filename),
                "hashes": dict(file.hashes),
                "size": len(file.data),
                "yanked": file.yanked,
                **({"requires-python": file.requires_python} if file.requires_python else {}),
                **({"core-metadata": True} if file.metadata is not None else {}),
            }
            for file in files
        ]
        versions = sorted({_version(file.filename) for file in files})
        page = {"meta": {"api-version": "1.1"}, "name": project}
        return json.dumps({**page, "versions": versions, "files": entries}).encode()

    def _project_html(self, files: Sequence[IndexFile]) -> bytes:
        lines = ["<!DOCTYPE html><html><body>"]
        for file in files:
            fragment = "".join(f"#{name}={digest}" for name, digest in file.hashes.items())
            attributes = {"href": self.file_url(file.filename) + fragment}
            if file.requires_python:
                attributes["data-requires-python"] = file.requires_python
            if file.yanked is not False:
                attributes["data-yanked"] = "" if file.yanked is True else file.yanked
            if file.metadata is not None:
                attributes["data-core-metadata"] = "true"
            text = " ".join(f'{key}="{html.escape(value)}"' for key, value in attributes.items())
            lines.append(f"<a {text}>{html.escape(file.filename)}</a>")
        return "\n".join([*lines, "</body></html>"]).encode()


def _version(filename: str) -> str:
    if filename.endswith(".whl"):
        return str(parse_wheel_filename(filename)[1])
    return str(parse_sdist_filename(filename)[1])


def _metadata_of(filename: str, data: bytes) -> bytes:
    name, version, *_ = parse_wheel_filename(filename)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as wheel:
            found = [path for path in wheel.namelist() if path.endswith(".dist-info/METADATA")]
            metadata = wheel.read(found[0])
    except (zipfile.BadZipFile, OSError, ValueError, LookupError, RuntimeError):
        metadata = b""
    fields = email.message_from_bytes(metadata)
    if canonicalize_name(fields.get("Name", "")) == name and fields["Version"] == str(version):
        return metadata
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()


_TAIL = re.compile(r"bytes=-(\d+)")


class _Handler(Quiet, BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: IndexServer

    def setup(self) -> None:
        self.server.connected()
        super().setup()

    def do_GET(self) -> None:
        index = self.server
        request = Request(self.command, unquote(urlsplit(self.path).path), self.headers)
        answer = index.take(request)
        content = index.content(request)
        match answer:
            case Close():
                self._hang_up()
            case Status(code, headers, body):
                self._send(code, headers, body)
            case Redirect(to, code):
                self._send(code, {"Location": to}, b"")
            case WrongBytes(body):
                self._send(200, {}, body)
            case _ if not index.is_authorized(request):
                self._send(401, {"WWW-Authenticate": 'Basic realm="index"'}, b"unauthorized\n")
            case _ if content is None:
                self._send(404, {}, b"not found\n")
            case _:
                self._send_content(*content, answer)

    def do_HEAD(self) -> None:
        self.do_GET()

    def _send_content(self, content_type: str, body: bytes, answer: Answer | None) -> None:
        if isinstance(answer, Hang) and answer.after is None:
            self.server.closing.wait(answer.seconds)
        headers = {"Content-Type": content_type}
        match answer:
            case Truncate(keep):
                self._send(200, headers, body, upto=keep)
                self._hang_up()
            case Hang(seconds, int() as after):
                self._send(200, headers, body, upto=after)
                self.server.closing.wait(seconds)
                if self.command != "HEAD":
                    self.wfile.write(body[after:])
            case _ if self.server.ranges and (tail := _TAIL.fullmatch(self.headers["Range"] or "")):
                part = body[-int(tail[1]) :]
                start = len(body) - len(part)
                headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
                self._send(206, headers, part)
            case _:
                self._send(200, headers, body)

    def _send(
        self, code: int, headers: Mapping[str, str], body: bytes, *, upto: int | None = None
    ) -> None:
        self.send_response(code, HTTPStatus(code).phrase)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:upto])
            self.wfile.flush()

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)
