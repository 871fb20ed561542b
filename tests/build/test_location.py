"""The project is the folder that is named, or the nearest one that has the files of a project."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from hatch_lambda_layer import build_layers
from hatch_lambda_layer.cli.main import main
from hatch_lambda_layer.exceptions import ConfigError
from hatch_lambda_layer.layer.manifest import LayerManifest
from tests.support.lock_factory import UvProject, uv_environment, uv_project
from tests.support.tools import isolate, tool_project
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.index_server import IndexServer

TABLE = '[tool.lambda-layer]\nruntimes = ["python3.13"]\n'
RUNTIME = ("--runtime", "python3.13")


@pytest.fixture
def uv(tmp_path: Path, index: IndexServer, monkeypatch: pytest.MonkeyPatch) -> UvProject:
    """A folder `app` for whatever uv makes in it; its only index is here."""
    index.add(WheelSpec(name="alpha"), WheelSpec(name="beta"))
    isolate(monkeypatch, tmp_path / "state")
    monkeypatch.setenv("PIP_INDEX_URL", index.simple_url)
    project = UvProject(tmp_path / "app", uv_environment(tmp_path / "app"))
    project.environment["UV_DEFAULT_INDEX"] = index.simple_url
    project.directory.mkdir()
    return project


def lock_requirements(uv: UvProject, *names: str) -> None:
    """Have uv write a `requirements.txt` with hashes."""
    source = uv.directory / "requirements.in"
    source.write_text("\n".join(names), encoding="utf-8")
    compiling = ["pip", "compile", "--universal", "--python-version", "3.11", "--quiet"]
    uv.uv(*compiling, "--generate-hashes", source.name, "-o", "requirements.txt")
    source.unlink()


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(each) for each in arguments], catch_exceptions=False)


def packages(folder: Path) -> list[str]:
    return [each.name for each in LayerManifest.read(folder / "dist" / "layer.json").packages]


def repository(folder: Path) -> Path:
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    return folder


@pytest.mark.parametrize("named", [True, False])
def test_a_folder_with_only_requirements_builds_with_a_runtime(
    uv: UvProject, monkeypatch: pytest.MonkeyPatch, *, named: bool
) -> None:
    lock_requirements(uv, "alpha")
    if not named:
        # Not the project around it: it has requirements of its own.
        repository(uv.directory.parent)
        (uv.directory.parent / "pyproject.toml").write_text(TABLE)
        monkeypatch.chdir(uv.directory)
    done = run("build", *([uv.directory] if named else []), *RUNTIME)
    assert done.exit_code == 0, done.output
    assert packages(uv.directory) == ["alpha"]
    assert f"The project is {uv.directory}, which has `requirements.txt`\n" in done.stderr


def test_a_folder_with_only_requirements_and_no_runtime_is_told_the_option(uv: UvProject) -> None:
    lock_requirements(uv, "alpha")
    done = run("build", uv.directory)
    assert done.exit_code == 1
    assert f"{uv.directory} has no pyproject.toml" in done.stderr
    assert "`--runtime python3." in done.stderr


def test_a_folder_with_only_setup_py_is_told_how_to_lock(uv: UvProject) -> None:
    (uv.directory / "setup.py").write_text("from setuptools import setup\nsetup(name='app')\n")
    done = run("build", uv.directory, *RUNTIME)
    assert done.exit_code == 1
    assert f"The project is {uv.directory}, which has `setup.py`\n" in done.stderr
    assert "No lockfile" in done.stderr
    assert "uv pip compile setup.py" in done.stderr
    lock_requirements(uv, "beta")
    assert run("build", uv.directory, *RUNTIME).exit_code == 0
    assert packages(uv.directory) == ["beta"]


@pytest.mark.parametrize("subfolder", ["src", "src/app/deep"])
def test_in_a_subfolder_of_a_project_the_project_is_found_and_named(
    uv: UvProject, index: IndexServer, subfolder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    uv_project(uv.directory, index.simple_url, ["alpha"], extra_toml=TABLE)
    folder = repository(uv.directory) / subfolder
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    done = run("build")
    assert done.exit_code == 0, done.output
    assert f"The project is {uv.directory}, which has `pyproject.toml`, `uv.lock`\n" in done.stderr
    assert done.stdout == f"{uv.directory / 'dist' / 'layer.zip'}\n"
    assert run("publish", "--dry-run", "--policy").exit_code == 0
    assert run("outdated").exit_code == 0
    # A folder that is named is not looked up from.
    for named in (folder, "."):
        refused = run("build", named)
        assert refused.exit_code == 1
        assert f"{folder} has no pyproject.toml, no lockfile" in refused.stderr
        assert f"the project around it is {uv.directory}, name that" in refused.stderr
    with pytest.raises(ConfigError, match="the project around it is"):
        build_layers(folder)


@pytest.mark.parametrize("root", ["none", "below the project"])
def test_no_project_is_looked_for_outside_of_the_repository(
    uv: UvProject, index: IndexServer, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    uv_project(uv.directory, index.simple_url, ["alpha"], extra_toml=TABLE)
    folder = uv.directory / "vendored" / "src"
    folder.mkdir(parents=True)
    if root != "none":
        repository(folder.parent)
    monkeypatch.chdir(folder)
    done = run("build")
    assert done.exit_code == 1
    assert f"{folder} has no pyproject.toml, no lockfile and no requirements.txt" in done.stderr
    assert str(uv.directory / "pyproject.toml") not in done.stderr


def test_a_mistyped_path_is_said_to_be_missing_with_the_nearest(uv: UvProject) -> None:
    folder = uv.directory.parent
    done = run("build", folder / "apq")
    assert done.exit_code == 1
    assert done.stderr == f"error: There is no folder `{folder / 'apq'}` (did you mean `app`?)\n"
    assert "There is no folder" in run("build", folder / "nowhere" / "app").stderr
    assert "There is no folder" in run("outdated", folder / "apq").stderr
    assert "There is no folder" in run("publish", "--project", folder / "apq").stderr
    (folder / "app.txt").touch()
    assert "is a file: name the folder of the project" in run("build", folder / "app.txt").stderr


def test_no_lockfile_names_what_is_near_and_the_options(uv: UvProject) -> None:
    (uv.directory / "pyproject.toml").write_text(TABLE)
    for name in ("requirements/prod.txt", "dev-requirements.txt"):
        path = uv.directory / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    done = run("build", uv.directory)
    assert done.exit_code == 1
    for word in ("`dev-requirements.txt`, `requirements/prod.txt`", "`requirements`", "`lockfile`"):
        assert word in done.stderr


def test_a_lockfile_can_be_named_on_the_command_line_from_the_current_folder(
    uv: UvProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock_requirements(uv, "alpha")
    monkeypatch.chdir(uv.directory)
    (uv.directory / "requirements.txt").rename("locked.txt")
    other = uv.directory.parent / "empty"
    other.mkdir()
    done = run("build", other, "--lockfile", "locked.txt", *RUNTIME)
    assert done.exit_code == 0, done.output
    assert packages(other) == ["alpha"]
    asked = run("outdated", os.path.relpath(other), "--lockfile", "locked.txt", *RUNTIME)
    assert asked.exit_code == 0, asked.output


@pytest.mark.parametrize("tool", ["uv", "poetry", "pdm"])
def test_a_lockfile_that_has_lost_its_pyproject_is_told_so_and_no_other_is_taken(
    uv: UvProject, index: IndexServer, tool: str
) -> None:
    sources = {
        "poetry": '[tool.poetry]\npackage-mode = false\n[[tool.poetry.source]]\nname = "loop"\n'
        f'url = "{index.simple_url}"\npriority = "primary"\n',
        "pdm": '[tool.pdm]\ndistribution = false\n[[tool.pdm.source]]\nname = "pypi"\n'
        f'url = "{index.simple_url}"\nverify_ssl = false\n',
    }
    text = '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.11,<4"\n'
    text += 'dependencies = ["alpha"]\n'
    if tool == "uv":
        uv_project(uv.directory, index.simple_url, ["alpha"])
    else:
        tool_project(tool, uv.directory, text + sources[tool], uv.directory.parent / "state")
    # uv would take the next one further up.
    (uv.directory / "pyproject.toml").rename(uv.directory.parent / "pyproject.toml")
    done = run("build", uv.directory, *RUNTIME)
    assert done.exit_code == 1
    assert f"`{uv.directory / 'pyproject.toml'}` is missing" in done.stderr
