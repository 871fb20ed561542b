"""`uv.lock`: what is in it comes from uv, whether it is stale is judged here."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..._internal.store import UNREADABLE
from ..._internal.toml import parse_toml
from ..._internal.uv import find_uv
from ...exceptions import LockfileError, ToolError
from ..protocol import Lock, read_text
from ..tools import read_pyproject, read_toml, version_of, written_by
from .workspace import find_root, find_workspace, normal, pyproject_paths

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...targets.target import Target
    from ..build_settings import BuildSettings
    from ..dependencies import LockedDependencies
    from ..graph import LockGraph
    from ..protocol import LockRequest

# Incremented when the same files are read differently than before.
_SCHEMA = 1
# The version of the format of `uv.lock`; revisions of it can be read by all.
_FORMAT = 1
_LOCAL_SOURCE = re.compile(
    rb"""source = \{ (?:virtual|editable|directory) = (?:"([^"]*)"|'([^']*)')"""
)
# How many changes an error lists.
_SHOWN = 8


class UvLockfile:
    """The lockfile of uv."""

    tool = "uv"
    filename = "uv.lock"
    command = "uv lock"
    update = "uv lock -P"
    per_target = False
    is_slow = False

    def find(self, request: LockRequest) -> list[Path]:
        """Return the path of `uv.lock`, in the root of the workspace that the project is in."""
        root = request.layout.dir_project_root
        own = root / self.filename
        with contextlib.suppress(LockfileError):
            if (found := find_root(root)) != normal(root):
                own = found / self.filename
        return [own] if own.is_file() else []

    def key(self, path: Path, request: LockRequest, target: Target) -> str | None:  # noqa: ARG002
        """Return a key of all that is read for the lock, and of uv's version."""
        try:
            text = path.read_bytes()
            folders = {
                normal(path.parent / (double or single).decode())
                for double, single in _LOCAL_SOURCE.findall(text)
            }
            project = request.layout.dir_project_root
            paths = {each for folder in (project, *folders) for each in pyproject_paths(folder)}
        except (OSError, LockfileError):
            return None  # reading the lock says what is wrong
        root = normal(path.parent)
        facts = [_SCHEMA, _uv(), _hash(text), request.groups, request.extras, request.main]
        facts += [_relative(normal(project), root)]
        facts += sorted([_relative(each, root), _digest(each)] for each in paths)
        return _hash(json.dumps(facts).encode())

    def read(self, path: Path, request: LockRequest, target: Target) -> Lock:  # noqa: ARG002
        """Export the lock; raise `LockfileError` for one that is stale or not valid."""
        from .export import explained, export

        text = read_text(path)
        # uv would take one further up.
        read_pyproject(request.layout.path_pyproject_toml)
        failure, exported = None, b""
        try:
            exported = export(request)
        except ToolError as error:
            failure = error
        try:
            # What has changed says more than what uv may have stumbled over.
            dynamic, required = _compared(path, text, request, exported)
        except (*UNREADABLE, OSError) as error:
            if failure:
                raise explained(failure, path, request) from error
            raise LockfileError(
                f"Lockfile `{path}` can't be compared with the project: {error!r}",
                hint="see whether `uv lock --check` accepts the project",
            ) from error
        if failure:
            raise explained(failure, path, request) from failure
        return Lock(
            path=path,
            command=self.command,
            text=exported,
            folder=request.layout.dir_project_root,
            warnings=(_taken_as_locked(path, dynamic),) if dynamic else (),
            required=required,
        )

    def default_indexes(self, path: Path, request: LockRequest) -> Sequence[str]:  # noqa: ARG002
        """Return the URL of uv's default index, where packages without an index come from."""
        from ..default_index import default_index

        return (default_index(path.parent),)

    def dependencies(self, path: Path) -> LockedDependencies:
        """Return what the packages require; raise `LockfileError` for a lock that is not valid."""
        from .dependencies import locked_dependencies

        with written_by(self.tool, path, self.command):
            return locked_dependencies(read_toml(path))

    def graph(self, path: Path, request: LockRequest) -> LockGraph:
        """Return what requires what in the lockfile, for all environments."""
        from .graph import read_graph

        with written_by(self.tool, path, self.command):
            return read_graph(path, _content(read_text(path)), request)

    def build_settings(self, path: Path, request: LockRequest) -> BuildSettings:  # noqa: ARG002
        """Return what the tool's settings say of building sources."""
        from ..uv_builds import uv_build_settings

        folder = request.layout.dir_project_root

        def members() -> list[str]:
            projects = find_workspace(folder).members.values()
            return [str(each.folder.resolve()) for each in projects]

        return uv_build_settings(find_root(folder), members)


def _compared(
    path: Path, text: bytes, request: LockRequest, exported: bytes
) -> tuple[Sequence[str], tuple[str, ...]]:
    """Compare a lock with the project; raise `LockfileError` where it is stale.

    Returns the packages with dynamic metadata, and the requirements whose packages must be in what
    was exported. Raises one of `UNREADABLE` for a lock or a project that is not valid.
    """
    from .comparison import UvLock
    from .freshness import judge
    from .required import required
    from .requirements import index_place

    lock = UvLock(_content(text), normal(path.parent))
    workspace = find_workspace(request.layout.dir_project_root)
    own = {index_place(index.url, path.parent) for index in request.access.own}
    changes, dynamic = judge(lock, workspace, own)
    if changes:
        raise _stale(path, changes)
    return dynamic, required(lock, workspace, request, exported) if exported else ()


def _content(text: bytes) -> dict[str, Any]:
    """Parse the lockfile; raise `ValueError` for a format that is not known."""
    content = parse_toml(text)
    if content["version"] != _FORMAT:
        raise ValueError(f"the version of its format is {content['version']}")
    return content


def _stale(path: Path, changes: Sequence[str]) -> LockfileError:
    lines = "".join(f"\n- {each}" for each in changes[:_SHOWN])
    if len(changes) > _SHOWN:
        lines += f"\n- and {len(changes) - _SHOWN} more changes"
    return LockfileError(
        f"Lockfile `{path}` is stale: pyproject.toml has changed since:{lines}",
        hint="lock again with `uv lock`",
    )


def _taken_as_locked(path: Path, dynamic: Sequence[str]) -> str:
    names = ", ".join(f"`{name}`" for name in dynamic)
    return (
        f"Only a build backend knows the dependencies of {names}: those in {path.name} are taken, "
        "and it is not checked whether they have changed since"
    )


def _uv() -> str:
    """Return what identifies the uv that is used, without starting it."""
    version = version_of("uv")
    if version:
        return version
    found = Path(find_uv()).stat()
    return f"{found.st_size} {found.st_mtime_ns}"


def _relative(path: Path, root: Path) -> str:
    try:
        return Path(os.path.relpath(path, root)).as_posix()
    except ValueError:  # on another drive
        return path.as_posix()


def _digest(path: Path) -> str | None:
    """Return the SHA-256 of a file, `None` where there is none."""
    try:
        return _hash(path.read_bytes())
    except FileNotFoundError:
        return None


def _hash(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
