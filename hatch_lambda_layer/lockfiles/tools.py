"""Helpers that several lockfiles share: to find the tool, to read the project and the lock."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .._internal.toml import parse_toml
from ..exceptions import LockfileError, backticked
from .protocol import read_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .protocol import LockRequest

# Incremented when the same files are locked differently than before.
_SCHEMA = 2


def beside(*packages: str) -> list[str] | None:
    """Return the command that runs the module `packages[0]` with this interpreter.

    `None` unless all `packages` are installed beside this one. They are looked for, not imported:
    the import would take longer than all the rest.
    """
    if all(version_of(package) for package in packages):
        # -P: a file of the project must not stand in for a module of the program.
        return [sys.executable, "-P", "-m", packages[0]]
    return None


def version_of(package: str) -> str | None:
    """Return the version of a package that is installed beside this one, else `None`."""
    for entry in filter(None, sys.path):
        for info in Path(entry).glob(f"{package}-*.dist-info"):
            return info.name.removesuffix(".dist-info").rpartition("-")[2]
    return None


def on_path(program: str) -> list[str] | None:
    """Return the command of a program on the search path, else `None`."""
    found = shutil.which(program)
    return [found] if found else None


def find_in_project(filename: str, request: LockRequest) -> list[Path]:
    """Return the path of a file beside the project's `pyproject.toml`, if it is there."""
    path = request.layout.dir_project_root / filename
    return [path] if path.is_file() else []


def read_toml(path: Path) -> dict[str, Any]:
    """Read a lockfile; raise `LockfileError` where it can't be read or is not valid TOML."""
    text = read_text(path)
    try:
        return parse_toml(text)
    except ValueError as error:
        raise LockfileError(
            f"Lockfile `{path}` is not valid TOML: {error}",
            # Locked anew, other packages would get other versions.
            hint="restore the file from version control, then lock again",
        ) from error


@contextmanager
def written_by(tool: str, path: Path, command: str) -> Iterator[None]:
    """Raise `LockfileError` where the block finds the lockfile to be not as its tool writes it."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise LockfileError(
            f"Lockfile `{path}` is not as {tool} writes it: {error!r}",
            hint=f"lock again with `{command}`",
        ) from error


def read_pyproject(path: Path) -> dict[str, Any]:
    """Read the project's `pyproject.toml`; raise `LockfileError` where that is not possible."""
    try:
        return parse_toml(path.read_bytes())
    except FileNotFoundError as error:
        raise LockfileError(
            f"`{path}` is missing: the lockfile is read together with it",
            hint="requirements.txt and pylock.toml are read alone: export one of them",
        ) from error
    except (OSError, ValueError) as error:
        raise LockfileError(f"`{path}` can't be read: {error}") from error


def key_of_files(path: Path, request: LockRequest, *more: object) -> str | None:
    """Return a key of a lock: of its file, `pyproject.toml`, the chosen groups and extras.

    `more` are further facts (JSON) that decide what is read. `None` where one of the files can't be
    read, or refers to a variable (`${…}`).
    """
    try:
        texts = [path.read_bytes(), request.layout.path_pyproject_toml.read_bytes()]
    except OSError:
        return None
    if any(b"${" in text for text in texts):
        return None
    digests = [hashlib.sha256(text).hexdigest() for text in texts]
    facts = [_SCHEMA, path.name, *digests, request.groups, request.extras, request.main, *more]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def match_names(
    kind: str, asked: Iterable[str], known: Iterable[str], where: str
) -> tuple[str, ...]:
    """Return the names in `asked` as they are spelled in `known`, each once.

    Raises `LockfileError`, with a list of the `known` names, for one that is not among them. `kind`
    is the word for them in it, and `where` that for what has them.
    """
    from packaging.utils import canonicalize_name

    by_name = {canonicalize_name(name): name for name in known}
    for name in asked:
        if canonicalize_name(name) not in by_name:
            names = backticked(sorted(by_name.values())) or "none"
            raise LockfileError(f"{where} has no {kind} `{name}`; it has: {names}")
    return tuple(dict.fromkeys(by_name[canonicalize_name(name)] for name in asked))


class Chosen(NamedTuple):
    """The groups and extras that are wanted, and whether the project's own dependencies are."""

    groups: Sequence[str]
    extras: Sequence[str]
    main: bool


def match_request(
    request: LockRequest, path: Path, groups: Iterable[str], extras: Iterable[str]
) -> Chosen:
    """Return what is wanted, with its names as the project of the lockfile has them.

    `groups` and `extras` are all that it has. Raises `LockfileError` for one that it does not have.
    """
    where = f"The project of lockfile `{path}`"
    return Chosen(
        match_names("group", request.groups, groups, where),
        match_names("extra", request.extras, extras, where),
        request.main,
    )
