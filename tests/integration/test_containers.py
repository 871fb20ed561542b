"""Native sources become layers that import, through real engines, whatever happens on the way."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.integration import COMMAND, LayerProject, make_project
from tests.support.container_engine import (
    RUNTIME,
    ContainerEngine,
    container_engine,
    docker_client,
    started,
)
from tests.support.index_server import IndexServer
from tests.support.lambda_sandbox import arm64_root, extract_layer, import_all, import_all_arm64
from tests.support.leaks import LeakWatch
from tests.support.lock_factory import LockedFile, LockedPackage, uv_project
from tests.support.same_set import index_table
from tests.support.source_factory import (
    IN_TREE,
    copying_project,
    installed_wheels,
    repository,
    sdist,
    telling_project,
    told,
    write_files,
)
from tests.support.system_parts import interpreter_for, require
from tests.support.tools import isolate, tool_path, tool_project
from tests.support.waiting import wait_until
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from pathlib import Path


CANARY = "canary-7b1d-0x"
USER = "reader"
NOBODY = 65534
TABLE = f"""
[tool.lambda-layer]
runtimes = ["{RUNTIME}"]
build = "container"
[tool.lambda-layer.container]
"""
PODMAN = 'engine = "podman"\n'
MODULE = """\
#include <Python.h>
static PyModuleDef module = {{PyModuleDef_HEAD_INIT, "{name}", "", -1, 0}};
PyMODINIT_FUNC PyInit_{name}(void) {{ return PyModule_Create(&module); }}
"""
SETUP = """\
from setuptools import Extension, setup
setup(name="{name}", version="1.0", ext_modules=[Extension("{name}", ["{name}.c"])])
"""


# What setuptools does, by gcc itself.
COMPILING = """\
import base64, hashlib, pathlib, platform, subprocess, sysconfig, zipfile
NAME = "{name}"


def build_wheel(folder, config_settings=None, metadata_directory=None):
    include = "-I" + sysconfig.get_path("include")
    gcc = ["gcc", "-shared", "-fPIC", include]
    subprocess.run([*gcc, NAME + ".c", "-o", NAME + ".so"], check=True)
    tag, info = "cp311-cp311-linux_" + platform.machine(), NAME + "-1.0.dist-info"
    metadata = "Metadata-Version: 2.1\\nName: " + NAME + "\\nVersion: 1.0\\n"
    wheel = "Wheel-Version: 1.0\\nRoot-Is-Purelib: false\\nTag: " + tag + "\\n"
    files = {{
        NAME + ".so": pathlib.Path(NAME + ".so").read_bytes(),
        info + "/METADATA": metadata.encode(),
        info + "/WHEEL": wheel.encode(),
    }}
    record = info + "/RECORD,,\\n"
    for path, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record += path + ",sha256=" + digest + "," + str(len(data)) + "\\n"
    name = NAME + "-1.0-" + tag + ".whl"
    with zipfile.ZipFile(pathlib.Path(folder, name), "w") as archive:
        for path, data in {{**files, info + "/RECORD": record.encode()}}.items():
            archive.writestr(path, data)
    return name
