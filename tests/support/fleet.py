"""A fleet for tests: machines with disks of their own, and one bucket that they share."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import boto3

from hatch_lambda_layer._internal.console import Console
from hatch_lambda_layer._internal.store import Store
from hatch_lambda_layer.wheels.cache import WheelCache
from hatch_lambda_layer.wheels.shared_cache import VARIABLE, open_shared_cache
from tests.support.displays import Lines

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

    from tests.support.aws_server import Aws

# The account of whoever asks moto.
ACCOUNT = "123456789012"
PREFIX = "team/cache"


@dataclass(frozen=True)
class Machine:
    """A machine with a disk of its own; `shown` is what a person saw there."""

    cache: WheelCache
    shown: Lines


@dataclass
class Fleet:
    """A bucket on moto's server at the address `server`, and machines below the folder `root`."""

    root: Path
    aws: Aws
    server: str
    bucket: str = field(default_factory=lambda: f"fleet-{secrets.token_hex(6)}")

    def __post_init__(self) -> None:
        self.s3.create_bucket(Bucket=self.bucket)

    @property
    def s3(self) -> S3Client:
        """A client that asks moto's server itself."""
        return boto3.client(
            "s3",
            region_name="us-east-1",
            endpoint_url=f"http://{self.server}",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    @property
    def environment(self) -> dict[str, str]:
        """The variables that name the cache."""
        return {VARIABLE: f"s3://{self.bucket}/{PREFIX}/"}

    def machine(self, name: str, **environment: str) -> Machine:
        """Give a machine as it is, and show details; `environment` are more variables."""
        shown = Lines(verbosity=1)
        shared = open_shared_cache(self.environment | environment, Console(shown))
        return Machine(WheelCache(Store(self.root / name), shared=shared), shown)

    def objects(self) -> list[str]:
        """Give the keys of all objects."""
        page = self.s3.list_objects_v2(Bucket=self.bucket)
        return [each["Key"] for each in page.get("Contents", [])]

    def replace(self, key: str, data: bytes, **metadata: str) -> None:
        """Put another object in the place of one, as whoever may write the prefix can."""
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=data, Metadata=metadata)
