"""The service of `fixtures/orders-api`, locked and built once for all tests of all workers."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import uv

from tests.support.system_parts import MissingPart, cached, require

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CHECKOUT = Path(__file__).resolve().parents[2]
# What Hatch sets for the process that runs the tests, and would take for this project's own.
_OUTER = ("HATCH_", "VIRTUAL_ENV", "UV_PROJECT", "SOURCE_DATE_EPOCH")
# What uv says when there is no index to be reached.
_NO_NETWORK = ("dns error", "error sending request", "failed to fetch", "timed out", "connect")


@dataclass(frozen=True, kw_only=True)
class OrdersApi:
    """A copy of the service, in a copy of the checkout whose plugin it names by `../..`.

    The checkout lies in `own`, a folder of this worker; `shared` is the same for all of them.
    """

    own: Path
    shared: Path
    environment: dict[str, str]
    """The variables of every command; all workers have one cache."""

    @property
    def checkout(self) -> Path:
        """The copy of the checkout."""
        return self.own / "checkout"

    @property
    def layers(self) -> Path:
        """The layers as `python -m hatchling build -t lambda-layer` has built them."""
        return self.shared / "layers"

    @property
    def project(self) -> Path:
        """The folder of the service."""
        return self.checkout / "fixtures" / "orders-api"

    def run(
        self,
        *command: str | Path,
        cwd: Path | None = None,
        umask: int = -1,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the project; fail with everything it said when it fails."""
        done = subprocess.run(
            command,
            cwd=cwd or self.project,
            env={**self.environment, **(env or {})},
            umask=umask,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        if done.returncode != 0:
            pytest.fail(f"`{command}` failed:\n{done.stdout}{done.stderr}", pytrace=False)
        return done

    def layer(self, target: str) -> Path:
        """The layer of one member of the matrix."""
        return self.layers / f"layer-{target}.zip"


def fingerprints(folder: Path) -> dict[str, str]:
    """Give the sha256 of each layer and manifest in a folder, by its name."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob("layer*"))
    }


def command_line(python: Path | str = sys.executable) -> list[str]:
    """Give `hatch-lambda-layer build` as this interpreter runs it."""
    return [str(python), "-c", "from hatch_lambda_layer.cli.main import main; main()", "build"]


@pytest.fixture(scope="session")
def orders_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrdersApi]:
    """Give the service to this worker; the first that asks has it locked and built for all."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    shared = base / "shared"
    shared.mkdir(exist_ok=True)
    with (base / "shared.users").open("w") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        built = cached("orders-api", _build, shared)
        own = tmp_path_factory.mktemp("orders-api")
        shutil.copytree(built / "checkout", own / "checkout")
        yield _service(own, built)
        shutil.rmtree(own)
        # Whoever uses it last removes it.
        with suppress(BlockingIOError):
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(shared)


def _service(own: Path, shared: Path) -> OrdersApi:
    inherited = {name: text for name, text in os.environ.items() if not name.startswith(_OUTER)}
    places = {
        "HATCH_DATA_DIR": str(own / "hatch"),
        "HATCH_LAMBDA_LAYER_CACHE_DIR": str(shared / "cache"),
    }
    return OrdersApi(own=own, shared=shared, environment=inherited | places)


def _build(folder: Path) -> None:
    """Lock the service by the real uv, and build its eight layers from an empty cache."""
    service = _service(folder, folder)
    _copy_checkout(service)
    require(_lock, service)
    build = [sys.executable, "-m", "hatchling", "build", "-t", "lambda-layer"]
    service.run(*build, "-d", service.layers)


@pytest.fixture
def tidy(tmp_path: Path) -> Iterator[None]:
    """Remove what a test has written: pytest would keep three runs of layers."""
    yield
    shutil.rmtree(tmp_path, ignore_errors=True)


def _copy_checkout(service: OrdersApi) -> None:
    service.project.mkdir(parents=True)
    ours = shutil.ignore_patterns("__pycache__", ".*")
    package = "hatch_lambda_layer"
    shutil.copytree(CHECKOUT / package, service.checkout / package, ignore=ours)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(CHECKOUT / name, service.checkout)
    source = CHECKOUT / "fixtures" / "orders-api"
    shutil.copy(source / "pyproject.toml", service.project)
    shutil.copytree(source / "src", service.project / "src", ignore=ours)


def _lock(service: OrdersApi) -> None:
    done = subprocess.run(
        [uv.find_uv_bin(), "lock"],
        cwd=service.project,
        env=service.environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode == 0:
        return
    if any(words in done.stderr.lower() for words in _NO_NETWORK):
        raise MissingPart(f"uv reaches no package index:\n{done.stderr}")
    pytest.fail(f"uv can't lock the service:\n{done.stderr}", pytrace=False)
