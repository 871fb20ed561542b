"""`compare_layers`: zips, manifests and published versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer import LambdaLayerError, LayerDifference, build_layers, compare_layers
from tests.publishing.shop import ALPHA, HOME

if TYPE_CHECKING:
    from tests.publishing.shop import Shop
    from tests.support.layer_project import Project


def test_a_zip_and_a_manifest_are_compared(project: Project) -> None:
    (project.root / "pyproject.toml").write_text('[tool.lambda-layer]\nruntimes = ["python3.13"]\n')
    (old,) = build_layers(project.root, output=project.root / "old")
    (new,) = build_layers(project.root, overrides={"prune": ["stubs"]})
    found = compare_layers(old.zip_path, new.zip_path.with_suffix(".json"))
    assert isinstance(found, LayerDifference)
    assert not found.equal
    assert [(each.name, each.kind) for each in found.packages] == [("alpha", "files")]
    assert found.old.manifest == old.manifest
    assert compare_layers(str(old.zip_path), str(old.zip_path)).equal
    old.zip_path.write_bytes(b"another")
    with pytest.raises(LambdaLayerError, match=r"is not the zip that layer\.json was written for"):
        compare_layers(old.zip_path, new.zip_path)


def test_a_published_version_is_compared(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.publish()
    shop.lock(ALPHA)
    (new,) = build_layers(shop.root)
    monkeypatch.chdir(shop.root)
    found = compare_layers(shop.arn(1), new.zip_path)
    assert [(each.name, each.kind) for each in found.packages] == [("beta", "removed")]
    assert compare_layers(f"{shop.name}:1", new.zip_path, region=HOME).packages == found.packages
    with pytest.raises(LambdaLayerError, match="There is no manifest of"):
        compare_layers(f"{shop.name}:1", new.zip_path, region="us-east-2")
