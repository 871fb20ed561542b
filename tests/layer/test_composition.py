"""From wheels to the tree of a layer: merging, conflicts, findings."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest

from hatch_lambda_layer.exceptions import ConflictError, LambdaLayerError
from hatch_lambda_layer.layer.composition import Composition, compose
from hatch_lambda_layer.layer.inclusion import find_included
from hatch_lambda_layer.targets.target import Architecture, Target, runtimes
from hatch_lambda_layer.wheels.verify import verify_wheel
from tests.support.layer_project import Project, names, stamps
from tests.support.wheel_factory import EXECUTABLE_FILE, Member, WheelSpec

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


TARGET = Target(runtimes()["python3.13"], Architecture.X86_64)


def composed(folder: Path, *specs: WheelSpec, prune: Sequence[str] = ()) -> Composition:
    wheels = [verify_wheel(spec.write(folder), spec.filename, spec.sha256) for spec in specs]
    return compose(wheels, [], folder / "pack", TARGET, prune)


def wheel(name: str, files: dict[str, bytes]) -> WheelSpec:
    return WheelSpec(name=name, files=files)


def test_a_tree_is_sorted_by_bytes_whatever_the_order_of_the_wheels(tmp_path: Path) -> None:
    one, two = WheelSpec(name="zeta"), wheel("alpha", {"B.py": b"", "a.py": b"", "é.py": b""})
    tree, findings, _ = composed(tmp_path, one, two)
    paths = [entry.path for entry in tree]
    assert paths == sorted(paths, key=str.encode)
    assert paths[0] == "python/B.py"
    assert paths[-1] == "python/é.py"
    assert composed(tmp_path, two, one)[0] == tree
    assert findings == []
    assert not (tmp_path / "pack").exists()


def test_what_stays_out_and_what_matches_nothing_is_told(tmp_path: Path) -> None:
    spec = WheelSpec(name="demo").with_files(Member("demo-1.0.data/headers/demo.h", b"\n"))
    tree, findings, _ = composed(tmp_path, spec, prune=["*.md", "__init__.py", "stub"])
    assert [entry.path.rpartition("/")[2] for entry in tree] == ["METADATA", "RECORD", "WHEEL"]
    assert [each.code for each in findings] == ["HLL017", "HLL030", "HLL030"]
    assert "demo 1.0: its headers" in findings[0].message
    assert "'*.md' matches nothing" in findings[1].message
    assert "did you mean the preset `stubs`?" in findings[2].message


@pytest.mark.parametrize("need", ["lazy-loader>=0.3", "Lazy_Loader", "lazy.loader (>=0.1)"])
def test_stubs_stay_for_packages_that_read_them_at_run_time(tmp_path: Path, need: str) -> None:
    files = {"{}/__init__.py": b"", "{}/__init__.pyi": b""}
    reader, other, near = (
        WheelSpec(
            name=name,
            files={path.format(name): text for path, text in files.items()},
            requires_dist=requires,
        )
        for name, requires in (("skimage", [need]), ("other", []), ("near", ["lazy-loader2"]))
    )
    tree, _, _ = composed(tmp_path, reader, other, near, prune=["stubs"])
    stubs = [entry.path for entry in tree if entry.path.endswith(".pyi")]
    assert stubs == ["python/skimage/__init__.pyi"]


def test_included_files_are_packed_beside_the_wheels(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "run.sh").write_bytes(b"#!/bin/sh\n" * 100)
    (tmp_path / "config" / "run.sh").chmod(0o755)
    included = find_included(tmp_path, [("config", "bin")])
    tree, findings, _ = compose([], included, tmp_path / "pack", TARGET, [])
    (entry,) = tree
    assert (entry.path, entry.executable, entry.size) == ("bin/run.sh", True, 1000)
    assert entry.source == tmp_path / "pack"
    assert (tmp_path / "pack").stat().st_size == entry.compressed_size < 100
    assert findings == []


@pytest.mark.fault(31)
def test_namespace_packages_that_overlap_are_merged(project: Project) -> None:
    project.lock(
        wheel("google-auth", {"google/auth/__init__.py": b"A = 1\n"}),
        wheel("google-storage", {"google/cloud/storage.py": b"B = 1\n"}),
        wheel("google-log", {"google/cloud/log.py": b"C = 1\n"}),
    )
    project.build()
    code = [name for name in names(project.zip) if ".dist-info/" not in name]
    assert code == [
        "python/google/auth/__init__.py",
        "python/google/cloud/log.py",
        "python/google/cloud/storage.py",
    ]


@pytest.mark.fault(32)
def test_equal_files_of_two_distributions_are_kept_once(project: Project) -> None:
    init = b"__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"
    tool = Member("shared/tool", b"#!/bin/sh\n", mode=EXECUTABLE_FILE)
    plain = Member("shared/tool", b"#!/bin/sh\n")
    one = WheelSpec(name="one", files={"shared/__init__.py": init, "shared/tool": plain})
    two = WheelSpec(name="two", files={"shared/__init__.py": init, "shared/tool": tool})
    project.lock(one, two)
    project.build()
    with ZipFile(project.zip) as archive:
        kept = [info for info in archive.infolist() if info.filename.startswith("python/shared")]
        assert [info.filename for info in kept] == [
            "python/shared/__init__.py",
            "python/shared/tool",
        ]
        assert archive.read(kept[0]) == init
        # A program that one of them marks as such can be run.
        assert [info.external_attr >> 16 for info in kept] == [0o100644, 0o100755]


@pytest.mark.parametrize(
    ("first", "second", "problem"),
    [
        pytest.param(
            wheel("one", {"shared/__init__.py": b"A = 1\n"}),
            wheel("two", {"shared/__init__.py": b"A = 2\n"}),
            "`python/shared/__init__.py`: one and two have different files",
            marks=pytest.mark.fault(32),
            id="unequal __init__.py",
        ),
        pytest.param(
            wheel("one", {"bin/tool": b"1"}),
            WheelSpec(name="two").with_files(Member("two-1.0.data/scripts/tool", b"2")),
            "`python/bin/tool`: one and two have different files",
            marks=pytest.mark.fault(33),
            id="a script",
        ),
        pytest.param(
            wheel("one", {"shared/Table.py": b""}),
            wheel("two", {"shared/table.py": b""}),
            "`python/shared/Table.py` and `python/shared/table.py`: one and two differ only by",
            marks=pytest.mark.fault(26),
            id="case",
        ),
        pytest.param(
            wheel("one", {"shared": b"a file"}),
            wheel("two", {"shared/__init__.py": b""}),
            "one and two have a file and a folder of one name",
            marks=pytest.mark.fault(33),
            id="a file and a folder",
        ),
    ],
)
def test_one_path_for_two_things_is_an_error_that_names_both_owners(
    project: Project, first: WheelSpec, second: WheelSpec, problem: str
) -> None:
    project.lock(first)
    project.build()
    before = stamps(project.zip, project.json)
    project.lock(first, second)
    with pytest.raises(ConflictError, match="Files in the layer conflict") as caught:
        project.build()
    assert problem in caught.value.message
    assert "`prune` the path" in (caught.value.hint or "")
    assert stamps(project.zip, project.json) == before


@pytest.mark.fault(33)
def test_every_conflict_counts_and_the_first_five_are_named(project: Project) -> None:
    paths = [f"tests/t{number}.py" for number in range(7)]
    project.lock(
        *(WheelSpec(name=n, files=dict.fromkeys(paths, n.encode())) for n in ("one", "two"))
    )
    with pytest.raises(ConflictError) as caught:
        project.build()
    assert caught.value.message.count("one and two have different files") == 5
    assert "- and 2 more" in caught.value.message


def run_in(layer: Path, code: str) -> str:
    """Run code with the `python` folder of an unpacked layer on the path."""
    argv = [sys.executable, "-S", "-c", code]
    env = {"PYTHONPATH": str(layer / "python"), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(argv, env=env, check=True, capture_output=True, text=True).stdout


@pytest.mark.fault(33)
def test_the_file_of_a_preferred_distribution_stays(project: Project, tmp_path: Path) -> None:
    """Two distributions have one path with different content, which installers allow."""
    project.lock(
        wheel("aws-cdk-lib", {"aws_cdk/__init__.py": b"A = 'all'\n", "aws_cdk/lib.py": b""}),
        wheel("cdk-assembly", {"aws_cdk/__init__.py": b"A = 'part'\n", "aws_cdk/part.py": b""}),
    )
    with pytest.raises(ConflictError) as caught:
        project.build()
    line = re.search(r"`(prefer = \[.*\])`", caught.value.hint or "")
    assert line is not None
    # The error's own line, as it would be pasted.
    assert tomllib.loads(line[1]) == {"prefer": ["aws-cdk-lib"]}

    for preferred, expected in (["aws-cdk-lib"], "all"), (["CDK.Assembly", "aws-cdk-lib"], "part"):
        project.configure(prefer=preferred)
        project.build()
        unpacked = tmp_path / expected
        ZipFile(project.zip).extractall(unpacked)
        code = "import aws_cdk, aws_cdk.lib, aws_cdk.part; print(aws_cdk.A)"
        assert run_in(unpacked, code).split() == [expected]


@pytest.mark.fault(33)
def test_a_preferred_distribution_settles_only_its_own_conflicts(project: Project) -> None:
    project.lock(
        wheel("one", {"a.py": b"1", "b.py": b"1"}),
        wheel("two", {"a.py": b"2", "b.py": b"2"}),
        wheel("three", {"b.py": b"3"}),
    )
    project.configure(prefer=["three"])
    with pytest.raises(ConflictError) as caught:
        project.build()
    assert "`python/a.py`: one and two have different files" in caught.value.message
    assert "b.py" not in caught.value.message


@pytest.mark.fault(33)
def test_a_preferred_distribution_that_has_one_path_twice_is_an_error(project: Project) -> None:
    spec = wheel("one", {"bin/tool": b"1"}).with_files(Member("one-1.0.data/scripts/tool", b"2"))
    project.lock(spec)
    project.configure(prefer=["one"])
    with pytest.raises(ConflictError) as caught:
        project.build()
    assert "prefer" not in (caught.value.hint or "")


@pytest.mark.fault(33)
def test_a_pruned_path_is_no_conflict(project: Project) -> None:
    project.lock(
        wheel("one", {"tests/__init__.py": b"1"}), wheel("two", {"tests/__init__.py": b"2"})
    )
    project.configure(prune=["/python/tests"])
    project.build()
    assert not [name for name in names(project.zip) if "tests" in name]


@pytest.mark.fault(33)
def test_an_included_file_does_not_replace_one_of_a_wheel(project: Project) -> None:
    project.lock(wheel("one", {"settings.py": b"A = 1\n"}))
    (project.root / "settings.py").write_text("A = 2\n")
    project.configure(force_include={"settings.py": "python/settings.py"})
    with pytest.raises(ConflictError, match="one and force-include have different files"):
        project.build()
    assert not project.zip.exists()


@pytest.mark.fault(34)
@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has no file names but UTF-8")
def test_a_file_whose_name_is_no_utf8_is_refused(project: Project) -> None:
    project.lock(wheel("one", {"one.py": b""}))
    project.build()
    before = stamps(project.zip, project.json)
    (project.root / "config").mkdir()
    with open(os.fsencode(project.root / "config") + b"/caf\xe9.txt", "wb"):
        pass
    project.configure(force_include={"config": "python/config"})
    with pytest.raises(LambdaLayerError, match="config"):
        project.build()
    assert stamps(project.zip, project.json) == before
