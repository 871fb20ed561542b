"""The published versions of a layer: their manifests, and the functions that use them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._internal.console import megabytes, table
from .._internal.parallel import run_parallel
from ..aws.layers import LayerRegistry
from ..aws.session import AwsSession
from ..exceptions import PublishError
from ..layer.manifest import LayerManifest
from .descriptions import VersionTag
from .destination import ResolvedDestination

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..config.publish import PublishConfig

# How many digits of a digest are shown, enough to tell layers apart.
_DIGITS = 12
_AT_ONCE = 4
_HEADER = ("version", "date", "digest", "runtimes", "size", "used by")


def inventory(name: str, configs: Iterable[PublishConfig], count: int) -> Iterator[str]:
    """Yield a table of the newest `count` versions of the layer `name` for each destination.

    Raises `PublishError` if the layer is at none of them, and at the end for those that failed.
    """
    found = False
    failed: list[PublishError] = []
    destinations = _destinations(configs)
    for each in destinations:
        try:
            text = _table(name, LayerRegistry(each.session, each.region), count)
        except PublishError as error:
            failed.append(error)
            continue
        if text:
            found = True
            yield f"{each.label}: {name}\n{text}"
    _raise(failed)
    if not found:
        raise PublishError(
            f"There is no layer `{name}` in {' and '.join(each.label for each in destinations)}",
            hint="check the name, `--region` and `--profile`",
        )


def published_manifest(version: str, configs: Iterable[PublishConfig]) -> LayerManifest:
    """Return the manifest of a published version, named as in `orders-api:3` or by its ARN.

    It is read from the bucket of a destination, of one in the Region and account of the ARN if an
    ARN is given. If several members share the version, it is that of the first. Raises
    `PublishError` if there is none, or none was found where a destination failed.
    """
    *arn, name, number = version.split(":")
    failed: list[PublishError] = []
    for destination in _destinations(configs):
        if arn and arn[3] != destination.region:
            continue
        try:
            if arn and arn[4] != destination.find_account():
                continue
            if text := _stored_manifest(destination, name, int(number)):
                return LayerManifest.from_json(text)
        except PublishError as error:
            failed.append(error)
    _raise(failed)
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


def _destinations(configs: Iterable[PublishConfig]) -> list[ResolvedDestination]:
    return [
        ResolvedDestination.of(each, AwsSession(each.profile, each.role_arn))
        for each in {each: None for config in configs for each in config.destinations}
    ]


def _raise(failed: list[PublishError]) -> None:
    """Raise the errors of the destinations that failed, as one; do nothing where none has."""
    if len(failed) == 1:
        raise failed[0]
    if failed:
        raise PublishError("\n".join(map(str, failed)))


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
        # Whoever may list layers need not be allowed to list functions.
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
