"""Wheels of one's own that are tagged `linux_x86_64`: their files decide whether they fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer._internal.console import Console
from hatch_lambda_layer.build.opening import open_project
from hatch_lambda_layer.exceptions import SelectionError
from tests.support.displays import Lines
from tests.support.elf_factory import AARCH64, ElfSpec
from tests.support.lock_factory import uv_project
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from pathlib import Path

    from hatch_lambda_layer.build.pipeline import BuiltLayer
    from tests.support.index_server import IndexServer

TABLE = '[tool.lambda-layer]\nruntimes = ["python3.13"]\n'
FITTING = ElfSpec(versions={"libc.so.6": {"GLIBC_2.34": "dlopen"}})


def own(elf: ElfSpec, tag: str = "cp313-cp313-linux_x86_64", version: str = "1.0") -> WheelSpec:
    """Return a wheel as setuptools makes it, with one extension module."""
    files = {"own/__init__.py": b"", "own/_x.cpython-313-x86_64-linux-gnu.so": elf.data}
    return WheelSpec(name="own", version=version, tag=tag, files=files, root_is_purelib=False)


def build(folder: Path) -> BuiltLayer:
    project = open_project(folder, Console(Lines()))
    return project.build(project.matrix.members[0])


@pytest.mark.parametrize("place", ["private index", "find-links", "path"])
def test_a_wheel_of_ones_own_that_only_says_linux_is_taken_from(
    index: IndexServer, tmp_path: Path, place: str
) -> None:
    wheel = own(FITTING)
    folder = tmp_path / "wheels"
    folder.mkdir()
    wheel.write(folder)
    sources, more = None, ""
    if place == "private index":
        index.add(wheel)
    elif place == "path":
        sources = {"own": {"path": f"../wheels/{wheel.filename}"}}
    else:
        more = '[tool.uv]\nfind-links = ["../wheels"]\n'
    project = uv_project(
        tmp_path / "app", index.simple_url, ["own"], sources=sources, extra_toml=TABLE + more
    )
    built = build(project.directory)
    assert [each.wheel for each in built.manifest.packages] == [wheel.filename]


@pytest.mark.fault(17, 18)
@pytest.mark.parametrize(
    ("elf", "reason"),
    [
        (ElfSpec(versions={"libc.so.6": {"GLIBC_2.38": "strlcpy"}}), "strlcpy@GLIBC_2.38"),
        (ElfSpec(libraries=["libpq.so.5"]), "`libpq.so.5`"),
        (ElfSpec(machine=AARCH64), "64-bit aarch64"),
    ],
)
def test_one_that_the_runtime_can_not_load_is_refused_with_the_file_and_the_reason(
    index: IndexServer, tmp_path: Path, elf: ElfSpec, reason: str
) -> None:
    index.add(own(elf))
    project = uv_project(tmp_path / "app", index.simple_url, ["own"], extra_toml=TABLE)
    with pytest.raises(SelectionError) as caught:
        build(project.directory)
    said = str(caught.value)
    assert said.startswith("The wheel `own-1.0-cp313-cp313-linux_x86_64.whl` does not fit python3")
    assert "`own/_x.cpython-313-x86_64-linux-gnu.so`" in said
    assert reason in said
    assert "auditwheel" in said


def test_a_wheel_that_says_more_is_preferred_to_one_that_only_says_linux(
    index: IndexServer, tmp_path: Path
) -> None:
    better = own(FITTING, "cp313-cp313-manylinux_2_34_x86_64")
    index.add(own(FITTING), better)
    project = uv_project(tmp_path / "app", index.simple_url, ["own"], extra_toml=TABLE)
    assert build(project.directory).manifest.packages[0].wheel == better.filename
