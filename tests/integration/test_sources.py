"""What real tools lock without a wheel is built by real backends, from an index on loopback."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer.exceptions import BuildError
from hatch_lambda_layer.layout import LayerPathLayout
from hatch_lambda_layer.lockfiles import LockRequest, find_lockfile
from hatch_lambda_layer.targets.target import Architecture, Target, runtimes
from hatch_lambda_layer.wheels.selection import select
from tests.support.index_server import IndexServer
from tests.support.lock_factory import UvProject, uv_project
from tests.support.source_factory import (
    IN_TREE,
    git,
    installed_wheels,
    locked_source,
    repository,
    sdist,
    write_files,
)
from tests.support.system_parts import c_compiler, interpreter_for, require
from tests.support.tools import isolate, snapshot
from tests.support.wheel_factory import WheelSpec
from tests.support.workshop import OWN, RUNTIME, TARGET, Workshop, content

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hatch_lambda_layer.wheels.selection import LockedSource

CANARY = "canary-c0ffee-7711"
BACKENDS = ("hatchling", "setuptools")


@pytest.fixture(scope="module")
def backends() -> list[WheelSpec]:
    """Build backends, as they are installed here."""
    return require(installed_wheels, *BACKENDS)


@pytest.fixture
def index(backends: list[WheelSpec]) -> Iterator[IndexServer]:
    with IndexServer() as server:
        server.add(*backends, WheelSpec(name="alpha"))
        yield server


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """A place where no other host can be reached, with the settings of nobody."""
    isolate(monkeypatch, tmp_path / "state")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    return Workshop(tmp_path)


def sources_of(project: UvProject, target: Target = TARGET) -> list[LockedSource]:
    """Give what the project's lock selects that is no wheel."""
    layout = LayerPathLayout(project.pyproject, project.directory / "dist")
    request = LockRequest(layout=layout)
    lockfile, path, request = find_lockfile(None, request)
    return list(select(lockfile.read(path, request, target), target).sources)


def hatchling_project(
    name: str, dependencies: list[str] | None = None, extra: str = ""
) -> dict[str, bytes]:
    pyproject = (
        f'[project]\nname = "{name}"\nversion = "1.0"\ndependencies = {dependencies or []}\n'
        f'[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n{extra}'
    )
    module = name.replace("-", "_")
    return {"pyproject.toml": pyproject.encode(), f"src/{module}/__init__.py": b"VALUE = 1\n"}


def paths(workshop: Workshop, project: UvProject, target: Target = TARGET) -> dict[str, list[str]]:
    """Build all sources of a project; give the paths in each wheel, by name."""
    wheels = workshop.build_all(sources_of(project, target), target, project.directory)
    return {wheel.name: [member.path for member in wheel.members] for wheel in wheels}


# ---- what uv locks


@pytest.mark.fault(21)
def test_the_members_of_a_uv_workspace_are_built(workshop: Workshop, index: IndexServer) -> None:
    root = workshop.root / "app"
    write_files(root / "packages" / "one", hatchling_project("lib-one", ["alpha"]))
    write_files(
        root / "packages" / "two", hatchling_project("lib-two", ["lib-one"], member("lib-one"))
    )
    project = uv_project(
        root,
        index.simple_url,
        ["lib-two"],
        sources={"lib-two": {"workspace": True}},
        extra_toml='[tool.uv.workspace]\nmembers = ["packages/*"]\n',
    )
    before = snapshot(root)
    built = paths(workshop, project)
    assert sorted(built) == ["lib-one", "lib-two"]
    assert "lib_one/__init__.py" in built["lib-one"]
    assert snapshot(root) == before
    assert [line.partition(" (")[0] for line in workshop.shown.lines] == [
        "Building package `lib-one`",
        "Building package `lib-two`",
    ]
    asked = len(index.requests)
    assert paths(workshop, project) == built
    assert len(index.requests) == asked
    # A change in one member is a change of its wheel alone.
    write_files(root / "packages" / "one", {"src/lib_one/new.py": b""})
    assert "lib_one/new.py" in paths(workshop, project)["lib-one"]
    assert len(workshop.shown.lines) == 3


