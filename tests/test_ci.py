"""`.ci/hatch`: a checkout whose `[project]` has changed gets new environments."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

SCRIPT = Path(__file__).parent.parent / ".ci" / "hatch"
PROJECT = '[project]\nname = "app"\n[project.scripts]\napp = "app.cli:main"\n'


@pytest.fixture
def remove_outdated(tmp_path: Path) -> Callable[[], None]:
    """Give the function of the script, for a checkout of its own."""
    script: dict[str, Any] = runpy.run_path(str(SCRIPT))
    function = script["remove_outdated"]
    function.__globals__.update(ROOT=tmp_path, HOME=tmp_path / ".hatch")
    (tmp_path / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    make_environment(tmp_path)
    found: Callable[[], None] = function
    return found


def make_environment(root: Path) -> Path:
    """Make a folder where Hatch has its environments, and give a program in it."""
    program = root / ".hatch" / "data" / "env" / "virtual" / "app" / "bin" / "app"
    program.parent.mkdir(parents=True)
    program.touch()
    return program


def test_environments_that_nobody_knows_the_project_of_are_removed(
    remove_outdated: Callable[[], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    remove_outdated()
    assert not (tmp_path / ".hatch" / "data" / "env").exists()
    assert "Making the environments below .hatch/ anew" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "kept"),
    [
        ("app.cli:main", "app.cli.main:main", False),
        ("[project.scripts]", 'dependencies = ["click"]\n[project.scripts]', False),
        ("app.cli:main", "app.cli:main", True),
        ("[project.scripts]", "[tool.ruff]\nline-length = 99\n[project.scripts]", True),
    ],
    ids=["another entry point", "another dependency", "nothing", "another table"],
)
def test_environments_are_removed_when_the_project_changes(
    remove_outdated: Callable[[], None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    old: str,
    new: str,
    *,
    kept: bool,
) -> None:
    remove_outdated()
    program = make_environment(tmp_path)
    capsys.readouterr()
    text = PROJECT.replace(old, new)
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    remove_outdated()
    assert program.exists() is kept
    assert bool(capsys.readouterr().err) is not kept
    remove_outdated()
    assert capsys.readouterr().err == ""
