"""The build requirements of a source for a container: resolved and fetched outside of it.

Credentials stay on this machine, and what goes into the container is verified like every wheel.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ..._internal.process import run
from ..._internal.uv import find_uv, uv_cache_explained
from ...exceptions import BuildError, SelectionError, ToolError, quoted
from ...lockfiles import Lock
from ...wheels.fetch import collect_wheels
from ...wheels.origins import check_origins
from ...wheels.selection import select
from ..environment import uv_environment
from ..relocking import uv_platform
from ..stand_in import add_stand_in, without_own

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ...index.pages import Link
    from ...wheels.wheel import Wheel
    from ..protocol import BuildRequest, BuildSession


def lay_out(
    requires: Sequence[str],
    folder: Path,
    environment: str,
    request: BuildRequest,
    session: BuildSession,
) -> None:
    """Install what is required in the new `folder`, for an environment at `environment`.

    That is a path in the container, to which `folder` will be copied. Only wheels are installed:
    building one would run foreign code where credentials are. Raises `BuildError`,
    `DownloadError` and `WheelError`.
    """
    folder.mkdir()
    if not requires:
        return
    python = "python{}.{}".format(*request.target.runtime.python_version)
    packages = folder / "lib" / python / "site-packages"
    foreign = without_own(requires)
    if len(foreign) < len(requires):
        add_stand_in(packages)
    for wheel in _fetch(foreign, request, session) if foreign else ():
        _install(wheel, folder, packages, environment, request)


def _fetch(
    requires: Sequence[str], request: BuildRequest, session: BuildSession
) -> Sequence[Wheel]:
    access = session.requirements.access
    try:
        lock = _lock(requires, request, session)
        selection = select(lock, session.target)
        if access is not None:
            selection = check_origins(selection, lock, access.own, lambda: _asking(session))
    except (ToolError, SelectionError) as error:
        said = quoted(error.output) if isinstance(error, ToolError) else error.message
        raise BuildError(
            f"The build requirements of {request.title} are unavailable for {session.target.id}: "
            f"{request.with_constraints(requires)}\n\n{said.strip()}",
            hint="uv resolves them with the index that the project configures for uv, and takes "
            "wheels only: a source would run foreign code where credentials are",
        ) from error
    return collect_wheels(selection.wheels, session.cache, session.console, access)


def _lock(requires: Sequence[str], request: BuildRequest, session: BuildSession) -> Lock:
    path = request.folder / "build-requirements.in"
    provided = request.provide(requires)
    path.write_text("\n".join(provided.lines) + "\n", encoding="utf-8")
    argv = [find_uv(), "pip", "compile", "--quiet", "--color", "never", "--no-header"]
    argv += ["--format", "pylock.toml", "--only-binary", ":all:", "--resolution", "highest"]
    argv += ["--python", sys.executable, "--python-version", session.target.runtime.python]
    argv += ["--python-platform", uv_platform(session.target), *request.constraints_file()]
    argv += ["--", str(path), *map(str, provided.projects)]
    requirements = session.requirements
    with uv_cache_explained():
        text = run(argv, cwd=requirements.folder, env=uv_environment(requirements))
    return Lock(path=path, command="uv pip compile", text=text, folder=requirements.folder)


def _asking(session: BuildSession) -> Callable[[str, str], list[Link] | None]:
    from ...index.download import Downloader

    return Downloader(session.requirements.access).links


def _install(
    wheel: Wheel, folder: Path, packages: Path, environment: str, request: BuildRequest
) -> None:
    from zipfile import ZipFile

    from installer import install
    from installer.destinations import SchemeDictionaryDestination
    from installer.exceptions import InstallerError
    from installer.sources import WheelFile

    scheme = {"purelib": str(packages), "platlib": str(packages), "data": str(folder)}
    scheme |= {"scripts": str(folder / "bin"), "headers": str(folder / "include" / wheel.name)}
    destination = SchemeDictionaryDestination(
        scheme_dict=scheme, interpreter=f"{environment}/bin/python", script_kind="posix"
    )
    try:
        with ZipFile(wheel.file) as archive:
            # In the cache, a wheel has another name, and the right one says what it is.
            archive.filename = wheel.filename
            install(WheelFile(archive), destination, additional_metadata={})
    except (InstallerError, OSError) as error:
        raise BuildError(
            f"A build requirement of {request.title} can't be installed: {wheel.filename}: {error}",
            hint="require another version of it in the source's `[build-system]`, or report it to "
            "the maintainers of the source",
        ) from error
