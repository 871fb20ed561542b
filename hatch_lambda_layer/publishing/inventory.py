"""The destinations at which versions of a layer may be, and the manifests of these versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..aws.layers import LayerRegistry
from ..aws.session import AwsSession
from ..exceptions import PublishError
from ..layer.manifest import LayerManifest
from .destination import ResolvedDestination

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..config.publish import PublishConfig


def published_manifest(version: str, configs: Iterable[PublishConfig]) -> LayerManifest:
    """Return the manifest of a published version, named as in `orders-api:3` or by its ARN.

    It is read from the bucket of a destination, of one in the Region and account of the ARN if an
    ARN is given. If several members share the version, it is that of the first. Raises
    `PublishError` if there is none, or none was found where a destination failed.
    """
    *arn, name, number = version.split(":")
    failed: list[PublishError] = []
    for destination in destinations_of(configs):
        if arn and arn[3] != destination.region:
            continue
        try:
            if arn and arn[4] != destination.find_account():
                continue
            if text := _stored_manifest(destination, name, int(number)):
                return LayerManifest.from_json(text)
        except PublishError as error:
            failed.append(error)
    raise_all(failed)
    raise PublishError(
        f"There is no manifest of {version} in the buckets of this project",
        hint="manifests are kept only of layers that are published through S3: set `s3-dir` in "
        "`[tool.lambda-layer.publish]`",
    )


def _stored_manifest(destination: ResolvedDestination, name: str, number: int) -> str | None:
    versions = LayerRegistry(destination.session, destination.region).versions(name)
    for version in versions:
        if version.number == number:
            storage = destination.find_storage(name, version.architectures)
            if storage is not None:
                layout, bucket = storage
                return bucket.first_text(layout.key_manifest(number, ""))
    return None


def destinations_of(configs: Iterable[PublishConfig]) -> list[ResolvedDestination]:
    """Return each destination of the configurations once; raise `PublishError` without a Region."""
    return [
        ResolvedDestination.of(each, AwsSession(each.profile, each.role_arn))
        for each in {each: None for config in configs for each in config.destinations}
    ]


def raise_all(failed: list[PublishError]) -> None:
    """Raise the errors of the destinations that failed, as one; do nothing where none has."""
    if len(failed) == 1:
        raise failed[0]
    if failed:
        raise PublishError("\n".join(map(str, failed)))
