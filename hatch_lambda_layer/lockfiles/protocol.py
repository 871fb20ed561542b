"""The Protocol of lockfiles, the request that each of them takes and the lock that it returns."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from .._internal.store import UNREADABLE
from .._internal.toml import parse_toml
from ..exceptions import LockfileError
from ..index.auth import IndexAccess

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from packaging.pylock import Pylock

    from ..layout import LayerPathLayout
    from ..targets.target import Target
    from .build_settings import BuildSettings
    from .dependencies import LockedDependencies
    from .graph import LockGraph


# The name in a lock of a source whose own name is not known before it is built.
UNNAMED = "unnamed-source"


@dataclass(frozen=True, kw_only=True, slots=True)
class LockRequest:
    """The parts of a lockfile that are wanted.

    `main` is whether the project's own dependencies are wanted, beside the groups and extras.
    `lockfile` is the path of the lockfile, relative to the project, where it is not to be looked
    for. `requirements` are the files that `pip` reads, relative to the project; empty means
    `requirements.txt`. `build` is whether sources may be built to read what they require:
    `read_source` does it, and returns the METADATA of the one source that a lock has. `access` is
    for asking indexes; equal requests may differ in these two. `left_out` are the names of packages
    that the layer leaves out, which need not be had.
    """

    layout: LayerPathLayout
    groups: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    main: bool = True
    lockfile: str | None = None
    requirements: tuple[str, ...] = ()
    build: bool = False
    left_out: tuple[str, ...] = ()
    read_source: Callable[[Lock], bytes] | None = field(default=None, compare=False, repr=False)
    access: IndexAccess = field(default_factory=IndexAccess, compare=False, repr=False)


class Lockfile(Protocol):
    """The lockfile of one tool."""

    @property
    def tool(self) -> str:
        """The value of `tool` in `[tool.lambda-layer]` that chooses this lockfile."""
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
    def update(self) -> str:
        """The command that locks another version of one package, whose name follows it."""
        ...

    @property
    def per_target(self) -> bool:
        """Whether the tool has to be run for every target."""
        ...

    @property
    def is_slow(self) -> bool:
        """Whether reading takes so long that a person is told of it."""
        ...

    def find(self, request: LockRequest) -> list[Path]:
        """Return the paths of the lockfiles of this kind that the project has."""
        ...

    def key(self, path: Path, request: LockRequest, target: Target) -> str | None:
        """Return a key of the lock: equal keys mean equal locks, `None` that it must be read."""
        ...

    def read(self, path: Path, request: LockRequest, target: Target) -> Lock:
        """Read the lockfile `path`; the result depends on `target` only where `per_target` is true.

        Raises `LockfileError`, or `ToolError` when the tool itself fails; pip's also raises
        `SelectionError` for a package that has no file for the target.
        """
        ...

    def default_indexes(self, path: Path, request: LockRequest) -> Sequence[str]:
        """Return the URLs of the indexes of packages for which the lock names none.

        They may contain credentials. Raises `LockfileError` and `ToolError`.
        """
        ...

    def dependencies(self, path: Path) -> LockedDependencies | None:
        """Return what the packages in the lockfile require; `None` where it does not say so.

        Raises `LockfileError`.
        """
        ...

    def graph(self, path: Path, request: LockRequest) -> LockGraph:
        """Return what requires what in the lockfile, for all environments.

        Raises `LockfileError`.
        """
        ...

    def build_settings(self, path: Path, request: LockRequest) -> BuildSettings:
        """Return what the tool's settings say of building sources; raise `LockfileError`."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Lock:
    """The content of a lockfile: the text of a `pylock.toml` (PEP 751), parsed only on demand.

    `path` is the user's lockfile, which errors name, and `command` makes it. Relative paths start
    from `folder`, or from the folder of `path` where that is `None`. `groups` and `extras` are
    still to be selected in `text`. `warnings` are sentences for the user. `resolved` means that an
    index has just decided what is locked, since the user's files have no hashes. `required` are
    requirements (PEP 508) whose packages must be among those that are selected for a target: some
    versions of a tool have lost them. `unlisted` is what a requirement of a wheel becomes that is
    not locked: `error` or `finding`, or nothing where the tool that locked has seen to it.
    """

    path: Path
    command: str
    text: bytes
    groups: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    folder: Path | None = None
    resolved: bool = False
    required: tuple[str, ...] = ()
    unlisted: str | None = None

    @property
    def base(self) -> Path:
        """The folder that relative paths in the text start from."""
        return self.folder or self.path.parent

    def encode(self) -> bytes:
        """Return the lock that a slow tool has read as bytes, to be kept."""
        # The same files in another place make the same lock.
        folder = os.path.relpath(self.base, self.path.parent)
        text = self.text.decode()
        facts = (self.command, text, self.warnings, folder, self.required, self.unlisted)
        return json.dumps(facts).encode()

    @classmethod
    def decode(cls, data: bytes, path: Path) -> Lock | None:
        """Read what `encode` has made of the lockfile `path`; `None` for anything else."""
        try:
            command, text, warnings, folder, required, unlisted = json.loads(data)
            return cls(
                path=path,
                command=command,
                text=text.encode(),
                warnings=tuple(warnings),
                folder=path.parent / folder,
                required=tuple(required),
                unlisted=unlisted,
            )
        except UNREADABLE:
            return None

    def parse(self) -> Pylock:
        """Parse the text (PEP 751); raise `LockfileError` where it is not valid."""
        from packaging.pylock import (
            Pylock,
            PylockUnsupportedVersionError,
            PylockValidationError,
        )

        try:
            return Pylock.from_dict(parse_toml(self.text))
        except PylockUnsupportedVersionError as error:
            raise LockfileError(
                f"Lockfile `{self.path}` has a version that is not supported: {error}",
                hint="update hatch-lambda-layer, or lock with an older version of the tool",
            ) from error
        except PylockValidationError as error:
            raise LockfileError(
                f"Lockfile `{self.path}` is not valid: {self._explained(error)}",
                hint=f"lock again with `{self.command}`",
            ) from error
        except ValueError as error:
            raise LockfileError(
                f"Lockfile `{self.path}` is not valid TOML: {error}",
                hint=f"lock again with `{self.command}`",
            ) from error

    def _explained(self, error: Exception) -> str:
        """Return the text of a validation error with the package's name; it has only its number."""
        import re

        match = re.search(r"packages\[(\d+)\]", str(error))
        if match is None:
            return str(error)
        package = parse_toml(self.text)["packages"][int(match[1])]
        name = package.get("name", "?") if isinstance(package, dict) else "?"
        return f"{error} (package `{name}`)"


def read_text(path: Path) -> bytes:
    """Read a lockfile; raise `LockfileError` where it can't be read or has a merge conflict."""
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
