"""Finding uv, which this package depends on, and a cache for it that can be written."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..exceptions import LambdaLayerError, ToolError
from .store import default_cache_dir

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def find_uv() -> str:
    """Return the path of the uv that this package depends on, else of the one on the PATH.

    Raises `LambdaLayerError` if there is neither.
    """
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
            "uv is needed, but was not found",
            hint="install hatch-lambda-layer again with its dependencies, or put uv on the PATH",
        )
    return found


def uv_cache_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variable that puts uv's cache into ours, where uv's own place can't be written.

    A container that runs as another user than its image was made for has no home, for example.
    """
    if sys.platform == "win32" or environment.keys() & {"UV_CACHE_DIR", "UV_NO_CACHE"}:
        return {}
    home = Path(environment.get("HOME") or os.path.expanduser("~"))  # noqa: PTH111  # never fails
    folder = Path(environment.get("XDG_CACHE_HOME") or home / ".cache") / "uv"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except OSError:
        writable = False
    return {} if writable else {"UV_CACHE_DIR": str(default_cache_dir() / "uv")}


@contextmanager
def uv_cache_explained() -> Iterator[None]:
    """Add a hint to the error of a call of uv whose cache can't be written."""
    try:
        yield
    except ToolError as error:
        if "Failed to initialize cache" not in error.output:
            raise
        raise ToolError(
            error.program,
            error.output,
            hint="name a folder that can be written in HATCH_LAMBDA_LAYER_CACHE_DIR, for uv's "
            "cache and for that of this tool; or one for uv alone in UV_CACHE_DIR",
        ) from error
