"""`include-project`: the project itself as a source, built like every other folder."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from .._internal.tables import value_at
from ..wheels.selection import LockedSource

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ..targets.target import Target
    from ..wheels.wheel import Wheel


def project_source(root: Path, pyproject: Mapping[str, object]) -> LockedSource:
    """Return the project in the folder `root` as a source of kind `project`.

    It has the name of `[project]` or of poetry's table. Where neither has one, its build backend
    knows it, and it is called `project` until then.
    """
    from packaging.utils import canonicalize_name

    places = (("project", "name"), ("tool", "poetry", "name"))
    names = [value_at(pyproject, *keys) for keys in places]
    return LockedSource(
        name=canonicalize_name(next((each for each in names if isinstance(each, str)), "project")),
        version=None,
        kind="project",
        location=str(root),
        sha256=None,
        commit=None,
        subdirectory=None,
        index_url=None,
        reason="`include-project` is set",
    )


def read_project_wheel(path: Path, source: LockedSource, target: Target, folder: Path) -> Wheel:
    """Verify the wheel that a build front end has made of the project.

    A copy in `folder` is taken where requirements name places on this machine. Raises `WheelError`,
    and `BuildError` where the target can't run it.
    """
    from .compatibility import check_fit
    from .local_requirements import names_places, write_without_places

    wheel = _verified(path)
    if names_places(wheel):
        copy = folder / path.name
        write_without_places(wheel, copy)
        wheel = _verified(copy)
    check_fit(
        wheel, source, target, target.runtime.python_version, "build it for Lambda's platform"
    )
    return wheel


def _verified(path: Path) -> Wheel:
    from ..wheels.verify import verify_wheel

    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return verify_wheel(path, path.name, sha256)
