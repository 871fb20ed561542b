"""The index that packages come from where neither lockfile nor project names one."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

from .._internal.process import run
from .._internal.uv import find_uv
from ..exceptions import ToolError

if TYPE_CHECKING:
    from pathlib import Path


def default_index(folder: Path) -> str:
    """Give the URL of the index that Python's tools use by default, as uv has it built in.

    uv compiles the requirements of an empty file for that, offline and without its settings.
    """
    argv = [find_uv(), "pip", "compile", "-", "--emit-index-url", "--offline", "--no-config"]
    argv += ["--no-cache", "--no-header", "--quiet", "--python", sys.executable]
    env = {key: value for key, value in os.environ.items() if not key.startswith("UV_")}
    said = run(argv, cwd=folder, env=env, supervised=False).decode()
    match = re.search(r"^--index-url (\S+)", said, re.MULTILINE)
    if match is None:
        raise ToolError("uv pip compile --emit-index-url", f"it named no index: {said}")
    return match[1].rstrip("/")
