"""The plugins that Hatch finds through the entry point `hatch`: one name, several kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hatchling.plugin import hookimpl

if TYPE_CHECKING:
    from .build_hook import LambdaLayerBuildHook
    from .builder import LambdaLayerBuilder
    from .publisher import LambdaLayerPublisher

# Each class is imported only when Hatch asks for it: no kind of plugin pays for another.


@hookimpl
def hatch_register_builder() -> type[LambdaLayerBuilder]:
    """Register the target of `hatch build -t lambda-layer`."""
    from .builder import LambdaLayerBuilder

    return LambdaLayerBuilder


@hookimpl
def hatch_register_build_hook() -> type[LambdaLayerBuildHook]:
    """Register the hook that writes the layer beside the wheel."""
    from .build_hook import LambdaLayerBuildHook

    return LambdaLayerBuildHook


@hookimpl
def hatch_register_publisher() -> type[LambdaLayerPublisher]:
    """Register the publisher of `hatch publish -p lambda-layer`, which only Hatch asks for."""
    from .publisher import LambdaLayerPublisher

    return LambdaLayerPublisher
