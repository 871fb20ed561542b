"""`-t lambda-layer` of hatchling: the matrix as versions, in other processes and in this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer.hatch.builder import LambdaLayerBuilder
from tests.support.index_server import IndexServer
from tests.support.lock_factory import LockedPackage, locked, pylock
from tests.support.projects import HatchlingProject, layer_files
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.index_server import IndexServer

ALPHA = WheelSpec(name="alpha")
ONLY_313 = WheelSpec(name="nat", tag="cp313-cp313-manylinux_2_17_x86_64")
TABLE = '[tool.lambda-layer]\nruntimes = ["python3.13"]\n'
MATRIX = '[tool.lambda-layer]\nruntimes = ["python3.12", "python3.13"]\n'
IDS = ("python3.12-x86_64", "python3.13-x86_64")


class MatrixProject(HatchlingProject):
    """A project with a `pylock.toml`, and at first two members."""

    def __init__(self, root: Path, index: IndexServer) -> None:
        super().__init__(root)
        self.index = index
        self.write(MATRIX)
        self.lock(ALPHA)

    def lock(self, *wheels: WheelSpec) -> None:
        self.index.add(*wheels)
        packages = [locked(each, self.index.file_url(each.filename)) for each in wheels]
        self.lockfile.write_text(pylock(*packages), encoding="utf-8")


@pytest.fixture
def project(tmp_path: Path, index: IndexServer) -> MatrixProject:
    return MatrixProject(tmp_path / "project", index)


def test_every_member_is_built_and_printed_once(project: MatrixProject) -> None:
    done = project.hatchling("-t", "lambda-layer")
    assert done.returncode == 0
    assert project.files() == layer_files(*IDS)
    artifacts = [line for line in done.stderr.splitlines() if line.startswith("dist")]
    assert artifacts == [f"dist{os.sep}layer-{name}.zip" for name in IDS]
    fetched = [request.path for request in project.index.requests]
    assert fetched == [project.index.path_of(ALPHA.filename)]


def test_a_version_builds_one_member(project: MatrixProject) -> None:
    assert project.hatchling("-t", f"lambda-layer:{IDS[1]}").returncode == 0
    assert project.files() == layer_files(IDS[1])


def test_several_versions_are_built_in_their_order(project: MatrixProject) -> None:
    done = project.hatchling("-t", f"lambda-layer:{IDS[1]},{IDS[0]}")
    assert done.returncode == 0
    assert done.stderr.index(f"{IDS[1]}.zip") < done.stderr.index(f"{IDS[0]}.zip")
    assert project.files() == layer_files(*IDS)


def test_one_member_alone_is_layer_zip(project: MatrixProject) -> None:
    project.write(TABLE)
    assert project.hatchling("-t", f"lambda-layer:{IDS[1]}").returncode == 0
    assert project.files() == ["layer.json", "layer.zip"]


def test_versions_can_be_chosen_in_the_table_of_the_target(project: MatrixProject) -> None:
    project.write(MATRIX, f'[tool.hatch.build.targets.lambda-layer]\nversions = ["{IDS[0]}"]\n')
    assert project.hatchling("-t", "lambda-layer").returncode == 0
    assert project.files() == layer_files(IDS[0])


def test_layer_zip_of_an_earlier_matrix_is_removed_by_a_whole_build(project: MatrixProject) -> None:
    project.write(TABLE)
    assert project.hatchling("-t", "lambda-layer").returncode == 0
    assert project.files() == ["layer.json", "layer.zip"]
    project.write(MATRIX)
    assert project.hatchling("-t", f"lambda-layer:{IDS[0]}").returncode == 0
    assert project.files() == sorted(["layer.json", "layer.zip", *layer_files(IDS[0])])
    done = project.hatchling("-t", "lambda-layer")
    assert "layer.zip is removed: this project no longer makes it" in done.stderr + done.stdout
    assert project.files() == layer_files(*IDS)


@pytest.mark.parametrize(
    ("versions", "said"), [('["python3.9"]', "python3.9"), ('"all"', "must be an array of strings")]
)
def test_bad_versions_in_the_table_of_the_target_are_an_error_and_no_traceback(
    project: MatrixProject, versions: str, said: str
) -> None:
    project.write(MATRIX, f"[tool.hatch.build.targets.lambda-layer]\nversions = {versions}\n")
    done = project.hatchling("-t", "lambda-layer")
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert said in done.stderr
    assert f"`{IDS[0]}`, `{IDS[1]}`" in done.stderr


def test_an_unknown_version_is_an_error_that_lists_the_known_ones(project: MatrixProject) -> None:
    done = project.hatchling("-t", f"lambda-layer:{IDS[0]},python3.13-arm64")
    assert done.returncode == 1
    assert done.stderr == (
        "error: Version `python3.13-arm64` is not in the matrix of `[tool.lambda-layer]`, which "
        f"has `{IDS[0]}`, `{IDS[1]}`\n"
    )
    assert project.files() == []


def test_a_member_that_fails_names_itself_and_the_others_are_built(project: MatrixProject) -> None:
    project.lock(ALPHA, ONLY_313)
    done = project.hatchling("-t", "lambda-layer")
    assert done.returncode == 1
    assert project.files() == layer_files(IDS[1])
    assert f"error: {IDS[0]}: These packages have no wheel for {IDS[0]}" in done.stderr
    assert f"dist{os.sep}layer-{IDS[1]}.zip" in done.stderr.splitlines()
    assert done.stderr.endswith(f"error: 1 of 2 layers failed: {IDS[0]}; 1 built\n")
    assert "Traceback" not in done.stderr


def test_clean_removes_the_layers_of_an_older_matrix_and_keeps_the_rest(
    project: MatrixProject,
) -> None:
    assert project.hatchling("-t", "lambda-layer").returncode == 0
    (project.root / "dist" / "app-1-py3-none-any.whl").write_text("a wheel")
    project.write(TABLE)
    assert project.hatchling("-t", "lambda-layer", "-c").returncode == 0
    assert project.files() == ["app-1-py3-none-any.whl", "layer.json", "layer.zip"]


@pytest.mark.parametrize("targets", [["-t", "lambda-layer"], ["-t", f"lambda-layer:{IDS[0]}"]])
def test_clean_only_builds_nothing(project: MatrixProject, targets: list[str]) -> None:
    project.hatchling("-t", "lambda-layer")
    done = project.hatchling(*targets, "--clean-only")
    assert done.returncode == 0, done.stderr
    assert project.files() == []


def test_clean_of_a_matrix_keeps_what_it_has_just_built(project: MatrixProject) -> None:
    done = project.hatchling("-t", "lambda-layer", HATCH_BUILD_CLEAN="true")
    assert done.returncode == 0
    assert project.files() == layer_files(*IDS)


@pytest.mark.parametrize("way", ["argument", "option", "variable"])
def test_the_folder_can_be_another_one(project: MatrixProject, way: str) -> None:
    option = '[tool.hatch.build.targets.lambda-layer]\ndirectory = "some where"\n'
    project.write(TABLE, option if way == "option" else "")
    arguments = ["-d", "some where"] if way == "argument" else []
    env = {"HATCH_BUILD_LOCATION": "some where"} if way == "variable" else {}
    done = project.hatchling("-t", "lambda-layer", *arguments, **env)
    assert done.returncode == 0
    assert project.files("some where") == ["layer.json", "layer.zip"]
    assert project.files() == []
    assert f"some where{os.sep}layer.zip" in done.stderr.splitlines()


def test_wheel_and_layer_are_built_in_one_call(project: MatrixProject) -> None:
    project.write(TABLE)
    assert project.hatchling("-t", "wheel", "-t", "lambda-layer").returncode == 0
    assert project.files() == ["app-1-py2.py3-none-any.whl", "layer.json", "layer.zip"]


def test_a_traceback_is_shown_only_when_asked_for(project: MatrixProject) -> None:
    project.write(TABLE)
    project.lockfile.unlink()
    plain = project.hatchling("-t", "lambda-layer")
    verbose = project.hatchling("-t", "lambda-layer", HATCH_VERBOSE="1")
    assert (plain.returncode, verbose.returncode) == (1, 1)
    assert plain.stderr.startswith("error: No lockfile: ")
    assert "Traceback" not in plain.stderr
    assert "Traceback (most recent call last)" in verbose.stderr
    assert verbose.stderr.endswith(plain.stderr)


def test_quiet_shows_errors_and_nothing_else(project: MatrixProject) -> None:
    project.write(TABLE)
    assert project.hatchling("-t", "lambda-layer", HATCH_QUIET="1").stderr == ""
    project.lockfile.unlink()
    done = project.hatchling("-t", "lambda-layer", HATCH_QUIET="1")
    assert done.stderr.startswith("error: No lockfile: ")


@pytest.mark.fault(3)
@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("", "Table `tool.lambda-layer` is missing"),
        ("[tool]\nlambda-layer = 1\n", "Field `tool.lambda-layer` must be a table"),
        (TABLE + "prune = 1\ngroup = []\n", "Field `tool.lambda-layer.prune` must be an array"),
        ('[tool.lambda-layer]\nruntimes = ["python3.133"]\n', "(did you mean `python3.13`?)"),
    ],
)
def test_a_wrong_table_is_an_error_without_a_traceback(
    project: MatrixProject, table: str, expected: str
) -> None:
    project.write(table)
    for target in ("lambda-layer", f"lambda-layer:{IDS[1]}"):
        done = project.hatchling("-t", target)
        assert done.returncode == 1
        assert expected in done.stderr
        assert done.stderr.startswith("error: ")
        assert "Traceback" not in done.stderr
    assert project.files() == []


@pytest.mark.fault(44)
def test_a_folder_that_is_a_file_is_an_error_without_a_traceback(project: MatrixProject) -> None:
    project.write(TABLE)
    (project.root / "dist").write_text("a file")
    done = project.hatchling("-t", "lambda-layer")
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert str(project.root / "dist") in done.stderr
    assert "dist is a file, but layers go into a folder of that name" in done.stderr
    assert "Traceback" not in done.stderr
    assert (project.root / "dist").read_text() == "a file"


def test_members_of_one_process_share_lock_and_downloads(project: MatrixProject) -> None:
    builder = LambdaLayerBuilder(str(project.root))
    artifacts = list(builder.build(directory=str(project.root / "dist")))
    assert artifacts == [str(project.root / "dist" / f"layer-{name}.zip") for name in IDS]
    assert len(project.index.requests) == 1


def test_an_error_in_this_process_ends_it_after_the_other_members(
    project: MatrixProject, capsys: pytest.CaptureFixture[str]
) -> None:
    native = LockedPackage(wheels=locked(ONLY_313, "http://127.0.0.1:9/nat").wheels)
    project.lockfile.write_text(pylock(native), encoding="utf-8")
    builder = LambdaLayerBuilder(str(project.root))
    with pytest.raises(SystemExit) as caught:
        list(builder.build(directory=str(project.root / "dist")))
    assert caught.value.code == 1
    shown = capsys.readouterr().err
    assert f"error: {IDS[0]}: These packages have no wheel" in shown
    assert f"error: {IDS[1]}: " in shown
    assert "error: 2 of 2 layers failed" in shown
    assert shown.rstrip().endswith("; 0 built")


def test_the_layer_is_the_same_as_that_of_the_command_line(project: MatrixProject) -> None:
    project.write(TABLE)
    project.hatchling("-t", "lambda-layer")
    code = "from hatch_lambda_layer.cli.main import main; main()"
    subprocess.run(
        [sys.executable, "-c", code, "build", "-o", "other"],
        cwd=project.root,
        check=True,
        capture_output=True,
    )
    for name in ("layer.zip", "layer.json"):
        one, two = (project.root / folder / name for folder in ("dist", "other"))
        assert one.read_bytes() == two.read_bytes()
    assert json.loads(two.read_text("utf-8"))["member"] == IDS[1]
