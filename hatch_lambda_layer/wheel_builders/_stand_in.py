"""Copied into the environments of builds that require `hatch-lambda-layer`, in its place.

Its hook does nothing. The real one would build the layer again for which the source is built.
"""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.plugin import hookimpl


class LambdaLayerBuildHook(BuildHookInterface[Any]):
    """A build hook that leaves the wheel as it is."""

    PLUGIN_NAME = "lambda-layer"


@hookimpl
def hatch_register_build_hook() -> type:
    """Register the hook under the name of the real one."""
    return LambdaLayerBuildHook
