"""A source's build backend (PEP 517): what it requires, and the wheel that it makes."""

from __future__ import annotations

import os
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._internal.process import redact
from ..exceptions import BuildError, ToolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pyproject_hooks import BuildBackendHookCaller
    from pyproject_hooks._impl import SubprocessRunner

# PEP 517: what a project without `[build-system]` or without `build-backend` is built by.
_LEGACY_REQUIRES = ("setuptools>=40.8.0",)
_LEGACY_BACKEND = "setuptools.build_meta:__legacy__"
# What is shown of a log at most: its beginning and, where errors are, its end.
_SHOWN_HEAD = 50_000
_SHOWN_TAIL = 200_000


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


class Backend:
    """The backend of one source, each hook in a process of its own.

    `project` and `python` are paths where `run` runs them; it raises `ToolError` when a hook fails.
    `failure` makes an error of a reason. What is passed to the hooks and back lies in `temporary`.
    """

    def __init__(
        self,
        system: BuildSystem,
        *,
        project: str,
        python: str,
        run: SubprocessRunner,
        failure: Callable[[str], BuildError],
        temporary: Path,
    ) -> None:
        self._system = system
        self._project = project
        self._python = python
        self._run = run
        self._failure = failure
        self._temporary = temporary

    def requires(self) -> tuple[str, ...]:
        """Give what the backend requires beside what the project says."""
        found = self._call(lambda hooks: hooks.get_requires_for_build_wheel())
        requires = _requirements(found)
        if requires is None:
            raise self._failure(f"its backend requires {found!a:.200}, no list of requirements")
        return requires

    def wheel(self, folder: str) -> str:
        """Have the wheel built in `folder`, and give the name that it should have there."""
        said = self._call(lambda hooks: hooks.build_wheel(folder))
        name = Path(str(said)).name
        if not name.endswith(".whl"):
            raise self.no_wheel(said)
        return name

    def no_wheel(self, said: object) -> BuildError:
        """Give the error for a wheel that is not where the backend says."""
        return self._failure(f"its backend says {said!a:.200}, and there is no such wheel")

    def _call(self, hook: Callable[[BuildBackendHookCaller], Any]) -> Any:
        from pyproject_hooks import BackendUnavailable, BuildBackendHookCaller

        system = self._system
        try:
            hooks = BuildBackendHookCaller(
                self._project, system.backend, system.backend_path or None, self._run, self._python
            )
            # What a backend warns of is for those who maintain the source.
            with warnings.catch_warnings(), _temporary_files_in(self._temporary):
                warnings.simplefilter("ignore")
                return hook(hooks)
        except ToolError as error:
            raise self._failure(f"its backend `{system.backend}` ended in an error") from error
        except BackendUnavailable as error:
            raise self._failure(f"its backend can't be imported\n\n{error}") from error
        # What the hooks' process leaves behind is foreign, too.
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise self._failure(f"its backend `{system.backend}` broke off ({error})") from error


@contextmanager
def _temporary_files_in(folder: Path) -> Iterator[None]:
    """Have this process's temporary files below `folder`, which a killed build leaves to the next.

    pyproject-hooks lets nobody choose where it makes its own. Sources are built one at a time.
    """
    import tempfile

    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before


def shown(log: Path) -> str:
    """Give what a log says, without credentials; of a very long one, its two ends."""
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
