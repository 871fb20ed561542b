"""The index of packages for which neither the lockfile nor the project names one."""

from __future__ import annotations

import mmap
import os
import re
import sys
from functools import cache
from pathlib import Path

from .._internal.process import run
from .._internal.uv import find_uv
from ..exceptions import ToolError

# What uv's help says of its option `--default-index`.
_BEFORE, _LONGEST = b"The default package index (by default: <", 200
_URL = re.compile(rb"(https://[\w.-]+/[\w./-]+)>\)")


def default_index(folder: Path) -> str:
    """Return the URL of uv's built-in default index, without a slash at the end.

    Settings and variables of uv do not count. Raises `ToolError` where uv fails or names none.
    """
    program = find_uv()
    return _in_help(program) or _asked(program, folder)


@cache
def _in_help(program: str) -> str | None:
    """Return the URL from the text that uv has in its program: to run it would take longer."""
    try:
        with (
            Path(program).open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
        ):
            start = content.find(_BEFORE) + len(_BEFORE)
            match = _URL.match(content[start : start + _LONGEST])
    except (OSError, ValueError):
        return None
    return match[1].decode().rstrip("/") if match else None


def _asked(program: str, folder: Path) -> str:
    """Return the URL that uv prints when it compiles an empty requirements file, offline."""
    argv = [program, "pip", "compile", "-", "--emit-index-url", "--offline", "--no-config"]
    argv += ["--no-cache", "--no-header", "--quiet", "--python", sys.executable]
    env = {key: value for key, value in os.environ.items() if not key.startswith("UV_")}
    said = run(argv, cwd=folder, env=env, supervised=False).decode()
    match = re.search(r"^--index-url (\S+)", said, re.MULTILINE)
    if match is None:
        raise ToolError("uv pip compile --emit-index-url", f"it named no index: {said}")
    return match[1].rstrip("/")
