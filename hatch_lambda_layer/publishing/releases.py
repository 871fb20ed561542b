"""Releases: the members of the matrix that are published as one layer version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..exceptions import LambdaLayerError, OutputError, PublishError
from ..layer.manifest import LayerManifest
from .descriptions import VersionTag, code_mark, inputs_mark, project_mark

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from ..config.matrix import Member
    from ..config.publish import PublishConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """A layer version as it is known before the build.

    `members` are the ids in the matrix; `runtimes` and `architectures` are those of all members,
    by Lambda's names, with which the version will be compatible.
    """

    config: PublishConfig
    layer_name: str
    members: tuple[str, ...]
    runtimes: tuple[str, ...]
    architectures: tuple[str, ...]

    @property
    def project(self) -> str:
        """The mark of the project in the tag of the Description."""
        return project_mark(self.config.project)

    def manifest_name(self, member: str) -> str:
        """Return the file name that a member's manifest has on S3."""
        return "layer.json" if len(self.members) == 1 else f"layer-{member}.json"

    @classmethod
    def of_members(
        cls, members: Iterable[Member], configs: Mapping[str | None, PublishConfig]
    ) -> list[Release]:
        """Return the releases of members, which need not be built yet."""
        return _grouped(
            configs,
            [
                (member.config.name, member.id, member.target.runtime.id, architecture.value)
                for member in members
                for architecture in [member.target.architecture]
            ],
        )


@dataclass(frozen=True, slots=True)
class Artifact:
    """A layer on disk, unchanged since its manifest was written."""

    zip_path: Path
    manifest: LayerManifest

    @classmethod
    def read(cls, zip_path: Path) -> Artifact:
        """Read the manifest beside a zip; raise `PublishError` if it does not describe that zip."""
        path = zip_path.with_suffix(".json")
        try:
            manifest = LayerManifest.beside(zip_path)
        except OutputError as error:
            raise PublishError(
                error.message,
                hint="build the layer first, or publish with `--build`; what is published is "
                "decided by the `layer.json` that a build writes beside the zip",
            ) from error
        except LambdaLayerError as error:
            raise PublishError(error.message, hint=error.hint or "build it again") from error
        if not manifest.describes(zip_path):
            raise PublishError(
                f"{zip_path} is not the zip that {path.name} was written for: it has been changed, "
                "or is missing",
                hint="build it again",
            )
        return cls(zip_path, manifest)


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A release with its zips, all of which have the same content."""

    release: Release
    artifacts: tuple[Artifact, ...]

    @property
    def first(self) -> Artifact:
        """The zip that is published: that of the first member."""
        return self.artifacts[0]

    def tag(self, *, forced: bool = False) -> VersionTag:
        """Return the tag for the Description of the version."""
        manifest = self.first.manifest
        return VersionTag(
            content_digest=manifest.content_digest,
            code=code_mark(manifest.code_sha256),
            inputs=inputs_mark([each.manifest.input_digest for each in self.artifacts]),
            project=self.release.project,
            forced=forced,
        )

    def manifests(self) -> dict[str, str]:
        """Return the text of each member's manifest by its file name on S3."""
        return {
            self.release.manifest_name(each.manifest.member): each.manifest.to_json()
            for each in self.artifacts
        }

    @classmethod
    def of_artifacts(
        cls, artifacts: Iterable[Artifact], configs: Mapping[str | None, PublishConfig]
    ) -> list[Candidate]:
        """Return the candidates that layers on disk make up.

        Raises `PublishError` if members with the same layer name differ in content, or belong to
        different layers of the configuration.
        """
        by_member = {each.manifest.member: each for each in artifacts}
        manifests = [each.manifest for each in by_member.values()]
        releases = _grouped(
            configs,
            [(each.layer, each.member, each.runtime, each.architecture) for each in manifests],
        )
        candidates = [
            cls(release=release, artifacts=tuple(by_member[each] for each in release.members))
            for release in releases
        ]
        for each in candidates:
            digests = {
                each.manifest.member: each.manifest.content_digest for each in each.artifacts
            }
            refuse_different(each.release, digests)
        return candidates


def refuse_different(release: Release, contents: Mapping[str, object]) -> None:
    """Raise `PublishError` if the members of a release don't all have the same content."""
    if len(set(contents.values())) <= 1:
        return
    members = sorted(contents)
    raise PublishError(
        f"{', '.join(members)} differ, but all are to be published as the layer "
        f"`{release.layer_name}`, where each would hide the other",
        hint="put `{runtime}`, `{architecture}` or both in `layer-name` in "
        '`[tool.lambda-layer.publish]`, such as "my-layer-{runtime}-{architecture}"',
    )


def _grouped(
    configs: Mapping[str | None, PublishConfig], members: Sequence[tuple[str | None, str, str, str]]
) -> list[Release]:
    """Group members (layer, id, runtime, architecture) by the name that their layer will have."""
    groups: dict[str, list[tuple[str | None, str, str, str]]] = {}
    for layer, member, runtime, architecture in members:
        if layer not in configs:
            raise PublishError(
                f"{member} is of the layer `{layer}`, which is not in `[tool.lambda-layer.layers]`",
                hint="publish it from the project that built it, or build it again",
            )
        name = configs[layer].name_for(runtime, architecture)
        groups.setdefault(name, []).append((layer, member, runtime, architecture))
    releases = []
    for name, group in groups.items():
        layers = sorted({layer or "(unnamed)" for layer, *_ in group})
        if len(layers) > 1:
            raise PublishError(
                f"The layers {', '.join(layers)} are all to be published as `{name}`",
                hint="put `{layer}` in `layer-name` in `[tool.lambda-layer.publish]`",
            )
        config = configs[group[0][0]]
        releases.append(
            Release(
                config=config,
                layer_name=name,
                members=tuple(member for _, member, _, _ in group),
                runtimes=tuple(
                    sorted({each for *_, own, _ in group for each in config.compatible_with(own)})
                ),
                architectures=tuple(sorted({architecture for *_, architecture in group})),
            )
        )
    return releases
