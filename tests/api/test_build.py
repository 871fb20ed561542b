"""`build_layers`: silent, like the command, and with all that it knows when something fails."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from hatch_lambda_layer import (
    BuildFailures,
    ConfigError,
    LambdaLayerError,
    LayerManifest,
    SelectionError,
    build_layers,
)
from hatch_lambda_layer.api.build import built_as_json
from hatch_lambda_layer.cli.main import main
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.layer_project import Project

ONLY_313 = WheelSpec(name="native", tag="cp313-cp313-manylinux_2_17_x86_64")
TABLE = '[tool.lambda-layer]\nruntimes = ["python3.13"]\n'
MATRIX = '[tool.lambda-layer]\nruntimes = ["python3.12", "python3.13"]\n'
LAYERS = TABLE + '[tool.lambda-layer.layers.slim]\nprune = ["stubs"]\n'
IDS = ("python3.12-x86_64", "python3.13-x86_64")


def write(project: Project, text: str) -> None:
    (project.root / "pyproject.toml").write_text(text, encoding="utf-8")


@pytest.fixture
def root(project: Project) -> Path:
    write(project, TABLE)
    return project.root


def command(root: Path, *arguments: str) -> Any:
    return CliRunner().invoke(main, ["build", str(root), *arguments])


def test_a_build_returns_what_it_built_and_prints_nothing(
    root: Path, project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    (built,) = build_layers(root)
    assert built.zip_path == project.zip
    assert built.manifest == LayerManifest.read(project.json)
    assert built.manifest.describes(project.zip)
    assert [each.name for each in built.manifest.packages] == ["alpha", "beta"]
    assert built.rebuilt
    assert set(built.seconds) == {"lock", "wheels", "compose", "audit", "write"}
    (again,) = build_layers(str(root))
    assert (again.manifest, again.rebuilt, set(again.seconds)) == (built.manifest, False, {"lock"})
    assert capfd.readouterr() == ("", "")


def test_the_project_is_the_current_folder(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    assert build_layers()[0].zip_path == root / "dist" / "layer.zip"


def test_layers_members_and_output_are_those_of_the_command(
    root: Path, project: Project, tmp_path: Path
) -> None:
    write(project, LAYERS)
    (built,) = build_layers(root, layers=["slim"], output=tmp_path / "out")
    assert built.zip_path == tmp_path / "out" / f"layer-slim-{IDS[1]}.zip"
    assert built.manifest.layer == "slim"
    (built,) = build_layers(root, members=[IDS[1]])
    assert built.zip_path == root / "dist" / f"layer-{IDS[1]}.zip"
    with pytest.raises(ConfigError, match="Layer `fat` is not in") as caught:
        build_layers(root, layers=["fat"], members=["x"])
    assert len(caught.value.problems) == 2


def test_the_folder_for_layers_is_the_one_that_hatch_uses(root: Path, project: Project) -> None:
    write(project, TABLE + "[tool.hatch.build.targets.lambda-layer]\ndirectory = 'layers'\n")
    assert build_layers(root)[0].zip_path == root / "layers" / "layer.zip"
    assert command(root).stdout == f"{root / 'layers' / 'layer.zip'}\n"


def test_overrides_are_keys_of_the_table_for_every_layer(root: Path, project: Project) -> None:
    write(project, LAYERS)
    built = build_layers(root, overrides={"runtimes": ["python3.12"], "architectures": ["arm64"]})
    ids = ["python3.12-arm64", "slim-python3.12-arm64"]
    assert [each.manifest.member for each in built] == ids


def test_tables_of_the_whole_project_can_be_overridden(root: Path) -> None:
    layers = {"one": {"prune": ["stubs"]}}
    built = build_layers(root, overrides={"layers": layers, "exclude": ["beta"]}, layers=["one"])
    assert [each.manifest.layer for each in built] == ["one"]
    assert [each.name for each in built[0].manifest.packages] == ["alpha"]
    with pytest.raises(ConfigError) as caught:
        build_layers(root, overrides={"indexes": [{"name": "acme"}], "runtime": "python3.13"})
    keys = (
        "tool.lambda-layer.indexes[0].url` is missing",
        "The `runtime` given for this build is unknown (did you mean `runtimes`?)",
    )
    assert sorted(keys) == sorted(
        key for key in keys if any(key in problem for problem in caught.value.problems)
    )


def test_an_override_stands_for_a_table_that_is_missing(root: Path, project: Project) -> None:
    write(project, "")
    assert build_layers(root, overrides={"runtimes": ["python3.13"], "layers": {}})[0].rebuilt


def test_one_layer_that_fails_raises_its_own_error(root: Path, project: Project) -> None:
    project.lock(WheelSpec(name="native", tag="cp312-cp312-manylinux_2_17_x86_64"))
    with pytest.raises(SelectionError):
        build_layers(root)


def test_of_several_layers_the_others_are_built_and_all_is_in_the_error(
    root: Path, project: Project
) -> None:
    write(project, MATRIX)
    project.lock(ONLY_313)
    lines: list[str] = []
    with pytest.raises(BuildFailures, match=f"1 of 2 layers failed: {IDS[0]}; 1 built") as caught:
        build_layers(root, display=lines.append)
    assert list(caught.value.errors) == [IDS[0]]
    assert isinstance(caught.value.errors[IDS[0]], SelectionError)
    (built,) = caught.value.built
    assert built.manifest.member == IDS[1]
    assert built.zip_path.is_file()
    assert f"error: {IDS[0]}: {caught.value.errors[IDS[0]]}" in lines


def test_a_function_gets_each_line(
    root: Path, project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    write(project, TABLE + 'prune = ["python/nothing"]\n')
    lines: list[str] = []
    build_layers(root, display=lines.append)
    assert lines[0] == "Fetching 2 wheels"
    assert any(line.startswith("package  version") for line in lines)
    assert any(line.startswith("warning: ") and "matches nothing" in line for line in lines)
    assert lines[-1].startswith("lock ")
    assert capfd.readouterr() == ("", "")


def test_a_console_of_rich_prints_the_lines_as_they_are(root: Path) -> None:
    lines: list[str] = []
    build_layers(root, display=lines.append, output=root / "[red]one")
    screen = io.StringIO()
    console = Console(file=screen, width=20, force_terminal=True)
    build_layers(root, display=console, output=root / "[red]one")
    assert screen.getvalue().splitlines()[-1] == "layer.zip is up to date"
    assert lines[-2] in screen.getvalue().splitlines()
    assert "\x1b" not in screen.getvalue()


def test_json_is_what_the_api_returns(root: Path, project: Project) -> None:
    write(project, MATRIX)
    done = command(root, "--format", "json")
    assert (done.exit_code, "is up to date" in done.stderr) == (0, False)
    table = json.loads(done.stdout)
    built = build_layers(root)
    expected = json.loads(built_as_json(built))
    assert table["schema"] == expected["schema"] == 1
    for entry, other, layer in zip(table["layers"], expected["layers"], built, strict=True):
        assert sorted(entry) == ["manifest", "rebuilt", "seconds", "zip_path"]
        assert (entry["zip_path"], entry["rebuilt"]) == (str(layer.zip_path), True)
        assert (other["zip_path"], other["rebuilt"]) == (str(layer.zip_path), False)
        written = json.loads(layer.zip_path.with_suffix(".json").read_text(encoding="utf-8"))
        assert entry["manifest"] == other["manifest"] == written
        assert set(entry["seconds"]) == {"lock", "wheels", "compose", "audit", "write"}


def test_json_of_a_build_that_fails_is_nothing(root: Path, project: Project) -> None:
    write(project, MATRIX)
    project.lock(ONLY_313)
    done = command(root, "--format", "json")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "1 of 2 layers failed" in done.stderr
    assert (root / "dist" / f"layer-{IDS[1]}.zip").is_file()


def test_a_project_that_is_not_there_is_an_error_of_the_family(tmp_path: Path) -> None:
    with pytest.raises(LambdaLayerError, match=r"There is no folder `.*nowhere`"):
        build_layers(tmp_path / "nowhere")


def test_a_name_alone_is_not_taken_for_its_letters(root: Path, project: Project) -> None:
    write(project, LAYERS)
    (built,) = build_layers(root, layers="slim", members=f"slim-{IDS[1]}")
    assert built.manifest.layer == "slim"
