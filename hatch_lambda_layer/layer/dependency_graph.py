"""The dependencies among the distributions of a layer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from packaging.requirements import Requirement

    from ..targets.target import Target


# Name, extras and marker of a requirement (PEP 508), with anything between them.
_REQUIREMENT = re.compile(
    r"\s*(?P<name>[A-Z0-9](?:[\w.-]*[A-Z0-9])?)\s*(?P<extras>\[[^]]*\])?[^;]*(?P<marker>;.*)?",
    re.IGNORECASE | re.DOTALL,
)


class Distribution(Protocol):
    """A distribution as the graph knows it, such as a wheel."""

    @property
    def name(self) -> str:
        """The normalised name."""
        ...

    @property
    def version(self) -> str:
        """The version, which may be empty."""
        ...

    @property
    def requires_dist(self) -> tuple[str, ...]:
        """The requirements (PEP 508), those of its extras too."""
        ...


class Node(NamedTuple):
    """A node of the graph: a distribution, or one of its extras beside it."""

    name: str
    extra: str = ""

    def __str__(self) -> str:
        return f"{self.name}[{self.extra}]" if self.extra else self.name


class DependencyGraph:
    """The dependencies among the distributions of a layer, on its target (PEP 508)."""

    def __init__(self, wheels: Iterable[Distribution], target: Target) -> None:
        wheels = list(wheels)
        self._environment = {key: str(value) for key, value in target.marker_environment().items()}
        names = {wheel.name for wheel in wheels}
        self._requirements = {
            wheel.name: [
                requirement
                for text in wheel.requires_dist
                for requirement in read_requirement(text, names)
            ]
            for wheel in wheels
        }
        self._needs: dict[Node, set[Node]] = {}

    @property
    def names(self) -> AbstractSet[str]:
        """The distributions of the layer."""
        return self._requirements.keys()

    def asked(self, requirements: Iterable[Requirement], extra: str = "") -> Iterator[Node]:
        """Yield the nodes of the layer that `requirements` ask for when `extra` is asked for."""
        for requirement in requirements:
            (name,) = canonical([requirement.name])
            if name in self._requirements and counts(requirement, self._environment, extra):
                yield Node(name)
                yield from (Node(name, each) for each in canonical(requirement.extras))

    def needs(self, node: Node) -> set[Node]:
        """Return the nodes that `node` needs; for an extra, only those that it adds."""
        if node not in self._needs:
            requirements = self._requirements[node.name]
            found = set(self.asked(requirements, node.extra))
            if node.extra:
                found -= set(self.asked(requirements))
            self._needs[node] = found
        return self._needs[node]

    def reach(self, start: Iterable[Node], without: Collection[str] = ()) -> set[Node]:
        """Return the nodes that `start` leads to, itself included, but not through `without`."""
        reached: set[Node] = set()
        waiting = list(start)
        while waiting:
            node = waiting.pop()
            if node not in reached and node.name not in without:
                reached.add(node)
                waiting += self.needs(node)
        return reached

    def roots(self, direct: Iterable[Requirement]) -> set[Node]:
        """Return the nodes that are in the layer for their own sake.

        Those are the nodes that `direct` asks for. Of the wheels that these do not lead to (a
        pylock.toml may come without a project), they are the ones that no other wheel needs; of a
        circle that no other wheel needs, all of them.
        """
        roots = set(self.asked(direct))
        rest = self._beyond(roots)
        nodes = self.reach(map(Node, rest))
        needed = {each.name for node in nodes for each in self.needs(node)}
        roots.update(map(Node, rest - needed))
        # What is left lies in circles or behind them. The lines above find nearly all roots at
        # once: without them, this would take a time that is quadratic in the layer's size.
        rest = self._beyond(roots)
        reached = {name: names_of(self.reach([Node(name)])) for name in rest}
        for name in rest:
            if all(other in reached[name] for other in rest if name in reached[other]):
                roots.add(Node(name))
        return roots

    def _beyond(self, start: Iterable[Node]) -> set[str]:
        return {*self.names} - names_of(self.reach(start))


def counts(requirement: Requirement, environment: Mapping[str, str], extra: str) -> bool:
    """Return whether a requirement counts when `extra` is asked for; a marker has to say so."""
    if requirement.marker is None:
        return True
    try:
        return requirement.marker.evaluate({**environment, "extra": extra})
    except (ValueError, LookupError):
        # A marker that can't be evaluated may well be meant to hold. Its names are undefined,
        # or its values can't be compared, or a number has more digits than Python reads.
        return True


def canonical(names: Iterable[str]) -> set[str]:
    """Return the names in normal form, the only one in which they can be compared (PEP 503)."""
    from packaging.utils import canonicalize_name

    return {canonicalize_name(name.strip()) for name in names}


def names_of(nodes: Iterable[Node]) -> set[str]:
    """Return the names of the distributions of `nodes`."""
    return {node.name for node in nodes}


def parse_requirement(text: str) -> Requirement | None:
    """Return the requirement in `text`; of a malformed one, a part; `None` if it has no name."""
    from packaging.requirements import InvalidRequirement, Requirement

    match = _REQUIREMENT.match(text)
    if match is None:
        return None
    # Old metadata has versions that PEP 440 does not allow: the name and the marker still count.
    without_version = "".join(filter(None, match.group("name", "extras", "marker")))
    for reading in (text, without_version, match["name"]):
        try:
            return Requirement(reading)
        except InvalidRequirement:
            continue
    return None


def read_requirement(text: str, names: AbstractSet[str]) -> Iterator[Requirement]:
    """Yield the requirement in `text` if it is for one of `names`."""
    match = _REQUIREMENT.match(text)
    # Parsing is most of the work, and most requirements are for extras that nobody asked for.
    if match is not None and not canonical([match["name"]]).isdisjoint(names):
        yield from filter(None, [parse_requirement(text)])
