"""Putting off what a layer leaves out: it is neither fetched nor built unless something needs it.

`exclude` names distributions; what only these need goes with them. What they need is in the
lockfile, or the index tells it. Whether anything else needs it shows when the rest is there.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from ..wheels.location import local_path
from ..wheels.selection import LockedWheel

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from packaging.requirements import Requirement

    from ..config.matrix import Member
    from ..layer.exclusion import Absent
    from ..lockfiles.dependencies import LockedDependencies
    from ..targets.target import Target
    from ..wheels.selection import LockedSource, Selection
    from .inputs import BuildContext


class Deferral(NamedTuple):
    """The parts of a selection: those that are fetched or built at once, and those put off."""

    now: Selection
    later: Selection
    absent: tuple[Absent, ...]

    @classmethod
    def nothing(cls, selection: Selection) -> Deferral:
        """Return that of a layer which leaves nothing out."""
        return cls(selection, selection._replace(wheels=(), sources=()), ())

    @property
    def identities(self) -> list[tuple[object, ...]]:
        """The identity of each source that may never be built, as JSON has it."""
        return [(each.name, each.version, _identity(each)) for each in self.later.sources]

    def parted(self, wanted: Collection[str]) -> tuple[Selection, Deferral]:
        """Return those that are wanted after all, and the deferral of the others."""
        rest = {each.name for each in self.later.all} - set(wanted)
        absent = tuple(each for each in self.absent if each.name in rest)
        return _chosen(self.later, wanted), Deferral(self.now, _chosen(self.later, rest), absent)


def defer(
    context: BuildContext, member: Member, selection: Selection, direct: Sequence[Requirement]
) -> Deferral:
    """Put off what `exclude` leaves out for sure, or may leave out.

    Raises `ExclusionError` where the lockfile tells that something else needs what is excluded,
    and `LockfileError`.
    """
    from ..layer.exclusion import words_of

    config = member.config
    by_name = {each.name: each for each in selection.all if _is_remote(each)}
    words = words_of(config.exclude).keys() & by_name.keys()
    if not words:
        return Deferral.nothing(selection)
    locked = context.resolver.dependencies(config)
    if locked is not None:
        absent = _told_by_lock(member, selection, direct, locked)
    else:
        read = _Reader(context, by_name, member.target)
        absent = read.reached_from(words, direct)
    if config.libraries:
        # They may be in a wheel that is left out.
        absent = {k: v for k, v in absent.items() if not isinstance(by_name[k], LockedWheel)}
    names = absent.keys() & by_name.keys()
    return Deferral(
        now=_chosen(selection, {each.name for each in selection.all} - names),
        later=_chosen(selection, names),
        absent=tuple(absent[name] for name in sorted(names)),
    )


def _told_by_lock(
    member: Member,
    selection: Selection,
    direct: Sequence[Requirement],
    locked: LockedDependencies,
) -> Mapping[str, Absent]:
    """Return what is left out by what the lockfile says of all packages."""
    from ..layer.exclusion import exclude

    config = member.config
    every = {each.name: _locked(each, locked) for each in selection.all}
    plan = exclude(
        (), config.exclude, config.allow_missing, direct, member.target, [*every.values()]
    )
    return {name: each for name, each in every.items() if name not in plan.wanted}


def _locked(each: LockedWheel | LockedSource, locked: LockedDependencies) -> Absent:
    from ..layer.exclusion import Absent

    requirements = locked.of(each.name, each.version)
    known = requirements is not None
    return Absent(each.name, each.version or "", requirements or (), known)


class _Reader:
    """Finds what distributions lead to, by what indexes tell of them."""

    def __init__(
        self,
        context: BuildContext,
        by_name: Mapping[str, LockedWheel | LockedSource],
        target: Target,
    ) -> None:
        self._context = context
        self._by_name = by_name
        self._target = target

    def reached_from(
        self, words: Collection[str], direct: Sequence[Requirement]
    ) -> Mapping[str, Absent]:
        """Return `words` and all that they lead to, less what the project itself requires."""
        from ..layer.dependency_graph import DependencyGraph, Node, names_of
        from ..layer.exclusion import Absent

        absent: dict[str, Absent] = {}
        stubs = {name: Absent(name, "") for name in self._by_name}
        waiting = set(words)
        while waiting:
            absent |= self._read(waiting)
            graph = DependencyGraph({**stubs, **absent}.values(), self._target)
            asked = set(graph.asked(direct))
            starts = {*map(Node, words), *(node for node in asked if node.name in words)}
            stays = names_of(asked) - set(words)
            waiting = names_of(graph.reach(starts, without=stays)) - absent.keys()
        return absent

    def _read(self, names: Collection[str]) -> dict[str, Absent]:
        from ..layer.exclusion import Absent
        from ..wheels.requirements import read_requirements

        packages = [self._by_name[name] for name in sorted(names)]
        found = read_requirements(packages, self._context.cache, self._context.access)
        return {
            each.name: Absent(
                each.name,
                each.version or "",
                found[each.name] or (),
                found[each.name] is not None,
            )
            for each in packages
        }


def _is_remote(each: LockedWheel | LockedSource) -> bool:
    """Return whether it would have to be fetched or built; a wheel of this machine would not."""
    if not isinstance(each, LockedWheel):
        return True
    path = local_path(each.location)
    return path is None or not os.path.isfile(path)  # noqa: PTH113  # a NUL is no error to it


def _identity(source: LockedSource) -> str | None:
    if source.kind != "directory":
        return source.sha256 or source.commit
    from ..exceptions import LambdaLayerError
    from ..wheel_builders import source_digest

    try:
        return source_digest(source)
    except LambdaLayerError:
        return None  # what is left out need not be there


def _chosen(selection: Selection, names: Collection[str]) -> Selection:
    return selection._replace(
        wheels=tuple(each for each in selection.wheels if each.name in names),
        sources=tuple(each for each in selection.sources if each.name in names),
    )
