"""Workspaces of uv: several projects with one lockfile."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

from .._internal.tables import value_at

if TYPE_CHECKING:
    from pathlib import Path


def is_workspace_root(folder: Path) -> bool:
    """Return whether the project in `folder` is the root of a workspace; uv finds its members."""
    try:
        pyproject = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return value_at(pyproject, "tool", "uv", "workspace") is not None
