"""`pylock.toml` and `pylock.NAME.toml`, the standard lockfiles of PEP 751, read as they are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .protocol import Lock, read_text
from .tools import match_names

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ..targets.target import Target
    from .build_settings import BuildSettings
    from .protocol import LockRequest


class PylockFile:
    """A `pylock.toml`, whichever tool wrote it."""

    tool = "pylock"
    filename = "pylock.toml"
    per_target = False
    is_slow = False
    # Without `--python-version`, uv leaves out what only Pythons older than its own need.
    command = (
        "uv pip compile pyproject.toml --universal --python-version OLDEST --format pylock.toml "
        "-o pylock.toml"
    )

    def find(self, request: LockRequest) -> list[Path]:
        """Return the path of `pylock.toml`, else those of every `pylock.NAME.toml`."""
        root = request.layout.dir_project_root
        plain = root / self.filename
        if plain.is_file():
            return [plain]
        return sorted(
            path
            for path in root.glob("pylock.*.toml")
            # PEP 751: NAME has no dot.
            if "." not in path.name.removeprefix("pylock.").removesuffix(".toml") and path.is_file()
        )

    def key(self, path: Path, request: LockRequest, target: Target) -> str | None:  # noqa: ARG002
        """Return `None`: the file itself is the lock."""
        return None

    def read(self, path: Path, request: LockRequest, target: Target) -> Lock:  # noqa: ARG002
        """Read the file; its default groups are selected as well, before the chosen ones (PEP 751).

        Raises `LockfileError` for a group or an extra that the file does not have.
        """
        lock = Lock(path=path, command=self.command, text=read_text(path))
        if not request.groups and not request.extras:
            return lock
        pylock = lock.parse()
        where = f"Lockfile `{path}`"
        groups = match_names("group", request.groups, pylock.dependency_groups or (), where)
        extras = match_names("extra", request.extras, pylock.extras or (), where)
        defaults = pylock.default_groups or ()
        return replace(lock, groups=tuple(dict.fromkeys((*defaults, *groups))), extras=extras)

    def default_indexes(self, path: Path, request: LockRequest) -> Sequence[str]:  # noqa: ARG002
        """Return the URL of uv's default index, where packages without an index come from."""
        from .default_index import default_index

        return (default_index(path.parent),)

    def build_settings(self, path: Path, request: LockRequest) -> BuildSettings:  # noqa: ARG002
        """Return what uv and pip, which install such a lock, are told of building sources."""
        from .installers import installers_build_settings

        return installers_build_settings(request.layout.dir_project_root)
