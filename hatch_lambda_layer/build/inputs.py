"""All that decides one layer, found out before a wheel of it is fetched."""

from __future__ import annotations

import os
from dataclasses import astuple, dataclass, field
from typing import TYPE_CHECKING

from ..layer.archive import archive_time
from ..layer.manifest import input_digest
from ..layout import project_name
from .permission import check_permitted
from .source_metadata import build_requirements

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from packaging.requirements import Requirement

    from .._internal.console import Console
    from ..config.matrix import Member
    from ..index.auth import IndexAccess
    from ..layer.inclusion import IncludedFile
    from ..layout import LayerPathLayout
    from ..targets.target import Target
    from ..wheel_builders import LayerSources
    from ..wheels.cache import WheelCache
    from ..wheels.selection import LockedSource, Selection
    from ..wheels.wheel import Wheel
    from .lock_selection import Resolver

# Rises when equal inputs come out as another layer, or when more is found out about it: old layers
# are then built again.
_LAYOUT_VERSION = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildContext:
    """Everything that the builds of one project's layers share.

    `project_wheel` is the project's own wheel where the caller has it already.
    """

    layout: LayerPathLayout
    pyproject: dict[str, object]
    console: Console
    cache: WheelCache
    access: IndexAccess
    resolver: Resolver
    project_wheel: Path | None = None

    @property
    def project(self) -> str | None:
        """The normalised name of the project."""
        return project_name(self.pyproject)


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildInputs:
    """All that decides one layer, and the digest of it.

    `sources` are the packages of the `selection` that have no wheel, `None` where all have one.
    `project` is the project's own wheel, `direct` what the project itself requires where an
    exclusion needs to know, `date` that of every file in the zip.
    """

    member: Member
    selection: Selection
    sources: LayerSources | None
    project: Wheel | None
    included: Sequence[IncludedFile]
    direct: Sequence[Requirement]
    date: datetime
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        """Compute the digest, once."""
        config = self.member.config
        facts = {
            "layout": _LAYOUT_VERSION,
            "target": _identity(self.member.target),
            "time": self.date.isoformat(),
            "prune": config.prune,
            "prefer": config.prefer,
            "exclude": sorted(config.exclude),
            "allow_missing": sorted(config.allow_missing),
            "direct": sorted(map(str, self.direct)),
            "scripts": config.scripts,
            "libraries": sorted(config.libraries),
            "findings": astuple(config.findings),
            "audited": config.verify != "none",
            "wheels": [(each.name, each.version, each.sha256) for each in self.selection.wheels],
            "sources": self.sources.inputs() if self.sources else [],
            "included": [(each.path, each.executable, each.sha256) for each in self.included],
            # By content: how the project's wheel is compressed differs from zlib to zlib.
            "project": self.project
            and sorted((each.path, each.executable, each.sha256) for each in self.project.members),
        }
        object.__setattr__(self, "digest", input_digest(facts))

    @property
    def lock_digest(self) -> str:
        """The digest of what the lockfile and the configuration say, see `lock_digest`."""
        return lock_digest(self.member, self.selection)

    @property
    def distributions(self) -> frozenset[tuple[str, str]]:
        """Each distribution of the lockfile, by name, with what identifies its content."""
        wheels = [(locked.name, locked.sha256) for locked in self.selection.wheels]
        return frozenset([*wheels, *(self.sources.digests() if self.sources else ())])

    @property
    def built_names(self) -> frozenset[str]:
        """The names of the distributions that are built here, not fetched as wheels."""
        names = [str(each.name) for each in self.selection.sources]
        return frozenset([*names, *([self.project.name] if self.project else [])])


def lock_digest(member: Member, selection: Selection) -> str:
    """Return the digest of what decides a layer and is known from the lockfile and the table alone.

    No file that goes into the layer is read, nothing is built and no engine is asked for it.
    """
    config = member.config
    return input_digest(
        {
            "prune": config.prune,
            "exclude": sorted(config.exclude),
            "allow_missing": sorted(config.allow_missing),
            "include_project": config.include_project,
            "wheels": [(each.name, each.version, each.sha256) for each in selection.wheels],
            "sources": [
                (each.name, each.version, each.sha256, each.commit, each.subdirectory)
                for each in selection.sources
            ],
        }
    )


