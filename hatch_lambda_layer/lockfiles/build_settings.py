"""The settings of a tool about sources: which of them must not be built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

ALL = ":all:"
# The source of a package that an index has, as `LockedSource` names its kind.
FROM_INDEX = frozenset({"sdist"})


@dataclass(frozen=True, kw_only=True, slots=True)
class NoBuild:
    """Packages that a tool must not build, and `where` that is said.

    `names` are normalised; `ALL` among them stands for every package but those in `allowed`.
    `kinds` are the kinds of sources that it is about, `None` for all of them. Folders in
    `first_party` are built in any case.
    """

    where: str
    names: frozenset[str]
    allowed: frozenset[str] = frozenset()
    kinds: frozenset[str] | None = None
    first_party: frozenset[str] = frozenset()

    @classmethod
    def read(
        cls,
        where: str,
        names: Iterable[str],
        *,
        allowed: Iterable[str] = (),
        kinds: frozenset[str] | None = None,
        first_party: Collection[str] = (),
    ) -> NoBuild:
        """Return it for names as users write them."""
        return cls(
            where=where,
            names=frozenset(map(_normal, names)),
            allowed=frozenset(map(_normal, allowed)),
            kinds=kinds,
            first_party=frozenset(first_party),
        )

    def forbids(self, name: str, kind: str, location: str) -> bool:
        """Return whether a source must not be built: its package's name, its kind and its place."""
        if location in self.first_party or (self.kinds is not None and kind not in self.kinds):
            return False
        return name in self.names or (ALL in self.names and name not in self.allowed)


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildSettings:
    """The settings of a tool for the sources of a project's lock."""

    no_build: tuple[NoBuild, ...] = ()

    def forbidden(self, name: str, kind: str, location: str) -> str | None:
        """Return where it is said that a source must not be built, `None` where it may be."""
        found = (each.where for each in self.no_build if each.forbids(name, kind, location))
        return next(found, None)


def words(value: object, separator: str | None = ",") -> list[str]:
    """Return the names in a setting: an array of them, or a text with a separator."""
    if isinstance(value, str):
        return [each.strip() for each in value.split(separator) if each.strip()]
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _normal(name: str) -> str:
    from packaging.utils import canonicalize_name

    return name if name.startswith(":") else canonicalize_name(name)
