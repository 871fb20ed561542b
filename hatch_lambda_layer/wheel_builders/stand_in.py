"""A stand-in for this package, where a source requires it to be built."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from .. import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAME = "hatch-lambda-layer"
_MODULE = "hatch_lambda_layer"


def without_own(requires: Sequence[str]) -> list[str]:
    """Return build requirements (PEP 508) without those that name this package."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    return [each for each in requires if canonicalize_name(Requirement(each).name) != _NAME]


def add_stand_in(packages: Path) -> None:
    """Write the stand-in into the folder `site-packages` of an environment."""
    metadata = packages / f"{_MODULE}-{__version__}.dist-info"
    metadata.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(Path(__file__).with_name("_stand_in.py"), packages / f"{_MODULE}.py")
    for name, text in (
        ("METADATA", f"Metadata-Version: 2.1\nName: {_NAME}\nVersion: {__version__}\n"),
        ("entry_points.txt", f"[hatch]\nlambda-layer = {_MODULE}\n"),
    ):
        (metadata / name).write_text(text, encoding="utf-8")
