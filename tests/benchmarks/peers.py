"""What people use today with each tool: from its lockfile to a zip."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from . import recipes
from .locks import PLUGIN_LAYER
from .measure import Contender

if TYPE_CHECKING:
    from .locks import Locks
    from .programs import Programs
    from .recipes import Caches

PEERS = {
    "uv": "`uv export`, `uv pip install --target` and {zip}",
    "poetry": "poetry-plugin-lambda-build (plugin), which keeps no downloads; and `poetry export`, "
    "`pip install --target` and {zip} (recipe)",
    "pip": "`pip install --target` and {zip}",
    "pdm": "`pdm export`, `pip install --target` and {zip}",
    "pylock": "`uv pip install --target` and {zip}",
}


class Peers:
    """Makes the peers of a tool, each in a project of its own."""

    def __init__(self, locks: Locks, programs: Programs) -> None:
        self._locks = locks
        self._programs = programs

    def of(self, tool: str, caches: Caches, *, cold: bool = False) -> list[Contender]:
        """Give the peers of a tool; `cold` empties their caches."""
        plugin = [self._plugin(caches, cold=cold)] if tool == "poetry" else []
        return [*plugin, self._recipe(tool, caches, cold=cold)]

    def _plugin(self, caches: Caches, *, cold: bool) -> Contender:
        project = self._locks.make("poetry", "plugin")
        layer = project / PLUGIN_LAYER

        def reset() -> None:
            layer.unlink(missing_ok=True)
            if cold:
                caches.clear()

        poetry = self._programs.plugin
        # It runs the first `pip` there is.
        path = f"{poetry.parent}{os.pathsep}{caches.env['PATH']}"
        return Contender(
            name="plugin",
            commands=[[str(poetry), "build-lambda"]],
            cwd=project,
            env=caches.env | {"PATH": path},
            reset=reset,
            layer=layer,
        )

    def _recipe(self, tool: str, caches: Caches, *, cold: bool) -> Contender:
        project = self._locks.make(tool, "recipe")
        if tool == "uv":
            return recipes.recipe(project, caches, cold=cold)
        commands = [recipes.uv_install("pylock.toml")]
        if tool != "pylock":
            commands = [*self._export(tool), self._pip_install()]
        made = ["requirements.txt"] if tool in ("poetry", "pdm") else []
        return recipes.installed("recipe", project, caches, commands, made=made, cold=cold)

    def _export(self, tool: str) -> list[list[str]]:
        poetry, pdm = str(self._programs.poetry), str(self._programs.pdm)
        commands = {
            "poetry": [poetry, "export", "--no-interaction", "-f", "requirements.txt"],
            "pdm": [pdm, "export", "--prod", "-f", "requirements"],
        }
        return [[*commands[tool], "-o", "requirements.txt"]] if tool in commands else []

    def _pip_install(self) -> list[str]:
        # Compiled files, which pip makes unless told, would only add to its time and its zip.
        options = ["--quiet", "--no-compile", "--target", "python"]
        return [str(self._programs.pip), "install", *options, "-r", "requirements.txt"]
