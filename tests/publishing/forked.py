"""A publication as a process of its own, forked from one that has read botocore's models."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import botocore.loaders
import botocore.session

from hatch_lambda_layer.aws.session import AwsSession
from tests.publishing.runs import Run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_LOADER = botocore.loaders.create_loader()


def _read_models() -> None:
    session: Any = botocore.session.Session()
    session.register_component("data_loader", _LOADER)
    for service in ("lambda", "s3", "ssm", "sts"):
        session.create_client(
            service,
            region_name="eu-west-1",
            aws_access_key_id="none",
            aws_secret_access_key="none",
        )


_read_models()


def publish_alone(root: Path, name: str, environment: Mapping[str, str]) -> None:
    """Publish and end with code 0, or 1 after a failure; the ARNs go to a file beside the root."""
    os.environ.update(environment)
    for module in (botocore.loaders, botocore.session):
        module.create_loader = lambda *_: _LOADER  # type: ignore[attr-defined]
    run = Run(root, name)
    versions = run.publish(AwsSession())
    said = [*(version.arn for version in versions), *run.errors]
    (root.parent / f"{name}-{os.getpid()}").write_text("\n".join(said), encoding="utf-8")
    os._exit(0 if versions and not run.errors else 1)
