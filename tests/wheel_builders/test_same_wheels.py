"""What is built is the same wherever it is built: no path of this machine gets into a wheel."""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer.targets.target import Architecture, Target, runtimes
from hatch_lambda_layer.wheel_builders.project import project_source, read_project_wheel
from tests.support.source_factory import locked_source, repository, sdist, write_files
from tests.support.system_parts import c_compiler, require
from tests.support.wheel_factory import WheelSpec
from tests.support.workshop import RUNTIME, TARGET, Workshop, archive, content

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hatch_lambda_layer.wheels.selection import LockedSource
    from hatch_lambda_layer.wheels.wheel import Wheel

NAMED = '[project]\nname = "liba"\nversion = "1.0"\n'
SYSTEM = '[build-system]\nrequires = ["{}"]\nbuild-backend = "{}"\n'
# Projects that need what lies beside them, as each backend lets them say so.
PROJECTS = {
    "poetry-core": SYSTEM.format("poetry-core", "poetry.core.masonry.api")
    + "[tool.poetry]\nname = 'liba'\nversion = '1.0'\ndescription = ''\nauthors = []\n"
    "[tool.poetry.dependencies]\nlibb = { path = '../libb', develop = true, extras = ['x'] }\n"
    "libc = { path = '../libc', markers = \"python_version >= '3.11'\" }\n",
    "hatchling": SYSTEM.format("hatchling", "hatchling.build")
    + NAMED
    + 'dependencies = ["libb[x] @ {root:parent:uri}/libb", '
    "\"libc @ {root:parent:uri}/libc ; python_version >= '3.11'\"]\n"
    "[tool.hatch.metadata]\nallow-direct-references = true\n",
    "pdm-backend": SYSTEM.format("pdm-backend", "pdm.backend")
    + NAMED
    + 'dependencies = ["libb[x] @ file:///${PROJECT_ROOT}/../libb", '
    "\"libc @ file:///${PROJECT_ROOT}/../libc ; python_version >= '3.11'\"]\n",
    "setuptools": SYSTEM.format("setuptools", "setuptools.build_meta"),
}
SETUP = """\
import pathlib
from setuptools import setup
beside = pathlib.Path(__file__).parent.parent
needed = [f"libb[x] @ {(beside / 'libb').as_uri()}"]
needed += [f"libc @ {(beside / 'libc').as_uri()} ; python_version >= '3.11'"]
setup(name="liba", version="1.0", py_modules=["liba"], install_requires=needed)
"""


def project(backend: str) -> dict[str, bytes]:
    files = {"liba/pyproject.toml": PROJECTS[backend], "liba/liba.py": "A = 1\n"}
    if backend == "setuptools":
        files["liba/setup.py"] = SETUP
    for name in ("libb", "libc"):
        text = NAMED.replace("liba", name) + SYSTEM.format("flit_core", "flit_core.buildapi")
        files |= {f"{name}/pyproject.toml": text, f"{name}/{name}.py": "'''B'''\n"}
    return {name: text.encode() for name, text in files.items()}


def source(kind: str, folder: Path, files: Mapping[str, bytes]) -> LockedSource:
    """Give the project `liba` of `files` as a source of a kind."""
    if kind == "directory":
        return locked_source(kind, write_files(folder, files) / "liba", "liba")
    if kind == "vcs":
        head = repository(folder, files)
        return locked_source(kind, folder.as_uri(), "liba", commit=head, subdirectory="liba")
    if kind == "project":
        write_files(folder, files)
        return project_source(folder / "liba", {"project": {"name": "liba"}})
    own = {name.removeprefix("liba/"): data for name, data in files.items() if name[3] == "a"}
    folder.mkdir()
    return locked_source("sdist", archive(folder, *sdist("liba", "1.0", own)), "liba")


def built_twice(
    root: Path, kind: str, files: Mapping[str, bytes], target: Target = TARGET
) -> tuple[Wheel, Wheel]:
    """Build a source in two folders with two work folders, the second under another umask."""
    wheels = []
    for name, mask in ("one", 0o022), ("an other/deep", 0o077):
        before = os.umask(mask)
        try:
            (root / name).mkdir(parents=True)
            workshop = Workshop(root / name / "work shop")
            workshop.root.mkdir()
            wheels.append(workshop.build(source(kind, root / name / "src", files), target))
        finally:
            os.umask(before)
    first, second = wheels
    return first, second


