"""What is published under a layer's name: its versions, their manifests, and what uses them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .. import report
from ..console import megabytes
from ..exceptions import PublishError
from ..manifest import LayerManifest
from ..parallel import run_parallel
from .descriptions import VersionTag

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..aws.layers import LayerRegistry, LayerVersion
    from ..aws.session import AwsSession
    from .config import Destination, PublishConfig

# The digits of a digest that tell layers apart at a glance.
_DIGITS = 12
_AT_ONCE = 4
_HEADER = ("version", "date", "digest", "runtimes", "size", "used by")


def inventory(name: str, configs: Iterable[PublishConfig], count: int) -> Iterator[str]:
    """Give a table of the newest versions of the layer `name` for each destination there is."""
    from ..aws import needed

    with needed():
        from ..aws.layers import LayerRegistry

    places = _places(configs)
    tables = {
        place.label: _table(name, LayerRegistry(place.session, place.region), count)
        for place in places
    }
    for label, table in tables.items():
        if table:
            yield f"{label}: {name}\n{table}"
    if not any(tables.values()):
        raise PublishError(
            f"There is no layer `{name}` in {' and '.join(tables)}",
            hint="look at its name, at `--region` and at `--profile`",
        )


def published_manifest(version: str, configs: Iterable[PublishConfig]) -> LayerManifest:
    """Give the manifest of a published version, named as in `orders-api:3` or by its ARN.

    It is the one that lies in the bucket of a destination, in the Region of the ARN if it is one.
    Where the version is of several members, it is that of the first. Raises `PublishError` where
    there is none.
    """
    from ..aws import needed

    with needed():
        from ..aws.layers import LayerRegistry

    *arn, name, number = version.split(":")
    region, account = (arn[3], arn[4]) if arn else (None, None)
    for place in _places(configs):
        if region not in (None, place.region) or account not in (None, place.session.identity[0]):
            continue
        versions = LayerRegistry(place.session, place.region).versions(name)
        found = next((each for each in versions if each.number == int(number)), None)
        if found and (text := _stored_manifest(place, name, found)):
            return LayerManifest.from_json(text)
    raise PublishError(
        f"There is no manifest of {version} in the buckets of this project",
        hint="a layer is published through S3 to keep its manifest: give `s3-dir` in "
        "`[tool.lambda-layer.publish]`",
    )


def _stored_manifest(place: _Place, name: str, version: LayerVersion) -> str | None:
    from ..aws.s3 import LayerBucket

    storage = place.destination.storage(name, version.architectures, place.region)
    if storage is None:
        return None
    bucket, layout = storage
    owner = place.destination.bucket_owner or place.session.identity[0]
    store = LayerBucket(place.session, place.region, bucket, owner)
    return store.first_text(layout.key_manifest(version.number, ""))


@dataclass(frozen=True, slots=True)
class _Place:
    """A destination with its session; its Region is known."""

    destination: Destination
    session: AwsSession
    region: str

    @property
    def label(self) -> str:
        return ", ".join(filter(None, [self.destination.account, self.region]))


def _places(configs: Iterable[PublishConfig]) -> list[_Place]:
    from ..aws import needed

    with needed():
        from ..aws.session import AwsSession

    places = []
    for destination in {place: None for config in configs for place in config.destinations}:
        session = AwsSession(destination.profile, destination.role_arn, destination.region)
        region = destination.region or session.region
        if region is None:
            raise PublishError("No Region is named", hint="name it: `--region`, or AWS_REGION")
        places.append(_Place(destination, session, region))
    return places


def _table(name: str, registry: LayerRegistry, count: int) -> str:
    versions = registry.versions(name)[:count]
    if not versions:
        return ""
    numbers = [version.number for version in versions]
    sizes = {
        number: code[1]
        for number, code in run_parallel(
            lambda number: registry.code(name, number), numbers, _AT_ONCE
        )
    }
    try:
        users = registry.users()
    except PublishError:
        # A person who may see layers need not be one who may see functions.
        users = {version.arn: ["?"] for version in versions}
    rows = []
    for version in versions:
        tag = VersionTag.of(version.description)
        digest = tag.content_digest.removeprefix("sha256:")[:_DIGITS] if tag else "-"
        rows.append(
            (
                str(version.number),
                version.created[:10],
                digest,
                " ".join(sorted(version.runtimes)) or "-",
                megabytes(sizes[version.number]),
                " ".join(sorted(set(users.get(version.arn, [])))) or "-",
            )
        )
    return report.table(_HEADER, rows)
