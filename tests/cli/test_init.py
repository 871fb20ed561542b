"""The command `init`: the table by what a project has, shown first, and nothing overwritten."""

from __future__ import annotations

import stat
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from hatch_lambda_layer.cli.main import main
from tests.support.lock_factory import locked, pylock, uv_project
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.index_server import IndexServer

PROJECT = '[project]\nname = "app"\nversion = "1"\nrequires-python = "{}"\n'


def run(root: Path, *arguments: str, code: int = 0) -> Result:
    found = CliRunner().invoke(main, ["init", str(root), *arguments])
    assert found.exit_code == code, found.output
    return found


def write(root: Path, text: str | bytes, **files: str) -> Path:
    data = text.encode() if isinstance(text, str) else text
    (root / "pyproject.toml").write_bytes(data)
    for name, content in files.items():
        (root / name).write_text(content, encoding="utf-8")
    return root / "pyproject.toml"


def test_a_project_builds_with_what_is_written(tmp_path: Path, index: IndexServer) -> None:
    index.add(WheelSpec(name="alpha"))
    made = uv_project(tmp_path / "app", index.simple_url, ["alpha"], requires_python=">=3.11")
    before = made.pyproject.read_bytes()
    found = run(made.directory, "--yes")
    table = '[tool.lambda-layer]\nruntimes = ["python3.14"]  # the newest that the project allows\n'
    assert found.stdout == table
    assert "The lockfile is uv.lock, of uv" in found.stderr
    assert "Next: `hatch-lambda-layer build`" in found.stderr
    assert made.pyproject.read_bytes() == before + b"\n" + table.encode()
    assert CliRunner().invoke(main, ["build", str(made.directory)]).exit_code == 0
    assert sorted(path.name for path in made.directory.iterdir() if "." in path.name) == [
        "pyproject.toml",
        "uv.lock",
    ]


def test_it_is_only_shown_where_nobody_can_be_asked(tmp_path: Path) -> None:
    path = write(tmp_path, PROJECT.format(">=3.11"))
    before = path.read_bytes()
    assert "Nothing is written: `--yes` writes it" in run(tmp_path).stderr
    assert path.read_bytes() == before


@pytest.mark.fault(248)
@pytest.mark.parametrize("table", ["[tool.lambda-layer]\n", "[tool.lambda-layer.publish]\n"])
def test_a_table_that_is_there_is_left_alone(tmp_path: Path, table: str) -> None:
    path = write(tmp_path, PROJECT.format(">=3.11") + table)
    before = path.read_bytes()
    found = run(tmp_path, "--yes", code=1)
    assert "has a table `[tool.lambda-layer]` already: nothing is written" in found.stderr
    assert found.stdout == ""
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("requires", "pinned", "expected"),
    [
        (">=3.11", "3.12.4\n", "python3.12"),
        (">=3.11", "pypy3.10\n3.13\n", "python3.13"),
        (">=3.11", "2.7\n", "python3.14"),
        ("<3.13", "3.14\n", "python3.12"),
        ("==3.13.*", "", "python3.13"),
    ],
)
def test_the_runtime_is_one_that_the_project_allows(
    tmp_path: Path, requires: str, pinned: str, expected: str
) -> None:
    write(tmp_path, PROJECT.format(requires), **{".python-version": pinned})
    assert f'runtimes = ["{expected}"]' in run(tmp_path).stdout


def test_the_constraint_of_poetry_counts(tmp_path: Path) -> None:
    write(tmp_path, '[tool.poetry.dependencies]\npython = "^3.11,<3.13"\n')
    assert 'runtimes = ["python3.12"]' in run(tmp_path).stdout


@pytest.mark.fault(249)
def test_pythons_that_lambda_has_not(tmp_path: Path) -> None:
    write(tmp_path, PROJECT.format("<3.8"))
    assert (
        "Lambda has no runtime for the Pythons of the project (<3.8)"
        in run(tmp_path, "--yes", code=1).stderr
    )


@pytest.mark.parametrize(
    ("before", "between"),
    [(b"# no newline", b"\n\n"), (b"# dos\r\n", b"\r\n"), (b'x = "\xc3\xa9"\n\n', b"\n")],
)
def test_all_else_stays_byte_for_byte(tmp_path: Path, before: bytes, between: bytes) -> None:
    path = write(tmp_path, before)
    run(tmp_path, "-y")
    after = path.read_bytes()
    assert after.startswith(before + between + b"[tool.lambda-layer]")
    assert (b"\r\n" in before) is after.endswith(b"\r\n")


@pytest.mark.skipif(sys.platform == "win32", reason="modes of POSIX")
def test_the_mode_of_the_file_stays(tmp_path: Path) -> None:
    path = write(tmp_path, "# mine\n")
    path.chmod(0o640)
    run(tmp_path, "-y")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_of_several_lockfiles_one_is_named(tmp_path: Path) -> None:
    package = locked(WheelSpec(name="alpha"), "http://127.0.0.1:9/alpha-1.0-py3-none-any.whl")
    write(tmp_path, "", **{"pylock.toml": pylock(package), "poetry.lock": "package = []\n"})
    found = run(tmp_path)
    assert 'tool = "poetry"\n' in found.stdout
    assert "There are lockfiles of poetry, pylock" in found.stderr


def test_requirements_alone_get_a_file(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("alpha==1.0\n", encoding="utf-8")
    run(tmp_path, "-y")
    text = (tmp_path / "pyproject.toml").read_text("utf-8")
    assert text.startswith("[tool.lambda-layer]\nruntimes = ")


@pytest.mark.fault(249)
@pytest.mark.parametrize(
    ("content", "message"),
    [("x = [\n", "is not valid TOML"), ('tool = { x = "y" }\n', "takes no table at its end")],
)
def test_a_file_that_takes_no_table_is_left_alone(
    tmp_path: Path, content: str, message: str
) -> None:
    path = write(tmp_path, content)
    assert message in run(tmp_path, "-y", code=1).stderr
    assert path.read_text("utf-8") == content


def test_with_hatchling_the_target_is_named(tmp_path: Path) -> None:
    write(tmp_path, '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n')
    assert "Next: `hatch build -t lambda-layer`" in run(tmp_path).stderr
