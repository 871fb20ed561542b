"""Exporting `uv.lock` with uv: it needs no interpreter, no network, no cache and no settings."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..._internal.process import run
from ..._internal.tables import table_at, value_at
from ..._internal.uv import find_uv
from ...exceptions import LockfileError, ToolError, quoted
from ..tools import match_request, read_pyproject

if TYPE_CHECKING:
    from pathlib import Path

    from ..protocol import LockRequest

_UNREADABLE = ("Failed to parse", "valid UTF-8", "unsupported schema version")


def export(request: LockRequest) -> bytes:
    """Return the text of a `pylock.toml` with what the project, its groups and extras need.

    uv does not look at whether the lock is stale. Raises `ToolError`.
    """
    argv = [find_uv(), "export", "--format", "pylock.toml", "--frozen", "--offline"]
    # Without the settings a `required-version`, which is about locking, does not matter either.
    argv += ["--no-config", "--no-cache", "--no-python-downloads"]
    argv += ["--no-emit-project", "--no-default-groups", "--no-header", "--quiet"]
    argv += ["--color", "never"]
    option = "--group" if request.main else "--only-group"
    argv += [part for group in request.groups for part in (option, group)]
    argv += [part for extra in request.extras for part in ("--extra", extra)]
    # Variables of uv change what it exports, or contradict the options.
    env = {key: value for key, value in os.environ.items() if not key.startswith("UV_")}
    # uv starts nothing that writes.
    return run(argv, cwd=request.layout.dir_project_root, env=env, supervised=False)


def explained(error: ToolError, path: Path, request: LockRequest) -> LockfileError | ToolError:
    """Return the error of this project for uv's; uv's output stays in the message.

    Raises `LockfileError`, with the known names, where uv does not know a group or an extra.
    """
    # uv breaks its lines at places that depend on the length of paths.
    line, shown = " ".join(error.output.split()), quoted(error.output)
    if "is not defined" in line:
        _check_choice(path, request)
    if "compute missing hashes" in line:
        return LockfileError(
            f"Lockfile `{path}` has no hashes for what it locks\n\n{shown}",
            hint="lock again with an index that gives sha256 hashes",
        )
    if any(reason in line for reason in _UNREADABLE):
        return LockfileError(
            f"Lockfile `{path}` can't be read\n\n{shown}", hint="lock again with `uv lock`"
        )
    return error


def _check_choice(path: Path, request: LockRequest) -> None:
    project = read_pyproject(request.layout.path_pyproject_toml)
    old = value_at(project, "tool", "uv", "dev-dependencies")
    groups = [*table_at(project, "dependency-groups"), *(["dev"] if old else [])]
    match_request(request, path, groups, table_at(project, "project", "optional-dependencies"))
