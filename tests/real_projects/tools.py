"""How a person who uses a tool locks a project with it, to the versions that uv has chosen."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

from uv import find_uv_bin

from tests.benchmarks.measure import clean_environment
from tests.support.tools import tool_path

from .projects import OLDEST

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .projects import Needs

TOOLS = ("uv", "poetry", "pdm", "pip")
# Not python3.11: its glibc (2.26) is older than what most wheels with native code ask for.
TARGETS = ("python3.13-x86_64", "python3.12-arm64")
_LAYER = """\
runtimes = ["python3.13", "python3.12"]
architectures = ["x86_64", "arm64"]
"""
_LIMIT = 900


class CommandError(Exception):
    """A command failed; the message is what it said."""


class Sandbox:
    """Where the tools run: with the indexes of the person, and folders of their own."""

    def __init__(self, folder: Path, newest: str) -> None:
        self.folder = folder
        self.newest = newest
        self._environment = clean_environment(
            HATCH_LAMBDA_LAYER_CACHE_DIR=str(folder / "cache"),
            POETRY_CACHE_DIR=str(folder / "poetry"),
            POETRY_VIRTUALENVS_CREATE="false",
            POETRY_KEYRING_ENABLED="false",
            PDM_CACHE_DIR=str(folder / "pdm"),
            PDM_CHECK_UPDATE="0",
            PDM_PYTHON=sys.executable,
            UV_PYTHON=sys.executable,
        )
        programs = [str(tool_path(name).parent) for name in ("poetry", "pdm")]
        self._environment["PATH"] = os.pathsep.join([*programs, os.environ["PATH"]])

    def lock(self, tool: str, needs: Needs, pins: Sequence[str]) -> Path:
        """Write and lock the project for a tool; raise `CommandError` where the tool can't."""
        folder = self.folder / needs.choice.name / tool
        folder.mkdir(parents=True)
        # All groups are locked to versions that go together, and this one is not asked for.
        groups = {"pins": pins} if tool in ("poetry", "pdm") else {}
        text = needs.pyproject(tool, groups, _LAYER)
        (folder / "pyproject.toml").write_text(text, encoding="utf-8")
        match tool:
            case "uv":
                self._run([find_uv_bin(), "lock", "--exclude-newer", self.newest], folder)
                # uv takes a lock without the option for one that has to be made again.
                table = f'\n[tool.uv]\nexclude-newer = "{self.newest}"\n'
                (folder / "pyproject.toml").write_text(text + table, encoding="utf-8")
            case "poetry":
                self._poetry(folder, text)
            case "pdm":
                self._pdm(folder, text)
            case _:
                self._compile(folder, needs, pins)
        return folder

    def pins(self, folder: Path) -> list[str]:
        """Give the versions in a `uv.lock`, with the markers for which each is needed."""
        bare = ["--no-hashes", "--no-emit-project", "--no-annotate", "--no-header"]
        everything = ["--all-groups", "--all-extras", "--format", "requirements.txt"]
        said = self._run([find_uv_bin(), "export", "--quiet", *everything, *bare], folder)
        return [line.strip() for line in said.splitlines() if line.strip()]

    def build(self, folder: Path) -> None:
        """Build the layers of the targets; raise `CommandError` with what was said."""
        program = "from hatch_lambda_layer.cli.main import main; main()"
        members = [word for target in TARGETS for word in ("--member", target)]
        self._run([sys.executable, "-c", program, "build", str(folder), *members], folder)

    def _poetry(self, folder: Path, text: str) -> None:
        argv = [str(tool_path("poetry")), "lock", "--no-interaction"]
        try:
            self._run(argv, folder)
        except CommandError as error:
            if not re.search(r"Package .* not found", str(error)):
                raise
            # poetry asks for JSON that not every mirror has; the pages that uv has read are there.
            uv_lock = (folder.parent / "uv" / "uv.lock").read_text(encoding="utf-8")
            (url,) = set(re.findall(r'registry = "([^"]+)"', uv_lock))
            source = f'name = "pages"\nurl = "{url}"\npriority = "primary"\n'
            table = f"\n[[tool.poetry.source]]\n{source}"
            (folder / "pyproject.toml").write_text(text + table, encoding="utf-8")
            self._run(argv, folder)

    def _pdm(self, folder: Path, text: str) -> None:
        argv = [str(tool_path("pdm")), "lock", "-G", ":all"]
        try:
            self._run(argv, folder)
        except CommandError as error:
            if "Unable to find a resolution" not in str(error):
                raise
            # pdm locks one version of a package for all Pythons: only those of the targets, then.
            narrow = text.replace(f">={OLDEST},", ">=3.12,", 1)
            (folder / "pyproject.toml").write_text(narrow, encoding="utf-8")
            self._run(argv, folder)

    def _compile(self, folder: Path, needs: Needs, pins: Sequence[str]) -> None:
        """Make the hashed requirements file that pip installs from."""
        (folder / "pins.txt").write_text("\n".join(pins) + "\n", encoding="utf-8")
        argv = [find_uv_bin(), "pip", "compile", "pyproject.toml", "--universal"]
        # Else the oldest Python that counts is the one that runs this.
        argv += ["--python-version", OLDEST]
        argv += ["--generate-hashes", "-c", "pins.txt", "-o", "requirements.txt"]
        argv += [word for name in needs.choice.extras for word in ("--extra", name)]
        argv += [word for name in needs.choice.groups for word in ("--group", name)]
        self._run(argv, folder)

    def _run(self, argv: Sequence[str], folder: Path) -> str:
        try:
            done = subprocess.run(
                argv,
                cwd=folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                encoding="utf-8",
                timeout=_LIMIT,
            )
        except subprocess.TimeoutExpired as expired:
            raise CommandError(f"took longer than {_LIMIT} s") from expired
        if done.returncode:
            raise CommandError(f"{done.stdout}\n{done.stderr}".strip())
        return done.stdout
