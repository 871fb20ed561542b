"""One set of dependencies, locked by each real tool to the same versions: always the same layer."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import uv
from click.testing import CliRunner

from hatch_lambda_layer.cli.main import main
from hatch_lambda_layer.targets.target import Architecture, runtimes
from tests.support import same_set
from tests.support.index_server import IndexServer
from tests.support.system_parts import require
from tests.support.tools import ToolProject, isolate, tool_path
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

TOOLS = ("uv", "poetry", "pdm", "pip", "pylock")
RUNTIMES = tuple(name for name, runtime in runtimes().items() if not runtime.preview)
ARCHITECTURES = tuple(each.value for each in Architecture)
# The set has wheels for 3.11 and 3.13 only.
MORE = [
    WheelSpec(name="native", version="2.0", tag=f"{python}-{python}-manylinux_2_17_{machine}")
    for python in ("cp310", "cp312", "cp314")
    for machine in ("x86_64", "aarch64")
]
TABLE = (
    f"\n[tool.lambda-layer]\nruntimes = {list(RUNTIMES)}\narchitectures = {list(ARCHITECTURES)}\n"
)
CHOICE = "groups = ['dev']\nextras = ['cli']\n"
NEEDED = "\n[tool.lambda-layer]\nruntimes = ['python3.13']\n"


@pytest.fixture(scope="module")
def index() -> Iterator[IndexServer]:
    with IndexServer() as server:
        same_set.serve(server)
        server.add(*MORE)
        yield server


@pytest.fixture(scope="module")
def programs() -> dict[str, Path]:
    """Give the real tools."""
    return {name: require(tool_path, name) for name in ("poetry", "pdm")}


@pytest.fixture
def person(
    programs: dict[str, Path], index: IndexServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """Give the environment of a person who has every tool, and reaches this index only."""
    isolate(monkeypatch, tmp_path / "user", *programs.values())
    monkeypatch.setenv("PIP_INDEX_URL", index.simple_url)
    return dict(os.environ)


def project(
    tool: str, folder: Path, index: IndexServer, programs: dict[str, Path], env: dict[str, str]
) -> ToolProject:
    """Write the set's project for a tool, not locked yet."""
    written_for = tool if tool in ("poetry", "pdm") else "uv"
    folder.mkdir(parents=True)
    text = same_set.pyproject(written_for, index.simple_url)
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    return ToolProject(folder, programs.get(tool, Path(uv.find_uv_bin())), env)


def lock(tool: str, made: ToolProject, *choice: str) -> None:
    """Lock the project as a person does who uses this tool."""
    match tool:
        case "poetry":
            made.lock()
        case "pdm":
            made.lock("-G", ":all")
        case "pip":
            hashed = ["--universal", "--generate-hashes", "--quiet", "-o", "requirements.txt"]
            # Else the oldest Python that counts is the one that runs the tests.
            hashed += ["--python-version", "3.10"]
            made.run("pip", "compile", "pyproject.toml", *hashed, *choice)
        case "pylock":
            made.lock()
            groups = ["--no-default-groups", *choice]
            made.run("export", "--format", "pylock.toml", "-q", "-o", "pylock.toml", *groups)
            made.lockfile.unlink()
        case _:
            made.lock()


def build(made: ToolProject, table: str) -> dict[str, dict[str, Any]]:
    """Build the layers with this table, and give their manifests by their members."""
    pyproject = made.pyproject.read_text(encoding="utf-8")
    made.pyproject.write_text(pyproject + table, encoding="utf-8")
    done = CliRunner().invoke(main, ["build", str(made.directory)], catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    found = [json.loads(path.read_text()) for path in (made.directory / "dist").glob("*.json")]
    return {each["member"]: each for each in found}


def names(manifest: dict[str, Any]) -> set[str]:
    return {package["name"] for package in manifest["packages"]}


def test_every_tool_gives_the_same_layer_for_every_target(
    person: dict[str, str], index: IndexServer, programs: dict[str, Path], tmp_path: Path
) -> None:
    built = {}
    for tool in TOOLS:
        made = project(tool, tmp_path / tool, index, programs, person)
        lock(tool, made)
        built[tool] = build(made, TABLE)
    members = [f"{runtime}-{each}" for runtime in RUNTIMES for each in ARCHITECTURES]
    for member in members:
        runtime, architecture = member.split("-")
        expected = same_set.expected(runtime.removeprefix("python"), architecture)
        assert {tool: names(each[member]) for tool, each in built.items()} == dict.fromkeys(
            TOOLS, expected
        )
        assert len({each[member]["content_digest"] for each in built.values()}) == 1, member
    # The layers differ where the target does, so that equal digests say something.
    assert len({manifest["content_digest"] for manifest in built["uv"].values()}) == len(members)


def test_groups_and_extras_mean_the_same_for_every_tool(
    person: dict[str, str], index: IndexServer, programs: dict[str, Path], tmp_path: Path
) -> None:
    expected = same_set.expected("3.13", "x86_64", groups=["dev"], extras=["cli"])
    digests = {}
    for tool in TOOLS:
        made = project(tool, tmp_path / tool, index, programs, person)
        lock(tool, made, "--extra", "cli", "--group", "dev")
        # What pip's files and an exported lock have was chosen when they were made.
        table = NEEDED + ("" if tool in ("pip", "pylock") else CHOICE)
        manifest = build(made, table)["python3.13-x86_64"]
        assert names(manifest) == expected, tool
        digests[tool] = manifest["content_digest"]
    assert len(set(digests.values())) == 1, digests


@pytest.mark.parametrize("tool", ["uv", "poetry", "pdm"])
@pytest.mark.parametrize(("key", "known"), [("groups", ["dev", "docs"]), ("extras", ["cli"])])
def test_an_unknown_group_or_extra_is_an_error_that_names_the_known_ones(
    key: str,
    known: list[str],
    tool: str,
    person: dict[str, str],
    index: IndexServer,
    programs: dict[str, Path],
    tmp_path: Path,
) -> None:
    made = project(tool, tmp_path / tool, index, programs, person)
    lock(tool, made)
    made.pyproject.write_text(
        made.pyproject.read_text(encoding="utf-8") + NEEDED + f"{key} = ['dve']\n", encoding="utf-8"
    )
    done = CliRunner().invoke(main, ["build", str(made.directory)], catch_exceptions=False)
    assert done.exit_code == 1
    listed = ", ".join(f"`{name}`" for name in known)
    assert f"has no {key.removesuffix('s')} `dve`; it has: {listed}\n" in done.stderr
    assert "Traceback" not in done.stderr
