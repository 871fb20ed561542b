"""The Protocol of wheel builders, and the values that go in and come out."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from .._internal.console import Console
    from ..index.auth import IndexAccess
    from ..targets.target import Target
    from ..wheels.cache import Cache
    from .deadline import Deadline


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
class BuildSession:
    """What the builds of one layer's sources share.

    `folder` is for whatever is made on the way; who makes something there removes it.
    """

    folder: Path
    target: Target
    requirements: Requirements
    cache: Cache
    console: Console


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildRequest:
    """One source tree to build.

    `name` and `title` are what files and errors call the package. `project` is the folder of its
    `pyproject.toml`, in `tree` or that itself; `folder` is the builder's own, and is removed with
    the wheel once that is in the cache. All lie below one folder that holds nothing else.
    `deadline` is that of `build-timeout`.
    """

    name: str
    title: str
    tree: Path
    project: Path
    folder: Path
    target: Target
    requirements: Requirements
    deadline: Deadline


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

    @property
    def unfit_hint(self) -> str:
        """What to do where a native wheel of this builder does not fit its target."""
        ...

    def settings(self) -> Mapping[str, object]:
        """Give what decides its wheels beside the source and the target, as JSON has it."""
        ...

    def inputs(self) -> object:
        """Give what of the settings decides the layer on every machine, as JSON has it."""
        ...

    def session(
        self, session: BuildSession
    ) -> AbstractContextManager[Callable[[BuildRequest], BuiltWheel]]:
        """Give what builds one source after the other, as long as the context lasts.

        It raises `BuildError` with all that was said when a build fails.
        """
        ...
