"""The command `show`: bars and JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from hatch_lambda_layer.cli.main import main
from tests.support.layer_project import Project
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.index_server import IndexServer


@pytest.fixture
def project(tmp_path: Path, index: IndexServer) -> Project:
    root = tmp_path / "app"
    root.mkdir()
    made = Project(root, index)
    big = WheelSpec(name="big", files={"big.py": bytes(400_000)})
    made.lock(
        WheelSpec(name="half", files={"half.py": bytes(200_000)}), big, WheelSpec(name="tiny")
    )
    made.build()
    return made


def show(project: Project, *arguments: str, code: int = 0) -> Result:
    found = CliRunner().invoke(main, ["show", str(project.zip), *arguments])
    assert found.exit_code == code, found.output
    return found


def test_the_largest_come_first_with_bars(project: Project) -> None:
    lines = show(project, "--bars").stdout.splitlines()[1:5]
    assert [line.split()[0] for line in lines] == ["package", "big", "half", "tiny"]
    bars = [line.count("#") for line in lines]
    assert bars[0] == bars[3] == 0
    assert max(map(len, lines)) == 80
    assert abs(bars[1] - 2 * bars[2]) <= 1
    assert [line.split()[4] for line in lines[1:]] == ["67%", "33%", "0%"]


def test_json_is_the_manifest(project: Project) -> None:
    assert show(project, "--format", "json").stdout == project.json.read_text("utf-8")


def test_no_json_of_another_zip_is_printed(project: Project) -> None:
    project.zip.write_bytes(b"another")
    found = show(project, "--format", "json", code=1)
    assert found.stdout == ""
    assert "is not the zip that layer.json was written for" in found.stderr
