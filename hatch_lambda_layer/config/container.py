"""`[tool.lambda-layer.container]` as a frozen value: how sources are built in a container."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..exceptions import backticked
from .reader import TableReader, toml

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..targets.target import Target

ENGINES = ("docker", "podman", "finch", "nerdctl")
# AWS's own build images, one for each runtime and architecture (Amazon ECR Public Gallery).
DEFAULT_IMAGE = "public.ecr.aws/sam/build-{runtime}:latest-{architecture}"
DEFAULT_TIMEOUT = 3600
_IN_IMAGE = ("runtime", "architecture")
# An image's name, by the grammar "reference" of the distribution project, with our placeholders.
# The first character keeps it from being an option of the engine.
IMAGE = r"[A-Za-z0-9{][A-Za-z0-9._/:@{}-]*"
NETWORK = r"[A-Za-z0-9][A-Za-z0-9_.:,=-]*"
VARIABLE = r"[A-Za-z_][A-Za-z0-9_]*"


@dataclass(frozen=True, kw_only=True, slots=True)
class ContainerConfig:
    """How sources are built in a container.

    `engine` is `None` for the first that is installed, `network` for the engine's default.
    `image` may hold placeholders. `before_build` are shell commands that root runs in the
    container, `env` pairs the names of variables with their values. `timeout` is in seconds, for
    each command.
    """

    engine: str | None = None
    image: str = DEFAULT_IMAGE
    network: str | None = None
    before_build: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    repair: bool = False
    timeout: int = DEFAULT_TIMEOUT

    def image_for(self, target: Target) -> str:
        """Return the name of the image for a target, with the placeholders replaced."""
        values = {"runtime": target.runtime.interpreter, "architecture": target.architecture.value}
        return re.sub(r"\{(\w+)\}", lambda match: values[match[1]], self.image)


def read_container(name: str, table: Mapping[str, object], problems: list[str]) -> ContainerConfig:
    """Read the table `name`, and add its errors to `problems`."""
    return _ContainerReader(name, table, problems).read()


class _ContainerReader(TableReader):
    """Reads the table of one layer."""

    def read(self) -> ContainerConfig:
        self.check_known(field.replace("_", "-") for field in ContainerConfig.__dataclass_fields__)
        return ContainerConfig(
            engine=self.choice("engine", ENGINES),
            image=self._image(),
            network=self.text("network", NETWORK, "`none`, `host` or the name of a network"),
            before_build=self.strings("before-build"),
            env=self._env(),
            repair=self.flag("repair"),
            timeout=self.number("timeout", 1) or DEFAULT_TIMEOUT,
        )

    def _image(self) -> str:
        example = "the name of an image, such as 'registry/build-{runtime}:{architecture}'"
        image = self.text("image", IMAGE, example) or DEFAULT_IMAGE
        for name in re.findall(r"\{([^{}]*)\}", image):
            if name not in _IN_IMAGE:
                known = backticked(f"{{{each}}}" for each in _IN_IMAGE)
                self.say(
                    "image", f"has the placeholder {toml('{' + name + '}')}, known are {known}"
                )
        if re.search(r"[{}]", re.sub(r"\{[^{}]*\}", "", image)):
            self.wrong("image", example, image)
        return image

    def _env(self) -> tuple[tuple[str, str], ...]:
        pairs = []
        for name, value in self.table("env").items():
            if re.fullmatch(VARIABLE, name) is None:
                self.say("env", f"has {toml(name)}, which is not a valid variable name")
            elif not isinstance(value, str) or "\0" in value:
                self.wrong(f"env.{name}", "a string", value)
            else:
                pairs.append((name, value))
        return tuple(sorted(pairs))
