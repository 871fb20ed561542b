"""The settings of a tool about sources: which must not be built, and what others are built with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from .._internal.process import redact
from ..exceptions import BuildError, LockfileError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

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


class BuildConstraint(NamedTuple):
    """A limit on the versions that sources are built with, for one package or for all.

    `text` is a line of a constraints file: a requirement (PEP 508), which may have hashes.
    """

    text: str
    package: str | None = None


class ExtraRequirement(NamedTuple):
    """A requirement (PEP 508) of a package's build that the package itself does not name.

    With `as_locked`, in the version that the layer has.
    """

    package: str
    text: str
    as_locked: bool = False


class BuildRequirements(NamedTuple):
    """The settings that count for the build of one source, beside its own requirements."""

    constraints: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildSettings:
    """The settings of a tool for the sources of a project's lock.

    `folder` is that of the project by whose `[tool.uv.sources]` the `extra` ones are understood.
    """

    no_build: tuple[NoBuild, ...] = ()
    constraints: tuple[BuildConstraint, ...] = ()
    extra: tuple[ExtraRequirement, ...] = ()
    folder: Path | None = None

    def requirements_of(self, name: str, versions: Mapping[str, str]) -> BuildRequirements:
        """Return what counts for the build of the package `name`.

        `versions` are those that are locked, by name. Raises `BuildError` for one that is missing.
        """
        constraints = {each.text for each in self.constraints if each.package in (None, name)}
        extra = {_settled(each, versions) for each in self.extra if each.package == name}
        return BuildRequirements(tuple(sorted(constraints)), tuple(sorted(extra)))

    def forbidden(self, name: str, kind: str, location: str) -> str | None:
        """Return where it is said that a source must not be built, `None` where it may be."""
        found = (each.where for each in self.no_build if each.forbids(name, kind, location))
        return next(found, None)


def requirement_text(text: object, where: str) -> str:
    """Return a requirement (PEP 508) as it is written; raise `LockfileError` for anything else."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        Requirement(str(text))
    except InvalidRequirement as error:
        raise LockfileError(
            f"{where} has `{redact(str(text))}`, which is not a requirement: {error}",
            hint="write a name with versions, such as `setuptools<82`",
        ) from error
    return str(text)


def _settled(extra: ExtraRequirement, versions: Mapping[str, str]) -> str:
    from packaging.requirements import Requirement

    if not extra.as_locked:
        return extra.text
    requirement = Requirement(extra.text)
    version = versions.get(_normal(requirement.name))
    if version is None:
        raise BuildError(
            f"The build of `{extra.package}` is to have the `{requirement.name}` of the layer "
            "(`match-runtime`), which has none",
            hint=f"let the project depend on `{requirement.name}`, or leave out `match-runtime` in "
            "`extra-build-dependencies`",
        )
    requirement.specifier &= f"=={version}"
    return str(requirement)


def words(value: object, separator: str | None = ",") -> list[str]:
    """Return the names in a setting: an array of them, or a text with a separator."""
    if isinstance(value, str):
        return [each.strip() for each in value.split(separator) if each.strip()]
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _normal(name: str) -> str:
    from packaging.utils import canonicalize_name

    return name if name.startswith(":") else canonicalize_name(name)
