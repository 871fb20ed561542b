"""Sessions and clients of AWS: credentials, Regions, time limits and retries."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from .. import __version__
from .errors import explained

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_sts import STSClient

_SECONDS_TO_CONNECT = 10
# Lambda responds when it has copied the zip: for 250 MB that takes longer than other calls.
_SECONDS_FOR_ANSWER = 60
_SECONDS_FOR_PUBLISH = 300
_ATTEMPTS = 5
_SESSION_NAME = "hatch-lambda-layer"


class AwsSession:
    """The credentials of one account, and its clients, which threads may share.

    `profile` is one of AWS's own configuration; `role_arn` is a role to assume with it; `region`
    is the Region of STS, by default that of AWS's own settings. `timeout` is the time to wait for
    a response, in seconds. Raises `PublishError` where there are no credentials, or they are
    refused.
    """

    def __init__(
        self,
        profile: str | None = None,
        role_arn: str | None = None,
        region: str | None = None,
        timeout: float | None = None,
    ) -> None:
        self._identity_region = region
        self._timeout = timeout
        with explained("sts:GetCallerIdentity", "credentials"):
            self._session = boto3.Session(profile_name=profile)
        # Threads may share the clients of a session, but not the session (guide of boto3).
        self._lock = threading.RLock()
        self._clients: dict[tuple[str, str, bool], object] = {}
        if role_arn:
            self._take_on(role_arn)

    @property
    def region(self) -> str | None:
        """The Region that AWS's own settings name."""
        return self._session.region_name

    @cached_property
    def identity(self) -> tuple[str, str]:
        """The number of the account, and the ARN of the user or role."""
        with explained("sts:GetCallerIdentity", "credentials"):
            answer = self._sts().get_caller_identity()
        return answer["Account"], answer["Arn"]

    def layers(self, region: str) -> LambdaClient:
        """Return a client for Lambda in a Region."""
        return self._client("lambda", region)  # type: ignore[return-value]

    def layers_once(self, region: str) -> LambdaClient:
        """Return a client for Lambda in a Region that never sends a request twice.

        `PublishLayerVersion` has no token that tells a repeated call from a new one: each makes
        a version, and botocore would repeat a call whose response was lost.
        """
        return self._client("lambda", region, once=True)  # type: ignore[return-value]

    def s3(self, region: str) -> S3Client:
        """Return a client for S3 in a Region."""
        return self._client("s3", region)  # type: ignore[return-value]

    def ssm(self, region: str) -> SSMClient:
        """Return a client for the parameters of Systems Manager in a Region."""
        return self._client("ssm", region)  # type: ignore[return-value]

    def _sts(self) -> STSClient:
        return self._client("sts", self._identity_region or self.region or "us-east-1")  # type: ignore[return-value]

    def _client(self, service: str, region: str, *, once: bool = False) -> object:
        with self._lock:
            if (service, region, once) not in self._clients:
                usual = _SECONDS_FOR_PUBLISH if once else _SECONDS_FOR_ANSWER
                config = Config(
                    connect_timeout=_SECONDS_TO_CONNECT,
                    read_timeout=self._timeout or usual,
                    retries={"mode": "standard", "total_max_attempts": 1 if once else _ATTEMPTS},
                    user_agent_extra=f"hatch-lambda-layer/{__version__}",
                )
                with explained(f"{service}:*", region):
                    self._clients[service, region, once] = self._session.client(  # type: ignore[call-overload]
                        service, region_name=region, config=config
                    )
            return self._clients[service, region, once]

    def _take_on(self, role_arn: str) -> None:
        with explained("sts:AssumeRole", role_arn):
            answer = self._sts().assume_role(RoleArn=role_arn, RoleSessionName=_SESSION_NAME)
        given = answer["Credentials"]
        self._session = boto3.Session(
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
            region_name=self.region,
        )
        self._clients.clear()
