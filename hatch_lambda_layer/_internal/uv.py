"""Where uv is: this package depends on it, so it nearly always lies beside the interpreter."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from ..exceptions import LambdaLayerError


def find_uv() -> str:
    """Give the uv that this package depends on, else the one on the search path."""
    # Where `find_uv_bin` looks first, without the 10 ms that asking `sysconfig` takes.
    beside = Path(sys.executable).with_name("uv.exe" if sys.platform == "win32" else "uv")
    if beside.is_file():
        return str(beside)
    from uv import find_uv_bin

    try:
        return str(find_uv_bin())
    except FileNotFoundError:
        found = shutil.which("uv")
    if found is None:
        raise LambdaLayerError(
            "uv is needed, and none was found",
            hint="install hatch-lambda-layer again with its dependencies, or put uv on the PATH",
        )
    return found
