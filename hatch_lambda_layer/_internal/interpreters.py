"""The interpreters on this machine, by version of Python; none is downloaded."""

from __future__ import annotations

import os
import re
import shutil
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..exceptions import ToolError
from .process import run
from .uv import find_uv, uv_cache_variables

if TYPE_CHECKING:
    from collections.abc import Iterator

OWN = sys.version_info[:2]


def find_interpreter(version: tuple[int, int]) -> str | None:
    """Return the path of an interpreter of a minor version of Python, `None` where none is found.

    It may take seconds where pyenv has programs that end with an error for most versions.
    """
    return next(installed(version), None)


def installed(version: tuple[int, int]) -> Iterator[str]:
    """Yield the paths of interpreters of a minor version of Python, this one first."""
    if version == OWN:
        yield sys.executable
    yield from _of_pyenv(version)
    if found := _of_uv(version, os.environ.get("PATH")):
        yield found


def by_another(found: tuple[int, int], wanted: tuple[int, int]) -> str:
    """Return the end of a message about a build by another version than the target's, if it is."""
    if found == wanted:
        return ""
    text = " with Python {}.{}, since {}.{} is not installed here (`uv python install {}.{}`)"
    return text.format(*found, *wanted, *wanted)


def may_be_installed(version: tuple[int, int]) -> bool:
    """Return whether files suggest that an interpreter would be found; starts no process."""
    if version == OWN or _of_pyenv(version):
        return True
    found = shutil.which("python{}.{}".format(*version))
    if found and not Path(found).is_relative_to(_pyenv() / "shims"):
        return True
    return any(each.is_dir() for each in _managed().glob("cpython-{}.{}.*".format(*version)))


@cache
def _of_uv(version: tuple[int, int], path: str | None) -> str | None:  # noqa: ARG001  # of the key
    argv = [find_uv(), "python", "find", "--no-python-downloads", "--no-project", "--system"]
    env = dict(os.environ)
    env |= uv_cache_variables(env)
    try:
        found = run([*argv, "{}.{}".format(*version)], cwd=Path.cwd(), env=env)
    except ToolError:
        return None
    return found.decode(errors="surrogateescape").strip() or None


def _of_pyenv(version: tuple[int, int]) -> list[str]:
    """Return the interpreters that pyenv has, the newest first: uv would only find its shims."""
    major, minor = version
    pattern = f"versions/{major}.{minor}.*/bin/python{major}.{minor}"
    return sorted(map(str, _pyenv().glob(pattern)), key=_numbers, reverse=True)


def _pyenv() -> Path:
    return Path(os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv"))  # noqa: PTH111


def _managed() -> Path:
    """Return the folder of the interpreters that uv has installed."""
    if chosen := os.environ.get("UV_PYTHON_INSTALL_DIR"):
        return Path(chosen)
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA", ""), "uv", "python")
    data = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")  # noqa: PTH111
    return Path(data, "uv", "python")


def _numbers(text: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", text)]
