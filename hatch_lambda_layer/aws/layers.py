"""Lambda's layers in one Region of one account."""

from __future__ import annotations

import json
import random
import re
import time
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from .errors import UNREADABLE, answer_lost, code, explained, throttled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_lambda.type_defs import LayerVersionContentInputTypeDef

    from .s3 import StoredZip
    from .session import AwsSession

_ATTEMPTS = 8
_LONGEST_PAUSE = 20.0
_MISSING = "ResourceNotFoundException"
_THERE_ALREADY = "ResourceConflictException"


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerVersion:
    """A version of a layer as Lambda lists it; `created` is a time in ISO 8601."""

    number: int
    arn: str
    description: str
    created: str
    runtimes: frozenset[str]
    architectures: frozenset[str]
    license: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerPermission:
    """A permission on a layer version: `principal` is the number of an account, or `*`.

    `statement` is its id in the policy of the version. `organization` is the id of an organization
    of AWS, for `*` only: its accounts, instead of everybody.
    """

    statement: str
    principal: str
    organization: str | None = None


class PublishedLayerVersion(NamedTuple):
    """A version that was published, as Lambda has it; `code_sha256` is base64.

    `answer_was_lost` is true where the version was found in the list, after a call whose response
    was lost or can't be read.
    """

    version: LayerVersion
    code_sha256: str
    answer_was_lost: bool


