"""A program that uses the API, as anybody might write it: a type checker reads it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.console import Console

import hatch_lambda_layer
from hatch_lambda_layer import (
    BuildFailures,
    BuiltLayer,
    ConfigError,
    Credentials,
    LambdaLayerError,
    LayerDifference,
    LayerManifest,
    LayerManifestManager,
    LayerPathLayout,
    LayerS3Layout,
    PublishedVersion,
    build_layers,
    compare_layers,
    publish_layers,
)

if TYPE_CHECKING:
    from pathlib import Path


def build(project: Path) -> dict[str, str]:
    """Build all layers, and return their digests by member."""
    try:
        layers: list[BuiltLayer] = build_layers(
            project,
            layers=["ml"],
            members=("python3.13-arm64",),
            output=project / "out",
            overrides={"prune": ["stubs"], "architectures": ["arm64"]},
            display=print,
        )
    except BuildFailures as failures:
        errors: dict[str, LambdaLayerError] = failures.errors
        for member, error in errors.items():
            sys.stderr.write(f"{member}: {error.message} {error.hint or ''} {error.exit_code}\n")
        layers = failures.built
    except ConfigError as error:
        sys.exit("\n".join(error.problems))
    return {each.manifest.member: each.manifest.content_digest for each in layers}


def publish(project: str) -> list[str]:
    """Publish all layers, and return the ARNs."""
    versions: list[PublishedVersion] = publish_layers(
        project, build=True, regions=["eu-west-1"], profile="me", display=Console(stderr=True)
    )
    for each in publish_layers(project, zips=["dist/layer.zip"], dry_run=True):
        number: int | None = each.version
        sys.stderr.write(f"{each.layer_name} {each.region} {number}\n")
    return [each.arn for each in versions if each.arn]


def compare(a: Path) -> bool:
    """Compare a layer with a published version."""
    difference: LayerDifference = compare_layers(a, "orders-api:7", region="eu-west-1")
    manifest: LayerManifest = LayerManifest.read(a.with_suffix(".json"))
    return difference.equal and manifest == difference.old.manifest


def paths(project: Path) -> list[Path | str]:
    """Return what lies where."""
    layout = LayerPathLayout(project / "pyproject.toml")
    manager = LayerManifestManager(project, layer="ml", tool="uv", regions=["eu-west-1"])
    keys: tuple[str, ...] = manager.versioned_manifest(7) + manager.last_manifest
    digests: tuple[str, str] = (manager.md5, manager.sha256)
    changed: bool = manager.has_changed()
    return [
        layout.dir_output,
        layout.manifest_path("uv"),
        manager.path,
        LayerS3Layout("layers").key_manifest(7, "uv.lock"),
        hatch_lambda_layer.__version__,
        *keys,
        *(digests if changed else ()),
    ]


def credentials(password: str) -> dict[str, str]:
    """Return the variables that give uv a password."""
    acme = Credentials(
        index_name="acme",
        index_url="https://pypi.acme.example/simple/",
        username="me",
        password=password,
    )
    return {acme.normalized_index_url: acme.authorization, **acme.environment("uv")}
