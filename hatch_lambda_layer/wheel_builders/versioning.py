"""Whether the wheel of a folder depends on the git repository around it, by what its files say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .._internal.tables import strings_at
from .._internal.toml import parse_toml
from .beside import build_scripts

if TYPE_CHECKING:
    from pathlib import Path

# Build requirements that ask git for the version: hatch-vcs, setuptools-scm, versioningit, dunamai…
_VERSIONERS = re.compile(r"(^|-)(scm|vcs|git|pbr|dunamai|versioneer|versioningit|versioning)(-|$)")
# How pdm-backend and others are told to: `[tool.pdm.version] source = "scm"`.
_SOURCE = re.compile(r"""\b(source|provider|version-from)\s*=\s*["'][\w.]*(scm|vcs|git)""")
_GIT = re.compile(rb"\bgit\b")


def reads_repository(project: Path) -> bool:
    """Return whether the build of the project in a folder is likely to ask git something."""
    path = project / "pyproject.toml"
    try:
        text = path.read_text(encoding="utf-8")
        pyproject = parse_toml(text)
    except (OSError, ValueError):
        text, pyproject = "", {}
    names = map(_required_name, strings_at(pyproject, "build-system", "requires"))
    return (
        any(_VERSIONERS.search(name) for name in names)
        or _SOURCE.search(text) is not None
        or any(_GIT.search(script.read_bytes()) for script in build_scripts(project, pyproject))
    )


def _required_name(requirement: str) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(re.split(r"[^\w.-]", requirement.strip(), maxsplit=1)[0])
