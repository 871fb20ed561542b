"""Every way to build the service's layers gives the same bytes."""

from __future__ import annotations

import json
import shutil
import sys
import tarfile
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest
import uv

from tests.integration.conftest import command_line, fingerprints

if TYPE_CHECKING:
    from tests.integration.conftest import OrdersApi

TARGETS = [
    f"python3.{minor}-{architecture}"
    for minor in (11, 12, 13, 14)
    for architecture in ("x86_64", "arm64")
]
DISTRIBUTIONS = ["orders_api-1.0.0-py3-none-any.whl", "orders_api-1.0.0.tar.gz"]
PYTHON = sys.executable

LAYERS_ALONE = {
    "hatch build -t": [PYTHON, "-m", "hatch", "build", "-t", "lambda-layer"],
    "hatchling build -t": [PYTHON, "-m", "hatchling", "build", "-t", "lambda-layer"],
    "hatch-lambda-layer build": command_line(),
}
WITH_THE_WHEEL = {
    "hatch build": [PYTHON, "-m", "hatch", "build"],
    "uv build": [uv.find_uv_bin(), "build"],
    "python -m build": [PYTHON, "-m", "build", "--no-isolation"],
}


def test_the_service_has_a_layer_for_each_of_its_targets(orders_api: OrdersApi) -> None:
    names = sorted(f"layer-{target}.{kind}" for target in TARGETS for kind in ("json", "zip"))
    assert sorted(fingerprints(orders_api.layers)) == names
    digests = set()
    for target in TARGETS:
        manifest = json.loads(orders_api.layer(target).with_suffix(".json").read_text("utf-8"))
        assert manifest["member"] == target
        assert manifest["layer"] is None
        assert {each["severity"] for each in manifest["findings"]} <= {"note"}
        packages = {package["name"]: package["version"] for package in manifest["packages"]}
        assert packages["fastapi"] == "0.121.2"
        assert packages["pandas"] == ("2.2.3" if "3.11" in target else "2.3.3")
        assert not {"orders-api", "pytest", "hatch-lambda-layer"} & packages.keys()
        digests.add(manifest["content_digest"])
    assert len(digests) == len(TARGETS)


@pytest.mark.parametrize("command", LAYERS_ALONE.values(), ids=LAYERS_ALONE)
def test_a_command_for_layers_builds_the_same_bytes(
    orders_api: OrdersApi, command: list[str]
) -> None:
    dist = orders_api.project / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    orders_api.run(*command)
    assert fingerprints(dist) == fingerprints(orders_api.layers)
    assert sorted(path.name for path in dist.iterdir()) == sorted(fingerprints(dist))


@pytest.mark.parametrize("command", WITH_THE_WHEEL.values(), ids=WITH_THE_WHEEL)
def test_a_command_for_wheels_builds_the_same_bytes_beside_the_wheel(
    orders_api: OrdersApi, command: list[str]
) -> None:
    dist = orders_api.project / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    orders_api.run(*command)
    assert fingerprints(dist) == fingerprints(orders_api.layers)
    others = {path.name for path in dist.iterdir()} - set(fingerprints(dist)) - {".gitignore"}
    assert sorted(others) == DISTRIBUTIONS
    with tarfile.open(dist / DISTRIBUTIONS[1]) as sdist:
        names = sdist.getnames()
    assert "orders_api-1.0.0/uv.lock" in names
    assert not [name for name in names if "layer" in name]
    with ZipFile(dist / DISTRIBUTIONS[0]) as wheel:
        assert not [name for name in wheel.namelist() if "layer" in name]


def test_a_second_call_through_another_entrance_has_nothing_to_do(orders_api: OrdersApi) -> None:
    dist = orders_api.project / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    orders_api.run(*LAYERS_ALONE["hatchling build -t"])
    before = {path.name: path.stat().st_mtime_ns for path in dist.glob("layer*")}
    for command in (LAYERS_ALONE["hatch build -t"], WITH_THE_WHEEL["python -m build"]):
        said = orders_api.run(*command)
        assert (said.stdout + said.stderr).count("is up to date") == len(TARGETS)
    assert {path.name: path.stat().st_mtime_ns for path in dist.glob("layer*")} == before
