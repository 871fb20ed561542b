"""Which IAM permissions publishing a project takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..config.publish import fill
from ..exceptions import PublishError
from .iam import Grant, policy
from .releases import Release

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..config.layer import Member
    from ..config.publish import Destination, PublishConfig

# An ARN may have it instead of what is not known.
_ANY = "*"


def needed_policy(members: Iterable[Member], configs: Mapping[str | None, PublishConfig]) -> str:
    """Give the smallest policy for publishing members of the matrix, as JSON.

    The account is that of the credentials that are there; without any it is `*`, as is a Region
    that nothing names.
    """
    grants = []
    known: dict[Destination, tuple[str, str]] = {}
    for release in Release.of_members(members, configs):
        for destination in release.config.destinations:
            if destination not in known:
                known[destination] = _place(destination)
            grants.append(_grant(release, destination, *known[destination]))
    return policy(grants)


def _place(destination: Destination) -> tuple[str, str]:
    """Give the account and the Region of a destination, as far as they can be known."""
    from ..aws import needed

    with needed():
        from ..aws.session import AwsSession

    region = destination.region
    if destination.role_arn:
        # The account stands after the fourth colon of every ARN.
        account = destination.role_arn.split(":")[4]
        return account, region or AwsSession(destination.profile).region or _ANY
    try:
        session = AwsSession(destination.profile, region=region)
        region = region or session.region
        return session.identity[0], region or _ANY
    except PublishError:
        return _ANY, region or _ANY


def _grant(release: Release, destination: Destination, account: str, region: str) -> Grant:
    config = release.config
    storage = destination.storage(release.layer_name, release.architectures, region)
    parameter = config.ssm_parameter
    return Grant(
        account=account,
        region=region,
        layer_name=release.layer_name,
        partition=_partition(region),
        bucket=storage[0] if storage else None,
        prefix=storage[1].folder if storage else "",
        kms=destination.kms,
        ssm_parameter=parameter and fill(parameter, {"layer-name": release.layer_name}),
        permit=bool(
            config.permissions.accounts
            or config.permissions.organization
            or config.permissions.public
        ),
        retain=config.retain is not None,
        tag=bool(config.tags),
    )


def _partition(region: str) -> str:
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"
