"""Lockfiles that `hatch env lock` (Hatch 1.17) writes for environments, told by the configuration.

Nothing in such a file says so: uv or pip makes it. It locks what the environment has, also what it
inherits from the default one, such as pytest, and it does so for the machine that it is made on.
https://hatch.pypa.io/latest/how-to/environment/lockfiles/
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from .._internal.store import UNREADABLE
from .._internal.tables import table_at
from .._internal.toml import parse_toml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_DEFAULT = "default"
# Environments that Hatch has of its own, such as `hatch-test`.
_INTERNAL = "hatch-*"
_FIELD = re.compile(r"\{[^}]*\}")


def environment_of(path: Path) -> str | None:
    """Return the name of an environment that Hatch locks in the file `path`, if there is one.

    It may have a `*` in it, for what a matrix makes of it. The configuration is read in the folder
    of the file.
    """
    root = path.parent
    hatch = {
        **table_at(_content(root / "pyproject.toml"), "tool", "hatch"),
        **_content(root / "hatch.toml"),
    }
    found = (name for name, pattern in _locked(hatch) if fnmatchcase(path.name, pattern))
    return next(found, None)


def _locked(hatch: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the environments that are locked, with patterns of the names of their lockfiles."""
    everywhere = hatch.get("lock-envs") is True
    environments: dict[str, Any] = {_DEFAULT: {}, **table_at(hatch, "envs")}
    if everywhere:
        environments.setdefault(_INTERNAL, {"template": _INTERNAL})
    for name, own in environments.items():
        settings = _with_inherited(name, environments)
        filename = settings.get("lock-filename")
        # Who names the file of an environment can have it locked by name.
        if not isinstance(filename, str) and settings.get("locked", everywhere) is not True:
            continue
        for each in (name, *_of_matrix(name, table_at(own))):
            if isinstance(filename, str):
                yield each, _FIELD.sub("*", filename.replace("{env_name}", each))
            elif each == _DEFAULT:
                yield each, "pylock.toml"
            else:
                # PEP 751: the name has no dot.
                yield each, f"pylock.{each.replace('.', '-')}.toml"


def _with_inherited(name: str, environments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the settings of an environment, with those of its templates."""
    found: dict[str, Any] = {}
    seen: set[str] = set()
    while name not in seen:
        seen.add(name)
        own = table_at(environments, name)
        found = {**own, **found}
        name = name if own.get("detached") is True else str(own.get("template", _DEFAULT))
    return found


def _of_matrix(name: str, own: Mapping[str, Any]) -> Iterator[str]:
    """Yield patterns of the environments that the matrix of one makes."""
    matrices = own.get("matrix", ())
    for matrix in matrices if isinstance(matrices, list) else ():
        if name != _DEFAULT:
            yield f"{name}.*"
            continue
        table = table_at(matrix)
        python = next((key for key in ("py", "python") if key in table), "")
        values = table.get(python or next(iter(table), ""), ())
        for value in values if isinstance(values, list) else ():
            text = str(value)
            yield f"py{text}*" if python and not text.startswith("py") else f"{text}*"


def _content(path: Path) -> Mapping[str, Any]:
    try:
        return parse_toml(path.read_bytes())
    except (*UNREADABLE, OSError):
        return {}
