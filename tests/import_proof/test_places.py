"""Which interpreter is taken, and where a layer is imported when there is no sandbox for it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer._internal.bubblewrap import working_bwrap
from hatch_lambda_layer.import_proof.interpreter import InterpreterError, find_interpreter
from hatch_lambda_layer.import_proof.places import PlaceError
from hatch_lambda_layer.targets.target import Architecture, Target, runtimes
from tests.import_proof.conftest import RUNTIME, TARGET, by_name
from tests.support.source_factory import write_files
from tests.support.system_parts import find_interpreters
from tests.support.tools import stand_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hatch_lambda_layer.import_proof.report import ImportReport

# Before a test hides it.
PYTHON = find_interpreters()[RUNTIME]
OTHER = Target(
    TARGET.runtime,
    Architecture.ARM64 if TARGET.architecture is Architecture.X86_64 else Architecture.X86_64,
)


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    folder = tmp_path / "layer"
    source = """
import os
assert 'canary' not in repr(os.environ)
assert os.listdir(os.environ['HOME']) == []
"""
    write_files(folder, {"python/alpha.py": source.encode()})
    return folder


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that is all of the search path: no bubblewrap, no engine, no Python but this."""
    folder = tmp_path / "path"
    folder.mkdir()
    empty = tmp_path / "empty"
    empty.mkdir()
    for name in ("PYENV_ROOT", "UV_PYTHON_INSTALL_DIR"):
        monkeypatch.setenv(name, str(empty))
    monkeypatch.setenv("PATH", str(folder))
    working_bwrap.cache_clear()
    yield folder
    working_bwrap.cache_clear()


def missing_runtime() -> Target:
    """A runtime whose interpreter is not the one that runs this."""
    names = [name for name in runtimes() if name != "python{}.{}".format(*sys.version_info)]
    return Target(runtimes()[names[0]], TARGET.architecture)


@pytest.mark.fault(123)
@pytest.mark.usefixtures("alone")
def test_no_interpreter_is_a_clear_error() -> None:
    target = missing_runtime()
    version = target.runtime.id.removeprefix("python")
    with pytest.raises(InterpreterError, match=f"there is no Python {version}") as caught:
        find_interpreter(target)
    assert f"uv python install {version}" in str(caught.value)


@pytest.mark.usefixtures("alone")
def test_no_interpreter_is_an_error_where_there_is_no_engine(
    layer: Path, prove: Callable[..., ImportReport]
) -> None:
    with pytest.raises(InterpreterError, match="there is no Python"):
        prove(layer, missing_runtime())


@pytest.mark.fault(123)
def test_an_interpreter_that_is_another_version_than_its_name_is_refused(tmp_path: Path) -> None:
    others = {name: path for name, path in find_interpreters().items() if name != RUNTIME}
    name, path = others.popitem()
    false = stand_in(tmp_path, RUNTIME, f'exec "{path}" "$@"')
    with pytest.raises(
        InterpreterError, match=rf"{false} is cpython {name[6:]}\.\d+, and {RUNTIME}"
    ):
        find_interpreter(TARGET, false)


def test_an_interpreter_of_pyenv_that_is_another_version_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = missing_runtime()
    name = target.runtime.id
    stand_in(tmp_path / "versions" / f"{name[6:]}.9" / "bin", name, f'exec "{sys.executable}" "$@"')
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    with pytest.raises(InterpreterError, match=f"is cpython .*, and {name} needs"):
        find_interpreter(target)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("exit 3", "is not a Python that works"),
        ("echo hello", "it does not answer as one would"),
        ("echo []", "it does not answer as one would"),
    ],
)
def test_what_is_no_python_is_refused(tmp_path: Path, script: str, words: str) -> None:
    with pytest.raises(InterpreterError, match=words):
        find_interpreter(TARGET, stand_in(tmp_path, "python", script))


@pytest.mark.fault(124)
@pytest.mark.usefixtures("alone")
def test_without_a_sandbox_only_what_was_made_here_is_imported(
    layer: Path, prove: Callable[..., ImportReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    with pytest.raises(PlaceError, match="could do whatever you can") as caught:
        prove(layer, python=PYTHON)
    assert "`--unsafe`" in str(caught.value)
    report = prove(layer, python=PYTHON, trusted=True)
    assert (report.place, report.is_proof) == ("folder", True), report
    assert any("network" in note for note in report.notes)


def test_a_folder_is_taken_where_it_is_asked_for(
    layer: Path, prove: Callable[..., ImportReport]
) -> None:
    report = prove(layer, place="folder", trusted=True)
    assert report.place == "folder"
    assert by_name(report)["alpha"].verdict == "imported"


@pytest.mark.usefixtures("alone")
def test_bubblewrap_that_does_not_work_is_said_where_it_is_asked_for(
    layer: Path, prove: Callable[..., ImportReport]
) -> None:
    with pytest.raises(PlaceError, match="no bubblewrap that works"):
        prove(layer, place="bubblewrap", python=PYTHON)
    with pytest.raises(PlaceError, match="no bubblewrap that works"):
        prove(layer, root=layer)


@pytest.mark.usefixtures("alone")
def test_another_processor_needs_an_engine_or_a_root(
    layer: Path, prove: Callable[..., ImportReport]
) -> None:
    with pytest.raises(PlaceError, match="does not run programs for") as caught:
        prove(layer, OTHER)
    assert "--root" in str(caught.value)


@pytest.mark.usefixtures("working")
def test_a_root_has_to_be_one(
    tmp_path: Path, layer: Path, prove: Callable[..., ImportReport]
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    with pytest.raises(PlaceError, match=f"has no {RUNTIME}"):
        prove(layer, root=root)
    write_files(root, {f"var/lang/bin/{RUNTIME}": b""})
    with pytest.raises(PlaceError, match="has no folder `dev`"):
        prove(layer, root=root)
    for name in ("dev", "opt", "proc", "tmp", "var/task"):
        (root / name).mkdir(parents=True)
    with pytest.raises(PlaceError, match="does not start in the sandbox"):
        prove(layer, root=root)


@pytest.mark.usefixtures("alone")
def test_a_container_needs_an_engine(layer: Path, prove: Callable[..., ImportReport]) -> None:
    with pytest.raises(PlaceError, match="No container engine"):
        prove(layer, place="container")
