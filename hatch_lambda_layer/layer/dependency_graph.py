"""Who needs whom among the distributions of a layer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from collections.abc import Set as AbstractSet

    from packaging.requirements import Requirement

    from ..targets.target import Target
    from ..wheels.wheel import Wheel


# Name, extras and marker of a requirement (PEP 508), whatever stands between them.
_REQUIREMENT = re.compile(
    r"\s*(?P<name>[A-Z0-9](?:[\w.-]*[A-Z0-9])?)\s*(?P<extras>\[[^]]*\])?[^;]*(?P<marker>;.*)?",
    re.IGNORECASE | re.DOTALL,
)


class Node(NamedTuple):
    """What a requirement asks for: a distribution or, beside it, one of its extras."""

    name: str
    extra: str = ""

    def __str__(self) -> str:
        return f"{self.name}[{self.extra}]" if self.extra else self.name


class DependencyGraph:
    """Who needs whom among the wheels of a layer, on its target (PEP 508)."""

    def __init__(self, wheels: Iterable[Wheel], target: Target) -> None:
        self._environment = {key: str(value) for key, value in target.marker_environment().items()}
        names = {wheel.name for wheel in wheels}
        self._requirements = {
            wheel.name: [
                requirement for text in wheel.requires_dist for requirement in _read(text, names)
            ]
            for wheel in wheels
        }
        self._needs: dict[Node, set[Node]] = {}

    @property
    def names(self) -> AbstractSet[str]:
        """The distributions of the layer."""
        return self._requirements.keys()

    def asked(self, requirements: Iterable[Requirement], extra: str = "") -> Iterator[Node]:
        """Give what those of `requirements` ask for that count under `extra`."""
        for requirement in requirements:
            (name,) = canonical([requirement.name])
            if name in self._requirements and self._counts(requirement, extra):
                yield Node(name)
                yield from (Node(name, each) for each in canonical(requirement.extras))

    def needs(self, node: Node) -> set[Node]:
        """Give what `node` needs; for an extra only what it adds."""
        if node not in self._needs:
            requirements = self._requirements[node.name]
            found = set(self.asked(requirements, node.extra))
            if node.extra:
                found -= set(self.asked(requirements))
            self._needs[node] = found
        return self._needs[node]

    def reach(self, start: Iterable[Node], without: Collection[str] = ()) -> set[Node]:
        """Give what is needed from `start` on, as if the names in `without` were not there."""
        reached: set[Node] = set()
        waiting = list(start)
        while waiting:
            node = waiting.pop()
            if node not in reached and node.name not in without:
                reached.add(node)
                waiting += self.needs(node)
        return reached

    def roots(self, direct: Iterable[Requirement]) -> set[Node]:
        """Give what is in the layer for its own sake.

        That is what `direct` asks for; and of the wheels that it does not lead to (a pylock.toml
        may come without a project) those that no other of them needs, except in a circle.
        """
        roots = set(self.asked(direct))
        rest = self._beyond(roots)
        nodes = self.reach(map(Node, rest))
        needed = {each.name for node in nodes for each in self.needs(node)}
        roots.update(map(Node, rest - needed))
        # The rest of the rest lies in circles or behind them. Without the lines above, which find
        # nearly all roots at once, this would take a time that is quadratic in the layer's size.
        rest = self._beyond(roots)
        reached = {name: names_of(self.reach([Node(name)])) for name in rest}
        for name in rest:
            if all(other in reached[name] for other in rest if name in reached[other]):
                roots.add(Node(name))
        return roots

    def _beyond(self, start: Iterable[Node]) -> set[str]:
        return {*self.names} - names_of(self.reach(start))

    def _counts(self, requirement: Requirement, extra: str) -> bool:
        from packaging.markers import UndefinedComparison, UndefinedEnvironmentName

        if requirement.marker is None:
            return True
        try:
            return requirement.marker.evaluate({**self._environment, "extra": extra})
        except (UndefinedComparison, UndefinedEnvironmentName):
            # Whoever asks for it in terms that nobody understands may well need it.
            return True


def canonical(names: Iterable[str]) -> set[str]:
    """Give the names in their normal form, by which alone they can be compared (PEP 503)."""
    from packaging.utils import canonicalize_name

    return {canonicalize_name(name.strip()) for name in names}


def names_of(nodes: Iterable[Node]) -> set[str]:
    """Give the distributions of `nodes`."""
    return {node.name for node in nodes}


def _read(text: str, names: AbstractSet[str]) -> Iterator[Requirement]:
    """Parse a requirement of a wheel for one of `names`; if malformed, as much as can be read."""
    from packaging.requirements import InvalidRequirement, Requirement

    match = _REQUIREMENT.match(text)
    # Parsing is most of the work, and most requirements are for extras that nobody asked for.
    if match is None or canonical([match["name"]]).isdisjoint(names):
        return
    # Old metadata has versions that PEP 440 does not know; who is needed, and when, stays clear.
    without_version = "".join(filter(None, match.group("name", "extras", "marker")))
    for reading in (text, without_version, match["name"]):
        try:
            yield Requirement(reading)
        except InvalidRequirement:
            continue
        return
