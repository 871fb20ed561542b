"""The IAM action and resource of each request, to compare what is asked with what is allowed."""

from __future__ import annotations

import fnmatch
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.support.aws_server import Request

_LAYER = {"GET": "ListLayerVersions", "POST": "PublishLayerVersion"}
_VERSION = {"GET": "GetLayerVersion", "DELETE": "DeleteLayerVersion"}
_POLICY = {
    "GET": "GetLayerVersionPolicy",
    "POST": "AddLayerVersionPermission",
    "DELETE": "RemoveLayerVersionPermission",
}
_OF_BUCKET = {"versioning": "GetBucketVersioning", "lifecycle": "GetLifecycleConfiguration"}

Permission = tuple[str, str]


def needed(requests: Iterable[Request], account: str) -> set[Permission]:
    """Give the action and the ARN of each request; signed URLs and STS need no permission."""
    found: set[Permission] = set()
    for each in requests:
        if each.service == "lambda":
            found.add(_lambda(each, account))
        elif each.service == "s3":
            found |= _s3(each)
    return found


def unused(policy: str, requests: Iterable[Request], account: str) -> set[Permission]:
    """Give what a policy allows that no request needs, and what is needed and not allowed."""
    asked = needed(requests, account)
    allowed = {
        (action, resource)
        for statement in json.loads(policy)["Statement"]
        for action in statement["Action"]
        for resource in statement["Resource"]
    }
    covers = {
        (allow, ask)
        for allow in allowed
        for ask in asked
        if allow[0] == ask[0] and fnmatch.fnmatchcase(ask[1], allow[1])
    }
    idle = allowed - {allow for allow, _ in covers}
    return idle | {("denied", f"{a} {r}") for a, r in asked - {ask for _, ask in covers}}


def _lambda(request: Request, account: str) -> Permission:
    # The first part is the version of the API.
    parts = request.path.strip("/").split("/")[1:]
    if request.query.get("find"):
        return "lambda:GetLayerVersion", request.query["Arn"][0]
    if parts[0] == "functions":
        return "lambda:ListFunctions", "*"
    if parts[0] == "account-settings":
        return "lambda:GetAccountSettings", "*"
    name, rest = parts[1], parts[3:]
    arn = f"arn:aws:lambda:{request.region}:{account}:layer:{name}"
    if not rest:
        return f"lambda:{_LAYER[request.method]}", arn
    kinds = _POLICY if rest[1:2] == ["policy"] else _VERSION
    return f"lambda:{kinds[request.method]}", f"{arn}:{rest[0]}"


def _s3(request: Request) -> set[Permission]:
    bucket, _, key = request.path.strip("/").partition("/")
    arn = f"arn:aws:s3:::{bucket}"
    for name, action in _OF_BUCKET.items():
        if name in request.query:
            return {(f"s3:{action}", arn)}
    if not key:
        return {("s3:ListBucket", arn)}
    if request.method == "PUT":
        return {("s3:PutObject", f"{arn}/{key}")}
    action = "GetObjectVersion" if "versionId" in request.query else "GetObject"
    return {(f"s3:{action}", f"{arn}/{key}")}
