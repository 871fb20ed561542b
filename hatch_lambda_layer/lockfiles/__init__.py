"""Lockfiles: one Protocol, one module per tool; each is read into a `pylock.toml` (PEP 751)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..exceptions import LockfileError, MissingLockfileError, backticked
from .pdm.lockfile import PdmLockfile
from .pip.lockfile import PipLockfile
from .poetry.lockfile import PoetryLockfile
from .protocol import Lock, LockRequest
from .pylock import PylockFile
from .uv.lockfile import UvLockfile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from .protocol import Lockfile

__all__ = ["LOCKFILES", "Lock", "LockRequest", "find_lockfile"]

LOCKFILES: Mapping[str, Lockfile] = {
    lockfile.tool: lockfile
    for lockfile in (UvLockfile(), PoetryLockfile(), PdmLockfile(), PipLockfile(), PylockFile())
}


def find_lockfile(tool: str | None, request: LockRequest) -> tuple[Lockfile, Path]:
    """Return the lockfile of `tool` and its path; with `None`, the only lockfile of the project.

    Raises `MissingLockfileError` where there is none, `LockfileError` where there are several.
    """
    candidates = LOCKFILES.values() if tool is None else [LOCKFILES[tool]]
    found = [(lockfile, path) for lockfile in candidates for path in lockfile.find(request)]
    if len(found) == 1:
        return found[0]
    root = request.layout.dir_project_root
    if found:
        names = ", ".join(f"`{path.name}` ({lockfile.tool})" for lockfile, path in found)
        tools = {lockfile.tool for lockfile, _ in found}
        raise LockfileError(
            f"{root} has more than one lockfile: {names}",
            hint="keep one of them"
            + ", or name its tool with `tool` in `[tool.lambda-layer]`" * (len(tools) > 1),
        )
    raise _missing(root, list(candidates))


def _missing(root: Path, candidates: Sequence[Lockfile]) -> MissingLockfileError:
    if len(candidates) == 1:
        (lockfile,) = candidates
        return MissingLockfileError(
            f"No lockfile: `{lockfile.filename}` is missing in {root}",
            hint=f"make it with `{lockfile.command}`",
        )
    names = backticked(lockfile.filename for lockfile in candidates)
    return MissingLockfileError(
        f"No lockfile: {root} has none of {names}",
        hint="make one with your tool, such as `uv lock`, `poetry lock` or `pdm lock`",
    )
