"""The indexes from which pdm takes a package, as the project and its user have set them.

`pdm.lock` does not name the index of a file. Sources of the project come before those of the user:
pdm's documentation, "Specify index for individual packages", "Store credentials with the index".
"""

from __future__ import annotations

import json
import os
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..._internal.tables import table_at, tables_at
from ..._internal.toml import parse_toml
from .. import pylock_text as _text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_DEFAULT = "pypi"
_VARIABLES = ("PDM_PYPI_URL", "PDM_IGNORE_STORED_INDEX")


class PdmSources:
    """The sources of the project in `folder`; `default_index` is called only where it is used."""

    def __init__(
        self, folder: Path, project: Mapping[str, Any], default_index: Callable[[], str]
    ) -> None:
        self._default_index = default_index
        settings = [table_at(_read(path), "pypi") for path in _settings(folder)]
        own = [
            source for source in tables_at(project, "tool", "pdm", "source") if source.get("name")
        ]
        stored = [
            {**value, "name": name}
            for each in settings
            for name, value in each.items()
            if isinstance(value, dict) and not _ignores_stored(settings)
        ]
        named: dict[str, dict[str, Any]] = {}
        for source in [*own, *stored]:
            # A key that the project sets for a source wins over the user's.
            named[source["name"]] = {**source, **named.get(source["name"], {})}
        default = named.pop(_DEFAULT, {"name": _DEFAULT})
        if not default.get("url"):
            urls = [os.environ.get("PDM_PYPI_URL"), *(each.get("url") for each in settings)]
            default = {**default, "url": next(filter(None, urls), None)}
        # The default index comes last: it need not learn the names of private packages.
        self._sources = [*(each for each in named.values() if each.get("url")), default]

    def indexes(self, name: str) -> list[str]:
        """Return the URLs of the indexes that may have a package, the likeliest first.

        They are without credentials, and have no slash at the end.
        """
        included = [each for each in self._sources if _names(each, "include_packages", name)]
        fitting = included or [
            each for each in self._sources if not _names(each, "exclude_packages", name)
        ]
        urls = (each["url"] or self._default_index() for each in fitting)
        return [_text.without_credentials(url).rstrip("/") for url in urls]


def facts_of_user(folder: Path) -> list[str | None]:
    """Return what decides about the sources of the project in `folder` beside `pyproject.toml`."""
    return [
        *map(os.environ.get, _VARIABLES),
        *(json.dumps(_read(path), default=str) for path in _settings(folder)),
    ]


def _settings(folder: Path) -> Iterable[Path]:
    """Yield the paths of pdm's settings, in the order of precedence."""
    from platformdirs import site_config_path, user_config_path

    chosen = os.environ.get("PDM_CONFIG_FILE")
    yield folder / "pdm.toml"
    yield Path(chosen) if chosen else user_config_path("pdm") / "config.toml"
    yield site_config_path("pdm") / "config.toml"


def _read(path: Path) -> dict[str, Any]:
    try:
        return parse_toml(path.read_bytes())
    except (OSError, ValueError):
        return {}  # as if it were not there: what it would have said is about indexes alone


def _ignores_stored(settings: Iterable[Mapping[str, Any]]) -> bool:
    values = [os.environ.get("PDM_IGNORE_STORED_INDEX")]
    values += [each.get("ignore_stored_index") for each in settings]
    value = next((each for each in values if each is not None), False)
    return str(value).lower() not in ("", "false", "no", "0")


def _names(source: Mapping[str, Any], key: str, name: str) -> bool:
    return any(fnmatch(name, pattern.lower()) for pattern in source.get(key, []))
