"""The table that a project begins with, by what it has: its lockfile, its Python, its backend."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from .._internal.tables import table_at, value_at
from .._internal.toml import parse_toml
from ..config.layer import TABLE
from ..config.matrix import Matrix
from ..exceptions import ConfigError, LockfileError, MissingLockfileError
from ..layout import LayerPathLayout
from ..lockfiles import LOCKFILES, LockRequest, find_lockfile
from ..targets.target import runtimes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ..targets.target import Runtime

_PIN = ".python-version"
_HATCHLING = "hatchling.build"


@dataclass(frozen=True, kw_only=True, slots=True)
class InitialTable:
    """The `text` of a new table for the `pyproject.toml` at `path`, with `notes` on the choices.

    `before` are the bytes of the file, `None` where there is none; `after` has the table below.
    """

    path: Path
    text: str
    notes: tuple[str, ...]
    before: bytes | None
    after: bytes

    def write(self) -> None:
        """Write the file in one step; raise `ConfigError` where it has changed or can't be."""
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
        try:
            if _read(self.path) != self.before:
                raise ConfigError([f"{self.path} has changed meanwhile: nothing is written"])
            temporary.write_bytes(self.after)
            if self.before is not None:
                temporary.chmod(self.path.stat().st_mode & 0o777)
            os.replace(temporary, self.path)
        except OSError as error:
            raise ConfigError([f"{self.path} can't be written: {error.strerror}"]) from error
        finally:
            temporary.unlink(missing_ok=True)


def initial_table(folder: Path) -> InitialTable:
    """Return the table for the project in a folder.

    Raises `ConfigError` for a project that has one already, or whose file is not valid.
    """
    path = folder / "pyproject.toml"
    before = _read(path)
    pyproject = _parse(path, before or b"")
    if value_at(pyproject, "tool", "lambda-layer") is not None:
        raise ConfigError([f"{path} has a table `[{TABLE}]` already: nothing is written"])
    runtime, why = _runtime(folder, pyproject)
    tool, notes = _tool(LockRequest(layout=LayerPathLayout(path, folder / "dist")))
    lines = [f"[{TABLE}]", f'runtimes = ["{runtime.id}"]  # {why}']
    if tool:
        lines.append(f'tool = "{tool}"')
    text = "\n".join(lines) + "\n"
    after = _appended(before or b"", text)
    try:
        Matrix.from_pyproject(parse_toml(after))
    except ValueError as error:
        raise ConfigError(
            [f"{path} takes no table at its end ({error}): write this into it\n\n{text}"]
        ) from error
    return InitialTable(
        path=path, text=text, notes=(*notes, _next_step(pyproject)), before=before, after=after
    )


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError([f"{path} can't be read: {error.strerror}"]) from error


def _parse(path: Path, content: bytes) -> dict[str, object]:
    try:
        return parse_toml(content)
    except ValueError as error:
        raise ConfigError([f"{path} is not valid TOML: {error}"]) from error


def _appended(before: bytes, text: str) -> bytes:
    """Return the content of a file with the table below it, whose lines end as those above."""
    end = b"\r\n" if b"\r\n" in before else b"\n"
    if not before:
        return text.encode()
    gap = end if before.endswith(b"\n") else end * 2
    return before + gap + text.encode().replace(b"\n", end)


def _runtime(folder: Path, pyproject: Mapping[str, object]) -> tuple[Runtime, str]:
    """Return the runtime for a project, and why it is that: what is pinned, else the newest."""
    today = datetime.now(UTC).date()
    allowed = {
        each.id: each
        for each in runtimes().values()
        if _allows(pyproject, each.python)
        and not each.preview
        and (each.deprecated is None or today < each.deprecated)
    }
    try:
        pinned = (folder / _PIN).read_text("utf-8").split()
    except (OSError, UnicodeDecodeError):
        pinned = []
    for version in pinned:
        name = f"python{'.'.join(version.split('.')[:2])}"
        if name in allowed:
            return allowed[name], f"as in {_PIN}"
    if allowed:
        return next(iter(allowed.values())), "the newest that the project allows"
    constraint = value_at(pyproject, "project", "requires-python")
    raise ConfigError(
        [f"Lambda has no runtime for the Pythons of the project ({constraint or 'see poetry'})"]
    )


def _allows(pyproject: Mapping[str, object], python: str) -> bool:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    from ..lockfiles.poetry.constraints import allows

    required = value_at(pyproject, "project", "requires-python")
    of_poetry = table_at(pyproject, "tool", "poetry", "dependencies").get("python")
    try:
        if isinstance(required, str):
            return SpecifierSet(required).contains(python, prereleases=True)
    except InvalidSpecifier as error:
        raise ConfigError([f"`requires-python` is not valid: {error}"]) from error
    return allows(of_poetry, python) if isinstance(of_poetry, str) else True


def _tool(request: LockRequest) -> tuple[str | None, tuple[str, ...]]:
    """Return the `tool` that has to be named, since there are several lockfiles, and notes."""
    notes: list[str] = []
    try:
        found = find_lockfile(None, request, notes.append)
    except MissingLockfileError as error:
        return None, (str(error),)
    except LockfileError as error:
        several = [name for name, each in LOCKFILES.items() if each.find(request)]
        if len(several) > 1:
            return several[0], (f"There are lockfiles of {', '.join(several)}: the first is named",)
        return None, (str(error),)
    return None, (*notes, f"The lockfile is {found.path.name}, of {found.lockfile.tool}")


def _next_step(pyproject: Mapping[str, object]) -> str:
    if value_at(pyproject, "build-system", "build-backend") == _HATCHLING:
        return "Next: `hatch build -t lambda-layer`, or `hatch-lambda-layer build`"
    return "Next: `hatch-lambda-layer build`"
