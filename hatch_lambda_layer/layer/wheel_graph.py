"""The requirements in the metadata of wheels, for lockfiles that do not tell it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lockfiles.graph import LockGraph, Root
from ..lockfiles.markers import as_text, parse_marker, without_extras
from ..lockfiles.walk import Need
from .dependency_graph import DependencyGraph, canonical, read_requirement

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from packaging.requirements import Requirement

    from ..targets.target import Target
    from ..wheels.wheel import Wheel


class WheelPackage:
    """A wheel as a package that requires others among `names`."""

    def __init__(self, wheel: Wheel, names: frozenset[str]) -> None:
        self.name = wheel.name
        self.version = wheel.version
        self._requirements = [
            each for text in wheel.requires_dist for each in read_requirement(text, names)
        ]

    def dependencies(self) -> Iterator[Need]:
        """Yield what it always requires."""
        yield from self.needs(())

    def needs(self, extras: Collection[str]) -> Iterator[Need]:
        """Yield what it requires where `extras` of it are required, and no others."""
        for requirement in self._requirements:
            tree = parse_marker(str(requirement.marker or ""))
            marker = as_text(without_extras(tree, extras))
            if marker is not None:
                yield _need(requirement, marker)

    def fits(self, environment: Mapping[str, str]) -> bool:  # noqa: ARG002
        """Return true: it has been selected."""
        return True


def read_graph(wheels: Sequence[Wheel], direct: Sequence[Requirement], target: Target) -> LockGraph:
    """Return the graph of wheels; `direct` are the requirements of the project itself."""
    names = frozenset(wheel.name for wheel in wheels)
    own = tuple(_need(each, str(each.marker or "")) for each in direct)
    known = {need.name for need in own}
    roots = DependencyGraph(wheels, target).roots(direct)
    others = sorted({each.name for each in roots} - known)
    return LockGraph.of(
        [
            Root("the project", True, own),
            Root("the lockfile", True, tuple(Need(name=each, text=each) for each in others)),
        ],
        [WheelPackage(wheel, names) for wheel in wheels],
    )


def _need(requirement: Requirement, marker: str) -> Need:
    (name,) = canonical([requirement.name])
    extras = frozenset(canonical(requirement.extras))
    return Need(name=name, text=str(requirement), marker=marker, extras=extras)
