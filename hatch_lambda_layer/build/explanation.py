"""Explaining why a package is in a layer, or is not: the ways to it, its wheels, its cost.

Wheels are fetched, since only they tell their size and what they require. Nothing is built.
"""

from __future__ import annotations

import difflib
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from ..exceptions import ExclusionError, LambdaLayerError
from ..layer.dependency_graph import canonical
from ..layer.exclusion import exclude, words_of
from ..layer.explanation import Cost, Explanation, Removal, RequirementPath
from ..wheels.choice import judge_wheels
from ..wheels.conditions import marker_environment
from ..wheels.selection import LockedWheel
from .inputs import build_sources, layer_sources, read_direct

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from packaging.pylock import Package
    from packaging.requirements import Requirement

    from ..config.matrix import Member
    from ..layer.exclusion import Exclusion
    from ..lockfiles.graph import Edge, LockGraph, Path
    from ..wheels.selection import LockedSource, Selection
    from ..wheels.wheel import Wheel
    from .inputs import BuildContext

# The shortest ways, of more than anyone reads.
MOST_PATHS = 500


def explain_package(context: BuildContext, member: Member, name: str) -> Explanation:
    """Return why a package is in the layer of a member; raise `LambdaLayerError`.

    What can't be found out for want of a wheel is left out, and `unknown` says so.
    """
    (name,) = canonical([name])
    found = context.resolver.find(member.config)
    lock = context.resolver.lock(member.config, member.target)
    selection = context.resolver.selection(member.config, member.target)
    graph = found.lockfile.graph(found.path, found.request)
    packages = [each for each in lock.parse().packages if each.name == name]
    locked = next((each for each in selection.all if canonical([each.name]) == {name}), None)
    explained = Explanation(
        member=member.id,
        name=name,
        version=locked.version if locked else None,
        locked_versions=_versions(graph, packages, name),
        lockfile=found.path.name,
        status="included",
    )
    if locked is None:
        return _unselected(explained, graph, selection, member, lock.groups, lock.extras)
    wheels, unknown = _wheels(context, member, selection)
    direct = read_direct(context, member)
    if not graph.is_complete:
        from ..layer.wheel_graph import read_graph

        graph = read_graph(wheels, direct, member.target)
        explained = replace(explained, from_metadata=True)
    explained = _with_paths(explained, graph, member, lock.groups, lock.extras)
    explained = replace(_with_wheels(explained, packages, locked, member), unknown=unknown)
    return _with_removal(explained, wheels, direct, member)


def _versions(graph: LockGraph, packages: Sequence[Package], name: str) -> tuple[str, ...]:
    own = [str(each.version) for each in packages if each.version]
    return tuple(dict.fromkeys([*graph.versions.get(name, ()), *own]))


def _unselected(
    explained: Explanation,
    graph: LockGraph,
    selection: Selection,
    member: Member,
    groups: Collection[str],
    extras: Collection[str],
) -> Explanation:
    known = {*graph.versions, *(each.name for each in selection.all)}
    if explained.name not in known and not explained.locked_versions:
        near = difflib.get_close_matches(explained.name, sorted(known), n=1)
        suggestion = f" (did you mean `{near[0]}`?)" if near else ""
        why = f"{explained.lockfile} does not have it{suggestion}"
        return replace(explained, status="not-locked", why=why)
    explained = _with_paths(explained, graph, member, groups, extras)
    obstacles = list(dict.fromkeys(each.obstacle for each in explained.paths if each.obstacle))
    why = obstacles[0] if len(obstacles) == 1 else "no requirement of it counts there"
    if not explained.paths:
        why = "nothing that the lockfile names requires it"
    return replace(explained, status="not-selected", why=why)


def _with_paths(
    explained: Explanation,
    graph: LockGraph,
    member: Member,
    groups: Collection[str],
    extras: Collection[str],
) -> Explanation:
    environment: Mapping[str, object] = {
        **marker_environment(member.target),
        "extras": frozenset(extras),
        "dependency_groups": frozenset(groups),
    }
    refused = {edge: graph.obstacle(edge, environment) for edge in graph.edges}
    counting = graph.paths(explained.name, lambda edge: refused[edge] is None)
    paths = list(islice(counting, MOST_PATHS))
    others = (
        path
        for path in islice(graph.paths(explained.name), 2 * MOST_PATHS)
        if any(refused[edge] for edge in path.edges)
    )
    paths += islice(others, MOST_PATHS + 1 - min(len(paths), MOST_PATHS))
    return replace(
        explained,
        paths=tuple(_as_path(each, refused) for each in paths[:MOST_PATHS]),
        has_more_paths=len(paths) >= MOST_PATHS,
    )


