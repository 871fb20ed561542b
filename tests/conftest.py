"""What every test has: a cache of its own, and no settings of the person who runs it.

And what a whole build in this process needs: an index, and a project that has locked its wheels.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.container_engine import ContainerEngine, container_engine
from tests.support.index_server import IndexServer
from tests.support.layer_project import Project
from tests.support.system_parts import require
from tests.support.tools import stand_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Settings that would make a test's result depend on who runs it.
_PERSONAL = (
    "HATCH_LAMBDA_LAYER",
    "HATCH_LAMBDA_LAYER_CACHE_S3",
    "HATCH_LAMBDA_LAYER_HTTP_TIMEOUT",
    "HATCH_QUIET",
    "HATCH_VERBOSE",
    "SOURCE_DATE_EPOCH",
    "NETRC",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "http_proxy",
    "https_proxy",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--all-moments",
        action="store_true",
        help="try faults at all moments and with all seeds, not at some of them",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "fault(*rows): proves rows of docs/faults.md")
    config.addinivalue_line("markers", "moments: tries more with --all-moments")


@pytest.fixture(scope="session")
def all_moments(request: pytest.FixtureRequest) -> bool:
    """Whether tests try faults at all moments that they know, and with all seeds."""
    return bool(request.config.getoption("--all-moments"))


@pytest.fixture(autouse=True)
def cache_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test, and the processes it starts, an empty cache."""
    for name in _PERSONAL:
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "cache"
    monkeypatch.setenv("HATCH_LAMBDA_LAYER_CACHE_DIR", str(folder))
    return folder


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[IndexServer]:
    """An empty index on loopback."""
    monkeypatch.setenv("NO_PROXY", "*")
    with IndexServer() as server:
        yield server


@pytest.fixture
def project(tmp_path: Path, index: IndexServer) -> Project:
    """A project that has locked two wheels of the index."""
    root = tmp_path / "project"
    root.mkdir()
    made = Project(root, index)
    made.lock()
    return made


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> ContainerEngine:
    """A real engine, which is `podman` to this process, with Lambda's build image made here."""
    found = require(container_engine)
    for name, value in found.environment.items():
        monkeypatch.setenv(name, value)
    return found


@pytest.fixture
def asked(tmp_path: Path, engine: ContainerEngine, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that has the arguments of every call of the engine, one call a line."""
    log = tmp_path / "asked"
    log.touch()
    script = f'echo "$@" >> "{log}"\nexec "{shutil.which("podman")}" "$@"'
    stand_in(tmp_path / "bin", "podman", script)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return log
