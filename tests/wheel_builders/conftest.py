"""AWS for the tests of the shared cache, as for those of publishing."""

from __future__ import annotations

from tests.publishing.conftest import aws, server, shared_models

__all__ = ["aws", "server", "shared_models"]
