"""The order of a build, from configuration to report: the only module that knows it."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from . import archive, manifest, report
from .cache import Cache, default_cache_dir
from .exceptions import OutputError, SizeError
from .inclusion import IncludedFile, find_included, pack
from .lockfiles import find_lockfile
from .locking import locked
from .manifest import Finding, LayerManifest
from .placement import place
from .project_wheel import build_project_wheel, read_project_wheel
from .pruning import prune
from .selection import LockedWheel, select, selection_key
from .tree import Entry, LayerTree
from .wheelhouse import collect_wheels
from .wheels import MAX_MEMBERS, Wheel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date
    from pathlib import Path

    from .config import LayerConfig
    from .console import Console
    from .layout import LayerPathLayout
    from .lockfiles._types import Lock
    from .targets import Target

# Rises when equal inputs come out as another layer: old ones are then built again.
_LAYOUT_VERSION = 1
# From here on the report warns: the function's own code has to fit, too.
_NEARLY_FULL = 0.8
_LARGEST_SHOWN = 10


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
            with clock.stage("lock"):
                selection = self._selection(target)
                own = self._own_wheel(target)
                inputs = self._input_digest(target, selection, own)
                built = self._up_to_date(inputs, zip_path, manifest_path)
            rebuilt = built is None
            if built is None:
                built = self._rebuild(target, selection, own, inputs, zip_path, clock)
                archive.write_text(manifest_path, built.to_json())
        self._report(built, zip_path, clock, rebuilt=rebuilt)
        return BuiltLayer(zip_path=zip_path, manifest=built, rebuilt=rebuilt)

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
        with clock.stage("wheels"):
            wheels = [*collect_wheels(selection, self.cache, self.console), *filter(None, [own])]
            findings = self._yanked(selection)
        with clock.stage("compose"):
            tree = self._compose(wheels, target)
            tree, warnings = prune(tree, self.config.prune, _stub_readers(wheels))
            tree = tree.settled()
            findings += [Finding(code="prune", message=warning) for warning in warnings]
            findings += [Finding(code="left-out", message=note) for note in tree.notes]
            findings += self._check_size(tree, wheels)
        with clock.stage("write"):
            archive.sweep(zip_path)
            written = archive.write_archive(tree, zip_path, self._time)
        return manifest.describe(target, inputs, tree, wheels, written, findings)

    @cached_property
    def _lock(self) -> Lock:
        lockfile, path = find_lockfile(self.config.tool, self.layout)
        return lockfile.read(path, self.layout, self.config.groups, self.config.extras)

    @cached_property
    def _included(self) -> list[IncludedFile]:
        return find_included(self.layout.dir_project_root, self.config.force_include)

    @cached_property
    def _time(self) -> datetime:
        return archive.archive_time(os.environ.get("SOURCE_DATE_EPOCH"))

    def _selection(self, target: Target) -> tuple[LockedWheel, ...]:
        key = selection_key(self._lock, target)
        selection = self.cache.selection(key)
        if selection is None:
            selection = select(self._lock, target)
            self.cache.keep_selection(key, selection)
        return selection

    def _own_wheel(self, target: Target) -> Wheel | None:
        if not self.config.include_project:
            return None
        path = self.project_wheel or build_project_wheel(
            self.layout.dir_project_root, self.pyproject, self.layout.dir_artifacts
        )
        return read_project_wheel(path, target)

    def _input_digest(
        self, target: Target, selection: Sequence[LockedWheel], own: Wheel | None
    ) -> str:
        return manifest.input_digest(
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

    def _up_to_date(self, inputs: str, zip_path: Path, manifest_path: Path) -> LayerManifest | None:
        found = LayerManifest.read(manifest_path)
        if found is None or found.input_digest != inputs:
            return None
        if found.unpacked_size > self.config.max_size or not found.describes(zip_path):
            return None
        return found

    def _compose(self, wheels: Sequence[Wheel], target: Target) -> LayerTree:
        entries: list[Entry] = []
        notes: list[str] = []
        for wheel in wheels:
            placed, left_out = place(wheel, target)
            entries += placed
            notes += left_out
        if self._included:
            path = self.layout.dir_artifacts / "included.pack"
            with path.open("wb") as file:
                entries += pack(self._included, path, file)
        return LayerTree(tuple(entries), tuple(notes))

    def _check_size(self, tree: LayerTree, wheels: Sequence[Wheel]) -> list[Finding]:
        size, largest = tree.unpacked_size, self.config.max_size
        if not tree.entries:
            raise SizeError(
                "The layer is empty: the lockfile has no packages for this target and these "
                "groups, or everything was pruned",
                hint="check `groups`, `extras` and `prune`, or set `include-project = true`",
            )
        if len(tree.entries) > MAX_MEMBERS:
            raise SizeError(
                f"The layer has {len(tree.entries):,} files, a zip holds {MAX_MEMBERS:,} of them"
            )
        if size > largest:
            packages = manifest.packages(tree, wheels)
            raise SizeError(
                f"The layer unpacks to {size:,} bytes, {largest:,} are allowed; the largest "
                f"packages are:\n{report.largest_packages(packages, _LARGEST_SHOWN)}",
                hint='`prune = ["tests", "stubs", "headers"]` makes it smaller',
            )
        if size > largest * _NEARLY_FULL:
            share = f"{size / largest:.0%} of the {largest:,} bytes allowed"
            return [Finding(code="nearly-full", message=f"the layer takes {share}, unpacked")]
        return []

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


def _stub_readers(wheels: Sequence[Wheel]) -> set[str]:
    """Give the distributions whose `.pyi` files lazy-loader reads when they are imported."""
    lazy = re.compile(r"lazy[-_.]?loader\b", re.IGNORECASE)
    return {wheel.name for wheel in wheels if any(lazy.match(need) for need in wheel.requires_dist)}


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
