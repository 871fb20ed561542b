"""The Pythons of pyenv, which other ways of finding one pass over or take long to try."""

from __future__ import annotations

import os
import re
from pathlib import Path


def pyenv_pythons(version: tuple[int, int]) -> list[str]:
    """Return the paths of pyenv's Pythons of a minor version, the newest first.

    On the search path, pyenv has programs that end with an error for most versions, and uv takes
    seconds to try them all.
    """
    major, minor = version
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    pattern = f"versions/{major}.{minor}.*/bin/python{major}.{minor}"
    return sorted(map(str, root.glob(pattern)), key=_numbers, reverse=True)


def _numbers(text: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", text)]
