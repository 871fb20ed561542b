"""Folders, workspace members and git commits, locked by each real tool, become part of a layer."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest
import uv
from click.testing import CliRunner, Result

from hatch_lambda_layer.cli.main import main
from tests.support.layer_project import ALPHA
from tests.support.same_set import index_table
from tests.support.source_factory import commit, copying_project, repository, write_files
from tests.support.system_parts import require
from tests.support.tools import ToolProject, isolate, tool_path
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from tests.support.index_server import IndexServer

LIB = WheelSpec(name="lib", version="1.0", files={"lib.py": b"LIB = 1\n"})
CHANGED = replace(LIB, files={"lib.py": b"LIB = 2\n"})
LAMBDA = "\n[tool.lambda-layer]\nruntimes = ['python3.13']\n"
PROJECT = """\
[project]
name = "app"
version = "1.0"
requires-python = ">=3.11,<3.15"
dependencies = ["alpha"{}]
"""
TOOLS = ("uv", "poetry", "pdm", "pip")


@pytest.fixture
def programs(
    tmp_path: Path, index: IndexServer, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Path]:
    """Give the real tools, to a person who can reach one index and repositories on disk."""
    found = {name: require(tool_path, name) for name in ("poetry", "pdm")}
    isolate(monkeypatch, tmp_path / "user", *found.values())
    monkeypatch.setenv("PIP_INDEX_URL", index.simple_url)
    for name, value in (
        ("COUNT", "1"),
        ("KEY_0", "protocol.file.allow"),
        ("VALUE_0", "always"),
    ):
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    index.add(ALPHA)
    return {**found, "uv": Path(uv.find_uv_bin())}


def library(wheel: WheelSpec) -> dict[str, bytes]:
    """Give a project that is built to this wheel, and says what it is without being built."""
    files = copying_project(wheel)
    static = f'[project]\nname = "{wheel.name}"\nversion = "{wheel.version}"\n'
    return {**files, "pyproject.toml": static.encode() + files["pyproject.toml"]}


def declared(tool: str, index: IndexServer, path: str | None, git: str | None) -> dict[str, str]:
    """Give the files of a project that needs `lib` from a folder or a repository."""
    match tool:
        case "pip":
            needed = path or f"lib @ git+{git}"
            return {"requirements.txt": f"alpha\n{needed}\n", "pyproject.toml": LAMBDA}
        case "uv":
            source = f'path = "{path}", editable = true' if path else f'git = "{git}"'
            text = PROJECT.format(', "lib"') + f"[tool.uv.sources]\nlib = {{ {source} }}\n"
        case "poetry":
            source = f'path = "{path}", develop = true' if path else f'git = "{git}"'
            text = PROJECT.format(', "lib"') + f"[tool.poetry.dependencies]\nlib = {{ {source} }}\n"
        case _:
            # pdm takes `git+file:///` for a host of ssh.
            host = (git or "").replace("file:///", "file://localhost/")
            url = f"file:///${{PROJECT_ROOT}}/{path}" if path else f"git+{host}"
            text = PROJECT.format(f', "lib @ {url}"')
    return {"pyproject.toml": f"{text}\n{index_table(tool, index.simple_url)}{LAMBDA}"}


def locked(
    tool: str, folder: Path, files: dict[str, str], programs: dict[str, Path]
) -> ToolProject:
    """Write a project and lock it, with a tool that has a lockfile of its own."""
    write_files(folder, {name: text.encode() for name, text in files.items()})
    made = ToolProject(folder, programs.get(tool, Path()), dict(os.environ))
    if tool != "pip":
        made.lock()
    return made


def build(project: ToolProject) -> Result:
    done = CliRunner().invoke(main, ["build", str(project.directory)], catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    return done


def module(project: ToolProject) -> bytes:
    """Give the library's module in the layer, which has the wheel of the index, too."""
    with ZipFile(project.directory / "dist" / "layer.zip") as layer:
        assert "python/alpha/__init__.py" in layer.namelist()
        return layer.read("python/lib.py")


@pytest.mark.fault(21)
@pytest.mark.parametrize("tool", TOOLS)
def test_a_folder_beside_the_project_is_built_again_when_it_changes(
    tool: str, programs: dict[str, Path], index: IndexServer, tmp_path: Path
) -> None:
    write_files(tmp_path / "lib", library(LIB))
    files = declared(tool, index, "../lib", None)
    project = locked(tool, tmp_path / "app", files, programs)
    build(project)
    assert module(project) == b"LIB = 1\n"
    assert "layer.zip is up to date" in build(project).stderr
    write_files(tmp_path / "lib", library(CHANGED))
    assert "Building package `lib" in build(project).stderr
    assert module(project) == b"LIB = 2\n"


@pytest.mark.fault(21)
@pytest.mark.parametrize("tool", TOOLS)
def test_a_git_dependency_stays_at_its_commit_until_it_is_locked_again(
    tool: str, programs: dict[str, Path], index: IndexServer, tmp_path: Path
) -> None:
    origin = tmp_path / "origin"
    head = repository(origin, library(LIB))
    # Requirements have no lock: the commit is what they name.
    url = origin.as_uri() + (f"@{head}" if tool == "pip" else "")
    project = locked(tool, tmp_path / "app", declared(tool, index, None, url), programs)
    build(project)
    assert module(project) == b"LIB = 1\n"
    commit(origin, library(CHANGED))
    assert "layer.zip is up to date" in build(project).stderr
    assert module(project) == b"LIB = 1\n"


@pytest.mark.fault(21)
def test_a_member_of_a_uv_workspace_has_the_lock_of_the_workspace(
    programs: dict[str, Path], index: IndexServer, tmp_path: Path
) -> None:
    root = tmp_path / "mono"
    write_files(root / "packages" / "lib", library(LIB))
    write_files(root / "packages" / "other", library(replace(LIB, name="other")))
    service = PROJECT.format(', "lib"') + "[tool.uv.sources]\nlib = { workspace = true }\n"
    write_files(root / "packages" / "app", {"pyproject.toml": (service + LAMBDA).encode()})
    workspace = (
        "[tool.uv.workspace]\nmembers = ['packages/*']\n"
        f"[[tool.uv.index]]\nurl = '{index.simple_url}'\ndefault = true\n"
    )
    locked("uv", root, {"pyproject.toml": workspace}, programs)
    project = ToolProject(root / "packages" / "app", programs["uv"], dict(os.environ))
    shown = build(project).stderr
    assert "Building package `lib" in shown
    # The member's own needs, not those of the whole workspace.
    assert "other" not in shown
    assert module(project) == b"LIB = 1\n"
    assert "layer.zip is up to date" in build(project).stderr
    write_files(root / "packages" / "lib", library(CHANGED))
    build(project)
    assert module(project) == b"LIB = 2\n"


@pytest.mark.fault(7)
def test_the_lock_of_a_folder_around_that_is_no_workspace_is_not_taken(
    programs: dict[str, Path], index: IndexServer, tmp_path: Path
) -> None:
    outer = PROJECT.format("") + f"\n{index_table('uv', index.simple_url)}"
    locked("uv", tmp_path / "outer", {"pyproject.toml": outer}, programs)
    write_files(tmp_path / "outer" / "inner", {"pyproject.toml": LAMBDA.encode()})
    done = CliRunner().invoke(main, ["build", str(tmp_path / "outer" / "inner")])
    assert done.exit_code == 1
    assert "No lockfile" in done.stderr
