"""Building on this machine, through the source's own build backend (PEP 517)."""

from __future__ import annotations

import os
import platform
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from .._internal.process import redact, run
from ..exceptions import BuildError, ToolTimeoutError
from .backend import Backend, BuildSystem, shown
from .environment import BuildEnvironment, build_variables
from .protocol import BuiltWheel
from .sandbox import sandboxed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from .protocol import BuildRequest, BuildSession


class LocalWheelBuilder:
    """Builds with a Python of this machine, of the target's version where that is installed."""

    name = "local"
    unfit_hint = (
        "native code for Lambda has to be built in Lambda's build image: set "
        '`build = "container"` in [tool.lambda-layer]'
    )

    def settings(self) -> Mapping[str, object]:
        """Return the variables that configure compilers and backends."""
        return build_variables(os.environ)

    def inputs(self) -> None:
        """Return `None`: a pure wheel does not depend on the machine that builds it."""

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
        environment = BuildEnvironment.create(request.folder / "env", request, system.requires)
        backend = _backend(request, system, environment)
        if more := backend.requires():
            # Made anew, since uv asks the interpreter about itself: with packages in it, that
            # would be foreign code (`.pth` files) in a process that has credentials.
            requires = [*system.requires, *more]
            environment = BuildEnvironment.create(request.folder / "env2", request, requires)
            backend = _backend(request, system, environment)
        folder = request.folder / "wheel"
        folder.mkdir()
        path = folder / backend.wheel(str(folder))
        if path.is_symlink() or not path.is_file():
            raise backend.no_wheel(path.name)
        return BuiltWheel(path, environment.version)


def _backend(request: BuildRequest, system: BuildSystem, environment: BuildEnvironment) -> Backend:
    log = request.folder / "log"
    return Backend(
        system,
        project=str(request.project),
        python=str(environment.python),
        run=partial(_run, request, environment, log),
        temporary=request.folder,
        failure=partial(_failure, request, environment, log),
    )


def _run(
    request: BuildRequest,
    environment: BuildEnvironment,
    log: Path,
    cmd: Sequence[str],
    cwd: str | None = None,
    extra_environ: Mapping[str, str] | None = None,
) -> None:
    python, *rest = cmd
    script = Path(__file__).with_name("_logged.py")
    variables = environment.variables(request) | dict(extra_environ or {})
    argv = sandboxed(
        [python, str(script), str(log), *rest],
        writable=request.folder.parent,
        readable=[script, Path(rest[0]), environment.prefix, *filter(None, [request.around])],
        env=variables,
    )
    try:
        run(argv, cwd=Path(cwd or request.project), env=variables, timeout=request.deadline.left())
    except ToolTimeoutError as error:
        # The script of pyproject-hooks, the name of a hook, and a folder.
        hook = f"the hook `{cmd[2]}` of its backend"
        raise request.deadline.missed(request.title, hook, shown(log)) from error


def _failure(
    request: BuildRequest, environment: BuildEnvironment, log: Path, reason: str
) -> BuildError:
    major, minor = environment.version
    return BuildError(
        f"The build of {request.title} with Python {major}.{minor} failed: "
        f"{redact(reason)}\n\n{shown(log)}".rstrip(),
        hint="the backend ran without your variables, configuration and keys, on a copy of "
        "the source; if it needs them, choose a version that has a wheel",
    )
