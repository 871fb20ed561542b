"""The Protocol of wheel builders, and the values that they take and return."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

from .._internal.process import redact
from ..exceptions import BuildError
from ..lockfiles.build_settings import BuildRequirements

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from .._internal.console import Console
    from ..index.auth import IndexAccess
    from ..targets.target import Target
    from ..wheels.cache import WheelCache
    from .deadline import Deadline
    from .named import Provided


@dataclass(frozen=True, kw_only=True, slots=True)
class Requirements:
    """How build requirements are fetched: the folder and the environment that uv is called with.

    uv reads its settings, such as its indexes, from `folder` (the user's project) and the folders
    above. `environment` is the only place for uv's credentials; no build script sees it. `access`
    has the credentials for what this process fetches itself, such as sources.
    """

    folder: Path
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    access: IndexAccess | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildSession:
    """The values that the builds of one layer's sources share.

    `folder` is for temporary files; each builder removes its own.
    """

    folder: Path
    target: Target
    requirements: Requirements
    cache: WheelCache
    console: Console


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildRequest:
    """One source tree to build.

    `name` is the package in names of files, `title` the package in messages. `project` is the
    folder of its `pyproject.toml`: `tree` or a folder below it. `folder` is the builder's own, and
    is removed with the wheel once that is in the cache. All are below one folder that has nothing
    else in it. `requires` is what the settings of the lockfile's tool say of its build, and
    `provide` has uv take what is required from where the source's project says. Links beside
    the project lead to what is below `around`. `deadline` is that of `build-timeout`.
    """

    name: str
    title: str
    tree: Path
    project: Path
    folder: Path
    target: Target
    requirements: Requirements
    deadline: Deadline
    requires: BuildRequirements = field(default_factory=BuildRequirements)
    provide: Callable[[Sequence[str]], Provided]
    around: Path | None = None

    def constraints_file(self) -> list[str]:
        """Write the constraints on what is built with; return uv's option with their file."""
        if not self.requires.constraints:
            return []
        path = self.folder / "build-constraints.txt"
        path.write_text("".join(f"{each}\n" for each in self.requires.constraints), "utf-8")
        return ["--constraints", str(path)]

    def with_constraints(self, requires: Sequence[str]) -> str:
        """Return, in words, what is required and the constraints on it."""
        limits = ", ".join(self.requires.constraints)
        return redact(", ".join(requires) + (f" (constrained to {limits})" if limits else ""))


class BuiltWheel(NamedTuple):
    """A new wheel, not yet verified, and the (major, minor) version of Python that built it.

    `lacks_native` is true if native code was left out, for want of a compiler for the target.
    """

    path: Path
    python: tuple[int, int]
    lacks_native: bool = False


class NativeCodeError(BuildError):
    """The build of a source needs a compiler for another machine or system than this one."""


class WheelBuilder(Protocol):
    """One way to build a source tree to a wheel."""

    @property
    def name(self) -> str:
        """The value of `build` in `[tool.lambda-layer]` that chooses this builder."""
        ...

    @property
    def unfit_hint(self) -> str:
        """The hint of the error for a native wheel of this builder that does not fit its target."""
        ...

    def settings(self) -> Mapping[str, object]:
        """Return what decides its wheels beside the source and the target, as JSON values."""
        ...

    def inputs(self) -> object:
        """Return the part of the settings that decides the layer on any machine, as JSON values."""
        ...

    def python(
        self, target: Target, has_built: Callable[[tuple[int, int]], bool]
    ) -> tuple[int, int]:
        """Return the (major, minor) version of Python that builds for a target, or has built.

        `has_built` says whether a wheel that a version has built is kept.
        """
        ...

    def shared_inputs(self, *, pure: bool) -> object | None:
        """Return what else decides a wheel on the machines that may share it, as JSON values.

        The settings and the version of Python are known. `None` for a wheel that is not shared,
        since it depends on more of its machine than can be named.
        """
        ...

    def session(
        self, session: BuildSession
    ) -> AbstractContextManager[Callable[[BuildRequest], BuiltWheel]]:
        """Return a context of a function that builds one source after the other.

        The function raises `BuildError`, with the output of the build, when a build fails.
        """
        ...
