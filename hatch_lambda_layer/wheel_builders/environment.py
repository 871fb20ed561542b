"""The environment that foreign code runs in: an interpreter of its own, and no secrets.

Build requirements are installed by a process that has credentials, and runs no foreign code: only
wheels, into an environment that is still empty. Foreign code then runs in processes without
credentials: they have only the variables named here. That is not a sandbox: the code runs as the
user, and can read the user's files and processes.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .._internal.interpreters import find_interpreter
from .._internal.process import run
from .._internal.uv import find_uv, uv_cache_explained, uv_cache_variables
from ..exceptions import BuildError, ToolError, ToolTimeoutError, quoted
from .stand_in import add_stand_in, without_own

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .protocol import BuildRequest, Requirements

# The variables with which programs are found, find a temporary folder and choose a language.
_OF_THE_SYSTEM = frozenset(
    {
        "PATH",
        "LD_LIBRARY_PATH",
        "LANG",
        "LANGUAGE",
        # Windows starts no program without its own folders, and finds no compiler.
        "COMSPEC",
        "NUMBER_OF_PROCESSORS",
        "PATHEXT",
        "PROCESSOR_ARCHITECTURE",
        "PROGRAMDATA",
        "PROGRAMFILES",
        "PROGRAMFILES(X86)",
        "SYSTEMDRIVE",
        "SYSTEMROOT",
        "WINDIR",
    }
)
# The variables that a person sets to change the result of a build.
_OF_A_BUILD = frozenset(
    {
        "AR",
        "ARCHFLAGS",
        "AS",
        "CC",
        "CFLAGS",
        "CMAKE_ARGS",
        "CMAKE_GENERATOR",
        "CMAKE_PREFIX_PATH",
        "CPATH",
        "CPP",
        "CPPFLAGS",
        "CXX",
        "CXXFLAGS",
        "C_INCLUDE_PATH",
        "CPLUS_INCLUDE_PATH",
        "FC",
        "FFLAGS",
        "LD",
        "LDFLAGS",
        "LDSHARED",
        "LIBRARY_PATH",
        "MACOSX_DEPLOYMENT_TARGET",
        "MAKEFLAGS",
        "NM",
        "PKG_CONFIG",
        "PKG_CONFIG_PATH",
        "RANLIB",
        "RUSTFLAGS",
        "RUSTUP_HOME",
        "RUSTUP_TOOLCHAIN",
        "SDKROOT",
        "STRIP",
    }
)
# The version to use instead of the repository's, of one package or of all.
_VERSION = re.compile(r"SETUPTOOLS_SCM_PRETEND_VERSION(_FOR_[A-Z0-9_]+)?|PDM_BUILD_SCM_VERSION")
# The user's settings that would make uv install something else, run what it installed, or fail.
_CONTRADICTING = frozenset(
    {
        "UV_COMPILE_BYTECODE",
        "UV_NO_BINARY",
        "UV_NO_BINARY_PACKAGE",
        "UV_NO_DEPS",
        "UV_PRERELEASE",
        "UV_REQUIRE_HASHES",
        "UV_RESOLUTION",
        "UV_TARGET",
        "UV_PREFIX",
        "UV_WORKING_DIR",
        "UV_WORKING_DIRECTORY",
        "UV_PROJECT",
        "UV_VENV_SEED",
    }
)
# 2020-02-02, hatchling's own default: zip files can't hold times before 1980, in any time zone.
_SOURCE_DATE_EPOCH = "1580601600"


def build_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a person sets to change the result of builds, sorted by name."""
    return {
        name: value
        for name, value in sorted(environment.items())
        if name in _OF_A_BUILD or _VERSION.fullmatch(name)
    }


