"""The targets and groups that a `pdm.lock` was made for, and the commands that lock for more.

No command that a hint names changes the version of a package that is locked already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..._internal.tables import table_at
from ...exceptions import LockfileError, backticked
from .document import target_markers
from .freshness import format_of
from .requirements import says_what_it_needs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ...targets.target import Target

AGAIN = "pdm lock --update-reuse"
# The format of pdm 2.17, which has `--python`, and of pdm 2.12, which has `--update-reuse`.
_WITH_TARGETS, _WITH_REUSE = (4, 5), (4, 4, 1)
_OWN = "the one platform that it was made on"


def relocking(metadata: Mapping[str, Any], project: Mapping[str, Any], target: Target) -> str:
    """Return the hint to lock again, for the targets that the project asks for."""
    version = format_of(metadata)
    if _is_for(metadata, target) or not _allows(project, target):
        return f"lock again with `{AGAIN}`{_since(version)}"
    newer = f'`{AGAIN} --python "{_pythons(project, target)}"`'
    if version >= _WITH_TARGETS:
        return f"lock again with {newer}"
    return f"lock again with `{AGAIN} --strategy cross_platform`, or with {newer} of pdm 2.17 on"


def check_scope(
    path: Path,
    metadata: Mapping[str, Any],
    project: Mapping[str, Any],
    wanted: Sequence[str],
    target: Target,
) -> None:
    """Raise `LockfileError` for a lock without what is wanted, or not for the target.

    `wanted` are groups and extras.
    """
    if "inherit_metadata" not in _strategy(metadata) and not says_what_it_needs(project):
        raise LockfileError(
            f"Lockfile `{path}` does not say which groups need a package, nor does pyproject.toml",
            hint=f"lock again with `{AGAIN} --strategy inherit_metadata`"
            + _since(format_of(metadata)),
        )
    # Where the project itself excludes the target, its Pythons are what is to be widened.
    if not _is_for(metadata, target) and _allows(project, target):
        markers = target_markers(metadata)
        only = f"{' or '.join(f'`{each}`' for each in markers)} only" if markers else _OWN
        raise LockfileError(
            f"Lockfile `{path}` does not fit {target.id}: it is for {only}",
            hint=relocking(metadata, project, target),
        )
    _check_groups(path, metadata, wanted)


def _check_groups(path: Path, metadata: Mapping[str, Any], wanted: Sequence[str]) -> None:
    from packaging.utils import canonicalize_name

    locked = {canonicalize_name(group) for group in metadata.get("groups", wanted)}
    if missing := [name for name in wanted if canonicalize_name(name) not in locked]:
        options = "".join(f" --group {name}" for name in missing)
        raise LockfileError(
            f"Lockfile `{path}` leaves out {backticked(missing)} of the project",
            hint=f"lock again with `{AGAIN}{options}`{_since(format_of(metadata))}",
        )


def _is_for(metadata: Mapping[str, Any], target: Target) -> bool:
    """Return whether a lock is for a target, as far as it names targets."""
    from packaging.markers import Marker

    if "targets" not in metadata:
        # Before pdm 2.10, a key said so, and the default was the strategy.
        return "cross_platform" in _strategy(metadata) and metadata.get("cross_platform", True)
    environment = {key: str(value) for key, value in target.marker_environment().items()}
    markers = target_markers(metadata)
    return not markers or any(Marker(each).evaluate(environment) for each in markers)


def _strategy(metadata: Mapping[str, Any]) -> Sequence[str]:
    found: Sequence[str] = metadata.get("strategy", ["cross_platform"])
    return found


def _allows(project: Mapping[str, Any], target: Target) -> bool:
    from packaging.specifiers import SpecifierSet

    pythons = SpecifierSet(_requires_python(project))
    return pythons.contains(target.runtime.python, prereleases=True)


def _pythons(project: Mapping[str, Any], target: Target) -> str:
    major, minor = target.runtime.python_version
    return _requires_python(project) or f">={major}.{minor}"


def _requires_python(project: Mapping[str, Any]) -> str:
    return str(table_at(project, "project").get("requires-python", ""))


def _since(version: tuple[int, ...]) -> str:
    return "" if version >= _WITH_REUSE else " (pdm 2.12 or newer)"
