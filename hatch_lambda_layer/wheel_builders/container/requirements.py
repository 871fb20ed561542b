"""What a source requires to be built in a container: resolved and fetched outside of it.

Credentials stay on this machine, and what goes into the container is proved like every wheel.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ..._internal.process import run
from ..._internal.uv import find_uv
from ...exceptions import BuildError, SelectionError, ToolError
from ...lockfiles import Lock
from ...wheels.fetch import collect_wheels
from ...wheels.origins import check_origins
from ...wheels.selection import select
from ..environment import uv_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ...index.pages import Link
    from ...targets.target import Target
    from ...wheels.wheel import Wheel
    from ..protocol import BuildRequest, BuildSession

# The glibc versions, all 2, that `uv pip compile --python-platform` knows.
_GLIBC_MINORS = (17, 28, *range(31, 41))


def lay_out(
    requires: Sequence[str],
    folder: Path,
    environment: str,
    request: BuildRequest,
    session: BuildSession,
) -> None:
    """Lay out in the new `folder` what goes into an environment that will be at `environment`.

    Wheels only: to build one would be to run foreign code where credentials are. Raises
    `BuildError`, `DownloadError` and `WheelError`.
    """
    folder.mkdir()
    if not requires:
        return
    wheels = _fetch(requires, request, session)
    for wheel in wheels:
        _install(wheel, folder, environment, request)


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
        said = error.output if isinstance(error, ToolError) else error.message
        raise BuildError(
            f"What {request.title} requires to be built ({', '.join(requires)}) can't be "
            f"had for {session.target.id}\n\n{said.strip()}",
            hint="uv resolves it with the index that the project configures for uv, and takes "
            "wheels only: a source would run foreign code where credentials are",
        ) from error
    return collect_wheels(selection.wheels, session.cache, session.console, access)


def _lock(requires: Sequence[str], request: BuildRequest, session: BuildSession) -> Lock:
    path = request.folder / "build-requirements.in"
    path.write_text("\n".join(requires) + "\n", encoding="utf-8")
    argv = [find_uv(), "pip", "compile", "--quiet", "--color", "never", "--no-header"]
    argv += ["--format", "pylock.toml", "--only-binary", ":all:", "--resolution", "highest"]
    argv += ["--python", sys.executable, "--python-version", session.target.runtime.python]
    argv += ["--python-platform", _platform(session.target), "--", str(path)]
    requirements = session.requirements
    text = run(argv, cwd=requirements.folder, env=uv_environment(requirements))
    return Lock(path=path, command="uv pip compile", text=text, folder=requirements.folder)


def _platform(target: Target) -> str:
    minor = max(each for each in _GLIBC_MINORS if each <= target.runtime.glibc[1])
    return f"{target.architecture.machine}-manylinux_2_{minor}"


def _asking(session: BuildSession) -> Callable[[str, str], list[Link] | None]:
    from ...index.download import Downloader

    return Downloader(session.requirements.access).links


def _install(wheel: Wheel, folder: Path, environment: str, request: BuildRequest) -> None:
    from zipfile import ZipFile

    from installer import install
    from installer.destinations import SchemeDictionaryDestination
    from installer.exceptions import InstallerError
    from installer.sources import WheelFile

    major, minor = request.target.runtime.python_version
    packages = str(folder / "lib" / f"python{major}.{minor}" / "site-packages")
    scheme = {"purelib": packages, "platlib": packages, "data": str(folder)}
    scheme |= {"scripts": str(folder / "bin"), "headers": str(folder / "include" / wheel.name)}
    destination = SchemeDictionaryDestination(
        scheme_dict=scheme, interpreter=f"{environment}/bin/python", script_kind="posix"
    )
    try:
        with ZipFile(wheel.file) as archive:
            # In the cache, a wheel has another name than the one that says what it is.
            archive.filename = wheel.filename
            install(WheelFile(archive), destination, additional_metadata={})
    except (InstallerError, OSError) as error:
        raise BuildError(
            f"What {request.title} requires to be built can't be laid out: "
            f"{wheel.filename}: {error}",
            hint="name another version of it in its `[build-system]`, or tell its maintainers",
        ) from error
