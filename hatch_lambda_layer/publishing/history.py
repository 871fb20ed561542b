"""The versions that a layer has in one Region, and which of them a release regards as live."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..exceptions import PublishError
from .descriptions import VersionTag, code_mark

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..aws.layers import LayerRegistry, LayerVersion, PublishedLayerVersion
    from .releases import Release


@dataclass(frozen=True, slots=True)
class LiveVersion:
    """The version that functions should use, and the CodeSha256 of its zip."""

    version: LayerVersion
    tag: VersionTag
    code_sha256: str


@dataclass
class LayerHistory:
    """The versions of a release's layer, the newest first; `codes` are CodeSha256 by number."""

    release: Release
    registry: LayerRegistry
    versions: list[LayerVersion]
    codes: dict[int, str] = field(default_factory=dict)

    @classmethod
    def read(cls, release: Release, registry: LayerRegistry) -> LayerHistory:
        """Read the versions that there are; raise `PublishError` where AWS refuses that."""
        return cls(release, registry, registry.versions(release.layer_name))

    @property
    def newest(self) -> LayerVersion | None:
        """The newest version, whatever made it; `None` if the layer has none."""
        return self.versions[0] if self.versions else None

    def add(self, made: PublishedLayerVersion) -> None:
        """Add a version that was just published, with those that others published meanwhile."""
        number = made.version.number
        self.codes[number] = made.code_sha256
        # The list may lack the new version for a moment.
        others = self.registry.versions(self.release.layer_name)
        others = [each for each in others if each.number != number]
        self.versions = sorted([made.version, *others], key=lambda each: -each.number)

    def live(self, is_wanted: Callable[[VersionTag], bool]) -> LiveVersion | None:
        """Return the live version if the newest version is a wanted one, else `None`.

        Publishers that race make several versions of the same content. All of them take the oldest
        in the unbroken row of wanted versions that ends with the newest, so they agree; a forced
        version begins a row. A version with other bytes than its Description was written for does
        not count.
        """
        row: list[tuple[LayerVersion, VersionTag]] = []
        for version in self.versions:
            tag = VersionTag.of(version.description)
            if tag is None or not self._is_ours(version, tag) or not is_wanted(tag):
                break
            row.append((version, tag))
            if tag.forced:
                break
        for version, tag in reversed(row):
            if code_mark(code_sha256 := self._code(version.number)) == tag.code:
                return LiveVersion(version, tag, code_sha256)
        return None

    def live_with_content(self, wanted: VersionTag) -> LiveVersion | None:
        """Return the live version if it has the content of `wanted`, else `None`."""
        return self.live(
            lambda tag: (tag.content_digest, tag.project) == (wanted.content_digest, wanted.project)
        )

    def expired(self, live: int | None) -> list[LayerVersion]:
        """Return the versions beyond `retain` that no function of this account and Region uses.

        `live` is the number of the version that functions should use, `None` for one that is still
        to be published. Versions of other projects don't count. Functions of other accounts that
        use a version can't be found.
        """
        retain = self.release.config.retain
        if retain is None:
            return []
        own = [
            version
            for version in self.versions
            if (tag := VersionTag.of(version.description)) and tag.project == self.release.project
        ]
        old = own[retain - (live is None) :]
        newest = self.newest.number if self.newest else None
        old = [each for each in old if each.number not in {live, newest}]
        users = self.registry.users() if old else {}
        return [version for version in old if version.arn not in users]

    def refuse_foreign(self, label: str) -> None:
        """Raise `PublishError` if the newest version is not this project's; `label` names both."""
        if self.newest is None:
            return
        tag = VersionTag.of(self.newest.description)
        if tag is not None and tag.project == self.release.project:
            return
        whose = "another project" if tag else "something other than this tool"
        raise PublishError(
            f"{label}: version {self.newest.number} was published by {whose}: its Description is "
            f"{self.newest.description!r}",
            hint="set another `layer-name`, or publish with `--take-over` if the layer is yours",
        )

    def _is_ours(self, version: LayerVersion, tag: VersionTag) -> bool:
        """Return whether a version is this project's, with the metadata that is wanted now."""
        release = self.release
        return (
            tag.project == release.project
            and version.runtimes == set(release.runtimes)
            and version.architectures == set(release.architectures)
            and version.license == release.config.license
        )

    def _code(self, number: int) -> str:
        if number not in self.codes:
            self.codes[number], _ = self.registry.code(self.release.layer_name, number)
        return self.codes[number]
