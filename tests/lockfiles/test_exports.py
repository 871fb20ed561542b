"""Of several lockfiles, the one is read that the project says, or that the others came from."""

from __future__ import annotations

import os
import re
import shutil
import sys
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from hatch_lambda_layer.cli.main import main
from hatch_lambda_layer.exceptions import LockfileError
from hatch_lambda_layer.layer.manifest import LayerManifest
from hatch_lambda_layer.layout import LayerPathLayout
from hatch_lambda_layer.lockfiles import LockRequest, find_lockfile
from tests.support import same_set
from tests.support.index_server import IndexServer
from tests.support.lock_factory import UvProject, uv_environment
from tests.support.system_parts import require
from tests.support.tools import (
    ToolProject,
    git_repository,
    isolate,
    source_tree,
    tool_path,
    tool_project,
    write_files,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TABLE = '[tool.lambda-layer]\nruntimes = ["python3.13"]\n'


@pytest.fixture(scope="module")
def index() -> Iterator[IndexServer]:
    with IndexServer() as server:
        same_set.serve(server)
        yield server


@pytest.fixture(scope="module")
def locked(index: IndexServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a project that each tool has locked, with a folder and a git commit in it."""
    root = tmp_path_factory.mktemp("locked")
    with pytest.MonkeyPatch.context() as patch:
        isolate(patch, root / "state")
        git_repository(root / "repo", source_tree("gitlib"))
    sources = {
        "uv": "[tool.uv.sources]\nlib.path = 'lib'\ngitlib.git = '{git}'\n",
        "poetry": "[tool.poetry.dependencies]\nlib.path = 'lib'\ngitlib.git = '{git}'\n",
        "pdm": "",
    }
    git = (root / "repo").as_uri()
    for tool, table in sources.items():
        folder = root / tool
        # pdm takes `git+file:///` for a host of ssh.
        at = f" @ git+{git.replace(':///', '://localhost/')}" if tool == "pdm" else ""
        lib = " @ file:///${PROJECT_ROOT}/lib" if tool == "pdm" else ""
        text = (
            '[project]\nname = "app"\nversion = "1.0"\nrequires-python = ">=3.11,<3.15"\n'
            f'dependencies = ["alpha", "native", "lib{lib}", "gitlib{at}"]\n'
            f"{same_set.index_table(tool, index.simple_url)}{table.format(git=git)}"
        )
        write_files(folder / "lib", source_tree("lib"))
        if tool == "uv":
            uv = UvProject(folder, uv_environment(folder))
            uv.pyproject.write_text(text, encoding="utf-8")
            uv.lock()
        else:
            tool_project(tool, folder, text, root / "state")
    return root


@pytest.fixture
def projects(locked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copies of the projects, whose `pyproject.toml` does not say which tool is used."""
    isolate(monkeypatch, tmp_path / "state")
    shutil.copytree(locked, tmp_path / "locked")
    for path in tmp_path.glob("locked/*/pyproject.toml"):
        text = re.split(r"\[+tool\.", path.read_text(encoding="utf-8"))[0]
        path.with_name("with-tables.toml").write_bytes(path.read_bytes())
        path.write_text(text + TABLE, encoding="utf-8")
    return tmp_path / "locked"


def uv_in(folder: Path, index: IndexServer) -> UvProject:
    project = UvProject(folder, uv_environment(folder))
    project.environment["UV_DEFAULT_INDEX"] = index.simple_url
    return project


@contextmanager
def with_tables(folder: Path) -> Iterator[None]:
    """Have the tables that the project was locked with, which have its index."""
    pyproject = folder / "pyproject.toml"
    without = pyproject.read_bytes()
    shutil.copy(folder / "with-tables.toml", pyproject)
    yield
    pyproject.write_bytes(without)


def uv_exports(form: str) -> Callable[[Path, IndexServer], None]:
    def export(folder: Path, index: IndexServer) -> None:
        name = "pylock.toml" if form == "pylock.toml" else "requirements.txt"
        with with_tables(folder):
            uv_in(folder, index).uv("export", "--frozen", "-q", "--format", form, "-o", name)

    return export


def tool_exports(name: str, *options: str) -> Callable[[Path, IndexServer], None]:
    def export(folder: Path, index: IndexServer) -> None:
        program = require(tool_path, name)
        with with_tables(folder):
            project = ToolProject(folder, program, {**os.environ, "PDM_PYTHON": sys.executable})
            project.run("export", *options, "-o", "requirements.txt")

    return export


def found(folder: Path, tool: str | None = None) -> tuple[str, list[str]]:
    """Give the name of the lockfile that is found, and what is said about it."""
    said: list[str] = []
    layout = LayerPathLayout(folder / "pyproject.toml", folder / "dist")
    return find_lockfile(tool, LockRequest(layout=layout), said.append).path.name, said


def refusal(folder: Path) -> str:
    with pytest.raises(LockfileError, match="has more than one lockfile") as caught:
        found(folder)
    return str(caught.value)


EXPORTS = {
    "uv to pylock": ("uv", uv_exports("pylock.toml")),
    "uv to requirements": ("uv", uv_exports("requirements.txt")),
    "poetry to requirements": ("poetry", tool_exports("poetry")),
    "pdm to requirements": ("pdm", tool_exports("pdm", "--no-hashes")),
}


@pytest.mark.parametrize("export", EXPORTS)
def test_an_export_beside_its_source_is_left_aside_with_a_note(
    projects: Path, index: IndexServer, export: str
) -> None:
    tool, write = EXPORTS[export]
    folder = projects / tool
    write(folder, index)
    (exported,) = set(folder.glob("pylock.toml")) | set(folder.glob("requirements.txt"))
    for word in ("alpha", "native", "gitlib"):
        assert word in exported.read_text(encoding="utf-8")
    assert found(folder) == (
        f"{tool}.lock",
        [f"Of the lockfiles, `{tool}.lock` is read: all in `{exported.name}` is in it, too"],
    )
    # A part of it, as of one group; nothing; and the same with another hash, or no hash.
    text = exported.read_text(encoding="utf-8")
    exported.write_text(re.sub(r"(?m)^native==(.*\\\n)*.*\n", "", text), encoding="utf-8")
    assert found(folder)[0] == f"{tool}.lock"


@pytest.mark.fault(8)
@pytest.mark.parametrize("export", EXPORTS)
@pytest.mark.parametrize("change", ["version", "commit", "name"])
def test_what_has_a_package_that_is_not_in_the_other_is_no_export(
    projects: Path, index: IndexServer, export: str, change: str
) -> None:
    tool, write = EXPORTS[export]
    folder = projects / tool
    write(folder, index)
    (exported,) = set(folder.glob("pylock.toml")) | set(folder.glob("requirements.txt"))
    text = exported.read_text(encoding="utf-8")
    pattern, new = {
        "version": (r'(native==|"native"\nversion = ")2\.0', r"\g<1>2.1"),
        "commit": (r"[0-9a-f]{40}(?=[\s\"]|$)", "0" * 40),
        "name": (r'(?m)^(name = ")?alpha\b', r"\g<1>beta"),
    }[change]
    changed = re.sub(pattern, lambda match: match.expand(new), text)
    assert changed != text
    exported.write_text(changed, encoding="utf-8")
    said = refusal(folder)
    assert f"`{tool}.lock` ({tool})" in said
    assert f"`{exported.name}`" in said


def test_created_by_alone_proves_nothing_and_neither_does_a_comment(
    projects: Path, index: IndexServer
) -> None:
    folder = projects / "uv"
    (folder / "other.in").write_text("clicky\n", encoding="utf-8")
    compiling = ["pip", "compile", "--universal", "--python-version", "3.11", "-q", "other.in"]
    uv_in(folder, index).uv(*compiling, "-o", "requirements.txt")
    assert "autogenerated by uv" in (folder / "requirements.txt").read_text(encoding="utf-8")
    refusal(folder)
    uv_in(folder, index).uv(*compiling, "--format", "pylock.toml", "-o", "pylock.toml")
    assert 'created-by = "uv"' in (folder / "pylock.toml").read_text(encoding="utf-8")
    (folder / "requirements.txt").unlink()
    refusal(folder)


def test_requirements_that_are_not_pinned_are_no_export(projects: Path) -> None:
    for text in ("alpha\n", "alpha>=1\n", "alpha==1.*\n", "-r nowhere.txt\n", "alpha = 1 = 2\n"):
        (projects / "uv/requirements.txt").write_text(text, encoding="utf-8")
        refusal(projects / "uv")
    (projects / "uv/requirements.txt").write_text("-e .\n-e ./lib\nalpha==1.0.0\n", "utf-8")
    assert found(projects / "uv")[0] == "uv.lock"


def test_a_smaller_pylock_is_not_an_export_of_requirements(
    projects: Path, index: IndexServer
) -> None:
    folder = projects / "uv"
    uv_exports("pylock.toml")(folder, index)
    uv_exports("requirements.txt")(folder, index)
    (folder / "uv.lock").unlink()
    assert found(folder)[0] == "pylock.toml"
    with (folder / "requirements.txt").open("a", encoding="utf-8") as file:
        file.write("clicky==1.0\n")
    refusal(folder)


@pytest.mark.parametrize("tool", ["uv", "poetry", "pdm"])
def test_the_tool_with_a_table_in_the_project_comes_first(projects: Path, tool: str) -> None:
    folder = projects / tool
    (folder / "requirements.txt").write_text("another==7\n", encoding="utf-8")
    for other in {"uv", "poetry", "pdm"} - {tool}:
        shutil.copy(projects / other / f"{other}.lock", folder)
    refusal(folder)
    pyproject = folder / "pyproject.toml"
    text = pyproject.read_text(encoding="utf-8")
    pyproject.write_text(f"{text}[tool.{tool}]\n", encoding="utf-8")
    assert found(folder) == (f"{tool}.lock", [])
    other = "pdm" if tool == "uv" else "uv"
    pyproject.write_text(f"{text}[tool.{tool}]\n[tool.{other}]\n", encoding="utf-8")
    refusal(folder)
    # A table of a tool whose lockfile is not there says nothing.
    (folder / f"{other}.lock").unlink()
    assert found(folder) == (f"{tool}.lock", [])


def test_of_a_workspace_the_root_says_it_for_its_members(
    index: IndexServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    isolate(monkeypatch, tmp_path / "state")
    project = uv_in(tmp_path / "app", index)
    head = 'version = "1"\nrequires-python = ">=3.11"\n'
    write_files(
        project.directory,
        {
            "pyproject.toml": f'[project]\nname = "app"\n{head}[tool.uv.workspace]\n'
            'members = ["lib"]\n',
            "lib/pyproject.toml": f'[project]\nname = "lib"\n{head}dependencies = ["alpha"]\n',
            "lib/requirements.txt": "something==1\n",
        },
    )
    project.lock()
    assert found(project.directory / "lib") == ("uv.lock", [])


def test_requirements_that_the_table_names_are_chosen_by_that(projects: Path) -> None:
    folder = projects / "uv"
    (folder / "prod.txt").write_text("alpha==1.0\n", encoding="utf-8")
    layout = LayerPathLayout(folder / "pyproject.toml", folder / "dist")
    request = LockRequest(layout=layout, requirements=("prod.txt",))
    assert find_lockfile(None, request).path == folder / "prod.txt"
    assert found(folder, "uv")[0] == "uv.lock"
    assert find_lockfile("uv", replace(request, requirements=())).path == folder / "uv.lock"


def test_the_build_says_once_which_lockfile_is_read(
    index: IndexServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    isolate(monkeypatch, tmp_path / "state")
    monkeypatch.setenv("UV_DEFAULT_INDEX", index.simple_url)
    project = uv_in(tmp_path / "app", index)
    write_files(
        project.directory,
        {
            "pyproject.toml": '[project]\nname = "app"\nversion = "1"\n'
            'requires-python = ">=3.11"\ndependencies = ["alpha"]\n'
            '[dependency-groups]\ndev = ["tester"]\n'
            '[tool.lambda-layer]\nruntimes = ["python3.13", "python3.14"]\nexclude = ["shim"]\n'
        },
    )
    project.lock()
    project.uv("export", "-q", "--frozen", "--format", "requirements.txt", "-o", "requirements.txt")
    done = CliRunner().invoke(main, ["build", str(project.directory)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert done.output.count("`uv.lock` is read: all in `requirements.txt` is in it, too") == 1
    (manifest,) = project.directory.glob("dist/layer-python3.13*.json")
    assert [each.name for each in LayerManifest.read(manifest).packages] == ["alpha"]
