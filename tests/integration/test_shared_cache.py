"""Runners with empty disks and one cache on S3, by the real command and a real engine."""

from __future__ import annotations

import hashlib
import sys
from typing import TYPE_CHECKING

import pytest

from tests.integration import LayerProject, make_project
from tests.integration.test_containers import PODMAN, TABLE, compiled
from tests.publishing.conftest import aws, server, shared_models
from tests.support.container_engine import image_name, started
from tests.support.fleet import PREFIX, Fleet
from tests.support.lock_factory import LockedFile, LockedPackage
from tests.support.source_factory import sdist, write_files
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.aws_server import Aws
    from tests.support.container_engine import ContainerEngine
    from tests.support.index_server import IndexServer

__all__ = ["aws", "server", "shared_models"]

CANARY = "secret-canary"
PLAIN = WheelSpec(name="plain", files={"plain.py": b"A = 1\n"})
# The command, which tells at its end whether boto3 was imported.
TELLING = (
    "import atexit, sys\n"
    "atexit.register(lambda: print('boto3' in sys.modules, file=sys.stderr))\n"
    "from hatch_lambda_layer.__main__ import main\n"
    "main()\n"
)
ENTRANCE = (sys.executable, "-c", TELLING, "build")


@pytest.fixture
def fleet(tmp_path: Path, aws: Aws, server: str) -> Fleet:
    return Fleet(tmp_path / "fleet", aws, server)


def runner(
    fleet: Fleet, index: IndexServer, name: str, table: str = TABLE + PODMAN
) -> LayerProject:
    """Give a fresh checkout with an empty disk: one native sdist, one native folder, one wheel."""
    root = fleet.root / name
    project = make_project(root / "app", table, fleet.environment)
    write_files(project.directory / "beside", compiled("beside"))
    filename, data = sdist("packed", "1.0", compiled("packed"))
    project.write_lock(
        LockedPackage(
            name="packed",
            version="1.0",
            sdist=LockedFile(filename=filename, data=data, url=index.file_url(filename)),
        ),
        LockedPackage(name="beside", directory={"path": "beside"}),
        LockedPackage(wheels=[LockedFile.of(PLAIN, index.file_url(PLAIN.filename))]),
    )
    return project


@pytest.fixture
def stocked(index: IndexServer) -> IndexServer:
    index.add(PLAIN)
    index.add_file(*sdist("packed", "1.0", compiled("packed")))
    return index


def test_ten_runners_with_empty_disks_start_one_container_in_all(
    fleet: Fleet, stocked: IndexServer, asked: Path
) -> None:
    zips = set()
    for number in range(10):
        project = runner(fleet, stocked, f"runner-{number}")
        stocked.requests.clear()
        with fleet.aws.watch() as requests:
            _, said = project.build("-v")
        assert "shared cache" not in said
        assert CANARY not in said
        assert project.packages() == ["beside.so", "packed.so", "plain.py"]
        zips.add(hashlib.sha256(project.zip.read_bytes()).hexdigest())
        assert started(asked) == 1
        methods = sorted(each.method for each in requests if each.service == "s3")
        first = number == 0
        # The first looks for a native and for a pure wheel of each source.
        assert methods == (["GET"] * 5 + ["PUT"] * 3 if first else ["GET"] * 3)
        assert bool(stocked.requests) is first
    assert len(zips) == 1
    kinds = sorted(each.removeprefix(f"{PREFIX}/v1/").partition("/")[0] for each in fleet.objects())
    assert kinds == ["built", "built", "wheels"]


def test_with_a_pinned_image_a_runner_needs_no_engine(
    fleet: Fleet, stocked: IndexServer, asked: Path, engine: ContainerEngine
) -> None:
    image = image_name("x86_64")
    digest = engine.podman("image", "inspect", "--format", "{{.Digest}}", image).strip()
    pinned = f'{TABLE}{PODMAN}image = "{image.partition(":")[0]}@{digest}"\n'
    runner(fleet, stocked, "first", pinned).build()
    assert started(asked) == 1
    asked.write_text("", encoding="utf-8")
    runner(fleet, stocked, "second", pinned).build()
    assert asked.read_text("utf-8") == ""


def test_a_warm_build_asks_nothing_of_s3_and_does_not_import_boto3(
    fleet: Fleet, stocked: IndexServer, engine: ContainerEngine
) -> None:
    project = runner(fleet, stocked, "runner")
    _, said = project.build(entrance=ENTRANCE)
    assert said.splitlines()[-1].startswith("True")
    for anew in (False, True):
        if anew:
            project.zip.unlink()
        with fleet.aws.watch() as requests:
            _, said = project.build(entrance=ENTRANCE)
        assert requests == []
        assert said.splitlines()[-1].startswith("False")


@pytest.mark.fault(226)
def test_a_url_that_is_none_ends_the_command_without_showing_it(
    fleet: Fleet, stocked: IndexServer
) -> None:
    project = runner(fleet, stocked, "runner")
    project.environment["HATCH_LAMBDA_LAYER_CACHE_S3"] = f"s3://me:{CANARY}@bucket"
    _, said = project.build(code=1)
    assert "HATCH_LAMBDA_LAYER_CACHE_S3 must be s3://BUCKET or s3://BUCKET/PREFIX" in said
    assert CANARY not in said
