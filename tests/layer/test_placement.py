"""Where the members of a wheel go in a layer, and what RECORD says of them then."""

from __future__ import annotations

import base64
import csv
import io
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer.exceptions import ConflictError
from hatch_lambda_layer.layer.placement import place
from hatch_lambda_layer.layer.tree import Entry, LayerTree
from hatch_lambda_layer.targets.target import Architecture, Target, runtimes
from hatch_lambda_layer.wheels.verify import verify_wheel
from tests.support.hostile_wheels import HOSTILE
from tests.support.unusual_wheels import UNUSUAL
from tests.support.wheel_factory import EXECUTABLE_FILE, STORED, Member, WheelSpec

if TYPE_CHECKING:
    from pathlib import Path

TARGET = Target(runtimes()["python3.13"], Architecture.X86_64)
DATA = "demo-1.0.data"
BASE = WheelSpec(name="demo")
ELF = b"\x7fELF\x02\x01\x01" + bytes(100)


def placed(
    spec: WheelSpec, folder: Path, target: Target = TARGET
) -> tuple[dict[str, Entry], list[str]]:
    entries, findings = place(verify_wheel(spec.write(folder), spec.filename, spec.sha256), target)
    by_path = {entry.path: entry for entry in entries}
    assert len(by_path) == len(entries)
    assert {each.code for each in findings} <= {"HLL017"}
    return by_path, [each.message for each in findings]


def content(entry: Entry) -> bytes:
    """Read an entry as the archive will: its compressed bytes from where they lie."""
    if isinstance(entry.source, bytes):
        data = entry.source
    else:
        whole = entry.source.read_bytes()
        data = whole[entry.offset : entry.offset + entry.compressed_size]
    return zlib.decompress(data, -15) if entry.method else data


def record_rows(entries: dict[str, Entry]) -> list[list[str]]:
    (record,) = (entry for path, entry in entries.items() if path.endswith(".dist-info/RECORD"))
    return list(csv.reader(io.StringIO(content(record).decode(), newline="")))


def assert_record_is_true(entries: dict[str, Entry]) -> None:
    rows = record_rows(entries)
    assert sorted(f"python/{path}" for path, _, _ in rows) == sorted(entries)
    for path, digest, size in rows:
        entry = entries[f"python/{path}"]
        if path.endswith(".dist-info/RECORD"):
            assert (digest, size) == ("", "")
            continue
        expected = base64.urlsafe_b64encode(bytes.fromhex(entry.sha256)).decode().rstrip("=")
        assert (digest, size) == (f"sha256={expected}", str(entry.size))
        assert len(content(entry)) == entry.size


def test_the_root_of_a_wheel_goes_below_python(tmp_path: Path) -> None:
    spec = BASE.with_files(
        Member("top_level.py", b"TOP = 1\n"),
        Member("demo/native.so", ELF, STORED, mode=EXECUTABLE_FILE),
    )

    entries, notes = placed(spec, tmp_path)

    assert {path: content(entry) for path, entry in entries.items()} == {
        f"python/{member.path}": member.data for member in spec.members
    }
    assert notes == []
    assert {entry.owner for entry in entries.values()} == {"demo"}
    assert [path for path, entry in entries.items() if entry.executable] == [
        "python/demo/native.so"
    ]
    assert_record_is_true(entries)


def test_members_stay_as_they_are_compressed_in_the_wheel(tmp_path: Path) -> None:
    spec = BASE.with_files(Member("demo/text.txt", b"text " * 500))

    entries, _ = placed(spec, tmp_path)

    entry = entries["python/demo/text.txt"]
    assert entry.source == tmp_path / spec.filename
    assert entry.compressed_size < entry.size
    member = next(member for member in spec.members if member.path == "demo/text.txt")
    assert spec.data[entry.offset :].startswith(member.payload)


@pytest.mark.fault(30)
def test_each_folder_of_data_has_its_place(tmp_path: Path) -> None:
    entries, notes = placed(UNUSUAL["data-folders"](), tmp_path)

    assert sorted(entries) == [
        "python/bin/demo-tool",
        "python/demo-1.0.dist-info/METADATA",
        "python/demo-1.0.dist-info/RECORD",
        "python/demo-1.0.dist-info/WHEEL",
        "python/demo/__init__.py",
        "python/demo_plat.py",
        "python/demo_pure.py",
        "python/share/demo/table.csv",
    ]
    assert content(entries["python/share/demo/table.csv"]) == b"1,2\n"
    (note,) = notes
    assert "demo 1.0" in note
    assert "demo-1.0.data/headers/demo.h" in note
    assert_record_is_true(entries)


@pytest.mark.fault(30)
def test_headers_that_are_left_out_are_counted(tmp_path: Path) -> None:
    headers = [Member(f"{DATA}/headers/sub/{n}.h", b"#pragma once\n") for n in range(3)]

    entries, notes = placed(BASE.with_files(*headers), tmp_path)

    assert not [path for path in entries if path.endswith(".h")]
    assert len(notes) == 1
    assert "headers" in notes[0]
    assert "and 2 more" in notes[0]
    assert_record_is_true(entries)


