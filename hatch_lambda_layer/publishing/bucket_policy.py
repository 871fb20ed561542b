"""The policy with which a bucket lets Lambda read the zips that layer versions refer to.

The actions and the condition are those of the page "Self-managed S3 code storage" in Lambda's
developer guide (as of 2026-11), which shows them for a function. Whoever else may use the layer
has functions for which Lambda reads it, too.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING

from ..aws.arns import partition_of
from ..config.publish import REFERENCE
from .iam_policy import account_and_region
from .releases import Release

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..config.matrix import Member
    from ..config.publish import Permissions, PublishConfig

    _Condition = dict[str, dict[str, list[str]]]

_LANGUAGE = "2012-10-17"
_ACTIONS = ("s3:GetObject", "s3:GetObjectVersion")
_PRINCIPAL = "lambda.amazonaws.com"


def bucket_policies(
    members: Iterable[Member], configs: Mapping[str | None, PublishConfig]
) -> dict[str, str]:
    """Return the policy that each bucket needs, as JSON; none where Lambda has copies of all zips.

    Raises `LambdaLayerError` where the extra `aws` is missing.
    """
    statements: defaultdict[str, list[dict[str, object]]] = defaultdict(list)
    for release in Release.of_members(members, configs):
        if release.config.storage != REFERENCE:
            continue
        for destination in release.config.destinations:
            account, region = account_and_region(destination)
            storage = destination.storage(release.layer_name, release.architectures, region)
            if storage is None:
                continue
            bucket, layout = storage
            partition = partition_of(region)
            for condition in _conditions(release.config.permissions, partition, region, account):
                statement: dict[str, object] = {
                    "Effect": "Allow",
                    "Principal": {"Service": _PRINCIPAL},
                    "Action": list(_ACTIONS),
                    "Resource": f"arn:{partition}:s3:::{bucket}/{layout.prefix_layer_zip}*",
                    "Condition": condition,
                }
                if statement not in statements[bucket]:
                    statements[bucket].append(statement)
    return {
        bucket: json.dumps({"Version": _LANGUAGE, "Statement": each}, indent=2) + "\n"
        for bucket, each in statements.items()
    }


def _conditions(
    permissions: Permissions, partition: str, region: str, account: str
) -> list[_Condition]:
    """Return the conditions under one of which Lambda may read: for whose functions it does."""
    accounts = ["*"] if permissions.public else [account, *permissions.accounts]
    arns = [f"arn:{partition}:lambda:{region}:{each}:*" for each in accounts]
    found: list[_Condition] = [{"ArnLike": {"aws:SourceArn": arns}}]
    if permissions.organization and not permissions.public:
        found.append({"StringEquals": {"aws:SourceOrgID": [permissions.organization]}})
    return found
