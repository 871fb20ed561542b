"""Whether a source has native code, as far as its files say: then only Lambda's image fits.

A guess by the source alone, so that every machine makes the same one: an extension that is
optional would else be there or not as the machine has a compiler or not.
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
# Native code that is no part of what is installed.
_ASIDE = re.compile(
    r"(^|/)(tests?|testing|docs?|examples?|benchmarks?|tools|scripts)/", re.IGNORECASE
)
# What compiles; a backend that is required says more than the files, which it may make itself.
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
    """Say whether the project in a folder is likely to become a native wheel.

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
