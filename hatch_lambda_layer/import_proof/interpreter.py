"""The interpreter of a target: found on this machine, and asked what it is and what it needs."""

from __future__ import annotations

import json
import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .._internal.interpreters import installed
from .._internal.process import run
from ..exceptions import LambdaLayerError, ToolError, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..targets.target import Target

_SECONDS_TO_ANSWER = 60.0
_C_LIBRARY = "libc.so.6"
# Names that `platform.machine()` has on other systems.
_MACHINES = {"AMD64": "x86_64", "arm64": "aarch64"}


class InterpreterError(LambdaLayerError):
    """There is no interpreter for the target, or it is not what its name says."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Interpreter:
    """A Python of this machine.

    `folders` are those of its standard library, `sites` those where packages are installed for it.
    `libraries` has the paths of the shared libraries that were asked for, and of those that the
    interpreter needs itself, by their names; the names of the latter are `own`.
    """

    path: Path
    executable: Path
    version: str
    folders: tuple[Path, ...]
    sites: tuple[Path, ...]
    libraries: Mapping[str, Path]
    own: frozenset[str]


def is_native(target: Target) -> bool:
    """Return whether this machine runs programs of the target itself."""
    machine = platform.machine()
    return (
        sys.platform == "linux" and _MACHINES.get(machine, machine) == target.architecture.machine
    )


def find_interpreter(
    target: Target, chosen: Path | None = None, libraries: Iterable[str] = ()
) -> Interpreter:
    """Return an interpreter of the target's minor version; `chosen` is taken if it is given.

    Raises `InterpreterError`.
    """
    if chosen is not None:
        return _asked(chosen, target, libraries)
    for path in map(Path, installed(target.runtime.python_version)):
        return _asked(path, target, libraries)
    major, minor = target.runtime.python_version
    raise InterpreterError(
        f"Nothing can be imported for {target.runtime.id}: there is no Python {major}.{minor} on "
        "this machine",
        hint=f"install one, for example with `uv python install {major}.{minor}`, or name it with "
        "`--python`",
    )


def facts_of(python: Path, libraries: Iterable[str] = ()) -> dict[str, object]:
    """Return what a Python says of itself; raise `InterpreterError` where it does not answer."""
    script = Path(__file__).with_name("_probe.py")
    # It is not the target's business which variables the user has.
    env = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}
    argv = [str(python), "-I", str(script), *libraries]
    try:
        facts = json.loads(run(argv, cwd=Path.cwd(), env=env, timeout=_SECONDS_TO_ANSWER))
    except ToolError as error:
        raise InterpreterError(
            f"{python} is not a Python that works\n\n{quoted(error.output)}",
            hint="name another with `--python`",
        ) from error
    except ValueError:
        facts = None
    if not isinstance(facts, dict):
        raise InterpreterError(f"{python} is not a Python: it does not answer as one would")
    return facts


def check_version(python: object, facts: Mapping[str, object], target: Target) -> str:
    """Return the version of a Python; raise `InterpreterError` if it is not the target's."""
    version = facts.get("version")
    numbers = list(version) if isinstance(version, list) else []
    text = ".".join(map(str, numbers))
    major, minor = target.runtime.python_version
    if numbers[:2] != [major, minor] or facts.get("implementation") != "cpython":
        raise InterpreterError(
            f"{python} is {facts.get('implementation')} {text}, and {target.runtime.id} needs "
            f"CPython {major}.{minor}",
            hint="name another with `--python`",
        )
    return text


def _asked(path: Path, target: Target, libraries: Iterable[str]) -> Interpreter:
    facts: dict[str, object] = facts_of(path, libraries)
    version = check_version(path, facts, target)
    loaded = facts["libraries"]
    own = facts["own"]
    sites = facts["sites"]
    if not isinstance(loaded, dict) or not isinstance(own, list) or not isinstance(sites, list):
        raise InterpreterError(f"{path} is not a Python: it does not answer as one would")
    if sys.platform == "linux" and _C_LIBRARY not in own:
        raise InterpreterError(
            f"{path} does not use glibc, as Lambda does",
            hint="name another with `--python`",
        )
    folders = dict.fromkeys([str(facts["stdlib"]), str(facts["platstdlib"])])
    return Interpreter(
        path=path,
        executable=Path(str(facts["executable"])),
        version=version,
        folders=tuple(map(Path, folders)),
        sites=tuple(map(Path, sites)),
        libraries={name: Path(place) for name, place in loaded.items()},
        own=frozenset(own),
    )
