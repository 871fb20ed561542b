"""`pdm.lock`, read without pdm."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from ..._internal.scratch import scratch_folder
from ..._internal.tables import strings_at, table_at
from ...exceptions import LockfileError
from ..protocol import Lock
from ..tools import (
    find_in_project,
    key_of_files,
    match_request,
    on_path,
    read_pyproject,
    read_toml,
    written_by,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from ...targets.target import Target
    from ..build_settings import BuildSettings
    from ..dependencies import LockedDependencies
    from ..graph import LockGraph
    from ..protocol import LockRequest
    from ..tools import Chosen
    from ..walk import Need
    from .document import PdmLock, PdmPackage

_FORMAT = 4
# Settings that would make pdm read another project or lockfile.
_CONTRADICTING = ("PDM_PROJECT", "PDM_LOCKFILE")
# What pdm's versions say of a lock that is older than the project.
_STALE = r"doesn't (match|satisfy)|packages may be outdated"


class PdmLockfile:
    """The lockfile of pdm."""

    tool = "pdm"
    filename = "pdm.lock"
    command = "pdm lock"
    update = "pdm update --no-sync"
    per_target = True
    is_slow = False

    def find(self, request: LockRequest) -> list[Path]:
        """Return the path of the project's `pdm.lock`, if it has one."""
        return find_in_project(self.filename, request)

    def key(self, path: Path, request: LockRequest, target: Target) -> str | None:
        """Return a key of what is read for the lock; `None` for a workspace: it is many files."""
        try:
            project = read_pyproject(request.layout.path_pyproject_toml)
        except LockfileError:
            return None  # reading the lock says what is wrong
        if "workspace" in table_at(project, "tool", "pdm"):
            return None
        from .sources import facts_of_user

        facts = facts_of_user(path.parent)
        return key_of_files(path, request, target.marker_environment(), facts)

    def read(self, path: Path, request: LockRequest, target: Target) -> Lock:
        """Read the lock; raise `LockfileError` for one that is stale, incomplete or not valid."""
        from .scope import AGAIN, check_scope

        content = read_toml(path)
        project = read_pyproject(request.layout.path_pyproject_toml)
        with written_by(self.tool, path, AGAIN):
            from .requirements import extras_of, groups_of

            _check_format(path, table_at(content, "metadata"))
        chosen = match_request(request, path, groups_of(project), extras_of(project))
        with written_by(self.tool, path, AGAIN):
            warnings = _judged(path, content, project, target)
            wanted = [*chosen.groups, *chosen.extras]
            check_scope(path, content["metadata"], project, wanted, target)
            text = _as_pylock(path, content, project, chosen, target)
        return Lock(path=path, command=AGAIN, text=text, warnings=warnings)

    def default_indexes(self, path: Path, request: LockRequest) -> Sequence[str]:  # noqa: ARG002
        """Return the URL of uv's default index, where packages without an index come from."""
        from ..default_index import default_index

        return (default_index(path.parent),)

    def dependencies(self, path: Path) -> LockedDependencies:
        """Return what the packages require; raise `LockfileError` for a lock that is not valid."""
        from ..dependencies import LockedDependencies
        from .document import PdmLock

        with written_by(self.tool, path, self.command):
            packages = PdmLock(read_toml(path), None).packages
            return LockedDependencies(
                (each.name, each.version, each.requirements()) for each in packages
            )

    def graph(self, path: Path, request: LockRequest) -> LockGraph:
        """Return what requires what in the lockfile, for all environments."""
        content = read_toml(path)
        project = read_pyproject(request.layout.path_pyproject_toml)
        with written_by(self.tool, path, self.command):
            from ..project_graph import read_graph
            from .document import PdmLock
            from .requirements import extras_of, groups_of, needs_of_project

            needs = partial(needs_of_project, project)
            packages = PdmLock(content, None).packages
            return read_graph(packages, needs, groups_of(project), extras_of(project), request)

    def build_settings(self, path: Path, request: LockRequest) -> BuildSettings:  # noqa: ARG002
        """Return what the tool's settings say of building sources."""
        from .build_settings import read_build_settings

        return read_build_settings(request.layout.path_pyproject_toml)


