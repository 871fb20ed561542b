"""Builds side by side, and builds in places and surroundings that few people have."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import sys
import threading
import zipfile
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer._internal.store import Store
from hatch_lambda_layer.wheels.cache import WheelCache
from hatch_lambda_layer.wheels.selection import LockedWheel
from tests.integration import (
    COMMAND,
    ENTRANCE_NAMES,
    ENTRANCES,
    HATCHLING,
    LAYER_TABLE,
    LayerProject,
    big_wheel,
    make_project,
)
from tests.support.index_server import Answer, IndexServer, Request
from tests.support.lock_factory import LockedFile, LockedPackage, uv_project
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    Build = subprocess.Popen[str]

WHEELS = [big_wheel(name, 300_000) for name in ("alpha", "beta", "gamma", "delta")]
NAMES = sorted(wheel.name for wheel in WHEELS)
WAITS = "Waiting for another build of this project to end\n"


class GatedServer(IndexServer):
    """An index that keeps back its first wheel until the gate is open."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()

    def take(self, request: Request) -> Answer | None:
        answer = super().take(request)
        if request.path == self.path_of(WHEELS[0].filename):
            self.gate.wait(60)
        return answer

    def wait_for_requests(self, number: int = 1) -> None:
        """Wait until as many builds have begun to fetch the first wheel."""
        path = self.path_of(WHEELS[0].filename)
        wait_until(lambda: len(self.requests_for(path)) >= number)


@pytest.fixture
def server() -> Iterator[GatedServer]:
    with GatedServer() as running:
        running.add(*WHEELS)
        running.gate.set()
        yield running
        running.gate.set()


@pytest.fixture
def project(tmp_path: Path, server: GatedServer) -> LayerProject:
    made = make_project(tmp_path / "project")
    made.lock(server, *WHEELS)
    return made


def finish(processes: Sequence[subprocess.Popen[str]]) -> list[str]:
    """Wait for builds, check that all of them succeeded, and give what each one said."""
    said = []
    for process in processes:
        with process:
            said.append(process.communicate(timeout=60)[1])
        assert process.returncode == 0, said[-1]
        assert "Traceback" not in said[-1]
    return said


def meet(
    server: GatedServer, first: Callable[[], Build], others: Sequence[Callable[[], Build]]
) -> list[str]:
    """Start builds while the first one is at work, see them wait, and give what each one said."""
    server.gate.clear()
    builds = [first()]
    server.wait_for_requests()
    builds += [start() for start in others]
    for build in builds[1:]:
        assert build.stderr is not None
        assert build.stderr.readline() == WAITS
    server.gate.set()
    return finish(builds)


@pytest.mark.fault(43)
@pytest.mark.parametrize("entrance", ENTRANCES, ids=ENTRANCE_NAMES)
@pytest.mark.parametrize("builds", [2, 5])
def test_builds_of_one_project_wait_for_each_other(
    project: LayerProject, server: GatedServer, entrance: Sequence[str], builds: int
) -> None:
    def start() -> Build:
        return project.start(entrance=entrance)

    said = meet(server, start, [start] * (builds - 1))
    assert not any(WAITS in text for text in said), "once is enough"
    assert ["up to date" in text for text in said] == [False] + [True] * (builds - 1)
    assert project.packages() == NAMES
    assert project.leftovers() == []
    assert len(server.requests) == len(WHEELS), "every wheel was fetched once"


@pytest.mark.fault(43)
def test_both_entrances_wait_for_each_other(project: LayerProject, server: GatedServer) -> None:
    meet(server, project.start, [lambda: project.start(entrance=HATCHLING)])
    assert project.packages() == NAMES


@pytest.mark.fault(43)
def test_builds_that_start_at_the_same_moment_all_succeed(project: LayerProject) -> None:
    finish([project.start(entrance=entrance) for entrance in ENTRANCES * 2])
    assert project.packages() == NAMES
    assert project.leftovers() == []


@pytest.mark.fault(67)
def test_builds_of_one_project_with_caches_of_their_own_wait_for_each_other(
    project: LayerProject, server: GatedServer
) -> None:
    others = [LayerProject(project.directory, project.cache / f"own {each}") for each in "ab"]
    said = meet(server, project.start, [each.start for each in others])
    assert ["up to date" in text for text in said] == [False, True, True]
    assert project.packages() == NAMES
    assert project.leftovers() == []


@pytest.mark.fault(67)
@pytest.mark.parametrize("read_only", [False, True])
def test_builds_with_caches_of_their_own_that_start_at_once_write_one_sound_layer(
    project: LayerProject, *, read_only: bool
) -> None:
    pyproject = project.directory / "pyproject.toml"
    noise = hashlib.shake_128(b"noise").digest(3_000_000)
    (project.directory / "data.bin").write_bytes(noise)
    table = '[tool.lambda-layer.force-include]\n"data.bin" = "python/data.bin"\n'
    if read_only:
        # Nothing has to be made for the layer, and the output lies elsewhere.
        project.directory.chmod(0o555)
    else:
        pyproject.write_text(f"{pyproject.read_text()}\n{table}")
    output = project.directory.parent / "out"
    builds = [LayerProject(project.directory, project.cache / str(each)) for each in range(6)]
    finish([each.start("--output-dir", str(output)) for each in builds])
    with zipfile.ZipFile(output / "layer.zip") as layer:
        assert layer.testzip() is None
        assert read_only or layer.read("python/data.bin") == noise
    assert sorted(path.name for path in output.iterdir()) == ["layer.json", "layer.zip"]
    left = {path.name for path in (project.directory / "build").rglob("*") if path.is_file()}
    assert left == (set() if read_only else {".gitignore", "CACHEDIR.TAG"})
    project.directory.chmod(0o755)


