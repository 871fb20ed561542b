"""The smallest IAM policy with which layers can be published.

The actions and their resources are those of AWS's "Service Authorization Reference" for Lambda, S3,
KMS and Systems Manager (as of 2026-11), unless a comment names another source.
`sts:GetCallerIdentity` needs no permission, and `sts:AssumeRole` is needed by whoever assumes the
role that this policy is for.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..aws.arns import account_of, partition_of
from ..config.publish import REFERENCE, fill
from ..exceptions import PublishError
from .neighbours import neighbour_arns
from .releases import Release

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from ..config.matrix import Member
    from ..config.publish import Destination, PublishConfig

    _Condition = Mapping[str, Mapping[str, object]]

# The version of the policy language.
_LANGUAGE = "2012-10-17"
# Characters in a managed policy, white space not counted (IAM's page of quotas, as of 2026-11).
MANAGED_POLICY_LIMIT = 6_144

# Stands in an ARN for an account or Region that is not known.
_ANY = "*"

_ON_LAYER = (
    # Make the version.
    "lambda:PublishLayerVersion",
    # Find the newest version, and one that was made by a request whose response was lost. The
    # reference says that this action can't be restricted to a layer, but it can: AWS has confirmed
    # it (awsdocs/aws-lambda-developer-guide, pull request 204), and denials name the layer's ARN.
    "lambda:ListLayerVersions",
)
_ON_VERSION = (
    # Compare CodeSha256, which the list of versions does not have; read the zip of a version whose
    # manifest is not in a bucket, for `max-growth`. It is the action of GetLayerVersionByArn, too.
    "lambda:GetLayerVersion",
)
_ON_POLICY = (
    # See which permissions there are: an interrupted run may have got this far, and those that are
    # not configured are said.
    "lambda:GetLayerVersionPolicy",
)
_TO_PERMIT = (
    # Let accounts, an organization or everyone use the version.
    "lambda:AddLayerVersionPermission",
)
_TO_LIST = (
    # Find the versions of the project.
    "lambda:ListLayerVersions",
)
_TO_REVOKE = (
    # Take away what is no longer configured.
    "lambda:RemoveLayerVersionPermission",
)
_TO_RETAIN = (
    # Delete the versions beyond `retain`.
    "lambda:DeleteLayerVersion",
)
_ON_FUNCTIONS = (
    # Never delete a version that a function uses. The action can't be restricted to functions.
    "lambda:ListFunctions",
)
_ON_OBJECT = (
    # Put the zip, at once or in parts, and the manifests.
    "s3:PutObject",
    # See which zip is there, replace the newest manifest only if it is still the one that was
    # read, and let Lambda read the zip, which it does with the caller's permissions.
    "s3:GetObject",
    # The same in a bucket that keeps versions, where Lambda is told the version.
    "s3:GetObjectVersion",
    # Remove the parts of an upload that failed.
    "s3:AbortMultipartUpload",
)
_TO_TAG = (
    # `tags`: S3 asks for it when an object is put with tags.
    "s3:PutObjectTagging",
)
_ON_BUCKET = (
    # HeadBucket, and "404" instead of "403" for an object that does not exist. Not restricted to
    # the prefix: neither request has the key `s3:prefix`, so no condition on it would be met.
    "s3:ListBucket",
)
_TO_REFER = (
    # Lambda refers only to a version of an object.
    "s3:GetBucketVersioning",
    # Warn of rules that would take the object away.
    "s3:GetLifecycleConfiguration",
)
_ON_KEY = (
    # Encrypt what is put.
    "kms:GenerateDataKey",
    # Put in parts, read the checksum, and let Lambda read the zip.
    "kms:Decrypt",
)
_ON_PARAMETER = (
    # Leave a parameter as it is if it has the ARN already.
    "ssm:GetParameter",
    # Set the parameter to the newest version's ARN.
    "ssm:PutParameter",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """The permissions that publishing one layer to one Region needs; templates are filled in.

    `account` and `region` are `*` where they are not known, which every pattern here allows.
    `prefix` is the folder in the `bucket`, which is `None` where the zip goes to Lambda directly.
    `kms` is the key of the bucket, as S3 takes it: an ARN, an id or an alias. `alongside` are the
    ARNs of layer versions whose zips are read, of other accounts perhaps. `permit`, `retain` and
    `tag` say whether `permissions`, `retain` and `tags` are configured, `refer` whether Lambda is
    to refer to the zip in the bucket, which may then be in any Region. With `revoke` nothing is
    published, but permissions are taken away.
    """

    account: str
    region: str
    layer_name: str
    partition: str = "aws"
    bucket: str | None = None
    prefix: str = ""
    kms: str | None = None
    ssm_parameter: str | None = None
    alongside: tuple[str, ...] = ()
    permit: bool = False
    retain: bool = False
    tag: bool = False
    refer: bool = False
    revoke: bool = False


def needed_policy(
    members: Iterable[Member],
    configs: Mapping[str | None, PublishConfig],
    *,
    revoke: bool = False,
) -> str:
    """Return the smallest policy for publishing members of the matrix, as JSON.

    With `revoke` it is that for taking away the permissions that are no longer configured.

    The account is that of the role, or else of the current credentials. It is `*` if there are
    none, as is a Region that is not configured. Raises `LambdaLayerError` where the extra `aws` is
    missing.
    """
    grants = []
    known: dict[Destination, tuple[str, str]] = {}
    for release in Release.of_members(members, configs):
        for destination in release.config.destinations:
            if destination not in known:
                known[destination] = account_and_region(destination)
            grant = _grant(release, destination, *known[destination])
            grants.append(replace(grant, revoke=revoke))
    return policy_document(grants)


def policy_document(grants: Collection[Grant]) -> str:
    """Return the policy document, as JSON, for everything that one role or user publishes.

    Equal grants in any order give equal text.
    """
    document = _Document()
    for grant in grants:
        if grant.revoke:
            _add_revocation(document, grant)
            continue
        _add_lambda(document, grant)
        if grant.bucket:
            _add_s3(document, grant, grant.bucket)
        if grant.bucket and grant.kms:
            _add_kms(document, grant, grant.kms)
        if grant.ssm_parameter:
            path = grant.ssm_parameter.strip("/")
            document.allow(_ON_PARAMETER, _arn(grant, "ssm", f"parameter/{path}"))
    if regions := sorted({each.region for each in grants if each.retain and not each.revoke}):
        document.allow(_ON_FUNCTIONS, "*", {"StringLike": {"aws:RequestedRegion": regions}})
    return document.to_json()


def policy_size(text: str) -> int:
    """Return the size of a policy as IAM counts it, in characters without white space."""
    return len("".join(text.split()))


class _Document:
    """A policy document in the making: the actions for each resource and condition."""

    def __init__(self) -> None:
        self._actions: defaultdict[tuple[str, str], set[str]] = defaultdict(set)

    def allow(
        self, actions: Iterable[str], resource: str, condition: _Condition | None = None
    ) -> None:
        """Add actions that are allowed on a resource, perhaps under a condition."""
        self._actions[resource, json.dumps(condition or {}, sort_keys=True)].update(actions)

    def to_json(self) -> str:
        """Return the document: resources with the same actions and condition share a statement."""
        statements: defaultdict[tuple[tuple[str, ...], str], list[str]] = defaultdict(list)
        for (resource, condition), actions in sorted(self._actions.items()):
            statements[tuple(sorted(actions)), condition].append(resource)
        table = [
            {"Effect": "Allow", "Action": actions, "Resource": resources}
            | ({"Condition": json.loads(condition)} if condition != "{}" else {})
            for (actions, condition), resources in sorted(statements.items())
        ]
        return json.dumps({"Version": _LANGUAGE, "Statement": table}, indent=2) + "\n"


def _add_lambda(document: _Document, grant: Grant) -> None:
    layer = _arn(grant, "lambda", f"layer:{grant.layer_name}")
    document.allow(_ON_LAYER, layer)
    document.allow((*_ON_VERSION, *_ON_POLICY), f"{layer}:*")
    for arn in grant.alongside:
        document.allow(_ON_VERSION, arn)
    if grant.permit:
        document.allow(_TO_PERMIT, f"{layer}:*")
    if grant.retain:
        document.allow(_TO_RETAIN, f"{layer}:*")


def _add_revocation(document: _Document, grant: Grant) -> None:
    layer = _arn(grant, "lambda", f"layer:{grant.layer_name}")
    document.allow(_TO_LIST, layer)
    document.allow((*_ON_POLICY, *_TO_REVOKE), f"{layer}:*")


def _add_s3(document: _Document, grant: Grant, bucket: str) -> None:
    # The ARN of a bucket has neither Region nor account: names of buckets are unique.
    arn = f"arn:{grant.partition}:s3:::{bucket}"
    objects = "/".join(filter(None, [arn, grant.prefix.strip("/"), "*"]))
    document.allow(_ON_BUCKET, arn)
    if grant.refer:
        document.allow(_TO_REFER, arn)
    document.allow(_ON_OBJECT, objects)
    if grant.tag:
        document.allow(_TO_TAG, objects)


def _add_kms(document: _Document, grant: Grant, kms: str) -> None:
    """Allow the use of the key, but only through S3.

    The ARN of an alias is not that of its key: an alias is a condition on all keys ("Use aliases
    to control access to KMS keys", KMS's developer guide).
    """
    grant = replace(grant, region=_ANY) if grant.refer else grant
    condition: dict[str, dict[str, object]] = {}
    # In China the names of services differ here, and are not documented.
    if grant.partition != "aws-cn":
        condition["StringLike"] = {"kms:ViaService": f"s3.{grant.region}.amazonaws.com"}
    key = kms if kms.startswith("arn:") else _arn(grant, "kms", kms)
    owner, _, name = key.rpartition(":")
    if name.startswith("alias/"):
        condition["ForAnyValue:StringEquals"] = {"kms:ResourceAliases": name}
        name = "key/*"
    document.allow(_ON_KEY, f"{owner}:{name if '/' in name else f'key/{name}'}", condition)


def _arn(grant: Grant, service: str, resource: str) -> str:
    return f"arn:{grant.partition}:{service}:{grant.region}:{grant.account}:{resource}"


def account_and_region(destination: Destination) -> tuple[str, str]:
    """Return the account and Region of a destination, `*` for what is not known."""
    from ..aws import needed

    with needed():
        from ..aws.session import STS_REGION, AwsSession

    region = destination.region
    if destination.role_arn:
        account = account_of(destination.role_arn)
        return account, region or AwsSession(destination.profile).region or _ANY
    try:
        session = AwsSession(destination.profile)
        region = region or session.region
        return session.find_account(region or STS_REGION), region or _ANY
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
        partition=partition_of(region),
        bucket=storage[0] if storage else None,
        prefix=storage[1].folder if storage else "",
        kms=destination.kms,
        ssm_parameter=parameter and fill(parameter, {"layer-name": release.layer_name}),
        alongside=tuple(neighbour_arns(config.alongside, region, account)),
        permit=bool(
            config.permissions.accounts
            or config.permissions.organization
            or config.permissions.public
        ),
        retain=config.retain is not None,
        tag=bool(config.tags),
        refer=config.storage == REFERENCE,
    )
