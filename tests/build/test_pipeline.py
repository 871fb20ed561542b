"""Whole builds, in this process, from a lockfile against a loopback index."""

from __future__ import annotations

import json
import os
import shutil
from functools import partial
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer._internal.ownership import owned
from hatch_lambda_layer._internal.store import Store
from hatch_lambda_layer.build.inputs import find_inputs
from hatch_lambda_layer.exceptions import ConfigError
from hatch_lambda_layer.wheels.selection import Selection
from tests.support.displays import Lines
from tests.support.index_server import IndexServer
from tests.support.layer_project import ALPHA, BETA, Project, names, stamps
from tests.support.lock_factory import locked, pylock, uv_project
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hatch_lambda_layer.build.inputs import BuildContext, BuildInputs
    from hatch_lambda_layer.config.matrix import Member

DEV = WheelSpec(name="dev-tool")


def test_a_layer_holds_the_locked_wheels_and_its_manifest_tells_of_them(project: Project) -> None:
    built = project.build()
    assert built.rebuilt
    assert names(project.zip) == [
        "python/alpha-1.0.dist-info/METADATA",
        "python/alpha-1.0.dist-info/RECORD",
        "python/alpha-1.0.dist-info/WHEEL",
        "python/alpha/__init__.py",
        "python/alpha/a.pyi",
        "python/beta-2.1.dist-info/METADATA",
        "python/beta-2.1.dist-info/RECORD",
        "python/beta-2.1.dist-info/WHEEL",
        "python/beta/__init__.py",
    ]
    manifest = json.loads(project.json.read_text("utf-8"))
    assert (manifest["member"], manifest["layer"]) == ("python3.13-x86_64", None)
    assert [each["name"] for each in manifest["packages"]] == ["alpha", "beta"]
    assert manifest["zipped_size"] == project.zip.stat().st_size
    assert manifest["findings"] == []


def _without_layer(project: Project) -> None:
    shutil.rmtree(project.zip.parent)
    project.index.requests.clear()


@pytest.mark.fault(73)
def test_a_restored_cache_is_used_without_an_index(project: Project, cache_dir: Path) -> None:
    project.build()
    _without_layer(project)
    before = cache_dir.with_name("before")
    cache_dir.rename(before)
    shutil.copytree(before, cache_dir, copy_function=shutil.copyfile)
    display = Lines()
    assert project.build(display).rebuilt
    assert project.index.requests == []
    assert "Fetching" not in display.text


@pytest.mark.fault(74)
def test_in_a_cache_that_others_can_write_a_selection_is_not_believed_and_one_warning_says_so(
    project: Project, cache_dir: Path
) -> None:
    project.configure(runtimes=["python3.13", "python3.12"])
    cache_dir.mkdir()
    project.build_all()
    expected = [path.read_bytes() for path in sorted(project.zip.parent.glob("*.zip"))]
    # Somebody who knows of the checksum makes the lock select nothing but alpha.
    store = Store(cache_dir)
    for path in (cache_dir / "v2" / "selections").glob("*/*"):
        selection = Selection.decode(store.get("selections", path.name) or b"")
        assert selection is not None
        forged = selection._replace(wheels=selection.wheels[:1])
        store.put("selections", path.name, forged.encode())
    cache_dir.chmod(0o777)
    _without_layer(project)
    display = Lines()
    project.build_all(display)
    assert [path.read_bytes() for path in sorted(project.zip.parent.glob("*.zip"))] == expected
    assert project.index.requests == []
    assert display.text.count("Other users can write to the cache") == 1


@pytest.mark.fault(75)
def test_a_warm_cache_that_can_not_be_written_is_used(project: Project, cache_dir: Path) -> None:
    project.build()
    first = project.zip.read_bytes()
    _without_layer(project)
    # Files where folders should be: what holds even for root, whom no permission keeps out.
    for name in ("tmp", "locks"):
        shutil.rmtree(cache_dir / "v2" / name, ignore_errors=True)
        (cache_dir / "v2" / name).touch()
    shutil.rmtree(cache_dir / "v2" / "selections")
    project.build()
    assert project.zip.read_bytes() == first
    assert project.index.requests == []


def test_a_second_build_does_nothing_and_says_so(project: Project) -> None:
    project.build()
    project.index.requests.clear()
    before, display = stamps(project.zip, project.json), Lines()
    assert not project.build(display).rebuilt
    assert stamps(project.zip, project.json) == before
    assert project.index.requests == []
    assert "layer.zip is up to date" in display.lines
    assert "package" not in display.text


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        pytest.param("layer.zip", _flip, id="a changed zip"),
        pytest.param("layer.zip", lambda path: os.truncate(path, 100), id="a truncated zip"),
        pytest.param("layer.zip", lambda path: path.unlink(), id="a deleted zip"),
        pytest.param("layer.json", lambda path: path.unlink(), id="a deleted manifest"),
        pytest.param("layer.json", lambda path: path.write_text("{"), id="half a manifest"),
        pytest.param("layer.json", lambda path: path.write_bytes(b"\xff"), id="no text"),
    ],
)
def test_what_was_damaged_is_built_again(
    project: Project, name: str, damage: Callable[[Path], object]
) -> None:
    project.build()
    whole = project.zip.read_bytes(), project.json.read_bytes()
    damage(project.zip.with_name(name))
    assert project.build().rebuilt
    assert (project.zip.read_bytes(), project.json.read_bytes()) == whole
    assert not project.build().rebuilt


