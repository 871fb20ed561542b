"""The order of the build of one layer, from lockfile to manifest: the only module to know it."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from .._internal.parallel import begin
from ..exceptions import OutputError
from ..layer import archive
from ..layer import manifest as manifests
from ..layer.manifest import LayerManifest
from ..layer.size import NEARLY_FULL, nearly_full
from ..wheels.selection import Selection, no_wheels

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from packaging.requirements import Requirement

    from .._internal.console import Console
    from ..config.layer import Member
    from ..index.auth import IndexAccess
    from ..layer.findings import Finding
    from ..layer.inclusion import IncludedFile
    from ..layout import LayerPathLayout
    from ..wheel_builders import LayerSources
    from ..wheels.cache import Cache
    from ..wheels.wheel import Wheel
    from .lock_selection import Resolver

# Rises when equal inputs come out as another layer: old ones are then built again.
_LAYOUT_VERSION = 1
# Of the work folder: git leaves it alone, and so does whoever copies or archives a folder around
# it (https://bford.info/cachedir).
_MARKS = {
    ".gitignore": "*\n",
    "CACHEDIR.TAG": "Signature: 8a477f597d28d172789f06886806bc55\n",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class BuiltLayer:
    """A layer on disk; `rebuilt` is false when it was up to date already.

    `seconds` has the time that each stage took.
    """

    zip_path: Path
    manifest: LayerManifest
    rebuilt: bool
    seconds: Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildPlan:
    """What a layer would be made from: the input digest, and each distribution with its own."""

    zip_path: Path
    input_digest: str
    distributions: frozenset[tuple[str, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildContext:
    """What the builds of one project's layers share.

    `project_wheel` is the project's own wheel where the caller has it already.
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
        """Build the layer under the `name` it has in its matrix, or find that it is current.

        Raises `LambdaLayerError`; whatever was built before is then still there, untouched.
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
        """Say what the layer would be made from."""
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
        """Give the distributions, the project's own wheel and the digest of all that goes in.

        What is made for it on the way is there until `stack` is left.
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
        # Imported here: a build that has nothing to do must not wait for them.
        from ..layer.composition import compose
        from ..layer.size import check_size
        from ..wheels.fetch import collect_wheels

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
            findings += check_size(tree, wheels, config.max_size)
        with self._clock.stage("write"):
            written = archive.write_archive(tree, zip_path, self._time)
        if selection.sources:
            # What turned out to be native was built in an image, which counts from now on.
            inputs = self._input_digest(selection, own)
        return manifests.describe(self._member, inputs, tree, wheels, written, findings)

    def _exclude(self, wheels: Sequence[Wheel]) -> tuple[Sequence[Wheel], Sequence[Finding]]:
        """Give the wheels that stay, and what to tell of the others."""
        config = self._config
        if not config.exclude:
            return wheels, ()
        from ..layer.exclusion import exclude

        exclusion = exclude(
            wheels, config.exclude, config.allow_missing, self._direct, self._target
        )
        return exclusion.kept, exclusion.findings

    def _built_wheels(self, selection: Selection) -> Sequence[Wheel]:
        if not selection.sources:
            return ()
        from ..wheel_builders import Requirements

        access = self._context.access
        with access.environment("uv") as environment:
            return self._sources(selection).wheels(
                Requirements(
                    folder=self._layout.dir_project_root, environment=environment, access=access
                )
            )

    def _sources(self, selection: Selection) -> LayerSources:
        """Give the sources, which are looked for once: some are fetched to be looked at."""
        if self._known_sources is None:
            from ..wheel_builders import BuildPolicy, LayerSources

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
        """What the project itself asks for; only an exclusion needs to know."""
        if not self._config.exclude:
            return []
        from ..config.project import direct_requirements

        config = self._config
        return direct_requirements(self._context.pyproject, config.groups, config.extras)

    @cached_property
    def _included(self) -> list[IncludedFile]:
        if not self._config.force_include:
            return []
        from ..layer.inclusion import find_included

        return find_included(self._layout.dir_project_root, self._config.force_include)

    @cached_property
    def _time(self) -> datetime:
        return archive.archive_time(os.environ.get("SOURCE_DATE_EPOCH"))

    def _own_wheel(self) -> Wheel | None:
        if not self._config.include_project:
            return None
        from ..wheel_builders.project_wheel import build_project_wheel, read_project_wheel

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
                # By content: how the project's wheel is compressed differs from zlib to zlib.
                "project": own
                and sorted((each.path, each.executable, each.sha256) for each in own.members),
            }
        )

    def _current(self, built: LayerManifest, inputs: str) -> LayerManifest | None:
        """Give the manifest of a layer that is up to date, or `None`.

        The limit of the size is no input: it changes what is said of the layer, not the layer.
        """
        if built.input_digest != inputs or built.unpacked_size > self._config.max_size:
            return None
        full = nearly_full(built.unpacked_size, self._config.max_size)
        others = tuple(each for each in built.findings if each.code != NEARLY_FULL)
        return replace(built, findings=(*others, *full))

    @contextmanager
    def _work_folder(self) -> Iterator[None]:
        """Have an empty folder for what is made on the way."""
        folder = self._layout.dir_artifacts
        try:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            for name, text in _MARKS.items():
                (self._layout.dir_build_lambda / name).write_text(text, encoding="utf-8")
        except OSError as error:
            raise OutputError(f"{folder} can't be made: {error.strerror}") from error
        try:
            yield
        finally:
            shutil.rmtree(folder, ignore_errors=True)


class _Clock:
    """How long each stage took, in seconds."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start
