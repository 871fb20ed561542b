"""Sources are built by the target's version of Python where it is installed, else by this one."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, NoReturn

import pytest

from hatch_lambda_layer.targets.target import Architecture, Target, runtimes
from tests.support.source_factory import locked_source, telling_project, told, write_files
from tests.support.system_parts import MissingPart, find_interpreters, require, tool
from tests.support.tools import snapshot
from tests.support.workshop import OWN, TARGET, Workshop, content, packed

if TYPE_CHECKING:
    from pathlib import Path

    from hatch_lambda_layer.wheels.wheel import Wheel

VERSION = list(sys.version_info[:2])


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


def another() -> tuple[Target, Path]:
    """Return a target of another version of Python that is installed here, and its interpreter."""
    for name, path in find_interpreters().items():
        if name not in (OWN, "python3.10"):
            return Target(runtimes()[name], Architecture.X86_64), path
    raise MissingPart("no other version of Python that Lambda has is on this machine")


def hide_others(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no interpreter where they are looked for."""
    nothing = workshop.root / "nothing"
    nothing.mkdir()
    # The backends of the tests need it.
    (nothing / "git").symlink_to(str(tool("git")))
    for name in ("PATH", "PYENV_ROOT", "UV_PYTHON_INSTALL_DIR"):
        monkeypatch.setenv(name, str(nothing))


def python_of(wheel: Wheel) -> object:
    return told(content(wheel, "teller.py"))["python"]


@pytest.mark.fault(143)
def test_each_version_of_python_builds_for_its_own_targets(workshop: Workshop) -> None:
    other, _ = require(another)
    source = packed(workshop.root, telling_project())
    found = [workshop.build(source, target) for target in (TARGET, other, TARGET)]
    assert [python_of(wheel) for wheel in found] == [
        VERSION,
        list(other.runtime.python_version),
        VERSION,
    ]
    assert found[0] == found[2]
    inputs = [workshop.sources(source, target=each).inputs() for each in (TARGET, other)]
    assert inputs[0] != inputs[1]
    assert not any("is not installed" in line for line in workshop.shown.lines)


@pytest.mark.fault(143)
def test_without_the_targets_python_this_one_builds_and_says_so(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, interpreter = require(another)
    needed = "{}.{}".format(*other.runtime.python_version)
    source = packed(workshop.root, telling_project())
    with_own = workshop.sources(source, target=other).inputs()
    hide_others(workshop, monkeypatch)
    built = workshop.build(source, other)
    assert python_of(built) == VERSION
    note = f"since {needed} is not installed here (`uv python install {needed}`)"
    assert note in "\n".join(workshop.shown.lines)
    assert workshop.sources(source, target=other).inputs() != with_own
    # Once it is installed, it builds.
    folder = workshop.root / "nothing" / "versions" / f"{needed}.0" / "bin"
    folder.mkdir(parents=True)
    (folder / f"python{needed}").symlink_to(interpreter)
    assert workshop.sources(source, target=other).inputs() == with_own
    assert python_of(workshop.build(source, other)) == list(other.runtime.python_version)


@pytest.mark.fault(143)
@pytest.mark.parametrize("hidden", [False, True])
def test_no_interpreter_is_looked_for_where_nothing_has_to_be_built(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, *, hidden: bool
) -> None:
    other, _ = require(another)
    source = packed(workshop.root, telling_project())
    if hidden:
        hide_others(workshop, monkeypatch)
    built = workshop.build(source, other)

    def refuse(*arguments: object, **_: object) -> NoReturn:
        raise AssertionError(arguments)

    monkeypatch.setattr(subprocess.Popen, "__init__", refuse)
    assert workshop.sources(source, target=other).inputs()
    assert workshop.build(source, other) == built


@pytest.mark.fault(143)
def test_a_build_leaves_nothing_in_the_folder_of_the_user(workshop: Workshop) -> None:
    other, _ = require(another)
    files = telling_project()
    # As setuptools does, when it is asked what it requires and when it builds.
    files["backend.py"] += (
        b"\n\ndef get_requires_for_build_wheel(config_settings=None):\n"
        b"    pathlib.Path('teller.egg-info').mkdir(exist_ok=True)\n    return []\n"
    )
    folder = write_files(workshop.root / "teller", files)
    before = snapshot(folder)
    wheel = workshop.build(locked_source("directory", folder), other)
    assert python_of(wheel) == list(other.runtime.python_version)
    assert snapshot(folder) == before
