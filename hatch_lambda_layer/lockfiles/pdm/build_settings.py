"""The settings of pdm about building sources: https://pdm-project.org/latest/usage/lockfile/."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..._internal.tables import value_at
from ..build_settings import FROM_INDEX, BuildSettings, NoBuild, words
from ..tools import read_pyproject

if TYPE_CHECKING:
    from pathlib import Path


def read_build_settings(pyproject: Path) -> BuildSettings:
    """Return the settings of the project; raise `LockfileError` where it can't be read."""
    names, where = _setting(pyproject, "only-binary")
    if not names:
        return BuildSettings()
    allowed, _ = _setting(pyproject, "no-binary")
    found = NoBuild.read(where, names, allowed=allowed, kinds=FROM_INDEX)
    return BuildSettings(no_build=(found,))


def _setting(pyproject: Path, key: str) -> tuple[list[str], str]:
    """Return the names in a setting, and where it is: the variable comes before the table."""
    variable = f"PDM_{key.upper().replace('-', '_')}"
    if os.environ.get(variable):
        return words(os.environ[variable]), f"the variable `{variable}`"
    value = value_at(read_pyproject(pyproject), "tool", "pdm", "resolution", key)
    return words(value), f"`{key}` in `[tool.pdm.resolution]` of `{pyproject}`"
