"""Comparing layers from Python."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ..build.opening import open_project
from ..reports.diff import LayerDifference, read_side
from .arguments import publish_overrides
from .display import Lines

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ..layer.manifest import LayerManifest


def compare_layers(
    a: Path | str, b: Path | str, *, profile: str | None = None, region: str | None = None
) -> LayerDifference:
    """Return the differences between the layer `a` and the layer `b`.

    Each is a zip with its manifest beside it, a `layer.json`, or a published version: `NAME:3`, or
    its ARN. The manifest of a published version is read from the buckets of the project in the
    current folder; `profile` and `region` are instead of those that it names.

    Raises `LambdaLayerError` if one of them is missing, or a zip has changed since it was built.
    """
    overrides = publish_overrides([region] if region else [], profile)
    published = partial(_published_manifest, overrides)
    return LayerDifference(read_side(str(a), published), read_side(str(b), published))


def _published_manifest(overrides: Mapping[str, object], version: str) -> LayerManifest:
    from ..aws import needed
    from ..config.publish import PublishConfig

    with needed():
        from ..publishing.inventory import published_manifest
    pyproject = open_project(None, Lines(None).console()).pyproject
    return published_manifest(version, PublishConfig.from_pyproject(pyproject, overrides).values())
