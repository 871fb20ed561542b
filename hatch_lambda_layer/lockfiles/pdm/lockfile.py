"""`pdm.lock`, read as it is once `pdm lock --check` has found it up to date.

`pdm export` is not used. It needs an interpreter that fits the project, for which it makes a
virtual environment in the project or downloads an interpreter. And where the lockfile has no URLs,
it takes the hashes from the index as well, instead of those that were locked.
"""

from __future__ import annotations

import os
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from ..._internal.process import run
from ..._internal.scratch import scratch_folder
from ..._internal.tables import strings_at, table_at
from ...exceptions import LockfileError, ToolError, backticked, quoted
from ...targets.target import Architecture, Target, runtimes
from ..protocol import Lock
from ..tools import (
    beside,
    find_in_project,
    key_of_files,
    match_request,
    on_path,
    read_pyproject,
    read_toml,
    written_by,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from ..protocol import LockRequest

# Settings that would make pdm read another project or lockfile.
_CONTRADICTING = ("PDM_PROJECT", "PDM_LOCKFILE")
# The messages of pdm's versions for a lock that is older than the project.
_STALE = r"doesn't (match|satisfy)|packages may be outdated"
_UNKNOWN_OPTION = r"(?i)unrecognized arguments|no such option"


class PdmLockfile:
    """The lockfile of pdm."""

    tool = "pdm"
    filename = "pdm.lock"
    command = "pdm lock"
    per_target = False
    is_slow = True

    def find(self, request: LockRequest) -> list[Path]:
        """Return the path of the project's `pdm.lock`, if it has one."""
        return find_in_project(self.filename, request)

    def key(self, path: Path, request: LockRequest, target: Target) -> str | None:  # noqa: ARG002
        """Return a key of all that pdm reads for the lock; starting pdm takes a second."""
        return key_of_files(path, request)

    def read(self, path: Path, request: LockRequest, target: Target) -> Lock:  # noqa: ARG002
        """Read the lock; raise `LockfileError` for one that is stale, incomplete or not valid."""
        content = read_toml(path, self.command)
        project = read_pyproject(request.layout.path_pyproject_toml)
        groups, extras = match_request(request, path, _groups(project), _extras(project))
        _check_fresh(path)
        with written_by(self.tool, path, self.command):
            _check_complete(path, table_at(content, "metadata"), [*groups, *extras])
            text = _as_pylock(path, content, project, groups, extras)
        return Lock(path=path, command=self.command, text=text)

    def default_indexes(self, path: Path, request: LockRequest) -> Sequence[str]:  # noqa: ARG002
        """Return the URL of uv's default index, where packages without an index come from."""
        from ..default_index import default_index

        return (default_index(path.parent),)


def _groups(project: Mapping[str, Any]) -> Iterable[str]:
    yield from table_at(project, "dependency-groups")
    yield from table_at(project, "tool", "pdm", "dev-dependencies")


def _extras(project: Mapping[str, Any]) -> Iterable[str]:
    return table_at(project, "project", "optional-dependencies")


def _find_pdm() -> list[str]:
    """Return the command of the pdm beside this package, else of the one on the search path."""
    command = beside("pdm") or on_path("pdm")
    if command is None:
        raise LockfileError(
            "`pdm.lock` needs pdm, and none was found",
            hint='install it beside this package with `pip install "hatch-lambda-layer[pdm]"`, or '
            "put pdm on the PATH",
        )
    return command


def _check_fresh(path: Path) -> None:
    """Run pdm to compare the lock with the project; it changes no file of the user's or project's.

    Raises `LockfileError` for a stale lock, and `ToolError` where pdm fails otherwise.
    """
    with scratch_folder() as scratch:
        env = {key: value for key, value in os.environ.items() if key not in _CONTRADICTING}
        env |= {"PDM_CHECK_UPDATE": "0", "PDM_NON_INTERACTIVE": "1"}
        env |= dict.fromkeys(("PDM_CACHE_DIR", "PDM_LOG_DIR"), str(scratch))
        argv = [*_find_pdm(), "lock", "--check", "--lockfile", path.name]
        try:
            run(argv, cwd=path.parent, env=env)
        except ToolError as error:
            raise _explained(error, path) from error


def _check_complete(path: Path, metadata: Mapping[str, Any], wanted: Sequence[str]) -> None:
    """Raise `LockfileError` for a lock without markers, or without a group that is wanted."""
    from packaging.utils import canonicalize_name

    strategy = metadata.get("strategy", [])
    if "inherit_metadata" not in strategy:
        raise LockfileError(
            f"Lockfile `{path}` does not say which groups and platforms need a package",
            hint="lock again with `pdm lock --strategy inherit_metadata` (pdm 2.11 or newer)",
        )
    if "targets" not in metadata and "cross_platform" not in strategy:
        raise LockfileError(
            f"Lockfile `{path}` is for the one platform that it was made on",
            hint="lock again with `pdm lock --strategy cross_platform`",
        )
    locked = {canonicalize_name(group) for group in metadata.get("groups", wanted)}
    if missing := [name for name in wanted if canonicalize_name(name) not in locked]:
        options = "".join(f" --group {name}" for name in missing)
        raise LockfileError(
            f"Lockfile `{path}` leaves out {backticked(missing)} of the project",
            hint=f"lock again with `pdm lock{options}`",
        )


def _as_pylock(
    path: Path,
    content: Mapping[str, Any],
    project: Mapping[str, Any],
    groups: Sequence[str],
    extras: Sequence[str],
) -> bytes:
    from packaging.utils import canonicalize_name

    from ...config.project import direct_requirements
    from .. import pylock_text as _text
    from ..default_index import default_index
    from .document import PdmLock
    from .sources import PdmSources

    names = [canonicalize_name(name) for name in (*groups, *extras)]
    lock = PdmLock(content, ["default", *names])
    if _says_what_it_needs(project):
        lock.narrow(direct_requirements(project, groups, extras), _environments(project))
    sources = PdmSources(path.parent, project, cache(lambda: default_index(path.parent)))
    return _text.render(
        lock.tables(cache(sources.indexes)),
        created_by="pdm",
        environments=lock.environments(),
    )


def _environments(project: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the marker environment (PEP 508) of every target that the project can have."""
    from ...config.custom_runtimes import read_custom_runtimes

    # What is wrong with a runtime of the project's own is said before a lockfile is read.
    known = {**runtimes(), **read_custom_runtimes(project, [])}
    targets = [Target(each, other) for each in known.values() for other in Architecture]
    return [
        {key: str(value) for key, value in target.marker_environment().items()}
        for target in targets
    ]


def _says_what_it_needs(project: Mapping[str, Any]) -> bool:
    """Return whether `pyproject.toml` itself lists all the dependencies that were locked."""
    dynamic = set(strings_at(project, "project", "dynamic"))
    computed = dynamic.intersection(("dependencies", "optional-dependencies"))
    return not computed and "workspace" not in table_at(project, "tool", "pdm")


def _explained(error: ToolError, path: Path) -> LockfileError | ToolError:
    """Return the error of this project for pdm's; pdm's output stays in the message."""
    said, shown = error.output.strip(), quoted(error.output)
    if "not compatible" in said:
        return LockfileError(
            f"Lockfile `{path}` is of a version that the installed pdm does not read\n\n{shown}",
            hint="update pdm, or lock again with `pdm lock`",
        )
    if re.search(_STALE, said):
        return LockfileError(
            f"Lockfile `{path}` is stale: pyproject.toml has changed since",
            hint="lock again with `pdm lock`",
        )
    if re.search(_UNKNOWN_OPTION, said):
        return LockfileError(
            f"The installed pdm is too old to read `{path}`\n\n{shown}",
            hint="update it with `pdm self update`; it must be version 2.11 or newer",
        )
    return error