@pytest.mark.fault(130)
@pytest.mark.parametrize(
    ("backend", "kind"),
    [
        *((backend, "directory") for backend in PROJECTS),
        *(("poetry-core", kind) for kind in ("vcs", "project", "sdist")),
    ],
)
def test_a_path_dependency_of_a_path_dependency_is_required_by_its_name(
    tmp_path: Path, backend: str, kind: str
) -> None:
    first, second = built_twice(tmp_path, kind, project(backend))
    assert (first.filename, first.sha256) == (second.filename, second.sha256)
    needed = [each.replace(" ", "").replace('"', "'") for each in first.requires_dist]
    assert needed == ["libb[x]", "libc;python_version>='3.11'"]
    metadata = content(first, f"{first.dist_info}/METADATA")
    assert b"file:" not in metadata
    assert str(tmp_path).encode() not in metadata


NATIVE = {
    "liba/setup.py": b"from setuptools import Extension, setup\n"
    b"setup(name='liba', version='1.0', ext_modules=[Extension('liba', ['src/liba.c'],"
    b" include_dirs=['src'], extra_compile_args=['-g'])])\n",
    "liba/src/liba.h": b"#include <Python.h>\nstatic const char *here = __FILE__;\n",
    "liba/src/liba.c": b'#include "liba.h"\n#include <assert.h>\n'
    b"PyMODINIT_FUNC PyInit_liba(void) {\n"
    b"    static PyModuleDef def = {PyModuleDef_HEAD_INIT, __FILE__, 0, -1};\n"
    b"    assert(here);\n    return PyModule_Create(&def);\n}\n",
}


@pytest.mark.fault(130)
@pytest.mark.parametrize(("kind", "sandbox"), [("directory", "0"), ("sdist", "1")])
def test_native_code_with_debug_information_is_the_same_in_every_folder(
    tmp_path: Path, kind: str, sandbox: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    require(c_compiler, headers=True)
    monkeypatch.setenv("HATCH_LAMBDA_LAYER_SANDBOX", sandbox)
    here = Target(runtimes()[RUNTIME], Architecture.parse(platform.machine()))
    first, second = built_twice(tmp_path, kind, NATIVE, here)
    assert [(each.path, each.sha256) for each in first.members] == [
        (each.path, each.sha256) for each in second.members
    ]
    assert first.sha256 == second.sha256
    (library,) = (each.path for each in first.members if each.path.endswith(".so"))
    assert str(tmp_path).encode() not in content(first, library)


@pytest.mark.fault(130)
def test_the_wheel_that_a_front_end_made_is_taken_with_names_alone(tmp_path: Path) -> None:
    needed = ("libb[x,y] @ file:///srv/libb ; python_version >= '3.11'", "six>=1")
    spec = WheelSpec(name="liba", version="1.0", files={"liba.py": b""}, requires_dist=needed)
    path = spec.write(tmp_path)
    work = tmp_path / "work"
    work.mkdir()
    own = project_source(tmp_path, {"project": {"name": "liba"}})
    wheel = read_project_wheel(path, own, TARGET, work)
    assert wheel.requires_dist == ("libb[x,y] ; python_version >= '3.11'", "six>=1")
    # The user's own wheel stays as it was.
    assert path.read_bytes() == spec.data


@pytest.mark.parametrize(
    "needed",
    [
        ("lib @ https://example.test/lib-1.0.tar.gz",),
        ("lib @ git+https://example.test/lib@main",),
        ("lib>=1", "other[file:]"),
        ("lib" + " " * 60_000 + ">=1",),
    ],
)
def test_requirements_that_are_the_same_everywhere_stay_as_they_are(
    tmp_path: Path, needed: tuple[str, ...]
) -> None:
    spec = WheelSpec(name="liba", version="1.0", files={"liba.py": b""}, requires_dist=needed)
    own = project_source(tmp_path, {"project": {"name": "liba"}})
    wheel = read_project_wheel(spec.write(tmp_path), own, TARGET, tmp_path / "work")
    assert (wheel.requires_dist, wheel.sha256) == (needed, spec.sha256)
