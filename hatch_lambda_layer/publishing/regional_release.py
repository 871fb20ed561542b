"""One release at one place: what is live there, and the steps to a new layer version.

The steps are put zip, publish, compare, permissions, manifests, parameter. Each begins with a look
at what is there, so a run that was cut off anywhere is completed by the next one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..aws.layers import LayerPermission, LayerRegistry, LayerVersion
from ..aws.parameters import read_parameter, write_parameter
from ..config.layer import LAMBDA_DIRECT_UPLOAD_LIMIT
from ..config.publish import fill
from ..exceptions import PublishError
from ..layout import LayerS3Layout
from .descriptions import VersionTag, code_mark
from .published_version import PublishedVersion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from .._internal.console import Progress
    from ..aws.s3 import LayerBucket, StoredZip
    from .destination import Place
    from .published_version import Status
    from .releases import Candidate, Release


@dataclass(frozen=True, slots=True)
class LiveVersion:
    """The version that functions should use, and the CodeSha256 of its zip."""

    version: LayerVersion
    tag: VersionTag
    code_sha256: str


class RegionalRelease:
    """A release at a place, as it was found there; making it only asks, and changes nothing.

    Raises `PublishError` where it can't be published there: no credentials, no such bucket, or a
    layer of that name that is not this project's, unless `take_over`.
    """

    def __init__(
        self,
        release: Release,
        place: Place,
        *,
        take_over: bool = False,
        pause: Callable[[float], None],
    ) -> None:
        self.release = release
        self.place = place
        self.account = place.account
        self._registry = LayerRegistry(place.session, place.region, pause)
        self._layout, self._bucket = self._find_bucket()
        self._versions = self._registry.versions(release.layer_name)
        self._codes: dict[int, str] = {}
        if not take_over:
            self._refuse_foreign()

    @property
    def label(self) -> str:
        """What a person calls it."""
        return f"{self.place.label}: {self.release.layer_name}"

    def abandon(self) -> None:
        """Take back what is half done, for a run that ends here."""
        if self._bucket is not None:
            self._bucket.abandon()

    def check_size(self, zipped_size: int) -> None:
        """Raise `PublishError` for a zip, in bytes, that Lambda does not take directly."""
        if self._bucket is None and zipped_size > LAMBDA_DIRECT_UPLOAD_LIMIT:
            raise PublishError(
                f"{self.label}: the zip has {zipped_size:,} bytes, Lambda takes "
                f"{LAMBDA_DIRECT_UPLOAD_LIMIT:,} directly, and there is no bucket in "
                f"{self.place.region}",
                hint="give `s3-dir` in `[tool.lambda-layer.publish]` a bucket in every Region",
            )

    def live(self, is_wanted: Callable[[VersionTag], bool]) -> LiveVersion | None:
        """Give the version that is wanted already, if the newest one is like that.

        Publishers that race make several versions of one content. All take the oldest in the
        unbroken row of the newest ones, so all agree; one that was forced begins a row. A version
        whose bytes are not those that its Description was written for does not count.
        """
        row: list[tuple[LayerVersion, VersionTag]] = []
        for version in self._versions:
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

    def has_manifests(self, number: int) -> bool:
        """Say whether the manifests of a version lie in the bucket, where there is one."""
        if self._bucket is None:
            return True
        names = [self.release.manifest_name(member) for member in self.release.members]
        keys = [self._layout.key_manifest(number, name) for name in names]
        keys += [self._layout.key_last_manifest(name) for name in names]
        return all(self._bucket.exists(key) for key in keys)

    def publish(
        self, candidate: Candidate, progress: Progress, *, force: bool = False
    ) -> PublishedVersion:
        """Take every step that is still to be taken."""
        wanted = candidate.tag(forced=force)
        live = None if force else self.live(lambda tag: _same(tag, wanted))
        status: Status = "unchanged"
        if live is None:
            status, live = self._publish(candidate, wanted, progress)
        self._permit(live)
        self._keep_manifests(live, candidate.manifests())
        return self._end(live, candidate.first.zip_path, status)

    def complete(self, live: LiveVersion, zip_path: Path) -> PublishedVersion:
        """Take the steps that are still to be taken for a version whose manifests are there."""
        self._permit(live)
        return self._end(live, zip_path, "unchanged")

    def _permit(self, live: LiveVersion) -> None:
        for permission in self._missing_permissions(live.version.number):
            self._registry.permit(self.release.layer_name, live.version.number, permission)

    def _keep_manifests(self, live: LiveVersion, texts: Mapping[str, str]) -> None:
        if self._bucket is None:
            return
        number = live.version.number
        for name, text in texts.items():
            if not self._bucket.exists(key := self._layout.key_manifest(number, name)):
                self._bucket.put_manifest(key, text)
            self._bucket.put_last_manifest(self._layout.key_last_manifest(name), text, number)

    def _end(self, live: LiveVersion, zip_path: Path, status: Status) -> PublishedVersion:
        """Set the parameter, delete what is not to be retained, and say what is live."""
        number = live.version.number
        if (name := self._parameter) and self._parameter_value(name) != live.version.arn:
            write_parameter(self.place.session, self.place.region, name, live.version.arn)
        for version in self.expired(number):
            self._registry.delete(self.release.layer_name, version.number)
        return PublishedVersion(
            layer_name=self.release.layer_name,
            region=self.place.region,
            account=self.account,
            version=number,
            arn=live.version.arn,
            status=status,
            content_digest=live.tag.content_digest,
            code_sha256=live.code_sha256,
            runtimes=tuple(sorted(live.version.runtimes)),
            architectures=tuple(sorted(live.version.architectures)),
            zip_path=zip_path,
        )

    def preview(self, candidate: Candidate, *, force: bool = False) -> Iterator[str]:
        """Say what `publish` would do, a line each; nothing for a layer that is whole."""
        wanted = candidate.tag(forced=force)
        live = None if force else self.live(lambda tag: _same(tag, wanted))
        zip_path = candidate.first.zip_path
        if live is None:
            place = f"s3://{self._bucket.name}" if self._bucket else "Lambda"
            yield f"upload {zip_path.name} to {place}"
            newest = self._versions[0].number if self._versions else None
            after = f" after version {newest}" if newest else ", the first one"
            yield f"publish a version of {self.release.layer_name}{after}"
        else:
            yield f"leave version {live.version.number} as it is: {live.version.arn}"
        number = live.version.number if live else None
        for permission in self._missing_permissions(number):
            yield f"grant its use: {permission.statement}"
        if self._bucket is not None and (number is None or not self.has_manifests(number)):
            yield f"put its manifest into s3://{self._bucket.name}/{self._layout.folder}"
        if name := self._parameter:
            value = self._parameter_value(name)
            if live is None or value != live.version.arn:
                yield f"set the parameter {name}, now {value or 'missing'}"
        for version in self.expired(number):
            yield f"delete version {version.number} of {version.created}, which no function uses"

    def expired(self, live: int | None) -> list[LayerVersion]:
        """Give the versions that are more than are to be kept, and that nothing here uses.

        `live` is the number of the version that functions should use, `None` for one to come.
        Versions that others made don't count. Which functions of other accounts use a version
        can't be found out.
        """
        retain = self.release.config.retain
        if retain is None:
            return []
        own = [
            version
            for version in self._versions
            if (tag := VersionTag.of(version.description)) and tag.project == self.release.project
        ]
        old = own[retain - (live is None) :]
        newest = self._versions[0].number if self._versions else None
        old = [each for each in old if each.number not in {live, newest}]
        users = self._registry.users() if old else {}
        return [version for version in old if version.arn not in users]

    def _publish(
        self, candidate: Candidate, tag: VersionTag, progress: Progress
    ) -> tuple[Status, LiveVersion]:
        release, name = self.release, self.release.layer_name
        manifest = candidate.first.manifest
        self.check_size(manifest.zipped_size)
        wanted = LayerVersion(
            number=self._versions[0].number if self._versions else 0,
            arn="",
            description=tag.describe(release.config.description),
            created="",
            runtimes=frozenset(release.runtimes),
            architectures=frozenset(release.architectures),
            license=release.config.license,
        )
        made = self._registry.publish(wanted, name, self._sent(candidate, progress))
        if made.code_sha256 != manifest.code_sha256:
            raise PublishError(
                f"{self.label}: version {made.version.number} has other bytes than the zip: "
                f"CodeSha256 is {made.code_sha256}, not {manifest.code_sha256}",
                hint="don't use that version; publish again, which makes another one",
            )
        self._codes[made.version.number] = made.code_sha256
        listed = self._registry.versions(name)
        # The list may be behind for a moment.
        others = [each for each in listed if each.number != made.version.number]
        self._versions = sorted([made.version, *others], key=lambda each: -each.number)
        live = None if tag.forced else self.live(lambda each: _same(each, tag))
        if live is None or live.version.number == made.version.number:
            status: Status = "adopted" if made.answer_was_lost else "published"
            return status, LiveVersion(made.version, tag, made.code_sha256)
        return "adopted", live

    def _sent(self, candidate: Candidate, progress: Progress) -> StoredZip | Path:
        """Give what Lambda is told of the zip: its place on S3, where it is put, or the file."""
        artifact = candidate.first
        if self._bucket is None:
            return artifact.zip_path
        manifest = artifact.manifest
        key = self._layout.key_layer_zip(manifest.content_digest, manifest.code_sha256)
        return self._bucket.put_zip(key, artifact.zip_path, manifest.code_sha256, progress)

    def _find_bucket(self) -> tuple[LayerS3Layout, LayerBucket | None]:
        """Give the bucket, unless there is none in this Region."""
        release, place = self.release, self.place
        storage = place.storage(
            release.layer_name, release.architectures, dict(release.config.tags)
        )
        if storage is None:
            return LayerS3Layout(""), None
        layout, bucket = storage
        found = bucket.region()
        if found == place.region:
            return layout, bucket
        # One bucket for several Regions: where it is not, zips go to Lambda directly.
        if len(release.config.destinations) > 1 and not place.destination.regional_bucket:
            return layout, None
        raise PublishError(
            f"{place.region}: the bucket `{bucket.name}` is in {found}",
            hint="Lambda takes a zip only from a bucket in its own Region: put `{region}` in the "
            "bucket's name in `s3-dir`, or give `s3-dir` by Region",
        )

    def _refuse_foreign(self) -> None:
        if not self._versions:
            return
        newest = self._versions[0]
        tag = VersionTag.of(newest.description)
        if tag is not None and tag.project == self.release.project:
            return
        whose = "another project" if tag else "something else than this tool"
        raise PublishError(
            f"{self.label}: version {newest.number} was published by {whose}: its Description is "
            f"{newest.description!r}",
            hint="give another `layer-name`, or publish with `--take-over` if the layer is yours",
        )

    def _is_ours(self, version: LayerVersion, tag: VersionTag) -> bool:
        """Say whether a version is this project's, with the metadata that is wanted now."""
        release = self.release
        return (
            tag.project == release.project
            and version.runtimes == set(release.runtimes)
            and version.architectures == set(release.architectures)
            and version.license == release.config.license
        )

    def _wanted_permissions(self) -> list[LayerPermission]:
        wanted = self.release.config.permissions
        found = [
            LayerPermission(statement=f"account-{each}", principal=each) for each in wanted.accounts
        ]
        if wanted.organization:
            found.append(
                LayerPermission(
                    statement=f"organization-{wanted.organization}",
                    principal="*",
                    organization=wanted.organization,
                )
            )
        if wanted.public:
            found.append(LayerPermission(statement="public", principal="*"))
        return found

    def _code(self, number: int) -> str:
        if number not in self._codes:
            self._codes[number], _ = self._registry.code(self.release.layer_name, number)
        return self._codes[number]

    def _missing_permissions(self, number: int | None) -> list[LayerPermission]:
        """Give what a version has still to be permitted: all for one to come, `None`."""
        wanted = self._wanted_permissions()
        if number is None or not wanted:
            return wanted
        there = self._registry.permissions(self.release.layer_name, number)
        return [each for each in wanted if each.statement not in there]

    @property
    def _parameter(self) -> str | None:
        template = self.release.config.ssm_parameter
        return template and fill(template, {"layer-name": self.release.layer_name})

    def _parameter_value(self, name: str) -> str | None:
        return read_parameter(self.place.session, self.place.region, name)


def _same(tag: VersionTag, wanted: VersionTag) -> bool:
    return (tag.content_digest, tag.project) == (wanted.content_digest, wanted.project)
