"""One release at one destination: what is live there, and the steps to a new version.

The steps are: upload the zip, publish, compare, permissions, manifests, parameter. Each begins by
looking at what is there, so that a run which was interrupted is completed by the next one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..aws.arns import layer_arn
from ..aws.errors import bucket_elsewhere
from ..aws.layers import LayerRegistry, LayerVersion
from ..aws.parameters import read_parameter, write_parameter
from ..config.layer import LAMBDA_DIRECT_UPLOAD_LIMIT
from ..config.publish import REFERENCE, fill
from ..exceptions import PublishError
from .history import LayerHistory, LiveVersion
from .permissions import describe_unlisted, unlisted, wanted_permissions
from .published_version import PublishedVersion
from .referenced_storage import find_referenced, referenced, refusal_explained

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from .._internal.console import Progress
    from ..aws.layers import LayerPermission
    from ..aws.s3 import LayerBucket, StoredZip
    from ..layout import LayerS3Layout
    from .descriptions import VersionTag
    from .destination import ResolvedDestination
    from .published_version import Status
    from .releases import Candidate, Release


@dataclass(frozen=True, eq=False, slots=True)
class RegionalRelease:
    """A release at a destination, with what was found there.

    `account` is the 12-digit id of the account. `storage` is the keys of the layer's objects with
    their bucket, `None` where the zip is uploaded to Lambda directly. `notes` are what was found
    that a person should know.
    """

    release: Release
    destination: ResolvedDestination
    account: str
    storage: tuple[LayerS3Layout, LayerBucket] | None
    history: LayerHistory
    notes: list[str] = field(default_factory=list)

    @classmethod
    def look(
        cls,
        release: Release,
        destination: ResolvedDestination,
        *,
        take_over: bool = False,
        pause: Callable[[float], None],
    ) -> RegionalRelease:
        """Look at what is there; nothing is changed.

        Raises `PublishError` if the release can't be published there: without credentials or the
        bucket, or if a layer of that name is not this project's, unless `take_over` is true.
        """
        registry = LayerRegistry(destination.session, destination.region, pause)
        account = destination.find_account()
        storage, notes = _find_storage(release, destination)
        found = cls(
            release=release,
            destination=destination,
            account=account,
            storage=storage,
            history=LayerHistory.read(release, registry),
            notes=notes,
        )
        if not take_over:
            found.history.refuse_foreign(found.label)
        return found

    @property
    def label(self) -> str:
        """The name in messages: the destination, and the name of the layer."""
        return f"{self.destination.label}: {self.release.layer_name}"

    @property
    def manifest_storage(self) -> tuple[LayerS3Layout, LayerBucket] | None:
        """The `storage` if it is in this Region: versions of another one have the same numbers."""
        if self.storage is None or self.storage[1].region != self.destination.region:
            return None
        return self.storage

    def abandon(self) -> None:
        """Abort the uploads that are under way, for a run that ends here."""
        if self.storage is not None:
            self.storage[1].abandon()

    def check_size(self, zipped_size: int) -> None:
        """Raise `PublishError` for a size, in bytes, that Lambda does not take directly."""
        if self.storage is None and zipped_size > LAMBDA_DIRECT_UPLOAD_LIMIT:
            raise PublishError(
                f"{self.label}: the zip has {zipped_size:,} bytes, Lambda takes at most "
                f"{LAMBDA_DIRECT_UPLOAD_LIMIT:,} directly, and there is no bucket in "
                f"{self.destination.region}",
                hint="name a bucket in every Region with `s3-dir` in `[tool.lambda-layer.publish]`",
            )

    def has_manifests(self, number: int) -> bool:
        """Return whether the bucket has all manifests of a version; true without a bucket."""
        if self.manifest_storage is None:
            return True
        layout, bucket = self.manifest_storage
        names = [self.release.manifest_name(member) for member in self.release.members]
        keys = [layout.key_manifest(number, name) for name in names]
        keys += [layout.key_last_manifest(name) for name in names]
        return all(bucket.exists(key) for key in keys)

    def publish(
        self, candidate: Candidate, progress: Progress, *, force: bool = False
    ) -> PublishedVersion:
        """Take every step that is still to be taken, and return the version that is live then."""
        wanted = candidate.tag(forced=force)
        live = None if force else self.history.live_with_content(wanted)
        status: Status = "unchanged"
        if live is None:
            status, live = self._publish(candidate, wanted, progress)
        self._permit(live, made=status == "published")
        self._keep_manifests(live, candidate.manifests())
        return self._end(live, candidate.first.zip_path, status)

    def complete(self, live: LiveVersion, zip_path: Path) -> PublishedVersion:
        """Take the steps that are left for a version whose manifests are in the bucket."""
        self._permit(live)
        return self._end(live, zip_path, "unchanged")

    def preview(
        self, candidate: Candidate, *, force: bool = False
    ) -> tuple[PublishedVersion, list[str]]:
        """Return the version that `publish` would return, and a line for each step it would take.

        A version that is still to be published has no number. Raises `PublishError` for a zip that
        is too large.
        """
        manifest = candidate.first.manifest
        self.check_size(manifest.zipped_size)
        wanted = candidate.tag(forced=force)
        live = None if force else self.history.live_with_content(wanted)
        steps = list(self._steps(candidate.first.zip_path, live))
        if live is not None:
            return self._version(live, candidate.first.zip_path, "unchanged"), steps
        would_be = PublishedVersion(
            layer_name=self.release.layer_name,
            region=self.destination.region,
            account=self.account,
            version=None,
            arn=layer_arn(self.destination.region, self.account, self.release.layer_name),
            status="published",
            content_digest=wanted.content_digest,
            code_sha256=manifest.code_sha256,
            runtimes=self.release.runtimes,
            architectures=self.release.architectures,
            zip_path=candidate.first.zip_path,
        )
        return would_be, steps

    def _steps(self, zip_path: Path, live: LiveVersion | None) -> Iterator[str]:
        name = self.release.layer_name
        if live is None:
            target = f"s3://{self.storage[1].name}" if self.storage else "Lambda"
            yield f"upload {zip_path.name} to {target}"
            newest = self.history.newest
            after = f" after version {newest.number}" if newest else ", the first one"
            referring = (
                ", which refers to it there" if self.release.config.storage == REFERENCE else ""
            )
            yield f"publish a version of {name}{after}{referring}"
        else:
            yield f"leave version {live.version.number} as it is: {live.version.arn}"
        number = live.version.number if live else None
        for permission in self._missing_permissions(number):
            yield f"grant its use: {permission.statement}"
        if self.manifest_storage and (number is None or not self.has_manifests(number)):
            layout, bucket = self.manifest_storage
            yield f"put its manifest into s3://{bucket.name}/{layout.folder}"
        if parameter := self._parameter:
            value = self._parameter_value(parameter)
            if live is None or value != live.version.arn:
                yield f"set the parameter {parameter}, now {value or 'missing'}"
        for version in self.history.expired(number):
            yield f"delete version {version.number} of {version.created}, which no function uses"

    def _permit(self, live: LiveVersion, *, made: bool = False) -> None:
        number = live.version.number
        for permission in self._missing_permissions(number, made=made):
            self.history.registry.permit(self.release.layer_name, number, permission)

    def _keep_manifests(self, live: LiveVersion, texts: Mapping[str, str]) -> None:
        if self.manifest_storage is None:
            return
        layout, bucket = self.manifest_storage
        number = live.version.number
        for name, text in texts.items():
            if not bucket.exists(key := layout.key_manifest(number, name)):
                bucket.put_manifest(key, text)
            bucket.put_last_manifest(layout.key_last_manifest(name), text, number)

    def _end(self, live: LiveVersion, zip_path: Path, status: Status) -> PublishedVersion:
        """Set the parameter, delete expired versions, and return the version that is live."""
        if (name := self._parameter) and self._parameter_value(name) != live.version.arn:
            where = self.destination
            write_parameter(where.session, where.region, name, live.version.arn)
        for version in self.history.expired(live.version.number):
            self.history.registry.delete(self.release.layer_name, version.number)
        return self._version(live, zip_path, status)

    def _version(self, live: LiveVersion, zip_path: Path, status: Status) -> PublishedVersion:
        return PublishedVersion(
            layer_name=self.release.layer_name,
            region=self.destination.region,
            account=self.account,
            version=live.version.number,
            arn=live.version.arn,
            status=status,
            content_digest=live.tag.content_digest,
            code_sha256=live.code_sha256,
            runtimes=tuple(sorted(live.version.runtimes)),
            architectures=tuple(sorted(live.version.architectures)),
            zip_path=zip_path,
        )

    def _publish(
        self, candidate: Candidate, tag: VersionTag, progress: Progress
    ) -> tuple[Status, LiveVersion]:
        release, name = self.release, self.release.layer_name
        manifest = candidate.first.manifest
        self.check_size(manifest.zipped_size)
        wanted = LayerVersion(
            number=self.history.newest.number if self.history.newest else 0,
            arn="",
            description=tag.describe(release.config.description),
            created="",
            runtimes=frozenset(release.runtimes),
            architectures=frozenset(release.architectures),
            license=release.config.license,
        )
        sent = self._sent(candidate, progress)
        with refusal_explained(sent):
            made = self.history.registry.publish(wanted, name, sent)
        if made.code_sha256 != manifest.code_sha256:
            raise PublishError(
                f"{self.label}: version {made.version.number} has other bytes than the zip: "
                f"CodeSha256 is {made.code_sha256}, not {manifest.code_sha256}",
                hint="don't use that version; publish again, which makes another one",
            )
        self.history.add(made)
        live = None if tag.forced else self.history.live_with_content(tag)
        if live is None or live.version.number == made.version.number:
            status: Status = "adopted" if made.answer_was_lost else "published"
            return status, LiveVersion(made.version, tag, made.code_sha256)
        return "adopted", live

    def _sent(self, candidate: Candidate, progress: Progress) -> StoredZip | Path:
        """Upload the zip to S3 and return where it is; without a bucket, return its path."""
        artifact = candidate.first
        if self.storage is None:
            return artifact.zip_path
        layout, bucket = self.storage
        manifest = artifact.manifest
        key = layout.key_layer_zip(manifest.content_digest, manifest.code_sha256)
        stored = bucket.put_zip(key, artifact.zip_path, manifest.code_sha256, progress)
        return referenced(stored) if self.release.config.storage == REFERENCE else stored

    def _missing_permissions(
        self, number: int | None, *, made: bool = False
    ) -> list[LayerPermission]:
        """Return the permissions that a version lacks; `None` stands for one not yet published.

        Those that it has, and the table has not, are noted; one that this run `made` has none.
        """
        permissions = self.release.config.permissions
        wanted = wanted_permissions(permissions)
        if number is None or (made and not wanted):
            return wanted
        try:
            there = self.history.registry.permissions(self.release.layer_name, number)
        except PublishError as error:
            if wanted:
                raise
            # Nothing has to be done about them.
            self.notes.append(f"its permissions can't be read: {error.message}")
            return []
        self.notes.extend(describe_unlisted(number, each) for each in unlisted(there, permissions))
        return [each for each in wanted if each.statement not in there]

    @property
    def _parameter(self) -> str | None:
        template = self.release.config.ssm_parameter
        return template and fill(template, {"layer-name": self.release.layer_name})

    def _parameter_value(self, name: str) -> str | None:
        return read_parameter(self.destination.session, self.destination.region, name)


def _find_storage(
    release: Release, destination: ResolvedDestination
) -> tuple[tuple[LayerS3Layout, LayerBucket] | None, list[str]]:
    """Return the keys of the layer's objects and their bucket, if Lambda can use one, and notes."""
    storage = destination.find_storage(
        release.layer_name, release.architectures, dict(release.config.tags)
    )
    if storage is None:
        return None, []
    _, bucket = storage
    found = bucket.find_region()
    if release.config.storage == REFERENCE:
        return find_referenced(release, destination, found)
    if found == destination.region:
        return storage, []
    # One bucket for several Regions: in the others, zips are uploaded to Lambda directly.
    if len(release.config.destinations) > 1 and not destination.configured.regional_bucket:
        return None, []
    raise bucket_elsewhere(f"{destination.region}, bucket `{bucket.name}`", found)
