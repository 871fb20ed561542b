"""The requirements whose packages have to be among those that uv exports.

uv 0.11.0 and older lose a requirement whose marker has `extra != …`: the lockfile records it, but
not that the project depends on the package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..._internal.tables import table_at
from ..._internal.toml import parse_toml
from .. import markers
from .requirements import read_locked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..protocol import LockRequest
    from .comparison import LocalPackage, UvLock
    from .requirements import UvRequirement
    from .workspace import Workspace


def required(
    lock: UvLock, workspace: Workspace, request: LockRequest, exported: bytes
) -> tuple[str, ...]:
    """Return the requirements (PEP 508) whose packages must be in what was exported."""
    own = workspace.project_in(request.layout.dir_project_root.absolute())
    name = own.name if own else None
    found = [*_of_project(lock, name, request)]
    places = {each.name: each for each in lock.local if each.name != name}
    # Parsing takes as long as all the rest, and is seldom needed.
    for package in parse_toml(exported)["packages"] if places else ():
        if "directory" in package and package["name"] in places:
            found += _of_local(places[package["name"]], package.get("marker", ""))
    free = {name, *_changed_by_root(lock)}
    free |= {each.name for each in lock.local if each.kind == "virtual"}
    texts = (f"{name} ; {text}".rstrip(" ;") for name, text in found if name not in free)
    return tuple(dict.fromkeys(texts))


def _of_project(lock: UvLock, name: str | None, request: LockRequest) -> Iterator[tuple[str, str]]:
    groups: Mapping[str, Any] = {}
    if name is None:
        groups = table_at(lock.manifest, "dependency-groups")
    for package in lock.local:
        if package.name == name:
            yield from _holding(package.requirements if request.main else (), request.extras)
            groups = package.groups
    for group in request.groups:
        yield from _holding(read_locked(groups.get(_normal(group), ()), lock.root), request.extras)


def _holding(
    requirements: Iterable[UvRequirement], extras: Iterable[str]
) -> Iterator[tuple[str, str]]:
    names = frozenset(map(_normal, extras))
    for each in requirements:
        text = markers.as_text(markers.without_extras(each.marker, names))
        if text is not None:
            yield each.name, text


def _of_local(package: LocalPackage, marker: str) -> Iterator[tuple[str, str]]:
    """Yield what a local package requires whichever of its extras are chosen."""
    for each in package.requirements:
        tree = markers.all_of(
            markers.parse_marker(marker),
            markers.without_extras(each.marker, ()),
            markers.without_extras(each.marker, package.extras),
        )
        text = markers.as_text(tree)
        if text is not None:
            yield each.name, text


def _changed_by_root(lock: UvLock) -> Iterator[str]:
    """Yield the packages that the root overrides or excludes: requirements of them may not hold."""
    for key in ("overrides", "excludes"):
        for entry in lock.manifest.get(key, ()):
            entries = entry.get("dependencies", [entry]) if isinstance(entry, dict) else [entry]
            yield from (_normal(e["name"] if isinstance(e, dict) else e) for e in entries)


def _normal(name: str) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(name)
