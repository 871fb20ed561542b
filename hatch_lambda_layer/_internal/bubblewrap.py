"""Finding bubblewrap, where it can do its work: a trial shows that."""

from __future__ import annotations

import shutil
import sys
from functools import cache
from pathlib import Path

from ..exceptions import ToolError
from .process import run

_TRIAL_SECONDS = 10.0


@cache
def working_bwrap(*namespaces: str) -> str | None:
    """Return bubblewrap, if it can make a sandbox with these namespaces (`--unshare-…`) here.

    In many containers, and under some security modules, it is there and can't.
    """
    found = shutil.which("bwrap") if sys.platform == "linux" else None
    if found is None:
        return None
    trial = [found, *namespaces, "--die-with-parent", "--ro-bind", "/", "/"]
    trial += ["--dev", "/dev", "--proc", "/proc", "--tmpfs", "/run", "--", "/bin/true"]
    try:
        run(trial, cwd=Path("/"), env={}, timeout=_TRIAL_SECONDS)
    except ToolError:
        return None
    return found
