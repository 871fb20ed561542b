"""Importing in a container of the runtime's image."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .._internal.store import Store, default_cache_dir
from ..config.container import ContainerConfig
from ..exceptions import BuildError
from ..wheel_builders.container.engine import find_image
from ..wheel_builders.container.session import OUT, bind_mount, running
from .interpreter import check_version, is_native
from .places import MOUNTS, PlaceError, after, command, mounted, parsed, script, variables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from .._internal.console import Console
    from ..targets.target import Target
    from ..wheel_builders.container.session import Container as RunningContainer
    from .contents import Contents

# AWS's own images of the runtimes (Amazon ECR Public Gallery).
_IMAGE = "public.ecr.aws/lambda/python:{python}-{architecture}"
# Lambda's own default for `/tmp`.
_TEMPORARY = "/tmp:rw,size=512m,mode=1777"  # noqa: S108  # of a container of our own
# What the image sets itself.
_OF_THE_IMAGE = ("LD_LIBRARY_PATH", "PATH")
_SECONDS_TO_START = 60


class Container:
    """A container without a network, in which one request after the other is answered."""

    name = "container"
    bytecode = f"{OUT}/bytecode"
    user: tuple[int, int] | None = None

    def __init__(self, container: RunningContainer, contents: Contents, target: Target) -> None:
        self._container = container
        self._env = {
            name: value for name, value in variables(target).items() if name not in _OF_THE_IMAGE
        }
        self._asking = threading.Lock()
        self._count = 0
        self.path = mounted(contents)
        argv = [container.python, "-I", "-S", "-c", script("_probe.py")]
        found = self._run(argv, _SECONDS_TO_START)
        if not found:
            raise PlaceError(f"{container.python} of image {container.image.name} does not start")
        version = check_version(container.python, found[0], target)
        self.has_client = found[0].get("client") is True
        self.has_sdk = found[0].get("sdk") is True
        self.after = after(target)
        self.python = f"Python {version} of {container.image.name}"
        emulated = "emulated: times and memory are not those of the target"
        self.notes: tuple[str, ...] = () if is_native(target) else (emulated,)

    def ask(self, request: Mapping[str, object], seconds: float) -> list[dict[str, Any]]:
        """Return the answer of an importer in the container; see `Place`."""
        return self._run(list(command(self._container.python, request)), seconds)

    def _run(self, argv: list[str], seconds: float) -> list[dict[str, Any]]:
        # There is one conversation with a container.
        with self._asking:
            self._count += 1
            log = f"answer-{self._count}"
            self._container.run(argv, log=log, seconds=int(seconds) + 1, env=self._env)
            answer = self._container.folder_in.with_name(log)
            try:
                self._container.take(log, answer)
                return parsed(answer.read_bytes())
            except OSError:
                return []


@contextmanager
def container(
    folder: Path, contents: Contents, target: Target, work: Path, console: Console
) -> Iterator[Container]:
    """Yield a container with `folder` where Lambda has it; `work` is a new folder for its files.

    Raises `PlaceError` where there is no engine, or no image.
    """
    major, minor = target.runtime.python_version
    name = _IMAGE.format(python=f"{major}.{minor}", architecture=target.architecture.value)
    mount = bind_mount(folder, MOUNTS[contents.kind], "readonly")
    options = ["--read-only", "--tmpfs", _TEMPORARY, "--mount", mount]
    try:
        engine, image = find_image(name, target.architecture, engine=None, pulling=console.working)
        work.mkdir()
        store = Store(default_cache_dir())
        config = ContainerConfig(image=name, network="none")
        with running(engine, image, work, target, config, store, options) as started:
            yield Container(started, contents, target)
    except BuildError as error:
        raise PlaceError(error.message, hint=error.hint) from error
