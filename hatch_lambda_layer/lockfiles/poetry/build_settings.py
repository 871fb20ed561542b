"""The settings of poetry about building sources: https://python-poetry.org/docs/configuration/."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..._internal.tables import value_at
from ..build_settings import ALL, FROM_INDEX, BuildSettings, NoBuild, words
from ..tools import read_pyproject

if TYPE_CHECKING:
    from collections.abc import Iterator

_VARIABLE = "POETRY_INSTALLER_{}"
_BOOLEANS = {"true": [ALL], "1": [ALL], "false": [], "0": []}


def read_build_settings(folder: Path) -> BuildSettings:
    """Return the settings for the project in `folder`.

    Raises `LockfileError` for a file that is not valid.
    """
    only, where = _setting(folder, "only-binary")
    names = _names(only)
    if not names:
        return BuildSettings()
    allowed = _names(_setting(folder, "no-binary")[0])
    found = NoBuild.read(where, names, allowed=allowed, kinds=FROM_INDEX)
    return BuildSettings(no_build=(found,))


def _setting(folder: Path, key: str) -> tuple[Any, str]:
    """Return a value of the table `installer`, and where it is: variables come before files."""
    variable = _VARIABLE.format(key.upper().replace("-", "_"))
    if variable in os.environ:
        return os.environ[variable], f"the variable `{variable}`"
    for path in _files(folder):
        value = value_at(read_pyproject(path), "installer", key) if path.is_file() else None
        if value is not None:
            return value, f"`installer.{key}` in `{path}`"
    return None, ""


def _files(folder: Path) -> Iterator[Path]:
    from platformdirs import user_config_path

    yield folder / "poetry.toml"
    user = os.environ.get("POETRY_CONFIG_DIR")
    user = user or str(user_config_path("pypoetry", appauthor=False, roaming=True))
    yield Path(user, "config.toml")


def _names(value: Any) -> list[str]:
    text = str(value).lower() if isinstance(value, bool | str) else ""
    return _BOOLEANS[text] if text in _BOOLEANS else words(value)
