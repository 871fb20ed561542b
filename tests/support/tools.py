"""poetry, pdm, pipenv and the oldest uv as tests run them, and projects that they lock.

A tool is the one beside the interpreter, else the one on the search path, else one that is fetched
into the tests' cache, in an environment of its own: pdm does not get along with other packages.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import uv

from tests.support.system_parts import cached, fetch, require

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pytest

_REQUIREMENTS = {
    "poetry": ("poetry==2.5.1", "poetry-plugin-export==1.10.1"),
    "poetry-1": ("poetry==1.8.5",),
    "pdm": ("pdm==2.29.3", "hishel<2", "unearth<0.18"),
    "pipenv": ("pipenv==2026.10.3",),
}
# Port 9 (discard) answers nobody: a request to another host fails at once.
_REFUSED = "http://127.0.0.1:9"


def tool_path(name: str) -> Path:
    """Give the program, a key of `_REQUIREMENTS`; raise MissingPart where it can't be had."""
    beside = Path(sys.executable).with_name(name)
    if beside.is_file():
        return beside
    if found := shutil.which(name):
        return Path(found)
    requirements = _REQUIREMENTS[name]
    environment = cached(requirements[0].replace("==", "-"), lambda folder: _install(folder, name))
    return environment / "bin" / name.removesuffix("-1")


def _install(folder: Path, name: str) -> None:
    # Relocatable, because the cache gives the folder its name when it is complete.
    make = [uv.find_uv_bin(), "venv", "--quiet", "--relocatable", "--allow-existing"]
    fetch([*make, "--python", sys.executable, str(folder)])
    install = [uv.find_uv_bin(), "pip", "install", "--quiet"]
    fetch([*install, "--python", str(folder / "bin" / "python"), *_REQUIREMENTS[name]])


def oldest_uv() -> Path:
    """Give the oldest uv that this package accepts; raise MissingPart where it can't be had."""
    text = Path(__file__).parents[2].joinpath("pyproject.toml").read_text(encoding="utf-8")
    (requirement,) = [
        each for each in tomllib.loads(text)["project"]["dependencies"] if each.startswith("uv>=")
    ]
    pin = requirement.replace(">=", "==")

    def install(folder: Path) -> None:
        command = [uv.find_uv_bin(), "pip", "install", "--quiet", "--python", sys.executable]
        fetch([*command, "--target", str(folder), pin])

    return cached(pin.replace("==", "-"), install) / "bin" / "uv"


def isolate(monkeypatch: pytest.MonkeyPatch, state: Path, *programs: Path) -> dict[str, str]:
    """Give this process, and so its children, a home of its own and no way to another host.

    Of the search path, only the folders of `programs` and of the system stay. Coverage does not
    measure the children: they are other programs, which would take a third longer.
    """
    system = ["/usr/local/bin", "/usr/bin", "/bin"]
    own = {
        "PATH": os.pathsep.join([*(str(each.parent) for each in programs), *system]),
        "HOME": str(state / "home"),
        "XDG_CONFIG_HOME": str(state / "home" / "config"),
        "XDG_CONFIG_DIRS": str(state / "site"),
        "XDG_CACHE_HOME": str(state / "home" / "cache"),
        "XDG_DATA_HOME": str(state / "home" / "data"),
        "XDG_STATE_HOME": str(state / "home" / "state"),
        "UV_PYTHON": sys.executable,
        "HTTP_PROXY": _REFUSED,
        "HTTPS_PROXY": _REFUSED,
        "ALL_PROXY": _REFUSED,
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "GIT_CONFIG_GLOBAL": os.devnull,
    }
    for name in list(os.environ):
        if name.startswith(("POETRY_", "PDM_", "UV_", "PIP_", "VIRTUAL_ENV", "COVERAGE_")):
            monkeypatch.delenv(name)
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    Path(own["HOME"]).mkdir(parents=True, exist_ok=True)
    return dict(os.environ)


def hide(monkeypatch: pytest.MonkeyPatch, folder: Path, *packages: str) -> Path:
    """Have `packages` no longer installed beside this package: for who looks, not who imported.

    Gives the folder that has everything else that was beside them.
    """
    farm = folder / "site-packages"
    farm.mkdir(parents=True)
    entries = []
    for entry in sys.path:
        if entry and any(Path(entry, package).is_dir() for package in packages):
            for path in Path(entry).iterdir():
                if not path.name.startswith(tuple(packages)):
                    (farm / path.name).symlink_to(path)
            entries.append(str(farm))
        else:
            entries.append(entry)
    monkeypatch.setattr(sys, "path", entries)
    return farm


def stand_in(folder: Path, name: str, script: str) -> Path:
    """Write a program of the shell, for what no real tool can be brought to do."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def snapshot(*folders: Path) -> dict[str, tuple[int, int, bytes]]:
    """Give the mode, time and bytes of everything below `folders`."""
    found = {}
    for path in sorted(each for folder in folders for each in folder.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() else b""
        found[str(path)] = (status.st_mode, status.st_mtime_ns, content)
    return found


def git_repository(folder: Path, files: Mapping[str, str]) -> str:
    """Make a repository with one commit of `files`, and give the commit."""
    write_files(folder, files)
    environment = {
        **os.environ,
        **{
            f"GIT_{who}_{what}": f"tests@{who}.invalid"
            for who in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        },
    }
    for command in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "one")):
        subprocess.run(["git", *command], cwd=folder, env=environment, check=True)
    done = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Write text files by their path below `folder`."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def source_tree(name: str, dependencies: Iterable[str] = ()) -> dict[str, str]:
    """Give the files of a small package that hatchling can build."""
    lines = ["[project]", f'name = "{name}"', 'version = "1.0"', 'requires-python = ">=3.9"']
    lines += [f"dependencies = {list(dependencies)!r}", "[build-system]"]
    lines += ['requires = ["hatchling"]', 'build-backend = "hatchling.build"', ""]
    return {"pyproject.toml": "\n".join(lines), f"{name}/__init__.py": ""}


@dataclass(frozen=True)
class ToolProject:
    """A project, and the real tool that locks it."""

    directory: Path
    program: Path
    environment: dict[str, str] = field(repr=False)

    @property
    def pyproject(self) -> Path:
        """The project's `pyproject.toml`."""
        return self.directory / "pyproject.toml"

    @property
    def lockfile(self) -> Path:
        """The tool's lockfile."""
        return self.directory / f"{self.program.name}.lock"

    def run(self, *arguments: str) -> str:
        """Run the tool in the project and give its stdout; raise `AssertionError` with the rest."""
        done = subprocess.run(
            [self.program, *arguments],
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            encoding="utf-8",
        )
        if done.returncode != 0:
            said = f"{done.stdout}\n{done.stderr}"
            raise AssertionError(f"`{self.program.name} {' '.join(arguments)}` failed:\n{said}")
        return done.stdout

    def lock(self, *arguments: str) -> None:
        """Write or update the lockfile."""
        quiet = ["--no-interaction"] if self.program.name == "poetry" else []
        self.run("lock", *quiet, *arguments)

    def copy_to(self, directory: Path) -> ToolProject:
        """Give a copy that a test may change."""
        shutil.copytree(self.directory, directory, symlinks=True)
        return ToolProject(directory, self.program, self.environment)


def tool_project(
    name: str,
    directory: Path,
    pyproject: str,
    state: Path,
    files: Mapping[str, str] | None = None,
    *,
    lock: bool = True,
) -> ToolProject:
    """Write a project and lock it with the real tool; one that is missing skips the test.

    `state` has the tool's home and cache. The environment cuts every other host off.
    """
    program = require(tool_path, name)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(state / "home"),
        "POETRY_CACHE_DIR": str(state / "poetry"),
        "POETRY_VIRTUALENVS_CREATE": "false",
        "POETRY_KEYRING_ENABLED": "false",
        "PDM_CACHE_DIR": str(state / "pdm"),
        "PDM_CHECK_UPDATE": "0",
        "PDM_PYTHON": sys.executable,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "HTTP_PROXY": _REFUSED,
        "HTTPS_PROXY": _REFUSED,
        "ALL_PROXY": _REFUSED,
        "NO_PROXY": "127.0.0.1,localhost",
    }
    write_files(directory, {**(files or {}), "pyproject.toml": pyproject})
    project = ToolProject(directory, program, environment)
    if lock:
        project.lock()
    return project