def build_constants() -> dict[str, str]:
    """Return the variables that are the same for every build on any machine."""
    return {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        # For equal sources to be built to equal wheels (reproducible-builds.org).
        "SOURCE_DATE_EPOCH": _SOURCE_DATE_EPOCH,
        "PYTHONHASHSEED": "0",
        "PYTHONNOUSERSITE": "1",
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildEnvironment:
    """An interpreter with the build requirements of a source, and nothing else.

    `version` is its major and minor version.
    """

    folder: Path
    python: Path
    version: tuple[int, int]

    @property
    def prefix(self) -> Path:
        """The folder in which the Python lies that the environment was made with."""
        return _prefix(self.folder)

    @classmethod
    def create(
        cls, folder: Path, request: BuildRequest, requires: Sequence[str]
    ) -> BuildEnvironment:
        """Make the environment in the new `folder`; raise `BuildError` where uv can't."""
        _make(folder, request)
        scripts = folder / ("Scripts" if sys.platform == "win32" else "bin")
        python = scripts / ("python.exe" if sys.platform == "win32" else "python")
        version = _version(folder)
        if foreign := without_own(requires):
            _install(python, request, foreign)
        if len(foreign) < len(requires):
            add_stand_in(_site_packages(folder, version))
        return cls(folder=folder, python=python, version=version)

    def variables(self, request: BuildRequest) -> dict[str, str]:
        """Return all the environment variables of foreign code."""
        home, temporary = request.folder / "home", request.folder / "tmp"
        for each in (home, temporary):
            each.mkdir(exist_ok=True)
        passed = {
            name: value
            for name, value in os.environ.items()
            if name.upper() in _OF_THE_SYSTEM or name.startswith("LC_")
        }
        path = os.pathsep.join([str(self.python.parent), passed.get("PATH", os.defpath)])
        return {
            **passed,
            **build_variables(os.environ),
            **_same_paths(request.folder.parent),
            "PATH": path,
            "VIRTUAL_ENV": str(self.folder),
            "HOME": str(home),
            "USERPROFILE": str(home),
            # What a build that fails leaves behind goes with its folder.
            **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary)),
            # A build outside a repository must not find one around it, nor write to one.
            "GIT_CEILING_DIRECTORIES": str(request.folder.parent),
            **build_constants(),
            # Beside the sources, bytecode would get into some wheels.
            "PYTHONPYCACHEPREFIX": str(request.folder / "bytecode"),
        }


def _same_paths(folder: Path) -> dict[str, str]:
    """Return variables with which compilers write no path of this machine into what they build.

    `CFLAGS` would replace the defaults of `configure` scripts.
    """
    if sys.platform == "win32":
        return {}
    option = shlex.quote(f"-ffile-prefix-map={folder}=/build")
    return {"CPPFLAGS": f"{os.environ.get('CPPFLAGS', '')} {option}".strip()}


def _make(folder: Path, request: BuildRequest) -> None:
    """Make an empty environment, with the target's version of Python where it is installed."""
    failures = []
    version = request.target.runtime.python_version
    for python in dict.fromkeys([find_interpreter(version) or sys.executable, sys.executable]):
        argv = [find_uv(), "venv", "--quiet", "--color", "never", "--no-project"]
        argv += ["--no-python-downloads", "--python", python, "--", str(folder)]
        try:
            _run_uv(argv, request)
        except ToolError as error:
            failures.append(error)
        else:
            return
    raise BuildError(
        f"No environment can be made for the build of {request.title}\n\n{failures[-1].message}",
        hint=failures[-1].hint,
    ) from failures[-1]


def _install(python: Path, request: BuildRequest, requires: Sequence[str]) -> None:
    argv = [find_uv(), "pip", "install", "--quiet", "--color", "never", "--python", str(python)]
    # To build a source would be to run foreign code here, where credentials are.
    argv += ["--only-binary", ":all:", "--resolution", "highest"]
    # A build script that changes its environment must not change uv's cache with it.
    argv += ["--link-mode", "copy", *request.constraints_file()]
    provided = request.provide(requires)
    argv += [part for path in provided.projects for part in ("--requirements", str(path))]
    argv += ["--", *provided.lines]
    try:
        _run_uv(argv, request)
    except ToolError as error:
        raise BuildError(
            f"The build requirements of {request.title} can't be installed: "
            f"{request.with_constraints(requires)}\n\n{quoted(error.output)}",
            hint=error.hint
            or "uv installs them from the index that the project configures for uv, and takes "
            "wheels only: a source would run foreign code where credentials are",
        ) from error


def _run_uv(argv: Sequence[str], request: BuildRequest) -> None:
    """Run uv where it finds the user's settings; raise `ToolError`, or `BuildError` if too slow."""
    where = request.requirements
    try:
        with uv_cache_explained():
            run(argv, cwd=where.folder, env=uv_environment(where), timeout=request.deadline.left())
    except ToolTimeoutError as error:
        raise request.deadline.missed_by(request.title, error) from error


def uv_environment(requirements: Requirements) -> dict[str, str]:
    """Return the environment for a call of uv, without settings that would change its result."""
    found = requirements.environment
    kept = {name: value for name, value in found.items() if name not in _CONTRADICTING}
    return kept | uv_cache_variables(found)


def _prefix(folder: Path) -> Path:
    text = (folder / "pyvenv.cfg").read_text(encoding="utf-8")
    match = re.search(r"^home = (.+)$", text, re.MULTILINE)
    return Path(match[1].strip()).parent if match else Path(sys.base_prefix)


def _site_packages(folder: Path, version: tuple[int, int]) -> Path:
    if sys.platform == "win32":
        return folder / "Lib" / "site-packages"
    return folder / "lib" / "python{}.{}".format(*version) / "site-packages"


def _version(folder: Path) -> tuple[int, int]:
    text = (folder / "pyvenv.cfg").read_text(encoding="utf-8")
    match = re.search(r"^version_info = (\d+)\.(\d+)", text, re.MULTILINE)
    return (int(match[1]), int(match[2])) if match else sys.version_info[:2]
