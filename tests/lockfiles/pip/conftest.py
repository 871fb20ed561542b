"""An index for the requirements of a file of tests, and a project whose user has no other."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.support.index_server import IndexServer
from tests.support.pip_project import CANARY, PipProject, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def index() -> Iterator[IndexServer]:
    with IndexServer() as server:
        serve(server)
        yield server


@pytest.fixture
def project(index: IndexServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PipProject:
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_", "GIT_"))]:
        monkeypatch.delenv(name)
    refused = "http://127.0.0.1:9"
    settings = {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": index.simple_url,
        # Ports, and so URLs, are used again: nothing of another test may be in the cache.
        "UV_CACHE_DIR": str(tmp_path / "uv-cache"),
        "UV_HTTP_RETRIES": "0",
        "HOME": str(tmp_path / "home"),
        "HTTP_PROXY": refused,
        "HTTPS_PROXY": refused,
        "NO_PROXY": "127.0.0.1,localhost",
        "SECRET": CANARY,
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return PipProject(tmp_path / "app", tmp_path / "told")