def member(*names: str) -> str:
    return "[tool.uv.sources]\n" + "".join(f"{name} = {{ workspace = true }}\n" for name in names)


@pytest.mark.fault(21)
def test_a_path_dependency_is_built_without_what_its_repository_ignores(
    workshop: Workshop, index: IndexServer
) -> None:
    repository(workshop.root / "mono", {".gitignore": b"secrets.env\n", "lib/x": b""})
    write_files(workshop.root / "mono" / "lib", hatchling_project("lib"))
    write_files(workshop.root / "mono" / "lib", {"src/lib/secrets.env": CANARY.encode()})
    project = uv_project(
        workshop.root / "app",
        index.simple_url,
        ["lib"],
        sources={"lib": {"path": "../mono/lib", "editable": True}},
    )
    built = paths(workshop, project)["lib"]
    assert "lib/__init__.py" in built
    assert not [path for path in built if "secrets" in path]


@pytest.mark.fault(21)
def test_a_git_dependency_is_built_from_the_locked_commit(
    workshop: Workshop, index: IndexServer
) -> None:
    files = {f"python/{name}": data for name, data in hatchling_project("lib").items()}
    head = repository(workshop.root / "repo", files)
    url = (workshop.root / "repo").as_uri()
    project = uv_project(
        workshop.root / "app",
        index.simple_url,
        ["lib"],
        sources={"lib": {"git": url, "branch": "main", "subdirectory": "python"}},
    )
    (source,) = sources_of(project)
    assert (source.kind, source.commit, source.subdirectory) == ("vcs", head, "python")
    write_files(workshop.root / "repo" / "python" / "src" / "lib", {"later.py": b""})
    git(workshop.root / "repo", "add", ".")
    git(workshop.root / "repo", "commit", "-q", "-m", "later")
    built = paths(workshop, project)["lib"]
    assert "lib/__init__.py" in built
    assert "lib/later.py" not in built


@pytest.mark.fault(19)
@pytest.mark.parametrize("legacy", [False, True])
def test_a_source_distribution_is_built_by_setuptools(
    workshop: Workshop, index: IndexServer, *, legacy: bool
) -> None:
    setup = b"from setuptools import setup\nsetup(name='lib', version='1.0', py_modules=['lib'])\n"
    files = {"setup.py": setup, "lib.py": b"VALUE = 1\n"}
    if not legacy:
        files["pyproject.toml"] = b'[build-system]\nrequires = ["setuptools"]\n'
    index.add_file(*sdist("lib", "1.0", files))
    project = uv_project(workshop.root / "app", index.simple_url, ["lib"])
    (source,) = sources_of(project)
    assert source.kind == "sdist"
    assert source.index_url
    assert "lib.py" in paths(workshop, project)["lib"]


@pytest.mark.fault(21)
def test_a_url_archive_is_built(workshop: Workshop, index: IndexServer) -> None:
    url = index.add_file(*sdist("lib", "1.0", hatchling_project("lib")))
    project = uv_project(workshop.root / "app", index.simple_url, [f"lib @ {url}"])
    (source,) = sources_of(project)
    assert source.kind == "archive"
    assert "lib/__init__.py" in paths(workshop, project)["lib"]


def test_equal_sources_are_built_to_equal_wheels(workshop: Workshop, index: IndexServer) -> None:
    index.add_file(*sdist("lib", "1.0", hatchling_project("lib")))
    project = uv_project(workshop.root / "app", index.simple_url, ["lib"])
    (source,) = sources_of(project)
    elsewhere = Workshop(workshop.root / "elsewhere")
    elsewhere.root.mkdir()
    (first,) = workshop.build_all([source], folder=project.directory)
    (second,) = elsewhere.build_all([source], folder=project.directory)
    assert first.sha256 == second.sha256


