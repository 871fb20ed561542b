"""Building on this machine, through the source's own build backend (PEP 517)."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..exceptions import BuildError, ToolError
from ..process import redact, run
from ._types import BuiltWheel
from .environment import BuildEnvironment, build_variables

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pyproject_hooks import BuildBackendHookCaller

    from ._types import BuildRequest

# PEP 517: what a project without `[build-system]` or without `build-backend` is built by.
_LEGACY_REQUIRES = ("setuptools>=40.8.0",)
_LEGACY_BACKEND = "setuptools.build_meta:__legacy__"
# What is shown of a log at most: its beginning and, where errors are, its end.
_SHOWN_HEAD = 50_000
_SHOWN_TAIL = 200_000


class LocalWheelBuilder:
    """Builds with an interpreter of this machine, the target's version where there is one."""

    name = "local"

    def settings(self) -> Mapping[str, str]:
        """Give the variables that compilers and backends are told."""
        return build_variables(os.environ)

    def build(self, request: BuildRequest) -> BuiltWheel:
        """Call the backend's hooks, each in a process without secrets."""
        system = BuildSystem.read(request.project, request.title)
        environment = BuildEnvironment.create(request.folder / "env", request, system.requires)
        backend = _Backend(request, system, environment)
        if more := backend.requires():
            # Made anew, since uv asks the interpreter about itself: with packages in it, that
            # would be foreign code (`.pth` files) in a process that has credentials.
            requires = [*system.requires, *more]
            environment = BuildEnvironment.create(request.folder / "env2", request, requires)
            backend = _Backend(request, system, environment)
        return BuiltWheel(backend.wheel(), environment.version)


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildSystem:
    """`[build-system]` of a `pyproject.toml` (PEP 517, PEP 518)."""

    requires: tuple[str, ...]
    backend: str
    backend_path: tuple[str, ...]

    @classmethod
    def read(cls, project: Path, title: str) -> BuildSystem:
        """Read the table, or what PEP 517 has for a project without; raise `BuildError`."""
        import tomllib

        path = project / "pyproject.toml"
        if not path.is_file() and not (project / "setup.py").is_file():
            raise BuildError(
                f"The source of {title} can't be built: it has neither `pyproject.toml` nor "
                "`setup.py`",
                hint="if the project is in a folder of it, name that as its subdirectory",
            )
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise BuildError(f"`pyproject.toml` of {title} is not valid TOML: {error}") from error
        return cls._parse(table.get("build-system", {"requires": [*_LEGACY_REQUIRES]}), title)

    @classmethod
    def _parse(cls, table: Any, title: str) -> BuildSystem:
        table = table if isinstance(table, dict) else {}
        backend = table.get("build-backend", _LEGACY_BACKEND)
        backend_path = _strings(table.get("backend-path", []))
        requires = _requirements(table.get("requires"))
        if not isinstance(backend, str) or backend_path is None or requires is None:
            raise BuildError(
                f"`[build-system]` of {title} is not valid: PEP 518 wants `requires`, a list of "
                "requirements, and strings for the rest",
                hint="the source itself is at fault: tell its maintainers",
            )
        return cls(requires=requires, backend=backend, backend_path=backend_path)


class _Backend:
    """The build backend of one source, each hook in a process of its own."""

    def __init__(
        self, request: BuildRequest, system: BuildSystem, environment: BuildEnvironment
    ) -> None:
        self._request = request
        self._system = system
        self._environment = environment
        self._log = request.folder / "log"

    def requires(self) -> tuple[str, ...]:
        """Give what the backend requires beside what the project says."""
        found = self._call(lambda hooks: hooks.get_requires_for_build_wheel())
        requires = _requirements(found)
        if requires is None:
            raise self._failure(f"its backend requires {found!a:.200}, no list of requirements")
        return requires

    def wheel(self) -> Path:
        """Build the wheel and give its path; raise `BuildError` where there is none."""
        folder = self._request.folder / "wheel"
        folder.mkdir()
        name = self._call(lambda hooks: hooks.build_wheel(str(folder)))
        path = folder / Path(str(name)).name
        if path.suffix != ".whl" or path.is_symlink() or not path.is_file():
            raise self._failure(f"its backend says {name!a:.200}, and there is no such wheel")
        return path

    def _call(self, hook: Callable[[BuildBackendHookCaller], Any]) -> Any:
        from pyproject_hooks import BackendUnavailable, BuildBackendHookCaller

        system = self._system
        try:
            hooks = BuildBackendHookCaller(
                str(self._request.project),
                system.backend,
                system.backend_path or None,
                self._run,
                str(self._environment.python),
            )
            # What a backend warns of is for those who maintain the source.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return hook(hooks)
        except ToolError as error:
            raise self._failure(f"its backend `{system.backend}` ended in an error") from error
        except BackendUnavailable as error:
            raise self._failure(f"its backend can't be imported\n\n{error}") from error
        # What the hooks' process leaves behind is foreign, too.
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise self._failure(f"its backend `{system.backend}` broke off ({error})") from error

    def _run(
        self,
        cmd: Sequence[str],
        cwd: str | None = None,
        extra_environ: Mapping[str, str] | None = None,
    ) -> None:
        python, *rest = cmd
        argv = [python, str(Path(__file__).with_name("_logged.py")), str(self._log), *rest]
        variables = self._environment.variables(self._request) | dict(extra_environ or {})
        run(argv, cwd=Path(cwd or self._request.project), env=variables)

    def _failure(self, reason: str) -> BuildError:
        major, minor = self._environment.version
        return BuildError(
            f"The build of {self._request.title} with Python {major}.{minor} failed: "
            f"{redact(reason)}\n\n{_shown(self._log)}".rstrip(),
            hint="the backend ran without your variables, configuration and keys, on a copy of "
            "the source; choose a version that has a wheel if it can't do without",
        )


def _strings(value: object) -> tuple[str, ...] | None:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        return None
    return tuple(value)


def _requirements(value: object) -> tuple[str, ...] | None:
    """Give requirements as uv is to be told them: what is none could be an option to it."""
    from packaging.requirements import InvalidRequirement, Requirement

    strings = _strings(value)
    try:
        return None if strings is None else tuple(str(Requirement(each)) for each in strings)
    except InvalidRequirement:
        return None


def _shown(log: Path) -> str:
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            if size <= _SHOWN_HEAD + _SHOWN_TAIL:
                said = file.read()
            else:
                head = file.read(_SHOWN_HEAD)
                file.seek(size - _SHOWN_TAIL)
                left_out = size - _SHOWN_HEAD - _SHOWN_TAIL
                said = head + f"\n[… {left_out:,} bytes …]\n".encode() + file.read(_SHOWN_TAIL)
    except OSError:
        return ""
    return redact(said.decode("utf-8", "replace")).strip()
