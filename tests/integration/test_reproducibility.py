"""The same bytes whoever builds: folder, umask, locale, clock and interpreter don't show."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
import uv

from tests.integration.conftest import command_line, fingerprints
from tests.support.lock_factory import LockedFile, LockedPackage, pylock
from tests.support.system_parts import MissingPart, find_interpreters, require, tool
from tests.support.wheel_factory import EXECUTABLE_FILE, Member, WheelSpec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.conftest import OrdersApi

pytestmark = pytest.mark.usefixtures("tidy")

TARGET = "python3.13-x86_64"
# What has an interpreter here that isn't the one of the tests, and can run the package.
OTHERS = {
    runtime: path
    for runtime, path in find_interpreters().items()
    if runtime not in ("python3.10", "python{}.{}".format(*sys.version_info))
}
# Everything that Python takes from disk here: its own package, a program, text, a wheel.
OWN = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "own"
version = "1"
requires-python = ">=3.11"
[tool.lambda-layer]
runtimes = ["python3.13"]
include-project = true
force-include = { "programs" = "bin", "naïve.txt" = "python/naïve.txt" }
"""
DEPENDENCY = WheelSpec(name="dependency").with_files(
    Member("dependency/tool", b"#!/bin/sh\n", mode=EXECUTABLE_FILE),
    Member("dependency/ünï.txt", b"text\n"),
)


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Where and how a build runs; the default is as the reference was built."""

    environment: dict[str, str] = field(default_factory=dict)
    umask: int = -1
    change: Callable[[Path], Path] = lambda project: project
    """Changes the project on disk, and gives the folder to build it in."""


def _elsewhere(project: Path) -> Path:
    return shutil.copytree(project, project.parent / "an other földer" / "-x" / project.name)


def _behind_a_link(project: Path) -> Path:
    link = project.with_name("link")
    link.symlink_to(project, target_is_directory=True)
    return link


def _touched(project: Path) -> Path:
    for number, path in enumerate(sorted(project.rglob("*"))):
        os.utime(path, (number * 10**8, number * 10**8))
    return project


def _modes(bits: int) -> Callable[[Path], Path]:
    def checked_out(project: Path) -> Path:
        """Give every file the modes that a checkout under another umask has."""
        for path in project.rglob("*"):
            executable = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(bits | bits >> 2 & 0o111 if executable else bits)
        return project

    return checked_out


SURROUNDINGS = {
    "another folder": pytest.param(Surroundings(change=_elsewhere), marks=pytest.mark.fault(45)),
    "a symlinked folder": pytest.param(
        Surroundings(change=_behind_a_link), marks=pytest.mark.fault(48)
    ),
    "other dates": Surroundings(change=_touched),
    "umask 077": pytest.param(
        Surroundings(umask=0o077, change=_modes(0o600)), marks=pytest.mark.fault(46)
    ),
    "umask 000": pytest.param(
        Surroundings(umask=0o000, change=_modes(0o666)), marks=pytest.mark.fault(46)
    ),
    "time zone": pytest.param(
        Surroundings(environment={"TZ": "Pacific/Kiritimati"}), marks=pytest.mark.fault(48)
    ),
    "hash seed": pytest.param(
        Surroundings(environment={"PYTHONHASHSEED": "4294967295"}), marks=pytest.mark.fault(48)
    ),
    "locale C": pytest.param(
        Surroundings(environment={"LC_ALL": "C"}), marks=pytest.mark.fault(48)
    ),
    "locale C without UTF-8": pytest.param(
        Surroundings(environment={"LC_ALL": "C", "PYTHONUTF8": "0"}), marks=pytest.mark.fault(48)
    ),
    "no docstrings": Surroundings(environment={"PYTHONOPTIMIZE": "2"}),
}
in_each = pytest.mark.parametrize("around", SURROUNDINGS.values(), ids=SURROUNDINGS)

TOGETHER = {
    "another folder, umask 077, locale C": Surroundings(
        environment={
            "TZ": "Pacific/Kiritimati",
            "PYTHONHASHSEED": "4294967295",
            "LC_ALL": "C",
            "PYTHONOPTIMIZE": "2",
        },
        umask=0o077,
        change=lambda project: _modes(0o600)(_elsewhere(project)),
    ),
    "a symlinked folder, umask 000, no UTF-8": Surroundings(
        environment={"LC_ALL": "C", "PYTHONUTF8": "0"},
        umask=0o000,
        change=lambda project: _behind_a_link(_touched(_modes(0o666)(project))),
    ),
}


def write_own(root: Path) -> Path:
    """Write a project whose layer is made of files on disk, too."""
    (root / "own").mkdir(parents=True)
    (root / "own" / "__init__.py").write_text("VERSION = 1\n")
    (root / "own" / "data.bin").write_bytes(bytes(range(256)) * 100)
    (root / "programs").mkdir()
    for name, mode in (("a", 0o755), ("B", 0o644), ("çà", 0o755)):
        (root / "programs" / name).write_text(f"#!/bin/sh\necho {name}\n", encoding="utf-8")
        (root / "programs" / name).chmod(mode)
    (root / "naïve.txt").write_text("naïve\n", encoding="utf-8")
    (root / "wheels").mkdir()
    DEPENDENCY.write(root / "wheels")
    entry = LockedFile.of(DEPENDENCY, path=f"wheels/{DEPENDENCY.filename}")
    text = pylock(LockedPackage(wheels=[entry]))
    (root / "pylock.toml").write_text(text, encoding="utf-8")
    (root / "pyproject.toml").write_text(OWN, encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def own_reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    base = tmp_path_factory.mktemp("own")
    around = Surroundings(environment={"HATCH_LAMBDA_LAYER_CACHE_DIR": str(base / "cache")})
    return build(write_own(base / "own"), base / "layers", around)


def build(project: Path, output: Path, around: Surroundings) -> dict[str, str]:
    done = subprocess.run(
        [*command_line(), "-o", str(output)],
        cwd=project,
        # A shell that stands in a symlinked folder says so in PWD.
        env={**os.environ, "PWD": str(project), **around.environment},
        umask=around.umask,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return fingerprints(output)


@in_each
def test_what_is_taken_from_disk_is_the_same(
    own_reference: dict[str, str], tmp_path: Path, around: Surroundings
) -> None:
    there = around.change(write_own(tmp_path / "own"))
    assert build(there, tmp_path / "layers", around) == own_reference
    assert sorted(own_reference) == ["layer.json", "layer.zip"]


# Each difference alone is tried above; real wheels meet all of them, in two builds.
@pytest.mark.fault(45, 46, 48)
@pytest.mark.parametrize("around", TOGETHER.values(), ids=TOGETHER)
def test_the_layer_of_the_service_is_the_same(
    orders_api: OrdersApi, tmp_path: Path, around: Surroundings
) -> None:
    copy = shutil.copytree(
        orders_api.project, tmp_path / "orders-api", ignore=shutil.ignore_patterns("dist")
    )
    there = around.change(copy)
    built = orders_api.run(
        *command_line(),
        *("-o", tmp_path / "layers", "-m", TARGET),
        cwd=there,
        umask=around.umask,
        env={"PWD": str(there), **around.environment},
    )
    assert built.stdout == f"{tmp_path / 'layers' / f'layer-{TARGET}.zip'}\n"
    assert fingerprints(tmp_path / "layers") == reference(orders_api)


def reference(orders_api: OrdersApi) -> dict[str, str]:
    every = fingerprints(orders_api.layers)
    return {name: every[name] for name in (f"layer-{TARGET}.json", f"layer-{TARGET}.zip")}


def test_an_empty_cache_and_a_full_one_give_the_same(orders_api: OrdersApi, tmp_path: Path) -> None:
    command = [*command_line(), "-m", TARGET, "-o"]
    fresh = {"HATCH_LAMBDA_LAYER_CACHE_DIR": str(tmp_path / "cache")}
    empty = orders_api.run(*command, tmp_path / "empty", env=fresh)
    full = orders_api.run(*command, tmp_path / "full", env=fresh)
    assert "Fetching" in empty.stderr
    assert "Fetching" not in full.stderr
    assert fingerprints(tmp_path / "empty") == reference(orders_api)
    assert fingerprints(tmp_path / "full") == reference(orders_api)


def test_the_layer_before_does_not_matter(orders_api: OrdersApi, tmp_path: Path) -> None:
    layer = tmp_path / f"layer-{TARGET}.zip"
    shutil.copy(orders_api.layer("python3.11-arm64"), layer)
    shutil.copy(orders_api.layer("python3.11-arm64").with_suffix(".json"), tmp_path)
    orders_api.run(*command_line(), "-m", TARGET, "-o", tmp_path)
    built = fingerprints(tmp_path)
    assert {name: built[name] for name in reference(orders_api)} == reference(orders_api)


@pytest.mark.parametrize("interpreter", OTHERS.values(), ids=OTHERS)
def test_every_interpreter_builds_the_same(
    orders_api: OrdersApi, tmp_path: Path, interpreter: Path
) -> None:
    venv = tmp_path / "venv"
    program = uv.find_uv_bin()
    orders_api.run(program, "venv", "--quiet", "--python", interpreter, venv)
    python = venv / "bin" / "python"
    orders_api.run(*(program, "pip", "install", "--quiet", "--python", python, orders_api.checkout))
    orders_api.run(*command_line(python), "-o", tmp_path / "layers")
    assert fingerprints(tmp_path / "layers") == fingerprints(orders_api.layers)


READERS = {
    "zipfile -l": [sys.executable, "-m", "zipfile", "-l"],
    "zipfile -t": [sys.executable, "-m", "zipfile", "-t"],
    "unzip -t": ["unzip", "-t"],
    "zipinfo -1": ["zipinfo", "-1"],
    "bsdtar -tf": ["bsdtar", "-tf"],
}


def _present(name: str) -> str:
    if (path := tool(name)) is None:
        raise MissingPart(f"`{name}` is not installed")
    return path


@pytest.mark.parametrize("target", [TARGET, "python3.11-arm64"])
@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_every_reader_of_zips_reads_the_layer(
    orders_api: OrdersApi, reader: list[str], target: str
) -> None:
    program = require(_present, reader[0])
    layer = orders_api.layer(target)
    count = json.loads(layer.with_suffix(".json").read_text("utf-8"))["files"]
    done = orders_api.run(program, *reader[1:], layer)
    assert done.stderr == ""
    lines = [line for line in done.stdout.splitlines() if "python/" in line]
    if reader != READERS["zipfile -t"]:
        assert len(lines) == count
    if reader == READERS["unzip -t"]:
        assert f"No errors detected in compressed data of {layer}" in done.stdout
        assert all(line.endswith("OK") for line in lines)


def test_modes_and_dates_are_the_same_in_every_member(orders_api: OrdersApi) -> None:
    done = orders_api.run(require(_present, "zipinfo"), orders_api.layer(TARGET))
    members = [line.split() for line in done.stdout.splitlines() if "python/" in line][1:]
    assert {line[0] for line in members} <= {"-rw-r--r--", "-rwxr-xr-x"}
    assert {tuple(line[1:3]) for line in members} == {("2.0", "unx")}
    assert {tuple(line[6:8]) for line in members} == {("80-Jan-01", "00:00")}
