"""The indexes that packages of `uv.lock` came from, and those that are named now."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..default_index import default_index
from ..tools import read_pyproject
from ..uv_settings import machine_paths
from .requirements import index_place

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from .comparison import UvLock
    from .workspace import Workspace

_LISTS = ("extra-index-url", "find-links")
_VARIABLES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS")


def missing_indexes(lock: UvLock, workspace: Workspace, named: Collection[str]) -> Iterator[str]:
    """Yield the indexes that locked packages came from and that are no longer named, in words.

    A project that names no index leaves them to the machine, whichever that was. `named` are places
    of further indexes that may be used.
    """
    tables = [workspace.root.uv, _settings(lock.root / "uv.toml")]
    own = {place for each in tables for place in _places(each, lock.root)}
    if not own:
        return
    unknown: dict[str, str] = {}
    for package in lock.content.get("package", ()):
        if "registry" in package["source"]:
            place = index_place(package["source"]["registry"], lock.root)
            if place not in own and place not in named:
                unknown.setdefault(place, package["name"])
    if unknown:
        others = {*_of_machine(), *_built_in(tables, lock.root)}
        for place, name in unknown.items():
            if place not in others:
                yield f"the index of `{name}` is no longer named: {place}"


def _places(table: Mapping[str, Any], folder: Path) -> Iterator[str]:
    urls = [each["url"] for each in table.get("index", ()) if "url" in each]
    urls += [table["index-url"]] if "index-url" in table else []
    urls += [url for key in _LISTS for url in table.get(key, ())]
    return (index_place(url, folder) for url in urls)


def _built_in(tables: Iterable[Mapping[str, Any]], folder: Path) -> Iterator[str]:
    """Yield uv's own default index, unless the project names another one as default."""
    replaced = any(
        "index-url" in each or any(index.get("default") for index in each.get("index", ()))
        for each in tables
    )
    if not replaced:
        yield index_place(default_index(folder), folder)


def _of_machine() -> Iterator[str]:
    """Yield the indexes of this machine's settings (https://docs.astral.sh/uv/concepts/indexes/)."""
    for variable in _VARIABLES:
        for each in os.environ.get(variable, "").split():
            name, equals, url = each.partition("=")
            yield index_place(url if equals and "/" not in name else each, Path.cwd())
    for path in _settings_paths():
        yield from _places(_settings(path), path.parent)


def _settings_paths() -> Iterator[Path]:
    if chosen := os.environ.get("UV_CONFIG_FILE"):
        yield Path(chosen)
    yield from machine_paths()


def _settings(path: Path) -> Mapping[str, Any]:
    return read_pyproject(path) if path.is_file() else {}
