"""Runs pip as if on another interpreter: a script for the interpreter that has pip.

pip evaluates environment markers for the interpreter that it runs in, and has no option to change
that; old versions do the same with `Requires-Python`. And to read what a source requires, pip runs
its build backend with the user's whole environment. This script changes both inside pip's process;
a pip that can't be changed is not run.

`python _runner.py SETTINGS ARGUMENT…` does what `pip ARGUMENT…` does, with all output on
standard output. SETTINGS is JSON: `markers`, the marker environment to use; `home`, the home
folder of build backends, or null where none may run; `unanswered`, the path of a file for the index
pages that pip could not read, which pip itself does not print. This package need not be importable:
only the standard library is used, of any Python that has a pip with `--report` (3.7). The script's
own messages are lines with `PREFIX`, one of the words below, and a detail.
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    # This script's folder, which has another `pip.py`, is the first that Python searches. Python
    # itself has already imported `os` and `sys`.
    _here = os.path.realpath(os.path.dirname(__file__))  # noqa: PTH120
    sys.path[:] = [path for path in sys.path if os.path.realpath(path) != _here]

import json
import logging
import runpy
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    _Popen = subprocess.Popen[Any]
else:
    _Popen = subprocess.Popen  # takes no type arguments on Python 3.8

PREFIX = "hatch-lambda-layer: "
NO_PIP, OLD_PIP, NO_MARKERS, SOURCE = "no-pip", "old-pip", "no-markers", "source"

# pip 22.2 brought the installation report.
_OLDEST_PIP = (22, 2)
# From this version on, if not earlier, `pip install` checks `Requires-Python` against the version
# in its options; before, against the running Python.
_PYTHON_PASSED_ON = (25, 1)
# The file through which pip starts itself to install build requirements.
_INNER_PIP = "__pip-runner__.py"
# The variables of a build backend: those that programs need, and those that pip sets for it.
_HARMLESS = frozenset(
    {
        *("PATH", "LD_LIBRARY_PATH", "LANG", "LANGUAGE", "TMPDIR", "TEMP", "TMP"),
        *("COMSPEC", "NUMBER_OF_PROCESSORS", "PATHEXT", "PROCESSOR_ARCHITECTURE", "PROGRAMDATA"),
        *("PROGRAMFILES", "PROGRAMFILES(X86)", "SYSTEMDRIVE", "SYSTEMROOT", "WINDIR"),
        *("PYTHONPATH", "PYTHONNOUSERSITE", "PDM_BUILD_SCM_VERSION"),
    }
)
_HARMLESS_PREFIXES = ("LC_", "PEP517_", "_PYPROJECT_HOOKS_", "SETUPTOOLS_SCM_PRETEND_VERSION")
# Options of the inner pip whose URLs can have passwords, and the variables to use instead.
_URL_OPTIONS = {
    "-i": "PIP_INDEX_URL",
    "--extra-index-url": "PIP_EXTRA_INDEX_URL",
    "--find-links": "PIP_FIND_LINKS",
    "--proxy": "PIP_PROXY",
}
# A source among the build requirements would run foreign code where credentials are.
_WHEELS_ONLY = {"--no-binary": ":none:", "--only-binary": ":all:"}


class _RefusedError(Exception):
    """The reason for which pip is not run, or is stopped."""


class _Child(_Popen):
    """A process that pip starts; a build gets no secrets in its environment, or is refused."""

    home: str | None = None

    def __init__(self, args: Any, *rest: Any, **options: Any) -> None:
        if _is_python(args):
            if self.home is None:
                raise _RefusedError(f"{PREFIX}{SOURCE} (unnamed)")
            environment = options.get("env") or os.environ
            if any(str(word).endswith(_INNER_PIP) for word in args[1:2]):
                args, options["env"] = _inner_pip(args, environment)
            else:
                options["env"] = _without_secrets(environment, self.home)
        super().__init__(args, *rest, **options)


def _is_python(args: Any) -> bool:
    """Return whether a command runs Python, as builds do: not git, the keyring or the like."""
    program = args if isinstance(args, (str, bytes)) else args[0]
    return program == sys.executable or "python" in Path(os.fsdecode(program)).name.lower()


def _inner_pip(
    args: Iterable[str], environment: Mapping[str, str]
) -> tuple[list[str], dict[str, str]]:
    """Return the inner pip's arguments and environment, with all URLs in the environment."""
    argv: list[str] = []
    urls: dict[str, list[str]] = {}
    words = iter(args)
    for word in words:
        if word in _URL_OPTIONS:
            urls.setdefault(_URL_OPTIONS[word], []).append(next(words))
            continue
        argv.append(word)
        if word in _WHEELS_ONLY:
            next(words)
            argv.append(_WHEELS_ONLY[word])
        if word == "--":
            argv += words
    return argv, {**environment, **{name: " ".join(each) for name, each in urls.items()}}


