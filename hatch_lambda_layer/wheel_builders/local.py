"""Building on this machine, through the source's own build backend (PEP 517)."""

from __future__ import annotations

import os
import platform
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .._internal.interpreters import OWN, find_interpreter, may_be_installed
from .._internal.process import redact, run
from ..exceptions import BuildError, ToolTimeoutError
from .backend import Backend, BuildSystem, shown
from .compilers import StoppedCompilers, compiles_for
from .environment import BuildEnvironment, build_variables
from .failures import NATIVE_HINT, failure_hint
from .protocol import BuiltWheel, NativeCodeError
from .sandbox import sandboxed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ..targets.target import Target
    from .protocol import BuildRequest, BuildSession


class LocalWheelBuilder:
    """Builds with a Python of this machine, of the target's version where that is installed."""

    name = "local"
    unfit_hint = NATIVE_HINT

    def settings(self) -> Mapping[str, object]:
        """Return the variables that configure compilers and backends."""
        return build_variables(os.environ)

    def inputs(self) -> None:
        """Return `None`: a pure wheel does not depend on the machine that builds it."""

    def python(
        self, target: Target, has_built: Callable[[tuple[int, int]], bool]
    ) -> tuple[int, int]:
        """Return the target's version where it is installed or has built, else that of our own.

        What is kept of the latter counts until the target's is installed.
        """
        version = target.runtime.python_version
        if version == OWN or has_built(version):
            return version
        if has_built(OWN) and not may_be_installed(version):
            return OWN
        return version if find_interpreter(version) else OWN

    def shared_inputs(self, *, pure: bool) -> object | None:
        """Return the platform for a pure wheel: native code depends on what is installed here."""
        return [sys.platform, platform.machine()] if pure else None

    @contextmanager
    def session(
        self,
        session: BuildSession,  # noqa: ARG002
    ) -> Iterator[Callable[[BuildRequest], BuiltWheel]]:
        """Yield the function that builds one source; builds share nothing."""
        yield self.build

    def build(self, request: BuildRequest) -> BuiltWheel:
        """Build a source by the hooks of its backend, each in a process without secrets.

        Raises `BuildError`.
        """
        system = BuildSystem.read(request.project, request.title)
        stopped = None
        if not compiles_for(request.target):
            stopped = StoppedCompilers.create(request.folder / "compilers")
        requires = [*system.requires, *request.requires.extra]
        environment = BuildEnvironment.create(request.folder / "env", request, requires)
        backend = _Build(request, environment, stopped).backend(system)
        if more := backend.requires():
            # Made anew, since uv asks the interpreter about itself: with packages in it, that
            # would be foreign code (`.pth` files) in a process that has credentials.
            requires += more
            environment = BuildEnvironment.create(request.folder / "env2", request, requires)
            backend = _Build(request, environment, stopped).backend(system)
        folder = request.folder / "wheel"
        folder.mkdir()
        path = folder / backend.wheel(str(folder))
        if path.is_symlink() or not path.is_file():
            raise backend.no_wheel(path.name)
        called = stopped is not None and stopped.were_called
        return BuiltWheel(path, environment.version, lacks_native=called)


class _Build(NamedTuple):
    """The build of a source in an environment, where compilers may be `stopped`."""

    request: BuildRequest
    environment: BuildEnvironment
    stopped: StoppedCompilers | None

    @property
    def log(self) -> Path:
        return self.request.folder / "log"

    def backend(self, system: BuildSystem) -> Backend:
        return Backend(
            system,
            project=str(self.request.project),
            python=str(self.environment.python),
            run=self._run,
            temporary=self.request.folder,
            failure=self._failure,
        )

    def _run(
        self,
        cmd: Sequence[str],
        cwd: str | None = None,
        extra_environ: Mapping[str, str] | None = None,
    ) -> None:
        request = self.request
        python, *rest = cmd
        script = Path(__file__).with_name("_logged.py")
        variables = self.environment.variables(request) | dict(extra_environ or {})
        if self.stopped is not None:
            variables |= self.stopped.variables(variables["PATH"])
        around = filter(None, [request.around])
        argv = sandboxed(
            [python, str(script), str(self.log), *rest],
            writable=request.folder.parent,
            readable=[script, Path(rest[0]), self.environment.prefix, *around],
            env=variables,
        )
        where = Path(cwd or request.project)
        try:
            run(argv, cwd=where, env=variables, timeout=request.deadline.left())
        except ToolTimeoutError as error:
            # The script of pyproject-hooks, the name of a hook, and a folder.
            hook = f"the hook `{cmd[2]}` of its backend"
            raise request.deadline.missed(request.title, hook, shown(self.log)) from error

    def _failure(self, reason: str) -> BuildError:
        request, said = self.request, shown(self.log)
        if self.stopped is not None and self.stopped.were_called:
            return NativeCodeError(
                f"The build of {request.title} needs a compiler for {request.target.id}, and those "
                f"of this machine compile for another: they were not run\n\n{said}".rstrip(),
                hint=NATIVE_HINT,
            )
        major, minor = self.environment.version
        return BuildError(
            f"The build of {request.title} with Python {major}.{minor} failed: "
            f"{redact(reason)}\n\n{said}".rstrip(),
            hint=failure_hint(request.project, request.title, f"{reason}\n{said}"),
        )
