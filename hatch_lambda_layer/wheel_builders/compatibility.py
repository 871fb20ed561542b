"""Checks of a wheel that was built here: it must be the locked package, and fit the target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..exceptions import BuildError
from ..targets.loading import misfits
from .sources import title

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from packaging.tags import Tag

    from ..targets.elf import ElfFile
    from ..targets.target import Target
    from ..wheels.selection import LockedSource
    from ..wheels.wheel import Wheel

_SHOWN = 5


def is_pure(wheel: Wheel) -> bool:
    """Return whether the wheel's tags promise that it is the same on every platform."""
    return all(tag.platform == "any" for tag in _tags(wheel))


def fits_by_tag(wheel: Wheel, target: Target) -> bool:
    """Return whether one of the wheel's tags fits the target; plain `linux` counts as fitting.

    `linux_x86_64` says nothing about glibc: only the wheel's ELF files show whether it fits.
    """
    fitting = {(tag.interpreter, tag.abi, tag.platform) for tag in target.tags()}
    linux = f"linux_{target.architecture.machine}"
    fitting |= {(interpreter, abi, linux) for interpreter, abi, _ in fitting}
    return any((tag.interpreter, tag.abi, tag.platform) in fitting for tag in _tags(wheel))


def check_identity(wheel: Wheel, source: LockedSource) -> None:
    """Raise `BuildError` unless the wheel has the name and the version that are locked.

    No lockfile names those of the project itself.
    """
    if source.kind == "project":
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
    reasons += list(_unfitting_files(wheel, target)) if not reasons else []
    if not reasons:
        return
    more = [f"and {len(reasons) - _SHOWN} more"] if len(reasons) > _SHOWN else []
    hint = f"choose a version of `{source.name}` that has a wheel for {target.id}"
    if source.kind == "project":
        hint = "set `include-project = false`"
    if not is_pure(wheel):
        hint = f"{hint_of_builder}; or {hint}"
    raise BuildError(
        f"The wheel `{wheel.filename}` that was built from {title(source)} does not fit "
        f"{target.id}:\n" + "\n".join(f"- {reason}" for reason in [*reasons[:_SHOWN], *more]),
        hint=hint,
    )


def _tags(wheel: Wheel) -> frozenset[Tag]:
    from packaging.utils import parse_wheel_filename

    return parse_wheel_filename(wheel.filename)[-1]


def _unfitting_tags(wheel: Wheel, target: Target, python: tuple[int, int]) -> str:
    tags = ", ".join(sorted(map(str, _tags(wheel))))
    wanted = target.runtime.python_version
    pythons = {(tag.interpreter, tag.abi) for tag in target.tags()}
    if python != wanted and not any((tag.interpreter, tag.abi) in pythons for tag in _tags(wheel)):
        needed = "{}.{}".format(*wanted)
        return (
            f"it is for {tags}: it was built with Python {python[0]}.{python[1]}, because "
            f"this machine has no Python {needed} (`uv python install {needed}` installs it)"
        )
    return f"it is for {tags}, the runtime is Linux on {target.architecture.machine}"


def _unfitting_files(wheel: Wheel, target: Target) -> Iterator[str]:
    pure = is_pure(wheel)
    native = dict(wheel.native)
    files: dict[str, ElfFile] = {}
    for member in wheel.members:
        is_elf = member.sha256 in native
        if pure and (is_elf or member.path.endswith(".so")):
            yield f"`{member.path}` is native code, and the wheel's tag says that it has none"
        elif is_elf:
            files[member.path] = native[member.sha256]
    beside = _libraries(files)
    for path, elf in files.items():
        for reason in misfits(elf, target, beside):
            yield f"`{path}` {reason}"


def _libraries(files: Mapping[str, ElfFile]) -> Sequence[str]:
    """Return the names under which ELF files can require the libraries of a wheel."""
    names = [path.rpartition("/")[-1] for path in files]
    return [*names, *(elf.soname for elf in files.values() if elf.soname)]
