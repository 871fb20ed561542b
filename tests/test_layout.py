"""Where things lie: names depend on the configuration alone, never on the content."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hatchling.metadata.core import ProjectMetadata
from hatchling.plugin.manager import PluginManager

from hatch_lambda_layer.exceptions import ConfigError
from hatch_lambda_layer.hatch.builder import LambdaLayerBuilder
from hatch_lambda_layer.layout import LayerPathLayout
from hatch_lambda_layer.lockfiles import LOCKFILES
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


TARGET = "[tool.hatch.build.targets.lambda-layer]\n"


@pytest.mark.parametrize(
    ("pyproject", "hatch_toml", "expected"),
    [
        ("", None, "dist"),
        (f"{TARGET}directory = 'layers'\n", None, "layers"),
        ("[tool.hatch.build]\ndirectory = 'out/./x/..'\n", None, "out"),
        (f"[tool.hatch.build]\ndirectory = 'out'\n{TARGET}directory = '../l'\n", None, "../l"),
        ("", "[build]\ndirectory = 'out'\n", "out"),
        ("", "[build.targets.lambda-layer]\ndirectory = 'layers'\n", "layers"),
        # A table of hatch.toml replaces that of pyproject.toml as a whole.
        (f"{TARGET}directory = 'layers'\n", "[build]\ndirectory = 'out'\n", "out"),
        (f"{TARGET}directory = 'layers'\n", "[build]\nsources = []\n", "dist"),
        (f"{TARGET}directory = 'layers'\n", "[version]\npath = 'x'\n", "layers"),
        (f"{TARGET}directory = '/somewhere'\n", None, "/somewhere"),
    ],
)
def test_the_output_folder_is_the_one_that_hatch_uses(
    tmp_path: Path, pyproject: str, hatch_toml: str | None, expected: str
) -> None:
    root = tmp_path / "project"
    root.mkdir()
    path = root / "pyproject.toml"
    path.write_text(f"[project]\nname = 'app'\nversion = '1'\n{pyproject}", encoding="utf-8")
    if hatch_toml is not None:
        (root / "hatch.toml").write_text(hatch_toml, encoding="utf-8")
    found = LayerPathLayout(path).dir_output
    assert found == (root / expected).resolve()
    plugins = PluginManager()
    metadata = ProjectMetadata(str(root), plugins)
    builder = LambdaLayerBuilder(str(root), plugin_manager=plugins, metadata=metadata)
    assert str(found) == builder.config.directory


def test_a_layout_needs_no_project_and_takes_text(tmp_path: Path) -> None:
    assert LayerPathLayout(str(tmp_path / "pyproject.toml")) == layout(tmp_path)
    assert LayerPathLayout(tmp_path / "pyproject.toml", "out").dir_output.name == "out"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pyproject.toml", "[tool"),
        ("hatch.toml", "build"),
        ("hatch.toml", "[build]\ndirectory = 5\n"),
    ],
)
def test_a_folder_that_cannot_be_known_is_an_error(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"can't be read|must be a path"):
        LayerPathLayout(tmp_path / "pyproject.toml")


def test_each_tool_has_its_manifest_where_its_lockfile_is(tmp_path: Path) -> None:
    paths = layout(tmp_path)
    for tool, lockfile in LOCKFILES.items():
        assert paths.manifest_path(tool) == tmp_path / lockfile.filename
    found = {
        "pip": paths.path_requirements_txt,
        "poetry": paths.path_poetry_lock,
        "pdm": paths.path_pdm_lock,
        "uv": paths.path_uv_lock,
        "pylock": paths.path_pylock_toml,
    }
    assert {tool: paths.manifest_path(tool) for tool in LOCKFILES} == found
    with pytest.raises(ConfigError, match="Tool 'conda' is unknown: there are uv, poetry, pdm"):
        paths.manifest_path("conda")
