"""uv's configuration files, in the order in which uv reads them.

https://docs.astral.sh/uv/concepts/configuration-files/
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .._internal.tables import table_at, value_at
from .tools import read_pyproject

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TRUE = ("1", "on", "t", "true", "y", "yes")


class Settings(NamedTuple):
    """The settings in one file, and the `place` of their table in the words of messages."""

    table: Mapping[str, Any]
    place: str


def is_on(variable: str) -> bool:
    """Return whether an environment variable is set to a value that uv takes for true."""
    return os.environ.get(variable, "").lower() in _TRUE


def all_settings(folder: Path) -> Iterator[Settings]:
    """Yield the settings for a project in `folder`, those that come first in precedence first.

    Raises `LockfileError` for a file that is not valid.
    """
    if chosen := os.environ.get("UV_CONFIG_FILE"):
        yield from _file(Path(chosen))
        return
    if is_on("UV_NO_CONFIG"):
        return
    for parent in (folder, *folder.parents):
        found = [*_file(parent / "uv.toml"), *project_settings(parent)]
        if found:
            # Beside `uv.toml`, uv does not read the table of `pyproject.toml`.
            yield found[0]
            break
    for path in machine_paths():
        yield from _file(path)


def machine_paths() -> Iterator[Path]:
    """Yield the paths of the user's settings and those of the system."""
    if sys.platform == "win32":
        folders = [os.environ.get("APPDATA", ""), os.environ.get("PROGRAMDATA", "")]
    else:
        user = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
        folders = [user, *os.environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":"), "/etc"]
    yield from (Path(folder, "uv", "uv.toml") for folder in folders if folder)


def _file(path: Path) -> Iterator[Settings]:
    if path.is_file():
        yield Settings(read_pyproject(path), f"`{path}`")


def project_settings(folder: Path) -> Iterator[Settings]:
    """Yield the settings in `pyproject.toml` of a folder, if it has some."""
    path = folder / "pyproject.toml"
    if path.is_file():
        project = read_pyproject(path)
        if value_at(project, "tool", "uv") is not None:
            yield Settings(table_at(project, "tool", "uv"), f"`[tool.uv]` of `{path}`")
