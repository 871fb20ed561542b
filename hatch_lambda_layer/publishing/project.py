"""The order of a publication: from layers on disk, or the lockfile, to layer versions."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..exceptions import ConfigError, Interrupted
from . import outputs
from .descriptions import VersionTag
from .releases import Artifact, Candidate, Release, refuse_different
from .staleness import refuse_stale

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..build.pipeline import BuildPlan
    from ..build.project import ProjectBuild
    from ..config.matrix import Member
    from ..config.publish import PublishConfig
    from .published_version import PublishedVersion
    from .rollout import Rollout

# As long as a tag can be, to check before the build whether the Description is short enough.
_SOME_TAG = VersionTag(
    content_digest=f"sha256:{'0' * 64}",
    code="0" * 12,
    inputs="0" * 16,
    project="0" * 8,
    forced=True,
)


@dataclass
class ProjectPublication:
    """The publication of one project's layers; `versions` are those that are live so far.

    With `dry_run` nothing is published: each step that would be taken is a message, and the
    versions that would be live are yielded. What has not been published then has no number. With
    `stale`, layers are published also if the lockfile has changed since they were built.
    """

    build: ProjectBuild
    configs: Mapping[str | None, PublishConfig]
    rollout: Rollout
    dry_run: bool = False
    stale: bool = False

    def __post_init__(self) -> None:
        """Begin with no published versions."""
        self.versions: list[PublishedVersion] = []
        self._begun = False

    def run(
        self, members: Sequence[Member], zip_paths: Sequence[Path] = (), *, builds: bool = False
    ) -> Iterator[PublishedVersion]:
        """Publish `zip_paths`, or else the layers of `members`; `builds` builds these first.

        Yields each version when it is live. The files for other programs (`layer-versions.json`,
        GitHub's outputs) are written at the end, also if something fails. Raises
        `LambdaLayerError`, before anything is sent, where `layer-versions.json` is damaged.
        """
        own = () if zip_paths else members
        paths = zip_paths or [self.build.zip_path(member) for member in members]
        outputs.read_layer_versions(self._path_versions)
        try:
            yield from self.with_build(members) if builds else self.from_zips(paths, own)
        finally:
            self._write_outputs()

    @contextmanager
    def told_when_interrupted(self) -> Iterator[None]:
        """Note on the exception of an interruption what has been built and published."""
        outcome = self.build.outcome(self.build.matrix.members)
        try:
            yield
        except (Interrupted, KeyboardInterrupt) as error:
            if outcome.written:
                error.add_note(str(outcome))
            live = ", ".join(each.arn for each in self.versions)
            if live:
                error.add_note(f"published: {live}")
            error.add_note(
                "what was being published may be live, too: run it again, which completes it and "
                "publishes nothing twice"
                if self._begun
                else "nothing was published"
            )
            raise

    def from_zips(
        self, zip_paths: Sequence[Path], members: Sequence[Member] = ()
    ) -> Iterator[PublishedVersion]:
        """Publish layers that are built, and yield the versions; a folder stands for its layers.

        Raises `LambdaLayerError` before any request to AWS if a zip is not the one that its
        manifest was written for, or Lambda would refuse it. `members`, where they are given, are
        those that the zips are the layers of: they must be what the lockfile says.
        """
        paths = [each for path in zip_paths for each in self._zips_of(path)]
        artifacts = [Artifact.read(path) for path in paths]
        if not self.stale:
            refuse_stale(self.build, dict(zip(members, artifacts, strict=bool(members))))
        candidates = Candidate.of_artifacts(artifacts, self.configs)
        _check([each.release for each in candidates], candidates)
        self.rollout.look([each.release for each in candidates])
        yield from self._publish(candidates)
        self.rollout.raise_failures()

    def with_build(self, members: Sequence[Member]) -> Iterator[PublishedVersion]:
        """Build and publish what is not live at every destination, and yield the versions.

        Problems with the configuration, credentials, Regions or buckets are raised before the
        build.
        """
        releases = Release.of_members(members, self.configs)
        _check(releases)
        plans = {member.id: self.build.plan(member) for member in members}
        excludes = any(member.config.exclude for member in members)
        for release in releases:
            # Without what is excluded, members that differ now may be the same.
            if not excludes:
                contents = {each: plans[each].distributions for each in release.members}
                refuse_different(release, contents)
        self.rollout.look(releases)
        to_build: list[str] = []
        for release in releases:
            own = {each: plans[each] for each in release.members}
            if not self.dry_run and self.rollout.unchanged(release, own):
                yield from self._complete(release, own)
            else:
                to_build += release.members
        wanted = [member for member in members if member.id in to_build]
        built = (
            self.build.build_all(wanted, self.rollout.on_failure, hash_wheels=True)
            if wanted
            else ()
        )
        artifacts = [Artifact(each.zip_path, each.manifest) for each in built]
        candidates = Candidate.of_artifacts(artifacts, self.configs)
        _check([each.release for each in candidates], candidates)
        yield from self._publish(candidates)
        self.rollout.raise_failures()

    def _write_outputs(self) -> None:
        """Write the versions that this run found or made, for other programs."""
        if not self.versions:
            return
        self._path_versions.parent.mkdir(parents=True, exist_ok=True)
        outputs.write_layer_versions(self._path_versions, self.versions)
        if github := os.environ.get("GITHUB_OUTPUT"):
            outputs.append_github_output(Path(github), self.versions)

    @property
    def _path_versions(self) -> Path:
        return self.build.layout.dir_output / outputs.FILE_NAME

    def _publish(self, candidates: Sequence[Candidate]) -> Iterator[PublishedVersion]:
        if not candidates:
            return
        if self.dry_run:
            yield from self.rollout.preview(candidates)
            return
        self._begun = True
        for version in self.rollout.publish(candidates):
            self.versions.append(version)
            yield version

    def _complete(
        self, release: Release, plans: Mapping[str, BuildPlan]
    ) -> Iterator[PublishedVersion]:
        self._begun = True
        for version in self.rollout.complete(release, plans[release.members[0]].zip_path):
            self.versions.append(version)
            yield version

    def _zips_of(self, path: Path) -> list[Path]:
        if not path.is_dir():
            return [path]
        names = [self.build.zip_path(member).name for member in self.build.matrix.members]
        return [path / name for name in names]


def _check(releases: Sequence[Release], candidates: Sequence[Candidate] = ()) -> None:
    """Raise `ConfigError` with everything that Lambda would refuse; nothing is sent to AWS."""
    from ..aws.service_model import ProposedVersion, problems

    sizes = {each.release: each.first.manifest for each in candidates}
    found = []
    for release in releases:
        config = release.config
        manifest = sizes.get(release)
        key = "tool.lambda-layer" + (f".layers.{config.layer}" if config.layer else "")
        found += problems(
            ProposedVersion(
                key=key,
                layer_name=release.layer_name,
                description=_SOME_TAG.describe(config.description),
                license=config.license,
                runtimes=release.runtimes,
                architectures=release.architectures,
                bucket=all(each.s3_dir for each in config.destinations),
                zipped_size=manifest.zipped_size if manifest else None,
                unpacked_size=manifest.unpacked_size if manifest else None,
            )
        )
    if found:
        raise ConfigError(found)
