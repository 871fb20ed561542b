"""What is published under a layer's name: its versions, their manifests, and what uses them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._internal.console import megabytes, table
from .._internal.parallel import run_parallel
from ..aws.layers import LayerRegistry
from ..aws.session import AwsSession
from ..exceptions import PublishError
from ..layer.manifest import LayerManifest
from .descriptions import VersionTag
from .destination import Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..aws.layers import LayerVersion
    from ..config.publish import PublishConfig

# The digits of a digest that tell layers apart at a glance.
_DIGITS = 12
_AT_ONCE = 4
_HEADER = ("version", "date", "digest", "runtimes", "size", "used by")


def inventory(name: str, configs: Iterable[PublishConfig], count: int) -> Iterator[str]:
    """Give a table of the newest versions of the layer `name` for each destination there is."""
    places = _places(configs)
    tables = {
        place.label: _table(name, LayerRegistry(place.session, place.region), count)
        for place in places
    }
    for label, text in tables.items():
        if text:
            yield f"{label}: {name}\n{text}"
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
    *arn, name, number = version.split(":")
    region, account = (arn[3], arn[4]) if arn else (None, None)
    for place in _places(configs):
        if region not in (None, place.region) or account not in (None, place.account):
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


def _stored_manifest(place: Place, name: str, version: LayerVersion) -> str | None:
    storage = place.storage(name, version.architectures)
    if storage is None:
        return None
    layout, bucket = storage
    return bucket.first_text(layout.key_manifest(version.number, ""))


def _places(configs: Iterable[PublishConfig]) -> list[Place]:
    return [
        Place.of(each, AwsSession(each.profile, each.role_arn, each.region))
        for each in {place: None for config in configs for place in config.destinations}
    ]


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
    return table(_HEADER, rows)
