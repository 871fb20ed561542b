"""`publish_layers` and `LayerManifestManager`, against moto's server."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer import (
    ConfigError,
    LayerManifestManager,
    LockfileError,
    PublishedVersion,
    PublishError,
    build_layers,
    publish_layers,
)
from tests.publishing.shop import ALPHA, ARM, BETA, HOME, X86

if TYPE_CHECKING:
    from pathlib import Path

    from tests.publishing.shop import Shop

SECOND = "us-east-2"


def test_versions_are_returned_and_nothing_is_printed(
    shop: Shop, capfd: pytest.CaptureFixture[str]
) -> None:
    shop.write()
    (version,) = publish_layers(shop.root, build=True)
    assert isinstance(version, PublishedVersion)
    assert (version.arn, version.version, version.status) == (shop.arn(1), 1, "published")
    assert version.zip_path == shop.zip
    assert [each["LayerVersionArn"] for each in shop.live()] == [shop.arn(1)]
    (again,) = publish_layers(shop.root)
    assert (again.arn, again.status) == (shop.arn(1), "unchanged")
    (again,) = publish_layers(shop.root, zips=[shop.zip])
    assert (again.arn, again.status) == (shop.arn(1), "unchanged")
    assert len(shop.live()) == 1
    assert capfd.readouterr() == ("", "")


def test_a_dry_run_returns_what_would_be_and_writes_nothing(shop: Shop) -> None:
    shop.write()
    lines: list[str] = []
    with shop.aws.watch() as requests:
        (version,) = publish_layers(shop.root, build=True, dry_run=True, display=lines.append)
    assert (version.version, version.status) == (None, "published")
    assert version.arn == shop.arn(1).removesuffix(":1")
    assert {each.method for each in requests if each.service in ("s3", "lambda")} == {"GET", "HEAD"}
    assert shop.live() == shop.objects() == []
    assert any("would publish a version" in line for line in lines)
    publish_layers(shop.root)
    (version,) = publish_layers(shop.root, dry_run=True)
    assert (version.version, version.arn, version.status) == (1, shop.arn(1), "unchanged")


def test_regions_are_instead_of_those_of_the_table(shop: Shop) -> None:
    shop.config["s3-dir"] = f"s3://{shop.name}-{{region}}/layers"
    shop.make_bucket(SECOND)
    shop.write()
    (version,) = publish_layers(shop.root, build=True, regions=SECOND)
    assert version.region == SECOND
    assert shop.live() == []
    assert len(shop.live(SECOND)) == 1


def test_a_destination_that_fails_leaves_the_others_done(shop: Shop) -> None:
    shop.config |= {"regions": [HOME, SECOND], "s3-dir": f"s3://{shop.name}-{{region}}/layers"}
    shop.write()
    lines: list[str] = []
    with pytest.raises(PublishError, match="1 of 2 destinations failed"):
        publish_layers(shop.root, build=True, display=lines.append)
    assert any(line.startswith(f"error: {SECOND}: ") for line in lines)
    table = json.loads((shop.root / "dist" / "layer-versions.json").read_text("utf-8"))
    assert [each["arn"] for each in table["versions"]] == [shop.arn(1)]


def test_zips_go_with_nothing_that_chooses_or_builds(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="can't be combined"):
        publish_layers(tmp_path, zips=["layer.zip"], build=True)
    with pytest.raises(ValueError, match="can't be combined"):
        publish_layers(tmp_path, zips=["layer.zip"], members=["python3.13-arm64"])


# ---- the lockfile and its copies


def test_a_manager_knows_the_lockfile_and_where_its_copies_belong(shop: Shop) -> None:
    shop.write()
    with shop.aws.watch() as requests:
        manager = LayerManifestManager(shop.root)
        assert manager.path == shop.lockfile
        text = shop.lockfile.read_bytes()
        assert manager.md5 == hashlib.md5(text, usedforsecurity=False).hexdigest()
        assert manager.sha256 == hashlib.sha256(text).hexdigest()
        folder = f"s3://{shop.bucket(HOME)}/layers/{shop.name}/x86_64/layer"
        assert manager.versioned_manifest(7) == (f"{folder}/000007/pylock.toml",)
        assert manager.last_manifest == (f"{folder}/last-pylock.toml",)
    assert requests == []
    shop.lock(ALPHA)
    assert manager.sha256 == hashlib.sha256(shop.lockfile.read_bytes()).hexdigest()


def test_copies_lie_beside_the_manifests_that_publishing_writes(shop: Shop) -> None:
    shop.publish()
    manager = LayerManifestManager(shop.root)
    found = [*manager.versioned_manifest(1), *manager.last_manifest]
    folder = f"s3://{shop.bucket(HOME)}/layers/"
    keys = [each.removeprefix(folder).replace("pylock.toml", "layer.json") for each in found]
    assert set(keys) < set(shop.objects())


def test_the_layer_the_member_and_the_regions_decide_on_the_copies(
    empty_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = empty_shop
    shop.layer |= {
        "architectures": ["x86_64", "arm64"],
        "layers": {"ml": {"tool": "poetry", "publish": {"layer-name": f"{shop.name}-ml"}}},
    }
    shop.config |= {
        "layer-name": f"{shop.name}-{{architecture}}",
        "s3-dir": "s3://b-{region}/{layer-name}/{architecture}",
    }
    shop.write()
    (shop.root / "poetry.lock").write_text("", encoding="utf-8")
    regions = ["eu-west-1", "us-east-2"]
    manager = LayerManifestManager(shop.root, regions=regions, tool="pylock")
    assert manager.last_manifest == tuple(
        f"s3://b-{region}/{shop.name}-{architecture}/{architecture}/layer/last-pylock.toml"
        for architecture in ("x86_64", "arm64")
        for region in regions
    )
    manager = LayerManifestManager(shop.root, layer="ml", member="ml-python3.13-arm64")
    assert manager.path.name == "poetry.lock"
    assert manager.versioned_manifest(1) == (
        f"s3://b-eu-west-1/{shop.name}-ml/arm64/layer/000001/poetry.lock",
    )
    shop.config["regions"] = []
    shop.write()
    manager = LayerManifestManager(shop.root, layer="ml", member="ml-python3.13-arm64")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    assert manager.last_manifest == (
        f"s3://b-us-west-2/{shop.name}-ml/arm64/layer/last-poetry.lock",
    )
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(PublishError, match="No Region is configured"):
        LayerManifestManager(shop.root, layer="ml").versioned_manifest(1)


def test_a_bucket_without_a_placeholder_needs_no_region(empty_shop: Shop) -> None:
    shop = empty_shop
    shop.config |= {"regions": [], "s3-dir": "s3://bucket/x"}
    shop.write()
    assert LayerManifestManager(shop.root).last_manifest == (
        f"s3://bucket/x/{shop.name}/x86_64/layer/last-pylock.toml",
    )
    del shop.config["s3-dir"]
    shop.write()
    assert LayerManifestManager(shop.root).versioned_manifest(3) == ()


def test_what_a_manager_cannot_know_is_an_error(shop: Shop) -> None:
    shop.write()
    with pytest.raises(ConfigError, match="Layer `ml` is not in"):
        LayerManifestManager(shop.root, layer="ml")
    with pytest.raises(LockfileError, match=r"`uv\.lock` is missing"):
        _ = LayerManifestManager(shop.root, tool="uv").md5


# ---- has it changed?


def test_a_layer_has_changed_until_it_is_published(shop: Shop) -> None:
    shop.write()
    with shop.aws.watch() as requests:
        assert LayerManifestManager(shop.root).has_changed()
    assert {each.method for each in requests if each.service in ("s3", "lambda")} == {"GET", "HEAD"}
    assert shop.live() == []
    publish_layers(shop.root)
    assert not LayerManifestManager(shop.root).has_changed()


def test_only_what_may_differ_is_built(shop: Shop) -> None:
    shop.publish()
    shop.zip.unlink()
    assert not LayerManifestManager(shop.root).has_changed()
    assert not shop.zip.exists()
    # Other inputs, the same content.
    shop.layer["prune"] = ["python/nothing"]
    shop.write()
    assert not LayerManifestManager(shop.root).has_changed()
    assert shop.zip.exists()
    shop.lock(ALPHA)
    assert LayerManifestManager(shop.root).has_changed()
    shop.lock(ALPHA, BETA)
    assert not LayerManifestManager(shop.root).has_changed()


def test_a_region_that_lacks_the_layer_has_a_change(shop: Shop) -> None:
    shop.publish()
    shop.config["s3-dir"] = f"s3://{shop.name}-{{region}}/layers"
    shop.make_bucket(SECOND)
    shop.write()
    assert not LayerManifestManager(shop.root).has_changed()
    assert LayerManifestManager(shop.root, regions=[HOME, SECOND]).has_changed()


def test_of_several_members_only_the_changed_one_is_built(shop: Shop) -> None:
    shop.layer["architectures"] = ["x86_64", "arm64"]
    shop.config["layer-name"] = f"{shop.name}-{{architecture}}"
    shop.lock(X86, ARM)
    shop.publish()
    build_layers(shop.root)
    manager = LayerManifestManager(shop.root, member="python3.13-arm64")
    assert not manager.has_changed()
    for path in shop.zip.parent.glob("*.zip"):
        path.unlink()
    shop.lock(X86, ARM, ALPHA)
    assert manager.has_changed()
    assert [path.name for path in shop.zip.parent.glob("*.zip")] == ["layer-python3.13-arm64.zip"]


def test_a_destination_that_cannot_be_asked_is_an_error(shop: Shop) -> None:
    shop.publish()
    shop.config |= {"regions": [HOME, SECOND], "s3-dir": f"s3://{shop.name}-{{region}}/layers"}
    shop.write()
    with pytest.raises(PublishError, match="1 of 2 destinations failed"):
        LayerManifestManager(shop.root).has_changed()