def _identity(target: Target) -> str:
    """Return what decides the layer of a target; what a user says of a runtime can change."""
    runtime = target.runtime
    if runtime.compatible is None:
        return target.id
    return f"{target.id} with Python {runtime.python} and glibc {runtime.glibc}"


def needs_work_folder(selection: Selection, member: Member) -> bool:
    """Return whether something is made on the way to the layer."""
    config = member.config
    return bool(selection.sources or config.include_project or config.force_include)


def find_inputs(context: BuildContext, member: Member, selection: Selection) -> BuildInputs:
    """Find out what decides a layer; the project's own wheel is built for it where it goes in.

    The work folder is there where one is needed. Raises `LambdaLayerError`.
    """
    config = member.config
    if selection.sources:
        settings = context.resolver.build_settings(config)
        check_permitted(selection.sources, config, settings, member.target)
    return BuildInputs(
        member=member,
        selection=selection,
        sources=layer_sources(context, member, selection, selection.sources),
        project=_project_wheel(context, member, selection) if config.include_project else None,
        included=_included(context, member),
        direct=read_direct(context, member) if config.exclude else (),
        date=archive_time(os.environ.get("SOURCE_DATE_EPOCH")),
    )


def build_sources(sources: LayerSources | None, context: BuildContext) -> Sequence[Wheel]:
    """Return the wheels of sources, from the cache or built with what the project's indexes have.

    Raises `BuildError`, `DownloadError` and `WheelError`.
    """
    if sources is None:
        return ()
    with build_requirements(context.layout, context.access) as requirements:
        return sources.wheels(requirements)


def layer_sources(
    context: BuildContext,
    member: Member,
    selection: Selection,
    sources: Sequence[LockedSource],
) -> LayerSources | None:
    """Return what builds `sources` for a layer, or finds them in the cache; `None` without any."""
    if not sources:
        return None
    from ..wheel_builders import BuildPolicy, LayerSources, Relocking

    config = member.config
    lock = context.resolver.lock(config, member.target)
    policy = BuildPolicy(
        # What the user names to go in is built also where nothing else may be.
        build="local" if config.build == "never" else config.build,
        timeout=config.build_timeout,
        container=config.container,
        settings=context.resolver.build_settings(config),
        versions={each.name: each.version for each in selection.all if each.version},
        relocking=Relocking(lock.command, config.only_groups or config.groups, config.extras),
    )
    return LayerSources(
        sources,
        policy,
        member.target,
        cache=context.cache,
        console=context.console,
        folder=context.layout.dir_sources,
        access=context.access,
    )


def _project_wheel(context: BuildContext, member: Member, selection: Selection) -> Wheel:
    from ..wheel_builders.project import project_source, read_project_wheel

    source = project_source(context.layout.dir_project_root, context.pyproject)
    if context.project_wheel:
        folder = context.layout.dir_work
        return read_project_wheel(context.project_wheel, source, member.target, folder)
    (wheel,) = build_sources(layer_sources(context, member, selection, [source]), context)
    return wheel


def _included(context: BuildContext, member: Member) -> Sequence[IncludedFile]:
    if not member.config.force_include:
        return ()
    from ..layer.inclusion import find_included

    config = member.config
    root = context.layout.dir_project_root
    return find_included(root, config.force_include, outside=config.force_include_outside)


def read_direct(context: BuildContext, member: Member) -> Sequence[Requirement]:
    """Return what a layer's project itself requires; raise `LockfileError` where it can't be read.

    These are its requirements without groups and extras that the layer lacks.
    """
    from ..config.project import direct_requirements
    from ..lockfiles.tools import read_pyproject

    pyproject = context.pyproject
    # A lockfile that is named can be that of another project.
    request = context.resolver.find(member.config).request
    path = request.layout.path_pyproject_toml
    if path != context.layout.path_pyproject_toml:
        pyproject = read_pyproject(path)
    return direct_requirements(pyproject, request.groups, request.extras, main=request.main)
