"""Wheel builders: one Protocol, one module a way to build; everything ends in a proved wheel."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from ..exceptions import BuildError, OutputError
from ._types import BuildRequest, Requirements
from .local import LocalWheelBuilder
from .sources import obtain, source_digest, title

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..cache import Cache
    from ..console import Console
    from ..selection import LockedSource
    from ..targets import Target
    from ..wheels import Wheel
    from ._types import WheelBuilder

__all__ = ["WHEEL_BUILDERS", "Requirements", "build_wheels", "source_digest"]

WHEEL_BUILDERS: Mapping[str, WheelBuilder] = {
    builder.name: builder for builder in (LocalWheelBuilder(),)
}

# Rises when an equal source would be built to another wheel: older ones are then built again.
_SCHEMA = 1


def build_wheels(
    sources: Sequence[LockedSource],
    target: Target,
    cache: Cache,
    console: Console,
    work_dir: Path,
    *,
    requirements: Requirements,
    builder: str = "local",
) -> tuple[Wheel, ...]:
    """Give a proved wheel that fits the target for each of `sources`, in their order.

    From the cache, else built, one after the other: an interruption then reaches the program that
    runs. Everything below `work_dir` that is made here is removed again.
    Raises `BuildError`, `DownloadError` and `WheelError`.
    """
    builds = [_Build(source, target, cache, WHEEL_BUILDERS[builder]) for source in sources]
    return tuple(build.cached() or build.run(console, work_dir, requirements) for build in builds)


class _Build:
    """The build of one source for one target."""

    def __init__(
        self, source: LockedSource, target: Target, cache: Cache, builder: WheelBuilder
    ) -> None:
        self._source = source
        self._target = target
        self._cache = cache
        self._builder = builder
        self._digest = source_digest(source)

    def cached(self) -> Wheel | None:
        """Give the wheel of an earlier build: a pure one of any target, or this target's own."""
        from .fitting import check_identity, fits_by_tag

        for key in (self._key(pure=True), self._key(pure=False)):
            wheel = self._cache.built_wheel(key)
            if wheel is not None and fits_by_tag(wheel, self._target):
                check_identity(wheel, self._source)
                return wheel
        return None

    def run(self, console: Console, work_dir: Path, requirements: Requirements) -> Wheel:
        """Build the wheel, and put it into the cache once it is proved and known to fit."""
        console.info(f"Building {title(self._source)}")
        folder = _new_folder(work_dir)
        try:
            project = obtain(self._source, folder, requirements.access)
            request = BuildRequest(
                title=title(self._source),
                project=project,
                folder=_new_folder(folder),
                target=self._target,
                requirements=requirements,
            )
            wheel = self._inserted(*self._builder.build(request))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return wheel

    def _inserted(self, path: Path, python: tuple[int, int]) -> Wheel:
        from ..proof import prove
        from .fitting import check_fit, check_identity, is_pure

        with self._cache.temporary() as temporary:
            with path.open("rb") as file:
                shutil.copyfileobj(file, temporary.file)
            temporary.file.flush()
            temporary.file.seek(0)
            sha256 = hashlib.file_digest(temporary.file, "sha256").hexdigest()  # type: ignore[arg-type]
            wheel = prove(temporary.path, path.name, sha256)
            check_identity(wheel, self._source)
            check_fit(wheel, self._source, self._target, python)
            # Under the digest of before, the wheel of what it was changed to would come back.
            if source_digest(self._source) != self._digest:
                raise BuildError(
                    f"The source of {title(self._source)} changed while it was built",
                    hint="build again",
                )
            return self._cache.insert_built(self._key(pure=is_pure(wheel)), temporary, wheel)

    def _key(self, *, pure: bool) -> str:
        target = None if pure else (self._target.id, self._target.runtime.glibc)
        settings = dict(self._builder.settings())
        facts = [_SCHEMA, self._builder.name, settings, self._digest, target]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _new_folder(parent: Path) -> Path:
    """Make a folder that tools which look around it take for the end of the world.

    hatchling looks for `.gitignore` upwards until it finds a `.git`, and git for `.git`: the
    ignore file of a work folder would leave nothing in a wheel.
    """
    import tempfile

    try:
        parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=parent, prefix="build-")).resolve()
        (folder / ".git").touch()
    except OSError as error:
        raise OutputError(f"{parent} can't be written: {error.strerror}") from error
    return folder
