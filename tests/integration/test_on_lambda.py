"""The service's layers where they run: read-only at /opt, under AWS's own emulator and client."""

from __future__ import annotations

import json
import platform
import shutil
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import pytest

from tests.integration.conftest import CHECKOUT
from tests.support.lambda_sandbox import (
    arm64_root,
    extract_layer,
    import_all,
    import_all_arm64,
    interpreter_for,
    invoke,
    require,
)
from tests.support.layer_project import Project
from tests.support.system_parts import find_interpreters
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.conftest import OrdersApi
    from tests.support.index_server import IndexServer

pytestmark = pytest.mark.usefixtures("tidy")

HERE = "arm64" if platform.machine() == "aarch64" else "x86_64"
THERE = "x86_64" if HERE == "arm64" else "arm64"
# The runtimes of the service that this machine has an interpreter for.
RUNTIMES = [runtime for runtime in find_interpreters() if runtime != "python3.10"]
# Some that can't do without their machine code.
NATIVE = {
    "_cffi_backend",
    "cryptography.hazmat.bindings._rust",
    "numpy",
    "orjson.orjson",
    "pandas._libs.lib",
    "pydantic_core",
}
SOURCE = CHECKOUT / "fixtures" / "orders-api" / "src" / "orders_api" / "app.py"
HANDLER = SOURCE.read_text("utf-8")
ORDERS = [
    {"article": "pen", "quantity": 3, "price": 120},
    {"article": "ink", "quantity": 1, "price": 899},
    {"article": "pen", "quantity": 2, "price": 110},
]


def event(body: object) -> dict[str, Any]:
    """Give the event of an HTTP API (payload 2.0) for a POST of this body."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/orders/total",
        "rawQueryString": "",
        "headers": {"content-type": "application/json", "host": "api.test"},
        "requestContext": {
            "http": {
                "method": "POST",
                "path": "/orders/total",
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "tests",
            },
            "stage": "$default",
        },
        "body": json.dumps(body),
        "isBase64Encoded": False,
    }


def modules(layer: Path) -> list[str]:
    """Give the top-level modules of a layer and all its extension modules, none left out."""
    with ZipFile(layer) as archive:
        paths = [PurePosixPath(name) for name in archive.namelist()]
    assert {path.parts[0] for path in paths} == {"python"}
    found = set()
    for path in paths:
        if path.suffix in (".py", ".so"):
            names = [*path.parts[1:-1], path.name.partition(".")[0]]
            # Folders that no import can name hold shared libraries: `numpy.libs`.
            if all(name.isidentifier() for name in names):
                found.add(".".join(names) if path.suffix == ".so" else names[0])
    return sorted(found)


@pytest.fixture(scope="module", params=RUNTIMES)
def runtime(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def opt(
    orders_api: OrdersApi, runtime: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """Give the layer of the runtime for this machine, as Lambda extracts it."""
    layer = orders_api.layer(f"{runtime}-{HERE}")
    base = tmp_path_factory.mktemp("opt")
    yield extract_layer(layer, base / runtime)
    shutil.rmtree(base)


def test_every_module_of_the_layer_imports(orders_api: OrdersApi, runtime: str, opt: Path) -> None:
    names = modules(orders_api.layer(f"{runtime}-{HERE}"))
    assert set(names) >= NATIVE
    assert require(import_all, opt, interpreter_for(runtime), names) == {}


def test_the_function_answers_an_event(runtime: str, opt: Path) -> None:
    answer = require(invoke, opt, interpreter_for(runtime), HANDLER, event(ORDERS))
    assert isinstance(answer, dict)
    assert answer["statusCode"] == 200, answer
    assert answer["headers"]["content-type"] == "application/json"
    assert json.loads(answer["body"]) == {"pen": 580, "ink": 899}


def test_the_function_refuses_what_is_no_order(orders_api: OrdersApi, tmp_path: Path) -> None:
    runtime = RUNTIMES[-1]
    opt = extract_layer(orders_api.layer(f"{runtime}-{HERE}"), tmp_path / "opt")
    wrong = [{"article": "pen", "quantity": "many", "price": 120}]
    answer = require(invoke, opt, interpreter_for(runtime), HANDLER, event(wrong))
    assert isinstance(answer, dict)
    assert answer["statusCode"] == 422, answer
    (problem,) = json.loads(answer["body"])["detail"]
    assert problem["loc"] == ["body", 0, "quantity"]


def test_a_layer_for_the_other_architecture_does_not_import(
    orders_api: OrdersApi, tmp_path: Path
) -> None:
    runtime = RUNTIMES[0]
    layer = orders_api.layer(f"{runtime}-{THERE}")
    opt = extract_layer(layer, tmp_path / "opt")
    failures = require(import_all, opt, interpreter_for(runtime), sorted(NATIVE))
    assert failures.keys() == NATIVE


def test_every_module_of_the_arm64_layer_imports_on_arm64(
    orders_api: OrdersApi, tmp_path: Path
) -> None:
    # One runtime: emulated, an import takes ten times as long.
    python = "3.13"
    root = require(arm64_root, python)
    layer = orders_api.layer(f"python{python}-arm64")
    names = modules(layer)
    assert set(names) >= NATIVE
    assert require(import_all_arm64, extract_layer(layer, tmp_path / "opt"), root, names) == {}


WRAPPER = WheelSpec(
    name="wrapper",
    files={
        "wrapper/__init__.py": b"",
        "wrapper/cli.py": (
            b"import os, sys\n\n\ndef main():\n"
            b"    os.environ['WRAPPED'] = __file__\n    os.execv(sys.argv[1], sys.argv[1:])\n"
        ),
    },
    entry_points="[console_scripts]\nwrap-it = wrapper.cli:main\n",
)


def test_a_console_script_starts_a_function_as_its_wrapper(
    tmp_path: Path, index: IndexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HATCH_LAMBDA_LAYER_CACHE_DIR", str(tmp_path / "cache"))
    runtime = RUNTIMES[-1]
    root = tmp_path / "project"
    root.mkdir()
    project = Project(root, index, wheels=(WRAPPER,))
    project.configure(runtimes=[runtime], scripts=True, architectures=[HERE])
    project.lock()
    project.build()
    opt = extract_layer(project.zip, tmp_path / "opt")
    handler = "import os\n\n\ndef handler(event, context):\n    return os.environ['WRAPPED']\n"
    wrapper = "/opt/python/bin/wrap-it"
    answer = require(invoke, opt, interpreter_for(runtime), handler, {}, wrapper=wrapper)
    assert answer == "/opt/python/wrapper/cli.py"
