"""The METADATA of sources: of the wheels that are built of them, and kept for the layer."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .._internal.ownership import unique_name
from ..exceptions import BuildError
from ..wheels.selection import select
from .permission import check_permitted
from .work_folder import work_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .._internal.console import Console
    from ..config.layer import LayerConfig
    from ..index.auth import IndexAccess
    from ..layout import LayerPathLayout
    from ..lockfiles.build_settings import BuildSettings
    from ..lockfiles.protocol import Lock
    from ..targets.target import Target
    from ..wheel_builders import Requirements
    from ..wheels.cache import WheelCache


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceReader:
    """Builds sources of a project to read what they require, as its layers are built."""

    layout: LayerPathLayout
    cache: WheelCache
    console: Console
    access: IndexAccess

    def metadata(
        self,
        config: LayerConfig,
        target: Target,
        settings: Callable[[], BuildSettings],
        lock: Lock,
    ) -> bytes:
        """Return the METADATA of the only source in `lock`; raise `LambdaLayerError`."""
        from ..wheel_builders import BuildPolicy, LayerSources
        from ..wheels.wheel import read_member

        (source,) = select(lock, target).sources
        check_permitted([source], config, found := settings(), target)
        layout = replace(self.layout, build_name=unique_name())
        with work_folder(layout), build_requirements(layout, self.access) as requirements:
            (wheel,) = LayerSources(
                [source],
                BuildPolicy(
                    build=config.build,
                    timeout=config.build_timeout,
                    container=config.container,
                    settings=found,
                ),
                target,
                cache=self.cache,
                console=self.console,
                folder=layout.dir_sources,
                access=self.access,
            ).wheels(requirements)
        path = f"{wheel.dist_info}/METADATA"
        for member in wheel.members:
            if member.path == path:
                return read_member(wheel, member)
        raise BuildError(f"The wheel `{wheel.filename}` has no METADATA")


@contextmanager
def build_requirements(layout: LayerPathLayout, access: IndexAccess) -> Iterator[Requirements]:
    """Yield how build requirements are fetched: from the project's indexes."""
    from ..wheel_builders import Requirements

    with access.environment("uv") as environment:
        yield Requirements(folder=layout.dir_project_root, environment=environment, access=access)
