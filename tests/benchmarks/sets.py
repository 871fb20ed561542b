"""The projects that are built: three sets of real packages, an empty project, and local wheels."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from uv import find_uv_bin

from tests.support.wheel_factory import WheelSpec

from .measure import BenchmarkError, clean_environment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SETS = {
    "SMALL": ("requests", "pydantic", "aws-lambda-powertools"),
    "MEDIUM": (
        "fastapi",
        "mangum",
        "sqlalchemy",
        "psycopg2-binary",
        "httpx",
        "orjson",
        "cryptography",
        "pydantic-settings",
        "jinja2",
    ),
    "LARGE": ("pandas", "numpy", "scipy", "requests"),
}
# The runtime that `tool.lambda-layer` names, as the uv recipe has to spell it.
PYTHON = "3.12"
PLATFORM = "x86_64-manylinux_2_34"

# One local wheel: as many files as a usual package has, of which about half compresses away.
_FILES = 60
_FILE_BYTES = 8_000

_PYPROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "{name}"
version = "1.0"
# As wide as this tool's own, so that whatever runs the benchmark can lock and export; poetry wants
# no more than the packages, which have a limit.
requires-python = ">=3.11,<4"
dependencies = [{dependencies}]

[tool.hatch.build.targets.wheel]
bypass-selection = true
"""
LAYER = """
[tool.lambda-layer]
runtimes = ["python3.12"]
architectures = ["x86_64"]
"""


def make_set(folder: Path, name: str) -> tuple[Path, Path]:
    """Make two equal projects with the packages of a set, locked by uv: for this tool, for uv."""
    ours, theirs = folder / "tool", folder / "recipe"
    write_project(ours, name.lower(), SETS[name], LAYER)
    argv = [find_uv_bin(), "lock", "--quiet", "--no-progress", "--python", sys.executable]
    locking = subprocess.run(
        argv, cwd=ours, env=clean_environment(), capture_output=True, text=True, check=False
    )
    if locking.returncode:
        raise BenchmarkError(f"{name} can't be locked:\n{locking.stderr}")
    write_project(theirs, name.lower(), SETS[name], LAYER)
    shutil.copyfile(ours / "uv.lock", theirs / "uv.lock")
    return ours, theirs


def write_project(folder: Path, name: str, dependencies: Sequence[str], more: str) -> None:
    """Write a `pyproject.toml` that hatchling builds, with the tables `more`."""
    folder.mkdir(parents=True, exist_ok=True)
    quoted = ", ".join(f'"{each}"' for each in dependencies)
    text = _PYPROJECT.format(name=name, dependencies=quoted) + more
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")


def make_empty(folder: Path) -> Path:
    """Make a project that has nothing in it: building it is the floor under every Hatch plugin."""
    write_project(folder, "empty", (), "")
    return folder


def make_local(folder: Path, count: int) -> Path:
    """Make a project whose `pylock.toml` names `count` wheels that lie beside it."""
    write_project(folder, f"local-{count}", (), LAYER)
    wheels = folder / "wheels"
    wheels.mkdir(exist_ok=True)
    lines = ['lock-version = "1.0"', 'created-by = "tests.benchmarks"']
    for number in range(count):
        spec = local_wheel(number)
        path = spec.write(wheels)
        lines += [
            "",
            "[[packages]]",
            f'name = "{spec.name}"',
            f'version = "{spec.version}"',
            "[[packages.wheels]]",
            f'path = "wheels/{path.name}"',
            f"size = {path.stat().st_size}",
            f'hashes.sha256 = "{spec.sha256}"',
        ]
    text = "\n".join(lines) + "\n"
    (folder / "pylock.toml").write_text(text, encoding="utf-8")
    return folder


def local_wheel(number: int) -> WheelSpec:
    """Give one of the local wheels, the same in every run."""
    name = f"local{number:03}"
    chance = random.Random(number)  # noqa: S311  # the same bytes in every run
    files = {
        f"{name}/module_{index:02}.py": f'DATA = "{chance.randbytes(_FILE_BYTES).hex()}"\n'.encode()
        for index in range(_FILES)
    }
    return WheelSpec(name=name, files=files)
