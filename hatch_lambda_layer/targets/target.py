"""The target of a layer: a Lambda runtime on an architecture, its wheel tags and markers."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from packaging.markers import Environment
    from packaging.tags import Tag

# The older names of manylinux, by the glibc minor version that each stands for (PEP 600).
_LEGACY_MANYLINUX = {5: "manylinux1", 12: "manylinux2010", 17: "manylinux2014"}
# The oldest manylinux profiles: PEP 513 for x86_64 (2.5), PEP 599 for aarch64 (2.17).
_OLDEST_GLIBC_MINOR = {"x86_64": 5, "aarch64": 17}


class Architecture(Enum):
    """An instruction set architecture, by the name that Lambda uses."""

    X86_64 = "x86_64"
    ARM64 = "arm64"

    @classmethod
    def parse(cls, text: str) -> Architecture:
        """Parse Lambda's names and their common synonyms; raise `ValueError` for others."""
        return cls({"aarch64": "arm64", "amd64": "x86_64"}.get(text, text))

    @property
    def machine(self) -> str:
        """The name in wheel tags and in `platform_machine`."""
        return "aarch64" if self is Architecture.ARM64 else "x86_64"

    @property
    def oci(self) -> str:
        """The name in container images (OCI image specification, after Go's `GOARCH`)."""
        return "arm64" if self is Architecture.ARM64 else "amd64"


@dataclass(frozen=True, kw_only=True, slots=True)
class Runtime:
    """A Python runtime: Lambda's own, with the facts of `runtimes.toml`, or one that a user has.

    `os` and the dates are `None` where AWS has not named them. `compatible` are the names that a
    layer for a user's runtime is published with, `None` for a runtime of Lambda's own.
    """

    id: str
    python: str
    glibc: tuple[int, int]
    os: str | None = None
    deprecated: date | None = None
    create_blocked: date | None = None
    preview: bool = False
    compatible: tuple[str, ...] | None = None

    @property
    def python_version(self) -> tuple[int, int]:
        """The major and minor version of the interpreter."""
        return _version(self.python)

    @property
    def interpreter(self) -> str:
        """The name of the interpreter's program, such as `python3.13`."""
        return "python{}.{}".format(*self.python_version)

    def warning(self, today: date) -> str | None:
        """Return a warning if the runtime is a preview, or deprecated by `today`, else `None`."""
        if self.preview:
            return (
                f"Runtime {self.id} is a public preview: AWS gives no support and no SLA for it, "
                "and may change it without notice"
            )
        if self.deprecated is None or today < self.deprecated:
            return None
        return (
            f"Runtime {self.id} has been deprecated since {self.deprecated}; "
            f"from {self.create_blocked} on, no function can be created with it"
        )


def _version(text: str) -> tuple[int, int]:
    major, minor, *_ = text.split(".")
    return int(major), int(minor)


@cache
def runtimes() -> Mapping[str, Runtime]:
    """Return the known runtimes by their identifier: the newest first, previews at the end."""
    with Path(__file__).with_name("runtimes.toml").open("rb") as file:
        table = tomllib.load(file)["runtimes"]
    return {
        name: Runtime(
            id=name,
            python=facts["python"],
            glibc=_version(facts["glibc"]),
            os=facts.get("os"),
            deprecated=facts.get("deprecated"),
            create_blocked=facts.get("create-blocked"),
            preview=facts.get("preview", False),
        )
        for name, facts in table.items()
    }


@dataclass(frozen=True, slots=True)
class Target:
    """One runtime on one architecture: what decides which wheels fit."""

    runtime: Runtime
    architecture: Architecture

    @property
    def id(self) -> str:
        """The name of this member of the matrix, such as `python3.13-x86_64`."""
        return f"{self.runtime.id}-{self.architecture.value}"

    def marker_environment(self) -> Environment:
        """Return the values of environment markers in this runtime (PEP 508)."""
        major, minor = self.runtime.python_version
        return {
            "implementation_name": "cpython",
            "implementation_version": self.runtime.python,
            "os_name": "posix",
            "platform_machine": self.architecture.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": self.runtime.python,
            "python_version": f"{major}.{minor}",
            "sys_platform": "linux",
        }

    def platforms(self) -> list[str]:
        """Return the platform tags that the runtime's glibc can load, the best first (PEP 600).

        The last is plain `linux`, which says nothing about glibc: the files of such a wheel decide.
        """
        machine = self.architecture.machine
        tags = []
        for minor in range(self.runtime.glibc[1], _OLDEST_GLIBC_MINOR[machine] - 1, -1):
            tags.append(f"manylinux_2_{minor}_{machine}")
            if minor in _LEGACY_MANYLINUX:
                tags.append(f"{_LEGACY_MANYLINUX[minor]}_{machine}")
        return [*tags, f"linux_{machine}"]

    def tags(self) -> list[Tag]:
        """Return the wheel tags that fit, the best first (PEP 425); what only may fit is last."""
        from packaging.tags import compatible_tags, cpython_tags

        version = self.runtime.python_version
        interpreter = f"cp{version[0]}{version[1]}"
        *manylinux, plain = self.platforms()
        tags = [
            tag
            for platforms in (manylinux, [plain])
            for tag in (
                *cpython_tags(version, abis=[interpreter], platforms=platforms),
                *compatible_tags(version, interpreter=interpreter, platforms=platforms),
            )
        ]
        return list(dict.fromkeys(tags))
