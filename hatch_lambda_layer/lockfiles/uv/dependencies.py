"""The requirements of the packages in `uv.lock`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..._internal.tables import table_at
from ..dependencies import LockedDependencies, joined

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def locked_dependencies(content: Mapping[str, Any]) -> LockedDependencies:
    """Return the requirements of each package of a parsed lockfile."""
    return LockedDependencies(
        (str(package["name"]), str(package.get("version", "")), list(_texts(package)))
        for package in content.get("package", ())
    )


def _texts(package: Mapping[str, Any]) -> Iterator[str]:
    for entry in package.get("dependencies", ()):
        yield joined(entry["name"], entry.get("extra", ()), entry.get("marker"))
    for extra, entries in table_at(package, "optional-dependencies").items():
        for entry in entries:
            yield joined(entry["name"], entry.get("extra", ()), entry.get("marker"), extra)
