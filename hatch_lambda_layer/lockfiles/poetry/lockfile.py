"""`poetry.lock`, read without poetry."""

from __future__ import annotations

import os
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from ..._internal.scratch import scratch_folder
from ..._internal.tables import table_at
from ...exceptions import LockfileError, backticked
from ..protocol import Lock, read_text
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
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ...targets.target import Target
    from ..build_settings import BuildSettings
    from ..dependencies import LockedDependencies
    from ..graph import LockGraph
    from ..protocol import LockRequest
    from ..tools import Chosen
    from .document import PoetryLock

# What poetry's versions say of a lock that is older than the project.
_STALE = r"poetry\.lock (was last generated|is not (up to date|consistent))"
_FORMATS = (1, 2)
# Poetry before 1.1.14 could not read the hashes of PyPI any more, and wrote empty lists of files.
# Later ones of poetry 1 keep these lists where they keep the versions.
_WITHOUT_FILES = "`poetry lock` of poetry 2 keeps the versions, and adds the files and their hashes"
_FORMAT_WITH_GROUPS = b'\nlock-version = "2.1"'


class PoetryLockfile:
    """The lockfile of poetry."""

    tool = "poetry"
    filename = "poetry.lock"
    command = "poetry lock"
    update = "poetry update --lock"
    per_target = True
    is_slow = False

    def find(self, request: LockRequest) -> list[Path]:
        """Return the path of the project's `poetry.lock`, if it has one."""
        return find_in_project(self.filename, request)

    def key(self, path: Path, request: LockRequest, target: Target) -> str | None:
        """Return a key of what is read for the lock."""
        try:
            is_walked = _FORMAT_WITH_GROUPS not in path.read_bytes()
        except OSError:
            return None  # reading the lock says what is wrong
        return key_of_files(path, request, target.marker_environment() if is_walked else None)

    def read(self, path: Path, request: LockRequest, target: Target) -> Lock:
        """Read the lock; raise `LockfileError` for one that is stale or not valid."""
        from .freshness import writer

        content = read_toml(path)
        project = read_pyproject(request.layout.path_pyproject_toml)
        command, hint = _relocking(writer(read_text(path)))
        with written_by(self.tool, path, command):
            from .document import PoetryLock
            from .requirements import extras_of, groups_of

            _check_format(path, table_at(content, "metadata"))
            lock = PoetryLock(path, content)
        chosen = match_request(request, path, groups_of(project), extras_of(project))
        with written_by(self.tool, path, command):
            warnings = _judged(path, content, project, lock, hint)
            text = _as_pylock(path, lock, project, chosen, target, hint)
        return Lock(path=path, command=command, text=text, warnings=warnings)

    def default_indexes(self, path: Path, request: LockRequest) -> Sequence[str]:  # noqa: ARG002
        """Return the URL of uv's default index, where packages without an index come from."""
        from ..default_index import default_index

        return (default_index(path.parent),)

    def dependencies(self, path: Path) -> LockedDependencies:
        """Return what the packages require; raise `LockfileError` for a lock that is not valid."""
        from ..dependencies import LockedDependencies
        from .document import PoetryLock

        with written_by(self.tool, path, self.command):
            packages = PoetryLock(path, read_toml(path)).packages
            return LockedDependencies(
                (each.name, each.version, each.requirements()) for each in packages
            )

    def graph(self, path: Path, request: LockRequest) -> LockGraph:
        """Return what requires what in the lockfile, for all environments."""
        content = read_toml(path)
        project = read_pyproject(request.layout.path_pyproject_toml)
        with written_by(self.tool, path, self.command):
            from ..project_graph import read_graph
            from .document import PoetryLock
            from .requirements import extras_of, groups_of, needs_of_project

            needs = partial(needs_of_project, project)
            packages = PoetryLock(path, content).packages
            return read_graph(packages, needs, groups_of(project), extras_of(project), request)

    def build_settings(self, path: Path, request: LockRequest) -> BuildSettings:  # noqa: ARG002
        """Return what the tool's settings say of building sources."""
        from .build_settings import read_build_settings

        return read_build_settings(request.layout.dir_project_root)


def _check_format(path: Path, metadata: Mapping[str, Any]) -> None:
    from .document import format_of

    if format_of(metadata)[0] not in _FORMATS:
        raise LockfileError(
            f"Lockfile `{path}` is of format {metadata['lock-version']}, which is not known",
            hint="update hatch-lambda-layer, or lock with an older version of poetry",
        )


def _relocking(writer: object) -> tuple[str, str]:
    """Return the command that locks again with the same versions, and the hint that names it."""
    from packaging.version import Version

    if isinstance(writer, Version) and writer >= Version("2"):
        return "poetry lock", "lock again with `poetry lock`"
    command = "poetry lock --no-update"
    return command, f"lock again with `{command}`, or with `poetry lock` of poetry 2"


def _judged(
    path: Path,
    content: Mapping[str, Any],
    project: Mapping[str, Any],
    lock: PoetryLock,
    hint: str,
) -> tuple[str, ...]:
    """Raise `LockfileError` for a lock that is stale; return what the user has to know."""
    from ..staleness import compared, stale
    from .freshness import is_fresh
    from .requirements import extras_of, groups_of, needs_of_project

    fresh = is_fresh(read_text(path), content["metadata"], project)
    if fresh is None:
        fresh = _asked(path)
    if fresh is None:
        every = needs_of_project(project, groups_of(project), extras_of(project))
        return (compared(path, hint, every, lock.packages, lock.pythons()),)
    if not fresh:
        raise stale(path, hint)
    return ()


def _asked(path: Path) -> bool | None:
    """Return what the poetry on the search path says of a lock, `None` if there is no answer."""
    from ..staleness import is_accepted

    command = on_path("poetry")
    if command is None:
        return None
    with scratch_folder() as scratch:
        env = {**os.environ, "POETRY_CACHE_DIR": str(scratch), "POETRY_VIRTUALENVS_CREATE": "false"}
        argv = [*command, "check", "--lock", "--no-interaction", "--no-ansi"]
        return is_accepted(argv, _STALE, path.parent, env)


def _as_pylock(
    path: Path,
    lock: PoetryLock,
    project: Mapping[str, Any],
    chosen: Chosen,
    target: Target,
    hint: str,
) -> bytes:
    from .. import pylock_text as _text
    from ..default_index import default_index
    from .requirements import needs_of_project

    environment = {key: str(value) for key, value in target.marker_environment().items()}
    needs = list(needs_of_project(project, *chosen))
    names = {package.name for package in lock.packages}
    lost = [each for each in needs if each.name not in names and each.applies(environment)]
    if missing := dict.fromkeys(need.text for need in lost):
        raise LockfileError(
            f"Lockfile `{path}` does not have {backticked(missing)}, which pyproject.toml requires",
            hint=hint,
        )
    locked = lock.locked_for(*chosen) if lock.has_groups else lock.reached_from(needs, environment)
    requires_python, environments = lock.requires_python()
    index = cache(lambda: default_index(path.parent))
    return _text.render(
        (lock.table(package, marker, index) for package, marker in locked),
        created_by="poetry",
        requires_python=requires_python,
        environments=environments,
        without_files=_WITHOUT_FILES if lock.has_shared_files else None,
    )
