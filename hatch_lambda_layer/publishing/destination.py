"""Destinations as they are found: whose account, which Region, and which bucket."""

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
    """A destination with the session that is used there; its Region is known."""

    destination: Destination
    session: AwsSession
    region: str

    @classmethod
    def of(cls, destination: Destination, session: AwsSession) -> Place:
        """Find the Region of a destination; raise `PublishError` where nothing names one."""
        region = destination.region or session.region
        if region is None:
            raise PublishError(
                "It is not known where layers are published: no Region is named",
                hint="name it: `regions` in `[tool.lambda-layer.publish]`, `--region`, or "
                "AWS_REGION",
            )
        return cls(destination, session, region)

    @property
    def account(self) -> str:
        """The number of the account."""
        return self.session.identity[0]

    @property
    def label(self) -> str:
        """What a person calls it, such as `eu-west-1` or `production, eu-west-1`."""
        return ", ".join(filter(None, [self.destination.account, self.region]))

    def storage(
        self,
        layer_name: str,
        architectures: Iterable[str],
        tags: Mapping[str, str] | None = None,
    ) -> tuple[LayerS3Layout, LayerBucket] | None:
        """Give where a layer's objects lie, and their bucket; `None` where there is none.

        Objects that are put there get `tags`. The bucket may not be there, or in another Region.
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