def test_what_the_project_ignores_is_not_taken_out_of_the_wheels_of_others(
    workshop: Workshop, index: IndexServer
) -> None:
    index.add_file(*sdist("lib", "1.0", hatchling_project("lib")))
    project = uv_project(workshop.root / "app", index.simple_url, ["lib"])
    # hatchling leaves out what the nearest ignore file around a project says.
    repository(workshop.root, {".gitignore": b"lib/\nbuild/\n"})
    assert "lib/__init__.py" in paths(workshop, project)["lib"]


# ---- what builds require


def test_a_build_that_changes_its_environment_changes_no_other(
    workshop: Workshop, index: IndexServer
) -> None:
    backend = (
        "import alpha, pathlib, shutil\n"
        "def build_wheel(folder, *args):\n"
        "    with open(alpha.__file__, 'r+') as module:\n"
        "        assert 'changed' not in module.read()\n"
        "        module.write('changed = True')\n"
        "    (wheel,) = pathlib.Path().glob('*.whl')\n"
        "    shutil.copy(wheel, folder)\n"
        "    return wheel.name\n"
    )
    project = uv_project(workshop.root / "app", index.simple_url)
    for name in ("one", "two"):
        wheel = WheelSpec(name=name)
        files = {
            "pyproject.toml": IN_TREE.replace("[]", '["alpha"]').encode(),
            "backend.py": backend.encode(),
            wheel.filename: wheel.data,
        }
        source = locked_source("directory", write_files(workshop.root / name, files), name)
        assert workshop.build_all([source], folder=project.directory)


def test_what_a_backend_asks_for_later_is_installed_too(
    workshop: Workshop, index: IndexServer
) -> None:
    backend = (
        "import pathlib, shutil\n"
        "def get_requires_for_build_wheel(*args):\n"
        "    return ['alpha', 'beta; python_version < \"3\"']\n"
        "def build_wheel(folder, *args):\n"
        "    import alpha\n"
        "    (wheel,) = pathlib.Path().glob('*.whl')\n"
        "    shutil.copy(wheel, folder)\n"
        "    return wheel.name\n"
    )
    wheel = WheelSpec(name="lib")
    files = {"pyproject.toml": IN_TREE.encode(), "backend.py": backend.encode()}
    folder = write_files(workshop.root / "lib", {**files, wheel.filename: wheel.data})
    project = uv_project(workshop.root / "app", index.simple_url)
    built = workshop.build_all(
        [locked_source("directory", folder, "lib")], folder=project.directory
    )
    assert [each.name for each in built] == ["lib"]


@pytest.mark.fault(58)
def test_a_requirement_that_has_no_wheel_is_refused_before_its_code_runs(
    workshop: Workshop, index: IndexServer
) -> None:
    ran = workshop.root / "ran"
    setup = f"import pathlib\npathlib.Path({str(ran)!r}).touch()\n"
    setup += "from setuptools import setup\nsetup()\n"
    index.add_file(*sdist("tool", "1.0", {"setup.py": setup.encode()}))
    folder = write_files(
        workshop.root / "lib",
        {"pyproject.toml": b'[build-system]\nrequires = ["tool"]\nbuild-backend = "tool"\n'},
    )
    project = uv_project(workshop.root / "app", index.simple_url)
    with pytest.raises(BuildError) as caught:
        workshop.build_all([locked_source("directory", folder, "lib")], folder=project.directory)
    said = str(caught.value)
    assert "requirements of package `lib` (from its folder) can't be installed: tool" in said
    assert "wheels only" in said
    assert not ran.exists()


def test_a_requirement_that_the_index_does_not_have_is_named(
    workshop: Workshop, index: IndexServer
) -> None:
    folder = write_files(workshop.root / "lib", {"setup.py": b"import no_such_thing"})
    index.files.clear()
    project = uv_project(workshop.root / "app", index.simple_url)
    with pytest.raises(BuildError, match=r"setuptools>=40\.8\.0"):
        workshop.build_all([locked_source("directory", folder, "lib")], folder=project.directory)


# ---- secrets


