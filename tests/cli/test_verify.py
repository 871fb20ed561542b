"""`verify` without `--import`: the audit of any layer or function, whoever has made it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from hatch_lambda_layer.cli.main import main
from tests.support.elf_factory import AARCH64, ElfSpec
from tests.support.source_factory import write_files
from tests.support.wheel_factory import DIRECTORY, SYMLINK, Member, WheelSpec, zip_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from tests.support.layer_project import Project

SUFFIX = ".cpython-313-x86_64-linux-gnu.so"
GOOD = ElfSpec(module="_x").data
DEMO = {
    f"demo/_x{SUFFIX}": GOOD,
    "demo/__init__.py": b"",
    "demo-1.0.dist-info/METADATA": b"Name: Demo\nVersion: 1.0\nRequires-Dist: gamma\n\ntext\n",
    "demo-1.0.dist-info/RECORD": f"demo/_x{SUFFIX},,\ndemo/__init__.py,,\n".encode(),
    "demo-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nTag: cp313-cp313-linux_x86_64\n",
    "demo-1.0.dist-info/entry_points.txt": b"[console_scripts]\ndemo = demo:main\n",
}


def verify(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["verify", *map(str, arguments)])


def below(prefix: str, files: dict[str, bytes]) -> dict[str, bytes]:
    return {f"{prefix}{path}": content for path, content in files.items()}


def codes(result: Result) -> list[tuple[str, str]]:
    table = json.loads(result.stdout)
    assert table["schema"] == 1
    return [(each["code"], each["severity"]) for each in table["findings"]]


def test_a_layer_that_was_built_here_has_nothing_wrong(project: Project) -> None:
    project.build()
    done = verify(project.zip)
    assert done.exit_code == 0, done.output
    assert done.stdout == "layer for python3.13-x86_64: nothing found\n"


def test_a_folder_of_sam_is_a_function(tmp_path: Path) -> None:
    write_files(tmp_path / "build" / "Function", {**DEMO, "app.py": b""})
    done = verify(tmp_path / "build" / "Function")
    assert done.exit_code == 0, done.output
    assert "warning: demo 1.0 requires `gamma`" in done.stdout
    assert "function for python3.13-x86_64: 1 warning, 1 note (`-v` shows them)" in done.stdout
    assert "note: demo 1.0: its launchers" in verify("-v", tmp_path / "build" / "Function").stdout
    (tmp_path / "build" / "template.yaml").touch()
    done = verify(tmp_path / "build")
    assert done.exit_code == 1
    assert "has layers and functions in it: Function" in done.stderr


@pytest.mark.fault(160)
def test_an_error_exits_with_1(tmp_path: Path) -> None:
    bad = {**DEMO, f"demo/_x{SUFFIX}": ElfSpec(module="_x", machine=AARCH64).data}
    write_files(tmp_path / "layer", below("python/", bad))
    done = verify(tmp_path / "layer", "--architecture", "x86_64")
    assert done.exit_code == 1
    assert done.stdout.startswith(f"error: `python/demo/_x{SUFFIX}` of demo 1.0 is for 64-bit")
    # Nothing but the code itself tells what it is for.
    done = verify(tmp_path / "layer", "--format", "json")
    assert json.loads(done.stdout)["architecture"] == "arm64"
    assert ("HLL006", "error") in codes(done)


@pytest.mark.fault(160)
def test_what_pip_installed_for_another_python_is_found(tmp_path: Path) -> None:
    write_files(tmp_path / "layer", below("python/", DEMO))
    done = verify(tmp_path / "layer", "--runtime", "python3.12", "--format", "json")
    assert done.exit_code == 1
    assert ("HLL006", "error") in codes(done)


@pytest.mark.parametrize("python", ["3.13", "3.12"])
def test_the_folder_of_a_version_is_read_by_that_version(tmp_path: Path, python: str) -> None:
    files = below(f"python/lib/python{python}/site-packages/", DEMO)
    write_files(tmp_path / "layer", {**files, "python/other.py": b""})
    done = verify(
        *(tmp_path / "layer", "--runtime", "python3.13"),
        *("--architecture", "x86_64", "--format", "json"),
    )
    if python == "3.13":
        assert codes(done) == [("HLL013", "warning"), ("HLL018", "note")]
    else:
        assert codes(done) == [("HLL023", "warning")]


@pytest.mark.fault(161)
def test_links_in_a_zip_are_followed(tmp_path: Path) -> None:
    needs = ElfSpec(module="_x", libraries=["libdemo.so.1"]).data
    library = ElfSpec(soname="libdemo.so.1.2").data
    members = [
        Member("python/", mode=DIRECTORY),
        Member(f"python/demo/_x{SUFFIX}", needs),
        Member("lib/libdemo.so.1.2", library),
    ]
    link = Member("lib/libdemo.so.1", b"libdemo.so.1.2", mode=SYMLINK)
    path = tmp_path / "layer.zip"
    path.write_bytes(zip_bytes([*members, link]))
    done = verify(path, "--format", "json")
    assert (done.exit_code, codes(done)) == (0, [])
    out = Member("lib/libdemo.so.1", b"../../../etc/passwd", mode=SYMLINK)
    path.write_bytes(zip_bytes([*members, out]))
    assert codes(verify(path, "--format", "json")) == [("HLL007", "warning")]


def test_a_zip_in_a_zip_is_told(tmp_path: Path) -> None:
    inner = zip_bytes([Member("python/a.py", b"")])
    path = tmp_path / "layer.zip"
    path.write_bytes(zip_bytes([Member("layer.zip", inner)]))
    done = verify(path, "--runtime", "python3.13", "--format", "json")
    assert (done.exit_code, codes(done)) == (1, [("HLL022", "error")])
    path = tmp_path / "function.zip"
    path.write_bytes(zip_bytes([Member(".requirements.zip", inner), Member("app.py", b"")]))
    done = verify(path, "--runtime", "python3.13", "--format", "json")
    assert (done.exit_code, codes(done)) == (0, [("HLL022", "note")])


@pytest.mark.fault(36)
def test_more_than_lambda_takes_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "layer.zip"
    members = [Member("python/a.py"), Member("python/large.bin", bytes(262_144_001))]
    path.write_bytes(zip_bytes(members))
    done = verify(path, "--runtime", "python3.13", "--format", "json")
    assert (done.exit_code, codes(done)) == (1, [("HLL021", "error")])


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06", WheelSpec(name="x").data[:-9]])
def test_what_is_not_a_zip_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "layer.zip"
    path.write_bytes(content)
    done = verify(path, "--runtime", "python3.13")
    assert done.exit_code == 1
    assert f"{path} is refused" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_path_that_is_not_there_is_said(tmp_path: Path) -> None:
    done = verify(tmp_path / "none.zip")
    assert done.exit_code == 1
    assert "none.zip does not exist" in done.stderr
    (tmp_path / "empty").mkdir()
    assert "There is no file in" in verify(tmp_path / "empty").stderr


def test_a_circle_of_links_ends(tmp_path: Path) -> None:
    write_files(tmp_path / "f", {"app.py": b"", "lib/a/b.py": b""})
    (tmp_path / "f" / "lib" / "a" / "up").symlink_to("../..")
    (tmp_path / "f" / "out").symlink_to("/etc")
    (tmp_path / "f" / "same").symlink_to("lib")
    done = verify(tmp_path / "f", "--runtime", "python3.13", "--format", "json")
    assert (done.exit_code, codes(done)) == (0, [])


def test_options_of_the_import_need_it(tmp_path: Path) -> None:
    done = verify(tmp_path, "--unsafe")
    assert done.exit_code == 2
    assert "need --import" in done.stderr
