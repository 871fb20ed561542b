"""Modules that the runtimes have themselves, and which a layer can hide from a function."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .target import Runtime


def standard_modules(runtime: Runtime) -> frozenset[str]:
    """Return the names of the modules of the runtime's standard library."""
    rows = _facts()["stdlib"]
    own = rows.get("{}.{}".format(*runtime.python_version), list(rows.values())[-1])
    return frozenset([*rows["common"], *own])


def modules_of_runtimes() -> frozenset[str]:
    """Return the names of the modules that the runtimes need to call a function."""
    return frozenset(_facts()["runtime"]["modules"])


def is_harmless_pth(name: str) -> bool:
    """Return whether a `.pth` file of this name does nothing that a function would miss."""
    return any(fnmatchcase(name, pattern) for pattern in _facts()["harmless-pth"]["patterns"])


@cache
def _facts() -> dict[str, Any]:
    with Path(__file__).with_name("modules.toml").open("rb") as file:
        return tomllib.load(file)
