"""Conditions of a lock that a target alone does not answer: the kernel, the patch release."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from ..exceptions import LockfileError
from ..lockfiles.markers import is_undecided

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from packaging.pylock import Pylock

    from ..lockfiles.protocol import Lock
    from ..targets.target import Target

# More patch releases than any version of Python has had.
_PATCHES = 100
# How many environments of a lock an error names.
_SHOWN = 6
_WIDEN = "widen `requires-python` or `environments` to this runtime, then lock again"


def without_undecided(pylock: Pylock, lock: Lock, target: Target) -> tuple[Pylock, tuple[str, ...]]:
    """Return a lock without the packages of which only the kernel decides, and notes on these."""
    environment = marker_environment(target)
    environment["extras"] = frozenset(lock.extras)
    environment["dependency_groups"] = frozenset(lock.groups or pylock.default_groups or ())
    left_out = [
        package
        for package in pylock.packages
        if package.marker and is_undecided(str(package.marker), environment)
    ]
    notes = tuple(
        f"Package `{package.name}` is left out: its marker `{package.marker}` depends on the "
        "kernel, which AWS chooses and changes"
        for package in left_out
    )
    kept = [package for package in pylock.packages if package not in left_out]
    return dataclasses.replace(pylock, packages=kept) if left_out else pylock, notes


def check_required(lock: Lock, names: Iterable[str], target: Target) -> None:
    """Raise `LockfileError` where `names` lack a package that the lock says is required."""
    from packaging.requirements import Requirement

    selected, environment = set(names), marker_environment(target)
    lost = {}
    for text in lock.required:
        requirement = Requirement(text)
        marker = str(requirement.marker or "")
        if requirement.name in selected or is_undecided(marker, environment):
            continue
        if requirement.marker is None or requirement.marker.evaluate(environment, "lock_file"):
            lost[requirement.name] = f"`{text}`"
    if lost:
        options = " ".join(f"--upgrade-package {name}" for name in lost)
        raise LockfileError(
            f"Lockfile `{lock.path}` records that {', '.join(lost.values())} must be installed, "
            "but not as a dependency: it was locked by a version of the tool that loses it",
            hint=f"update the tool, then lock again with `{lock.command} {options}`",
        )


def misfit(pylock: Pylock, target: Target, error: Exception) -> tuple[str, str]:
    """Return why a lock does not fit a target, and what to do.

    `error` tells of what no condition explains.
    """
    python = target.runtime.python
    major, minor = target.runtime.python_version
    for condition, holds in _conditions(pylock, target, str(error)):
        if holds(python):
            continue
        patches = (f"{major}.{minor}.{later}" for later in range(_PATCHES))
        reason = f"{condition}, and {target.runtime.id} counts as {python}"
        if fitting := next(filter(holds, patches), None):
            reason += ": that patch release is a floor, AWS may have moved on to a later one"
            hint = (
                "if your functions run on a patch release that fits, name it: "
                f'`python-full-version = ["{fitting}"]` in `[tool.lambda-layer]`'
            )
            return reason, hint
        return reason, _WIDEN
    return str(error), _WIDEN


def _conditions(
    pylock: Pylock, target: Target, error: str
) -> Iterator[tuple[str, Callable[[str], bool]]]:
    """Yield what a lock asks of a target, in words and as a function of the Python version.

    Of its packages, only those count that `error` names: others may not be for the target.
    """
    if pylock.requires_python is not None:
        yield f"it is for Python {pylock.requires_python}", pylock.requires_python.contains
    if markers := pylock.environments:
        environment = marker_environment(target)

        def is_met(python: str) -> bool:
            own = {**environment, "python_full_version": python}
            return any(marker.evaluate(own) for marker in markers)

        yield f"it is for environments with {_alternatives(markers)} only", is_met
    for package in pylock.packages:
        if package.requires_python is not None and repr(package.name) in error:
            condition = f"its package `{package.name}` requires Python {package.requires_python}"
            yield condition, package.requires_python.contains


def _alternatives(markers: Sequence[object]) -> str:
    named = " or ".join(f"`{marker}`" for marker in markers[:_SHOWN])
    return f"{named}, or others" if len(markers) > _SHOWN else named


def marker_environment(target: Target) -> dict[str, str | AbstractSet[str]]:
    """Return the environment of a target, to which sets of PEP 751 can be added."""
    return {key: str(value) for key, value in target.marker_environment().items()}


def undefined_marker(pylock: Pylock, target: Target, error: Exception) -> str:
    """Return the marker that can't be evaluated for a target, with the package that has it."""
    environment = marker_environment(target)
    # Those of PEP 751, which the selection adds to those of the target.
    environment |= dict.fromkeys(("extras", "dependency_groups"), frozenset[str]())
    for package in pylock.packages:
        try:
            if package.marker:
                package.marker.evaluate(environment, "lock_file")
        except (ValueError, LookupError):
            return f"`{package.marker}` of package `{package.name}` ({error})"
    return f"`requires-python`, or one of `environments` ({error})"
