"""The index of packages for which neither the lockfile nor the project names one."""

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
    """Return the URL of uv's built-in default index, without a slash at the end.

    uv prints it when it compiles an empty requirements file, offline and without its settings.
    Raises `ToolError` where uv fails or prints none.
    """
    argv = [find_uv(), "pip", "compile", "-", "--emit-index-url", "--offline", "--no-config"]
    argv += ["--no-cache", "--no-header", "--quiet", "--python", sys.executable]
    env = {key: value for key, value in os.environ.items() if not key.startswith("UV_")}
    said = run(argv, cwd=folder, env=env, supervised=False).decode()
    match = re.search(r"^--index-url (\S+)", said, re.MULTILINE)
    if match is None:
        raise ToolError("uv pip compile --emit-index-url", f"it named no index: {said}")
    return match[1].rstrip("/")
