"""The lockfile of a layer: its digests, its copies on S3, and whether the layer has changed."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ..build.opening import open_project
from ..exceptions import PublishError
from .arguments import choose_members, publish_overrides
from .display import Lines

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..config.matrix import Matrix, Member
    from ..config.publish import Destination, PublishConfig
    from ..layout import LayerS3Layout


class LayerManifestManager:
    """The lockfile of a layer (its manifest), which is read anew whenever it is asked for.

    `layer` is the name of the layer, `None` for the one of `[tool.lambda-layer]` itself; `member`
    is the id of one member of its matrix, `None` for all. `tool` is instead of `tool` in the table,
    `regions` and `profile` are instead of those in `[tool.lambda-layer.publish]`. AWS is asked by
    `has_changed` only.

    Raises `LambdaLayerError` where the configuration is wrong.
    """

    def __init__(
        self,
        project: Path | str = ".",
        *,
        layer: str | None = None,
        member: str | None = None,
        tool: str | None = None,
        regions: Sequence[str] = (),
        profile: str | None = None,
    ) -> None:
        lines = Lines(None)
        given = {"tool": tool} if tool else {}
        self._build = open_project(Path(project), lines.console(), overrides=given)
        self._on_failure = lines.display_failure
        self._members = _members(self._build.matrix, layer, member)
        self._overrides = publish_overrides(regions, profile)

    @property
    def path(self) -> Path:
        """The path of the lockfile; for pip, of the first of `requirements`.

        Raises `LockfileError` where there is none, or more than one.
        """
        return self._build.context.resolver.find(self._members[0].config).path

    @property
    def md5(self) -> str:
        """The MD5 of the lockfile's bytes, hexadecimal."""
        return hashlib.md5(self.path.read_bytes(), usedforsecurity=False).hexdigest()

    @property
    def sha256(self) -> str:
        """The SHA-256 of the lockfile's bytes, hexadecimal."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    def versioned_manifest(self, version: int) -> tuple[str, ...]:
        """Return the S3 URIs of the lockfile's copies for a layer version.

        There is one for each name under which the layer is published and each bucket; there is none
        without `s3-dir`.
        """
        return self._uris(lambda layout: layout.key_manifest(version, self.path.name))

    @property
    def last_manifest(self) -> tuple[str, ...]:
        """The S3 URIs of the lockfile's copies for the newest version."""
        return self._uris(lambda layout: layout.key_last_manifest(self.path.name))

    def has_changed(self) -> bool:
        """Return whether publishing would make a layer version at some destination.

        The content digest is compared with that of the live version. The layer is built only where
        its inputs are not those of the live version. Raises `LambdaLayerError`.
        """
        from ..publishing.releases import Artifact, Candidate, Release
        from ..publishing.rollout import Rollout

        # A build remembers what it has read: another one reads the lockfile anew.
        build = replace(self._build)
        rollout = Rollout(console=build.console, on_failure=self._on_failure)
        releases = Release.of_members(self._members, self._configs)
        plans = {each.id: build.plan(each) for each in self._members}
        rollout.look(releases)
        unknown = {
            member
            for release in releases
            if not rollout.unchanged(release, {each: plans[each] for each in release.members})
            for member in release.members
        }
        wanted = [each for each in self._members if each.id in unknown]
        built = build.build_all(wanted, self._on_failure)
        artifacts = [Artifact(each.zip_path, each.manifest) for each in built]
        candidates = Candidate.of_artifacts(artifacts, self._configs)
        versions = list(rollout.preview(candidates))
        rollout.raise_failures()
        return any(each.version is None for each in versions)

    @cached_property
    def _configs(self) -> dict[str | None, PublishConfig]:
        from ..config.publish import PublishConfig

        return PublishConfig.from_pyproject(self._build.pyproject, self._overrides)

    def _uris(self, key: Callable[[LayerS3Layout], str]) -> tuple[str, ...]:
        from ..publishing.releases import Release

        found = [
            f"s3://{bucket}/{key(layout)}"
            for release in Release.of_members(self._members, self._configs)
            for destination in release.config.destinations
            for storage in [
                destination.storage(release.layer_name, release.architectures, _region(destination))
            ]
            if storage is not None
            for bucket, layout in [storage]
        ]
        return tuple(dict.fromkeys(found))


def _members(matrix: Matrix, layer: str | None, member: str | None) -> tuple[Member, ...]:
    if member is None and layer is None:
        return tuple(each for each in matrix.members if each.config.name is None)
    return choose_members(matrix, [layer] if layer else [], [member] if member else [])


def _region(destination: Destination) -> str:
    """Return the Region of a destination: that of AWS's own settings only where it is needed."""
    if destination.region or not destination.regional_bucket:
        return destination.region or ""
    from ..aws import needed

    with needed():
        from ..aws.session import AwsSession
    region = AwsSession(destination.profile).region
    if region is None:
        raise PublishError(
            "No Region is configured, and `s3-dir` has `{region}` in it",
            hint="set `regions` in `[tool.lambda-layer.publish]`, `regions=`, or AWS_REGION",
        )
    return region
