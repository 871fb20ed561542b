"""The contenders: this tool, the uv recipe that people use today, and hatchling with no work."""

from __future__ import annotations

import shutil
import sys
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from uv import find_uv_bin

from .measure import Contender, clean_environment
from .sets import PLATFORM, PYTHON

if TYPE_CHECKING:
    from pathlib import Path

ZIP_PROGRAM = "zip" if shutil.which("zip") else "python -m zipfile (there is no `zip` program)"
# What an installer adds, and a layer that is copied from its wheels does not have.
_INSTALLED = ("INSTALLER", "REQUESTED", "uv_cache.json", "uv_build.json", "/.lock")


@dataclass(frozen=True, slots=True)
class Caches:
    """The folders in which this tool and uv keep what they have fetched."""

    root: Path

    @property
    def env(self) -> dict[str, str]:
        """The environment of a run that uses these caches and no others."""
        return clean_environment(
            HATCH_LAMBDA_LAYER_CACHE_DIR=str(self.root / "tool"), UV_CACHE_DIR=str(self.root / "uv")
        )

    def clear(self) -> None:
        """Make the caches empty."""
        shutil.rmtree(self.root, ignore_errors=True)


def tool(project: Path, caches: Caches, *, keep: bool = False, cold: bool = False) -> Contender:
    """Build with this tool; `keep` keeps the layer of the run before, `cold` empties the caches."""

    def reset() -> None:
        if not keep:
            shutil.rmtree(project / "dist", ignore_errors=True)
        if cold:
            caches.clear()

    command = [sys.executable, "-m", "hatchling", "build", "-t", "lambda-layer"]
    return Contender(name="tool", commands=[command], cwd=project, env=caches.env, reset=reset)


def recipe(project: Path, caches: Caches, *, cold: bool = False) -> Contender:
    """Export, install and zip, with uv and the `zip` program."""

    def reset() -> None:
        shutil.rmtree(project / "python", ignore_errors=True)
        for name in ("requirements.txt", "layer.zip"):
            (project / name).unlink(missing_ok=True)
        if cold:
            caches.clear()

    # uv is told its interpreter, as this tool tells it: the search for one is not the subject.
    uv, quiet = find_uv_bin(), ["--quiet", "--no-progress", "--python", sys.executable]
    export = ["--frozen", "--no-dev", "--no-emit-project", "--format", "requirements.txt"]
    install = ["--no-deps", "--target", "python", "--python-platform", PLATFORM]
    pack = ["zip", "-r", "-q"] if ZIP_PROGRAM == "zip" else [sys.executable, "-m", "zipfile", "-c"]
    install += ["--python-version", PYTHON, "-r", "requirements.txt"]
    commands = [
        [uv, "export", *quiet, *export, "-o", "requirements.txt"],
        [uv, "pip", "install", *quiet, *install],
        [*pack, "layer.zip", "python"],
    ]
    return Contender(name="recipe", commands=commands, cwd=project, env=caches.env, reset=reset)


def floor(project: Path) -> Contender:
    """Build the wheel of an empty project: what `python -m hatchling build` costs by itself."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
    env = clean_environment()
    return Contender(name="floor", commands=[command], cwd=project, env=env, reset=lambda: None)


def layer_of(contender: Contender) -> Path:
    """Give the zip that the tool or the recipe makes."""
    folder = contender.cwd / "dist" if contender.name == "tool" else contender.cwd
    return folder / "layer.zip"


def differences(ours: Path, theirs: Path) -> list[str]:
    """Give the files that only one of two layers has, apart from those that only installers make.

    Scripts are among those: an installer makes them from entry points.
    """
    return sorted(_packaged(ours) ^ _packaged(theirs))


def _packaged(layer: Path) -> set[str]:
    with zipfile.ZipFile(layer) as archive:
        return {
            name
            for name in archive.namelist()
            if not name.endswith(("/", *_INSTALLED)) and not name.startswith("python/bin/")
        }
