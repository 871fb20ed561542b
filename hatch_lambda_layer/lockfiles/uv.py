"""`uv.lock`, read through `uv export --format pylock.toml`."""

from __future__ import annotations

import os
import platform
import re
import sys
from typing import TYPE_CHECKING

from .._internal.process import run
from .._internal.tables import table_at, value_at
from .._internal.uv import find_uv
from ..config.workspace import is_workspace_root
from ..exceptions import LockfileError, ToolError, quoted
from .protocol import Lock, read_text
from .tools import match_request, read_pyproject

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ..targets.target import Target
    from .protocol import LockRequest

# Settings that contradict the options of the call below, or change what it prints.
_CONTRADICTING = (
    "UV_FROZEN",
    "UV_LOCKED",
    "UV_OFFLINE",
    "UV_NO_DEV",
    "UV_DEV",
    "UV_NO_GROUP",
    "UV_PROJECT",
    "UV_WORKING_DIR",
    "UV_WORKING_DIRECTORY",
)
# uv's messages when no interpreter, or none that it can run, fits `requires-python`.
_NO_INTERPRETER = (
    "No interpreter found",
    "Failed to inspect Python interpreter",
    "incompatible with the project's Python requirement",
)
_UNREADABLE = ("Failed to parse", "valid UTF-8", "unsupported schema version")


class UvLockfile:
    """The lockfile of uv."""

    tool = "uv"
    filename = "uv.lock"
    command = "uv lock"
    per_target = False
    is_slow = False

    def find(self, request: LockRequest) -> list[Path]:
        """Return the path of `uv.lock`, the project's own or that of the workspace it is in."""
        root = request.layout.dir_project_root
        for folder in (root, *root.absolute().parents):
            path = folder / self.filename
            if path.is_file() and (folder == root or is_workspace_root(folder)):
                return [path]
        return []

    def key(self, path: Path, request: LockRequest, target: Target) -> str | None:  # noqa: ARG002
        """Return `None`: running uv takes less time than finding the files that it would read."""
        return None

    def read(self, path: Path, request: LockRequest, target: Target) -> Lock:  # noqa: ARG002
        """Export the lock, without the network; raise `LockfileError` for one that is stale."""
        lock = read_text(path)
        argv = [find_uv(), "export", "--format", "pylock.toml", "--locked", "--offline"]
        argv += ["--no-emit-project", "--no-default-groups", "--no-header", "--quiet"]
        argv += ["--color", "never", *_interpreter(lock)]
        argv += [part for group in request.groups for part in ("--group", group)]
        argv += [part for extra in request.extras for part in ("--extra", extra)]
        env = {key: value for key, value in os.environ.items() if key not in _CONTRADICTING}
        try:
            # Part of every build; uv starts nothing that writes.
            text = run(argv, cwd=request.layout.dir_project_root, env=env, supervised=False)
        except ToolError as error:
            _check_choice(error, path, request)
            raise _explained(error, path) from error
        root = request.layout.dir_project_root
        return Lock(path=path, command=self.command, text=text, folder=root)

    def default_indexes(self, path: Path, request: LockRequest) -> Sequence[str]:  # noqa: ARG002
        """Return the URL of uv's default index, where packages without an index come from."""
        from .default_index import default_index

        return (default_index(path.parent),)


def _interpreter(lock: bytes) -> list[str]:
    """Return uv's option for this interpreter, if it fits: uv then need not search for one.

    uv checks `requires-python` against an interpreter even when it only exports, and gives up
    when the first candidate on the search path can't be run (as pyenv's shims can't).
    """
    from packaging.specifiers import SpecifierSet

    match = re.search(rb'^requires-python = "([^"]+)"', lock, re.MULTILINE)
    try:
        wanted = SpecifierSet(match[1].decode() if match else "")
        fits = wanted.contains(platform.python_version())
    except ValueError:  # not UTF-8, not a specifier, or a number of too many digits
        return []
    return ["--python", sys.executable] if fits else []


def _check_choice(error: ToolError, path: Path, request: LockRequest) -> None:
    """Raise `LockfileError`, with the known names, where uv does not know a group or an extra."""
    if "is not defined" not in error.output:
        return
    project = read_pyproject(request.layout.path_pyproject_toml)
    old = value_at(project, "tool", "uv", "dev-dependencies")
    groups = [*table_at(project, "dependency-groups"), *(["dev"] if old else [])]
    match_request(request, path, groups, table_at(project, "project", "optional-dependencies"))


def _explained(error: ToolError, path: Path) -> LockfileError | ToolError:
    """Return the error of this project for uv's; uv's output stays in the message."""
    said, shown = error.output.strip(), quoted(error.output)
    # uv breaks its lines at places that depend on the length of paths.
    line = " ".join(said.split())
    if stale := _staleness(error, line):
        return LockfileError(
            f"Lockfile `{path}` is stale: {stale}", hint="lock again with `uv lock`"
        )
    if "compute missing hashes" in line:
        return LockfileError(
            f"Lockfile `{path}` has no hashes for what it locks\n\n{shown}",
            hint="lock again with an index that gives sha256 hashes",
        )
    if any(reason in line for reason in _NO_INTERPRETER):
        return LockfileError(
            f"uv needs an interpreter that fits `requires-python` to read `{path}`\n\n{shown}",
            hint="install one with `uv python install`, or name one in UV_PYTHON; only uv needs it",
        )
    if any(reason in line for reason in _UNREADABLE):
        return LockfileError(
            f"Lockfile `{path}` can't be read\n\n{shown}", hint="lock again with `uv lock`"
        )
    return error


def _staleness(error: ToolError, line: str) -> str | None:
    if "needs to be updated" in line:
        return "pyproject.toml has changed since"
    if "No solution found" in line:
        return "pyproject.toml asks for packages that it does not lock"
    # This interpreter was offered because it fits the lock: it is pyproject.toml that differs.
    if "--python" in error.program and "incompatible with the project's Python" in line:
        return "pyproject.toml has another `requires-python`"
    return None