def _prune(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.configure(prune=["stubs"])


def _include_content(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    (project.root / "settings.ini").write_text("changed\n")


def _include_mode(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    (project.root / "settings.ini").chmod(0o755)


def _include_path(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.configure(force_include={"settings.ini": "other.ini"})


def _date(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


def _own_code(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.make_package("VERSION = 2\n")


def _another_wheel(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.lock(ALPHA, WheelSpec(name="beta", version="2.2"))


@pytest.mark.parametrize(
    "change",
    [_prune, _include_content, _include_mode, _include_path, _date, _own_code, _another_wheel],
)
def test_what_changes_the_bytes_is_built_again(
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Project, pytest.MonkeyPatch], None],
) -> None:
    project.make_package("VERSION = 1\n")
    (project.root / "settings.ini").write_text("first\n")
    (project.root / "settings.ini").chmod(0o644)
    project.configure(include_project=True, force_include={"settings.ini": "settings.ini"})
    first = project.build().manifest
    assert not project.build().rebuilt
    change(project, monkeypatch)
    again = project.build()
    assert again.rebuilt
    assert again.manifest.input_digest != first.input_digest
    assert again.manifest.code_sha256 != first.code_sha256
    # The date of the members is no content: two such layers are the same layer.
    same_content = again.manifest.content_digest == first.content_digest
    assert same_content == (change is _date)


def _rewrite(edit: Callable[[bytes], bytes]) -> Callable[[Project], Project]:
    def change(project: Project) -> Project:
        text = project.lockfile.read_bytes()
        assert edit(text) != text
        project.lockfile.write_bytes(edit(text))
        return project

    return change


def _reorder(text: bytes) -> bytes:
    head, *packages = text.split(b"[[packages]]")
    return b"[[packages]]".join([head, *(each.rstrip() + b"\n" for each in reversed(packages))])


def _unrelated_group(project: Project) -> Project:
    wheel = locked(DEV, project.index.file_url(DEV.filename))
    extra = pylock(wheel).partition("[[packages]]")[2]
    text = project.lockfile.read_text("utf-8").replace(
        "created-by", 'dependency-groups = ["dev"]\ncreated-by'
    )
    project.lockfile.write_text(
        f"{text}\n[[packages]]\nmarker = \"'dev' in dependency_groups\"{extra}", encoding="utf-8"
    )
    return project


def _another_folder(project: Project) -> Project:
    copy = shutil.copytree(project.root, project.root.with_name("copy of the project"))
    return Project(copy, project.index, project.wheels, project.table)


def _another_index(project: Project) -> Project:
    text = project.lockfile.read_text("utf-8")
    other = project.index.url.replace("127.0.0.1", "localhost")
    project.lockfile.write_text(text.replace(project.index.url, other), encoding="utf-8")
    return project


@pytest.mark.fault(12)
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_rewrite(lambda text: text.replace(b"\n", b"\r\n")), id="CRLF"),
        pytest.param(_rewrite(lambda text: b"\xef\xbb\xbf" + text), id="BOM"),
        pytest.param(_rewrite(_reorder), id="re-ordered"),
        pytest.param(_unrelated_group, id="an unrelated group"),
        pytest.param(_another_folder, id="another folder"),
        pytest.param(_another_index, id="another index"),
    ],
)
def test_what_changes_no_byte_is_up_to_date(
    project: Project, change: Callable[[Project], Project]
) -> None:
    first = project.build()
    changed = change(project)
    built = changed.build()
    assert not built.rebuilt
    assert built.manifest == first.manifest
    # Not only left alone: built from nothing, it comes out the same.
    changed.zip.unlink()
    whole = changed.json.read_bytes()
    assert changed.build().rebuilt
    assert changed.json.read_bytes() == whole


@pytest.mark.fault(12)
def test_line_ends_and_groups_of_a_uv_lock_change_nothing(
    tmp_path: Path, index: IndexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.add(ALPHA, BETA, DEV)
    locked_project = partial(
        uv_project, tmp_path / "uv", index.simple_url, ["alpha", "beta"], requires_python=">=3.11"
    )
    real = locked_project()
    for name, value in real.environment.items():
        monkeypatch.setenv(name, value)
    project = Project(real.directory, index)
    first = project.build()
    real.lockfile.write_bytes(real.lockfile.read_bytes().replace(b"\n", b"\r\n"))
    crlf = project.build()
    locked_project(dependency_groups={"dev": ["dev-tool"]})
    assert b"dev-tool" in real.lockfile.read_bytes()
    grouped = project.build()
    assert not crlf.rebuilt
    assert not grouped.rebuilt
    assert first.manifest == crlf.manifest == grouped.manifest


def test_a_manifest_is_the_same_wherever_it_is_made(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.build()
    with IndexServer(hostname="localhost") as mirror:
        elsewhere = Project(tmp_path / "else where", mirror)
        elsewhere.root.mkdir()
        elsewhere.lock()
        monkeypatch.setenv("HATCH_LAMBDA_LAYER_CACHE_DIR", str(tmp_path / "another cache"))
        elsewhere.build()
    assert elsewhere.zip.read_bytes() == project.zip.read_bytes()
    assert elsewhere.json.read_bytes() == project.json.read_bytes()


def test_members_of_a_matrix_share_their_downloads(project: Project) -> None:
    native = [
        WheelSpec(name="nat", tag=f"cp{python}-cp{python}-manylinux_2_17_{machine}")
        for python in ("312", "313")
        for machine in ("x86_64", "aarch64")
    ]
    project.index.add(ALPHA, *native)
    urls = [locked(each, project.index.file_url(each.filename)) for each in native]
    tables = [each.wheels[0] for each in urls]
    one = locked(ALPHA, project.index.file_url(ALPHA.filename))
    project.lockfile.write_text(pylock(one, type(one)(wheels=tables)), encoding="utf-8")
    project.configure(runtimes=["python3.12", "python3.13"], architectures=["x86_64", "arm64"])
    display = Lines()
    built = project.build_all(display)
    ids = [f"python3.{minor}-{arch}" for minor in (12, 13) for arch in ("x86_64", "arm64")]
    assert [each.zip_path.name for each in built] == [f"layer-{name}.zip" for name in ids]
    files = sorted(path.name for path in project.zip.parent.iterdir())
    assert files == sorted(f"layer-{name}.{kind}" for name in ids for kind in ("zip", "json"))
    assert len({each.manifest.content_digest for each in built}) == 4
    fetched = [request.path for request in project.index.requests]
    assert sorted(fetched) == sorted(
        project.index.path_of(each.filename) for each in (ALPHA, *native)
    )
    # One table of packages would look like the next.
    assert "package " not in display.text
    assert [line.split(":")[0] for line in display.lines if "unpacked of" in line] == ids
    assert not any(each.rebuilt for each in project.build_all())


@pytest.mark.fault(5)
def test_a_public_preview_of_a_runtime_is_built_with_a_warning(project: Project) -> None:
    project.configure(runtimes=["python3.15"])
    display = Lines()
    built = project.build(display)
    assert (built.rebuilt, built.manifest.runtime) == (True, "python3.15")
    (warning,) = display.warnings
    assert warning.startswith("warning: Runtime python3.15 is a public preview: AWS gives no ")


def test_a_deprecated_runtime_is_built_with_a_warning(project: Project) -> None:
    project.configure(runtimes=["python3.10"])
    display = Lines()
    assert project.build(display).rebuilt
    assert any(
        "python3.10 has been deprecated since 2026-10-31" in line and line.startswith("warning: ")
        for line in display.lines
    )


@pytest.mark.fault(47)
def test_a_date_that_is_none_is_an_error_before_anything_is_fetched(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(ConfigError, match=r"SOURCE_DATE_EPOCH must be a number .*'yesterday'"):
        project.build()
    assert project.index.requests == []
    assert not project.zip.exists()


@pytest.mark.fault(67)
def test_a_build_leaves_the_work_folders_of_living_builds_and_removes_those_of_dead_ones(
    project: Project,
) -> None:
    (project.root / "data.txt").write_text("data")
    project.configure(force_include={"data.txt": "python/data.txt"})
    layout = project.project_build(Lines()).layout
    alive, dead = layout.dir_artifacts / "alive", layout.dir_artifacts / "dead"
    layout.dir_artifacts.mkdir(parents=True)
    with owned(alive):
        for folder in (alive, dead):
            folder.mkdir()
            (folder / "included.pack").write_bytes(b"half of it")
        project.build()
        project.project_build(Lines()).clean()
        assert (alive / "included.pack").read_bytes() == b"half of it"
        assert not dead.exists()
    project.build()
    assert not layout.dir_artifacts.exists()


@pytest.mark.fault(67)
def test_builds_of_one_project_never_have_the_same_work_folder(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project.root / "data.txt").write_text("data")
    project.configure(force_include={"data.txt": "python/data.txt"})
    seen: list[Path] = []

    def find(context: BuildContext, member: Member, selection: Selection) -> BuildInputs:
        seen.append(context.layout.dir_work)
        return find_inputs(context, member, selection)

    monkeypatch.setattr("hatch_lambda_layer.build.pipeline.find_inputs", find)
    project.build()
    project.build()
    assert len({path.name for path in seen}) == 2
    assert {path.parent for path in seen} == {project.project_build(Lines()).layout.dir_artifacts}


@pytest.mark.fault(43)
def test_nothing_but_the_layer_and_its_manifest_is_written(project: Project) -> None:
    before = set(project.root.rglob("*"))
    project.build()
    made = set(project.root.rglob("*")) - before
    assert made == {project.zip.parent, project.zip, project.json}
