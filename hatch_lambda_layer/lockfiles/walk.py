"""From what a project requires to the packages of its lockfile, for one environment.

Lockfiles of poetry 1, and of pdm without `inherit_metadata`, have the dependencies of each package,
but not where a package is needed. Their tools find that out by following the dependencies, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from . import pylock_text as _text
from .markers import NEVER, is_undecided, parse_marker, same

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from packaging.specifiers import SpecifierSet


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """A requirement of the project or of a locked package.

    `name` and `extras` are normalised, `marker` is empty where it always holds. `accepts` returns
    whether a package of that name is what is required. `is_optional` is true where only an extra
    makes it one. `text` is for messages.
    """

    name: str
    text: str
    marker: str = ""
    extras: frozenset[str] = frozenset()
    is_optional: bool = False
    accepts: Callable[[Any], bool] = lambda _: True

    def applies(self, environment: Mapping[str, str]) -> bool:
        """Return whether its marker holds in an environment (PEP 508)."""
        from packaging.markers import Marker

        return not self.marker or Marker(self.marker).evaluate({**environment, "extra": ""})


class LockedPackage(Protocol):
    """One package of a lockfile, at one version from one place."""

    @property
    def name(self) -> str:
        """The normalised name."""
        ...

    @property
    def version(self) -> str:
        """The version, which may be empty."""
        ...

    def dependencies(self) -> Iterable[Need]:
        """Return all its dependencies, those of its extras too."""
        ...

    def needs(self, extras: Collection[str]) -> Iterable[Need]:
        """Return its dependencies where `extras` of it are required, and no others."""
        ...

    def fits(self, environment: Mapping[str, str]) -> bool:
        """Return whether it can be installed in `environment`, as far as the lockfile knows."""
        ...


def walk(
    needs: Sequence[Need], packages: Iterable[LockedPackage], environment: Mapping[str, str]
) -> dict[int, str | None]:
    """Return the packages that `needs` lead to in an environment (PEP 508), by their `id`.

    The value is a marker where only the kernel decides, `None` elsewhere. Of several versions, the
    latest is taken that all who need it accept. What the lockfile does not have is passed over.
    """
    choices: dict[str, list[LockedPackage]] = {}
    for package in sorted(packages, key=_version, reverse=True):
        if package.fits(environment):
            choices.setdefault(package.name, []).append(package)
    while True:
        attempt = _Walk(choices, environment)
        refused = attempt.follow(needs)
        if not refused:
            return attempt.found()
        # What is reached may be another set now, so it starts anew.
        choices = {
            name: [each for each in found if id(each) not in refused]
            for name, found in choices.items()
        }


class _Walk:
    """One way through the packages, where the first of each name's `choices` is taken."""

    def __init__(
        self, choices: Mapping[str, Sequence[LockedPackage]], environment: Mapping[str, str]
    ) -> None:
        self._choices = choices
        self._environment = dict(environment)
        self._extras: dict[str, set[str]] = {}
        self._picks: dict[str, LockedPackage] = {}
        self._undecided: dict[str, list[str]] = {}

    def follow(self, needs: Sequence[Need]) -> set[int]:
        """Follow `needs` to their end; return the `id` of packages that are not accepted."""
        waiting, refused = list(needs), set()
        while waiting:
            need = waiting.pop()
            choices = self._choices.get(need.name)
            if not choices or not self._applies(need):
                continue
            pick = self._picks.get(need.name) or self._pick(need, choices)
            # Where no version is accepted, the project has overridden the requirement.
            if not need.accepts(pick) and any(map(need.accepts, choices)):
                refused.add(id(pick))
            is_new = need.name not in self._extras
            extras = self._extras.setdefault(need.name, set())
            if is_new or not need.extras <= extras:
                extras |= need.extras
                waiting += pick.needs(frozenset(extras))
        return refused

    def found(self) -> dict[int, str | None]:
        """Return the packages that were reached, with their markers."""
        found: dict[int, str | None] = {id(each): None for each in self._picks.values()}
        for name, markers in self._undecided.items():
            if name not in self._picks:
                found[id(self._choices[name][0])] = _text.any_of(markers)
        return found

    def _pick(self, need: Need, choices: Sequence[LockedPackage]) -> LockedPackage:
        pick = next(filter(need.accepts, choices), choices[0])
        self._picks[need.name] = pick
        return pick

    def _applies(self, need: Need) -> bool:
        if is_undecided(need.marker, self._environment):
            self._undecided.setdefault(need.name, []).append(need.marker)
            return False
        return need.applies(self._environment)


def changes(
    needs: Iterable[Need], packages: Sequence[LockedPackage], pythons: SpecifierSet | None
) -> Iterator[str]:
    """Yield what tells that a lock is not that of a project which requires `needs`, in words.

    `needs` are those of all groups and extras, for all environments with one of `pythons`.
    """
    needs = [need for need in needs if not same(parse_marker(need.marker), NEVER, pythons)]
    by_name: dict[str, list[LockedPackage]] = {}
    for package in packages:
        by_name.setdefault(package.name, []).append(package)
    for need in needs:
        if not any(map(need.accepts, by_name.get(need.name, ()))):
            yield f"`{need.text}` is not in it"
    waiting = [need.name for need in needs]
    reached: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += [each.name for one in by_name.get(name, ()) for each in one.dependencies()]
    yield from (f"nothing requires `{name}` any more" for name in by_name if name not in reached)


def _version(package: LockedPackage) -> tuple[object, ...]:
    from packaging.version import InvalidVersion, Version

    try:
        return True, Version(package.version)
    except InvalidVersion:
        return (False,)
