"""The explanation of a package in a layer: the ways to it, its wheels, what it costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ..wheels.choice import JudgedWheel

Status = Literal["included", "excluded", "not-selected", "not-locked"]


@dataclass(frozen=True, kw_only=True, slots=True)
class RequirementPath:
    """A way from the project to the package: the part of the project, then each package.

    A step has the marker of its requirement after a `;`. `obstacle` is why the way does not count
    for the layer, `None` where it does.
    """

    steps: tuple[str, ...]
    obstacle: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """The room that packages take in the layer, in bytes; the zipped size is without headers."""

    files: int
    unpacked_size: int
    zipped_size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Removal:
    """The packages that an exclusion would take along, and what all of them take together.

    `refused` says who needs it, so that it could only go with `allow-missing`.
    """

    names: tuple[str, ...]
    saved: Cost
    refused: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """The reasons why a package is in the layer of a `member`, or is not.

    `why` is a phrase where it is not. `from_metadata` is whether the paths come from wheels, since
    the lockfile has none. `unknown` is why `cost` and `removal` are not known, or not sure.
    """

    member: str
    name: str
    version: str | None = None
    locked_versions: tuple[str, ...] = ()
    lockfile: str
    status: Status
    why: str | None = None
    paths: tuple[RequirementPath, ...] = ()
    has_more_paths: bool = False
    from_metadata: bool = False
    wheels: tuple[JudgedWheel, ...] = ()
    source: str | None = None
    cost: Cost | None = None
    removal: Removal | None = None
    unknown: str | None = None
