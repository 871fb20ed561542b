"""The settings of pip and `uv pip` about building sources, for a lock that either installs."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from .build_settings import FROM_INDEX, BuildSettings, NoBuild, words
from .constraint_files import read_constraint_files
from .pip.settings import place_of_only_binary, read_settings
from .uv_builds import uv_build_settings

if TYPE_CHECKING:
    from pathlib import Path


def installers_build_settings(folder: Path) -> BuildSettings:
    """Return the settings for the project in `folder`.

    Raises `LockfileError` for a file that is not valid.
    """
    found, pip = uv_build_settings(folder, pip=True), read_settings(os.environ)
    constraints = read_constraint_files(folder, pip.build_constraints)
    found = replace(found, constraints=(*found.constraints, *constraints))
    names = words(pip.only_binary)
    if not names:
        return found
    allowed = words(pip.no_binary)
    rule = NoBuild.read(place_of_only_binary(), names, allowed=allowed, kinds=FROM_INDEX)
    return replace(found, no_build=(*found.no_build, rule))
