"""AWS for a test: moto's server for all of them, and a proxy before it for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import botocore.loaders
import botocore.session
import pytest

from tests.publishing.shop import HOME, Shop
from tests.support.aws_server import Aws, Proxy, moto_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SETTINGS = {
    "AWS_ACCESS_KEY_ID": "AKIACANARY",
    "AWS_SECRET_ACCESS_KEY": "secret-canary",
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_PROXY": "*",
    "no_proxy": "*",
}
_PERSONAL = (
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_CA_BUNDLE",
    "GITHUB_OUTPUT",
)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """Start moto's server; its state is that of the whole session."""
    with moto_server() as address:
        yield address


@pytest.fixture(scope="session", autouse=True)
def shared_models() -> Iterator[None]:
    """Read botocore's service models once: they are most of the time of a short test."""
    loader = botocore.loaders.create_loader()
    with pytest.MonkeyPatch.context() as patch:
        for module in (botocore.loaders, botocore.session):
            patch.setattr(module, "create_loader", lambda *_: loader)
        yield


@pytest.fixture
def aws(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """Send every client through a proxy of this test, with credentials that are nobody's."""
    for name in _PERSONAL:
        monkeypatch.delenv(name, raising=False)
    for name, value in _SETTINGS.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / name))
    with Proxy(server) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.aws.endpoint)
        yield proxy.aws


@pytest.fixture
def empty_shop(tmp_path: Path, server: str, aws: Aws) -> Shop:
    """Give a project without a bucket."""
    return Shop(tmp_path / "shop", aws, server)


@pytest.fixture
def shop(empty_shop: Shop) -> Shop:
    """Give a project with a bucket in its Region."""
    empty_shop.make_bucket(HOME)
    return empty_shop
