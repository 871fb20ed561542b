"""The projects of one set of packages, locked to the same versions by every tool."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from uv import find_uv_bin

from hatch_lambda_layer.lockfiles.default_index import default_index

from .measure import BenchmarkError
from .sets import LAYER, SETS, write_project

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .programs import Programs

LOCKFILES = {
    "uv": "uv.lock",
    "poetry": "poetry.lock",
    "pip": "requirements.txt",
    "pdm": "pdm.lock",
    "pylock": "pylock.toml",
}
# Where the plugin of poetry writes: outside the project, where it would count as a change of it.
PLUGIN_LAYER = "../plugin-built/layer.zip"

# One version of a package for all Pythons, because pdm locks no more than that.
_UV = """
[tool.uv]
fork-strategy = "fewest"
"""
# The source is named because the index that is asked by default may have no more than its pages.
_POETRY = f"""
[tool.poetry]
package-mode = false

[[tool.poetry.source]]
name = "index"
url = "{{index}}/"
priority = "primary"

[tool.poetry-plugin-lambda-build]
layer-artifact-path = "{PLUGIN_LAYER}"
layer-install-dir = "python"
function-artifact-path = "../plugin-built/function.zip"
# By default nothing is compressed, and MEDIUM is larger than Lambda takes.
zip-compression = "ZIP_DEFLATED"
"""
_PDM = """
[tool.pdm]
distribution = false
"""


class Locks:
    """Locks the set `name` in projects below `folder`: first with uv, then what uv has pinned."""

    def __init__(self, folder: Path, name: str, programs: Programs, env: Mapping[str, str]) -> None:
        self._folder = folder
        self._env = env
        self._name = name.lower()
        self._programs = programs
        self._source = folder / "source"
        write_project(self._source, self._name, SETS[name], _UV)
        self._run([find_uv_bin(), "lock", "--quiet", "--python", sys.executable], self._source)
        pins = self._export("requirements.txt", "--no-hashes", "--no-annotate")
        self._pins = [line.replace('"', "'") for line in pins.splitlines()]

    def make(self, tool: str, contender: str) -> Path:
        """Make a project that `tool` has locked, for one contender."""
        locked = self._folder / tool / "locked"
        if not locked.exists():
            self._lock(tool, locked)
        folder = locked.with_name(contender)
        folder.mkdir(exist_ok=True)
        for name in ("pyproject.toml", LOCKFILES[tool]):
            shutil.copyfile(locked / name, folder / name)
        return folder

    def _lock(self, tool: str, folder: Path) -> None:
        chosen = f'{LAYER}tool = "{tool}"\n'
        if tool == "poetry":
            index = _POETRY.format(index=default_index(self._folder))
            write_project(folder, self._name, self._pins, chosen + index)
            self._run([str(self._programs.poetry), "lock", "--no-interaction"], folder)
        elif tool == "pdm":
            write_project(folder, self._name, self._pins, chosen + _PDM)
            self._run([str(self._programs.pdm), "lock", "--quiet"], folder)
        elif tool == "uv":
            write_project(folder, self._name, SETS[self._name.upper()], chosen + _UV)
            shutil.copyfile(self._source / "uv.lock", folder / "uv.lock")
        else:
            write_project(folder, self._name, (), chosen)
            text = self._export(LOCKFILES[tool])
            (folder / LOCKFILES[tool]).write_text(text, encoding="utf-8")

    def _export(self, filename: str, *options: str) -> str:
        argv = [find_uv_bin(), "export", "--quiet", "--python", sys.executable, "--frozen"]
        argv += ["--no-dev", "--no-emit-project", "--no-header", "--format", filename, *options]
        return self._run(argv, self._source)

    def _run(self, argv: list[str], folder: Path) -> str:
        done = subprocess.run(
            argv, cwd=folder, env=self._env, capture_output=True, text=True, check=False
        )
        if done.returncode:
            said = f"{done.stdout}{done.stderr}"
            raise BenchmarkError(f"`{' '.join(argv)}` failed in {folder}:\n{said}")
        return done.stdout
