"""Locks that are older than their project, and those whose tool is later than what is known here.

poetry and pdm record a hash of what the project required. Its recipe changes with their versions.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .._internal.process import run
from ..exceptions import LockfileError, ToolError
from .walk import changes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from packaging.specifiers import SpecifierSet

    from .walk import LockedPackage, Need

# How many changes an error lists.
_SHOWN = 8


def stale(path: Path, hint: str, found: Sequence[str] = ()) -> LockfileError:
    """Return the error of a stale lock, with the changes where they are known."""
    lines = "".join(f"\n- {each}" for each in found[:_SHOWN])
    if len(found) > _SHOWN:
        lines += f"\n- and {len(found) - _SHOWN} more changes"
    message = f"Lockfile `{path}` is stale: pyproject.toml has changed since"
    return LockfileError(f"{message}:{lines}" if lines else message, hint=hint)


def is_accepted(
    argv: Sequence[str], complaint: str, folder: Path, env: Mapping[str, str]
) -> bool | None:
    """Run a tool to compare its lock with the project; `None` where it fails otherwise.

    `complaint` is a pattern of what it says about a stale lock.
    """
    try:
        run(argv, cwd=folder, env=env)
    except ToolError as error:
        return False if re.search(complaint, " ".join(error.output.split())) else None
    return True


def compared(
    path: Path,
    hint: str,
    needs: Iterable[Need] | None,
    packages: Sequence[LockedPackage],
    pythons: SpecifierSet | None,
) -> str:
    """Compare a lock whose hash does not tell with its project; return a note on that.

    `needs` is `None` where pyproject.toml does not list them. Raises `LockfileError` for a
    requirement that is not met or a package that nothing requires.
    """
    if needs is None:
        return (
            f"{path.name} is taken as it is: only the tool that wrote it knows whether it is stale"
        )
    if found := list(changes(needs, packages, pythons)):
        raise stale(path, hint, found)
    return (
        f"The hash in {path.name} does not tell here whether it is stale: its packages were "
        "compared with the requirements in pyproject.toml instead"
    )
