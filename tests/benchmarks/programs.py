"""The programs that the tools' contenders run, each in an environment of its own."""

from __future__ import annotations

import os
import sys
from functools import cached_property
from typing import TYPE_CHECKING

from uv import find_uv_bin

from tests.support.system_parts import cached, fetch
from tests.support.tools import tool_path

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# The plugin runs the `pip` of the search path: one of its own, so that it is of a known version.
_SAM = ("aws-sam-cli==1.170.0",)
_PEERS = ("poetry==2.5.1", "poetry-plugin-lambda-build==2.1.2", "pip==26.3")


class Programs:
    """poetry, pdm, pip and sam, and the poetry that has the plugin which builds layers.

    What is not on this machine is fetched into the tests' cache the first time; raises
    `MissingPart` where it can't be.
    """

    @cached_property
    def poetry(self) -> Path:
        """poetry, with the plugin that exports."""
        return tool_path("poetry")

    @cached_property
    def pdm(self) -> Path:
        """pdm."""
        return tool_path("pdm")

    @cached_property
    def plugin(self) -> Path:
        """poetry, with the plugin poetry-plugin-lambda-build."""
        return self._peers / "poetry"

    @cached_property
    def pip(self) -> Path:
        """The pip of every peer."""
        return self._peers / "pip"

    @cached_property
    def search_path(self) -> str:
        """A search path that begins with poetry, pdm and pip."""
        folders = [str(program.parent) for program in (self.poetry, self.pdm, self.pip)]
        return os.pathsep.join([*folders, os.environ["PATH"]])

    @cached_property
    def sam(self) -> Path:
        """AWS's own command line for serverless applications."""
        folder = cached(f"{_SAM[0]}-program", lambda folder: _install(folder, _SAM))
        return folder / "bin" / "sam"

    @cached_property
    def _peers(self) -> Path:
        name = _PEERS[1].replace("==", "-")
        return cached(name, lambda folder: _install(folder, _PEERS)) / "bin"


def _install(folder: Path, requirements: Sequence[str]) -> None:
    # Relocatable, because the cache gives the folder its name when it is complete.
    make = [find_uv_bin(), "venv", "--quiet", "--relocatable", "--allow-existing"]
    fetch([*make, "--python", sys.executable, str(folder)])
    install = [find_uv_bin(), "pip", "install", "--quiet"]
    fetch([*install, "--python", str(folder / "bin" / "python"), *requirements])
