"""`lockfile` names a lockfile that is elsewhere, or that has another name."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from hatch_lambda_layer.cli.main import main
from hatch_lambda_layer.exceptions import LockfileError, MissingLockfileError
from hatch_lambda_layer.layer.manifest import LayerManifest
from hatch_lambda_layer.layout import LayerPathLayout
from hatch_lambda_layer.lockfiles import LockRequest, find_lockfile
from hatch_lambda_layer.targets.target import Architecture, Target, runtimes
from hatch_lambda_layer.wheels.selection import select
from tests.support import same_set
from tests.support.index_server import IndexServer
from tests.support.lock_factory import UvProject, uv_environment
from tests.support.tools import isolate, tool_project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TARGET = Target(runtimes()["python3.13"], Architecture.X86_64)
EXPECTED = ["alpha", "native", "optioned", "speedy"]
TABLE = '[tool.lambda-layer]\nruntimes = ["python3.13"]\n'


@pytest.fixture(scope="module")
def index() -> Iterator[IndexServer]:
    with IndexServer() as server:
        same_set.serve(server)
        yield server


@pytest.fixture(scope="module")
def locked(index: IndexServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a project of each tool, locked by the tool itself."""
    root = tmp_path_factory.mktemp("locked")
    uv = UvProject(root / "uv", uv_environment(root / "uv"))
    uv.directory.mkdir()
    uv.pyproject.write_text(same_set.pyproject("uv", index.simple_url), encoding="utf-8")
    uv.lock()
    (root / "pylock").mkdir()
    (root / "pylock/pylock.lambda.toml").write_text(uv.export_pylock("--no-dev"), "utf-8")
    (root / "pip").mkdir()
    exported = uv.uv("export", "--quiet", "--frozen", "--no-dev", "--no-emit-project")
    (root / "pip/locked.txt").write_text(f"-i {index.simple_url}\n{exported}", "utf-8")
    for tool in ("poetry", "pdm"):
        text = same_set.pyproject(tool, index.simple_url)
        tool_project(tool, root / tool, text, root / "state")
    return root


