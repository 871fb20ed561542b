"""Whether `uv.lock` is stale is judged as uv judges it, without uv's needs."""

from __future__ import annotations

import random
import subprocess
from typing import TYPE_CHECKING

import pytest
import uv

from hatch_lambda_layer.exceptions import LockfileError
from hatch_lambda_layer.layout import LayerPathLayout
from hatch_lambda_layer.lockfiles import LOCKFILES, LockRequest
from hatch_lambda_layer.targets.target import Architecture, Target, runtimes
from tests.lockfiles.uv_edits import edited, workspace
from tests.support.index_server import IndexServer
from tests.support.lock_factory import UvProject, uv_environment
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.lockfiles.uv_edits import Workspace

TARGET = Target(runtimes()["python3.13"], Architecture.X86_64)
EDITS = 200
# Of these, one in so many where not all are asked for.
EVERY = 8


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        every = 1 if metafunc.config.getoption("--all-moments") else EVERY
        metafunc.parametrize("seed", range(0, EDITS, every))


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[UvProject, Workspace]]:
    """A workspace that uv has locked against two indexes, with uv's cache still warm."""
    specs = [
        WheelSpec(name=name, version=version)
        for name in ("alpha", "beta", "gamma", "delta", "hatchling")
        for version in ("1.0", "1.5", "2.0")
    ]
    with IndexServer() as first, IndexServer() as second:
        first.add(*specs)
        second.add(*specs)
        folder = tmp_path_factory.mktemp("edits") / "app"
        before = workspace(first.simple_url, second.simple_url)
        before.write(folder)
        project = UvProject(folder, uv_environment(folder))
        project.lock()
        yield project, before


def changes(project: UvProject) -> str | None:
    """Give what is said of a stale lock, `None` for a fresh one."""
    layout = LayerPathLayout(project.pyproject, project.directory / "dist")
    try:
        LOCKFILES["uv"].read(project.lockfile, LockRequest(layout=layout), TARGET)
    except LockfileError as error:
        said = error.message
    else:
        return None
    assert "is stale" in said, said
    return said


def complaint(project: UvProject) -> str | None:
    """Give what uv says of a stale lock, `None` for a fresh one."""
    done = subprocess.run(
        [uv.find_uv_bin(), "lock", "--check", "--offline"],
        cwd=project.directory,
        env=project.environment,
        capture_output=True,
        check=False,
        encoding="utf-8",
    )
    return done.stderr if done.returncode else None


@pytest.mark.moments
def test_an_edit_makes_the_lock_stale_where_uv_says_so(
    locked: tuple[UvProject, Workspace], tmp_path: Path, seed: int
) -> None:
    project, before = locked
    after, what = edited(before, random.Random(seed))  # noqa: S311  # to be the same every time
    # In a place of its own, with the lock and the cache of uv.
    copy = UvProject(tmp_path / "app", project.environment)
    after.write(copy.directory)
    copy.lockfile.write_bytes(project.lockfile.read_bytes())
    theirs = complaint(copy)
    ours = changes(copy)
    assert (ours is None) == (theirs is None), f"{what}: uv says {theirs}, we say {ours}"
