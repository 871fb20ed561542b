"""Projects that other processes build, as a person would."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# The table `[project]` can go on after it.
HEAD = """\
[build-system]
requires = ["hatchling", "hatch-lambda-layer"]
build-backend = "hatchling.build"
[project]
name = "app"
version = "1"
"""


class HatchlingProject:
    """A project named `app`, with a package and without a lockfile, whose builder is hatchling."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "app").mkdir(parents=True)
        (root / "app" / "__init__.py").write_text("VERSION = 1\n")

    @property
    def pyproject(self) -> Path:
        return self.root / "pyproject.toml"

    @property
    def lockfile(self) -> Path:
        return self.root / "pylock.toml"

    def write(self, *tables: str) -> None:
        """Write the `pyproject.toml`."""
        self.pyproject.write_text(HEAD + "".join(tables), encoding="utf-8")

    def run(self, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.root,
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            check=False,
        )

    def hatchling(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "hatchling", "build", *arguments, **env)

    def files(self, folder: str = "dist") -> list[str]:
        path = self.root / folder
        return sorted(each.name for each in path.iterdir()) if path.is_dir() else []


def layer_files(*ids: str) -> list[str]:
    """Return the names of the files that these members of a matrix have, as `files` gives them."""
    return sorted(f"layer-{each}.{kind}" for each in ids for kind in ("zip", "json"))
