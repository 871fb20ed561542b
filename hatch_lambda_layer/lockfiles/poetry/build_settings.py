"""The settings of poetry about building sources: https://python-poetry.org/docs/configuration/."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..._internal.tables import table_at, value_at
from ...exceptions import LockfileError
from ..build_settings import (
    ALL,
    FROM_INDEX,
    BuildConstraint,
    BuildSettings,
    NoBuild,
    requirement_text,
    words,
)
from ..tools import read_pyproject
from .constraints import alternatives
from .requirements import marker_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_VARIABLE = "POETRY_INSTALLER_{}"
_FOLLOWED = {"version", "python", "markers", "platform"}
_BOOLEANS = {"true": [ALL], "1": [ALL], "false": [], "0": []}


def read_build_settings(folder: Path) -> BuildSettings:
    """Return the settings for the project in `folder`.

    Raises `LockfileError` for a file that is not valid.
    """
    only, where = _setting(folder, "only-binary")
    names = _names(only)
    allowed = _names(_setting(folder, "no-binary")[0]) if names else ()
    found = NoBuild.read(where, names, allowed=allowed, kinds=FROM_INDEX)
    constraints = tuple(_constraints(folder / "pyproject.toml"))
    return BuildSettings(no_build=(found,) if names else (), constraints=constraints)


def _constraints(pyproject: Path) -> Iterator[BuildConstraint]:
    """Yield the constraints of `[tool.poetry.build-constraints]`, each for one package."""
    from packaging.utils import canonicalize_name

    tables = table_at(read_pyproject(pyproject), "tool", "poetry", "build-constraints")
    for package, table in tables.items():
        for name, value in table_at(table).items():
            for each in value if isinstance(value, list) else [value]:
                facts = each if isinstance(each, dict) else {"version": each}
                where = f"`{package}.{name}` of `[tool.poetry.build-constraints]`"
                yield BuildConstraint(_constraint(name, facts, where), canonicalize_name(package))


def _constraint(name: str, facts: Mapping[str, Any], where: str) -> str:
    """Return a constraint of poetry as a requirement (PEP 508); raise `LockfileError`."""
    try:
        versions = alternatives(str(facts.get("version", "*")))
    except ValueError:
        versions = []
    # A requirement of the standard has neither `or` for versions, nor a place for a constraint.
    if len(versions) != 1 or facts.keys() - _FOLLOWED:
        raise LockfileError(
            f"{where} is not followed here: {facts}",
            hint="name one range of versions, such as `<82`, with `python` and `markers` at most",
        )
    marker = marker_of(facts)
    return requirement_text(f"{name}{versions[0]}{f' ; {marker}' if marker else ''}", where)


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
