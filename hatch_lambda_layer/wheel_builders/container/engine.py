"""Container engines (docker, podman, finch, nerdctl): the one to use, and the commands for it.

All four understand the same commands. They differ in how they describe themselves, and in the id
that the user of this machine has in a container. An engine runs as the user and with the user's
whole environment (`DOCKER_HOST`, contexts, logins); nothing of that is passed on to a container.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..._internal.process import LONGEST_SECONDS, run
from ..._internal.tables import value_at
from ...config.container import ENGINES
from ...exceptions import BuildError, ToolError, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from ...targets.target import Architecture

# The variables that podman passes on to a container (podman-run(1), --http-proxy).
_PROXIES = [
    name
    for each in ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy")
    for name in (each, each.upper())
]
# A daemon may have to be started first, and `rm` waits for a container to end.
_SECONDS_TO_ANSWER = 120.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Image:
    """An image of an engine: `id` identifies it there, `digest` its content on any machine."""

    name: str
    id: str
    digest: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """The user of this machine in a container.

    With `options`, everything in the container runs as that user. With `root_options`, it runs as
    root, and a command that is not for root must take the ids `demoted` (user, group). Those are
    empty where root in the container is the user of this machine.
    """

    options: tuple[str, ...]
    root_options: tuple[str, ...]
    demoted: tuple[str, ...]


class Engine:
    """One engine, by the path of its program."""

    def __init__(self, name: str, program: str) -> None:
        self.name = name
        self.program = program

    def ask(self, *arguments: str, seconds: float = _SECONDS_TO_ANSWER) -> str:
        """Run a command of the engine and return its output; raise `ToolError` when it fails."""
        argv = [self.program, *arguments]
        # Not supervised: podman leaves processes behind that its containers need.
        output = run(argv, cwd=Path.cwd(), env=os.environ, timeout=seconds, supervised=False)
        return output.decode("utf-8", "replace")

    def image(self, name: str, architecture: Architecture) -> Image | None:
        """Return an image that the engine has for an architecture, else `None`."""
        try:
            found = json.loads(self.ask("image", "inspect", name))[0]
            if found["Architecture"] != architecture.oci:
                return None
            return Image(name=name, id=found["Id"], digest=_digest(name, found))
        except (ToolError, ValueError, LookupError, TypeError):
            return None

    def pull(self, name: str, architecture: Architecture) -> Image:
        """Pull an image and return it; raise `BuildError` where that fails."""
        platform = f"linux/{architecture.oci}"
        try:
            self.ask("pull", "--platform", platform, name, seconds=LONGEST_SECONDS)
        except ToolError as error:
            here = self._architecture(name)
            state = f"here for {here}, not for {architecture.oci}" if here else "not here"
            raise BuildError(
                f"Image {name} is {state}, and {self.name} can't pull it\n\n{quoted(error.output)}",
                hint="check the name in `image` of [tool.lambda-layer.container], and the network; "
                f"log in with `{self.name} login` where the registry requires that",
            ) from error
        image = self.image(name, architecture)
        if image is None:
            raise BuildError(
                f"Image {name} is not for {architecture.value}: {self.name} has pulled it for "
                f"{platform}, and got one for {self._architecture(name)}",
                hint="name one in `image` of [tool.lambda-layer.container]; `{architecture}` in "
                "its name is x86_64 or arm64",
            )
        return image

    def check(self) -> None:
        """Raise `ToolError` unless the engine answers."""
        _ = self._facts

    @cached_property
    def caller(self) -> Caller:
        """The user in a container; a rootless engine maps the user to another id."""
        # Windows has no such ids; its engines map whoever runs in a container to the user.
        ids = ("0", "0")
        if sys.platform != "win32":
            ids = str(os.getuid()), str(os.getgid())
        as_user, as_root = ("--user", ":".join(ids)), ("--user", "0:0")
        if value_at(self._facts, "host", "security", "rootless") is True:
            # podman: the user keeps its id.
            keep = "--userns=keep-id"
            return Caller(options=(keep, *as_user), root_options=(keep, *as_root), demoted=ids)
        options = " ".join(map(str, self._facts.get("SecurityOptions") or ()))
        if "name=rootless" in options:
            # docker: the user is root.
            return Caller(options=as_root, root_options=as_root, demoted=())
        if "name=userns" in options:
            # The daemon maps users to ids that nobody on this machine has: off for this container.
            host = "--userns=host"
            return Caller(options=(host, *as_user), root_options=(host, *as_root), demoted=ids)
        return Caller(options=as_user, root_options=as_root, demoted=ids)

    @property
    def selinux_options(self) -> tuple[str, ...]:
        """Options with which SELinux lets a container read folders of the user, unchanged."""
        return ("--security-opt", "label=disable") if self.name in ("docker", "podman") else ()

    @property
    def proxy_options(self) -> tuple[str, ...]:
        """Options that keep a proxy's password out of a container: podman passes proxies on."""
        proxies = (os.environ.get(name, "") for name in _PROXIES)
        hidden = self.name == "podman" and any("@" in proxy for proxy in proxies)
        return ("--http-proxy=false",) if hidden else ()

    def names(self, label: str) -> list[str]:
        """Return the names of all containers with a label; empty where the engine fails."""
        with suppress(ToolError):
            listed = self.ask("ps", "--all", "--filter", f"label={label}", "--format", "{{.Names}}")
            return listed.split()
        return []

    def remove(self, name: str) -> None:
        """Remove a container, running or not, if it is still there."""
        with suppress(ToolError):
            self.ask("rm", "--force", name)

    @cached_property
    def _facts(self) -> dict[str, Any]:
        """The engine's description of itself: `info` asks the daemon, where there is one."""
        text = self.ask("info", "--format", "{{json .}}")
        try:
            facts = json.loads(text)
        except ValueError:
            facts = None
        if not isinstance(facts, dict):
            raise ToolError(f"{self.name} info", f"{text!a:.200} is not a JSON object")
        if errors := facts.get("ServerErrors"):
            raise ToolError(f"{self.name} info", "\n".join(map(str, errors)))
        return facts

    def _architecture(self, name: str) -> str | None:
        with suppress(ToolError, ValueError, LookupError, TypeError):
            return str(json.loads(self.ask("image", "inspect", name))[0]["Architecture"])
        return None


