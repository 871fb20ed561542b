"""`.ci/hatch` and its requirements, workflows: a changed `[project]` gets new environments."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from packaging.requirements import Requirement

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


REQUIREMENTS = SCRIPT.with_name("requirements.txt").read_text(encoding="utf-8")


def test_the_requirements_are_pinned_and_hashed_and_name_no_index() -> None:
    lines = [line for line in REQUIREMENTS.splitlines() if not line.startswith("#")]
    pins = [line for line in lines if not line.startswith(" ")]
    assert [pin for pin in pins if not re.fullmatch(r"[a-z0-9-]+==\S+( ; .+)? \\", pin)] == []
    hashes = [line.strip() for line in lines if line.startswith(" ")]
    assert [each for each in hashes if not re.match(r"--hash=sha256:[0-9a-f]{64}", each)] == []
    assert len(hashes) > len(pins) > 20
    assert "://" not in REQUIREMENTS


def test_the_requirements_are_those_of_the_file_that_they_are_made_of() -> None:
    text = SCRIPT.with_name("requirements.in").read_text(encoding="utf-8")
    wanted = [Requirement(line) for line in text.splitlines() if line and not line.startswith("#")]
    pinned = dict(re.findall(r"^([a-z0-9-]+)==([^ ;]+)", REQUIREMENTS, re.MULTILINE))
    assert {each.name for each in wanted} == {"hatch", "uv"}
    assert [each.name for each in wanted if pinned[each.name] not in each.specifier] == []


def workflow(name: str) -> Any:
    path = SCRIPT.parents[1] / ".github" / "workflows" / name
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_a_release_needs_no_secret_and_only_its_last_job_can_publish() -> None:
    release = workflow("release.yml")
    assert "secrets." not in str(release)
    assert "password" not in str(release)
    assert release["permissions"] == {}
    rights = {name: job["permissions"] for name, job in release["jobs"].items()}
    assert [name for name, right in rights.items() if "id-token" in right] == ["publish"]
    assert rights["publish"]["attestations"] == "write"
    publish = release["jobs"]["publish"]
    assert (publish["needs"], publish["environment"]) == ("build", "pypi")
    # What can publish runs no code of the project.
    assert [step for step in publish["steps"] if "run" in step] == []


def test_the_other_files_for_github_are_valid() -> None:
    folder = SCRIPT.parents[1] / ".github"
    updates = yaml.safe_load((folder / "dependabot.yml").read_text(encoding="utf-8"))["updates"]
    assert {each["directory"] for each in updates} == {"/", "/.ci"}
    for path in (folder / "ISSUE_TEMPLATE").glob("[!c]*.yml"):
        form = yaml.safe_load(path.read_text(encoding="utf-8"))
        names = [part["id"] for part in form["body"] if part["type"] != "markdown"]
        assert len(names) == len(set(names)) >= 3
        assert form["name"]
        assert form["description"]
