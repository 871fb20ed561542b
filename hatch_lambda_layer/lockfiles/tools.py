"""What the lockfiles of several tools ask alike: where the tool is, and what the project has."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..exceptions import LockfileError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .protocol import LockRequest

# Rises when the same files would be locked differently.
_SCHEMA = 1


def beside(*packages: str) -> list[str] | None:
    """Give the command of the program `packages[0]` where all `packages` are installed beside us.

    They are looked for, not imported: that alone would take longer than all of the rest.
    """
    if all(version_of(package) for package in packages):
        # -P: a file of the project must not stand in for a module of the program.
        return [sys.executable, "-P", "-m", packages[0]]
    return None


def version_of(package: str) -> str | None:
    """Give the version of a package that is installed beside us."""
    for entry in filter(None, sys.path):
        for info in Path(entry).glob(f"{package}-*.dist-info"):
            return info.name.removesuffix(".dist-info").rpartition("-")[2]
    return None


def on_path(program: str) -> list[str] | None:
    """Give the command of a program on the search path."""
    found = shutil.which(program)
    return [found] if found else None


def parsed(text: bytes, path: Path, command: str) -> dict[str, Any]:
    """Parse a lockfile of TOML; raise `LockfileError` where it is none."""
    try:
        # Some Windows editors put a byte order mark in front; TOML itself has none.
        return tomllib.loads(text.decode("utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise LockfileError(
            f"Lockfile `{path}` is not valid TOML: {error}", hint=f"lock again with `{command}`"
        ) from error


def read_pyproject(path: Path) -> dict[str, Any]:
    """Give the project's `pyproject.toml`; raise `LockfileError` where there is none."""
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise LockfileError(f"`{path}` can't be read: {error}") from error


def key_of_files(path: Path, request: LockRequest) -> str | None:
    """Name a lock by its files and the groups and extras asked for.

    Gives `None` where the project takes something from the environment.
    """
    try:
        texts = [path.read_bytes(), request.layout.path_pyproject_toml.read_bytes()]
    except OSError:
        return None
    if any(b"${" in text for text in texts):
        return None
    digests = [hashlib.sha256(text).hexdigest() for text in texts]
    facts = [_SCHEMA, path.name, *digests, request.groups, request.extras]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def table(value: object, *keys: str) -> dict[str, Any]:
    """Give the table below `keys`, empty where there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def chosen(kind: str, asked: Iterable[str], known: Iterable[str], path: Path) -> tuple[str, ...]:
    """Give the project's own spelling of each name in `asked`.

    Raises `LockfileError` that names what is `known` for one that the project does not have.
    """
    from packaging.utils import canonicalize_name

    by_name = {canonicalize_name(name): name for name in known}
    for name in asked:
        if canonicalize_name(name) not in by_name:
            names = ", ".join(f"`{each}`" for each in sorted(by_name.values())) or "none"
            raise LockfileError(
                f"The project of lockfile `{path}` has no {kind} `{name}`; it has: {names}"
            )
    return tuple(dict.fromkeys(by_name[canonicalize_name(name)] for name in asked))
