"""Conditions of a lock that a target alone does not answer: the kernel, the patch release."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from ..exceptions import LockfileError
from ..lockfiles.markers import is_undecided

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

    from packaging.pylock import Pylock

    from ..lockfiles.protocol import Lock
    from ..targets.target import Target

# More patch releases than any version of Python has had.
_PATCHES = 100


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
    """Return why a lock does not fit a target, and what to do."""
    python = target.runtime.python
    major, minor = target.runtime.python_version
    for pythons in (pylock.requires_python, *(each.requires_python for each in pylock.packages)):
        if pythons is None or pythons.contains(python):
            continue
        for later in range(_PATCHES):
            version = f"{major}.{minor}.{later}"
            if pythons.contains(version):
                reason = (
                    f"it requires Python {pythons}, and {target.runtime.id} counts as {python}: "
                    "that patch release is a floor, AWS may have moved on to a later one"
                )
                hint = (
                    "if your functions run on a patch release that fits, name it: "
                    f'`python-full-version = ["{version}"]` in `[tool.lambda-layer]`'
                )
                return reason, hint
    hint = "widen `requires-python` or `environments` to this runtime, then lock again"
    return str(error), hint


def marker_environment(target: Target) -> dict[str, str | AbstractSet[str]]:
    """Return the environment of a target, to which sets of PEP 751 can be added."""
    return {key: str(value) for key, value in target.marker_environment().items()}
