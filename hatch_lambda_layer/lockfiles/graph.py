"""The requirements in a lockfile, for all environments: the ways to a package, with markers."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from .markers import is_undecided

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from .walk import LockedPackage, Need

# Ways can be more than anyone can count: no more than that many are followed at once.
_MOST_WAITING = 20_000


class Node(NamedTuple):
    """A package, or one of its extras beside it; names are normalised."""

    name: str
    extra: str = ""

    def __str__(self) -> str:
        return f"{self.name}[{self.extra}]" if self.extra else self.name


class Edge(NamedTuple):
    """A requirement of a node, under a `marker` (PEP 508), which is empty where it always counts.

    `source` is `None` where the project itself requires it: `root` is then what of it does.
    """

    source: Node | None
    target: Node
    marker: str = ""
    root: str = ""


class Root(NamedTuple):
    """A part of the project that requires something; `chosen` is whether the layer has it."""

    label: str
    chosen: bool
    needs: tuple[Need, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Path:
    """A way from the project to a package; `edges` are its requirements in their order."""

    edges: tuple[Edge, ...]

    @property
    def root(self) -> str:
        """The part of the project that it begins with."""
        return self.edges[0].root


@dataclass(frozen=True, kw_only=True, slots=True)
class LockGraph:
    """The requirements of a lockfile.

    `versions` has those of each package by its name, `chosen` the roots that the layer has.
    `is_complete` is false where the lockfile does not tell what requires a package.
    """

    edges: tuple[Edge, ...]
    versions: Mapping[str, tuple[str, ...]]
    chosen: frozenset[str]
    is_complete: bool = True
    _to: dict[Node, list[Edge]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Sort the edges by what they lead to."""
        to: dict[Node, list[Edge]] = {}
        for edge in dict.fromkeys(self.edges):
            to.setdefault(edge.target, []).append(edge)
        object.__setattr__(self, "_to", to)

    @classmethod
    def of(cls, roots: Sequence[Root], packages: Iterable[LockedPackage]) -> LockGraph:
        """Return the graph of what `roots` lead to among `packages`."""
        by_name: dict[str, list[LockedPackage]] = {}
        for package in packages:
            by_name.setdefault(package.name, []).append(package)
        edges = [
            edge
            for root in roots
            for need in root.needs
            for edge in _edges(None, need, by_name, root.label)
        ]
        waiting, seen = deque(edge.target for edge in edges), set[Node]()
        while waiting:
            node = waiting.popleft()
            if node not in seen:
                seen.add(node)
                found = list(_of_node(node, by_name))
                edges += found
                waiting += (edge.target for edge in found)
        return cls(
            edges=tuple(edges),
            versions={
                name: tuple(dict.fromkeys(each.version for each in found if each.version))
                for name, found in by_name.items()
            },
            chosen=frozenset(root.label for root in roots if root.chosen),
        )

    def incomplete(self) -> LockGraph:
        """Return the same graph, of a lockfile that does not tell what requires a package."""
        return replace(self, is_complete=False)

    def paths(self, name: str, counts: Callable[[Edge], bool] = bool) -> Iterator[Path]:
        """Yield the ways to a package that pass no node twice, the shortest first.

        They consist of the requirements that `counts` returns true for, by default of all.
        """
        first = filter(counts, self._to.get(Node(name), ()))
        waiting: deque[tuple[Edge, ...]] = deque((edge,) for edge in first)
        while waiting:
            edges = waiting.popleft()
            source = edges[0].source
            if source is None:
                yield Path(edges=edges)
            elif source.name != name and all(edge.target != source for edge in edges):
                further = filter(counts, self._to.get(source, ()))
                room = max(0, _MOST_WAITING - len(waiting))
                waiting.extend((edge, *edges) for edge in islice(further, room))

    def obstacle(self, edge: Edge, environment: Mapping[str, object]) -> str | None:
        """Return why a requirement does not count in an environment; `None` where it does."""
        if edge.source is None and edge.root not in self.chosen:
            return f"the layer does not have {edge.root}"
        return _refusal(edge.marker, environment)


def _refusal(marker: str, environment: Mapping[str, object]) -> str | None:
    from packaging.markers import Marker

    if not marker:
        return None
    if is_undecided(marker, environment):
        return f"only the kernel decides `{marker}`"
    try:
        holds = Marker(marker).evaluate({"extra": "", **environment}, "lock_file")  # type: ignore[dict-item]
    except (ValueError, LookupError):
        return f"`{marker}` can't be evaluated"
    return None if holds else f"`{marker}` does not hold"


def _of_node(node: Node, by_name: Mapping[str, Sequence[LockedPackage]]) -> Iterator[Edge]:
    for package in by_name.get(node.name, ()):
        needs = list(package.needs(frozenset([node.extra] if node.extra else [])))
        own = set(map(_key, package.needs(frozenset()))) if node.extra else set()
        for need in needs:
            if _key(need) not in own:
                # pdm has an extra require the package that it is of.
                edges = _edges(node, need, by_name)
                yield from (edge for edge in edges if edge.target != Node(node.name))


def _key(need: Need) -> tuple[object, ...]:
    return need.name, need.marker, need.extras


def _edges(
    source: Node | None, need: Need, known: Collection[str], root: str = ""
) -> Iterator[Edge]:
    if need.name in known:
        for extra in ("", *sorted(need.extras)):
            yield Edge(source, Node(need.name, extra), need.marker, root)
