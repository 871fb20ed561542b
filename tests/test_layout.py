"""Where things lie: names depend on the configuration alone, never on the content."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer.layout import LayerPathLayout
from hatch_lambda_layer.targets.target import Architecture, Target, runtimes

if TYPE_CHECKING:
    from pathlib import Path

TARGETS = [Target(runtime, each) for runtime in runtimes().values() for each in Architecture]


def layout(root: Path) -> LayerPathLayout:
    return LayerPathLayout(root / "pyproject.toml", root / "dist")


def test_everything_lies_where_the_design_says(tmp_path: Path) -> None:
    paths = layout(tmp_path)
    assert paths.dir_project_root == tmp_path
    assert paths.dir_build_lambda == tmp_path / "build" / "lambda"
    assert paths.dir_build_lambda_layer == tmp_path / "build" / "lambda" / "layer"
    assert paths.dir_artifacts == tmp_path / "build" / "lambda" / "layer" / "artifacts"
    assert paths.dir_work.parent == paths.dir_artifacts
    assert paths.path_build_lambda_layer_zip == tmp_path / "dist" / "layer.zip"


def test_the_only_member_of_a_matrix_is_plainly_layer_zip(tmp_path: Path) -> None:
    paths = layout(tmp_path)
    assert paths.path_layer_zip(None) == tmp_path / "dist" / "layer.zip"
    assert paths.path_layer_manifest(None) == tmp_path / "dist" / "layer.json"


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.id)
def test_a_member_of_a_matrix_has_its_identifier_in_both_names(
    tmp_path: Path, target: Target
) -> None:
    paths = layout(tmp_path)
    assert paths.path_layer_zip(target.id) == tmp_path / "dist" / f"layer-{target.id}.zip"
    # The dot of the version is no suffix.
    assert paths.path_layer_manifest(target.id) == tmp_path / "dist" / f"layer-{target.id}.json"


def test_the_output_folder_is_independent_of_the_project(tmp_path: Path) -> None:
    paths = LayerPathLayout(tmp_path / "app" / "pyproject.toml", tmp_path / "elsewhere")
    assert paths.path_layer_zip(None).parent == tmp_path / "elsewhere"
    assert paths.dir_artifacts.is_relative_to(tmp_path / "app")


def test_what_builds_wrote_is_found_again_for_any_matrix(tmp_path: Path) -> None:
    paths = layout(tmp_path)
    paths.dir_output.mkdir()
    written = [
        path
        for member in (None, *(target.id for target in TARGETS), "ml-python3.13-arm64")
        for path in (paths.path_layer_zip(member), paths.path_layer_manifest(member))
    ]
    for path in written:
        path.touch()
    assert paths.built_paths() == sorted(written)


@pytest.mark.parametrize("name", [".layer.zip.0a1b.tmp", ".layer-python3.13-arm64.json.ffff.tmp"])
def test_what_a_killed_build_left_is_found_too(tmp_path: Path, name: str) -> None:
    paths = layout(tmp_path)
    paths.dir_output.mkdir()
    (paths.dir_output / name).touch()
    assert paths.built_paths() == [paths.dir_output / name]


@pytest.mark.parametrize(
    "name",
    [
        "demo-1.0-py3-none-any.whl",
        "demo-1.0.tar.gz",
        "layers.zip",
        "mylayer.zip",
        "layer.zip.bak",
        "layer.zip.tmp",
        "layer.txt",
        "layer-notes.zip",
        "layer-python3.13-riscv64.zip",
        "layer-python3.13-arm64.tar",
        "LAYER.ZIP",
        "function.zip",
        ".layer.zip",
    ],
)
def test_files_of_others_are_never_taken_for_layers(tmp_path: Path, name: str) -> None:
    paths = layout(tmp_path)
    paths.dir_output.mkdir()
    (paths.dir_output / name).touch()
    assert paths.built_paths() == []


def test_an_output_folder_that_is_not_there_has_no_layers(tmp_path: Path) -> None:
    paths = layout(tmp_path)
    assert paths.built_paths() == []
    assert not paths.dir_output.exists()
