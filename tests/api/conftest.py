"""AWS for the API's tests, as for those of publishing."""

from __future__ import annotations

from tests.publishing.conftest import aws, empty_shop, server, shared_models, shop

__all__ = ["aws", "empty_shop", "server", "shared_models", "shop"]
