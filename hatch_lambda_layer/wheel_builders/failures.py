"""Hints about builds on this machine that fail, by what their backends said."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..exceptions import BuildError
from .native import has_native_code

if TYPE_CHECKING:
    from pathlib import Path

NATIVE_HINT = (
    "native code for Lambda has to be built in Lambda's build image: set "
    '`build = "container"` in [tool.lambda-layer]'
)
# What compilers, linkers, pkg-config, CMake, Meson and build scripts say that they lack.
_PROGRAM = (
    r"[\w+-]+[-_]config|autoconf|automake|cargo|cc|clang|clang\+\+|cmake|c\+\+|g\+\+|gcc|gfortran|go"
    r"|libtool|make|meson|ninja|protoc|rustc|swig"
)
_LACKING = tuple(
    re.compile(pattern)
    for pattern in (
        r"fatal error: '?([\w./+-]+\.h(?:h|pp|xx)?)'?(?:: No such file| file not found)",
        r"No package '([^'\s]+)' found",
        r"Package '?([\w.+-]+)'?,? (?:was )?not found in the pkg-config",
        rf"\b({_PROGRAM})(?: executable|: command|:)? (?:not found|not available|is required)",
        r"Can not find valid (pkg-config) name",
        r"(?:cannot find|library not found for) -l([\w.+-]+)",
        r"Could (?:NOT|not) find (?:a package configuration file provided by \"?)?(\w+)",
        r"Dependency \"([^\"]+)\" not found",
        r"error: command '([^']+)' failed: No such file",
        rf"No such file or directory: '({_PROGRAM})'",
        r"can't find (Rust compiler)",
        r"linker `([^`]+)` not found",
        r"(Microsoft Visual C\+\+ [\d.]+) or greater is required",
    )
)
_WITHOUT_PKG_RESOURCES = "No module named 'pkg_resources'"


def failure_hint(project: Path, title: str, said: str) -> str:
    """Return the hint about the failed build of a project, whose backend `said` something."""
    if _WITHOUT_PKG_RESOURCES in said:
        return (
            "setuptools 82 no longer has `pkg_resources`: build with an older one, by "
            '`build-constraint-dependencies = ["setuptools<82"]` in `[tool.uv]`, by '
            "PIP_BUILD_CONSTRAINT, or by `[tool.poetry.build-constraints]`"
        )
    lacking = next((match[1] for each in _LACKING if (match := each.search(said))), None)
    if lacking is None and not _is_native(project, title):
        return (
            "the backend ran without your variables, configuration and keys, on a copy of the "
            "source; if it needs them, choose a version that has a wheel"
        )
    what = f"the build lacks `{lacking}`" if lacking else "it has native code"
    return (
        f"{what}: choose a version that has a wheel, or build it in Lambda's build image, with "
        '`build = "container"` in [tool.lambda-layer], and install what it needs there with '
        "`before-build` in [tool.lambda-layer.container]"
    )


def _is_native(project: Path, title: str) -> bool:
    try:
        return has_native_code(project, title)
    except BuildError:
        return False
