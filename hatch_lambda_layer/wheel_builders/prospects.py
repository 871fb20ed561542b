"""Why sources are built although wheels are wanted, and the ways out where a build is in vain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..exceptions import BuildError
from ..wheels.unavailable import has_wheels, is_native, needed_glibc, newer_runtime, why_built
from .compilers import compiles_for
from .failures import NATIVE_HINT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._internal.console import Console
    from ..targets.target import Target
    from ..wheels.selection import LockedSource
    from .relocking import Relocking


def check_prospects(
    sources: Sequence[LockedSource], target: Target, relocking: Relocking, console: Console
) -> None:
    """Check what is known of sources that are to be built on this machine; warn of doubtful ones.

    Raises `BuildError` with all sources that are sure to have native code, for another machine or
    system than this one.
    """
    native = [each for each in sources if is_native(each)]
    if native and not compiles_for(target):
        raise BuildError(
            f"These packages have native code, which this machine can't compile for {target.id}:\n"
            + _listed(native, target),
            hint="; or ".join([NATIVE_HINT, *_ways_out(native, target, relocking)]),
        )
    if newer := [each for each in native if needed_glibc(each, target)]:
        ways = "; or ".join(_ways_out(newer, target, relocking))
        console.warning(
            "These packages are compiled on this machine, which can take long and come to nothing, "
            f"since their wheels need a newer glibc:\n{_listed(newer, target)}\nhint: {ways}"
        )


def explained(
    error: BuildError, source: LockedSource, target: Target, relocking: Relocking
) -> BuildError:
    """Return the error of a failed build, after the reason for which the source is built at all."""
    if source.kind == "project":
        return error
    hints = [error.hint, *_ways_out([source], target, relocking)]
    return BuildError(
        f"{why_built(source, target)}\n\n{error.message}", hint="; or ".join(filter(None, hints))
    )


def _listed(sources: Sequence[LockedSource], target: Target) -> str:
    return "\n".join(f"- {why_built(each, target)}" for each in sources)


def _ways_out(
    sources: Sequence[LockedSource], target: Target, relocking: Relocking
) -> Sequence[str]:
    """Return the ways to wheels for all of the sources, each as a part of a hint."""
    if not all(each.wheels for each in sources):
        return ()
    newer = newer_runtime([each.wheels for each in sources], target)
    choose = [f"choose a newer runtime: {has_wheels(newer)}"] if newer else []
    return [*choose, relocking.hint([each.name for each in sources], target)]