SPY = """\
import json, os, pathlib, subprocess, sys, urllib.request


def parents():
    pid = os.getpid()
    while pid > 1 and os.path.exists(f"/proc/{pid}/stat"):
        yield pathlib.Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
        pid = int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def look(where):
    home = pathlib.Path("~").expanduser()
    found = {
        "where": where,
        "environment": dict(os.environ),
        "parents": list(parents()),
        "netrc": (home / ".netrc").read_text() if (home / ".netrc").exists() else None,
        "named": os.environ.get("NETRC"),
        "home": [str(path) for path in home.rglob("*")],
        "proxies": urllib.request.getproxies(),
        "argv": sys.argv,
    }
    with open(LOG, "a") as log:
        print(json.dumps(found), file=log)
"""


def read_log(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def protected(
    workshop: Workshop, backends: list[WheelSpec], monkeypatch: pytest.MonkeyPatch
) -> Iterator[IndexServer]:
    """An index with a password, which uv and our own fetches get in the ways that leak nowhere."""
    with IndexServer(user="me", password=CANARY) as server:
        server.add(*backends)
        home = Path(os.environ["HOME"])
        netrc = home / "secret-netrc"
        netrc.write_text(f"machine 127.0.0.1 login me password {CANARY}\n", encoding="utf-8")
        (home / ".netrc").write_text(
            f"machine x.test login me password {CANARY}\n", encoding="utf-8"
        )
        for name, value in {
            "AWS_SECRET_ACCESS_KEY": CANARY,
            "AWS_SESSION_TOKEN": CANARY,
            "UV_INDEX_X_USERNAME": "me",
            "UV_INDEX_X_PASSWORD": CANARY,
            "PIP_INDEX_URL": server.simple_url_with_credentials,
            "UV_EXTRA_INDEX_URL": server.simple_url_with_credentials,
            "NETRC": str(netrc),
        }.items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.mark.fault(57)
@pytest.mark.fault(58)
def test_a_setup_script_finds_no_secret_while_its_requirements_need_one(
    workshop: Workshop, protected: IndexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What it finds is written outside of the build.
    monkeypatch.setenv("HATCH_LAMBDA_LAYER_SANDBOX", "0")
    log = workshop.root / "log"
    setup = f"LOG = {str(log)!r}\n{SPY}\nlook('setup.py')\nfrom setuptools import setup\n"
    setup += "setup(name='lib', version='1.0', py_modules=['lib'])\n"
    protected.add_file(*sdist("lib", "1.0", {"setup.py": setup.encode(), "lib.py": b""}))
    project = uv_project(workshop.root / "app", protected.simple_url, lock=False)
    text = project.pyproject.read_text(encoding="utf-8")
    named = text.replace("[[tool.uv.index]]", '[[tool.uv.index]]\nname = "x"')
    project.pyproject.write_text(named, encoding="utf-8")
    source = locked_source(
        "sdist",
        protected.file_url("lib-1.0.tar.gz"),
        "lib",
        version="1.0",
        sha256=protected.files["lib-1.0.tar.gz"].hashes["sha256"],
        index_url=protected.simple_url,
    )
    (wheel,) = workshop.build_all([source], folder=project.directory)
    seen = read_log(log)
    # Both hooks ran it, and both the requirements and the source had needed the password.
    assert len(seen) >= 2
    assert any(request.headers.get("Authorization") for request in protected.requests)
    assert CANARY not in log.read_text(encoding="utf-8")
    assert [facts["netrc"] for facts in seen] == [None] * len(seen)
    everything = [content(wheel, member.path) for member in wheel.members]
    everything += [path.read_bytes() for path in workshop.root.rglob("*.json")]
    assert CANARY.encode() not in b"".join(everything)
    assert CANARY not in str(workshop.shown.lines)


@pytest.mark.fault(58)
def test_a_requirement_that_runs_whenever_python_starts_finds_no_secret(
    workshop: Workshop, protected: IndexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Else uv remembers what it has asked the interpreter before.
    monkeypatch.setenv("UV_NO_CACHE", "1")
    # What it finds is written outside of the build.
    monkeypatch.setenv("HATCH_LAMBDA_LAYER_SANDBOX", "0")
    log = workshop.root / "log"
    backend = (
        "def get_requires_for_build_wheel(*args): return ['spy', 'hatchling']\n"
        "from hatchling.build import build_wheel\n"
    )
    spy = f"LOG = {str(log)!r}\n{SPY}\nlook('start of Python')\n".encode()
    files = {"spy_start.py": spy, "spy.pth": b"import spy_start\n", "spy.py": backend.encode()}
    protected.add(WheelSpec(name="spy", files=files))
    build = '[build-system]\nrequires = ["spy", "hatchling"]\nbuild-backend = "spy"\n'
    files = hatchling_project("lib")
    files["pyproject.toml"] = (
        files["pyproject.toml"].partition(b"[build-system]")[0] + build.encode()
    )
    folder = write_files(workshop.root / "lib", files)
    project = uv_project(workshop.root / "app", protected.simple_url, lock=False)
    workshop.build_all([locked_source("directory", folder, "lib")], folder=project.directory)
    # Installed twice, the second time because the backend asks for more.
    assert len(read_log(log)) >= 2
    assert CANARY not in log.read_text(encoding="utf-8")


@pytest.mark.fault(57)
def test_a_failing_installation_does_not_show_the_password(
    workshop: Workshop, protected: IndexServer
) -> None:
    folder = write_files(
        workshop.root / "lib", {"pyproject.toml": b'[build-system]\nrequires = ["missing-1a2b"]\n'}
    )
    with pytest.raises(BuildError, match="missing-1a2b") as caught:
        workshop.build_all([locked_source("directory", folder, "lib")])
    assert any(request.headers.get("Authorization") for request in protected.requests)
    assert CANARY not in str(caught.value)


# ---- native code


def native_project(body: str) -> dict[str, bytes]:
    setup = (
        "from setuptools import Extension, setup\n"
        "extension = Extension('lib', ['lib.c'], libraries=['m', 'dl'])\n"
        "setup(name='lib', version='1.0', ext_modules=[extension])\n"
    )
    source = (
        "#define _GNU_SOURCE\n#include <Python.h>\n#include <dlfcn.h>\n#include <math.h>\n"
        "#include <stdlib.h>\n"
        f"static PyObject *call(PyObject *self, PyObject *argument) {{ {body} }}\n"
        'static PyMethodDef methods[] = {{"call", call, METH_O, ""}, {0}};\n'
        'static PyModuleDef module = {PyModuleDef_HEAD_INIT, "lib", "", -1, methods};\n'
        "PyMODINIT_FUNC PyInit_lib(void) { return PyModule_Create(&module); }\n"
    )
    return {"setup.py": setup.encode(), "lib.c": source.encode()}


HERE = Architecture.parse(platform.machine()) if platform.system() == "Linux" else None
OTHER = {Architecture.X86_64: Architecture.ARM64, Architecture.ARM64: Architecture.X86_64}
PLAIN = "return PyLong_FromLong(1);"
# Bound to the newest version of the symbol that the glibc of this machine has.
NEWER = {
    "dlsym": ('return PyLong_FromVoidPtr(dlsym(RTLD_DEFAULT, "main"));', (2, 34)),
    "arc4random": (
        "extern unsigned arc4random(void); return PyLong_FromLong(arc4random());",
        (2, 36),
    ),
}


def native_source(workshop: Workshop, index: IndexServer, body: str) -> tuple[LockedSource, Path]:
    index.add_file(*sdist("lib", "1.0", native_project(body)))
    project = uv_project(workshop.root / "app", index.simple_url, ["lib"])
    (source,) = sources_of(project)
    return source, project.directory


def here(runtime: str = RUNTIME) -> Target:
    assert HERE is not None
    return Target(runtimes()[runtime], HERE)


def glibc() -> tuple[int, int]:
    version = os.confstr("CS_GNU_LIBC_VERSION") or ""
    major, minor = version.split()[-1].split(".")[:2]
    return int(major), int(minor)


@pytest.mark.fault(20)
def test_an_extension_that_fits_is_taken_and_can_be_imported(
    workshop: Workshop, index: IndexServer
) -> None:
    require(c_compiler, headers=True)
    source, folder = native_source(workshop, index, PLAIN)
    (wheel,) = workshop.build_all([source], here(), folder)
    assert wheel.filename.endswith(f"-linux_{platform.machine()}.whl")
    (library,) = (each.path for each in wheel.members if each.path.endswith(".so"))
    installed = write_files(workshop.root / "installed", {library: content(wheel, library)})
    code = f"import sys; sys.path.insert(0, {str(installed)!r}); import lib; print(lib.call(0))"
    python = require(interpreter_for, RUNTIME)
    assert subprocess.check_output([python, "-I", "-c", code], text=True) == "1\n"
    shown = len(workshop.shown.lines)
    assert workshop.build_all([source], here(), folder) == (wheel,)
    assert len(workshop.shown.lines) == shown


@pytest.mark.fault(20)
def test_an_extension_for_the_other_architecture_is_refused_before_it_is_compiled(
    workshop: Workshop, index: IndexServer
) -> None:
    require(c_compiler, headers=True)
    assert HERE is not None
    source, folder = native_source(workshop, index, PLAIN)
    other = Target(here().runtime, OTHER[HERE])
    with pytest.raises(BuildError) as caught:
        workshop.build_all([source], other, folder)
    said = str(caught.value)
    assert "`lib 1.0`" in said
    assert "has only a source distribution" in said
    assert f"needs a compiler for {other.id}" in said
    assert "they were not run" in said
    assert "Lambda's build image" in said


@pytest.mark.fault(17)
@pytest.mark.fault(20)
@pytest.mark.parametrize("symbol", NEWER)
@pytest.mark.parametrize("runtime", ["python3.11", "python3.13"])
def test_an_extension_fits_as_long_as_its_symbols_are_in_the_runtimes_glibc(
    workshop: Workshop,
    index: IndexServer,
    monkeypatch: pytest.MonkeyPatch,
    symbol: str,
    runtime: str,
) -> None:
    require(c_compiler, headers=True)
    python = require(interpreter_for, runtime)
    body, version = NEWER[symbol]
    if glibc() < version:
        pytest.skip(f"the glibc of this machine is older than {symbol} is")
    source, folder = native_source(workshop, index, body)
    monkeypatch.setenv("PATH", f"{python.parent}{os.pathsep}{os.environ['PATH']}")
    target = here(runtime)
    named = f"{symbol}@GLIBC_{version[0]}.{version[1]}"
    ceiling = "{}.{}".format(*target.runtime.glibc)
    if version <= target.runtime.glibc:
        (wheel,) = workshop.build_all([source], target, folder)
        cp = "cp{}{}".format(*target.runtime.python_version)
        assert wheel.filename == f"lib-1.0-{cp}-{cp}-linux_{platform.machine()}.whl"
        return
    with pytest.raises(BuildError) as caught:
        workshop.build_all([source], target, folder)
    said = str(caught.value)
    assert f"needs {named} of" in said
    assert f"GLIBC up to {ceiling}" in said
    assert "`lib 1.0`" in said
    assert ".so`" in said


def test_a_compiler_that_fails_is_quoted(workshop: Workshop, index: IndexServer) -> None:
    require(c_compiler, headers=True)
    index.add_file(*sdist("lib", "1.0", native_project("return no_such_thing_1a2b;")))
    data = index.files["lib-1.0.tar.gz"]
    source = locked_source(
        "sdist", index.file_url("lib-1.0.tar.gz"), "lib", sha256=data.hashes["sha256"]
    )
    project = uv_project(workshop.root / "app", index.simple_url)
    with pytest.raises(BuildError, match="no_such_thing_1a2b"):
        workshop.build_all([source], here(), project.directory)


def test_the_running_python_is_enough_for_its_own_runtime() -> None:
    assert RUNTIME == OWN or OWN not in runtimes()
