"""The lockfile that the option `lockfile` names: which tool's it is, and of which project."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .._internal.tables import table_at
from .._internal.toml import parse_toml
from ..exceptions import LockfileError, MissingLockfileError
from .foreign import foreign

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .protocol import LockRequest

_BY_NAME = {
    r"uv\.lock": "uv",
    r"poetry\.lock": "poetry",
    r"pdm\.lock": "pdm",
    r"pylock(\.[^.]+)?\.toml": "pylock",
}


def named_path(request: LockRequest, name: str) -> Path:
    """Return the path of the lockfile that `name` stands for; a folder is that of a `uv.lock`.

    Raises `LockfileError` where it is missing, or is one that is not read here.
    """
    root = request.layout.dir_project_root
    path = Path(os.path.abspath(root / name))  # noqa: PTH100  # Path.absolute keeps `..`
    # The functions of `os` have no error for a name that is too long.
    if os.path.isdir(path):  # noqa: PTH112
        path /= "uv.lock"
    if not os.path.isfile(path):  # noqa: PTH113
        raise MissingLockfileError(
            f"No lockfile: `{path}` is missing, and `lockfile` names it",
            hint=f"`lockfile` in `[tool.lambda-layer]` is a path that starts from {root}",
        )
    if error := foreign(path):
        raise error
    return path


def tool_of(path: Path, tool: str | None) -> str:
    """Return the tool whose lockfile `path` is, by its name or else its content.

    Raises `LockfileError` where `tool` is another one, or nothing tells.
    """
    found = next((each for name, each in _BY_NAME.items() if re.fullmatch(name, path.name)), None)
    found = found or _by_content(path) or tool
    if found is None:
        raise LockfileError(
            f"Nothing in `{path}` tells whose lockfile it is",
            hint="name its tool with `tool` in `[tool.lambda-layer]`",
        )
    if tool is not None and tool != found:
        raise LockfileError(
            f"`{path}` is not a lockfile of {tool}, which `tool` names, but of {found}",
            hint="leave `tool` out, or name another `lockfile`",
        )
    return found


def request_for(path: Path, tool: str, request: LockRequest) -> LockRequest:
    """Return the request for a lockfile that is named, with the project that it is the lock of.

    That is the one in the folder of the lockfile, if there is one.
    """
    if tool == "pip":
        return replace(request, requirements=(request.lockfile or "",), lockfile=None)
    pyproject = path.with_name("pyproject.toml")
    layout = request.layout
    if pyproject.is_file():
        layout = replace(layout, path_pyproject_toml=pyproject)
    return replace(request, layout=layout, lockfile=None)


def _by_content(path: Path) -> str | None:
    """Return the tool; all files but those in TOML are read as requirements."""
    if path.suffix not in (".lock", ".toml"):
        return "pip"
    try:
        content: Mapping[str, object] = parse_toml(path.read_bytes())
    except (OSError, ValueError):
        return None
    metadata = table_at(content, "metadata")
    if "lock-version" in content:
        return "pylock"
    if "lock_version" in metadata:
        return "pdm"
    return "poetry" if "lock-version" in metadata or "content-hash" in metadata else None
