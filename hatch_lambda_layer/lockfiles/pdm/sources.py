"""Which indexes pdm takes a package from, as the project and its user have set them.

`pdm.lock` does not say where its files are from. pdm's documentation, "Specify index for individual
packages" and "Store credentials with the index": sources of the project, then those of the user.
"""

from __future__ import annotations

import os
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import pylock_text as _text
from ..tools import table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_DEFAULT = "pypi"


class PdmSources:
    """The sources of the project in `folder`; the default index is asked for when it counts."""

    def __init__(
        self, folder: Path, project: Mapping[str, Any], default_index: Callable[[], str]
    ) -> None:
        self._default_index = default_index
        settings = [table(_read(path), "pypi") for path in _settings(folder)]
        own = [
            source
            for source in table(project, "tool", "pdm").get("source", [])
            if isinstance(source, dict) and source.get("name")
        ]
        stored = [
            {**value, "name": name}
            for each in settings
            for name, value in each.items()
            if isinstance(value, dict) and not _ignores_stored(settings)
        ]
        named: dict[str, dict[str, Any]] = {}
        for source in [*own, *stored]:
            # What the project says of a source comes first, what it leaves out is the user's.
            named[source["name"]] = {**source, **named.get(source["name"], {})}
        default = named.pop(_DEFAULT, {"name": _DEFAULT})
        if not default.get("url"):
            urls = [os.environ.get("PDM_PYPI_URL"), *(each.get("url") for each in settings)]
            default = {**default, "url": next(filter(None, urls), None)}
        # The default index comes last: it need not hear of what the others have.
        self._sources = [*(each for each in named.values() if each.get("url")), default]

    def indexes(self, name: str) -> list[str]:
        """Give the URLs of the indexes that can have the package, the likeliest first."""
        included = [each for each in self._sources if _names(each, "include_packages", name)]
        fitting = included or [
            each for each in self._sources if not _names(each, "exclude_packages", name)
        ]
        urls = (each["url"] or self._default_index() for each in fitting)
        return [_text.without_credentials(url).rstrip("/") for url in urls]


def _settings(folder: Path) -> Iterable[Path]:
    """Give the files of pdm's settings, those that count most first."""
    from platformdirs import site_config_path, user_config_path

    chosen = os.environ.get("PDM_CONFIG_FILE")
    yield folder / "pdm.toml"
    yield Path(chosen) if chosen else user_config_path("pdm") / "config.toml"
    yield site_config_path("pdm") / "config.toml"


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # pdm has read it before, and would have failed


def _ignores_stored(settings: Iterable[Mapping[str, Any]]) -> bool:
    values = [os.environ.get("PDM_IGNORE_STORED_INDEX")]
    values += [each.get("ignore_stored_index") for each in settings]
    value = next((each for each in values if each is not None), False)
    return str(value).lower() not in ("", "false", "no", "0")


def _names(source: Mapping[str, Any], key: str, name: str) -> bool:
    return any(fnmatch(name, pattern.lower()) for pattern in source.get(key, []))
