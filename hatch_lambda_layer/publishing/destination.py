"""Destinations whose account, Region and bucket have been looked up."""

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
class Place:
    """A destination with the session for it, and its Region."""

    destination: Destination
    session: AwsSession
    region: str

    @classmethod
    def of(cls, destination: Destination, session: AwsSession) -> Place:
        """Find the Region of a destination; raise `PublishError` if none is configured."""
        region = destination.region or session.region
        if region is None:
            raise PublishError(
                "No Region to publish to is configured",
                hint="set `regions` in `[tool.lambda-layer.publish]`, `--region`, or AWS_REGION",
            )
        return cls(destination, session, region)

    @property
    def account(self) -> str:
        """The 12-digit id of the account."""
        return self.session.identity[0]

    @property
    def label(self) -> str:
        """The name in messages, such as `eu-west-1` or `production, eu-west-1`."""
        return ", ".join(filter(None, [self.destination.account, self.region]))

    def storage(
        self,
        layer_name: str,
        architectures: Iterable[str],
        tags: Mapping[str, str] | None = None,
    ) -> tuple[LayerS3Layout, LayerBucket] | None:
        """Return the keys of a layer's objects, and their bucket; `None` without `s3-dir`.

        Objects that are put there get `tags`. Whether the bucket exists, and is in this Region, is
        not checked here.
        """
        destination = self.destination
        storage = destination.storage(layer_name, architectures, self.region)
        if storage is None:
            return None
        name, layout = storage
        owner = destination.bucket_owner or self.account
        return layout, LayerBucket(
            self.session, self.region, name, owner, kms=destination.kms, tags=tags
        )
