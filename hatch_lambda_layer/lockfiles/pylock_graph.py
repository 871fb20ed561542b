"""The requirements in a `pylock.toml`, whose tool may have left it out (PEP 751)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .graph import LockGraph, Root
from .walk import Need

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from packaging.pylock import Package

    from .protocol import Lock


class PylockPackage:
    """One package of a `pylock.toml`; `markers` has the conditions of all by their names."""

    def __init__(self, package: Package, markers: Mapping[str, str]) -> None:
        self.name = str(package.name)
        self.version = str(package.version or "")
        self._dependencies = [str(each["name"]) for each in package.dependencies or ()]
        self._markers = markers

    def dependencies(self) -> Iterator[Need]:
        """Yield all its dependencies."""
        for name in map(_normal, self._dependencies):
            yield Need(name=name, text=name, marker=self._markers.get(name, ""))

    def needs(self, extras: Collection[str]) -> Iterator[Need]:  # noqa: ARG002
        """Yield the same: the format does not tell which are those of an extra."""
        yield from self.dependencies()

    def fits(self, environment: Mapping[str, str]) -> bool:  # noqa: ARG002
        """Return true: markers are looked at where a package is required."""
        return True


def read_graph(lock: Lock) -> LockGraph:
    """Return the graph; it is not complete where no package names its dependencies.

    Packages that no other one requires are taken to be required by the project.
    """
    from .pylock_text import any_of

    pylock = lock.parse()
    texts: dict[str, list[str]] = {}
    for package in pylock.packages:
        texts.setdefault(str(package.name), []).append(str(package.marker or ""))
    markers = {name: any_of(found) or "" for name, found in texts.items()}
    packages = [PylockPackage(each, markers) for each in pylock.packages]
    needed = {
        need.name for each in packages for need in each.dependencies() if need.name != each.name
    }
    has_edges = bool(needed)
    first = [name for name in markers if name not in needed] if has_edges else markers
    needs = tuple(Need(name=name, text=name, marker=markers[name]) for name in first)
    graph = LockGraph.of([Root("the lockfile", True, needs)], packages)
    return graph if has_edges else graph.incomplete()


def _normal(name: str) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(name)