class LayerRegistry:
    """The layers of one Region of one account; every method raises `PublishError`.

    `pause` waits for a number of seconds.
    """

    def __init__(
        self, session: AwsSession, region: str, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._client: LambdaClient = session.layers(region)
        self._once: LambdaClient = session.layers_once(region)
        self._region = region
        self._pause = pause

    def versions(self, name: str) -> list[LayerVersion]:
        """Return the versions of a layer, the newest first; none if the layer does not exist."""
        pages = self._client.get_paginator("list_layer_versions")
        with explained("lambda:ListLayerVersions", self._where(name)):
            found = [
                LayerVersion(
                    number=int(item["Version"]),
                    arn=str(item["LayerVersionArn"]),
                    description=str(item.get("Description", "")),
                    created=str(item.get("CreatedDate", "")),
                    runtimes=frozenset(item.get("CompatibleRuntimes", [])),
                    architectures=frozenset(item.get("CompatibleArchitectures", [])),
                    license=str(item.get("LicenseInfo", "")),
                )
                for page in pages.paginate(LayerName=name)
                for item in page["LayerVersions"]
            ]
        return sorted(found, key=lambda version: -version.number)

    def code(self, name: str, number: int) -> tuple[str, int]:
        """Return the CodeSha256 (base64) of a version, and the size of its zip in bytes."""
        with explained("lambda:GetLayerVersion", self._where(name)):
            version = self._client.get_layer_version(LayerName=name, VersionNumber=number)
            return str(version["Content"]["CodeSha256"]), int(version["Content"]["CodeSize"])

    def publish(
        self, wanted: LayerVersion, name: str, zip_file: StoredZip | Path
    ) -> PublishedLayerVersion:
        """Publish a version once.

        `wanted` is the version as it will be, with the number of the newest version so far. A call
        whose response was lost, or can't be read, is repeated only if the list of versions shows
        that it made none.
        """
        request: Any = {
            "LayerName": name,
            "Description": wanted.description,
            "CompatibleRuntimes": sorted(wanted.runtimes),
            "CompatibleArchitectures": sorted(wanted.architectures),
            "Content": _content(zip_file),
        }
        if wanted.license:
            request["LicenseInfo"] = wanted.license
        with explained("lambda:PublishLayerVersion", self._where(name)):
            for attempt in count():
                try:
                    answer = self._once.publish_layer_version(**request)
                    number, arn = int(answer["Version"]), str(answer["LayerVersionArn"])
                    code_sha256 = str(answer["Content"]["CodeSha256"])
                    break
                except (ClientError, BotoCoreError, *UNREADABLE) as error:
                    lost = answer_lost(error)
                    if not lost and not throttled(error):
                        raise
                    self._wait(attempt, error)
                    found = self._look_up(wanted, name) if lost else None
                    if found is not None:
                        code_sha256, _ = self.code(name, found.number)
                        return PublishedLayerVersion(found, code_sha256, answer_was_lost=True)
                    if attempt == _ATTEMPTS - 1:
                        raise
        made = replace(wanted, number=number, arn=arn)
        return PublishedLayerVersion(made, code_sha256, answer_was_lost=False)

    def permissions(self, name: str, number: int) -> set[str]:
        """Return the ids of the statements in a version's policy; none if it has no policy."""
        with explained("lambda:GetLayerVersionPolicy", self._where(name)):
            try:
                policy = self._client.get_layer_version_policy(
                    LayerName=name, VersionNumber=number
                )["Policy"]
            except ClientError as error:
                if code(error) == _MISSING:
                    return set()
                raise
            return {statement["Sid"] for statement in json.loads(policy)["Statement"]}

    def permit(self, name: str, number: int, permission: LayerPermission) -> None:
        """Add a permission to a version, unless it has one with the same id."""
        request: Any = (
            {"OrganizationId": permission.organization} if permission.organization else {}
        )
        with explained("lambda:AddLayerVersionPermission", self._where(name)):
            try:
                self._client.add_layer_version_permission(
                    LayerName=name,
                    VersionNumber=number,
                    StatementId=permission.statement,
                    Action="lambda:GetLayerVersion",
                    Principal=permission.principal,
                    **request,
                )
            except ClientError as error:
                if code(error) != _THERE_ALREADY:
                    raise

    def revoke(self, name: str, number: int, statement: str) -> None:
        """Take a permission away from a version, unless it is gone already."""
        with explained("lambda:RemoveLayerVersionPermission", self._where(name)):
            try:
                self._client.remove_layer_version_permission(
                    LayerName=name, VersionNumber=number, StatementId=statement
                )
            except ClientError as error:
                if code(error) != _MISSING:
                    raise

    def delete(self, name: str, number: int) -> None:
        """Delete a version: functions that use it still run, but it can't be attached again."""
        with explained("lambda:DeleteLayerVersion", self._where(name)):
            self._client.delete_layer_version(LayerName=name, VersionNumber=number)

    def users(self) -> Mapping[str, list[str]]:
        """Return the functions of the account that use each layer version, by its ARN.

        All versions of the functions count: an alias may still lead to an old one.
        """
        used: dict[str, list[str]] = {}
        pages = self._client.get_paginator("list_functions")
        with explained("lambda:ListFunctions", self._region):
            for page in pages.paginate(FunctionVersion="ALL"):
                for function in page["Functions"]:
                    for layer in function.get("Layers", []):
                        used.setdefault(layer["Arn"], []).append(function["FunctionName"])
        return used

    def _where(self, name: str) -> str:
        return f"{self._region}, layer `{name}`"

    def _look_up(self, wanted: LayerVersion, name: str) -> LayerVersion | None:
        """Return the version made by a call whose response was lost; `None` if it made none."""
        made = [
            version
            for version in self.versions(name)
            if version.number > wanted.number and version.description == wanted.description
        ]
        return made[-1] if made else None

    def _wait(self, attempt: int, error: Exception) -> None:
        headers: Mapping[str, str] = {}
        if isinstance(error, ClientError):
            headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        asked = headers.get("retry-after", "")
        if re.fullmatch(r"[0-9]+", asked):
            seconds = float(asked)
        else:
            seconds = random.uniform(0.5, 1) * 2**attempt  # noqa: S311  # no secret
        self._pause(min(seconds, _LONGEST_PAUSE))


def _content(zip_file: StoredZip | Path) -> LayerVersionContentInputTypeDef:
    if isinstance(zip_file, Path):
        return {"ZipFile": zip_file.read_bytes()}
    content: LayerVersionContentInputTypeDef = {
        "S3Bucket": zip_file.bucket,
        "S3Key": zip_file.key,
    }
    if zip_file.version_id:
        content["S3ObjectVersion"] = zip_file.version_id
    if zip_file.referenced:
        content["S3ObjectStorageMode"] = "REFERENCE"
    return content
