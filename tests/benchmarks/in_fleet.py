"""The first build of a runner with an empty disk, with a cache that the fleet shares and without.

Everything is on this machine: the index, moto's server as S3, the image. What a network adds is for
the reader to judge, from the bytes that each of them serves.
"""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

from hatch_lambda_layer.wheels.shared_cache import VARIABLE
from tests.integration.test_containers import PODMAN, TABLE, compiled
from tests.support.aws_server import Proxy, moto_server
from tests.support.container_engine import container_engine
from tests.support.fleet import Fleet
from tests.support.index_server import IndexServer
from tests.support.lock_factory import LockedFile, LockedPackage, pylock
from tests.support.source_factory import sdist

from . import results
from .measure import BenchmarkError, Contender, say
from .recipes import Caches
from .sets import local_wheel, write_project

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.wheel_factory import WheelSpec

    from .session import Session

PEER = "the same without the fleet's cache"
_WHEELS = 20
_CASE = f"{_WHEELS} wheels and a native sdist"
_AWS = {
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_SECRET_ACCESS_KEY": "nothing",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_DEFAULT_REGION": "us-east-1",
    "NO_PROXY": "*",
    "no_proxy": "*",
}


def in_fleet(session: Session) -> None:
    """Measure the first build of a runner; raise `BenchmarkError` and `MissingPart`."""
    folder = session.folder / "fleet"
    folder.mkdir(exist_ok=True)
    environment = container_engine().environment | _AWS
    with IndexServer() as index, moto_server() as moto, Proxy(moto) as proxy:
        fleet = Fleet(folder / "bucket", proxy.aws, moto)
        project = _project(folder / "app", index)
        shared = environment | fleet.environment | {"AWS_ENDPOINT_URL": proxy.aws.endpoint}
        tool = _runner("tool", project, Caches(folder / "caches"), shared)
        alone = _runner("without", project, Caches(folder / "caches"), environment)
        say(f"{_CASE}: the first runner of the fleet")
        tool.run()
        served = {each.name: _served(each, index, proxy) for each in (alone, tool)}
        if served["tool"][0]:
            raise BenchmarkError("the second runner has asked the index all the same")
        found = session.run(results.FLEET, _CASE, (tool, alone))
    session.rows += results.times(results.FLEET, _CASE, found["tool"], found["without"])
    for number, measure in enumerate(("index MB", "S3 MB")):
        ours, other = (served[name][number] for name in ("tool", "without"))
        session.rows.append(results.served(results.FLEET, _CASE, measure, ours, other))


def _served(contender: Contender, index: IndexServer, proxy: Proxy) -> tuple[int, int]:
    """Run once, and give how many bytes of files the index and S3 have served for it."""
    index.requests.clear()
    before = proxy.aws.served
    contender.run()
    names = [each.path.rpartition("/")[2] for each in index.requests]
    files = sum(len(index.files[name].data) for name in names if name in index.files)
    return files, proxy.aws.served - before


def _runner(name: str, project: Path, caches: Caches, environment: dict[str, str]) -> Contender:
    def reset() -> None:
        shutil.rmtree(project / "dist", ignore_errors=True)
        caches.clear()

    without = {key: value for key, value in caches.env.items() if not key.startswith(VARIABLE)}
    return Contender(
        name=name,
        commands=[[sys.executable, "-m", "hatchling", "build", "-t", "lambda-layer"]],
        cwd=project,
        env=without | environment,
        reset=reset,
        layer=project / "dist" / "layer.zip",
    )


def _project(folder: Path, index: IndexServer) -> Path:
    write_project(folder, "fleet", (), TABLE + PODMAN)
    wheels = [local_wheel(number) for number in range(_WHEELS)]
    index.add(*wheels)
    filename, data = sdist("packed", "1.0", compiled("packed"))
    source = LockedFile(filename=filename, data=data, url=index.add_file(filename, data))
    packages = [_locked(each, index) for each in wheels]
    text = pylock(LockedPackage(name="packed", version="1.0", sdist=source), *packages)
    (folder / "pylock.toml").write_text(text, encoding="utf-8")
    return folder


def _locked(wheel: WheelSpec, index: IndexServer) -> LockedPackage:
    return LockedPackage(wheels=[LockedFile.of(wheel, index.file_url(wheel.filename))])
