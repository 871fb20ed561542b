"""Checks of a wheel that was built here: it must be the locked package, and fit the target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..exceptions import BuildError
from ..lockfiles.protocol import UNNAMED
from ..wheels.native_files import has_native_files, listed, tags_of, unfitting_files
from .sources import title

if TYPE_CHECKING:
    from ..targets.target import Target
    from ..wheels.selection import LockedSource
    from ..wheels.wheel import Wheel


def is_pure(wheel: Wheel) -> bool:
    """Return whether the wheel is the same on every platform, by its tags and by its files."""
    return _is_for_any(wheel) and not has_native_files(wheel)


def _hides_native_files(wheel: Wheel) -> bool:
    return _is_for_any(wheel) and has_native_files(wheel)


def _is_for_any(wheel: Wheel) -> bool:
    return all(tag.platform == "any" for tag in tags_of(wheel))


def fits_by_tag(wheel: Wheel, target: Target) -> bool:
    """Return whether one of the wheel's tags fits the target; plain `linux` counts as fitting.

    `linux_x86_64` says nothing about glibc: only the wheel's ELF files show whether it fits.
    """
    return not tags_of(wheel).isdisjoint(target.tags())


def check_identity(wheel: Wheel, source: LockedSource) -> None:
    """Raise `BuildError` unless the wheel has the name and the version that are locked.

    No lockfile names those of the project itself, nor those of a source that nobody has read yet.
    """
    if source.kind == "project" or source.name == UNNAMED:
        return
    from packaging.utils import canonicalize_name
    from packaging.version import Version

    same_version = source.version is None or Version(wheel.version) == Version(source.version)
    if canonicalize_name(source.name) == wheel.name and same_version:
        return
    raise BuildError(
        f"The wheel that was built from {title(source)} is `{wheel.name} {wheel.version}`",
        hint="lock again if the source has changed",
    )


def check_fit(
    wheel: Wheel,
    source: LockedSource,
    target: Target,
    python: tuple[int, int],
    hint_of_builder: str,
) -> None:
    """Raise `BuildError` with the reasons for which the target can't run a verified wheel.

    `python` is the (major, minor) version that it was built with, `hint_of_builder` its builder's
    hint for a native wheel.
    """
    reasons = [] if fits_by_tag(wheel, target) else [_unfitting_tags(wheel, target, python)]
    # The libraries of a macOS wheel would only add reasons of the same kind.
    reasons += list(unfitting_files(wheel, target)) if not reasons else []
    if _hides_native_files(wheel) and python != target.runtime.python_version:
        reasons.append(f"its tag says that it has no native code: {_of_python(target, python)}")
    if not reasons:
        return
    hint = f"choose a version of `{source.name}` that has a wheel for {target.id}"
    if source.kind == "project":
        hint = "set `include-project = false`"
    if not is_pure(wheel):
        hint = f"{hint_of_builder}; or {hint}"
    raise BuildError(
        f"The wheel `{wheel.filename}` that was built from {title(source)} does not fit "
        f"{target.id}:\n{listed(reasons)}",
        hint=hint,
    )


def _unfitting_tags(wheel: Wheel, target: Target, python: tuple[int, int]) -> str:
    tags = ", ".join(sorted(map(str, tags_of(wheel))))
    pythons = {(tag.interpreter, tag.abi) for tag in target.tags()}
    other = not any((tag.interpreter, tag.abi) in pythons for tag in tags_of(wheel))
    if other and python != target.runtime.python_version:
        return f"it is for {tags}: {_of_python(target, python)}"
    return f"it is for {tags}, the runtime is Linux on {target.architecture.machine}"


def _of_python(target: Target, python: tuple[int, int]) -> str:
    needed = "{}.{}".format(*target.runtime.python_version)
    return (
        f"it was built with Python {python[0]}.{python[1]}, because this machine has no Python "
        f"{needed} (`uv python install {needed}` installs it)"
    )