@pytest.fixture
def function(locked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a function, two folders below copies of what is locked."""
    isolate(monkeypatch, tmp_path / "state")
    shutil.copytree(locked, tmp_path / "locked")
    folder = tmp_path / "functions" / "orders"
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(TABLE, encoding="utf-8")
    return folder


def requested(folder: Path, lockfile: str | None, groups: tuple[str, ...] = ()) -> LockRequest:
    layout = LayerPathLayout(folder / "pyproject.toml", folder / "dist")
    return LockRequest(layout=layout, lockfile=lockfile, groups=groups)


def names(
    folder: Path, lockfile: str, groups: tuple[str, ...] = (), tool: str | None = None
) -> list[str]:
    found = find_lockfile(tool, requested(folder, lockfile, groups))
    lock = found.lockfile.read(found.path, found.request, TARGET)
    return sorted(each.name for each in select(lock, TARGET).all)


@pytest.mark.parametrize(
    "lockfile",
    ["uv", "uv/uv.lock", "poetry/poetry.lock", "pdm/pdm.lock", "pylock/pylock.lambda.toml"],
)
def test_a_lockfile_in_another_folder_is_that_of_the_project_there(
    function: Path, lockfile: str
) -> None:
    lockfile = f"../../locked/{lockfile}"
    assert names(function, lockfile) == EXPECTED
    assert names(function, str(function / lockfile)) == EXPECTED
    if "pylock" not in lockfile:
        assert names(function, lockfile, ("docs",)) == sorted([*EXPECTED, "sphinxy"])


def test_requirements_in_another_folder_are_read_by_their_file(function: Path) -> None:
    assert names(function, "../../locked/pip/locked.txt") == EXPECTED


@pytest.mark.parametrize(
    ("lockfile", "name"),
    [
        ("poetry/poetry.lock", "poetry-lambda.lock"),
        ("pdm/pdm.lock", "pdm.313.lock"),
        ("pylock/pylock.lambda.toml", "lambda-lock.toml"),
        ("pip/locked.txt", "requirements.in"),
    ],
)
def test_a_lockfile_with_another_name_is_known_by_its_content(
    function: Path, lockfile: str, name: str
) -> None:
    old = function / "../../locked" / lockfile
    renamed = old.rename(old.with_name(name))
    assert names(function, os.path.relpath(renamed, function)) == EXPECTED


def test_a_lockfile_of_another_project_is_compared_with_that_project(function: Path) -> None:
    (function / "pyproject.toml").write_text(
        f'[project]\nname = "orders"\nversion = "1"\ndependencies = ["unlocked"]\n{TABLE}', "utf-8"
    )
    for tool in ("uv", "poetry", "pdm"):
        place = f"../../locked/{tool}/{tool}.lock"
        assert names(function, place) == EXPECTED
        pyproject = function.parents[1] / "locked" / tool / "pyproject.toml"
        text = pyproject.read_text(encoding="utf-8")
        pyproject.write_text(text.replace('"alpha"', '"alpha>=2"'), encoding="utf-8")
        with pytest.raises(LockfileError, match="is stale"):
            names(function, place)


def test_the_workspace_of_a_member_may_be_named_and_is_read_for_the_member(
    index: IndexServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    isolate(monkeypatch, tmp_path / "state")
    project = UvProject(tmp_path / "app", uv_environment(tmp_path / "app"))
    member = project.directory / "libs/lib"
    member.mkdir(parents=True)
    project.pyproject.write_text(
        '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.11"\n'
        'dependencies = ["alpha"]\n[tool.uv.workspace]\nmembers = ["libs/*"]\n'
        f'[[tool.uv.index]]\nurl = "{index.simple_url}"\ndefault = true\n'
    )
    (member / "pyproject.toml").write_text(
        '[project]\nname = "lib"\nversion = "1"\nrequires-python = ">=3.11"\n'
        'dependencies = ["clicky"]\n'
    )
    project.lock()
    assert names(member, "../..") == names(member, "../../uv.lock") == ["clicky", "colors"]
    other = project.directory / "layer"
    other.mkdir()
    assert names(other, "..") == ["alpha"]


def test_the_layer_is_built_where_the_option_is_and_excludes_by_the_project_of_the_lock(
    function: Path,
) -> None:
    (function / "pyproject.toml").write_text(
        f'{TABLE}lockfile = "../../locked/poetry/poetry.lock"\nexclude = ["optioned"]\n', "utf-8"
    )
    done = CliRunner().invoke(main, ["build", str(function)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    manifest = LayerManifest.read(function / "dist" / "layer.json")
    assert [each.name for each in manifest.packages] == ["alpha", "native"]


@pytest.mark.fault(7)
@pytest.mark.parametrize("name", ["../nowhere/pylock.toml", "..", "x" * 5000])
def test_a_lockfile_that_is_named_and_missing_is_an_error(function: Path, name: str) -> None:
    with pytest.raises(MissingLockfileError, match="is missing, and `lockfile` names it") as caught:
        names(function, name)
    assert str(function) in (caught.value.hint or "")


def test_a_lockfile_is_not_read_as_that_of_another_tool(function: Path) -> None:
    with pytest.raises(LockfileError, match="not a lockfile of pdm, which `tool` names, but of po"):
        names(function, "../../locked/poetry/poetry.lock", tool="pdm")
    (function / "odd.lock").write_text('what = "ever"\n', encoding="utf-8")
    with pytest.raises(LockfileError, match="tells whose lockfile it is") as caught:
        names(function, "odd.lock")
    assert "`tool`" in (caught.value.hint or "")
    with pytest.raises(LockfileError, match=r"odd\.lock` is not"):
        names(function, "odd.lock", tool="pdm")


def test_of_several_lockfiles_the_one_that_is_named_is_read(function: Path) -> None:
    locked = function.parents[1] / "locked"
    for name in ("poetry/poetry.lock", "pdm/pdm.lock", "pylock/pylock.lambda.toml"):
        shutil.copy(locked / name, function)
    with pytest.raises(LockfileError, match="more than one lockfile") as caught:
        find_lockfile(None, requested(function, None))
    assert "name it with `lockfile`" in (caught.value.hint or "")
    assert names(function, "pylock.lambda.toml") == EXPECTED
