"""Each tool's lockfile on a machine that has neither pip nor poetry nor pdm: the same layers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.integration import test_every_tool
from tests.integration.test_every_tool import TABLE, TOOLS, build, lock, project
from tests.support.tools import hide

if TYPE_CHECKING:
    import pytest

    from tests.support.index_server import IndexServer

# The fixtures of that module: an index with the set, the real tools, and who has them.
index, programs, person = (
    test_every_tool.index,
    test_every_tool.programs,
    test_every_tool.person,
)
GONE = ("pip", "poetry", "pdm")
# With nothing from `site`: what is not in the folders named here is not installed. What is run is
# written down, and so is what is found of the tools.
PROGRAM = """\
import importlib.util, json, os, shutil, sys

farm, checkout, told, folder, gone = sys.argv[1:6]
sys.path[:0] = [checkout, farm]
run = []
WATCHED = ("subprocess.Popen", "os.posix_spawn", "os.exec", "os.system", "os.spawn", "os.fork")
sys.addaudithook(lambda event, args: run.append([event, str(args[:2])]) if event in WATCHED else 0)
from hatch_lambda_layer.cli.main import main

names = gone.split()
found = [name for name in names if shutil.which(name) or importlib.util.find_spec(name)]
try:
    main(["build", folder, "-o", f"{folder}/again"], standalone_mode=False)
finally:
    with open(told, "w") as file:
        json.dump({"run": run, "found": found}, file)
"""


def build_without(made: Path, farm: Path, tmp_path: Path) -> tuple[dict[str, str], list[str]]:
    """Build with an empty cache and without the tools; give the digests, and what was run."""
    programs = tmp_path / "programs"
    if not programs.is_dir():
        programs.mkdir()
        git = shutil.which("git")
        assert git is not None
        (programs / "git").symlink_to(git)
    told = tmp_path / "told.json"
    checkout = Path(__file__).resolve().parents[2]
    arguments = [farm, checkout, told, made, " ".join(GONE)]
    done = subprocess.run(
        [sys.executable, "-S", "-c", PROGRAM, *map(str, arguments)],
        env={
            **os.environ,
            "PATH": str(programs),
            "HATCH_LAMBDA_LAYER_CACHE_DIR": str(tmp_path / "cache" / made.name),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    facts = json.loads(told.read_text("utf-8"))
    assert facts["found"] == []
    return digests(made / "again"), [each[1] for each in facts["run"]]


def digests(folder: Path) -> dict[str, str]:
    found = [json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")]
    return {each["member"]: each["content_digest"] for each in found}


def test_every_lockfile_builds_to_the_same_layers_without_its_tool(
    person: dict[str, str],
    index: IndexServer,
    programs: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = {tool: project(tool, tmp_path / tool, index, programs, person) for tool in TOOLS}
    expected = {}
    for tool in TOOLS:
        lock(tool, made[tool])
        built = build(made[tool], TABLE)
        expected[tool] = {member: each["content_digest"] for member, each in built.items()}
    farm = hide(monkeypatch, tmp_path, *GONE)
    for tool in TOOLS:
        found, run = build_without(made[tool].directory, farm, tmp_path)
        assert found == expected[tool], tool
        # A new lock of all others is read without any process.
        assert [each for each in run if "uv" not in each or "export" not in each] == [], tool
        assert bool(run) is (tool == "uv"), tool
