"""What Hatch finds through the entry point `hatch`: one name, several kinds of plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hatchling.plugin import hookimpl

if TYPE_CHECKING:
    from .hatch.build_hook import LambdaLayerBuildHook
    from .hatch.builder import LambdaLayerBuilder
    from .hatch.publisher import LambdaLayerPublisher

# Each class is imported where it is asked for, so that one kind does not pay for the other.


@hookimpl
def hatch_register_builder() -> type[LambdaLayerBuilder]:
    """Register the target of `hatch build -t lambda-layer`."""
    from .hatch.builder import LambdaLayerBuilder

    return LambdaLayerBuilder


@hookimpl
def hatch_register_build_hook() -> type[LambdaLayerBuildHook]:
    """Register the hook that writes the layer beside the wheel."""
    from .hatch.build_hook import LambdaLayerBuildHook

    return LambdaLayerBuildHook


@hookimpl
def hatch_register_publisher() -> type[LambdaLayerPublisher]:
    """Register the publisher of `hatch publish -p lambda-layer`, which only Hatch asks for."""
    from .hatch.publisher import LambdaLayerPublisher

    return LambdaLayerPublisher
