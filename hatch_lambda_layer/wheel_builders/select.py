"""Verified wheels of all of a layer's sources: from the cache, or built."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from .prospects import check_prospects
from .protocol import BuildRequest, BuildSession
from .source_build import SourceBuild

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from .._internal.console import Console
    from ..index.auth import IndexAccess
    from ..targets.target import Target
    from ..wheels.cache import WheelCache
    from ..wheels.selection import LockedSource
    from ..wheels.wheel import Wheel
    from .policy import BuildPolicy
    from .protocol import BuiltWheel, Requirements, WheelBuilder

    BuildOne = Callable[[BuildRequest], BuiltWheel]


class LayerSources:
    """The sources of one layer for one target.

    Temporary files are below `folder`, and are removed after a build; a source that is fetched to
    find out whether it is native stays there for its build. HTTP requests have the credentials of
    `access`.
    """

    def __init__(
        self,
        sources: Sequence[LockedSource],
        policy: BuildPolicy,
        target: Target,
        *,
        cache: WheelCache,
        console: Console,
        folder: Path,
        access: IndexAccess | None = None,
    ) -> None:
        self._policy = policy
        self._target = target
        self._cache = cache
        self._console = console
        self._folder = folder
        self._inputs: list[tuple[str, str, object]] | None = None
        builders = policy.builders(target, console)
        self._builds = [
            SourceBuild(source, target, cache, builders, policy, folder, access)
            for source in sources
        ]

    def digests(self) -> list[tuple[str, str]]:
        """Return the name of each source, and its digest as `source_digest` makes it."""
        return [(each.source.name, each.digest) for each in self._builds]

    def inputs(self) -> list[tuple[str, str, object]]:
        """Return what decides the wheels on every machine, as JSON has it: always the same."""
        if self._inputs is None:
            self._inputs = self._read_inputs()
        return self._inputs

    @property
    def reclassified(self) -> bool:
        """Whether a source has turned out to be native, so that its image is an input, too."""
        return self._inputs is not None and self._inputs != self._read_inputs()

    def _read_inputs(self) -> list[tuple[str, str, object]]:
        return [each.inputs() for each in self._builds]

    def check(self) -> None:
        """Check what is known of the sources that are not in the cache before one is fetched.

        Warns of builds that may come to nothing. Raises `BuildError` for those that are sure to.
        """
        if self._policy.build == "local":
            check_prospects(self.missing, self._target, self._policy.relocking, self._console)

    @property
    def missing(self) -> Sequence[LockedSource]:
        """The sources whose wheels are not in the cache."""
        return [each.source for each in self._builds if each.cached() is None]

    def wheels(self, requirements: Requirements) -> tuple[Wheel, ...]:
        """Return a verified wheel that fits the target for each source, in their order.

        A wheel that is not in the cache is built; one after the other, so that an interruption
        reaches the program that runs. Raises `BuildError`, `DownloadError` and `WheelError`.
        """
        session = BuildSession(
            folder=self._folder,
            target=self._target,
            requirements=requirements,
            cache=self._cache,
            console=self._console,
        )
        with ExitStack() as stack:
            opened: dict[str, BuildOne] = {}

            def build_one(builder: WheelBuilder) -> BuildOne:
                if builder.name not in opened:
                    opened[builder.name] = stack.enter_context(builder.session(session))
                return opened[builder.name]

            return tuple(
                each.kept(session) or each.shared() or each.run(session, build_one)
                for each in self._builds
            )
