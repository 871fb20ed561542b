"""The graph of a lockfile whose project names in `pyproject.toml` what it requires."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .graph import LockGraph, Root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .protocol import LockRequest
    from .walk import LockedPackage, Need

    # Yields what a project requires of some groups and extras, and itself if that is set.
    Needs = Callable[[list[str], list[str], bool], Iterable[Need]]


def read_graph(
    packages: Iterable[LockedPackage],
    needs: Needs,
    groups: Iterable[str],
    extras: Iterable[str],
    request: LockRequest,
) -> LockGraph:
    """Return what a project with these `groups` and `extras` requires among `packages`."""
    own = tuple(needs([], [], True))
    known = {(need.name, need.marker) for need in own}
    roots = [Root("the project", request.main, own)]
    for extra in dict.fromkeys(map(_normal, extras)):
        added = needs([], [extra], True)
        only = tuple(need for need in added if (need.name, need.marker) not in known)
        roots.append(Root(f"extra {extra}", extra in map(_normal, request.extras), only))
    for group in dict.fromkeys(map(_normal, groups)):
        chosen = group in map(_normal, request.groups)
        roots.append(Root(f"group {group}", chosen, tuple(needs([group], [], False))))
    return LockGraph.of(roots, packages)


def _normal(name: str) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(name)