@pytest.mark.fault(43, 48)
def test_a_project_is_the_same_one_through_a_link(
    project: LayerProject, server: GatedServer, tmp_path: Path
) -> None:
    link = tmp_path / "link"
    link.symlink_to(project.directory)
    meet(server, project.start, [LayerProject(link, project.cache).start])
    assert project.packages() == NAMES


@pytest.mark.fault(43)
def test_projects_that_write_to_one_folder_wait_for_each_other(
    tmp_path: Path, server: GatedServer
) -> None:
    shared = tmp_path / "shared"
    one, two = (
        LayerProject(make_project(tmp_path / name).directory, tmp_path / "cache")
        for name in ("one", "two")
    )
    one.lock(server, *WHEELS)
    two.lock(server, *WHEELS[:1])
    output = ("--output-dir", str(shared))
    meet(server, lambda: one.start(*output), [lambda: two.start(*output)])
    assert sorted(path.name for path in shared.iterdir()) == ["layer.json", "layer.zip"]
    # What lies there is of one build, the zip and the manifest alike.
    manifest = json.loads((shared / "layer.json").read_text(encoding="utf-8"))
    digest = hashlib.sha256((shared / "layer.zip").read_bytes()).digest()
    assert manifest["code_sha256"] == base64.b64encode(digest).decode()


@pytest.mark.fault(43)
@pytest.mark.parametrize("entrance", ENTRANCES, ids=ENTRANCE_NAMES)
def test_a_clean_build_beside_another_one_harms_neither(
    project: LayerProject, server: GatedServer, entrance: Sequence[str]
) -> None:
    def clean() -> Build:
        return project.start("--clean", entrance=entrance)

    meet(server, project.start, [clean, clean])
    assert project.packages() == NAMES
    assert project.leftovers() == []


@pytest.mark.fault(43, 71)
def test_projects_with_one_cold_cache_do_not_disturb_each_other(
    tmp_path: Path, server: GatedServer
) -> None:
    names = ("one", "two", "three", "four", "five", "six")
    projects = [
        LayerProject(make_project(tmp_path / name).directory, tmp_path / "cache") for name in names
    ]
    for each in projects:
        each.lock(server, *WHEELS)
    said = finish([each.start() for each in projects])
    assert not any(WAITS in text for text in said)
    assert len({each.zip.read_bytes() for each in projects}) == 1
    cache = WheelCache(Store(tmp_path / "cache"))
    for wheel in WHEELS:
        kept = cache.wheel(
            LockedWheel(wheel.name, wheel.version, wheel.filename, wheel.sha256, None, "", None)
        )
        assert kept is not None, "the verification is of the file that is there"
    for each in projects:
        assert each.packages() == NAMES
        assert each.leftovers() == []


@pytest.mark.fault(41, 43)
def test_a_build_goes_on_when_its_neighbour_in_the_cache_is_killed(
    tmp_path: Path, server: GatedServer
) -> None:
    one, two = (
        LayerProject(make_project(tmp_path / name).directory, tmp_path / "cache")
        for name in ("one", "two")
    )
    one.lock(server, *WHEELS)
    two.lock(server, *WHEELS)
    server.gate.clear()
    with one.start() as killed:
        server.wait_for_requests()
        second = two.start()
        server.wait_for_requests(2)
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
    server.gate.set()
    finish([second])
    assert two.packages() == NAMES
    one.build()
    assert one.zip.read_bytes() == two.zip.read_bytes()


@pytest.mark.fault(41, 43)
def test_a_build_that_waits_goes_on_when_the_other_one_is_killed(
    project: LayerProject, server: GatedServer
) -> None:
    server.gate.clear()
    with project.start() as killed:
        server.wait_for_requests()
        second = project.start()
        assert second.stderr is not None
        assert second.stderr.readline() == WAITS
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
    server.gate.set()
    finish([second])
    assert project.packages() == NAMES
    assert project.leftovers() == []


FOLDERS = [
    "with some  spaces",
    "ünïcödé 層",
    "-rf",
    "--output=x",
    "$(touch x);'\"`&",
    "a%20b#c?d",
]
LONG_FOLDERS = ["q" * 200, "/".join("p" * 66 for _ in range(3))]


