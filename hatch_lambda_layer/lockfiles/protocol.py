"""The Protocol of lockfiles, and the value that each of them gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from ..exceptions import LockfileError
from ..index.auth import IndexAccess

if TYPE_CHECKING:
    from pathlib import Path

    from packaging.pylock import Pylock

    from ..layout import LayerPathLayout
    from ..targets.target import Target


@dataclass(frozen=True, kw_only=True, slots=True)
class LockRequest:
    """What is asked of a lockfile, beside the project's own dependencies.

    `requirements` are the files that `pip` reads, relative to the project; empty means
    `requirements.txt`. With `build`, the tool may run build backends to learn what a source needs.
    `access` is for tools that ask indexes; equal requests may differ in it.
    """

    layout: LayerPathLayout
    groups: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    build: bool = False
    access: IndexAccess = field(default_factory=IndexAccess, compare=False, repr=False)


class Lockfile(Protocol):
    """The lockfile of one tool."""

    @property
    def tool(self) -> str:
        """The name for `tool` in `[tool.lambda-layer]`."""
        ...

    @property
    def filename(self) -> str:
        """The usual name of the lockfile."""
        ...

    @property
    def command(self) -> str:
        """The command that makes the lockfile."""
        ...

    @property
    def per_target(self) -> bool:
        """Whether the tool has to be asked anew for every target."""
        ...

    def find(self, request: LockRequest) -> list[Path]:
        """Give the lockfiles of this kind that the project has."""
        ...

    def key(self, path: Path, request: LockRequest, target: Target) -> str | None:
        """Name what `read` gives: equal keys, equal locks; `None` where it is to be read anew."""
        ...

    def read(self, path: Path, request: LockRequest, target: Target) -> Lock:
        """Read the lockfile `path`; `target` matters where `per_target` says so.

        Raises `LockfileError`, or `ToolError` when the tool itself fails.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Lock:
    """What a lockfile locks: the text of a `pylock.toml`, parsed only when it must be.

    `path` is the user's lockfile, which errors name. Relative paths start from `folder`, and where
    that is `None` from the folder of `path`. `groups` and `extras` are those still to be chosen
    from `text`. `warnings` are what the user should know of it, a sentence each. `resolved` says
    that an index has just decided what it locks: no hashes that the user has written did.
    """

    path: Path
    command: str
    text: bytes
    groups: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    folder: Path | None = None
    resolved: bool = False

    @property
    def base(self) -> Path:
        """The folder that relative paths in the text start from."""
        return self.folder or self.path.parent

    def parse(self) -> Pylock:
        """Parse and validate the text (PEP 751); raise `LockfileError` when it is not valid."""
        import tomllib

        from packaging.pylock import (
            Pylock,
            PylockUnsupportedVersionError,
            PylockValidationError,
        )

        try:
            # Some Windows editors put a byte order mark in front; TOML itself has none.
            return Pylock.from_dict(tomllib.loads(self.text.decode("utf-8-sig")))
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise LockfileError(
                f"Lockfile `{self.path}` is not valid TOML: {error}",
                hint=f"lock again with `{self.command}`",
            ) from error
        except PylockUnsupportedVersionError as error:
            raise LockfileError(
                f"Lockfile `{self.path}` has a version that is not understood: {error}",
                hint="update hatch-lambda-layer, or lock with an older version of the tool",
            ) from error
        except PylockValidationError as error:
            raise LockfileError(
                f"Lockfile `{self.path}` is not valid: {self._explained(error)}",
                hint=f"lock again with `{self.command}`",
            ) from error

    def _explained(self, error: Exception) -> str:
        """Say which package a validation error is about: PEP 751's parser only counts them."""
        import re
        import tomllib

        match = re.search(r"packages\[(\d+)\]", str(error))
        if match is None:
            return str(error)
        package = tomllib.loads(self.text.decode("utf-8-sig"))["packages"][int(match[1])]
        name = package.get("name", "?") if isinstance(package, dict) else "?"
        return f"{error} (package `{name}`)"


def read_text(path: Path) -> bytes:
    """Read a lockfile; raise `LockfileError` for what no parser can explain as well."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise LockfileError(f"Lockfile `{path}` can't be read: {error.strerror}") from error
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith((b"<<<<<<< ", b">>>>>>> ")):
            raise LockfileError(
                f"Lockfile `{path}` has the markers of a merge conflict in line {number}",
                hint="resolve the conflict, then lock again",
            )
    return text
