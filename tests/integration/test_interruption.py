"""Builds that are killed, interrupted, or without room: the old zip or the new one, never half."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.integration import (
    COMMAND,
    ENTRANCE_NAMES,
    ENTRANCES,
    HATCHLING,
    LAYER_TABLE,
    PYPROJECT,
    LayerProject,
    big_wheel,
    make_project,
)
from tests.support.index_server import Hang, IndexServer, Status
from tests.support.lock_factory import LockedFile, LockedPackage, uv_project
from tests.support.tools import stand_in
from tests.support.waiting import wait_until
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Sequence
    from pathlib import Path

# Two versions of each wheel, so that the layer of each build differs from the one before.
WHEELS = {
    version: [big_wheel(name, 700_000, version) for name in ("alpha", "beta", "gamma")]
    for version in ("1.0", "2.0")
}
EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
SMALL = WheelSpec(name="small")

# As the console script, with a limit on the size of files: a disk that is full, for every user.
_WITH_LITTLE_ROOM = """
import resource, sys
limit = int(sys.argv.pop(1))
before = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
from hatch_lambda_layer.cli.main import main
try:
    main(["build"])
finally:
    # What measures coverage writes its file when the process ends.
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
"""


@pytest.fixture
def server() -> Iterator[IndexServer]:
    with IndexServer() as running:
        running.add(SMALL, *WHEELS["1.0"], *WHEELS["2.0"])
        yield running


@pytest.fixture
def project(tmp_path: Path, server: IndexServer) -> LayerProject:
    """A project whose layer was built from the first versions; the second ones are locked."""
    made = make_project(tmp_path / "project")
    made.lock(server, *WHEELS["1.0"])
    made.build()
    made.lock(server, *WHEELS["2.0"])
    return made


def contents(project: LayerProject) -> tuple[bytes, bytes]:
    return project.zip.read_bytes(), project.manifest.read_bytes()


def forget_wheels(project: LayerProject) -> None:
    """Make the cache cold, but leave what a killed build may have left in it."""
    for folder in ("wheels", "selections"):
        shutil.rmtree(project.cache / "v2" / folder, ignore_errors=True)


def build_both(
    project: LayerProject, server: IndexServer, *, cold: bool
) -> tuple[dict[str, tuple[bytes, bytes]], float]:
    """Give the layers of both versions, and how long a build takes; the second version is built."""
    layers = {"1.0": contents(project)}
    durations = []
    project.build()
    for version in ("1.0", "2.0"):
        project.lock(server, *WHEELS[version])
        if cold:
            forget_wheels(project)
        start = time.monotonic()
        project.build()
        durations.append(time.monotonic() - start)
    layers["2.0"] = contents(project)
    assert layers["1.0"] != layers["2.0"]
    return layers, min(durations)


def interrupt(process: subprocess.Popen[str], number: signal.Signals) -> str:
    """Send a signal, check that the process ends in time and as it should, and give its words."""
    start = time.monotonic()
    process.send_signal(number)
    _, said = process.communicate(timeout=20)
    assert time.monotonic() - start < 2
    assert process.returncode == EXIT_CODES[number]
    assert "Traceback" not in said
    assert "Interrupted" in said
    assert "untouched" in said
    return said


@pytest.mark.moments
@pytest.mark.fault(41)
@pytest.mark.parametrize("cold", [True, False], ids=["cold cache", "warm cache"])
def test_a_build_killed_at_any_moment_leaves_the_old_zip_or_the_new_one(
    project: LayerProject, server: IndexServer, *, cold: bool, all_moments: bool
) -> None:
    layers, duration = build_both(project, server, cold=cold)
    numbers = random.Random(41)  # noqa: S311
    moments = 25 if all_moments else 8
    killed = 0
    for moment in range(moments):
        old, new = ("1.0", "2.0") if moment % 2 else ("2.0", "1.0")
        project.lock(server, *WHEELS[new])
        if cold:
            forget_wheels(project)
        with project.start() as process:
            # One moment in each slice of the whole: random, and spread over all of it.
            time.sleep((moment + numbers.random()) / moments * duration)
            process.kill()
        if process.returncode == -signal.SIGKILL:
            killed += 1
        else:
            # The machine has become quicker since it was measured.
            duration *= 0.85
        assert project.zip.read_bytes() in (layers[old][0], layers[new][0])
        assert project.manifest.read_bytes() in (layers[old][1], layers[new][1])
        project.build()
        assert contents(project) == layers[new]
        assert project.leftovers() == []
    assert killed > moments / 3


@pytest.mark.fault(41)
@pytest.mark.parametrize("again", [True, False], ids=["up to date", "rebuilt"])
@pytest.mark.parametrize(
    "leftover", ["dist/.layer.zip.0a1b2c3d.tmp", "dist/.layer.json.0a1b2c3d.tmp", "cache"]
)
def test_the_next_build_sweeps_what_a_killed_one_has_left(
    project: LayerProject, leftover: str, *, again: bool
) -> None:
    if again:
        project.build()
    path = project.directory / leftover
    if leftover == "cache":
        path = project.cache / "v2" / "tmp" / "0a1b2c3d4e5f6071"
    path.write_bytes(b"half of something")
    project.build()
    assert project.leftovers() == []


@pytest.mark.fault(41)
def test_no_sweep_takes_what_is_not_ours(project: LayerProject) -> None:
    names = [".layer.zip", "layer.zip.tmp", "another.zip", ".other.zip.0a1b2c3d.tmp"]
    for name in names:
        (project.zip.parent / name).write_bytes(b"mine")
    project.build()
    assert sorted(path.name for path in project.leftovers()) == sorted(names)


@pytest.mark.fault(42)
@pytest.mark.parametrize("number", EXIT_CODES, ids=lambda number: number.name)
@pytest.mark.parametrize("entrance", ENTRANCES, ids=ENTRANCE_NAMES)
@pytest.mark.parametrize("answer", [Hang(60), Hang(60, after=300_000)], ids=["silent", "mid-body"])
def test_a_build_is_interrupted_at_once_while_a_server_hangs(
    project: LayerProject,
    server: IndexServer,
    number: signal.Signals,
    entrance: Sequence[str],
    answer: Hang,
) -> None:
    before = contents(project)
    path = server.path_of(WHEELS["2.0"][1].filename)
    server.script(path, answer)
    with project.start(entrance=entrance) as process:
        wait_until(lambda: server.requests_for(path))
        time.sleep(0.2)  # the other wheels come meanwhile
        interrupt(process, number)
    assert contents(project) == before
    assert project.leftovers() == []
    project.build()
    assert contents(project) != before


@pytest.mark.fault(42)
def test_a_build_is_interrupted_between_two_attempts(
    project: LayerProject, server: IndexServer
) -> None:
    path = server.path_of(WHEELS["2.0"][0].filename)
    server.script(path, Status(503, {"Retry-After": "50"}))
    with project.start() as process:
        wait_until(lambda: server.requests_for(path))
        time.sleep(0.2)
        interrupt(process, signal.SIGINT)


@pytest.mark.fault(42)
@pytest.mark.parametrize("number", EXIT_CODES, ids=lambda number: number.name)
@pytest.mark.parametrize("entrance", ENTRANCES, ids=ENTRANCE_NAMES)
def test_no_tool_lives_on_when_a_build_is_interrupted(
    tmp_path: Path, server: IndexServer, number: signal.Signals, entrance: Sequence[str]
) -> None:
    directory = tmp_path / "project"
    locked = uv_project(
        directory,
        server.simple_url,
        ["small"],
        package=True,
        extra_toml=f'{LAYER_TABLE}tool = "pdm"\n',
    )
    # Of a lock of a later version than is known, pdm is asked. It reads from a pipe that nobody
    # writes to: it hangs as long as it lives.
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    pdm = stand_in(tmp_path / "bin", "pdm", f'exec cat "{pipe}"')
    text = '[metadata]\nlock_version = "4.99.0"\ncontent_hash = "sha256:0"\n'
    (directory / "pdm.lock").write_text(text, encoding="utf-8")
    path = f"{pdm.parent}{os.pathsep}{os.environ['PATH']}"
    project = LayerProject(directory, tmp_path / "cache", {**locked.environment, "PATH": path})
    with project.start(entrance=entrance) as process:
        writer = opened_when_read(pipe)
        interrupt(process, number)
    try:
        with pytest.raises(BrokenPipeError):
            os.write(writer, b"#")
    finally:
        os.close(writer)
    assert not project.zip.exists()
    pyproject = directory / "pyproject.toml"
    pyproject.write_text(pyproject.read_text("utf-8").replace('"pdm"', '"uv"'), encoding="utf-8")
    project.build(entrance=entrance)
    assert project.packages() == ["small"]


SLOW_BACKEND = """
import pathlib, time
def build_wheel(*args):
    pathlib.Path({running!r}).touch()
    time.sleep(120)