def _check_format(path: Path, metadata: Mapping[str, Any]) -> None:
    from .freshness import format_of

    if format_of(metadata)[0] != _FORMAT:
        raise LockfileError(
            f"Lockfile `{path}` is of format {metadata['lock_version']}, which is not known",
            hint="update hatch-lambda-layer, or lock with pdm 2",
        )


def _judged(
    path: Path, content: Mapping[str, Any], project: Mapping[str, Any], target: Target
) -> tuple[str, ...]:
    """Raise `LockfileError` for a lock that is stale; return what the user has to know."""
    from packaging.specifiers import SpecifierSet

    from ..staleness import compared, stale
    from .document import PdmLock
    from .freshness import is_fresh
    from .requirements import says_what_it_needs
    from .scope import relocking

    hint = relocking(content["metadata"], project, target)
    fresh = is_fresh(content["metadata"], project, path.parent)
    if fresh is None:
        fresh = _asked(path)
    if fresh is None:
        needs = _all_needs(content["metadata"], project) if says_what_it_needs(project) else None
        pythons = SpecifierSet(str(table_at(project, "project").get("requires-python", "")))
        packages = PdmLock(content, None).packages
        return (compared(path, hint, needs, packages, pythons),)
    if not fresh:
        raise stale(path, hint)
    return ()


def _all_needs(metadata: Mapping[str, Any], project: Mapping[str, Any]) -> Iterator[Need]:
    """Yield what a project requires with the groups and extras that are locked."""
    from packaging.utils import canonicalize_name

    from .requirements import extras_of, groups_of, needs_of_project

    names = [*groups_of(project), *extras_of(project)]
    locked = {canonicalize_name(name) for name in metadata.get("groups", names)}
    groups, extras = (
        [name for name in each if canonicalize_name(name) in locked]
        for each in (groups_of(project), extras_of(project))
    )
    resolution = table_at(project, "tool", "pdm", "resolution")
    overridden = {canonicalize_name(name) for name in table_at(resolution, "overrides")}
    excluded = {canonicalize_name(name) for name in strings_at(resolution, "excludes")}
    for need in needs_of_project(project, groups, extras):
        if need.name in overridden:
            yield replace(need, accepts=lambda _: True)
        elif need.name not in excluded:
            yield need


def _asked(path: Path) -> bool | None:
    """Return what the pdm on the search path says of a lock, `None` if there is no answer."""
    from ..staleness import is_accepted

    command = on_path("pdm")
    if command is None:
        return None
    with scratch_folder() as scratch:
        env = {key: value for key, value in os.environ.items() if key not in _CONTRADICTING}
        env |= {"PDM_CHECK_UPDATE": "0", "PDM_NON_INTERACTIVE": "1"}
        env |= dict.fromkeys(("PDM_CACHE_DIR", "PDM_LOG_DIR"), str(scratch))
        argv = [*command, "lock", "--check", "--lockfile", path.name]
        return is_accepted(argv, _STALE, path.parent, env)


def _as_pylock(
    path: Path,
    content: Mapping[str, Any],
    project: Mapping[str, Any],
    chosen: Chosen,
    target: Target,
) -> bytes:
    from packaging.utils import canonicalize_name

    from .. import pylock_text as _text
    from ..default_index import default_index
    from .document import PdmLock, target_markers
    from .sources import PdmSources

    names = [canonicalize_name(name) for name in (*chosen.groups, *chosen.extras)]
    lock = PdmLock(content, [*(["default"] if chosen.main else []), *names])
    sources = PdmSources(path.parent, project, cache(lambda: default_index(path.parent)))
    indexes = cache(sources.indexes)
    found = _needed(lock, project, chosen, target)
    return _text.render(
        (package.table(marker, indexes) for package, marker in found),
        created_by="pdm",
        environments=target_markers(content["metadata"]),
    )


def _needed(
    lock: PdmLock,
    project: Mapping[str, Any],
    chosen: Chosen,
    target: Target,
) -> list[tuple[PdmPackage, str | None]]:
    from packaging.requirements import InvalidRequirement

    from .requirements import needs_of_project, says_what_it_needs

    environment = {key: str(value) for key, value in target.marker_environment().items()}
    try:
        if says_what_it_needs(project):
            return list(lock.reached_from(list(needs_of_project(project, *chosen)), environment))
    except InvalidRequirement:
        if not lock.has_groups:
            raise
    return [(package, package.marker) for package in lock.packages]
