"""The settings of a bucket on which layer versions depend that refer to their zips in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from .errors import code, explained

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .session import AwsSession

_NO_RULES = "NoSuchLifecycleConfiguration"
# Lambda can't read from these ("Self-managed S3 code storage", as of 2026-11).
_ARCHIVES = ("GLACIER", "DEEP_ARCHIVE")


def keeps_versions(session: AwsSession, region: str, bucket: str, owner: str) -> bool:
    """Return whether a bucket keeps the versions of its objects; raise `PublishError`."""
    with explained("s3:GetBucketVersioning", f"{region}, bucket `{bucket}`"):
        answer = session.s3(region).get_bucket_versioning(Bucket=bucket, ExpectedBucketOwner=owner)
        return answer.get("Status") == "Enabled"


def removing_rules(
    session: AwsSession,
    region: str,
    bucket: str,
    owner: str,
    prefix: str,
    tags: Mapping[str, str],
) -> list[tuple[str, str]]:
    """Return the lifecycle rules that take objects away, each with what it does to them.

    That is, objects below `prefix` that have `tags`. Raises `PublishError`.
    """
    with explained("s3:GetLifecycleConfiguration", f"{region}, bucket `{bucket}`"):
        try:
            rules = session.s3(region).get_bucket_lifecycle_configuration(
                Bucket=bucket, ExpectedBucketOwner=owner
            )["Rules"]
        except ClientError as error:
            if code(error) == _NO_RULES:
                return []
            raise
        return [
            (str(rule.get("ID", "")), effect)
            for rule in rules
            if rule["Status"] == "Enabled" and _concerns(rule, prefix, tags)
            for effect in _effects(rule)
        ]


def _concerns(rule: Mapping[str, Any], prefix: str, tags: Mapping[str, str]) -> bool:
    """Return whether a rule may be about objects below a prefix, of whatever size."""
    chosen = rule.get("Filter") or {}
    both = chosen.get("And") or {}
    begins = rule.get("Prefix") or chosen.get("Prefix") or both.get("Prefix") or ""
    wanted = [*both.get("Tags", []), *([chosen["Tag"]] if "Tag" in chosen else [])]
    return (begins.startswith(prefix) or prefix.startswith(begins)) and all(
        tags.get(tag["Key"]) == tag["Value"] for tag in wanted
    )


def _effects(rule: Mapping[str, Any]) -> Iterator[str]:
    expiration = rule.get("Expiration") or {}
    if "Days" in expiration or "Date" in expiration:
        yield "expires current versions"
    if rule.get("NoncurrentVersionExpiration"):
        yield "expires noncurrent versions"
    for key, which in (("Transitions", "current"), ("NoncurrentVersionTransitions", "noncurrent")):
        classes = sorted({str(each["StorageClass"]) for each in rule.get(key) or []})
        for name in classes:
            if name.startswith(_ARCHIVES):
                yield f"moves {which} versions to {name}"
