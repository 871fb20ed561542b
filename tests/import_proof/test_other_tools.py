"""Layers and functions in the layouts of other tools: what `verify --import` finds in each.

The layouts are those that sam 1.170 (`sam build`), poetry-plugin-lambda-build 2.1 and
serverless-python-requirements 6.1 leave, with small files in them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from hatch_lambda_layer.cli.main import main
from tests.import_proof.conftest import RUNTIME, TARGET
from tests.support.elf_factory import AARCH64, X86_64, ElfSpec
from tests.support.source_factory import write_files
from tests.support.wheel_factory import STORED, Member, zip_bytes

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("working")
MACHINE = TARGET.architecture.machine
HERE = {"x86_64": X86_64, "aarch64": AARCH64}[MACHINE]
ELSEWHERE = {"x86_64": AARCH64, "aarch64": X86_64}[MACHINE]
TAG = f"cpython-{RUNTIME.removeprefix('python').replace('.', '')}"
SUFFIX = f".{TAG}-{MACHINE}-linux-gnu.so"
NAMED = ("--runtime", RUNTIME, "--architecture", TARGET.architecture.value)
INFO = {
    "alpha-1.dist-info/METADATA": b"Metadata-Version: 2.1\nName: alpha\nVersion: 1\n",
    "alpha-1.dist-info/RECORD": b"alpha/__init__.py,,\n",
    "alpha-1.dist-info/WHEEL": f"Tag: cp{TAG[8:]}-{TAG[:8]}none-any\n".encode(),
}
ALPHA = {"alpha/__init__.py": b"", **INFO}
REQUIREMENTS = {"requirements.txt": b"alpha\n"}


@pytest.fixture(autouse=True)
def without_an_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")


def native(*libraries: str, machine: int = HERE) -> bytes:
    return ElfSpec(module="_x", machine=machine, libraries=libraries).data


def verified(path: Path, *arguments: str) -> tuple[int, set[tuple[str, str]], set[str]]:
    """Return the exit code, codes with severities, and the modules that failed."""
    done = CliRunner().invoke(
        main, ["verify", str(path), "--import", "--format", "json", *arguments]
    )
    table = json.loads(done.stdout)
    failed = {each["name"] for each in table["imports"]["modules"] if each["verdict"] != "imported"}
    found = {(each["code"], each["severity"]) for each in table["findings"]}
    return done.exit_code, found, failed


def below(prefix: str, files: dict[str, bytes]) -> dict[str, bytes]:
    return {f"{prefix}{path}": content for path, content in files.items()}


# `sam build` leaves a folder for each layer and function, beside the template.


def test_a_function_of_sam_is_sound(tmp_path: Path) -> None:
    build = tmp_path / ".aws-sam" / "build"
    app = {"app.py": b"import alpha\ndef handler(event, context): ...\n"}
    write_files(
        build, {"template.yaml": b"", **below("Function/", {**ALPHA, **app, **REQUIREMENTS})}
    )
    assert verified(build / "Function", *NAMED) == (0, set(), set())


def test_what_make_has_installed_for_another_machine(tmp_path: Path) -> None:
    layer = tmp_path / ".aws-sam" / "build" / "Layer"
    write_files(layer, below("python/", {**ALPHA, f"alpha/_x{SUFFIX}": native(machine=ELSEWHERE)}))
    code, found, failed = verified(layer, *NAMED)
    assert (code, failed) == (1, {"alpha._x"})
    assert found >= {("HLL001", "error")}


def test_a_layer_of_sam_without_a_library(tmp_path: Path) -> None:
    layer = tmp_path / ".aws-sam" / "build" / "Layer"
    write_files(layer, below("python/", {**ALPHA, f"_x{SUFFIX}": native("libodbc.so.2")}))
    # The name of the module tells for which runtime it is.
    assert verified(layer) == (1, {("HLL007", "warning"), ("HLL040", "error")}, {"_x"})


# serverless-python-requirements zips with JSZip, which has the modes of folders, too.


def of_serverless(files: dict[str, bytes]) -> bytes:
    members = [Member("python/", mode=0o040775)]
    for path, content in below("python/", {**REQUIREMENTS, **files}).items():
        members.append(Member(path, content, mode=0o100664))
    return zip_bytes(members)


def test_a_layer_of_serverless_is_sound(tmp_path: Path) -> None:
    path = tmp_path / "pythonRequirements.zip"
    path.write_bytes(of_serverless(ALPHA))
    assert verified(path, *NAMED) == (0, set(), set())


def test_of_a_slim_layer_nothing_tells_what_is_optional(tmp_path: Path) -> None:
    path = tmp_path / "pythonRequirements.zip"
    # `slim` removes the metadata, so that there are no wheels to compare it with.
    tk = {"alpha/__init__.py": b"", f"alpha/_x{SUFFIX}": native("libtk8.6.so")}
    path.write_bytes(of_serverless(tk))
    warnings = {("HLL007", "warning"), ("HLL040", "warning")}
    assert verified(path) == (0, warnings, {"alpha._x"})
    path.write_bytes(of_serverless({**tk, "alpha/__init__.py": b"from . import _x\n"}))
    code, found, failed = verified(path)
    assert (code, failed) == (1, {"alpha"})
    assert found >= {("HLL040", "error")}


def test_a_function_that_unzips_its_requirements(tmp_path: Path) -> None:
    path = tmp_path / "service.zip"
    inner = zip_bytes([Member("alpha/__init__.py", b"")])
    unzip = (
        b"import os, sys, zipfile\n"
        b"zipfile.ZipFile(os.environ['LAMBDA_TASK_ROOT'] + '/.requirements.zip')"
        b".extractall('/tmp/sls-py-req')\n"
        b"sys.path.insert(0, '/tmp/sls-py-req')\n"
    )
    members = [Member(".requirements.zip", inner), Member("unzip_requirements.py", unzip)]
    members.append(Member("handler.py", b"import unzip_requirements, alpha\n"))
    path.write_bytes(zip_bytes(members))
    assert verified(path, *NAMED) == (0, {("HLL022", "note")}, set())


@pytest.mark.fault(160)
def test_what_was_installed_on_a_mac_needs_no_architecture_to_be_found(tmp_path: Path) -> None:
    path = tmp_path / "pythonRequirements.zip"
    wheel = f"Tag: cp{TAG[8:]}-cp{TAG[8:]}-macosx_14_0_arm64\n".encode()
    files = {**ALPHA, "alpha-1.dist-info/WHEEL": wheel}
    files |= {f"alpha/_x.{TAG}-darwin.so": b"\xcf\xfa\xed\xfe PyInit__x"}
    path.write_bytes(of_serverless({**files, "alpha/__init__.py": b"from . import _x\n"}))
    code, found, failed = verified(path)
    assert (code, failed >= {"alpha"}) == (1, True)
    assert found >= {("HLL006", "error"), ("HLL040", "error")}


# poetry-plugin-lambda-build stores files without their folders, and appends a checksum.


def of_poetry(files: dict[str, bytes], folder: str) -> bytes:
    checksum = {f"{folder}checksum": b"0f" * 16}
    members = {**below(folder, files), **checksum}
    return zip_bytes([Member(path, content, STORED) for path, content in members.items()])


def test_a_layer_of_poetry_is_sound(tmp_path: Path) -> None:
    path = tmp_path / "layer.zip"
    path.write_bytes(of_poetry(ALPHA, "python/"))
    assert verified(path, *NAMED) == (0, set(), set())


def test_a_layer_of_poetry_without_a_folder_for_python(tmp_path: Path) -> None:
    path = tmp_path / "layer.zip"
    path.write_bytes(of_poetry(ALPHA, ""))
    # As the function that it would be, all can be imported.
    assert verified(path, *NAMED) == (0, {("HLL024", "warning")}, set())
    # The plugin makes the function in the same way, and rightly so.
    path = path.rename(tmp_path / "function.zip")
    assert verified(path, *NAMED) == (0, set(), set())


@pytest.mark.fault(160)
def test_what_the_pip_of_another_python_has_installed(tmp_path: Path) -> None:
    path = tmp_path / "layer.zip"
    files = {**ALPHA, "alpha/__init__.py": b"from . import _x\n"}
    files |= {f"alpha/_x.cpython-36-{MACHINE}-linux-gnu.so": native()}
    path.write_bytes(of_poetry(files, "python/"))
    code, found, failed = verified(path, *NAMED)
    assert (code, failed >= {"alpha"}) == (1, True)
    assert found == {("HLL006", "error"), ("HLL040", "error")}


@pytest.mark.fault(125)
def test_modes_that_keep_a_function_from_reading_are_found(tmp_path: Path) -> None:
    path = tmp_path / "layer.zip"
    closed = [Member("python/closed/", mode=0o040700), Member("python/closed/__init__.py")]
    path.write_bytes(zip_bytes([*closed, Member("python/mine.py", mode=0o100600)]))
    code, found, failed = verified(path, *NAMED)
    # For Python, a folder that it can't read is a namespace package with nothing in it.
    assert (code, failed) == (1, {"mine"})
    assert found == {("HLL025", "error"), ("HLL040", "error")}
    path.write_bytes(zip_bytes([Member("python/mine.py", mode=0o100604)]))
    assert verified(path, *NAMED) == (0, set(), set())