def _without_secrets(environment: Mapping[str, str], home: str) -> dict[str, str]:
    kept = {
        name: value
        for name, value in environment.items()
        if name.upper() in _HARMLESS or name.upper().startswith(_HARMLESS_PREFIXES)
    }
    return {**kept, "HOME": home, "USERPROFILE": home}


def _check_pip() -> tuple[int, ...]:
    """Return the first two numbers of pip's version; raise `_RefusedError` for no or an old pip."""
    try:
        import pip  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        raise _RefusedError(f"{PREFIX}{NO_PIP} {sys.executable}") from error
    found = tuple(int(part) for part in pip.__version__.split(".")[:2] if part.isdigit())
    if found < _OLDEST_PIP:
        raise _RefusedError(f"{PREFIX}{OLD_PIP} {pip.__version__}")
    return found


def _answer_for(target: Mapping[str, str], pip: tuple[int, ...]) -> None:
    """Make pip's markers and its Python those of `target`; raise `_RefusedError` if they aren't."""
    try:
        wrong = _use_markers(target)
        if pip < _PYTHON_PASSED_ON:
            wrong += _use_python(target["python_full_version"])
    # A later pip can differ in any way, and must not lock for this machine unnoticed.
    except Exception as error:
        raise _RefusedError(f"{PREFIX}{NO_MARKERS} {error!r}") from error
    if wrong:
        raise _RefusedError(f"{PREFIX}{NO_MARKERS} {', '.join(wrong)}")


def _use_markers(target: Mapping[str, str]) -> list[str]:
    """Replace the values of markers in pip; return the names of those that are still wrong."""
    from pip._vendor.packaging import (  # type: ignore[import-not-found,unused-ignore]
        markers as of_pip,
    )

    markers: Any = of_pip
    evaluate = markers.Marker.evaluate

    def evaluate_for_target(
        self: Any, environment: Mapping[str, str] | None = None, *args: Any, **options: Any
    ) -> bool:
        return bool(evaluate(self, {**target, **(environment or {})}, *args, **options))

    # In today's pip, either is enough. The first relies only on what `packaging` documents; the
    # second is also in pip's report, where `PipCall.lock` compares it.
    markers.Marker.evaluate = evaluate_for_target
    markers.default_environment = lambda: dict(target)
    return [
        name
        for name, value in target.items()
        if not markers.Marker(f"{name} == {value!r}").evaluate()
        or markers.Marker(f"{name} != {value!r}").evaluate()
    ]


def _use_python(version: str) -> list[str]:
    """Replace the resolver's default version of Python; return what is still wrong."""
    from pip._internal.resolution.resolvelib import (  # type: ignore[import-not-found,unused-ignore]
        candidates,
    )

    python: Any = candidates.RequiresPythonCandidate
    create = python.__init__
    numbers = tuple(int(part) for part in version.split("."))

    def create_for_target(self: Any, py_version_info: tuple[int, ...] | None) -> None:
        create(self, py_version_info or numbers)

    python.__init__ = create_for_target
    return [] if str(python(None).version) == version else ["Requires-Python"]


class _Unanswered(logging.FileHandler):
    """A log handler for the pages that pip could not read, and nothing else."""

    def emit(self, record: logging.LogRecord) -> None:
        if str(record.msg).startswith("Could not fetch URL"):
            super().emit(record)


def _note_unanswered(path: str) -> None:
    """Log the index pages that pip could not read to `path`; a full log would double its time."""
    try:
        from pip._internal.index import (  # type: ignore[import-not-found,unused-ignore]
            collector,
        )

        logger: logging.Logger = collector.logger
    except (ImportError, AttributeError):
        return  # errors then have less detail
    logger.setLevel(logging.DEBUG)
    logger.addHandler(_Unanswered(path, encoding="utf-8", delay=True))


def _refuse_sources() -> None:
    """Make pip name the source that it would build; `_Child` refuses to build it in any case."""
    try:
        from pip._internal.distributions import (  # type: ignore[import-not-found,unused-ignore]
            sdist,
        )
        from pip._internal.exceptions import (  # type: ignore[import-not-found,unused-ignore]
            InstallationError,
        )

        source: Any = sdist.SourceDistribution
    except (ImportError, AttributeError):
        return

    def refuse(self: Any, *_: Any, **__: Any) -> None:
        raise InstallationError(f"{PREFIX}{SOURCE} {self.req}")

    source.prepare_distribution_metadata = refuse


def _main(settings: str, *arguments: str) -> None:
    os.dup2(1, 2)
    wanted = json.loads(settings)
    _Child.home = wanted["home"]
    subprocess.Popen = _Child  # type: ignore[misc]
    try:
        _answer_for(wanted["markers"], _check_pip())
    except _RefusedError as refused:
        sys.exit(str(refused))
    _note_unanswered(wanted["unanswered"])
    if _Child.home is None:
        _refuse_sources()
    # The only way to run pip within a process that pip's documentation has.
    sys.argv = ["pip", *arguments]
    runpy.run_module("pip", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main(*sys.argv[1:])
