"""`poetry.lock`, read through `poetry export`.

The export lists the packages that the project, its groups and its extras need, with their markers;
the lockfile has their files. The format of the export is `requirements.txt`. For `pylock.toml`,
poetry refuses lockfiles of poetry 1 and 2.0, and asks the index for one package after the other.
"""

from __future__ import annotations

import os
import re
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..._internal.process import run
from ..._internal.scratch import scratch_folder
from ..._internal.tables import table_at
from ...exceptions import LockfileError, ToolError, quoted
from ..protocol import Lock
from ..tools import (
    beside,
    find_in_project,
    key_of_files,
    match_request,
    on_path,
    read_pyproject,
    read_toml,
    version_of,
    written_by,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ...targets.target import Target
    from ..protocol import LockRequest

_TWO_WAYS = (
    'install poetry beside this package with `pip install "hatch-lambda-layer[poetry]"`, or add '
    "the plugin to the poetry on the PATH with `poetry self add poetry-plugin-export`"
)
# The messages of all versions of poetry and its plugin for a lock that is older than the project.
_STALE = r"poetry\.lock (was last generated|is not (up to date|consistent))"
_NO_EXPORT = r"command \W*export\W* (does not exist|is not defined)"
_UNKNOWN_OPTION = r'The "-+[\w-]+" option does not exist'


class PoetryLockfile:
    """The lockfile of poetry."""

    tool = "poetry"
    filename = "poetry.lock"
    command = "poetry lock"
    per_target = False
    is_slow = True

    def find(self, request: LockRequest) -> list[Path]:
        """Return the path of the project's `poetry.lock`, if it has one."""
        return find_in_project(self.filename, request)

    def key(self, path: Path, request: LockRequest, target: Target) -> str | None:  # noqa: ARG002
        """Return a key of all that poetry reads for the lock; starting poetry takes a second."""
        return key_of_files(path, request)

    def read(self, path: Path, request: LockRequest, target: Target) -> Lock:  # noqa: ARG002
        """Export the lock; raise `LockfileError` for one that is stale or not valid."""
        content = read_toml(path, self.command)
        project = read_pyproject(request.layout.path_pyproject_toml)
        groups, extras = match_request(request, path, _groups(project), _extras(project))
        exported = _export(path, groups, extras)
        with written_by(self.tool, path, self.command):
            text = _as_pylock(path, content, exported)
        return Lock(path=path, command=self.command, text=text)

    def default_indexes(self, path: Path, request: LockRequest) -> Sequence[str]:  # noqa: ARG002
        """Return the URL of uv's default index, where packages without an index come from."""
        from ..default_index import default_index

        return (default_index(path.parent),)


def _groups(project: dict[str, Any]) -> Iterable[str]:
    poetry = table_at(project, "tool", "poetry")
    # The only group before poetry 1.2.
    yield from ["dev"] if "dev-dependencies" in poetry else []
    yield from (name for name in table_at(poetry, "group") if name != "main")
    yield from table_at(project, "dependency-groups")


def _extras(project: dict[str, Any]) -> Iterable[str]:
    yield from table_at(project, "tool", "poetry", "extras")
    yield from table_at(project, "project", "optional-dependencies")


def _export(path: Path, groups: Sequence[str], extras: Sequence[str]) -> str:
    """Run poetry to export the lock, and return the text; no file of the user's is changed."""
    options = [part for group in groups for part in ("--with", group)]
    options += [part for extra in extras for part in ("--extras", extra)]
    with scratch_folder() as scratch:
        output = Path(scratch, "requirements.txt")
        env = {
            **os.environ,
            "POETRY_CACHE_DIR": str(Path(scratch, "cache")),
            "POETRY_VIRTUALENVS_CREATE": "false",
        }
        command = [*_find_poetry(), "--no-interaction", "--no-ansi"]
        try:
            if not _export_refuses_stale(command):
                _check_fresh(command, path.parent, env)
            argv = [*command, "export", "--format", "requirements.txt", "--output", str(output)]
            run([*argv, *options], cwd=path.parent, env=env)
        except ToolError as error:
            raise _explained(error, path) from error
        return output.read_text(encoding="utf-8")


def _as_pylock(path: Path, content: Mapping[str, Any], exported: str) -> bytes:
    from .. import pylock_text as _text
    from ..default_index import default_index
    from .document import PoetryLock, read_pins

    lock = PoetryLock(path, content)
    requires_python, environments = lock.requires_python()
    return _text.render(
        lock.tables(read_pins(exported), cache(lambda: default_index(path.parent))),
        created_by="poetry",
        requires_python=requires_python,
        environments=environments,
    )


def _find_poetry() -> list[str]:
    """Return the command of the poetry beside this package, else of the one on the search path."""
    command = beside("poetry", "poetry_plugin_export") or on_path("poetry")
    if command is None:
        raise LockfileError(
            "`poetry.lock` needs poetry with its plugin `poetry-plugin-export`, and none was found",
            hint=_TWO_WAYS,
        )
    return command


def _export_refuses_stale(command: Sequence[str]) -> bool:
    """Return whether `poetry export` is known to fail where the lock is stale."""
    from packaging.version import Version

    # Before version 1.9, the plugin only warns. The version that a poetry elsewhere has is unknown.
    version = version_of("poetry_plugin_export") if command[0] == sys.executable else None
    return version is not None and Version(version) >= Version("1.9")


def _check_fresh(command: Sequence[str], folder: Path, env: Mapping[str, str]) -> None:
    try:
        run([*command, "check", "--lock"], cwd=folder, env=env)
    except ToolError as error:
        if re.search(f"{_STALE}|{_UNKNOWN_OPTION}", error.output):
            raise
        # Other errors are about the project's metadata; the export fails if they matter to it.


def _explained(error: ToolError, path: Path) -> LockfileError | ToolError:
    """Return the error of this project for poetry's; poetry's output stays in the message."""
    said, shown = error.output.strip(), quoted(error.output)
    if re.search(_STALE, said):
        return LockfileError(
            f"Lockfile `{path}` is stale: pyproject.toml has changed since",
            hint="lock again with `poetry lock`",
        )
    if re.search(_NO_EXPORT, said):
        return LockfileError(
            f"`{path.name}` needs poetry with its plugin `poetry-plugin-export`, and the installed "
            f"poetry does not have it\n\n{shown}",
            hint=_TWO_WAYS,
        )
    if re.search(_UNKNOWN_OPTION, said):
        return LockfileError(
            f"The installed poetry is too old to read `{path}`\n\n{shown}",
            hint="update it with `poetry self update`; it must be version 1.6 or newer",
        )
    return error
