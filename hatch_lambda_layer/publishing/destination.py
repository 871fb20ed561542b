"""Destinations of the configuration with their sessions and Regions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..aws.s3 import LayerBucket
from ..exceptions import PublishError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..aws.session import AwsSession
    from ..config.publish import Destination
    from ..layout import LayerS3Layout


@dataclass(frozen=True, slots=True)
class ResolvedDestination:
    """A destination as it is configured, with the session for it, and its Region."""

    configured: Destination
    session: AwsSession
    region: str

    @classmethod
    def of(cls, configured: Destination, session: AwsSession) -> ResolvedDestination:
        """Find the Region of a destination; raise `PublishError` if none is configured."""
        region = configured.region or session.region
        if region is None:
            raise PublishError(
                "No Region to publish to is configured",
                hint="set `regions` in `[tool.lambda-layer.publish]`, `--region`, or AWS_REGION",
            )
        return cls(configured, session, region)

    @property
    def label(self) -> str:
        """The name in messages, such as `eu-west-1` or `production, eu-west-1`."""
        return ", ".join(filter(None, [self.configured.account, self.region]))

    def find_account(self) -> str:
        """Return the 12-digit id of the account, from this Region's STS; raise `PublishError`."""
        return self.session.find_account(self.region)

    def find_storage(
        self,
        layer_name: str,
        architectures: Iterable[str],
        tags: Mapping[str, str] | None = None,
        region: str | None = None,
    ) -> tuple[LayerS3Layout, LayerBucket] | None:
        """Return the keys of a layer's objects, and their bucket; `None` without `s3-dir`.

        Objects that are put there get `tags`. `region` is that of the bucket, if it is another one.
        AWS is asked only for the account that must own the bucket: whether the bucket exists, and
        is in this Region, is not checked here. Raises `PublishError` if AWS does not know the
        credentials.
        """
        configured = self.configured
        storage = configured.storage(layer_name, architectures, self.region)
        if storage is None:
            return None
        name, layout = storage
        owner = configured.bucket_owner or self.find_account()
        return layout, LayerBucket(
            self.session, region or self.region, name, owner, kms=configured.kms, tags=tags
        )
