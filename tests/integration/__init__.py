"""The real commands, in processes of their own, on projects that lock to a loopback index."""

from __future__ import annotations

import hashlib
import http.client
import os
import socket
import subprocess
import sys
import sysconfig
import threading
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.support.lock_factory import LockedFile, LockedPackage, pylock
from tests.support.loopback import LoopbackServer, Quiet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.index_server import IndexServer
    from tests.support.wheel_factory import WheelSpec

COMMAND = (str(Path(sysconfig.get_path("scripts"), "hatch-lambda-layer")), "build")
HATCHLING = (sys.executable, "-m", "hatchling", "build", "-t", "lambda-layer")
ENTRANCES = [COMMAND, HATCHLING]
ENTRANCE_NAMES = ["hatch-lambda-layer", "hatchling"]

LAYER_TABLE = '[tool.lambda-layer]\nruntimes = ["python3.13"]\n'
PYPROJECT = f"""\
[project]
name = "app"
version = "1.0"
requires-python = ">=3.11"

[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

{LAYER_TABLE}"""

# What of this machine or person would lead a build elsewhere, or let it trust another authority.
_FOREIGN = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "ALL_PROXY")


def big_wheel(name: str, size: int, version: str = "1.0") -> WheelSpec:
    """Give a wheel of about `size` bytes that no compression makes smaller."""
    from tests.support.wheel_factory import WheelSpec

    data = hashlib.shake_128(f"{name}{version}".encode()).digest(size)
    return WheelSpec(name=name, version=version, files={f"{name}/data.bin": data})


@dataclass(frozen=True)
class LayerProject:
    """A project with a `pylock.toml` or `uv.lock`, and a cache that is its own."""

    directory: Path
    cache: Path
    environment: dict[str, str] = field(default_factory=dict)
    """Variables for every build, over those of this process."""

    @property
    def zip(self) -> Path:
        """The layer."""
        return self.directory / "dist" / "layer.zip"

    @property
    def manifest(self) -> Path:
        """The `layer.json`."""
        return self.directory / "dist" / "layer.json"

    @property
    def env(self) -> dict[str, str]:
        """The whole environment of a build."""
        inherited = {key: value for key, value in os.environ.items() if key not in _FOREIGN}
        own = {"HATCH_LAMBDA_LAYER_CACHE_DIR": str(self.cache), "NO_PROXY": "*", "no_proxy": "*"}
        return inherited | own | self.environment

    def start(self, *arguments: str, entrance: Sequence[str] = COMMAND) -> subprocess.Popen[str]:
        """Start a build in the project's folder."""
        return subprocess.Popen(
            [*entrance, *arguments],
            cwd=self.directory,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )

    def build(
        self, *arguments: str, entrance: Sequence[str] = COMMAND, code: int = 0
    ) -> tuple[str, str]:
        """Build, check the exit code, and give the standard output and the standard error."""
        with self.start(*arguments, entrance=entrance) as process:
            out, err = process.communicate(timeout=120)
        assert process.returncode == code, err
        assert "Traceback" not in err
        return out, err

    def lock(self, server: IndexServer, *wheels: WheelSpec) -> None:
        """Write a `pylock.toml` of wheels that `server` has."""
        self.write_lock(
            *(
                LockedPackage(
                    wheels=[LockedFile.of(wheel, server.file_url(wheel.filename))],
                    index=server.simple_url,
                )
                for wheel in wheels
            )
        )

    def write_lock(self, *packages: LockedPackage) -> None:
        """Write a `pylock.toml` of `packages`."""
        (self.directory / "pylock.toml").write_text(pylock(*packages), encoding="utf-8")

    def leftovers(self) -> list[Path]:
        """Give the temporary files that lie in the output, the work folder and the cache."""
        folders = [self.zip.parent, self.directory / "build", self.cache / "v2" / "tmp"]
        found = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
        return [path for path in found if path not in (self.zip, self.manifest)]

    def packages(self) -> list[str]:
        """Give the packages in the layer, after a check of every byte of it."""
        with zipfile.ZipFile(self.zip) as layer:
            assert layer.testzip() is None
            roots = {name.split("/")[1] for name in layer.namelist()}
        return sorted(root for root in roots if not root.endswith(".dist-info"))


def make_project(
    directory: Path, pyproject: str = PYPROJECT, environment: dict[str, str] | None = None
) -> LayerProject:
    """Write a project without a lock; its cache lies beside it."""
    directory.mkdir(parents=True)
    (directory / "pyproject.toml").write_text(pyproject, encoding="utf-8")
    cache = directory.with_name(f"{directory.name}-cache")
    return LayerProject(directory, cache, environment or {})


class Proxy(LoopbackServer):
    """A proxy on 127.0.0.1 that forwards GET, tunnels CONNECT, and notes what it was asked."""

    def __init__(self) -> None:
        super().__init__(_ProxyHandler)
        self.targets: list[str] = []
        self.authorizations: list[str | None] = []


class _ProxyHandler(Quiet, BaseHTTPRequestHandler):
    server: Proxy

    def do_GET(self) -> None:
        self._note()
        url = urlsplit(self.path)
        connection = http.client.HTTPConnection(url.netloc)
        headers = {name: value for name, value in self.headers.items() if "Proxy" not in name}
        connection.request("GET", url.path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers["Content-Type"])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_CONNECT(self) -> None:
        self._note()
        host, _, port = self.path.partition(":")
        with socket.create_connection((host, int(port))) as there:
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=_pump, args=(there, self.connection), daemon=True)
            back.start()
            _pump(self.connection, there)
            back.join()
        self.close_connection = True

    def _note(self) -> None:
        self.server.targets.append(self.path)
        self.server.authorizations.append(self.headers["Proxy-Authorization"])


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass
