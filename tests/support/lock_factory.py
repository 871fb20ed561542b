"""Lockfiles for tests: `pylock.toml` (PEP 751) text of any quality, and projects that uv locks."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import uv
from packaging.utils import parse_sdist_filename, parse_wheel_filename

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.support.wheel_factory import WheelSpec

Hashes = Literal["sha256", "sha512", "md5", "none", "wrong"] | dict[str, str]
"""Which hashes a lockfile gives: an algorithm, an empty table, a wrong sha256, or a table."""


@dataclass(frozen=True, kw_only=True)
class LockedFile:
    """One wheel, sdist or archive of a lockfile; `url` or `path` says where it is."""

    filename: str
    data: bytes
    url: str | None = None
    path: str | None = None
    hashes: Hashes = "sha256"
    size: int | Literal["right"] | None = "right"
    named: bool = True
    """Whether the entry has a `name`; PEP 751 lets it be read off the URL."""

    @classmethod
    def of(cls, wheel: WheelSpec, url: str | None = None, **options: Any) -> LockedFile:
        """Give the entry of a wheel at `url`."""
        return cls(filename=wheel.filename, data=wheel.data, url=url, **options)

    def table(self) -> dict[str, Any]:
        """Give the entry's table, without the name that an archive doesn't have."""
        size = len(self.data) if self.size == "right" else self.size
        where = {"url": self.url, "path": self.path, "size": size}
        return {key: value for key, value in where.items() if value is not None} | {
            "hashes": self._hashes()
        }

    def named_table(self) -> dict[str, Any]:
        """Give the table of a wheel or sdist."""
        return ({"name": self.filename} if self.named else {}) | self.table()

    def _hashes(self) -> dict[str, str]:
        match self.hashes:
            case dict():
                return self.hashes
            case "none":
                return {}
            case "wrong":
                return {"sha256": hashlib.sha256(self.data + b"another").hexdigest()}
            case algorithm:
                return {algorithm: hashlib.new(algorithm, self.data).hexdigest()}


@dataclass(frozen=True, kw_only=True)
class LockedPackage:
    """One `[[packages]]` entry: wheels and an sdist, or one of `vcs`, `directory` and `archive`."""

    wheels: Sequence[LockedFile] = ()
    sdist: LockedFile | None = None
    archive: LockedFile | None = None
    vcs: Mapping[str, Any] | None = None
    """Such as `{"type": "git", "url": …, "commit-id": …}`."""
    directory: Mapping[str, Any] | None = None
    """Such as `{"path": "lib", "editable": True}`."""
    name: str | None = None
    """Default: read off the filename of the wheel or sdist."""
    version: str | None = None
    marker: str | None = None
    """PEP 751 markers: `'cli' in extras`, `'test' in dependency_groups`, and PEP 508's own."""
    requires_python: str | None = None
    index: str | None = None
    dependencies: Sequence[Mapping[str, Any]] = ()
    tool: Mapping[str, Any] | None = None

    def table(self) -> dict[str, Any]:
        """Give the entry's table in PEP 751's order of keys."""
        name, version = self._identity()
        entry: dict[str, Any] = {
            "name": name,
            "version": version,
            "marker": self.marker,
            "requires-python": self.requires_python,
            "dependencies": [dict(dependency) for dependency in self.dependencies] or None,
            "vcs": self.vcs and dict(self.vcs),
            "directory": self.directory and dict(self.directory),
            "archive": self.archive and self.archive.table(),
            "index": self.index,
            "sdist": self.sdist and self.sdist.named_table(),
            "wheels": [wheel.named_table() for wheel in self.wheels] or None,
            "tool": self.tool and dict(self.tool),
        }
        return {key: value for key, value in entry.items() if value is not None}

    def _identity(self) -> tuple[str, str | None]:
        name: str | None = None
        version: object = None
        if self.wheels:
            name, version, *_ = parse_wheel_filename(self.wheels[0].filename)
        elif self.sdist:
            name, version = parse_sdist_filename(self.sdist.filename)
        if (chosen := self.name or name) is None:
            raise ValueError("a vcs, directory or archive package needs a name")
        return chosen, self.version or (None if version is None else str(version))


def locked(wheel: WheelSpec, url: str, **options: Any) -> LockedPackage:
    """Give the package of one wheel at `url`; options are `LockedFile`'s."""
    return LockedPackage(
        wheels=[LockedFile.of(wheel, url, **options)], requires_python=wheel.requires_python
    )


def pylock(
    *packages: LockedPackage,
    lock_version: str = "1.0",
    requires_python: str | None = ">=3.9",
    environments: Sequence[str] = (),
    extras: Sequence[str] = (),
    dependency_groups: Sequence[str] = (),
    default_groups: Sequence[str] = (),
    created_by: str = "tests",
) -> str:
    """Give the text of a `pylock.toml`; what isn't given isn't written."""
    optional = {
        "environments": list(environments),
        "requires-python": requires_python,
        "extras": list(extras),
        "dependency-groups": list(dependency_groups),
        "default-groups": list(default_groups),
    }
    top = {"lock-version": lock_version, **{k: v for k, v in optional.items() if v}}
    lines = [f"{key} = {toml(value)}" for key, value in {**top, "created-by": created_by}.items()]
    if not packages:
        lines.append("packages = []")
    for package in packages:
        lines += ["", "[[packages]]"]
        lines += [f"{_key(key)} = {toml(value)}" for key, value in package.table().items()]
    return "\n".join(lines) + "\n"


def _key(key: str) -> str:
    bare = key.replace("-", "").replace("_", "")
    return key if bare.isascii() and bare.isalnum() else _string(key)


def _string(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08X}" for c in escaped) + '"'


def toml(value: object) -> str:
    """Give `value` as TOML, tables inline as uv and pip write them in lockfiles."""
    match value:
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case str():
            return _string(value)
        case Mapping():
            return "{ " + ", ".join(f"{_key(k)} = {toml(v)}" for k, v in value.items()) + " }"
        case Sequence():
            return "[" + ", ".join(toml(item) for item in value) + "]"
        case _:
            raise TypeError(f"no TOML for {value!r}")


@dataclass(frozen=True)
class UvProject:
    """A project that the real uv locks against one index and can't reach another."""

    directory: Path
    environment: dict[str, str] = field(repr=False)
    """For uv and whatever calls it: a cache and a home of its own, every other host cut off."""

    @property
    def pyproject(self) -> Path:
        """The project's `pyproject.toml`."""
        return self.directory / "pyproject.toml"

    @property
    def lockfile(self) -> Path:
        """The project's `uv.lock`."""
        return self.directory / "uv.lock"

    def uv(self, *arguments: str) -> str:
        """Run uv in the project and give its stdout; raise `AssertionError` with its stderr."""
        done = subprocess.run(
            [uv.find_uv_bin(), *arguments],
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            check=False,
            encoding="utf-8",
        )
        if done.returncode != 0:
            raise AssertionError(f"`uv {' '.join(arguments)}` failed:\n{done.stderr}")
        return done.stdout

    def lock(self, *arguments: str) -> None:
        """Write or update `uv.lock`."""
        self.uv("lock", *arguments)

    def export_pylock(self, *arguments: str) -> str:
        """Give the lock as a `pylock.toml`, by uv itself."""
        return self.uv("export", "--quiet", "--frozen", "--format", "pylock.toml", *arguments)


def uv_project(
    directory: Path,
    index_url: str,
    dependencies: Iterable[str] = (),
    *,
    name: str = "app",
    requires_python: str = ">=3.11",
    optional_dependencies: Mapping[str, Sequence[str]] | None = None,
    dependency_groups: Mapping[str, Sequence[str]] | None = None,
    sources: Mapping[str, Mapping[str, Any]] | None = None,
    package: bool = False,
    extra_toml: str = "",
    lock: bool = True,
) -> UvProject:
    """Write a project whose only index is `index_url`, and lock it with the real uv.

    `sources` is `[tool.uv.sources]`; `package` adds hatchling as build system and a module;
    `extra_toml` is appended to `pyproject.toml`, usually `[tool.lambda-layer]`.
    """
    lines = [
        "[project]",
        f"name = {_string(name)}",
        'version = "1.0"',
        f"requires-python = {_string(requires_python)}",
        f"dependencies = {toml(list(dependencies))}",
    ]
    tables = {
        "project.optional-dependencies": optional_dependencies,
        "dependency-groups": dependency_groups,
        "tool.uv.sources": sources,
    }
    for title, table in tables.items():
        if table:
            lines += ["", f"[{title}]"]
            lines += [f"{_key(key)} = {toml(value)}" for key, value in table.items()]
    lines += ["", "[[tool.uv.index]]", f"url = {_string(index_url)}", "default = true"]
    directory.mkdir(parents=True, exist_ok=True)
    if package:
        lines += ["", "[build-system]", 'requires = ["hatchling"]']
        lines += ['build-backend = "hatchling.build"']
        module = directory / name.replace("-", "_")
        module.mkdir(exist_ok=True)
        (module / "__init__.py").touch()
    project = UvProject(directory, uv_environment(directory))
    project.pyproject.write_text("\n".join(lines) + f"\n\n{extra_toml}", encoding="utf-8")
    if lock:
        project.lock()
    return project


def uv_environment(directory: Path) -> dict[str, str]:
    """Nothing of the person who runs the tests, and no way to any host but this one."""
    state = directory.parent / f".{directory.name}-uv"
    refused = "http://127.0.0.1:9"
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(state / "home"),
        "XDG_CONFIG_HOME": str(state / "config"),
        "XDG_CONFIG_DIRS": str(state / "config"),
        "UV_CACHE_DIR": str(state / "cache"),
        "UV_HTTP_RETRIES": "0",
        "UV_PYTHON": sys.executable,
        "UV_PYTHON_DOWNLOADS": "never",
        # Port 9 (discard) answers nobody: a request to another host fails at once.
        "HTTP_PROXY": refused,
        "HTTPS_PROXY": refused,
        "ALL_PROXY": refused,
        "NO_PROXY": "127.0.0.1,localhost",
    }