"""
TWO_LAYERS = '[tool.lambda-layer]\nruntimes = ["python3.12", "python3.13"]\n'
FIRST, SECOND = (f"layer-python3.{minor}-x86_64.zip" for minor in (12, 13))


@pytest.mark.fault(77)
@pytest.mark.parametrize("number", EXIT_CODES, ids=lambda number: number.name)
@pytest.mark.parametrize("entrance", ENTRANCES, ids=ENTRANCE_NAMES)
def test_nothing_more_is_built_when_the_build_of_the_project_is_interrupted(
    tmp_path: Path, number: signal.Signals, entrance: Sequence[str]
) -> None:
    project = make_project(
        tmp_path / "project",
        PYPROJECT.replace(LAYER_TABLE, f"{TWO_LAYERS}include-project = true\n").replace(
            '["hatchling"]\nbuild-backend = "hatchling.build"',
            '[]\nbuild-backend = "backend"\nbackend-path = ["."]',
        ),
        # The backend says outside of its build that it runs.
        {"HATCH_LAMBDA_LAYER_SANDBOX": "0"},
    )
    project.write_lock()
    running = tmp_path / "running"
    backend = SLOW_BACKEND.format(running=str(running))
    (project.directory / "backend.py").write_text(backend, encoding="utf-8")
    with project.start(entrance=entrance) as process:
        wait_until(running.exists)
        said = interrupt(process, number)
    assert "no layer was written" in said
    assert "failed" not in said
    assert said.count("Building") == 1
    # The two files tell others that the folder is not of the project.
    assert {each.name for each in project.leftovers()} == {".gitignore", "CACHEDIR.TAG"}


def two_layers(tmp_path: Path, server: IndexServer) -> LayerProject:
    """Make a project whose second layer alone needs the second wheel."""
    project = make_project(tmp_path / "two", PYPROJECT.replace(LAYER_TABLE, TWO_LAYERS))
    alpha, beta = (
        LockedPackage(
            wheels=[LockedFile.of(wheel, server.file_url(wheel.filename))],
            index=server.simple_url,
            marker=marker,
        )
        for wheel, marker in zip(
            WHEELS["1.0"][:2], (None, "python_full_version >= '3.13'"), strict=True
        )
    )
    project.write_lock(alpha, beta)
    return project


@pytest.mark.fault(78)
@pytest.mark.parametrize("entrance", ENTRANCES, ids=ENTRANCE_NAMES)
def test_an_interruption_says_which_layers_are_written(
    tmp_path: Path, server: IndexServer, entrance: Sequence[str]
) -> None:
    project = two_layers(tmp_path, server)
    path = server.path_of(WHEELS["1.0"][1].filename)
    server.script(path, Hang(60))
    with project.start(entrance=entrance) as process:
        wait_until(lambda: server.requests_for(path))
        said = interrupt(process, signal.SIGTERM)
    assert f"Interrupted: written: {FIRST}; what was there before is untouched otherwise" in said
    assert sorted(each.name for each in project.zip.parent.glob("*.zip")) == [FIRST]


@pytest.mark.fault(78)
@pytest.mark.parametrize("entrance", ENTRANCES, ids=ENTRANCE_NAMES)
def test_clean_removes_the_old_layers_when_the_new_ones_are_there(
    tmp_path: Path, server: IndexServer, entrance: Sequence[str]
) -> None:
    project = two_layers(tmp_path, server)
    project.build(entrance=entrance)
    stale = project.zip.parent / "layer-python3.11-x86_64.zip"
    stale.write_bytes(b"of an earlier matrix")
    before = {path.name: path.read_bytes() for path in project.zip.parent.iterdir()}
    forget_wheels(project)
    path = server.path_of(WHEELS["1.0"][0].filename)
    asked = len(server.requests_for(path))
    server.script(path, Hang(60))
    with project.start("--clean", entrance=entrance) as process:
        wait_until(lambda: len(server.requests_for(path)) > asked)
        said = interrupt(process, signal.SIGINT)
    assert "no layer was written" in said
    assert {path.name: path.read_bytes() for path in project.zip.parent.iterdir()} == before
    ages = {name: (project.zip.parent / name).stat().st_mtime_ns for name in (FIRST, SECOND)}
    project.build("--clean", entrance=entrance)
    assert not stale.exists()
    assert all((project.zip.parent / name).stat().st_mtime_ns > ages[name] for name in ages)


def opened_when_read(pipe: Path) -> int:
    """Open a pipe for writing as soon as somebody has opened it for reading."""
    opened: list[int] = []

    def is_read() -> bool:
        try:
            opened.append(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
        return bool(opened)

    wait_until(is_read)
    return opened[0]


@pytest.mark.fault(42, 43)
def test_a_build_that_waits_for_another_one_is_interrupted_alone(
    project: LayerProject, server: IndexServer
) -> None:
    path = server.path_of(WHEELS["2.0"][0].filename)
    server.script(path, Hang(3))
    with project.start() as first:
        wait_until(lambda: server.requests_for(path))
        with project.start() as second:
            assert second.stderr is not None
            assert "Waiting for another build" in second.stderr.readline()
            interrupt(second, signal.SIGINT)
        assert first.poll() is None
        first.communicate(timeout=30)
    assert first.returncode == 0
    assert project.packages() == ["alpha", "beta", "gamma"]


@pytest.mark.moments
@pytest.mark.fault(42)
def test_a_build_that_is_terminated_at_any_moment_leaves_nothing_behind(
    project: LayerProject, server: IndexServer, *, all_moments: bool
) -> None:
    layers, duration = build_both(project, server, cold=True)
    numbers = random.Random(42)  # noqa: S311
    moments = 16 if all_moments else 5
    for moment in range(moments):
        old, new = ("1.0", "2.0") if moment % 2 else ("2.0", "1.0")
        project.lock(server, *WHEELS[new])
        forget_wheels(project)
        with project.start() as process:
            # The first third of the time, Python starts and has no handler yet.
            time.sleep((0.3 + 0.7 * (moment + numbers.random()) / moments) * duration)
            process.terminate()
            _, said = process.communicate(timeout=20)
        assert process.returncode in (0, 143, -signal.SIGTERM), said
        assert "Traceback" not in said
        assert project.zip.read_bytes() in (layers[old][0], layers[new][0])
        assert project.leftovers() == []
        project.build()
        assert contents(project) == layers[new]


@pytest.mark.fault(40)
@pytest.mark.parametrize("room", [1_000, 1_000_000, 2_000_000])
def test_a_full_disk_while_the_zip_is_written_is_reported(project: LayerProject, room: int) -> None:
    # The wheels are in the cache already, so that only the layer is left to write.
    project.build()
    shutil.rmtree(project.zip.parent)
    (project.directory / "pylock.toml").touch()
    project.build()
    before = contents(project)
    project.zip.write_bytes(before[0] + b"changed: it has to be written again")
    touched = contents(project)
    entrance = (sys.executable, "-c", _WITH_LITTLE_ROOM, str(room))
    _, said = project.build(entrance=entrance, code=1)
    assert f"{project.zip} can't be written: File too large" in said
    assert "untouched" in said
    assert contents(project) == touched
    assert project.leftovers() == []
    project.build()
    assert contents(project) == before


@pytest.mark.fault(40)
@pytest.mark.parametrize("room", [1, 200_000, 600_000])
def test_a_full_disk_while_the_cache_is_filled_is_reported(
    project: LayerProject, room: int
) -> None:
    before = contents(project)
    entrance = (sys.executable, "-c", _WITH_LITTLE_ROOM, str(room))
    _, said = project.build(entrance=entrance, code=1)
    assert "File too large" in said
    assert str(project.cache) in said
    assert "HATCH_LAMBDA_LAYER_CACHE_DIR" in said
    assert "network" not in said, "the disk is at fault"
    assert contents(project) == before
    assert project.leftovers() == []
    project.build()
    assert contents(project) != before


@pytest.mark.fault(40)
@pytest.mark.parametrize("entrance", [COMMAND, HATCHLING], ids=ENTRANCE_NAMES)
@pytest.mark.parametrize("blocked", [".", "v2", "v2/tmp", "v2/wheels"])
def test_a_cache_that_can_not_be_written_is_named_with_its_variable(
    project: LayerProject, blocked: str, entrance: Sequence[str]
) -> None:
    before = contents(project)
    path = project.cache / blocked
    shutil.rmtree(path)
    path.touch()
    _, said = project.build(entrance=entrance, code=1)
    assert str(project.cache) in said
    assert "HATCH_LAMBDA_LAYER_CACHE_DIR" in said
    assert contents(project) == before
