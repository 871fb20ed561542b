"""The options of `[tool.lambda-layer.container]`."""

from __future__ import annotations

from ..container import DEFAULT_IMAGE, DEFAULT_TIMEOUT, ENGINES, IMAGE, NETWORK, VARIABLE
from .forms import FLAG, STRINGS, TEXT, Option, choice, number, tables, text

CONTAINER = (
    Option(
        key="engine",
        form=choice(ENGINES),
        default="the first that answers",
        description="`docker`, `podman`, `finch` or `nerdctl`; `DOCKER_HOST` and contexts count",
    ),
    Option(
        key="image",
        form=text(IMAGE),
        default=f'`"{DEFAULT_IMAGE}"`',
        description=(
            "an image with the runtime's Python, best by its digest: then a build that has all its "
            "wheels asks no engine"
        ),
    ),
    Option(
        key="network",
        form=text(NETWORK),
        default="the engine's own",
        description=(
            "`none`, `host` or the name of a network; only `before-build` and build scripts can "
            "need one"
        ),
    ),
    Option(
        key="before-build",
        form=STRINGS,
        default="`[]`",
        description="shell commands that root runs in the container before all builds",
    ),
    Option(
        key="env",
        form=tables(TEXT, names=VARIABLE),
        default="`{}`",
        description="variables for these commands and the builds",
    ),
    Option(
        key="repair",
        form=FLAG,
        default="`false`",
        description=(
            "libraries of the image that the runtime lacks are put into the wheel, by auditwheel"
        ),
    ),
    Option(
        key="timeout",
        form=number(1),
        default=f"`{DEFAULT_TIMEOUT}`",
        description="seconds that a command may take",
    ),
)
