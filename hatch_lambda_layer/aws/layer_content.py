"""The content of a layer version of anybody: where its zip can be read, and parts of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import explained
from .s3 import StoredZip

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .session import AwsSession


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerContent:
    """The zip of a layer version: its `size` in bytes and its CodeSha256 (base64).

    `location` is a signed URL that is good for ten minutes; `stored` is the object that Lambda
    refers to, `None` where it has a copy of its own.
    """

    size: int
    code_sha256: str
    location: str
    stored: StoredZip | None


def find_content(session: AwsSession, region: str, arn: str) -> LayerContent:
    """Ask for the content of a layer version, by its ARN; raise `PublishError`."""
    with explained("lambda:GetLayerVersion", f"{region}, {arn}"):
        answer = session.layers(region).get_layer_version_by_arn(Arn=arn)
        return _content(answer["Content"])


def own_content(session: AwsSession, region: str, name: str, number: int) -> LayerContent:
    """Ask for the content of a version of the account's own; raise `PublishError`."""
    with explained("lambda:GetLayerVersion", f"{region}, layer `{name}`"):
        answer = session.layers(region).get_layer_version(LayerName=name, VersionNumber=number)
        return _content(answer["Content"])


def _content(content: Mapping[str, Any]) -> LayerContent:
    found = content.get("ResolvedS3Object") or {}
    stored = (
        StoredZip(found["S3Bucket"], found["S3Key"], found.get("S3ObjectVersion"))
        if found.get("S3Bucket")
        else None
    )
    return LayerContent(
        size=int(content["CodeSize"]),
        code_sha256=str(content["CodeSha256"]),
        location=str(content.get("Location", "")),
        stored=stored,
    )


def read_stored(
    session: AwsSession, region: str, stored: StoredZip, start: int, stop: int
) -> bytes:
    """Read the bytes of an object from one offset up to another; raise `PublishError`."""
    version: Any = {"VersionId": stored.version_id} if stored.version_id else {}
    action = "s3:GetObjectVersion" if version else "s3:GetObject"
    with explained(action, f"{region}, s3://{stored.bucket}/{stored.key}"):
        answer = session.s3(region).get_object(
            Bucket=stored.bucket, Key=stored.key, Range=f"bytes={start}-{stop - 1}", **version
        )
        data = answer["Body"].read()
        if len(data) != stop - start:
            raise ValueError("the object has another size")
        return data