def _as_path(path: Path, refused: Mapping[Edge, str | None]) -> RequirementPath:
    markers = (f" ; {edge.marker}" if edge.marker else "" for edge in path.edges)
    targets = (str(edge.target) for edge in path.edges)
    steps = [path.edges[0].root, *map("".join, zip(targets, markers, strict=True))]
    obstacle = next((refused[edge] for edge in path.edges if refused[edge]), None)
    return RequirementPath(steps=tuple(steps), obstacle=obstacle)


def _with_wheels(
    explained: Explanation,
    packages: Sequence[Package],
    locked: LockedWheel | LockedSource,
    member: Member,
) -> Explanation:
    filenames = sorted(
        {
            wheel.filename
            for package in packages
            if str(package.version or "") in ("", locked.version)
            for wheel in package.wheels or ()
        }
    )
    if isinstance(locked, LockedWheel):
        filenames = filenames or [locked.filename]
        return replace(explained, wheels=judge_wheels(filenames, locked.filename, member.target))
    return replace(
        explained, wheels=judge_wheels(filenames, None, member.target), source=locked.reason
    )


def _wheels(
    context: BuildContext, member: Member, selection: Selection
) -> tuple[Sequence[Wheel], str | None]:
    """Return the wheels of a layer that are there or can be fetched, and why not all."""
    from ..wheels.fetch import collect_wheels

    try:
        wheels = [*collect_wheels(selection.wheels, context.cache, context.console, context.access)]
        sources = layer_sources(context, member, selection, selection.sources)
        if sources is None:
            return wheels, None
        if missing := sorted(each.name for each in sources.missing):
            names = ", ".join(missing)
            return wheels, f"not built yet: {names}; what that requires is not known before"
        return [*wheels, *build_sources(sources, context)], None
    except LambdaLayerError as error:
        return (), error.message


def _with_removal(
    explained: Explanation, wheels: Sequence[Wheel], direct: Sequence[Requirement], member: Member
) -> Explanation:
    """Return the explanation with what the package costs, and what goes or has gone with it."""
    name, config = explained.name, member.config

    def kept(names: Iterable[str], allowed: Sequence[str] = ()) -> Exclusion:
        missing = [*config.allow_missing, *allowed]
        return exclude(wheels, list(names), missing, direct, member.target)

    if not wheels and name in words_of(config.exclude):
        return replace(explained, status="excluded", why="named in `exclude`")
    refused = None
    try:
        now = kept(config.exclude)
        if out := next((each for each in now.left_out if each.name == name), None):
            explained = replace(explained, status="excluded", why=out.why)
            before = kept(each for each in config.exclude if canonical([each]) != {name})
            leaving = _difference(before, now)
        else:
            try:
                leaving = _difference(now, kept([*config.exclude, name]))
            except ExclusionError as error:
                refused = error.message
                leaving = _difference(now, kept([*config.exclude, name], [name]))
    except ExclusionError as error:
        return replace(explained, unknown=error.message)
    own = [wheel for wheel in wheels if wheel.name == name]
    if not own:
        return explained
    removal = Removal(
        names=tuple(wheel.name for wheel in leaving if wheel.name != name),
        saved=_cost(leaving, wheels, member),
        refused=refused,
    )
    return replace(explained, cost=_cost(own, wheels, member), removal=removal)


def _difference(larger: Exclusion, smaller: Exclusion) -> list[Wheel]:
    names = {wheel.name for wheel in smaller.kept}
    return [wheel for wheel in larger.kept if wheel.name not in names]


def _cost(some: Iterable[Wheel], every: Sequence[Wheel], member: Member) -> Cost:
    """Return what some wheels take in the layer, after pruning."""
    from ..layer.composition import stub_readers
    from ..layer.placement import place
    from ..layer.pruning import prune
    from ..layer.tree import LayerTree

    entries = [entry for wheel in some for entry in place(wheel, member.target)[0]]
    if member.config.prune:
        tree, _ = prune(LayerTree(tuple(entries)), member.config.prune, stub_readers(every))
        entries = list(tree)
    return Cost(
        files=len(entries),
        unpacked_size=sum(entry.size for entry in entries),
        zipped_size=sum(entry.compressed_size for entry in entries),
    )
