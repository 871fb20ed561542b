"""Commands that hints name: following them changes no version that nobody asked to change."""

from __future__ import annotations

import dataclasses
import re
import shlex
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import uv

from hatch_lambda_layer.exceptions import LockfileError
from hatch_lambda_layer.layout import LayerPathLayout
from hatch_lambda_layer.lockfiles import LockRequest, find_lockfile
from hatch_lambda_layer.targets.target import Architecture, Target, runtimes
from hatch_lambda_layer.wheels.selection import select
from tests.support import same_set
from tests.support.index_server import IndexServer
from tests.support.lock_factory import uv_project
from tests.support.system_parts import require
from tests.support.tools import ToolProject, isolate, tool_path, tool_project
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TARGET = Target(runtimes()["python3.13"], Architecture.X86_64)
# What poetry 1 reads.
OLD_PROJECT = """\
[tool.poetry]
name = "app"
version = "1.0"
description = ""
authors = []
package-mode = false

[tool.poetry.dependencies]
python = "^3.11"
alpha = "*"
winonly = { version = "*", markers = "sys_platform == 'win32'" }

[[tool.poetry.source]]
name = "loop"
url = "{url}"
priority = "primary"
"""


@pytest.fixture
def index() -> Iterator[IndexServer]:
    with IndexServer() as server:
        same_set.serve(server)
        yield server


def locked(tool: str, folder: Path, url: str) -> ToolProject:
    """Write a project and lock it with `tool`; pdm locks no groups and no extras."""
    if tool == "uv":
        made = uv_project(folder / "app", url, lock=False)
        made.pyproject.write_text(same_set.pyproject(tool, url), encoding="utf-8")
        made.lock()
        return ToolProject(made.directory, Path(uv.find_uv_bin()), made.environment)
    old = tool == "poetry-1"
    text = OLD_PROJECT.replace("{url}", url) if old else same_set.pyproject(tool, url)
    project = tool_project(tool, folder / "app", text, folder / "state", lock=False)
    project.lock(*(["--prod"] if tool == "pdm" else []))
    return project


def read(project: ToolProject, options: dict[str, Any]) -> None:
    layout = LayerPathLayout(
        path_pyproject_toml=project.pyproject, dir_output=project.directory / "dist"
    )
    request = LockRequest(layout=layout, **options)
    lockfile, path, request = find_lockfile(None, request)
    select(lockfile.read(path, request, TARGET), TARGET)


def versions(project: ToolProject) -> dict[str, str]:
    content = tomllib.loads(project.lockfile.read_text("utf-8"))
    return {package["name"]: package["version"] for package in content["package"]}


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert re.search(old, text)
    path.write_text(re.sub(old, new, text), encoding="utf-8")


def nothing(project: ToolProject) -> None:
    """Change nothing: what is asked of the lock is what it lacks."""


def add_dependency(project: ToolProject) -> None:
    edit(project.pyproject, '"alpha",', '"alpha", "colors",')


def add_old_dependency(project: ToolProject) -> None:
    edit(project.pyproject, "alpha = .*", r'alpha = "*"\ncolors = "*"')


def for_one_platform(project: ToolProject) -> None:
    edit(project.lockfile, r"\[\[metadata.targets\]\]\n.*\n", "")


def by_an_old_pdm(project: ToolProject) -> None:
    for_one_platform(project)
    edit(project.lockfile, r'lock_version = ".*"', 'lock_version = "4.4"')
    add_dependency(project)


def widen_pythons(project: ToolProject) -> None:
    edit(project.pyproject, "<3.15", "<3.13")
    project.lockfile.unlink()
    project.lock("--prod")
    edit(project.pyproject, "<3.13", "<3.15")


def for_windows(project: ToolProject) -> None:
    project.lockfile.unlink()
    project.lock("--prod", "--platform", "windows")


def without_metadata(project: ToolProject) -> None:
    edit(project.pyproject, 'version = "1.0"', 'version = "1.0"\ndynamic = ["dependencies"]')
    edit(project.pyproject, r"dependencies = \[(.|\n)*?\n\]\n", "")
    project.lockfile.unlink()
    project.lock("-G", ":all", "--strategy", "no_inherit_metadata")


@pytest.mark.parametrize(
    ("tool", "follower", "change", "options"),
    [
        ("uv", "uv", add_dependency, {}),
        ("poetry", "poetry", add_dependency, {}),
        ("poetry-1", "poetry-1", add_old_dependency, {}),
        ("poetry-1", "poetry", add_old_dependency, {}),
        ("pdm", "pdm", add_dependency, {}),
        ("pdm", "pdm", for_one_platform, {}),
        ("pdm", "pdm", by_an_old_pdm, {}),
        ("pdm", "pdm", widen_pythons, {}),
        ("pdm", "pdm", for_windows, {}),
        ("pdm", "pdm", nothing, {"groups": ("dev",), "extras": ("cli",)}),
        ("pdm", "pdm", without_metadata, {"groups": ("dev",), "extras": ("cli",)}),
    ],
)
def test_following_a_hint_changes_no_version(
    index: IndexServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tool: str,
    follower: str,
    change: Callable[[ToolProject], None],
    options: dict[str, Any],
) -> None:
    project = locked(tool, tmp_path, index.simple_url)
    change(project)
    before = versions(project)
    for name in ("alpha", "optioned", "shim", "tester"):
        index.add(WheelSpec(name=name, version="2.0"))
    if follower != tool:
        project = dataclasses.replace(project, program=require(tool_path, follower))
    isolate(monkeypatch, tmp_path / "user")
    with pytest.raises(LockfileError) as raised:
        read(project, options)
    # Of several commands, the last one is for the newest version of the tool.
    commands = re.findall("`([^`]*)`", str(raised.value.hint))
    program, *arguments = shlex.split(commands[0 if follower == "poetry-1" else -1])
    assert program == project.program.name
    project.run(*arguments)
    read(project, options)
    after = versions(project)
    assert {name: after[name] for name in before} == before
    assert {"1.0", "2.0"}.issuperset(before.values())
