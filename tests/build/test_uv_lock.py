"""A build from `uv.lock`: what uv has exported is kept until a file changes that it was made of."""

from __future__ import annotations

import sys
import tomllib
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer._internal.console import Console
from hatch_lambda_layer.build.project import ProjectBuild
from hatch_lambda_layer.config.matrix import Matrix
from hatch_lambda_layer.exceptions import LockfileError
from hatch_lambda_layer.layout import LayerPathLayout
from hatch_lambda_layer.targets import elf
from tests.support.displays import Lines
from tests.support.elf_factory import ElfSpec
from tests.support.lock_factory import uv_project
from tests.support.source_factory import IN_TREE, copying_project, write_files
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from pathlib import Path

    from hatch_lambda_layer.build.pipeline import BuiltLayer
    from tests.support.index_server import IndexServer

_STARTED: list[str] = []
_EVENTS = ("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.exec", "os.system")


def _note(event: str, _: object) -> None:
    if event in _EVENTS:
        _STARTED.append(event)


@pytest.fixture(scope="module", autouse=True)
def audited() -> None:
    """Note each process that this one starts; an audit hook can't be removed."""
    sys.addaudithook(_note)


def build(folder: Path, display: Lines | None = None) -> BuiltLayer:
    path = folder / "pyproject.toml"
    pyproject = tomllib.loads(path.read_text("utf-8"))
    project = ProjectBuild(
        matrix=Matrix.from_pyproject(pyproject),
        layout=LayerPathLayout(path, folder / "dist"),
        pyproject=pyproject,
        console=Console(display or Lines()),
    )
    return project.build(project.matrix.members[0])


TABLE = '[tool.lambda-layer]\nruntimes = ["python3.13"]\n'


def test_a_warm_build_opens_no_shared_object(
    index: IndexServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[int] = []
    read = elf.read_elf

    def counted(data: bytes | bytearray) -> elf.ElfFile:
        opened.append(len(data))
        return read(data)

    monkeypatch.setattr(elf, "read_elf", counted)
    native = {f"_x{number}.abi3.so": ElfSpec(soname=f"{number}").data for number in range(3)}
    index.add(WheelSpec(name="alpha", tag="cp39-abi3-manylinux2014_x86_64", files=native))
    index.add(WheelSpec(name="beta"))
    project = uv_project(tmp_path / "app", index.simple_url, ["alpha"], extra_toml=TABLE)
    assert build(project.directory).rebuilt
    assert len(opened) == 3
    opened.clear()
    assert not build(project.directory).rebuilt
    # Made anew, with another option, and from another lock: what is known of each wheel is kept.
    (project.directory / "dist" / "layer.zip").unlink()
    assert build(project.directory).rebuilt
    text = project.pyproject.read_text(encoding="utf-8")
    project.pyproject.write_text(f"{text}strict = true\nprune = ['**/_x2*']\n", encoding="utf-8")
    assert build(project.directory).rebuilt
    project = uv_project(tmp_path / "app", index.simple_url, ["alpha", "beta"], extra_toml=TABLE)
    assert build(project.directory).rebuilt
    assert opened == []


def test_a_warm_build_starts_no_process(index: IndexServer, tmp_path: Path) -> None:
    index.add(WheelSpec(name="alpha"), WheelSpec(name="beta"))
    project = uv_project(tmp_path / "app", index.simple_url, ["alpha"], extra_toml=TABLE)
    _STARTED.clear()
    assert build(project.directory).rebuilt
    assert _STARTED == ["subprocess.Popen"]
    _STARTED.clear()
    assert not build(project.directory).rebuilt
    assert _STARTED == []
    # A layer that is made anew needs uv no more than the one that is there.
    (project.directory / "dist" / "layer.zip").unlink()
    assert build(project.directory).rebuilt
    assert _STARTED == []
    text = project.pyproject.read_text(encoding="utf-8")
    project.pyproject.write_text(text.replace('["alpha"]', '["alpha", "beta"]'), encoding="utf-8")
    with pytest.raises(LockfileError, match="`beta` was added"):
        build(project.directory)
    project.pyproject.write_text(text, encoding="utf-8")
    assert not build(project.directory).rebuilt


def test_a_member_built_from_a_kept_lock_is_found_in_its_folder(
    index: IndexServer, tmp_path: Path
) -> None:
    """Paths in what uv exports start from the project, which need not be the lockfile's folder."""
    root = tmp_path / "root"
    project = uv_project(
        root / "app",
        index.simple_url,
        ["lib"],
        sources={"lib": {"workspace": True}},
        extra_toml=TABLE,
        lock=False,
    )
    write_files(root / "lib", copying_project(WheelSpec(name="lib")))
    (root / "lib" / "pyproject.toml").write_text(
        f'{IN_TREE}[project]\nname = "lib"\nversion = "1.0"\n', encoding="utf-8"
    )
    (root / "pyproject.toml").write_text(
        '[tool.uv.workspace]\nmembers = ["app", "lib"]\n', encoding="utf-8"
    )
    project.lock()
    assert [each.name for each in build(project.directory).manifest.packages] == ["lib"]
    _STARTED.clear()
    assert not build(project.directory).rebuilt
    assert _STARTED == []
