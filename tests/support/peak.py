"""The memory that a program takes at most, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_MEASURED = """
import resource, sys
from pathlib import Path
def peak():
    status = Path("/proc/self/status")
    if status.exists():
        # `ru_maxrss` of a child begins with what its parent had.
        lines = status.read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    exec(sys.argv[1], {"argv": sys.argv[2:]})
finally:
    print(peak())
"""


def peak_of(program: str, *argv: str | Path) -> tuple[str, int]:
    """Return what a program in Python printed, whose arguments are `argv`, and its peak in bytes.

    What the program raises is printed, too.
    """
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, program, *map(str, argv)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    *printed, peak = done.stdout.splitlines()
    return "\n".join([*printed, done.stderr]), int(peak)
