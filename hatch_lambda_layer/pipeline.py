"""The order of a build, from configuration to report: the only module that knows it."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from . import archive, report
from . import manifest as manifests
from .budget import NEARLY_FULL, nearly_full
from .cache import Cache, default_cache_dir
from .exceptions import OutputError
from .findings import Finding
from .lockfiles import find_lockfile
from .locking import locked
from .manifest import LayerManifest
from .parallel import begin
from .process import redact
from .selection import LockedWheel, select, selection_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date
    from pathlib import Path

    from .config import LayerConfig
    from .console import Console
    from .inclusion import IncludedFile
    from .layout import LayerPathLayout
    from .lockfiles._types import Lock
    from .targets import Target
    from .wheels import Wheel

# Rises when equal inputs come out as another layer: old ones are then built again.
_LAYOUT_VERSION = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class BuiltLayer:
    """A layer on disk; `rebuilt` is false when it was up to date already."""

    zip_path: Path
    manifest: LayerManifest
    rebuilt: bool


@dataclass
class LayerBuild:
    """One build of one project, and what the members of its matrix share.

    `project_wheel` is the project's own wheel where the caller has it already.
    """

    config: LayerConfig
    layout: LayerPathLayout
    pyproject: dict[str, object]
    console: Console
    project_wheel: Path | None = None
    cache: Cache = field(default_factory=lambda: Cache(default_cache_dir()))

    def build(self, target: Target) -> BuiltLayer:
        """Build one member of the matrix, unless it is up to date.

        Raises `LambdaLayerError`; whatever was built before is then still there, untouched.
        """
        clock = _Clock()
        if warning := target.runtime.deprecation(_today()):
            self.console.warning(warning)
        member = target.id if len(self.config.targets) > 1 else None
        zip_path = self.layout.path_layer_zip(member)
        manifest_path = self.layout.path_layer_manifest(member)
        with locked(self._lock_paths(), self._say_waiting), self._work_folder():
            for path in (zip_path, manifest_path):
                archive.prepare(path)
            self.cache.sweep()
            with clock.stage("lock"):
                # The zip is hashed while the tool reads its lockfile.
                intact = begin(lambda: LayerManifest.read_intact(manifest_path, zip_path))
                selection = self._selection(target)
                own = self._own_wheel(target)
                inputs = self._input_digest(target, selection, own)
                built = intact()
            current = built and self._current(built, inputs)
            manifest = current or self._rebuild(target, selection, own, inputs, zip_path, clock)
            if manifest != built:
                archive.write_text(manifest_path, manifest.to_json())
        self._report(manifest, zip_path, clock, rebuilt=current is None)
        return BuiltLayer(zip_path=zip_path, manifest=manifest, rebuilt=current is None)

    def clean(self) -> None:
        """Remove the layers of this project, and what builds have left."""
        with locked(self._lock_paths(), self._say_waiting):
            for path in self.layout.built_paths():
                path.unlink(missing_ok=True)
            shutil.rmtree(self.layout.dir_build_lambda_layer, ignore_errors=True)

    def _rebuild(
        self,
        target: Target,
        selection: Sequence[LockedWheel],
        own: Wheel | None,
        inputs: str,
        zip_path: Path,
        clock: _Clock,
    ) -> LayerManifest:
        # Imported here: a build that has nothing to do must not wait for them.
        from .budget import check_size
        from .composition import compose
        from .wheelhouse import collect_wheels

        with clock.stage("wheels"):
            wheels = [*collect_wheels(selection, self.cache, self.console), *filter(None, [own])]
        with clock.stage("compose"):
            pack = self.layout.path_included_pack
            tree, findings = compose(wheels, self._included, pack, target, self.config.prune)
            findings += self._yanked(selection)
            findings += check_size(tree, wheels, self.config.max_size)
        with clock.stage("write"):
            written = archive.write_archive(tree, zip_path, self._time)
        return manifests.describe(target, inputs, tree, wheels, written, findings)

    @cached_property
    def _lock(self) -> Lock:
        lockfile, path = find_lockfile(self.config.tool, self.layout)
        return lockfile.read(path, self.layout, self.config.groups, self.config.extras)

    @cached_property
    def _included(self) -> list[IncludedFile]:
        if not self.config.force_include:
            return []
        from .inclusion import find_included

        return find_included(self.layout.dir_project_root, self.config.force_include)

    @cached_property
    def _time(self) -> datetime:
        return archive.archive_time(os.environ.get("SOURCE_DATE_EPOCH"))

    def _selection(self, target: Target) -> tuple[LockedWheel, ...]:
        key = selection_key(self._lock, target)
        selection = self.cache.selection(key)
        if selection is None:
            selection = select(self._lock, target)
            # The cache holds no passwords, nor signed URLs.
            urls = " ".join(f"{each.location} {each.index_url}" for each in selection)
            if redact(urls) == urls:
                self.cache.keep_selection(key, selection)
        return selection

    def _own_wheel(self, target: Target) -> Wheel | None:
        if not self.config.include_project:
            return None
        from .project_wheel import build_project_wheel, read_project_wheel

        path = self.project_wheel or build_project_wheel(
            self.layout.dir_project_root, self.pyproject, self.layout.dir_artifacts
        )
        return read_project_wheel(path, target)

    def _input_digest(
        self, target: Target, selection: Sequence[LockedWheel], own: Wheel | None
    ) -> str:
        return manifests.input_digest(
            {
                "layout": _LAYOUT_VERSION,
                "target": target.id,
                "time": self._time.isoformat(),
                "prune": self.config.prune,
                "wheels": [(locked.name, locked.version, locked.sha256) for locked in selection],
                "included": [(each.path, each.executable, each.sha256) for each in self._included],
                # By content: how the project's wheel is compressed differs from zlib to zlib.
                "project": own
                and sorted((each.path, each.executable, each.sha256) for each in own.members),
            }
        )

    def _current(self, built: LayerManifest, inputs: str) -> LayerManifest | None:
        """Give the manifest of a layer that is up to date, or `None`.

        The limit of the size is no input: it changes what is said of the layer, not the layer.
        """
        if built.input_digest != inputs or built.unpacked_size > self.config.max_size:
            return None
        full = nearly_full(built.unpacked_size, self.config.max_size)
        others = tuple(each for each in built.findings if each.code != NEARLY_FULL)
        return replace(built, findings=(*others, *full))

    def _yanked(self, selection: Sequence[LockedWheel]) -> list[Finding]:
        return [
            Finding(code="yanked", message=f"{locked.name} {locked.version} was yanked: {reason}")
            for locked in selection
            if (reason := self.cache.yanked(locked)) is not None
        ]

    def _lock_paths(self) -> list[Path]:
        # In the cache, because a lock must not lie among the files that are to be uploaded.
        folders = {self.layout.dir_project_root.resolve(), self.layout.dir_output.resolve()}
        names = sorted(hashlib.sha256(os.fsencode(folder)).hexdigest() for folder in folders)
        return [self.cache.root / "locks" / name for name in names]

    def _say_waiting(self) -> None:
        self.console.info("Waiting for another build of this project to end")

    @contextmanager
    def _work_folder(self) -> Iterator[None]:
        """Have an empty folder for what is made on the way, where something is."""
        folder = self.layout.dir_artifacts
        if not (self.config.include_project or self.config.force_include):
            yield
            return
        try:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            (self.layout.dir_build_lambda / ".gitignore").write_text("*\n", encoding="utf-8")
        except OSError as error:
            raise OutputError(f"{folder} can't be made: {error.strerror}") from error
        try:
            yield
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _report(
        self, built: LayerManifest, zip_path: Path, clock: _Clock, *, rebuilt: bool
    ) -> None:
        # One table is what a person wants to see; the tables of a matrix are nearly the same.
        alone = len(self.config.targets) == 1
        if rebuilt and (alone or self.console.verbose):
            self.console.info(report.layer_table(built))
        self.console.info(report.layer_totals(built))
        for finding in built.findings:
            self.console.warning(finding.message)
        if rebuilt:
            self.console.info(report.stage_times(clock.seconds))
        else:
            self.console.info(f"{zip_path.name} is up to date")


class _Clock:
    """How long each stage took, in seconds."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start


def _today() -> date:
    return datetime.now(UTC).date()
