"""The build of one layer, from lockfile to manifest: only this module knows the order."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from . import archive
from . import manifest as manifests
from .budget import NEARLY_FULL, nearly_full
from .exceptions import OutputError
from .findings import Finding
from .manifest import LayerManifest
from .parallel import begin
from .selection import Selection, no_wheels

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from packaging.requirements import Requirement

    from .cache import Cache
    from .config import Member
    from .console import Console
    from .inclusion import IncludedFile
    from .index_access import IndexAccess
    from .layout import LayerPathLayout
    from .resolution import Resolver
    from .wheel_builders import LayerSources
    from .wheels import Wheel

# To be raised when equal inputs give a different layer: existing layers are then built again.
_LAYOUT_VERSION = 1
# Files that make git, and programs for backups (https://bford.info/cachedir), skip the work folder.
_MARKS = {
    ".gitignore": "*\n",
    "CACHEDIR.TAG": "Signature: 8a477f597d28d172789f06886806bc55\n",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class BuiltLayer:
    """A layer on disk; `rebuilt` is false if it was up to date already.

    `seconds` is how long each stage took, by the name of the stage.
    """

    zip_path: Path
    manifest: LayerManifest
    rebuilt: bool
    seconds: Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildPlan:
    """The inputs of a layer, known without building it.

    `distributions` are pairs of a name and a digest: sha256 of a wheel, or that of a source.
    """

    zip_path: Path
    input_digest: str
    distributions: frozenset[tuple[str, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildContext:
    """The parts that the builds of one project's layers share.

    `project_wheel` is the path of the project's own wheel if the caller has already built it.
    """

    layout: LayerPathLayout
    pyproject: dict[str, object]
    console: Console
    cache: Cache
    access: IndexAccess
    resolver: Resolver
    project_wheel: Path | None = None


class MemberBuild:
    """The build of one member of the matrix, stage by stage."""

    def __init__(self, context: BuildContext, member: Member) -> None:
        self._context = context
        self._member = member
        self._config = member.config
        self._target = member.target
        self._layout = context.layout
        self._cache = context.cache
        self._known_sources: LayerSources | None = None
        self._clock = _Clock()

    def run(self, name: str | None) -> BuiltLayer:
        """Build the layer `name` of the matrix (`None`: its only one), unless it is up to date.

        Raises `LambdaLayerError`; the layer that was built before is then left as it is.
        """
        zip_path = self._layout.path_layer_zip(name)
        manifest_path = self._layout.path_layer_manifest(name)
        for path in (zip_path, manifest_path):
            archive.prepare(path)
        self._cache.sweep()
        with ExitStack() as stack:
            with self._clock.stage("lock"):
                # The zip is hashed while the tool reads its lockfile.
                intact = begin(lambda: LayerManifest.read_intact(manifest_path, zip_path))
                selection, own, inputs = self._ingredients(stack)
                built = intact()
            current = built and self._current(built, inputs)
            manifest = current or self._rebuild(selection, own, inputs, zip_path)
            if manifest != built:
                archive.write_text(manifest_path, manifest.to_json())
        return BuiltLayer(
            zip_path=zip_path,
            manifest=manifest,
            rebuilt=current is None,
            seconds=self._clock.seconds,
        )

    def plan(self, zip_path: Path) -> BuildPlan:
        """Return the inputs of the layer; it is neither built nor compared with the one on disk."""
        with ExitStack() as stack:
            selection, _, inputs = self._ingredients(stack)
        return BuildPlan(
            zip_path=zip_path,
            input_digest=inputs,
            distributions=frozenset(
                [
                    *((locked.name, locked.sha256) for locked in selection.wheels),
                    *(self._sources(selection).digests() if selection.sources else ()),
                ]
            ),
        )

    def _ingredients(self, stack: ExitStack) -> tuple[Selection, Wheel | None, str]:
        """Return the distributions, the project's own wheel and the input digest.

        The work folder, which may hold some of them, is removed when `stack` is closed.
        """
        selection = self._context.resolver.selection(self._config, self._target)
        if selection.sources and self._config.build == "never":
            reasons = [each.reason for each in selection.sources]
            raise no_wheels(reasons, self._target, have_sources=True)
        if selection.sources or self._config.include_project or self._config.force_include:
            stack.enter_context(self._work_folder())
        own = self._own_wheel()
        return selection, own, self._input_digest(selection, own)

    def _rebuild(
        self, selection: Selection, own: Wheel | None, inputs: str, zip_path: Path
    ) -> LayerManifest:
        # Imported here: a build that has nothing to do must not wait for these modules.
        from .budget import check_size
        from .composition import compose
        from .wheelhouse import collect_wheels

        config, target = self._config, self._target
        with self._clock.stage("wheels"):
            wheels: Sequence[Wheel] = [
                *collect_wheels(
                    selection.wheels, self._cache, self._context.console, self._context.access
                ),
                *self._built_wheels(selection),
                *filter(None, [own]),
            ]
            wheels, excluded = self._exclude(wheels)
        with self._clock.stage("compose"):
            pack = self._layout.path_included_pack
            tree, findings = compose(wheels, self._included, pack, target, config.prune)
            findings = [*excluded, *findings]
            findings += self._yanked(selection)
            findings += check_size(tree, wheels, config.max_size)
        with self._clock.stage("write"):
            written = archive.write_archive(tree, zip_path, self._time)
        if selection.sources:
            # A source that turned out to be native was built in a container: its image now counts.
            inputs = self._input_digest(selection, own)
        return manifests.describe(self._member, inputs, tree, wheels, written, findings)

    def _exclude(self, wheels: Sequence[Wheel]) -> tuple[Sequence[Wheel], Sequence[Finding]]:
        """Return the wheels that stay, and the findings about those that are left out."""
        config = self._config
        if not config.exclude:
            return wheels, ()
        from .exclusion import exclude

        exclusion = exclude(
            wheels, config.exclude, config.allow_missing, self._direct, self._target
        )
        return exclusion.kept, exclusion.findings

    def _built_wheels(self, selection: Selection) -> Sequence[Wheel]:
        if not selection.sources:
            return ()
        from .wheel_builders import Requirements

        access = self._context.access
        with access.environment("uv") as environment:
            return self._sources(selection).wheels(
                Requirements(
                    folder=self._layout.dir_project_root, environment=environment, access=access
                )
            )

    def _sources(self, selection: Selection) -> LayerSources:
        """Return the sources, which are examined only once: some are fetched for that."""
        if self._known_sources is None:
            from .wheel_builders import BuildPolicy, LayerSources

            self._known_sources = LayerSources(
                selection.sources,
                BuildPolicy(build=self._config.build, container=self._config.container),
                self._target,
                cache=self._cache,
                console=self._context.console,
                folder=self._layout.dir_sources,
                access=self._context.access,
            )
        return self._known_sources

    @cached_property
    def _direct(self) -> list[Requirement]:
        """The project's direct requirements; they matter only if something is excluded."""
        if not self._config.exclude:
            return []
        from .project import direct_requirements

        config = self._config
        return direct_requirements(self._context.pyproject, config.groups, config.extras)

    @cached_property
    def _included(self) -> list[IncludedFile]:
        if not self._config.force_include:
            return []
        from .inclusion import find_included

        return find_included(self._layout.dir_project_root, self._config.force_include)

    @cached_property
    def _time(self) -> datetime:
        return archive.archive_time(os.environ.get("SOURCE_DATE_EPOCH"))

    def _own_wheel(self) -> Wheel | None:
        if not self._config.include_project:
            return None
        from .project_wheel import build_project_wheel, read_project_wheel

        path = self._context.project_wheel or build_project_wheel(
            self._layout.dir_project_root, self._context.pyproject, self._layout.dir_artifacts
        )
        return read_project_wheel(path, self._target)

    def _input_digest(self, selection: Selection, own: Wheel | None) -> str:
        return manifests.input_digest(
            {
                "layout": _LAYOUT_VERSION,
                "target": self._target.id,
                "time": self._time.isoformat(),
                "prune": self._config.prune,
                "exclude": sorted(self._config.exclude),
                "allow_missing": sorted(self._config.allow_missing),
                "direct": sorted(map(str, self._direct)),
                "wheels": [
                    (locked.name, locked.version, locked.sha256) for locked in selection.wheels
                ],
                "sources": self._sources(selection).inputs() if selection.sources else [],
                "included": [(each.path, each.executable, each.sha256) for each in self._included],
                # By content: versions of zlib compress the project's wheel differently.
                "project": own
                and sorted((each.path, each.executable, each.sha256) for each in own.members),
            }
        )

    def _current(self, built: LayerManifest, inputs: str) -> LayerManifest | None:
        """Return the manifest if the layer is up to date, else `None`.

        `max-size` is not part of the input digest, since it changes the findings, not the layer.
        """
        if built.input_digest != inputs or built.unpacked_size > self._config.max_size:
            return None
        full = nearly_full(built.unpacked_size, self._config.max_size)
        others = tuple(each for each in built.findings if each.code != NEARLY_FULL)
        return replace(built, findings=(*others, *full))

    def _yanked(self, selection: Selection) -> list[Finding]:
        return [
            Finding(code="yanked", message=f"{locked.name} {locked.version} was yanked: {reason}")
            for locked in selection.wheels
            if (reason := self._cache.yanked(locked)) is not None
        ]

    @contextmanager
    def _work_folder(self) -> Iterator[None]:
        """Make an empty folder for intermediate files, and remove it at the end of the context."""
        folder = self._layout.dir_artifacts
        try:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            for name, text in _MARKS.items():
                (self._layout.dir_build_lambda / name).write_text(text, encoding="utf-8")
        except OSError as error:
            raise OutputError(f"{folder} can't be created: {error.strerror}") from error
        try:
            yield
        finally:
            shutil.rmtree(folder, ignore_errors=True)


class _Clock:
    """A stopwatch; `seconds` is how long each stage took, by the name of the stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start
