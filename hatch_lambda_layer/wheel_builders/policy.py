"""How the sources of one layer are built: the configuration, and the builders that it allows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..config.container import ContainerConfig
from ..config.layer import DEFAULT_BUILD_TIMEOUT
from ..lockfiles.build_settings import BuildSettings
from .local import LocalWheelBuilder
from .relocking import Relocking

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._internal.console import Console
    from ..targets.target import Target
    from .protocol import WheelBuilder


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildPolicy:
    """How sources are built: `build`, `build-timeout` and `container` of `[tool.lambda-layer]`.

    `settings` are those of the lockfile's tool, `versions` those that are locked, by name;
    `relocking` is for hints.
    """

    build: str = "local"
    timeout: int = DEFAULT_BUILD_TIMEOUT
    container: ContainerConfig = field(default_factory=ContainerConfig)
    settings: BuildSettings = field(default_factory=BuildSettings)
    versions: Mapping[str, str] = field(default_factory=dict)
    relocking: Relocking = field(default_factory=Relocking)

    def builders(self, target: Target, console: Console) -> Mapping[str, WheelBuilder]:
        """Return the builders that may be used, by their names."""
        builders: list[WheelBuilder] = []
        if self.build in ("local", "auto"):
            builders.append(LocalWheelBuilder())
        if self.build in ("container", "auto"):
            from .container.builder import ContainerWheelBuilder

            builders.append(ContainerWheelBuilder(self.container, target, console))
        return {builder.name: builder for builder in builders}
