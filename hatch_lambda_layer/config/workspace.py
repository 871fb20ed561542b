"""Workspaces of uv: several projects with one lockfile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._internal.tables import value_at
from .._internal.toml import parse_toml

if TYPE_CHECKING:
    from pathlib import Path


def is_workspace_root(folder: Path) -> bool:
    """Return whether the project in `folder` is the root of a workspace; uv finds its members."""
    try:
        pyproject = parse_toml((folder / "pyproject.toml").read_bytes())
    except (OSError, ValueError):
        return False
    return value_at(pyproject, "tool", "uv", "workspace") is not None