def find_image(
    name: str,
    architecture: Architecture,
    *,
    engine: str | None,
    pulling: Callable[[str], AbstractContextManager[object]],
) -> tuple[Engine, Image]:
    """Return an engine and its image `name`, which is pulled where it is not there.

    It is the engine named `engine`, else the first of `ENGINES` that has the image or answers.
    `pulling` returns a context to pull in. Raises `BuildError`.
    """
    failures = []
    for each in _installed(engine):
        if (image := each.image(name, architecture)) is not None:
            return each, image
        try:
            each.check()
        except ToolError as error:
            failures.append(f"{each.name}: {error.output.strip()}")
            continue
        with pulling(f"Pulling {name}"):
            return each, each.pull(name, architecture)
    raise BuildError(
        "No container engine answers\n\n" + "\n".join(failures),
        hint="start it (`systemctl start docker`, `podman machine start`, Docker Desktop, "
        "`finch vm start`) and check that you may use it, or name another in `engine` of "
        "[tool.lambda-layer.container]",
    )


def _installed(engine: str | None) -> Iterator[Engine]:
    names: Sequence[str] = ENGINES if engine is None else [engine]
    found = [Engine(name, path) for name in names if (path := shutil.which(name))]
    if not found:
        wanted = "none of " + ", ".join(names) if engine is None else f"no {engine}"
        raise BuildError(
            f"No container engine: there is {wanted} on the PATH",
            hint='install one, or build sources on this machine, with `build = "local"` in '
            "[tool.lambda-layer]",
        )
    yield from found


def pinned_digest(name: str) -> str | None:
    """Return the digest at the end of the name of an image, else `None`."""
    match = re.search(r"@(sha256:[0-9a-f]{64})$", name)
    return match and match[1]


def _digest(name: str, found: dict[str, Any]) -> str:
    """Return the digest of an image: the registry's, equal in all engines, else the engine's id."""
    if pinned := pinned_digest(name):
        return pinned
    digests = [str(each).rpartition("@")[2] for each in found.get("RepoDigests") or ()]
    return min(digests, default=str(found["Id"]))
