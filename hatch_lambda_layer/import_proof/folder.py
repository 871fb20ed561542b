"""Importing on this machine as it is: from a plain folder, with nothing to protect the machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from .._internal.process import run
from ..exceptions import ToolError
from ..wheel_builders.sandbox import sandboxed
from .places import command, parsed, variables

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ..targets.target import Target
    from .contents import Contents
    from .interpreter import Interpreter

# Of the variables of a function, those that name folders which are not here.
_NOTE = "the network, the files and the libraries of this machine were within reach"
_OF_LAMBDA = ("LD_LIBRARY_PATH", "LANG", "PATH")


class PlainFolder:
    """A process of this machine for each request, with the layer on its path.

    It has no secrets in its variables, and an empty home; the machine's own libraries are there. If
    it is to be `guarded`, it is in the sandbox of build backends, without a network, where that
    works; else the network and all files of the user are within reach.
    """

    name = "folder"
    user: tuple[int, int] | None = None
    has_client = has_sdk = False
    after: tuple[str, ...] = ()

    def __init__(
        self,
        folder: Path,
        contents: Contents,
        interpreter: Interpreter,
        target: Target,
        home: Path,
        *,
        guarded: bool,
    ) -> None:
        self._python = str(interpreter.executable)
        self._home = home
        self._readable = [folder, *interpreter.folders, interpreter.executable.parents[1]]
        self._guarded = guarded
        self.bytecode = str(home / "bytecode")
        self._env = {
            **{key: value for key, value in variables(target).items() if key not in _OF_LAMBDA},
            "PATH": os.defpath,
            "LANG": "C.UTF-8",
            "HOME": str(home),
            "TMPDIR": str(home),
        }
        self.path = tuple(str(folder / root) for root in contents.roots)
        self.python = f"Python {interpreter.version} of {interpreter.path}"
        self.is_guarded = len(self._sandboxed(["true"])) > 1
        self.notes: tuple[str, ...] = () if self.is_guarded else (_NOTE,)

    def ask(self, request: Mapping[str, object], seconds: float) -> list[dict[str, Any]]:
        """Return the answer of an importer in a new process; see `Place`."""
        argv = self._sandboxed(command(self._python, request))
        try:
            return parsed(run(argv, cwd=self._home, env=self._env, timeout=seconds))
        except ToolError:
            return []

    def _sandboxed(self, argv: Sequence[str]) -> list[str]:
        if not self._guarded:
            return list(argv)
        return sandboxed(
            argv, writable=self._home, readable=self._readable, env=self._env, network=False
        )