@pytest.mark.fault(30)
@pytest.mark.parametrize("runtime", ["python3.12", "python3.13"])
@pytest.mark.parametrize("first_line", [b"#!python", b"#!pythonw", b"#!python\r"])
def test_a_python_script_starts_the_interpreter_of_the_target(
    first_line: bytes, runtime: str, tmp_path: Path
) -> None:
    script = Member(f"{DATA}/scripts/tool", first_line + b"\nimport sys\nprint(sys.argv)\n")
    target = Target(runtimes()[runtime], Architecture.ARM64)

    entries, notes = placed(BASE.with_files(script), tmp_path, target)

    entry = entries["python/bin/tool"]
    shebang = f"#!/var/lang/bin/{runtime}\n".encode()
    assert content(entry) == shebang + b"import sys\nprint(sys.argv)\n"
    assert entry.executable
    assert notes == []
    assert_record_is_true(entries)


@pytest.mark.fault(30)
def test_a_script_of_one_line_without_an_end_is_rewritten(tmp_path: Path) -> None:
    entries, _ = placed(BASE.with_files(Member(f"{DATA}/scripts/tool", b"#!python")), tmp_path)

    assert content(entries["python/bin/tool"]) == b"#!/var/lang/bin/python3.13\n"
    assert_record_is_true(entries)


@pytest.mark.fault(30)
@pytest.mark.parametrize(
    "code", [ELF, b"#!/bin/sh\necho\n", b"#! python\n", b"", b"print('#!python')\n"]
)
def test_any_other_script_is_copied_and_made_executable(code: bytes, tmp_path: Path) -> None:
    entries, _ = placed(BASE.with_files(Member(f"{DATA}/scripts/tool", code)), tmp_path)

    entry = entries["python/bin/tool"]
    assert content(entry) == code
    assert entry.source == tmp_path / BASE.filename
    assert entry.executable
    assert_record_is_true(entries)


@pytest.mark.fault(30)
def test_a_stored_script_is_rewritten_too(tmp_path: Path) -> None:
    script = Member(f"{DATA}/scripts/tool", b"#!python\nprint()\n", STORED)

    entries, _ = placed(BASE.with_files(script), tmp_path)

    assert content(entries["python/bin/tool"]).endswith(b"python3.13\nprint()\n")


@pytest.mark.fault(30)
def test_the_new_record_quotes_what_needs_quotes_and_is_utf8(tmp_path: Path) -> None:
    names = ['a,"b".csv', "caf\u00e9.csv"]
    spec = BASE.with_files(*(Member(f"{DATA}/data/share/{name}", b"1") for name in names))

    entries, _ = placed(spec, tmp_path)

    assert {f"share/{name}" for name in names} < {row[0] for row in record_rows(entries)}
    assert_record_is_true(entries)


@pytest.mark.fault(30)
def test_the_new_record_is_the_same_for_another_order_of_members(tmp_path: Path) -> None:
    spec = UNUSUAL["data-folders"]()
    turned = replace(spec, edit=lambda members: members[::-1])
    records = [
        content(placed(each, tmp_path)[0]["python/demo-1.0.dist-info/RECORD"])
        for each in (spec, turned)
    ]

    assert records[0] == records[1]


@pytest.mark.fault(30)
def test_the_data_folder_of_another_distribution_is_an_ordinary_folder(tmp_path: Path) -> None:
    spec = BASE.with_files(
        Member("other-1.0.data/purelib/x.py", b""), Member("demo-1.0.database/x.py", b"")
    )

    entries, notes = placed(spec, tmp_path)

    assert {"python/other-1.0.data/purelib/x.py", "python/demo-1.0.database/x.py"} < set(entries)
    assert notes == []


@pytest.mark.fault(30, 33)
def test_a_data_folder_that_overwrites_the_root_is_a_conflict(tmp_path: Path) -> None:
    hostile = HOSTILE["data-folder-overwrites-root"]()
    path = tmp_path / hostile.filename
    path.write_bytes(hostile.data)
    entries, _ = place(verify_wheel(path, hostile.filename, hostile.sha256), TARGET)

    with pytest.raises(ConflictError) as caught:
        LayerTree(tuple(entries)).settled()

    assert "`python/demo/module.py`" in str(caught.value)
    assert "demo" in str(caught.value)


@pytest.mark.fault(30, 32)
def test_a_file_that_is_equal_in_root_and_data_is_kept_and_recorded_once(tmp_path: Path) -> None:
    spec = BASE.with_files(
        Member("demo/module.py", b"X = 1\n"), Member(f"{DATA}/purelib/demo/module.py", b"X = 1\n")
    )
    entries, _ = place(verify_wheel(spec.write(tmp_path), spec.filename, spec.sha256), TARGET)

    tree = LayerTree(tuple(entries)).settled()

    assert_record_is_true({entry.path: entry for entry in tree})


def test_a_wheel_with_a_name_that_was_never_normalised_keeps_its_folders(tmp_path: Path) -> None:
    spec = WheelSpec(name="Foo.Bar")
    scripts = Member(f"{spec.module}-1.0.data/scripts/foo", b"#!python\n")

    entries, _ = placed(spec.with_files(scripts), tmp_path)

    assert "python/bin/foo" in entries
    assert {entry.owner for entry in entries.values()} == {"foo-bar"}
    assert_record_is_true(entries)
