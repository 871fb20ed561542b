"""What is excluded is neither fetched nor built, whichever tool has locked it."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import uv
from click.testing import CliRunner

from hatch_lambda_layer.cli.main import main
from tests.support import same_set
from tests.support.index_server import IndexServer
from tests.support.source_factory import IN_TREE, sdist
from tests.support.system_parts import require
from tests.support.tools import ToolProject, isolate, tool_path
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

TOOLS = ("uv", "poetry", "pdm", "pip", "pylock")
# These lockfiles have what packages require.
WITH_GRAPH = ("uv", "poetry", "pdm")
PSY = WheelSpec(name="psy", requires_dist=["helper", "shared"])
# As psycopg2 without libpq: its metadata can be read, and its build fails.
BACKEND = """\
import pathlib

METADATA = pathlib.Path("PKG-INFO").read_text()

def prepare_metadata_for_build_wheel(folder, config_settings=None):
    info = pathlib.Path(folder, "psy-1.0.dist-info")
    info.mkdir()
    (info / "METADATA").write_text(METADATA)
    (info / "WHEEL").write_text("Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    return info.name

def build_wheel(folder, config_settings=None, metadata_directory=None):
    raise SystemExit("pg_config is missing")
"""
FILES = {
    "PKG-INFO": b"Metadata-Version: 2.2\nName: psy\nVersion: 1.0\nRequires-Dist: helper\n"
    b"Requires-Dist: shared\n",
    "pyproject.toml": (
        f'{IN_TREE}\n[project]\nname = "psy"\nversion = "1.0"\n'
        'dependencies = ["helper", "shared"]\n'
    ).encode(),
    "backend.py": BACKEND.encode(),
}
PROJECT = """\
[project]
name = "app"
version = "1.0"
requires-python = ">=3.10,<3.15"
dependencies = ["alpha", "psy"]
"""


@pytest.fixture
def index() -> Iterator[IndexServer]:
    with IndexServer() as server:
        server.add(
            WheelSpec(name="alpha", requires_dist=["shared"]),
            WheelSpec(name="shared"),
            WheelSpec(name="helper"),
        )
        yield server


@pytest.fixture
def made(
    request: pytest.FixtureRequest,
    index: IndexServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> ToolProject:
    """Give the project of a tool, not locked yet."""
    tool = request.getfixturevalue("tool")
    program = Path(uv.find_uv_bin())
    if tool in ("poetry", "pdm"):
        program = require(tool_path, tool)
    isolate(monkeypatch, tmp_path / "user", program)
    monkeypatch.setenv("PIP_INDEX_URL", index.simple_url)
    folder = tmp_path / "app"
    folder.mkdir()
    written_for = tool if tool in ("poetry", "pdm") else "uv"
    text = same_set.pyproject(written_for, index.simple_url, PROJECT)
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    return ToolProject(folder, program, dict(os.environ))


def lock(tool: str, made: ToolProject) -> None:
    match tool:
        case "pip":
            options = ["--universal", "--generate-hashes", "--quiet", "-o", "requirements.txt"]
            made.run("pip", "compile", "pyproject.toml", *options)
        case "pylock":
            made.lock()
            made.run("export", "--format", "pylock.toml", "-q", "-o", "pylock.toml")
            made.lockfile.unlink()
        case _:
            made.lock()


def build(made: ToolProject, table: str) -> tuple[dict[str, Any], str]:
    """Build with this table; give the manifest, empty without one, and what was said."""
    text = made.pyproject.read_text("utf-8").partition("\n[tool.lambda-layer]")[0]
    table = f"\n[tool.lambda-layer]\nruntimes = ['python3.13']\n{table}"
    made.pyproject.write_text(text + table, encoding="utf-8")
    done = CliRunner().invoke(main, ["build", str(made.directory)], catch_exceptions=False)
    path = made.directory / "dist" / "layer.json"
    assert (done.exit_code == 0) is path.is_file(), done.stderr
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}, done.stderr


def names(manifest: dict[str, Any]) -> set[str]:
    return {package["name"] for package in manifest["packages"]}


def fetched(index: IndexServer) -> set[str]:
    """Give the names of the distributions whose files were asked for as a whole."""
    paths = [each.path for each in index.requests if each.headers["Range"] is None]
    files = [path.rpartition("/")[2] for path in paths if path.startswith("/files/")]
    return {each.partition("-")[0] for each in files if not each.endswith(".metadata")}


def unread(manifest: dict[str, Any]) -> list[str]:
    return [each["place"] for each in manifest["findings"] if each["code"] == "HLL036"]


@pytest.mark.fault(260)
@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("policy", ["local", "never"])
def test_an_excluded_source_is_neither_fetched_nor_built_nor_is_what_only_it_needs(
    tool: str, policy: str, made: ToolProject, index: IndexServer
) -> None:
    index.add_file(*sdist("psy", "1.0", FILES))
    lock(tool, made)
    index.requests.clear()
    manifest, said = build(made, f"build = '{policy}'\nexclude = ['psy']\n")
    # Of a source that is not built, a lockfile without requirements knows nothing.
    expected = {"alpha", "shared"} | (set() if tool in WITH_GRAPH else {"helper"})
    assert names(manifest) == fetched(index) == expected
    assert unread(manifest) == ([] if tool in WITH_GRAPH else ["psy"])
    assert "Building" not in said
    index.requests.clear()
    build(made, f"build = '{policy}'\nexclude = ['psy']\n")
    assert index.requests == []


@pytest.mark.fault(261)
@pytest.mark.parametrize("tool", TOOLS)
def test_an_excluded_wheel_is_not_fetched_nor_is_what_only_it_needs(
    tool: str, made: ToolProject, index: IndexServer
) -> None:
    index.add(PSY)
    lock(tool, made)
    index.requests.clear()
    manifest, _ = build(made, "exclude = ['psy']\n")
    assert names(manifest) == fetched(index) == {"alpha", "shared"}
    assert unread(manifest) == []
    (message,) = [each["message"] for each in manifest["findings"] if each["code"] == "HLL033"]
    assert message == "`helper` is left out, too: only `psy` needed it"
    asked = [each.path for each in index.requests if each.path.endswith(".metadata")]
    # Whatever the index tells of them is asked for once, and only where the lock does not tell it.
    wanted = [] if tool in WITH_GRAPH else ["helper", "psy", "shared"]
    assert sorted(path.rpartition("/")[2].partition("-")[0] for path in asked) == wanted
    index.requests.clear()
    (made.directory / "dist" / "layer.zip").unlink()
    build(made, "exclude = ['psy']\n")
    assert index.requests == []


@pytest.mark.fault(262)
@pytest.mark.parametrize("tool", TOOLS)
def test_an_excluded_file_that_the_index_has_deleted_is_not_missed(
    tool: str, made: ToolProject, index: IndexServer
) -> None:
    index.add(PSY)
    lock(tool, made)
    del index.files[PSY.filename]
    manifest, _ = build(made, "exclude = ['psy']\n")
    assert names(manifest) - {"helper"} == {"alpha", "shared"}
    # Where only the file could tell, what it needs stays, and a note says so.
    assert ("helper" in names(manifest)) is bool(unread(manifest)) is (tool not in WITH_GRAPH)


@pytest.mark.fault(260)
@pytest.mark.parametrize("tool", ["pip"])
@pytest.mark.parametrize("policy", ["local", "never"])
def test_an_excluded_source_is_not_built_to_resolve_requirements_without_hashes(
    tool: str, policy: str, made: ToolProject, index: IndexServer
) -> None:
    index.add_file(*sdist("psy", "1.0", FILES))
    (made.directory / "requirements.txt").write_text("alpha\npsy\n", encoding="utf-8")
    _, said = build(made, f"tool = '{tool}'\nbuild = '{policy}'\n")
    assert ("pg_config is missing" in said) is (policy == "local")
    assert ('exclude = ["psy"]' in said) is (policy == "local")
    index.requests.clear()
    manifest, said = build(made, f"tool = '{tool}'\nbuild = '{policy}'\nexclude = ['psy']\n")
    # What it requires is not known, so nothing that only it needs is locked.
    assert names(manifest) == fetched(index) == {"alpha", "shared"}
    assert "Building" not in said


@pytest.mark.fault(260)
@pytest.mark.parametrize("tool", ["uv", "pylock"])
def test_an_excluded_package_need_not_have_a_wheel_for_the_target(
    tool: str, made: ToolProject, index: IndexServer
) -> None:
    index.add(WheelSpec(name="psy", tag="cp313-cp313-win_amd64", requires_dist=["helper"]))
    lock(tool, made)
    assert "psy 1.0 has wheels for win_amd64" in build(made, "")[1]
    manifest, _ = build(made, "exclude = ['psy']\n")
    assert names(manifest) - {"helper"} == {"alpha", "shared"}
    assert ("helper" in names(manifest)) is (tool not in WITH_GRAPH)


@pytest.mark.fault(264)
@pytest.mark.parametrize(
    ("tool", "command"),
    [
        ("uv", "uv lock -P psy"),
        ("poetry", "poetry update --lock psy"),
        ("pdm", "pdm update --no-sync psy"),
        ("pip", "-o requirements.txt -P psy"),
        ("pylock", "-o pylock.toml -P psy"),
    ],
)
def test_a_source_that_fails_to_build_can_be_left_out_or_locked_otherwise_with_what_is_said(
    tool: str, command: str, made: ToolProject, index: IndexServer
) -> None:
    index.add_file(*sdist("psy", "1.0", FILES))
    lock(tool, made)
    _, said = build(made, "")
    assert "pg_config is missing" in said
    assert f"{command}`" in said
    assert '`exclude = ["psy"]`' in said
    # A version that has a wheel.
    index.add(replace(PSY, version="1.1"))
    if tool in WITH_GRAPH:
        made.run(*command.split()[1:])
        assert names(build(made, "")[0]) == {"alpha", "helper", "psy", "shared"}


@pytest.mark.fault(263)
@pytest.mark.parametrize("tool", ["uv", "poetry", "pdm"])
def test_what_the_rest_needs_is_refused_before_anything_is_fetched(
    tool: str, made: ToolProject, index: IndexServer
) -> None:
    index.add(PSY)
    lock(tool, made)
    index.requests.clear()
    manifest, said = build(made, "exclude = ['shared']\n")
    assert manifest == {}
    assert "`shared` can't be left out: `alpha` and `psy` need it" in said
    assert fetched(index) == set()
