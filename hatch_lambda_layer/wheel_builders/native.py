"""The guess whether a source has native code: if so, it is built in Lambda's build image.

Only the files of the source decide, so that every machine guesses the same. A build would not: an
optional extension is left out on a machine without a compiler.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .backend import BuildSystem
from .folders import file_names

if TYPE_CHECKING:
    from pathlib import Path

_SUFFIXES = frozenset(
    {".c", ".cc", ".cpp", ".cu", ".cxx", ".f", ".f90", ".for", ".go", ".m", ".mm", ".pyx", ".rs"}
)
_FILES = frozenset({"CMakeLists.txt", "Cargo.toml", "meson.build"})
# Folders with native code that is usually not installed.
_ASIDE = re.compile(
    r"(^|/)(tests?|testing|docs?|examples?|benchmarks?|tools|scripts)/", re.IGNORECASE
)
# Build requirements that compile. They count without any file, since they may make the files.
_COMPILERS = frozenset(
    {
        "cffi",
        "cmake",
        "cython",
        "maturin",
        "meson",
        "meson-python",
        "mypy",
        "nanobind",
        "numpy",
        "pybind11",
        "scikit-build",
        "scikit-build-core",
        "setuptools-rust",
        "sip",
    }
)


def has_native_code(project: Path, title: str) -> bool:
    """Return whether the project in a folder is likely to become a native wheel.

    Raises `BuildError` where it can't be built at all.
    """
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    requires = BuildSystem.read(project, title).requires
    if _COMPILERS & {str(canonicalize_name(Requirement(each).name)) for each in requires}:
        return True
    names = [name for name in file_names(project) if not _ASIDE.search(name)]
    return any(
        name.rpartition("/")[2] in _FILES or f".{name.rpartition('.')[2].lower()}" in _SUFFIXES
        for name in names
    )
