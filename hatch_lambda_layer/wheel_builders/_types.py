"""The Protocol of wheel builders, and the values that go in and come out."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ..index_access import IndexAccess
    from ..targets import Target


@dataclass(frozen=True, kw_only=True, slots=True)
class Requirements:
    """Where build backends and what else builds require come from: how uv is called for them.

    uv reads its settings, its indexes among them, from `folder` and those above it: the user's
    project. `environment` is the only place for credentials; no build script sees it. `access` has
    those for what is fetched here, the sources themselves.
    """

    folder: Path
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    access: IndexAccess | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildRequest:
    """One source tree to build.

    `title` is what errors call the package, `project` the folder of its `pyproject.toml`; `folder`
    is the builder's own, and is removed with the wheel once that is in the cache. Both lie below
    one folder that holds nothing else.
    """

    title: str
    project: Path
    folder: Path
    target: Target
    requirements: Requirements


class BuiltWheel(NamedTuple):
    """A wheel that came out of a build, not yet proved, and the version of Python it ran."""

    path: Path
    python: tuple[int, int]


class WheelBuilder(Protocol):
    """One way to build a source tree to a wheel."""

    @property
    def name(self) -> str:
        """The name for `build` in `[tool.lambda-layer]`."""
        ...

    def settings(self) -> Mapping[str, str]:
        """Give what decides its wheels beside the source and the target."""
        ...

    def build(self, request: BuildRequest) -> BuiltWheel:
        """Build the wheel; raise `BuildError` with all that was said when that fails."""
        ...
