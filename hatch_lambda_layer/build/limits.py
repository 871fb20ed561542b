"""The limit of a layer's size, before it is fetched, before it is built and when it is composed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..layer.composition import stub_readers
from ..layer.dependency_graph import DependencyGraph, Node, canonical, names_of
from ..layer.exclusion import words_of
from ..layer.forecast import Forecast
from ..layer.manifest import packages
from ..layer.savings import Load
from ..wheels.survey import Survey

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from packaging.requirements import Requirement

    from ..config.matrix import Member
    from ..layer.tree import LayerTree
    from ..wheels.selection import LockedWheel
    from ..wheels.wheel import Wheel

    # What the project itself asks for.
    Direct = Callable[[], Sequence[Requirement]]


def forecast(direct: Direct, member: Member) -> Forecast:
    """Return the check of a layer of which no wheel is there yet.

    `direct` are the requirements of the project itself. Of what is not excluded only these are sure
    to stay, since nobody has said yet who needs the others.
    """
    words = words_of(member.config.exclude)
    own = canonical(each.name for each in direct()) - words.keys()

    def stays(name: str) -> bool:
        return not words or name in own

    return Forecast(member.config, stays, lambda: [Node(name) for name in sorted(own)])


def check_wheels(
    locked: Sequence[LockedWheel],
    wheels: Sequence[Wheel],
    direct: Direct,
    member: Member,
) -> None:
    """Raise `SizeError` if the wheels alone are too large, whatever the sources come to."""
    graph = DependencyGraph(wheels, member.target)
    roots = graph.roots(direct())
    asked = set(graph.asked(direct()))
    words = words_of(member.config.exclude)
    kept = names_of(graph.reach(asked, without=words)) if words else graph.names
    found: Mapping[LockedWheel, Wheel | None] = dict(zip(locked, wheels, strict=True))
    Forecast(member.config, kept.__contains__, lambda: roots).check(found, Survey(None))


def load(direct: Direct, member: Member) -> Callable[[LayerTree, Sequence[Wheel]], Load]:
    """Return a function that returns what a layer that is too large consists of."""

    def of(tree: LayerTree, wheels: Sequence[Wheel]) -> Load:
        graph = DependencyGraph(wheels, member.target)
        return Load(
            sizes={each.name: each.unpacked_size for each in packages(tree, wheels)},
            entries=tree.entries,
            roots=graph.roots(direct()),
            graph=graph,
            stub_readers=stub_readers(wheels),
        )

    return of
