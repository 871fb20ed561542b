"""The projects in `fixtures/`: each is what it says it is, as it is committed."""

from __future__ import annotations

import subprocess
import tomllib
from datetime import date
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from hatch_lambda_layer.config.matrix import Matrix
from hatch_lambda_layer.targets.target import Architecture, runtimes

CHECKOUT = Path(__file__).resolve().parent.parent
PROJECTS = sorted(path.parent for path in CHECKOUT.glob("fixtures/*/pyproject.toml"))
ORDERS_API = CHECKOUT / "fixtures" / "orders-api"


def pyproject(project: Path) -> dict[str, object]:
    return tomllib.loads((project / "pyproject.toml").read_text("utf-8"))


def committed() -> list[str]:
    """Give the files of `fixtures/` that git has; an sdist has no git."""
    command = ["git", "ls-files", "fixtures"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("this is no git checkout")
    return done.stdout.splitlines()


def test_the_service_is_there() -> None:
    assert ORDERS_API in PROJECTS


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: str(project.name))
def test_a_fixture_has_a_valid_table(project: Path) -> None:
    assert Matrix.from_pyproject(pyproject(project)).members


def test_the_service_is_built_for_every_runtime_but_those_with_a_warning() -> None:
    members = Matrix.from_pyproject(pyproject(ORDERS_API)).members
    day = date(2026, 11, 30)
    supported = {runtime for runtime in runtimes().values() if not runtime.warning(day)}
    assert {member.target.runtime for member in members} == supported
    assert {member.target.architecture for member in members} == set(Architecture)
    assert len(members) == 8


def test_the_service_pins_its_dependencies_so_that_its_layers_are_the_same_next_year() -> None:
    project = pyproject(ORDERS_API)["project"]
    assert isinstance(project, dict)
    for text in project["dependencies"]:
        (specifier,) = Requirement(text).specifier
        assert specifier.operator == "==", text


def test_no_lockfile_and_no_layer_is_committed() -> None:
    # A lockfile of uv names the index's host: the real tool makes it when a test runs.
    for name in committed():
        path = Path(name)
        assert path.name not in ("uv.lock", "pylock.toml"), name
        assert not {"dist", "build"} & set(path.parts), name
