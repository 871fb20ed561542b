"""Imports where Lambda's own parts do it: its client, a container, and emulated arm64."""

from __future__ import annotations

import platform
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer._internal.console import Console
from hatch_lambda_layer.import_proof.opening import Wishes
from hatch_lambda_layer.import_proof.proof import prove_imports
from hatch_lambda_layer.targets.target import Architecture, Target, runtimes
from tests.support.displays import Lines
from tests.support.lambda_sandbox import arm64_root, runtime_client
from tests.support.source_factory import write_files
from tests.support.system_parts import find_interpreters, require

if TYPE_CHECKING:
    from pathlib import Path

    from hatch_lambda_layer.import_proof.report import ImportReport
    from tests.support.container_engine import ContainerEngine

HERE = Architecture.parse(platform.machine())
RUNTIME = [name for name in find_interpreters() if name != "python3.10"][-1]
INFO = "Metadata-Version: 2.1\nName: alpha\nVersion: 1\n"
# What of a sandbox and a container alike a function must find as on Lambda.
LOOKING = """
import os, socket
assert __file__ == "/opt/python/looking.py"
assert not [name for name in os.environ if "SECRET" in name or "TOKEN" in name]
try:
    socket.create_connection(("192.0.2.1", 80), 5)
except OSError as error:
    assert "unreachable" in str(error), error
for folder in ("/opt/python", "/var/task", "/usr"):
    try:
        open(folder + "/written", "w")
    except OSError:
        continue
    raise AssertionError(folder)
open("/tmp/written", "w").close()
"""


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    folder = tmp_path / "layer"
    files = {"alpha.py": "", "broken.py": "import not_there\n", "looking.py": LOOKING}
    files |= {"alpha-1.dist-info/METADATA": INFO}
    files |= {"alpha-1.dist-info/entry_points.txt": "[console_scripts]\nalpha = alpha:main\n"}
    return write_files(folder, {f"python/{name}": text.encode() for name, text in files.items()})


def proved(layer: Path, target: Target, wishes: Wishes) -> ImportReport:
    return prove_imports(layer, target, Console(Lines()), wishes=wishes)


@pytest.fixture(autouse=True)
def without_an_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")


def check(report: ImportReport) -> None:
    found = {each.name: each.verdict for each in report.modules}
    assert found == {"alpha": "imported", "broken": "failed", "looking": "imported"}, report
    (distribution,) = report.distributions
    assert (distribution.name, distribution.version, distribution.error) == ("alpha", "1", "")
    assert distribution.entry_points == 1


@pytest.fixture
def client(tmp_path: Path) -> Path:
    """An interpreter for which Lambda's client is installed, in a virtual environment."""
    interpreter = find_interpreters()[RUNTIME]
    installed = require(runtime_client, interpreter)
    folder = tmp_path / "venv"
    subprocess.run([interpreter, "-m", "venv", "--without-pip", folder], check=True)
    shutil.copytree(
        installed, folder / "lib" / RUNTIME / "site-packages", dirs_exist_ok=True, symlinks=True
    )
    return folder / "bin" / "python"


def test_metadata_is_read_through_the_runtimes_own_client(layer: Path, client: Path) -> None:
    target = Target(runtimes()[RUNTIME], HERE)
    report = proved(layer, target, Wishes(place="bubblewrap", python=client))
    check(report)
    assert report.client
    assert any("awslambdaric" in note for note in report.notes)


def test_a_layer_that_keeps_the_client_from_starting_is_found_out(
    layer: Path, client: Path
) -> None:
    # As the backport for Python 2 that some locks still have.
    (layer / "python" / "enum.py").write_text("raise ImportError('of Python 2')\n")
    target = Target(runtimes()[RUNTIME], HERE)
    report = proved(layer, target, Wishes(place="bubblewrap", python=client))
    (unreadable,) = report.unreadable
    assert unreadable.name == "the runtime's client"
    assert "of Python 2" in unreadable.error
    assert not report.is_proof


def test_a_container_of_the_runtimes_image(layer: Path, engine: ContainerEngine) -> None:
    made = f"public.ecr.aws/sam/build-python3.11:latest-{HERE.value}"
    engine.podman("tag", made, f"public.ecr.aws/lambda/python:3.11-{HERE.value}")
    report = proved(layer, Target(runtimes()["python3.11"], HERE), Wishes(place="container"))
    check(report)
    assert report.place == "container"
    assert report.python.endswith(f"of public.ecr.aws/lambda/python:3.11-{HERE.value}")


@pytest.mark.skipif(HERE is Architecture.ARM64, reason="there is nothing to emulate")
def test_arm64_is_emulated_on_the_root_of_an_image(layer: Path) -> None:
    root = require(arm64_root, "3.13")
    target = Target(runtimes()["python3.13"], Architecture.ARM64)
    report = proved(layer, target, Wishes(root=root))
    check(report)
    assert any("emulated" in note for note in report.notes)
