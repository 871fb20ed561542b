"""Leaving whole distributions out of a layer, without breaking what stays in it."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from ..exceptions import ExclusionError
from ..findings import codes
from ..targets.families import families
from .dependency_graph import DependencyGraph, canonical, names_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from packaging.requirements import Requirement

    from ..findings import Finding
    from ..targets.target import Target
    from ..wheels.wheel import Wheel
    from .dependency_graph import Node

# How many packages a sentence names.
_SHOWN = 6


class LeftOut(NamedTuple):
    """A distribution that is not in the layer; `why` is a phrase such as "named in `exclude`"."""

    name: str
    version: str
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Exclusion:
    """The wheels that stay in a layer, those that do not, both in order, and the findings."""

    kept: tuple[Wheel, ...]
    left_out: tuple[LeftOut, ...]
    findings: tuple[Finding, ...]


def exclude(
    wheels: Sequence[Wheel],
    names: Sequence[str],
    allow_missing: Collection[str],
    direct: Sequence[Requirement],
    target: Target,
) -> Exclusion:
    """Leave out the distributions and families in `names`, and what only they need.

    `direct` are the project's own requirements; `allow_missing` may be left out although something
    that stays needs them. Raises `ExclusionError` with every name that can't be left out.
    """
    if not names:
        return Exclusion(kept=tuple(wheels), left_out=(), findings=())
    plan = _Plan(wheels, names, direct, target)
    plan.check(canonical(allow_missing))
    return Exclusion(
        kept=tuple(wheel for wheel in wheels if wheel.name in plan.kept),
        left_out=tuple(
            LeftOut(wheel.name, wheel.version, plan.why(wheel.name))
            for wheel in wheels
            if wheel.name not in plan.kept
        ),
        findings=(*plan.unknown(names), *plan.shared_that_stay(), *plan.gone_with_others()),
    )


def words_of(names: Iterable[str]) -> Mapping[str, str]:
    """Return the word of `exclude` for each distribution that it names itself or by its family."""
    asked = canonical(names)
    words = {name: word for word in asked & families().keys() for name in families()[word].core}
    return words | {name: name for name in asked if name not in families()}


class _Plan:
    """The distributions that stay when `names` are left out, and why the others do not."""

    def __init__(
        self,
        wheels: Sequence[Wheel],
        names: Iterable[str],
        direct: Sequence[Requirement],
        target: Target,
    ) -> None:
        self._graph = DependencyGraph(wheels, target)
        self._families = [families()[name] for name in canonical(names) if name in families()]
        self._word = words_of(names)
        roots = self._graph.roots(direct)
        self._all = self._graph.reach(roots)
        stays = self._graph.reach(roots, without=self._word)
        self.kept = names_of(stays)
        self._direct = names_of(self._graph.asked(direct))
        self._needed_by: dict[str, list[str]] = {}
        for node in sorted(stays):
            for name in names_of(self._graph.needs(node)) - {node.name}:
                self._needed_by.setdefault(name, []).append(str(node))

    def check(self, allowed: Collection[str]) -> None:
        """Raise `ExclusionError` for names that others need, or whose family stays in part."""
        allowed = {*allowed}.union(
            *(each.core | each.shared for each in families().values() if each.name in allowed)
        )
        refused = {
            name: reasons
            for name in sorted(self._word.keys() & self._graph.names - allowed)
            if (reasons := self._reasons_to_stay(name))
        }
        if not refused:
            return
        raise ExclusionError(
            [
                f"`{name}`{self._of_family(name)} can't be left out: {reasons}"
                for name, reasons in refused.items()
            ],
            hint=self._hint(list(refused)),
        )

    def why(self, name: str) -> str:
        """Return why `name` is left out, as a phrase."""
        word = self._word.get(name)
        if word == name:
            why = "named in `exclude`"
        elif word or (word := self._family_sharing(name)):
            why = f"part of `{word}`"
        else:
            why = f"only {_listed(self._causes(name))} needed it"
        if name in self._needed_by:
            why += f", although {self._who_needs(name)} (`allow-missing`)"
        return why

    def unknown(self, names: Iterable[str]) -> Iterator[Finding]:
        """Yield a finding for each name that is neither in the layer nor in a family."""
        known = {*self._graph.names, *families()}
        familiar = known.union(*(each.core | each.shared for each in families().values()))
        for name in names:
            (normal,) = canonical([name])
            if normal not in familiar:
                near = difflib.get_close_matches(normal, sorted(known), n=1)
                suggestion = f" (did you mean `{near[0]}`?)" if near else ""
                yield codes.UNKNOWN_EXCLUSION.finding(
                    "exclude", f"`exclude` names {name!r}, which is not in the layer{suggestion}"
                )

    def shared_that_stay(self) -> Iterator[Finding]:
        """Yield a finding for each member of an excluded family that others need."""
        for family in self._families:
            for name in sorted(family.shared & self.kept):
                yield codes.SHARED_KEPT.finding(
                    name,
                    f"`{name}` stays, although it is part of `{family.name}`: "
                    + self._why_kept(name),
                )

    def gone_with_others(self) -> Iterator[Finding]:
        """Yield findings for what is left out because only excluded distributions need it."""
        gone: dict[tuple[str, ...], list[str]] = {}
        for name in sorted(self._graph.names - self.kept):
            if name not in self._word and not self._family_sharing(name):
                gone.setdefault(self._causes(name), []).append(name)
        for causes, names in sorted(gone.items()):
            are, them = ("is", "it") if len(names) == 1 else ("are", "them")
            yield codes.LEFT_OUT_TOO.finding(
                ", ".join(names),
                f"{_listed(names, len(names))} {are} left out, too: "
                f"only {_listed(causes)} needed {them}",
            )

    def _reasons_to_stay(self, name: str) -> str | None:
        """Return who needs `name`, or which of its family would stay; `None` if it can go."""
        family = next((each for each in families().values() if name in each.core), None)
        rest = sorted(family.core & self.kept) if family else []
        if name not in self._needed_by:
            stay = " and ".join(f"`{each}` stays ({self._why_kept(each)})" for each in rest)
            return f"it is part of `{family.name}`, of which {stay}" if family and rest else None
        part = f", and it is only a part of `{family.name}`" if family and rest else ""
        return self._who_needs(name) + part

    def _hint(self, refused: Sequence[str]) -> str:
        wholes = [
            f'`exclude = ["{family.name}"]` leaves out the whole family, except what others need '
            "of it"
            for family in families().values()
            if family not in self._families
            and family.core & self._graph.names
            and (family.core | family.shared) & {*refused}
        ]
        it = "it" if len(refused) == 1 else "them"
        names = ", ".join(f'"{name}"' for name in refused)
        return (
            f"{'; '.join(wholes) or f'keep {it}, or exclude what needs {it}, too'}; where the "
            f"runtime or another layer has {it}, allow that with `allow-missing = [{names}]`"
        )

    def _of_family(self, name: str) -> str:
        word = self._word[name]
        return "" if word == name else f" of `{word}`"

    def _family_sharing(self, name: str) -> str | None:
        return next((each.name for each in self._families if name in each.shared), None)

    def _who_needs(self, name: str) -> str:
        needers = self._needed_by[name]
        return f"{_listed(needers)} {'needs' if len(needers) == 1 else 'need'} it"

    def _why_kept(self, name: str) -> str:
        if name in self._needed_by:
            return self._who_needs(name)
        return (
            "the project asks for it"
            if name in self._direct
            else "the lockfile asks for it directly"
        )

    def _causes(self, name: str) -> tuple[str, ...]:
        """Return the words of `exclude` that need `name`, directly or through others."""
        return tuple(word for word, reached in self._reached.items() if name in reached)

    @cached_property
    def _reached(self) -> Mapping[str, set[str]]:
        """The distributions that each word of `exclude` needs, in the layer without `exclude`."""
        starts: dict[str, list[Node]] = {}
        for node in sorted(self._all):
            if node.name in self._word:
                starts.setdefault(self._word[node.name], []).append(node)
        return {word: names_of(self._graph.reach(starts[word])) for word in sorted(starts)}


def _listed(names: Sequence[str], shown: int = _SHOWN) -> str:
    """Return names for a sentence: `a`, `b` and `c`; of more than `shown` the first."""
    quoted = [f"`{name}`" for name in names[:shown]]
    if len(names) > shown:
        quoted.append(f"{len(names) - shown} more")
    return " and ".join(filter(None, [", ".join(quoted[:-1]), quoted[-1]]))
