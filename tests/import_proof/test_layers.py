"""Layers and functions in all the forms that tools leave them in, on disk and as zips."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer.exceptions import LambdaLayerError
from hatch_lambda_layer.import_proof.contents import read_contents
from hatch_lambda_layer.import_proof.unpacking import set_modes, unpack_layer
from tests.import_proof.conftest import RUNTIME, TARGET, by_name
from tests.support.source_factory import write_files
from tests.support.system_parts import MissingPart, require, tool
from tests.support.wheel_factory import SYMLINK, Member, zip_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from hatch_lambda_layer.import_proof.report import ImportReport

SITE = f"python/lib/{RUNTIME}/site-packages"
INFO = b"Metadata-Version: 2.1\nName: alpha\nVersion: 1\n"


def names(folder: Path) -> list[str]:
    return [each.name for each in read_contents(folder, TARGET).modules]


def zipped(path: Path, *members: Member) -> Path:
    path.write_bytes(zip_bytes(members))
    return path


def test_modules_are_found_as_python_finds_them(tmp_path: Path) -> None:
    files = {
        "python/module.py": b"",
        "python/compiled.pyc": b"",
        "python/native.abi3.so": b"",
        "python/bare.so": b"\0PyInit_bare\0",
        "python/libbare.so": b"a library, no module",
        "python/old.cpython-38-x86_64-linux-gnu.so": b"",
        "python/package/__init__.py": b"",
        "python/package/sub/_x.abi3.so": b"",
        "python/package/plain/__init__.py": b"",
        "python/space/one/__init__.py": b"",
        "python/space/two.py": b"",
        "python/space/data/text.txt": b"",
        "python/some.libs/libz.so": b"",
        "python/alpha-1.dist-info/METADATA": INFO,
        "python/bin/program.py": b"",
        "python/class.py": b"",
        "python/with-dash.py": b"",
        "python/__pycache__/x.py": b"",
        f"{SITE}/module.py": b"",
        f"{SITE}/only_here.py": b"",
        "lib/libgomp.so.1": b"",
    }
    write_files(tmp_path, files)
    contents = read_contents(tmp_path, TARGET)
    assert (contents.kind, contents.roots) == ("layer", (SITE, "python"))
    found = {each.name: (each.is_top, each.extensions) for each in contents.modules}
    tops = ["module", "compiled", "native", "bare", "old", "package", "only_here"]
    assert found == {
        **dict.fromkeys([*tops, "space.one", "space.two"], (True, ())),
        "package.sub": (False, ("package.sub._x",)),
    }


def test_another_runtimes_folder_is_not_read(tmp_path: Path) -> None:
    write_files(tmp_path, {"python/lib/python3.8/site-packages/alpha.py": b""})
    with pytest.raises(LambdaLayerError, match=rf"{RUNTIME} does not read python/lib/python3.8/"):
        read_contents(tmp_path, TARGET)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"layer.zip": b"PK"}, "unpack it, and verify the zip in it"),
        ({"one/python/a.py": b"", "template.yaml": b""}, "is not a layer, but has some in it: one"),
        ({"one/python/a.txt": b""}, "a layer has its modules in `python/`"),
        ({"python/nothing.txt": b""}, "a layer has its modules in `python/`"),
    ],
)
def test_what_has_no_module_is_an_error(
    tmp_path: Path, files: Mapping[str, bytes], words: str
) -> None:
    write_files(tmp_path, dict(files))
    with pytest.raises(LambdaLayerError, match=words):
        read_contents(tmp_path, TARGET)


def test_links_are_followed_where_they_stay_inside(tmp_path: Path) -> None:
    opt = tmp_path / "opt"
    write_files(opt, {"python/real/__init__.py": b""})
    (opt / "python" / "inside").symlink_to("real")
    (opt / "python" / "around").symlink_to("..")
    (opt / "python" / "outside").symlink_to(tmp_path)
    contents = read_contents(opt, TARGET)
    assert [each.name for each in contents.modules] == ["inside", "real"]
    outside = {note.partition(" ")[0] for note in contents.notes}
    assert outside == {"python/around", "python/outside"}


@pytest.mark.usefixtures("working")
def test_a_layer_that_zip_has_made_keeps_its_links(
    tmp_path: Path, prove: Callable[..., ImportReport]
) -> None:
    if tool("zip") is None:
        require(_no_zip)
    write_files(tmp_path, {f"{SITE}/real/__init__.py": b"VALUE = 1\n", f"{SITE}/.hidden": b""})
    (tmp_path / SITE / "linked").symlink_to("real")
    write_files(tmp_path, {f"{SITE}/alpha-1.dist-info/METADATA": INFO})
    subprocess.run(["zip", "-qry", "layer.zip", "python"], cwd=tmp_path, check=True)
    report = prove(tmp_path / "layer.zip")
    assert {each.name: each.verdict for each in report.modules} == {
        "linked": "imported",
        "real": "imported",
    }
    assert report.is_proof
    assert [(each.name, each.version) for each in report.distributions] == [("alpha", "1")]


def _no_zip() -> None:
    raise MissingPart("`zip` is not installed")


@pytest.mark.usefixtures("working")
def test_a_function_as_sam_build_leaves_it(
    tmp_path: Path, prove: Callable[..., ImportReport]
) -> None:
    function = tmp_path / ".aws-sam" / "build" / "Hello"
    handler = b"import alpha\ndef handler(event, context): ...\n"
    write_files(
        function, {"app.py": handler, "alpha/__init__.py": b"assert __file__[:9] == '/var/task'"}
    )
    write_files(function, {"alpha-1.dist-info/METADATA": INFO, ".requirements.zip": b""})
    report = prove(function)
    assert report.is_proof
    assert {*by_name(report)} == {"app", "alpha"}
    assert report.code_sha256 is None
    assert ".requirements.zip is a zip in it, which Python does not read" in report.notes


@pytest.mark.usefixtures("working")
def test_a_file_that_only_its_owner_may_read_is_not_imported(
    tmp_path: Path, prove: Callable[..., ImportReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    layer = zipped(
        tmp_path / "layer.zip",
        Member("python/private.py", mode=0o100600),
        Member("python/shared.py", mode=0o100644),
        Member("python/of_windows.py", mode=0, create_system=0),
        Member("python/closed/__init__.py", mode=0o100600),
    )
    found = by_name(prove(layer))
    assert {name: each.verdict for name, each in found.items()} == {
        "private": "failed",
        "shared": "imported",
        "of_windows": "imported",
        "closed": "failed",
    }
    assert "Permission denied" in found["private"].message
    assert not found["private"].compared


@pytest.mark.usefixtures("working")
def test_metadata_that_is_not_valid_is_said(
    tmp_path: Path, prove: Callable[..., ImportReport]
) -> None:
    write_files(
        tmp_path, {"python/a.py": b"", "python/broken-1.dist-info/METADATA": b"Name: broken\n"}
    )
    write_files(tmp_path, {"python/alpha-1.dist-info/METADATA": INFO})
    write_files(tmp_path, {"python/alpha-1.dist-info/entry_points.txt": b"[x]\nno equals sign\n"})
    report = prove(tmp_path)
    assert {each.name: bool(each.error) for each in report.distributions} == {
        "alpha": True,
        "broken": True,
    }
    assert "its metadata has no Version" in report.unreadable[1].error
    assert not report.is_proof


@pytest.mark.fault(125)
@pytest.mark.parametrize(
    ("members", "words"),
    [
        ([Member("../python/a.py")], "its name leads out of the archive"),
        ([Member("/python/a.py")], "its name is an absolute path"),
        ([Member("python\\a.py")], "its name has a backslash"),
        ([Member("python/pipe", mode=0o010644)], "it is a device, pipe or socket"),
        ([Member("python/a.py", b"x", crc=7)], "its content is not what its header says"),
        ([Member("python/a.py", b"12345678", size=3)], "more than its header says"),
        ([Member("python/a.py", b"x" * 99, raw=b"\xff" * 20)], "its content is damaged"),
        ([Member("python/l", b"x" * 5000, mode=SYMLINK)], "longer than any path"),
        ([Member("python/l", b"a", mode=SYMLINK), Member("python/l")], "in the archive twice"),
        (
            [Member("python/big.py", size=2 << 30, csize=9, raw=b"123456789")],
            "unpacks to more than",
        ),
    ],
)
def test_a_hostile_archive_is_refused(tmp_path: Path, members: list[Member], words: str) -> None:
    layer = zipped(tmp_path / "layer.zip", *members)
    with pytest.raises(LambdaLayerError, match=words):
        unpack_layer(layer, tmp_path / "folder")
    assert not (tmp_path / "python").exists()


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    link = Member("python/link", str(outside).encode(), mode=SYMLINK)
    layer = zipped(tmp_path / "layer.zip", link, Member("python/link/a.py"))
    with pytest.raises(LambdaLayerError, match="in the archive twice"):
        unpack_layer(layer, tmp_path / "folder")
    assert list(outside.iterdir()) == []


def test_what_is_no_zip_is_said(tmp_path: Path) -> None:
    layer = tmp_path / "layer.zip"
    layer.write_bytes(b"no zip")
    with pytest.raises(LambdaLayerError, match=r"layer.zip is refused: it is not a valid zip"):
        unpack_layer(layer, tmp_path / "folder")
    with pytest.raises(LambdaLayerError, match="can't be unpacked: No such file"):
        unpack_layer(tmp_path / "absent.zip", tmp_path / "folder")


def test_the_modes_are_those_of_others(tmp_path: Path) -> None:
    members = [Member("python/a.py", mode=0o100750), Member("python/b.py", mode=0o100705)]
    modes = unpack_layer(zipped(tmp_path / "x.zip", *members), tmp_path / "folder")
    assert (tmp_path / "folder/python/a.py").stat().st_mode & 0o777 == 0o644
    set_modes(modes)
    assert (tmp_path / "folder/python/a.py").stat().st_mode & 0o777 == 0
    assert (tmp_path / "folder/python/b.py").stat().st_mode & 0o777 == 0o555
