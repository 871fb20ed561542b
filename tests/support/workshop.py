"""A place to build sources in, with a target that the running Python can build for."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer._internal.console import Console
from hatch_lambda_layer._internal.store import Store
from hatch_lambda_layer.exceptions import BuildError, DownloadError, WheelError
from hatch_lambda_layer.targets.target import Architecture, Target, runtimes
from hatch_lambda_layer.wheel_builders import BuildPolicy, LayerSources, Requirements
from hatch_lambda_layer.wheels.cache import WheelCache
from hatch_lambda_layer.wheels.wheel import Wheel, read_member
from tests.support.displays import Lines
from tests.support.source_factory import copying_project, locked_source, sdist, told

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from hatch_lambda_layer.wheels.selection import LockedSource
    from hatch_lambda_layer.wheels.shared_cache import SharedCache
    from tests.support.wheel_factory import WheelSpec

OWN = f"python{sys.version_info.major}.{sys.version_info.minor}"
# With its own version of Python, a machine needs no other one to build for it.
RUNTIME = OWN if OWN in runtimes() else "python3.13"
X86 = Architecture.X86_64
TARGET = Target(runtimes()[RUNTIME], X86)
ARM = Target(runtimes()[RUNTIME], Architecture.ARM64)


@dataclass
class Workshop:
    """A cache and a work folder; `shown` is what a person saw."""

    root: Path
    shown: Lines = field(default_factory=Lines)
    policy: BuildPolicy = field(default_factory=BuildPolicy)
    shared: SharedCache | None = None

    @property
    def cache(self) -> WheelCache:
        """The cache, which is not the one of the machine."""
        return WheelCache(Store(self.root / "wheel-cache"), shared=self.shared)

    def build(self, source: LockedSource, target: Target = TARGET) -> Wheel:
        """Build one source."""
        (wheel,) = self.build_all([source], target)
        return wheel

    def build_all(
        self, sources: Sequence[LockedSource], target: Target = TARGET, folder: Path | None = None
    ) -> tuple[Wheel, ...]:
        """Build sources, with the settings that uv has in `folder`."""
        return self.sources(*sources, target=target).wheels(
            Requirements(folder=folder or self.root)
        )

    def sources(self, *sources: LockedSource, target: Target = TARGET) -> LayerSources:
        """Give the sources of a layer, of which nothing is built yet."""
        return LayerSources(
            sources,
            self.policy,
            target,
            cache=self.cache,
            console=Console(self.shown),
            folder=self.root / "work",
        )

    def facts(self, source: LockedSource) -> dict[str, object]:
        """Build a telling project and give what its backend saw."""
        return told(content(self.build(source), f"{source.name}.py"))

    def refusal(self, source: LockedSource, *words: str, target: Target = TARGET) -> str:
        """Give what is said when a source comes to nothing, and prove that nothing stays."""
        with pytest.raises((BuildError, DownloadError, WheelError)) as caught:
            self.build(source, target)
        said = str(caught.value)
        assert [word for word in words if word not in said] == [], said
        assert caught.value.hint
        assert left_in(self.root / "work") == []
        assert left_in(self.root / "wheel-cache" / "v2" / "wheels") == []
        return said


def left_in(folder: Path) -> list[Path]:
    """Give everything below a folder that need not be there."""
    return list(folder.rglob("*")) if folder.exists() else []


def content(wheel: Wheel, path: str) -> bytes:
    """Give the content of one member."""
    (member,) = (each for each in wheel.members if each.path == path)
    return read_member(wheel, member)


def archive(folder: Path, name: str, data: bytes) -> Path:
    """Write a file and give its path."""
    path = folder / name
    path.write_bytes(data)
    return path


def packed(folder: Path, files: Mapping[str, bytes], name: str = "teller") -> LockedSource:
    """Give a source distribution on disk, as a lockfile names it."""
    return locked_source("sdist", archive(folder, *sdist(name, "1.0", files)), name, version="1.0")


def of_wheel(folder: Path, wheel: WheelSpec) -> LockedSource:
    """Give a source that is built to exactly this wheel."""
    return packed(folder, copying_project(wheel), wheel.name)
