"""The command and the option of the build: exit codes, what is written, what stays."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from hatch_lambda_layer.cli.main import main
from hatch_lambda_layer.exceptions import AuditError, LambdaLayerError
from hatch_lambda_layer.import_proof.guess import target_of
from tests.import_proof.conftest import RUNTIME, TARGET
from tests.support.displays import Lines
from tests.support.elf_factory import AARCH64, X86_64, ElfSpec
from tests.support.source_factory import write_files
from tests.support.wheel_factory import Member, WheelSpec, zip_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from tests.support.layer_project import Project

pytestmark = pytest.mark.usefixtures("working")
HERE = TARGET.architecture.value
BROKEN = WheelSpec(
    name="broken", files={"broken/__init__.py": b"from . import part\n", "broken/part.py": b""}
)


@pytest.fixture(autouse=True)
def configured(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    project.configure(runtimes=[RUNTIME], architectures=[HERE])


def verify(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["verify", "--import", *map(str, arguments)])


def test_a_sound_layer_is_measured_beside_its_zip(project: Project) -> None:
    built = project.build()
    manifest = project.json.read_bytes()
    done = verify(project.zip)
    assert done.exit_code == 0, done.output
    assert "2 of 2 modules and 0 extension modules imported" in done.stdout
    assert "in a sandbox of bubblewrap, with Python" in done.stdout
    assert "metadata of 2 of 2 distributions read" in done.stdout
    (code, proof), *rest = json.loads(
        project.zip.with_name("layer.verify.json").read_text("utf-8")
    )["proofs"].items()
    assert (code, rest) == (built.manifest.code_sha256, [])
    assert proof["is_proof"] is True
    assert {each["name"] for each in proof["modules"]} == {"alpha", "beta"}
    assert project.json.read_bytes() == manifest


def test_a_broken_layer_exits_with_1(project: Project) -> None:
    project.configure(prune=["**/broken/part.py"])
    project.lock(BROKEN)
    project.build()
    done = verify(project.zip)
    assert done.exit_code == 1
    assert "error: Module `broken` can't be imported: ImportError" in done.stdout
    assert "(HLL040)" in done.stdout
    table = json.loads(verify(project.zip, "--format", "json", "-q").stdout)
    assert (table["counts"]["error"], table["imports"]["proved"]) == (1, False)
    assert table["imports"]["modules"][0]["compared"] is True


def test_the_audit_is_in_the_same_report(tmp_path: Path) -> None:
    files = {"python/good.py": b"", "python/agent.pth": b"import good\n"}
    other = AARCH64 if HERE == "x86_64" else X86_64
    tag = f"cpython-{RUNTIME.removeprefix('python').replace('.', '')}"
    suffix = f".{tag}-{TARGET.architecture.machine}-linux-gnu.so"
    files[f"python/_x{suffix}"] = ElfSpec(module="_x", machine=other).data
    write_files(tmp_path / "f", files)
    done = verify(tmp_path / "f", "--runtime", RUNTIME, "--architecture", HERE, "--format", "json")
    assert done.exit_code == 1
    table = json.loads(done.stdout)
    found = {(each["code"], each["severity"]) for each in table["findings"]}
    assert found == {("HLL001", "error"), ("HLL015", "note"), ("HLL040", "error")}
    assert table["counts"] == {"error": 2, "warning": 0, "note": 1}
    assert {each["name"] for each in table["imports"]["modules"]} == {"good", "_x"}
    text = verify("-v", tmp_path / "f", "--runtime", RUNTIME, "--architecture", HERE).stdout
    assert "1 of 2 modules and 0 extension modules imported" in text
    assert text.index("(HLL001)") < text.index("(HLL040)") < text.index("(HLL015)")
    assert text.endswith("layer for " + TARGET.id + ": 2 errors, 1 note\n")


def test_an_error_of_the_audit_alone_exits_with_1(tmp_path: Path) -> None:
    cut = ElfSpec(soname="libcut.so.1").data[:80]
    write_files(tmp_path / "f", {"python/good.py": b"", "lib/libcut.so.1": cut})
    named = ("--runtime", RUNTIME, "--architecture", HERE, "--format", "json")
    done = verify(tmp_path / "f", *named)
    table = json.loads(done.stdout)
    assert (done.exit_code, table["imports"]["proved"]) == (1, True)
    assert {(each["code"], each["severity"]) for each in table["findings"]} == {("HLL005", "error")}


def test_the_audit_is_told_where_nothing_can_be_imported(tmp_path: Path) -> None:
    write_files(tmp_path / "f", {"python/a.py": b"", "python/agent.pth": b"import a\n"})
    named = ("--runtime", RUNTIME, "--architecture", HERE, "--python", tmp_path / "none")
    done = verify(tmp_path / "f", *named, "--format", "json")
    assert done.exit_code == 1
    table = json.loads(done.stdout)
    assert [each["code"] for each in table["findings"]] == ["HLL015"]
    assert table["imports"] is None
    assert "none" in done.stderr


def test_a_folder_needs_a_name_for_what_nothing_tells(tmp_path: Path) -> None:
    write_files(tmp_path / "f", {"app.py": b"def handler(event, context): ...\n"})
    done = verify(tmp_path / "f")
    assert done.exit_code == 1
    assert "Nothing tells the runtime of" in done.stderr
    done = verify(tmp_path / "f", "--runtime", RUNTIME)
    assert done.exit_code == 0, done.output
    assert [path.name for path in tmp_path.glob("*.json")] == []


@pytest.mark.parametrize(
    ("names", "target"),
    [
        (["python/a.cpython-313-aarch64-linux-gnu.so"], "python3.13-arm64"),
        (["python/lib/python3.12/site-packages/a.py"], f"python3.12-{HERE}"),
        (["python/a.abi3.so", "python/b.cpython-311-x86_64-linux-gnu.so"], "python3.11-x86_64"),
    ],
)
def test_files_tell_the_target(tmp_path: Path, names: list[str], target: str) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(zip_bytes([Member(name) for name in names]))
    assert target_of(path, None, None, None).id == target


@pytest.mark.parametrize(
    ("names", "named", "words"),
    [
        (["python/a.abi3.so"], (RUNTIME, None), "Nothing tells the architecture"),
        (["python/a.py"], (RUNTIME, "sparc"), "Architecture 'sparc' is unknown"),
        (["python/a.py"], ("python2.7", None), "Runtime 'python2.7' is unknown"),
        (
            ["a.cpython-313-x86_64-linux-gnu.so", "a.cpython-312-x86_64-linux-gnu.so"],
            (None, None),
            "Nothing tells the runtime",
        ),
    ],
)
def test_what_tells_no_target_is_an_error(
    tmp_path: Path, names: list[str], named: tuple[str | None, str | None], words: str
) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(zip_bytes([Member(name) for name in names]))
    with pytest.raises(LambdaLayerError, match=words):
        target_of(path, None, *named)


def test_a_file_that_is_absent_or_no_zip_is_said(tmp_path: Path) -> None:
    assert "absent.zip does not exist" in verify(tmp_path / "absent.zip").stderr
    path = tmp_path / "x.zip"
    path.write_bytes(b"x")
    assert "x.zip is refused: it is not a valid zip" in verify(path).stderr


def test_a_build_imports_before_it_writes(project: Project) -> None:
    project.build()
    before = project.zip.read_bytes()
    project.configure(verify="import", prune=["**/broken/part.py"])
    project.lock(*project.wheels, BROKEN)
    with pytest.raises(AuditError, match="Module `broken` can't be imported"):
        project.build()
    assert project.zip.read_bytes() == before
    assert not project.zip.with_name("layer.verify.json").exists()
    project.configure(ignore=["HLL040"])
    assert project.build().rebuilt
    assert project.zip.with_name("layer.verify.json").exists()


def test_a_current_layer_is_imported_once(project: Project) -> None:
    project.build()
    project.configure(verify="import")
    first, second = Lines(), Lines()
    assert not project.build(first).rebuilt
    assert "Importing 2 modules" in first.text
    assert not project.build(second).rebuilt
    assert "Importing" not in second.text


def test_measurements_are_removed_with_the_layer(project: Project) -> None:
    project.configure(verify="import")
    project.build()
    assert len(list(project.zip.parent.iterdir())) == 3
    project.project_build(Lines()).clean()
    assert not project.zip.parent.exists() or list(project.zip.parent.iterdir()) == []
