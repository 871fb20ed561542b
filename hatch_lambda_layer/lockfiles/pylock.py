"""`pylock.toml` and `pylock.NAME.toml`, the standard lockfiles of PEP 751, read as they are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..exceptions import LockfileError
from .hatch_environments import environment_of
from .one_machine import resolved_for
from .protocol import Lock, read_text
from .tools import match_names

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ..targets.target import Target
    from .build_settings import BuildSettings
    from .graph import LockGraph
    from .protocol import LockRequest


class PylockFile:
    """A `pylock.toml`, whichever tool wrote it."""

    tool = "pylock"
    filename = "pylock.toml"
    per_target = True
    is_slow = False
    # Without `--python-version`, uv leaves out what only Pythons older than its own need.
    command = (
        "uv pip compile pyproject.toml --universal --python-version OLDEST --format pylock.toml "
        "-o pylock.toml"
    )
    update = f"{command} -P"

    def find(self, request: LockRequest) -> list[Path]:
        """Return the path of `pylock.toml`, else those of every `pylock.NAME.toml`.

        What Hatch locks for an environment is not among them: see `of_environments`.
        """
        paths = [path for path in _paths(request) if environment_of(path) is None]
        plain = [path for path in paths if path.name == self.filename]
        return plain or paths

    def of_environments(self, request: LockRequest) -> list[tuple[Path, str]]:
        """Return the paths of those that Hatch locks for an environment, with its name.

        That of the default environment comes first.
        """
        paths = sorted(_paths(request), key=lambda path: path.name != self.filename)
        found = ((path, environment_of(path)) for path in paths)
        return [(path, name) for path, name in found if name is not None]

    def key(self, path: Path, request: LockRequest, target: Target) -> str | None:  # noqa: ARG002
        """Return `None`: the file itself is the lock."""
        return None

    def read(self, path: Path, request: LockRequest, target: Target) -> Lock:
        """Read the file; its default groups are selected as well, before the chosen ones (PEP 751).

        What was resolved for one machine can lack what the target needs: that is looked for in the
        wheels. Raises `LockfileError` for a group or an extra that the file does not have.
        """
        lock = Lock(path=path, command=self.command, text=read_text(path))
        if machine := resolved_for(path, lock.text):
            lock = replace(lock, unlisted="finding")
            if machine.is_other(target):
                warning = (
                    f"{path.name} was resolved for {machine}, not for {target.id}: it can lack "
                    "packages, and have others too many; `uv pip compile --universal` and "
                    "`uv export` lock for all machines"
                )
                lock = replace(lock, warnings=(warning,))
        if request.main and not request.groups and not request.extras:
            return lock
        pylock = lock.parse()
        where = f"Lockfile `{path}`"
        groups = match_names("group", request.groups, pylock.dependency_groups or (), where)
        extras = match_names("extra", request.extras, pylock.extras or (), where)
        defaults = pylock.default_groups or ()
        if not request.main:
            if not defaults:
                raise LockfileError(
                    f"{where} has no default groups: nothing in it tells the project's own "
                    "dependencies from those of groups, so `only-groups` can't leave them out",
                    hint="lock the groups alone, as with `uv export --only-group NAME --format "
                    "pylock.toml -o pylock.NAME.toml`, and name that with `lockfile`",
                )
            return replace(lock, groups=groups)
        return replace(lock, groups=tuple(dict.fromkeys((*defaults, *groups))), extras=extras)

    def default_indexes(self, path: Path, request: LockRequest) -> Sequence[str]:  # noqa: ARG002
        """Return the URL of uv's default index, where packages without an index come from."""
        from .default_index import default_index

        return (default_index(path.parent),)

    def dependencies(self, path: Path) -> None:
        """Return `None`: the standard has no requirements with markers."""

    def graph(self, path: Path, request: LockRequest) -> LockGraph:  # noqa: ARG002
        """Return what requires what in the lockfile, for all environments."""
        from .pylock_graph import read_graph

        return read_graph(Lock(path=path, command=self.command, text=read_text(path)))

    def build_settings(self, path: Path, request: LockRequest) -> BuildSettings:  # noqa: ARG002
        """Return what uv and pip, which install such a lock, are told of building sources."""
        from .installers import installers_build_settings

        return installers_build_settings(request.layout.dir_project_root)


def _paths(request: LockRequest) -> list[Path]:
    root = request.layout.dir_project_root
    return sorted(
        path
        for path in (root / PylockFile.filename, *root.glob("pylock.*.toml"))
        # PEP 751: NAME has no dot.
        if "." not in path.name.removeprefix("pylock").removesuffix(".toml").removeprefix(".")
        and path.is_file()
    )
