"""Lockfiles: one Protocol, one module per tool; each is read into a `pylock.toml` (PEP 751)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..exceptions import LockfileError, MissingLockfileError, backticked
from .exports import chosen_by_project, without_exports
from .foreign import find_foreign, foreign
from .named import named_path, request_for, tool_of
from .pdm.lockfile import PdmLockfile
from .pip.lockfile import PipLockfile
from .poetry.lockfile import PoetryLockfile
from .protocol import Lock, LockRequest
from .pylock import PylockFile
from .uv.lockfile import UvLockfile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from .protocol import Lockfile

__all__ = ["LOCKFILES", "FoundLockfile", "Lock", "LockRequest", "find_lockfile"]

LOCKFILES: Mapping[str, Lockfile] = {
    lockfile.tool: lockfile
    for lockfile in (UvLockfile(), PoetryLockfile(), PdmLockfile(), PipLockfile(), PylockFile())
}


class FoundLockfile(NamedTuple):
    """The lockfile of a project, and the request with which it is to be read."""

    lockfile: Lockfile
    path: Path
    request: LockRequest


def find_lockfile(
    tool: str | None, request: LockRequest, tell: Callable[[str], None] | None = None
) -> FoundLockfile:
    """Return the lockfile that `request` names, else that of `tool`, else the project's.

    Of several, that is the one of the tool with a table in `pyproject.toml`, or that of which the
    others are exports; `tell` is called with a sentence on these. Raises `MissingLockfileError`
    where there is none, `LockfileError` where it can't be told which, or it is not read here.
    """
    if request.lockfile is not None:
        return _named(tool, request, request.lockfile)
    if tool is None and request.requirements:
        tool = PipLockfile.tool
    candidates = LOCKFILES.values() if tool is None else [LOCKFILES[tool]]
    found = [(lockfile, path) for lockfile in candidates for path in lockfile.find(request)]
    if not found:
        raise _missing(request, list(candidates))
    lockfile, path = found[0] if len(found) == 1 else _of_several(found, request, tell)
    if error := foreign(path):
        raise error
    return FoundLockfile(lockfile, path, request)


def _of_several(
    found: Sequence[tuple[Lockfile, Path]],
    request: LockRequest,
    tell: Callable[[str], None] | None,
) -> tuple[Lockfile, Path]:
    if said := chosen_by_project(found, request):
        return said
    sources = without_exports(found)
    if len(sources) != 1:
        raise _ambiguous(request.layout.dir_project_root, found)
    if tell:
        names = backticked(path.name for _, path in found if (_, path) != sources[0])
        tell(f"Of the lockfiles, `{sources[0][1].name}` is read: all in {names} is in it, too")
    return sources[0]


def _named(tool: str | None, request: LockRequest, name: str) -> FoundLockfile:
    path = named_path(request, name)
    lockfile = LOCKFILES[tool_of(path, tool)]
    if lockfile.tool == "uv" and lockfile.find(request) == [path]:
        # The lockfile of the workspace that the project is a member of.
        return FoundLockfile(lockfile, path, request)
    return FoundLockfile(lockfile, path, request_for(path, lockfile.tool, request))


def _ambiguous(root: Path, found: Sequence[tuple[Lockfile, Path]]) -> LockfileError:
    names = ", ".join(f"`{path.name}` ({lockfile.tool})" for lockfile, path in found)
    tools = {lockfile.tool for lockfile, _ in found}
    return LockfileError(
        f"{root} has more than one lockfile: {names}",
        hint="keep one of them, or name it with `lockfile`"
        + ", or its tool with `tool`" * (len(tools) > 1)
        + " in `[tool.lambda-layer]`",
    )


def _of_environment(path: Path, name: str) -> LockfileError:
    return LockfileError(
        f"`{path}` is the lock of Hatch's environment `{name}`: what the environment has beside "
        "the project's own dependencies would be in the layer, too",
        hint=f"if that is right, name it with `lockfile = '{path.name}'` in `[tool.lambda-layer]`; "
        "`template` in `[tool.hatch.envs.NAME]` with its own name keeps out what the default "
        "environment has, and `python` names the runtime's",
    )


def _missing(request: LockRequest, candidates: Sequence[Lockfile]) -> LockfileError:
    pylock = LOCKFILES["pylock"]
    if isinstance(pylock, PylockFile) and pylock in candidates:
        for path, name in pylock.of_environments(request):
            return _of_environment(path, name)
    root = request.layout.dir_project_root
    elsewhere = "one that is elsewhere can be named with `lockfile` in `[tool.lambda-layer]`"
    if len(candidates) == 1:
        (lockfile,) = candidates
        return MissingLockfileError(
            f"No lockfile: `{lockfile.filename}` is missing in {root}",
            hint=f"make it with `{lockfile.command}`; {elsewhere}",
        )
    names = backticked(lockfile.filename for lockfile in candidates)
    said = f"No lockfile: {root} has none of {names}"
    if near := sorted({*root.glob("*requirements*.txt"), *root.glob("requirements/*.txt")}):
        said += f", but {backticked(path.relative_to(root).as_posix() for path in near)}"
    hint = "make one with your tool, such as `uv lock`, `poetry lock` or `pdm lock`"
    if (root / "setup.py").is_file() and not (root / "pyproject.toml").is_file():
        hint = f"make one with `{LOCKFILES['pip'].command.replace('pyproject.toml', 'setup.py')}`"
    others = find_foreign(root)
    if others and (error := foreign(others[0])):
        said, hint = f"{said}, and {error.message}", error.hint or hint
    return MissingLockfileError(
        said,
        hint=f"{hint}; {elsewhere}, and requirements files with another name with `requirements`",
    )
