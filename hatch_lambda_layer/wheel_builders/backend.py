"""A source's build backend (PEP 517): its requirements, and the wheel that it builds."""

from __future__ import annotations

import os
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._internal.process import redact
from .._internal.toml import parse_toml
from ..exceptions import BuildError, ToolError, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pyproject_hooks import BuildBackendHookCaller
    from pyproject_hooks._impl import SubprocessRunner

# PEP 517: the defaults for a project without `[build-system]` or without `build-backend`.
_LEGACY_REQUIRES = ("setuptools>=40.8.0",)
_LEGACY_BACKEND = "setuptools.build_meta:__legacy__"
# The bytes of a log that are shown at most: of its beginning and, where errors are, of its end.
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
        """Read the table of a project, with the defaults of PEP 517.

        Raises `BuildError` where the table is not valid, or `project` is not the folder of one.
        """
        path = project / "pyproject.toml"
        if not path.is_file() and not (project / "setup.py").is_file():
            raise BuildError(
                f"The source of {title} can't be built: it has neither `pyproject.toml` nor "
                "`setup.py`",
                hint="if the project is in a folder of the source, name that as its subdirectory",
            )
        try:
            table = parse_toml(path.read_bytes()) if path.is_file() else {}
        except ValueError as error:
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
                f"`[build-system]` of {title} is not valid: `requires` must be a list of "
                "requirements (PEP 518), `build-backend` a string and `backend-path` a list of "
                "strings (PEP 517)",
                hint="the error is in the source: report it to its maintainers",
            )
        return cls(requires=requires, backend=backend, backend_path=backend_path)


class Backend:
    """The backend of one source; each hook is run in a process of its own.

    `project` and `python` are paths in the system where `run` runs a hook; it raises `ToolError`
    when the hook fails. `failure` returns the error for a reason.
    What is passed to the hooks and back is in `temporary`.
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
        """Return what the backend requires beside the project's own `requires`."""
        found = self._call(lambda hooks: hooks.get_requires_for_build_wheel())
        requires = _requirements(found)
        if requires is None:
            raise self._failure(
                f"its backend requires {found!a:.200}, which is not a list of requirements"
            )
        return requires

    def wheel(self, folder: str) -> str:
        """Build the wheel in `folder`, and return its file name, as the backend reports it."""
        said = self._call(lambda hooks: hooks.build_wheel(folder))
        name = Path(str(said)).name
        if not name.endswith(".whl"):
            raise self.no_wheel(said)
        return name

    def no_wheel(self, said: object) -> BuildError:
        """Return the error for a wheel that is not where the backend says."""
        return self._failure(f"its backend returned {said!a:.200}, and there is no such wheel")

    def _call(self, hook: Callable[[BuildBackendHookCaller], Any]) -> Any:
        from pyproject_hooks import BackendUnavailable, BuildBackendHookCaller

        system = self._system
        try:
            hooks = BuildBackendHookCaller(
                self._project, system.backend, system.backend_path or None, self._run, self._python
            )
            # Warnings of a backend are for the maintainers of the source.
            with warnings.catch_warnings(), _temporary_files_in(self._temporary):
                warnings.simplefilter("ignore")
                return hook(hooks)
        except ToolError as error:
            raise self._failure(f"its backend `{system.backend}` ended with an error") from error
        except BackendUnavailable as error:
            raise self._failure(f"its backend can't be imported\n\n{error}") from error
        # The files that the hook's process has left can't be trusted either.
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise self._failure(
                f"its backend `{system.backend}` returned no result ({error})"
            ) from error


@contextmanager
def _temporary_files_in(folder: Path) -> Iterator[None]:
    """Put this process's temporary files into `folder`, which goes with the build.

    pyproject-hooks lets nobody choose where it makes its own. Sources are built one at a time.
    """
    import tempfile

    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before


def shown(log: Path) -> str:
    """Return the text of a log, without credentials; of a very long one, its two ends.

    Empty where the log can't be read.
    """
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
    return quoted(redact(said.decode("utf-8", "replace")))


def _strings(value: object) -> tuple[str, ...] | None:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        return None
    return tuple(value)


def _requirements(value: object) -> tuple[str, ...] | None:
    """Return requirements as PEP 508 writes them, `None` where one is not valid.

    What is not a requirement could be an option to uv.
    """
    from packaging.requirements import InvalidRequirement, Requirement

    strings = _strings(value)
    try:
        return None if strings is None else tuple(str(Requirement(each)) for each in strings)
    except InvalidRequirement:
        return None
