"""Sessions and clients of AWS: credentials, Regions, time limits and retries."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
from botocore.config import Config

from .. import __version__
from ..exceptions import PublishError
from .arns import account_of
from .errors import explained

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_sts import STSClient

# The Region whose STS is asked where none is configured: every account has it enabled.
STS_REGION = "us-east-1"
_SECONDS_TO_CONNECT = 10
# Lambda responds when it has copied the zip: for 250 MB that takes longer than other calls.
_SECONDS_FOR_ANSWER = 60
_SECONDS_FOR_PUBLISH = 300
_ATTEMPTS = 5
_SESSION_NAME = "hatch-lambda-layer"
# boto3 reads the first alone; Lambda, SAM and the SDKs for other languages set the second. Both
# come before the Region of a profile (AWS SDKs and Tools Reference Guide, "AWS Region").
_REGION_VARIABLES = ("AWS_DEFAULT_REGION", "AWS_REGION")


class _Identity(NamedTuple):
    """An account, and the credentials of the role in it as boto3 takes them; none without one."""

    account: str
    credentials: Mapping[str, str]


class AwsSession:
    """The credentials of a profile, or of a role assumed with it, and clients that use them.

    `profile` is one of AWS's own configuration; `timeout` and `connect_timeout` are the times to
    wait for a response and for a connection, in seconds; a call is tried `attempts` times. Threads
    may share a session. Creating one sends nothing to AWS; it raises `PublishError` if there is no
    such profile. Every method may raise `PublishError`: without credentials, or where AWS refuses
    them.

    Each Region has an STS of its own, which is asked for what is done in that Region: one that the
    account has not enabled, or that can't be reached, does not keep others from being used.
    """

    def __init__(
        self,
        profile: str | None = None,
        role_arn: str | None = None,
        timeout: float | None = None,
        *,
        connect_timeout: float = _SECONDS_TO_CONNECT,
        attempts: int = _ATTEMPTS,
    ) -> None:
        self._role_arn = role_arn
        self._timeout = timeout
        self._connect_timeout = connect_timeout
        self._attempts = attempts
        with explained("sts:GetCallerIdentity", "credentials"):
            self._session = boto3.Session(profile_name=profile, region_name=_region())
        # Threads may share the clients of a session, but not the session (guide of boto3).
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, str, bool], object] = {}
        self._asking: dict[str, threading.Lock] = {}
        self._identities: dict[str, _Identity | PublishError] = {}

    @property
    def region(self) -> str | None:
        """The Region that AWS's own settings name."""
        return self._session.region_name

    @property
    def credentials_source(self) -> str:
        """The kind of place that the credentials come from, by botocore's name for it."""
        with explained("sts:GetCallerIdentity", "credentials"):
            found = self._session.get_credentials()
        return "nowhere" if found is None else str(found.method)

    def find_account(self, region: str) -> str:
        """Ask the STS of a Region, at most once, for the account; return its 12-digit id."""
        return self._identity(region).account

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

    def _identity(self, region: str) -> _Identity:
        with self._lock:
            asking = self._asking.setdefault(region, threading.Lock())
        with asking:
            if region not in self._identities:
                try:
                    self._identities[region] = self._ask(region)
                except PublishError as error:
                    # The layers that go to this Region would all wait for the same answer.
                    self._identities[region] = error
        found = self._identities[region]
        if isinstance(found, PublishError):
            raise found
        return found

    def _ask(self, region: str) -> _Identity:
        sts: STSClient = self._client("sts", region)  # type: ignore[assignment]
        if self._role_arn is None:
            with explained("sts:GetCallerIdentity", f"{region}, credentials"):
                return _Identity(sts.get_caller_identity()["Account"], {})
        with explained("sts:AssumeRole", f"{region}, {self._role_arn}"):
            given = sts.assume_role(RoleArn=self._role_arn, RoleSessionName=_SESSION_NAME)
            return _Identity(
                account_of(self._role_arn),
                {
                    "aws_access_key_id": given["Credentials"]["AccessKeyId"],
                    "aws_secret_access_key": given["Credentials"]["SecretAccessKey"],
                    "aws_session_token": given["Credentials"]["SessionToken"],
                },
            )

    def _client(self, service: str, region: str, *, once: bool = False) -> object:
        with_role = self._role_arn is not None and service != "sts"
        credentials: Any = self._identity(region).credentials if with_role else {}
        with self._lock:
            if (service, region, once) not in self._clients:
                usual = _SECONDS_FOR_PUBLISH if once else _SECONDS_FOR_ANSWER
                attempts = 1 if once else self._attempts
                config = Config(
                    connect_timeout=self._connect_timeout,
                    read_timeout=self._timeout or usual,
                    retries={"mode": "standard", "total_max_attempts": attempts},
                    user_agent_extra=f"hatch-lambda-layer/{__version__}",
                )
                with explained(f"{service}:*", region):
                    self._clients[service, region, once] = self._session.client(  # type: ignore[call-overload]
                        service, region_name=region, config=config, **credentials
                    )
            return self._clients[service, region, once]


def _region() -> str | None:
    """Return the Region that the environment names, `None` where a profile's counts."""
    return next(filter(None, map(os.environ.get, _REGION_VARIABLES)), None)
