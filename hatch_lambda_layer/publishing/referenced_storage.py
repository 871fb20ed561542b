"""Zips that Lambda reads from the bucket, of which it has no copy: `storage = "reference"`."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..aws.bucket_settings import keeps_versions, removing_rules
from ..exceptions import PublishError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..aws.s3 import LayerBucket, StoredZip
    from ..layout import LayerS3Layout
    from .destination import ResolvedDestination
    from .releases import Release


def find_referenced(
    release: Release, destination: ResolvedDestination, region: str
) -> tuple[tuple[LayerS3Layout, LayerBucket], list[str]]:
    """Return the keys of a layer's objects and their bucket, which is in `region`, and warnings.

    Lambda may refer to a bucket of any Region, but only to a version of an object. Raises
    `PublishError` where the bucket keeps no versions.
    """
    tags = dict(release.config.tags)
    storage = destination.find_storage(release.layer_name, release.architectures, tags, region)
    if storage is None:
        raise PublishError(f"{destination.label}: there is no `s3-dir` to refer to")
    layout, bucket = storage
    session, place = destination.session, (region, bucket.name, bucket.owner)
    if not keeps_versions(session, *place):
        raise PublishError(
            f"{region}, bucket `{bucket.name}`: it keeps no versions, and Lambda refers only to a "
            "version of an object",
            hint="switch versioning on for the bucket, or remove `storage` from "
            "`[tool.lambda-layer.publish]`",
        )
    rules = removing_rules(session, *place, layout.prefix_layer_zip, tags)
    warnings = [
        f"the lifecycle rule `{name}` of the bucket `{bucket.name}` {effect}: a layer version "
        "whose zip is gone can't be attached any more; leave the objects that begin with "
        f"{layout.prefix_layer_zip} out of it"
        for name, effect in rules
    ]
    return storage, warnings


def referenced(stored: StoredZip) -> StoredZip:
    """Return a zip as one that Lambda is to refer to.

    Raises `PublishError` for an object that is older than the versions of its bucket.
    """
    if stored.version_id is None:
        raise PublishError(
            f"s3://{stored.bucket}/{stored.key} has no version, for it was put before the bucket "
            "kept versions: Lambda can't refer to it",
            hint="remove that object, to which no layer version refers: the next run puts it again",
        )
    return replace(stored, referenced=True)


@contextmanager
def refusal_explained(sent: StoredZip | Path) -> Iterator[None]:
    """Add to an error of the block what Lambda may lack to refer to the zip that it is sent."""
    try:
        yield
    except PublishError as error:
        if isinstance(sent, Path) or not sent.referenced:
            raise
        raise PublishError(
            error.message,
            hint=f"{error.hint + '; ' if error.hint else ''}Lambda itself has to read the object: "
            f"`hatch-lambda-layer publish --bucket-policy` prints what the policy of the bucket "
            f"`{sent.bucket}` has to allow",
        ) from error