@pytest.mark.fault(45)
@pytest.mark.parametrize(
    ("folder", "entrance"),
    [(folder, ENTRANCES[number % 2]) for number, folder in enumerate(FOLDERS + LONG_FOLDERS)],
    ids=[*FOLDERS, "200 characters", "200 characters in parts"],
)
def test_a_project_lies_wherever_it_likes(
    tmp_path: Path, server: GatedServer, folder: str, entrance: Sequence[str]
) -> None:
    directory = tmp_path / folder
    locked = uv_project(
        directory, server.simple_url, NAMES, package=True, extra_toml=LAYER_TABLE, lock=False
    )
    environment = {**locked.environment, "UV_CACHE_DIR": str(tmp_path / "uv-cache")}
    project = LayerProject(directory, tmp_path / f"cache of {folder[:9]}", environment)
    type(locked)(directory, environment).lock()
    project.build(entrance=entrance)
    assert project.packages() == NAMES
    assert {path.name for path in directory.iterdir()} <= {
        "app",
        "dist",
        "pyproject.toml",
        "uv.lock",
    }


@pytest.mark.fault(45, 48)
@pytest.mark.parametrize("entrance", ENTRANCES, ids=ENTRANCE_NAMES)
def test_a_path_may_have_characters_that_the_locale_has_not(
    tmp_path: Path, server: GatedServer, entrance: Sequence[str]
) -> None:
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    project = make_project(tmp_path / "ünïcödé 層", environment=ascii_only)
    project.lock(server, *WHEELS)
    project.build(entrance=entrance)
    assert project.packages() == NAMES
    (project.directory / "pylock.toml").unlink()
    _, said = project.build(entrance=entrance, code=1)
    assert "No lockfile" in said


@pytest.mark.fault(45)
@pytest.mark.parametrize("folder", FOLDERS)
def test_paths_on_the_command_line_may_look_like_anything(
    tmp_path: Path, server: GatedServer, folder: str
) -> None:
    project = make_project(tmp_path / folder)
    project.lock(server, *WHEELS)
    elsewhere = LayerProject(tmp_path, project.cache)
    out, _ = elsewhere.build("--output-dir", f"{folder}.out", "--", folder)
    zip_path = tmp_path / f"{folder}.out" / "layer.zip"
    assert out == f"{zip_path}\n"
    assert zip_path.is_file()


@pytest.mark.fault(45)
def test_a_wheel_on_disk_lies_wherever_it_likes(project: LayerProject) -> None:
    for folder in FOLDERS:
        wheels = project.directory / folder
        wheels.mkdir()
        path = WHEELS[0].write(wheels)
        project.write_lock(
            LockedPackage(wheels=[LockedFile.of(WHEELS[0], path=f"{folder}/{path.name}")])
        )
        project.build("--clean")
        assert project.packages() == ["alpha"]


SURROUNDINGS = {
    "C locale": {"LC_ALL": "C", "LANG": "C"},
    "hash seed 0": {"PYTHONHASHSEED": "0"},
    "hash seed 4711": {"PYTHONHASHSEED": "4711"},
    "far west": {"TZ": "Pacific/Pago_Pago"},
    "far east": {"TZ": "Pacific/Kiritimati"},
    "no home": {"HOME": "/nonexistent"},
    "optimised": {"PYTHONOPTIMIZE": "2"},
}


@pytest.mark.fault(46, 48)
def test_the_zip_is_the_same_in_all_surroundings(tmp_path: Path, server: GatedServer) -> None:
    text = LAYER_TABLE + '[tool.lambda-layer.force-include]\n"dätä" = "python/dätä"\n'
    digests = {}
    for number, (name, environment) in enumerate(SURROUNDINGS.items()):
        project = make_project(
            tmp_path / name / "prøject",
            f'[project]\nname = "app"\nversion = "1"\n{text}',
            {**environment, "PYTHONWARNINGS": "error::EncodingWarning"},
        )
        (project.directory / "dätä").mkdir()
        for each in range(20):
            path = project.directory / "dätä" / f"ü{each * 7 % 20}.txt"
            path.write_bytes(b"x" * each)
            os.utime(path, (each + number, each))
        project.lock(server, *WHEELS)
        project.build(entrance=ENTRANCES[number % 2])
        digests[name] = (project.zip.read_bytes(), project.manifest.read_bytes())
        assert "dätä" in project.packages()
    assert [name for name, made in digests.items() if made != digests["C locale"]] == []


@pytest.mark.fault(46, 48)
def test_the_zip_is_the_same_from_every_folder_and_with_every_umask(
    project: LayerProject, tmp_path: Path
) -> None:
    link = tmp_path / "link"
    link.symlink_to(project.directory)
    seen = set()
    shell = "import os, sys; os.umask(int(sys.argv[1], 8)); os.execv(sys.argv[2], sys.argv[2:])"
    for cwd, arguments, umask in (
        (project.directory, [], "022"),
        (link, [], "077"),
        (tmp_path, ["project"], "000"),
        (tmp_path, ["link"], "027"),
        (project.directory / "dist", [".."], "022"),
        (link / "dist", [str(link)], "022"),
    ):
        entrance = (sys.executable, "-c", shell, umask, *COMMAND)
        LayerProject(cwd, project.cache).build("--clean", *arguments, entrance=entrance)
        seen.add((project.zip.read_bytes(), project.manifest.read_bytes()))
    assert len(seen) == 1