"""


def compiled(name: str) -> dict[str, bytes]:
    """Give a project whose module is machine code, built by gcc itself."""
    project = f'{IN_TREE}[project]\nname = "{name}"\nversion = "1.0"\n'
    return {
        "pyproject.toml": project.encode(),
        "backend.py": COMPILING.format(name=name).encode(),
        f"{name}.c": MODULE.format(name=name).encode(),
    }


def extension(name: str) -> dict[str, bytes]:
    """Give a project whose module is machine code, built by setuptools."""
    project = f'[build-system]\nrequires = ["setuptools"]\n[project]\nname = "{name}"\n'
    return {
        "pyproject.toml": f'{project}version = "1.0"\n'.encode(),
        "setup.py": SETUP.format(name=name).encode(),
        f"{name}.c": MODULE.format(name=name).encode(),
    }


@pytest.fixture
def backends(index: IndexServer) -> IndexServer:
    """An index with setuptools, as a build needs it."""
    index.add(*installed_wheels("setuptools"))
    return index


def imported(zip_path: Path, folder: Path, architecture: str, *modules: str) -> dict[str, str]:
    """Import modules of a layer at read-only /opt; give the errors."""
    layer = extract_layer(zip_path, folder)
    if architecture == "arm64":
        return import_all_arm64(layer, require(arm64_root), modules)
    return import_all(layer, require(interpreter_for, RUNTIME), modules)


# ---- native sources


@pytest.mark.parametrize("architecture", ["x86_64", "arm64"])
def test_native_sdists_and_commits_become_a_layer_that_imports(
    tmp_path: Path, backends: IndexServer, asked: Path, architecture: str
) -> None:
    require(container_engine, architecture)
    # Under emulation, setuptools alone takes half a minute.
    source = extension if architecture == "x86_64" else compiled
    backends.add_file(*sdist("packed", "1.0", source("packed")))
    checkout = tmp_path / "committed"
    head = repository(checkout, compiled("committed"))
    made = uv_project(
        tmp_path / "app",
        backends.simple_url,
        ["packed", "committed"],
        sources={"committed": {"git": checkout.as_uri(), "rev": head}},
        extra_toml=TABLE.replace("build =", f'architectures = ["{architecture}"]\nbuild =')
        + PODMAN,
    )
    project = LayerProject(made.directory, tmp_path / "cache")
    _, said = project.build()
    assert said.count("Building package") == 2
    assert imported(project.zip, tmp_path / "opt", architecture, "packed", "committed") == {}
    assert started(asked) == 1
    project.zip.unlink()
    project.build()
    assert started(asked) == 1


@pytest.mark.parametrize("architecture", ["x86_64", "arm64"])
def test_a_native_folder_of_a_poetry_project_becomes_a_layer_that_imports(
    tmp_path: Path,
    backends: IndexServer,
    engine: ContainerEngine,
    monkeypatch: pytest.MonkeyPatch,
    architecture: str,
) -> None:
    require(container_engine, architecture)
    isolate(monkeypatch, tmp_path / "user", require(tool_path, "poetry"))
    write_files(tmp_path / "beside", compiled("beside"))
    pyproject = (
        '[project]\nname = "app"\nversion = "1.0"\nrequires-python = ">=3.11,<4"\n'
        'dependencies = ["beside"]\n'
        '[tool.poetry.dependencies]\nbeside = { path = "../beside" }\n'
        f"{index_table('poetry', backends.simple_url)}"
        f'[[tool.uv.index]]\nurl = "{backends.simple_url}"\ndefault = true\n'
    )
    table = TABLE.replace("build =", f'architectures = ["{architecture}"]\nbuild =') + PODMAN
    made = tool_project("poetry", tmp_path / "app", pyproject + table, tmp_path / "state")
    project = LayerProject(made.directory, tmp_path / "cache")
    project.build()
    assert imported(project.zip, tmp_path / "opt", architecture, "beside") == {}


# ---- who runs it, and how it ends


@pytest.fixture
def slow(tmp_path: Path, engine: ContainerEngine) -> LayerProject:
    """A project with one source that is built in a container, in half a second."""
    # A build that is killed can't remove its temporary files; they go with this test's folder.
    project = make_project(tmp_path / "app", TABLE + PODMAN, {"TMPDIR": str(tmp_path)})
    wheel = WheelSpec(name="lib", tag="cp311-abi3-linux_x86_64", root_is_purelib=False)
    files = copying_project(wheel)
    files["backend.py"] = b"import time\ntime.sleep(0.25)\n" + files["backend.py"]
    write_files(project.directory / "lib", files)
    project.write_lock(LockedPackage(name="lib", directory={"path": "lib"}))
    return project


@pytest.mark.moments
@pytest.mark.fault(41, 61)
def test_a_build_that_is_killed_leaves_no_container_and_no_half_wheel(
    slow: LayerProject, engine: ContainerEngine, *, all_moments: bool
) -> None:
    chance = random.Random(5)  # noqa: S311  # the same moments in every run
    moments = 20 if all_moments else 6
    for moment in range(moments):
        process = slow.start()
        # One moment in each slice of the whole.
        time.sleep(0.1 + 2.1 * (moment + chance.random()) / moments)
        process.kill()
        process.communicate()
        wait_until(lambda: engine.containers(slow.cache) == [])
        built = slow.cache / "v2" / "built"
        files = [each for each in built.rglob("*") if each.is_file()]
        assert [each for each in files if not each.read_bytes()] == []
    slow.build()
    assert slow.packages() == ["lib"]
    assert {path.name for path in slow.leftovers()} <= {".gitignore", "CACHEDIR.TAG"}


@pytest.mark.fault(61)
def test_a_container_ends_when_all_who_know_of_it_are_killed(
    slow: LayerProject, engine: ContainerEngine
) -> None:
    backend = slow.directory / "lib" / "backend.py"
    backend.write_bytes(backend.read_bytes().replace(b"0.25", b"60"))
    process = slow.start()
    wait_until(lambda: engine.containers(slow.cache) != [])
    time.sleep(1)
    for pid in (process.pid, *children(process.pid)):
        os.kill(pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    wait_until(lambda: engine.containers(slow.cache) == [])


def children(pid: int) -> list[int]:
    listed = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(each) for each in listed.stdout.split()]


@pytest.mark.fault(42, 61)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_build_ends_its_container(
    slow: LayerProject, engine: ContainerEngine, number: signal.Signals
) -> None:
    backend = slow.directory / "lib" / "backend.py"
    backend.write_bytes(backend.read_bytes().replace(b"0.25", b"60"))
    process = slow.start()
    wait_until(lambda: engine.containers(slow.cache) != [])
    time.sleep(0.5)
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert "Interrupted: no layer was written" in said
    assert engine.containers(slow.cache) == []
    assert not slow.zip.exists()


@pytest.mark.fault(61)
def test_over_dockers_socket_another_users_files_are_that_users(
    slow: LayerProject, engine: ContainerEngine, tmp_path: Path
) -> None:
    require(docker_client)
    pyproject = slow.directory / "pyproject.toml"
    before = 'before-build = ["touch /by-root"]\n'
    pyproject.write_text(TABLE + 'engine = "docker"\n' + before, encoding="utf-8")
    slow.cache.mkdir()
    home = tmp_path / "home"
    home.mkdir()
    backend = slow.directory / "lib" / "backend.py"
    # What nobody may enter is no reason to leave anything behind.
    locking = "    import os; os.makedirs(folder + '/a/b'); os.chmod(folder + '/a', 0)\n"
    text = backend.read_text("utf-8")
    head = next(line for line in text.splitlines(keepends=True) if line.startswith("def build_w"))
    backend.write_text(text.replace(head, head + locking), encoding="utf-8")
    seen = "raise SystemExit(f'{__import__(\"os\").getuid()} builds')\n"
    broken = seen.encode() + backend.read_bytes()
    for path in (tmp_path, *tmp_path.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    ids = ["--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"]
    # It may read everything, the interpreter of the tests too, and write nothing but its own.
    capability = ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
    entrance = ["setpriv", *ids, *capability, "--", *COMMAND]
    with engine.socket(tmp_path) as environment:
        slow.environment.update(environment, HOME=str(home), TMPDIR=str(home))
        slow.build(entrance=entrance)
        owners = {path.lstat().st_uid for path in tmp_path.rglob("*") if path.name != "engine.sock"}
        assert owners == {NOBODY}
        assert slow.packages() == ["lib"]
        assert not (slow.directory / "build" / "lambda" / "layer" / "artifacts").exists()
        backend.write_bytes(broken)
        _, said = slow.build(entrance=entrance, code=1)
        assert f"{NOBODY} builds" in said
        owners = {path.lstat().st_uid for path in tmp_path.rglob("*") if path.name != "engine.sock"}
        assert owners == {NOBODY}
    assert engine.containers(slow.cache) == []


# ---- secrets


@pytest.mark.fault(57, 58)
def test_a_password_is_in_no_mount_argument_image_log_or_wheel(
    tmp_path: Path, engine: ContainerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    with IndexServer(user=USER, password=CANARY) as private:
        private.add(WheelSpec(name="helper"))
        files = telling_project("teller", tag="cp311-abi3-linux_x86_64")
        files["pyproject.toml"] = IN_TREE.replace("[]", '["helper"]', 1).encode()
        files["backend.py"] = b"import helper, time\ntime.sleep(1)\n" + files["backend.py"]
        private.add_file(*sdist("teller", "1.0", files))
        variables = {
            "HATCH_LAMBDA_LAYER_INDEX_ACME_USERNAME": USER,
            "HATCH_LAMBDA_LAYER_INDEX_ACME_PASSWORD": CANARY,
        }
        own = f'[[tool.lambda-layer.indexes]]\nname = "acme"\nurl = "{private.simple_url}"\n'
        project = make_project(tmp_path / "app", TABLE + PODMAN + own, variables)
        project.write_lock(
            LockedPackage(
                name="teller",
                version="1.0",
                sdist=LockedFile(
                    filename="teller-1.0.tar.gz",
                    data=private.files["teller-1.0.tar.gz"].data,
                    url=private.file_url("teller-1.0.tar.gz"),
                ),
                index=private.simple_url,
            )
        )
        images = engine.podman("images", "--all", "--quiet").split()
        inspected: list[str] = []

        def inspect() -> None:
            names = wait_until(lambda: engine.containers(project.cache))
            inspected.append(engine.podman("inspect", *names))

        inspecting = threading.Thread(target=inspect)
        inspecting.start()
        with LeakWatch(CANARY, project.directory, project.cache, tmp_path / "uv-cache") as watch:
            out, said = project.build("-v")
        inspecting.join()
        assert any(request.headers.get("Authorization") for request in private.requests)
    assert watch.samples > 10
    assert watch.arguments == set()
    assert watch.files == set()
    assert CANARY not in out + said + inspected[0]
    assert '"Destination": "/build/out"' in inspected[0]
    assert set(engine.podman("images", "--all", "--quiet").split()) <= set(images)
    with zipfile.ZipFile(project.zip) as layer:
        seen = told(layer.read("python/teller.py"))
    assert CANARY not in str(seen)
    assert not any(name.startswith("HATCH_LAMBDA") for name in seen["environment"])
