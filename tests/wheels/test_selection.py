"""Which wheels of a lock go into a layer, and what is said when there are none."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hatch_lambda_layer.cli.main import main
from hatch_lambda_layer.exceptions import LambdaLayerError, LockfileError, SelectionError
from hatch_lambda_layer.lockfiles.protocol import Lock
from hatch_lambda_layer.targets.target import Architecture, Target, runtimes
from hatch_lambda_layer.wheels.selection import (
    LockedSource,
    LockedWheel,
    Selection,
    select,
    selection_key,
)
from hatch_lambda_layer.wheels.unavailable import no_wheels
from tests.support.lock_factory import Hashes, LockedFile, LockedPackage, pylock
from tests.support.wheel_factory import WheelSpec

HOST = "https://index.example.test"
PURE = "py3-none-any"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def target(name: str) -> Target:
    runtime, _, architecture = name.partition("-")
    return Target(runtimes()[runtime], Architecture(architecture))


TARGET = target("python3.13-x86_64")


def wheel(name: str, tag: str = PURE, version: str = "1.0", **options: Any) -> LockedFile:
    spec = WheelSpec(name=name, version=version, tag=tag)
    if "path" not in options:
        options.setdefault("url", f"{HOST}/{spec.filename}")
    return LockedFile.of(spec, **options)


def package(name: str, *tags: str, **options: Any) -> LockedPackage:
    return LockedPackage(wheels=[wheel(name, tag) for tag in tags or (PURE,)], **options)


def archive(name: str, url: str | None = None, **options: Any) -> LockedPackage:
    return LockedPackage(
        name=name, archive=LockedFile(filename="", data=b"archive", url=url, **options)
    )


def lock(*packages: LockedPackage, path: Path = Path("app", "pylock.toml"), **options: Any) -> Lock:
    return Lock(path=path, command="relock", text=pylock(*packages, **options).encode())


def wheels(lock_: Lock, name: str = TARGET.id) -> tuple[LockedWheel, ...]:
    """Give the wheels of a lock that selects nothing else."""
    selection = select(lock_, target(name))
    assert selection.sources == ()
    assert selection.all == selection.wheels
    return selection.wheels


def filenames(lock_: Lock, name: str = TARGET.id) -> list[str]:
    return [each.filename for each in wheels(lock_, name)]


def refusal(*packages: LockedPackage) -> str:
    with pytest.raises(SelectionError) as caught:
        select(lock(*packages), TARGET)
    return str(caught.value)


def test_a_wheel_is_selected_with_everything_the_lock_says_of_it() -> None:
    spec = WheelSpec(name="demo", version="1.2")
    url = f"{HOST}/files/{spec.filename}"
    entry = LockedPackage(wheels=[LockedFile.of(spec, url)], index=f"{HOST}/simple/")
    assert wheels(lock(entry)) == (
        LockedWheel(
            name="demo",
            version="1.2",
            filename="demo-1.2-py3-none-any.whl",
            sha256=spec.sha256,
            size=len(spec.data),
            location=url,
            index_url=f"{HOST}/simple/",
        ),
    )


def test_what_a_lock_does_not_say_stays_unsaid() -> None:
    (found,) = wheels(lock(LockedPackage(wheels=[wheel("demo", size=None)])))
    assert (found.size, found.index_url) == (None, None)


@pytest.mark.fault(12)
@pytest.mark.parametrize("tied", ["cp313-none-any", "py2.py3-none-any"])
def test_the_order_of_a_lock_is_no_matter(tied: str) -> None:
    packages = [package(name, PURE, tied) for name in ("c", "a", "b")]
    turned = [dataclasses.replace(each, wheels=each.wheels[::-1]) for each in reversed(packages)]
    assert select(lock(*packages), TARGET) == select(lock(*turned), TARGET)
    assert [each.name for each in wheels(lock(*packages))] == ["a", "b", "c"]


@pytest.mark.fault(12)
@pytest.mark.parametrize("builds", [["2", "10", ""], ["", "10", "2"], ["10", "", "2"]])
def test_of_equal_wheels_the_one_with_the_highest_build_number_is_taken(builds: list[str]) -> None:
    specs = [WheelSpec(name="demo", build_tag=build) for build in builds]
    files = [LockedFile.of(spec, f"{HOST}/{spec.filename}") for spec in specs]
    assert filenames(lock(LockedPackage(wheels=files))) == ["demo-1.0-10-py3-none-any.whl"]


@pytest.mark.parametrize(
    ("best", "others"),
    [
        ("cp313-cp313-manylinux_2_28_x86_64", ["cp313-cp313-manylinux_2_17_x86_64"]),
        ("cp313-cp313-manylinux_2_34_x86_64", ["cp313-cp313-manylinux_2_35_x86_64"]),
        ("cp313-cp313-manylinux_2_17_x86_64", ["cp313-cp313-manylinux2014_x86_64"]),
        ("cp313-cp313-manylinux1_x86_64", [PURE, "cp313-none-any"]),
        ("cp313-cp313-manylinux_2_17_x86_64", ["cp39-abi3-manylinux_2_34_x86_64", PURE]),
        ("cp312-abi3-manylinux_2_17_x86_64", ["cp39-abi3-manylinux_2_17_x86_64"]),
        ("cp39-abi3-manylinux_2_17_x86_64", ["cp312-cp312-manylinux_2_17_x86_64", PURE]),
        (PURE, ["cp313-cp313t-manylinux_2_17_x86_64", "cp313-cp313-linux_x86_64"]),
        (PURE, ["cp313-cp313-musllinux_1_2_x86_64", "cp313-cp313-win_amd64"]),
        ("cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64", [PURE]),
    ],
)
def test_the_best_wheel_that_fits_is_taken_wherever_it_stands(best: str, others: list[str]) -> None:
    expected = [WheelSpec(name="demo", tag=best).filename]
    assert filenames(lock(package("demo", best, *others))) == expected
    assert filenames(lock(package("demo", *others, best))) == expected


@pytest.mark.fault(6)
@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("python3.14-x86_64", "cp39-abi3-manylinux_2_28_x86_64"),
        ("python3.13-x86_64", "cp313-cp313-manylinux_2_28_x86_64"),
        ("python3.13-arm64", "cp313-cp313-manylinux_2_28_aarch64"),
        ("python3.12-x86_64", "cp39-abi3-manylinux_2_28_x86_64"),
        ("python3.12-arm64", PURE),
        # Amazon Linux 2 has glibc 2.26.
        ("python3.11-x86_64", "cp311-cp311-manylinux2014_x86_64"),
        ("python3.11-arm64", PURE),
    ],
)
def test_one_lock_gives_each_target_the_wheel_of_its_own(name: str, tag: str) -> None:
    tags = (
        "cp313-cp313-manylinux_2_28_x86_64",
        "cp313-cp313-manylinux_2_28_aarch64",
        "cp39-abi3-manylinux_2_28_x86_64",
        "cp311-cp311-manylinux_2_28_x86_64",
        "cp311-cp311-manylinux2014_x86_64",
        PURE,
    )
    assert filenames(lock(package("demo", *tags)), name) == [f"demo-1.0-{tag}.whl"]


def test_markers_leave_out_what_only_other_systems_need() -> None:
    found = filenames(
        lock(
            package("backport", marker="python_full_version < '3.11.3'"),
            package("colorama", marker="sys_platform == 'win32'"),
            package("intel", marker="platform_machine == 'x86_64'"),
            package("always"),
        )
    )
    assert found == ["always-1.0-py3-none-any.whl", "intel-1.0-py3-none-any.whl"]


SDIST = LockedFile(filename="built-2.0.tar.gz", data=b"", url=f"{HOST}/built-2.0.tar.gz")
GIT = {"type": "git", "url": f"{HOST}/repo.git", "commit-id": COMMIT, "subdirectory": "lib"}
SOURCES = (
    package(
        "both",
        "cp313-cp313-win_amd64",
        sdist=dataclasses.replace(SDIST, filename="both-1.0.tar.gz"),
    ),
    LockedPackage(sdist=SDIST, index=f"{HOST}/simple/"),
    LockedPackage(name="fork", vcs=GIT),
    LockedPackage(name="lib", directory={"path": "../lib", "editable": True}),
    archive("tarball", f"{HOST}/tarball-3.tar.gz"),
)
OF_SOURCES = [
    "- both 1.0 has wheels for win_amd64",
    "- built 2.0 has only a source distribution, which would have to be built",
    "- fork is a git repository (commit 0123456789ab), not a wheel",
    "- lib is the folder `../lib`, not a wheel",
    "- tarball is the source archive `tarball-3.tar.gz`, not a wheel",
]
UNFITTING = (
    package("mac", "cp313-cp313-macosx_11_0_arm64", "cp313-cp313-win_amd64"),
    package("musl", "cp313-cp313-musllinux_1_2_x86_64"),
    package("new", "cp313-cp313-manylinux_2_39_x86_64"),
    package("old", "cp311-cp311-manylinux_2_17_x86_64", "cp313-cp313t-manylinux_2_17_x86_64"),
    archive("odd", f"{HOST}/odd-1-cp39-cp39-win32.whl"),
    archive("bad", f"{HOST}/bad.whl"),
    LockedPackage(name="hg", vcs={**GIT, "type": "hg"}),
)
OF_UNFITTING = [
    "- bad: Invalid wheel filename (wrong number of parts): 'bad'",
    "- hg is a hg repository (commit 0123456789ab), not a wheel",
    "- mac 1.0 has wheels for macosx_11_0_arm64, win_amd64",
    "- musl 1.0 has wheels for musllinux_1_2_x86_64",
    "- new 1.0 has wheels for manylinux_2_39_x86_64",
    "- odd 1 is the wheel `odd-1-cp39-cp39-win32.whl`, which does not fit",
    "- old 1.0 has wheels for cp311-cp311, cp313-cp313t",
]


@pytest.mark.fault(16, 19, 20, 21)
@pytest.mark.parametrize("beside", [(), SOURCES], ids=["alone", "beside sources"])
def test_every_package_that_can_not_be_had_is_named_in_one_go(
    beside: tuple[LockedPackage, ...],
) -> None:
    text = refusal(*beside, *UNFITTING, package("fine"))
    head, *lines = text.partition("\n\nhint: ")[0].splitlines()
    assert lines == OF_UNFITTING
    for wanted in (
        "python3.13-x86_64",
        "glibc 2.34",
        "cp313, abi3 or py3",
        "manylinux_2_34_x86_64",
    ):
        assert wanted in head


@pytest.mark.fault(16, 19, 20, 21)
def test_a_package_without_a_fitting_wheel_is_a_source_with_its_reason() -> None:
    path = Path("app", "pylock.toml")
    found = select(lock(*reversed(SOURCES), package("fine"), path=path), TARGET)
    assert [each.name for each in found.wheels] == ["fine"]
    assert [f"- {each.reason}" for each in found.sources] == OF_SOURCES
    assert found.all == (*found.wheels, *found.sources)
    both, built, fork, lib, tarball = found.sources
    assert both.kind == "sdist"
    assert built == LockedSource(
        name="built",
        version="2.0",
        kind="sdist",
        location=f"{HOST}/built-2.0.tar.gz",
        sha256=hashlib.sha256(b"").hexdigest(),
        commit=None,
        subdirectory=None,
        index_url=f"{HOST}/simple/",
        reason=built.reason,
    )
    assert both.wheels == ("both-1.0-cp313-cp313-win_amd64.whl",)
    assert fork[1:-2] == (None, "vcs", f"{HOST}/repo.git", None, COMMIT, "lib", None)
    folder = str((path.parent / "../lib").resolve())
    assert lib[1:-2] == (None, "directory", folder, None, None, None, None)
    sha256 = hashlib.sha256(b"archive").hexdigest()
    url = f"{HOST}/tarball-3.tar.gz"
    assert tarball[1:-2] == (None, "archive", url, sha256, None, None, None)


@pytest.mark.fault(16, 19, 20, 21)
@pytest.mark.fault(11)
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"marker": "extra == 'x'"}, '`extra == "x"` of package `alpha`'),
        ({"marker": "os_name ~= '3'"}, '`os_name ~= "3"` of package `alpha`'),
        ({"marker": f"python_version > '{'9' * 5000}'"}, "of package `alpha` (Exceeds the limit"),
    ],
)
def test_a_marker_that_can_not_be_evaluated_is_named_with_its_package(
    options: dict[str, str], said: str
) -> None:
    with pytest.raises(LockfileError, match="has a marker that can't be evaluated") as caught:
        select(lock(package("beta"), package("alpha", **options)), TARGET)
    assert said in caught.value.message
    assert "relock" in str(caught.value.hint)


def test_a_path_with_a_nul_is_an_error() -> None:
    archive = LockedFile(filename="a-1.0.tar.gz", data=b"x", path="a\0-1.0.tar.gz")
    with pytest.raises(LockfileError, match="can't be read"):
        select(lock(LockedPackage(name="a", archive=archive)), TARGET)


@pytest.mark.fault(11)
def test_an_environment_that_can_not_be_evaluated_is_an_error() -> None:
    text = pylock(package("alpha")).replace(
        "created-by", "environments = [\"extra == 'x'\"]\ncreated-by"
    )
    with pytest.raises(LockfileError, match="one of `environments`"):
        select(Lock(path=Path("pylock.toml"), command="relock", text=text.encode()), TARGET)


@pytest.mark.fault(1)
def test_toml_that_is_nested_too_deeply_is_an_error() -> None:
    text = b"x = " + b"[" * 5000 + b"]" * 5000
    with pytest.raises(LockfileError, match="not valid TOML: it is nested too deeply"):
        select(Lock(path=Path("pylock.toml"), command="relock", text=text), TARGET)


def test_reasons_are_listed_in_one_error_by_name() -> None:
    sources = [each.reason for each in select(lock(*SOURCES), TARGET).sources]
    unfitting = [line.removeprefix("- ") for line in OF_UNFITTING]
    error = no_wheels([*unfitting, *sources], TARGET)
    assert isinstance(error, SelectionError)
    assert error.message.splitlines()[1:] == sorted([*OF_SOURCES, *OF_UNFITTING])
    assert error.message.startswith(refusal(*UNFITTING).splitlines()[0])
    assert error.hint == "pin a version that has a wheel for this runtime"


@pytest.mark.fault(16)
def test_a_newer_runtime_is_offered_only_where_it_is_the_way_out() -> None:
    target = Target(runtimes()["python3.11"], Architecture.X86_64)
    late = package(
        "late", *(f"cp3{minor}-cp3{minor}-manylinux_2_28_x86_64" for minor in (11, 12, 13, 14))
    )
    with pytest.raises(SelectionError) as caught:
        select(lock(late), target)
    way = "choose a newer runtime: for `python3.12` (glibc 2.34) there are wheels"
    assert way in str(caught.value.hint)
    other = package("other", "cp311-cp311-win_amd64", "cp312-cp312-win_amd64")
    with pytest.raises(SelectionError) as caught:
        select(lock(late, other), target)
    assert "newer" not in str(caught.value.hint)


@pytest.mark.fault(19, 20, 21)
def test_a_build_that_may_not_build_sources_fails_with_all_their_reasons(
    tmp_path: Path,
) -> None:
    text = pylock(*SOURCES, package("fine"))
    (tmp_path / "pylock.toml").write_text(text, encoding="utf-8")
    table = '[tool.lambda-layer]\nruntimes = ["python3.13"]\nbuild = "never"\n'
    (tmp_path / "pyproject.toml").write_text(table, encoding="utf-8")
    failed = CliRunner().invoke(main, ["build", str(tmp_path)], catch_exceptions=False)
    assert failed.exit_code == 1
    assert "These packages have no wheel for python3.13-x86_64" in failed.stderr
    assert [line for line in failed.stderr.splitlines() if line.startswith("- ")] == OF_SOURCES
    assert not list((tmp_path / "dist").glob("*"))


@pytest.mark.fault(10)
@pytest.mark.parametrize("hashes", ["md5", {"sha256": "00"}])
def test_a_source_without_a_sha256_is_refused(hashes: Hashes) -> None:
    for entry in (
        LockedPackage(sdist=dataclasses.replace(SDIST, hashes=hashes)),
        archive("tarball", f"{HOST}/tarball-3.tar.gz", hashes=hashes),
    ):
        with pytest.raises(LockfileError, match="no sha256"):
            select(lock(entry), TARGET)


def test_a_lock_without_packages_selects_nothing() -> None:
    assert select(lock(), TARGET) == Selection(wheels=(), sources=())


@pytest.mark.fault(16)
def test_many_tags_are_listed_in_part_the_nearest_first() -> None:
    far = [f"cp313-cp313-macosx_{number}_0_x86_64" for number in range(11, 30)]
    near = "cp313-cp313-manylinux_2_40_x86_64"
    text = refusal(package("demo", *far, "cp313-cp313-manylinux_2_40_aarch64", near))
    listed, _, more = text.partition("has wheels for ")[2].partition(" and ")
    names = listed.split(", ")
    assert names[:2] == ["manylinux_2_40_x86_64", "macosx_11_0_x86_64"]
    assert len(names) < 13
    assert more.startswith(f"{21 - len(names)} more")


@pytest.mark.fault(16)
def test_a_package_that_markers_leave_out_needs_no_wheel() -> None:
    other = package("winonly", "cp313-cp313-win_amd64", marker="sys_platform == 'win32'")
    assert filenames(lock(other, package("fine"))) == ["fine-1.0-py3-none-any.whl"]


@pytest.mark.fault(21)
def test_an_archive_that_is_a_wheel_is_as_good_as_one() -> None:
    url = f"{HOST}/a%20b/demo-1.0%2Bcpu.1-py3-none-any.whl?token=x#egg=demo"
    (found,) = wheels(lock(archive("demo", url)))
    assert (found.name, found.version) == ("demo", "1.0+cpu.1")
    assert found.filename == "demo-1.0+cpu.1-py3-none-any.whl"
    assert found.location == url


def test_a_wheel_without_a_name_gets_it_from_its_percent_encoded_url() -> None:
    spec = WheelSpec(name="torch", version="2.0+cpu")
    url = f"{HOST}/{spec.filename.replace('+', '%2B')}"
    (found,) = wheels(lock(LockedPackage(wheels=[LockedFile.of(spec, url, named=False)])))
    assert (found.filename, found.location) == ("torch-2.0+cpu-py3-none-any.whl", url)


@pytest.mark.fault(21)
@pytest.mark.parametrize("folder", ["wheels", "..", "../shared space/x"])
def test_paths_start_from_the_lock_and_not_from_the_working_folder(
    tmp_path: Path, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "app" / "pylock.toml"
    filename = WheelSpec(name="demo").filename
    packages = (
        LockedPackage(wheels=[wheel("demo", path=f"{folder}/{filename}", named=False)]),
        archive("other", path=f"{folder}/other-1.0-py3-none-any.whl"),
    )
    demo, other = wheels(lock(*packages, path=path))
    assert demo.location == str((tmp_path / "app" / folder / filename).resolve())
    assert (demo.filename, other.filename) == (filename, "other-1.0-py3-none-any.whl")
    assert Path(other.location).parent == Path(demo.location).parent


@pytest.mark.fault(10)
@pytest.mark.parametrize(
    ("hashes", "words"),
    [
        ("md5", ["demo-1.0-py3-none-any.whl", "no sha256", "only md5"]),
        ("sha512", ["demo-1.0-py3-none-any.whl", "no sha256", "only sha512"]),
        ({"sha256": "00"}, ["demo-1.0-py3-none-any.whl", "sha256"]),
        ({"sha256": "g" * 64}, ["demo-1.0-py3-none-any.whl", "sha256"]),
        ("none", ["At least one hash", "package `demo`"]),
    ],
)
def test_a_wheel_without_a_sha256_is_refused(hashes: Hashes, words: list[str]) -> None:
    with pytest.raises(LockfileError) as caught:
        select(lock(LockedPackage(wheels=[wheel("demo", hashes=hashes)])), TARGET)
    assert [word for word in words if word not in str(caught.value)] == []
    assert caught.value.hint


def test_a_sha256_in_capitals_is_the_same() -> None:
    shouted = {"sha256": WheelSpec(name="demo").sha256.upper()}
    entry = LockedPackage(wheels=[wheel("demo", hashes=shouted)])
    assert select(lock(entry), TARGET) == select(lock(package("demo")), TARGET)


@pytest.mark.parametrize(
    ("options", "entry", "words"),
    [
        ({"requires_python": "<3.13"}, {}, ["it is for Python <3.13, and python3.13 counts as"]),
        ({"requires_python": ">=3.14"}, {}, ["it is for Python >=3.14"]),
        (
            {"environments": ["sys_platform == 'darwin'", "python_version < '3.12'"]},
            {},
            ['it is for environments with `sys_platform == "darwin"` or `python_version < "3.12"`'],
        ),
        (
            {"environments": [f"os_name == '{each}'" for each in range(9)]},
            {},
            ["`, or others only"],
        ),
        ({}, {"requires_python": "<3.12"}, ["package `demo` requires Python <3.12"]),
    ],
)
def test_a_lock_that_excludes_the_target_is_refused(
    options: dict[str, Any], entry: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(LockfileError) as caught:
        select(lock(package("demo", **entry), **options), TARGET)
    text = str(caught.value)
    assert f"`{Path('app', 'pylock.toml')}` does not fit python3.13-x86_64" in text
    assert [word for word in words if word not in text] == []
    assert "lock again" in (caught.value.hint or "")


def test_a_lock_for_several_environments_fits_one_of_them() -> None:
    environments = ["sys_platform == 'darwin'", "sys_platform == 'linux'"]
    assert len(wheels(lock(package("demo"), environments=environments))) == 1


@pytest.mark.parametrize(
    ("marker", "expected"),
    [
        ("platform_release >= '5'", ["alpha"]),
        ("'el8' in platform_release or sys_platform == 'win32'", ["alpha"]),
        ("platform_version != '1' and 'linux' in sys_platform", ["alpha"]),
        ("'a b' not in platform_version and 'x' not in extras", ["alpha"]),
        ("'cli' in extras and platform_release == '5'", ["alpha"]),
        # The kernel decides nothing here.
        ("platform_release >= '5' or sys_platform == 'linux'", ["alpha", "beta"]),
        (
            "(platform_version == '1' or python_version >= '3') and os_name == 'posix'",
            ["alpha", "beta"],
        ),
    ],
)
def test_a_package_of_which_the_kernel_decides_is_left_out_with_a_warning(
    marker: str, expected: list[str]
) -> None:
    lock_ = lock(package("alpha"), package("beta", marker=marker), extras=["cli", "x"])
    lock_ = dataclasses.replace(lock_, extras=("cli",))
    selection = select(lock_, TARGET)
    assert [each.name for each in selection.wheels] == expected
    noted = [f"`beta` is left out: its marker `{marker}`"] if expected == ["alpha"] else []
    said = [note.replace('"', "'") for note in selection.notes]
    assert [words for words, note in zip(noted, said, strict=True) if words not in note] == []


def test_where_the_target_decides_the_kernel_is_no_matter() -> None:
    marker = "platform_release >= '20' and sys_platform == 'darwin'"
    selection = select(lock(package("alpha", marker=marker)), TARGET)
    assert selection == Selection(wheels=(), sources=())


def test_the_warning_stays_when_the_selection_is_kept() -> None:
    selection = select(lock(package("alpha", marker="platform_release == '5'")), TARGET)
    assert selection.notes
    assert Selection.decode(selection.encode()) == selection


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"requires_python": ">=3.13.9"}, "lock"),
        ({"requires_python": "==3.13.9"}, "package"),
        ({"environments": ["python_full_version >= '3.13.9'", "os_name == 'nt'"]}, "lock"),
    ],
)
def test_a_patch_release_above_the_floor_is_explained_and_can_be_named(
    options: dict[str, Any], where: str
) -> None:
    lock_ = (
        lock(package("demo", **options)) if where == "package" else lock(package("demo"), **options)
    )
    with pytest.raises(LockfileError) as caught:
        select(lock_, TARGET)
    assert "counts as 3.13.7" in caught.value.message
    assert "a floor" in caught.value.message
    assert '`python-full-version = ["3.13.9"]`' in (caught.value.hint or "")
    named = Target(dataclasses.replace(TARGET.runtime, python="3.13.9"), TARGET.architecture)
    assert [each.name for each in select(lock_, named).wheels] == ["demo"]


REQUIRED = ("demo", "other ; sys_platform == 'win32'", "kernel ; platform_release == '5'")


def test_a_package_that_the_lock_lists_as_required_must_be_selected() -> None:
    lock_ = dataclasses.replace(lock(package("demo")), required=REQUIRED)
    assert [each.name for each in select(lock_, TARGET).wheels] == ["demo"]
    lock_ = dataclasses.replace(lock_, required=(*REQUIRED, "lost ; os_name == 'posix'"))
    with pytest.raises(LockfileError, match="`lost ; os_name == 'posix'` must be installed"):
        select(lock_, TARGET)


def test_two_versions_of_one_package_are_ambiguous() -> None:
    newer = LockedPackage(wheels=[wheel("demo", version="2.0")])
    with pytest.raises(LockfileError, match="Multiple packages with the name 'demo'"):
        select(lock(package("demo"), newer), TARGET)


def test_an_impossible_url_is_a_fault_of_the_lock() -> None:
    with pytest.raises(LambdaLayerError, match="demo"):
        select(lock(archive("demo", "http://[x/demo-1.0-py3-none-any.whl")), TARGET)


def test_equal_questions_have_one_key() -> None:
    one, other = lock(package("demo")), lock(package("demo"))
    assert selection_key(one, TARGET) == selection_key(other, target(TARGET.id))
    # The name of the lockfile is only there for errors.
    renamed = dataclasses.replace(one, path=one.path.with_name("pylock.dev.toml"), command="x")
    assert selection_key(one, TARGET) == selection_key(renamed, TARGET)


def test_the_key_differs_where_the_selection_may() -> None:
    base = lock(package("demo"))
    keys = [selection_key(base, target(f"python3.{n}-x86_64")) for n in (14, 13, 12, 11, 10)]
    keys += [
        selection_key(base, target("python3.13-arm64")),
        selection_key(lock(package("demo2")), TARGET),
        *(
            selection_key(dataclasses.replace(base, **change), TARGET)
            for change in (
                # Paths of wheels start from the folder of the lock.
                {"path": Path("elsewhere", "pylock.toml")},
                {"groups": ("a",)},
                {"groups": ("a", "b")},
                {"extras": ("a",)},
                {"required": ("a",)},
                {"extras": ("a", "b")},
            )
        ),
    ]
    assert len(set(keys)) == len(keys)
    newer = dataclasses.replace(TARGET.runtime, glibc=(2, 40))
    later = dataclasses.replace(TARGET.runtime, python="3.13.99")
    for runtime in (newer, later):
        assert selection_key(base, Target(runtime, TARGET.architecture)) not in keys


def project(folder: Path, runtimes_: list[str], *tags: str) -> Path:
    """Write a project whose lock has a wheel for each tag, in its own folder."""
    specs = [WheelSpec(name="demo", tag=tag, files={"demo.py": tag.encode()}) for tag in tags]
    for spec in specs:
        spec.write(folder)
    files = [LockedFile.of(spec, path=spec.filename) for spec in specs]
    text = pylock(LockedPackage(wheels=files))
    (folder / "pylock.toml").write_text(text, encoding="utf-8")
    (folder / "pyproject.toml").write_text(f"[tool.lambda-layer]\nruntimes = {runtimes_}\n")
    return folder


@pytest.mark.fault(6)
def test_runtimes_that_need_different_binaries_get_a_zip_each(tmp_path: Path) -> None:
    tags = [f"cp3{minor}-cp3{minor}-manylinux_2_17_x86_64" for minor in (13, 12)]
    project(tmp_path, ["python3.13", "python3.12"], *tags)
    done = CliRunner().invoke(main, ["build", str(tmp_path)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    for name, tag in zip(("python3.13", "python3.12"), tags, strict=True):
        with zipfile.ZipFile(tmp_path / "dist" / f"layer-{name}-x86_64.zip") as layer:
            assert layer.read("python/demo.py").decode() == tag


@pytest.mark.fault(6, 16)
def test_a_runtime_without_a_wheel_fails_by_name_and_leaves_its_old_layer(tmp_path: Path) -> None:
    project(tmp_path, ["python3.13", "python3.12"], "cp313-cp313-manylinux_2_17_x86_64")
    old = tmp_path / "dist" / "layer-python3.12-x86_64.zip"
    old.parent.mkdir()
    old.write_bytes(b"the old layer")
    failed = CliRunner().invoke(main, ["build", str(tmp_path)], catch_exceptions=False)
    assert failed.exit_code == 1
    assert "no wheel for python3.12-x86_64" in failed.output
    assert "- demo 1.0 has wheels for cp313-cp313" in failed.output
    assert "1 of 2 layers failed: python3.12-x86_64; 1 built" in failed.output
    assert old.read_bytes() == b"the old layer"
    names = sorted(path.name for path in old.parent.iterdir())
    assert names == [
        f"layer-python3.1{n}" for n in ("2-x86_64.zip", "3-x86_64.json", "3-x86_64.zip")
    ]
    manifest = json.loads((old.parent / "layer-python3.13-x86_64.json").read_text())
    assert [each["name"] for each in manifest["packages"]] == ["demo"]


KEPT = Selection(
    wheels=(
        LockedWheel("a", "1", "a-1-py3-none-any.whl", "0" * 64, 5, f"{HOST}/a.whl", None),
        LockedWheel("b", "2", "b-2-py3-none-any.whl", "f" * 64, None, "/b.whl", f"{HOST}/simple/"),
    ),
    sources=(
        LockedSource("src", None, "vcs", f"{HOST}/src.git", None, COMMIT, "lib", None, "git"),
        LockedSource("s", "1", "sdist", "/s", "0" * 64, None, None, None, "no", ("s.whl", "t.whl")),
    ),
)


def test_a_selection_that_was_kept_is_read_as_it_was() -> None:
    assert Selection.decode(KEPT.encode()) == KEPT


@pytest.mark.fault(70)
@pytest.mark.parametrize(
    "data", [b"", b"[", b"[[1]]", b"5", b"null", b"\xff", b"[[], 5]", b"[" * 200_000]
)
def test_what_is_not_a_selection_counts_as_absent(data: bytes) -> None:
    assert Selection.decode(data) is None


@pytest.mark.fault(70)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a-1-py3-none-any.whl", "../../../evil"),
        ("a-1-py3-none-any.whl", "..\\\\evil"),
        ("0" * 64, "../../../evil"),
        ("f" * 64, "F" * 64),
    ],
)
def test_a_selection_whose_parts_lead_elsewhere_counts_as_absent(old: str, new: str) -> None:
    edited = KEPT.encode().replace(old.encode(), new.encode())
    assert edited != KEPT.encode()
    assert Selection.decode(edited) is None
