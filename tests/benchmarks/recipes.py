"""The contenders: this tool, the uv recipe that people use today, and hatchling with no work."""

from __future__ import annotations

import os
import shutil
import sys
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from uv import find_uv_bin

from .measure import BenchmarkError, Contender, clean_environment
from .sets import PLATFORM, PYTHON

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ZIP_PROGRAM = "zip" if shutil.which("zip") else "python -m zipfile (there is no `zip` program)"
_QUIET_UV = ("--quiet", "--no-progress", "--python", sys.executable)
# What an installer adds, and a layer that is copied from its wheels does not have.
_INSTALLED = ("INSTALLER", "REQUESTED", "uv_cache.json", "uv_build.json", "/.lock")
# What the plugin of poetry adds.
_CHECKSUM = "python/checksum"


@dataclass(frozen=True, slots=True)
class Caches:
    """The folders in which this tool and others keep what they have fetched.

    `search_path` is that of the runs, where it is not this process's; `index` is the URL of the
    index that pip's settings name, if they name one.
    """

    root: Path
    search_path: str | None = None
    index: str | None = None

    @property
    def env(self) -> dict[str, str]:
        """The environment of a run that uses these caches and no others."""
        # The person's own settings may name more indexes.
        own = {"PIP_INDEX_URL": self.index, "PIP_CONFIG_FILE": os.devnull} if self.index else {}
        return clean_environment(
            **own,
            HATCH_LAMBDA_LAYER_CACHE_DIR=str(self.root / "tool"),
            UV_CACHE_DIR=str(self.root / "uv"),
            PIP_CACHE_DIR=str(self.root / "pip"),
            PDM_CACHE_DIR=str(self.root / "pdm"),
            PDM_CHECK_UPDATE="0",
            POETRY_CACHE_DIR=str(self.root / "poetry"),
            # Environments for the project, which no layer needs.
            POETRY_VIRTUALENVS_CREATE="false",
            PATH=self.search_path or os.environ["PATH"],
        )

    def forget_locks(self) -> None:
        """Forget what this tool knows of lockfiles; the wheels stay."""
        for kind in ("lockfiles", "selections"):
            for folder in self.root.glob(f"tool/*/{kind}"):
                shutil.rmtree(folder)

    def clear(self) -> None:
        """Make the caches empty."""
        shutil.rmtree(self.root, ignore_errors=True)


def tool(
    project: Path,
    caches: Caches,
    *,
    keep: bool = False,
    cold: bool = False,
    new: bool = False,
    name: str = "tool",
) -> Contender:
    """Build with this tool.

    `keep` keeps the layer of the run before; `cold` empties the caches, `new` only of what is
    known of lockfiles.
    """

    def reset() -> None:
        if not keep:
            shutil.rmtree(project / "dist", ignore_errors=True)
        if new:
            caches.forget_locks()
        if cold:
            caches.clear()

    command = [sys.executable, "-m", "hatchling", "build", "-t", "lambda-layer"]
    layer = project / "dist" / "layer.zip"
    return Contender(
        name=name, commands=[command], cwd=project, env=caches.env, reset=reset, layer=layer
    )


def recipe(project: Path, caches: Caches, *, cold: bool = False) -> Contender:
    """Export, install and zip, with uv and the `zip` program."""
    # uv is told its interpreter, as this tool tells it: the search for one is not the subject.
    export = [find_uv_bin(), "export", *_QUIET_UV, "--frozen", "--no-dev", "--no-emit-project"]
    export += ["--format", "requirements.txt", "-o", "requirements.txt"]
    commands = [export, uv_install("requirements.txt")]
    return installed("recipe", project, caches, commands, made=["requirements.txt"], cold=cold)


def installed(
    name: str,
    project: Path,
    caches: Caches,
    commands: Sequence[Sequence[str]],
    *,
    made: Sequence[str] = (),
    cold: bool = False,
) -> Contender:
    """Install into the folder `python` with `commands`, which make the files `made`, and zip."""

    def reset() -> None:
        shutil.rmtree(project / "python", ignore_errors=True)
        for each in (*made, "layer.zip"):
            (project / each).unlink(missing_ok=True)
        if cold:
            caches.clear()

    pack = ["zip", "-r", "-q"] if ZIP_PROGRAM == "zip" else [sys.executable, "-m", "zipfile", "-c"]
    return Contender(
        name=name,
        commands=[*commands, [*pack, "layer.zip", "python"]],
        cwd=project,
        env=caches.env,
        reset=reset,
        layer=project / "layer.zip",
    )


def floor(project: Path) -> Contender:
    """Build the wheel of an empty project: what `python -m hatchling build` costs by itself."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
    env = clean_environment()
    return Contender(name="floor", commands=[command], cwd=project, env=env, reset=lambda: None)


def layer_of(contender: Contender) -> Path:
    """Give the zip that the contender makes."""
    if contender.layer is None:
        raise BenchmarkError(f"{contender.name} makes no layer")
    return contender.layer


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
            if not name.endswith(("/", *_INSTALLED))
            and not name.startswith("python/bin/")
            and name != _CHECKSUM
        }


def uv_install(requirements: str) -> list[str]:
    """Give uv's command that installs what a file locks into the folder `python`."""
    target = ["--target", "python", "--python-platform", PLATFORM, "--python-version", PYTHON]
    return [find_uv_bin(), "pip", "install", *_QUIET_UV, "--no-deps", *target, "-r", requirements]
