"""Compilers of this machine, which are stopped where what they make can't fit the target.

Whether a source has native code shows only when its backend calls a compiler: some sources do
without it where there is none, so nothing is refused before.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

    from ..targets.target import Target

# The variables with which backends find compilers, and the programs that these name.
_PROGRAMS = {
    "CC": "cc",
    "CXX": "c++",
    "CPP": "cpp",
    "FC": "gfortran",
    "F77": "gfortran",
    "F90": "gfortran",
    "RUSTC": "rustc",
    "CARGO": "cargo",
}
_MORE = ("gcc", "g++", "clang", "clang++", "c99", "f77", "f95", "flang", "go", "nvcc", "zig")
_SCRIPT = """\
#!/bin/sh
: > "${0%/*}/called"
echo "hatch-lambda-layer: ${0##*/} is not run: it would compile for this machine" >&2
exit 1
"""


def compiles_for(target: Target) -> bool:
    """Return whether compilers of this machine make programs for the target's system and CPU."""
    return sys.platform == "linux" and os.uname().machine == target.architecture.machine


class StoppedCompilers(NamedTuple):
    """Programs in a folder that stand before the compilers, and end with an error."""

    folder: Path

    @classmethod
    def create(cls, folder: Path) -> StoppedCompilers:
        """Make the programs; none for Windows, where compilers are not found by their names."""
        folder.mkdir()
        for name in {*_PROGRAMS.values(), *_MORE} if sys.platform != "win32" else ():
            program = folder / name
            program.write_text(_SCRIPT, encoding="utf-8")
            program.chmod(0o755)
        return cls(folder)

    @property
    def were_called(self) -> bool:
        """Whether a build has called one of them."""
        return (self.folder / "called").exists()

    def variables(self, path: str) -> dict[str, str]:
        """Return the variables of a build that has the search path `path`."""
        if sys.platform == "win32":
            return {}
        return {**_PROGRAMS, "PATH": f"{self.folder}{os.pathsep}{path}"}
