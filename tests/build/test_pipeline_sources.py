"""Whole builds of locks that have no wheel for everything, or that a slow tool has to read."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest

from hatch_lambda_layer.exceptions import BuildError, SelectionError
from tests.support.displays import Lines
from tests.support.elf_factory import ElfSpec
from tests.support.layer_project import ALPHA, Project, names, stamps
from tests.support.lock_factory import LockedFile, LockedPackage, locked, pylock
from tests.support.source_factory import (
    copying_project,
    repository,
    sdist,
    telling_project,
    told,
    write_files,
)
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.index_server import IndexServer

LIB = WheelSpec(name="lib", version="1.0", files={"lib.py": b"LIB = 1\n"})
CANARY = "canary-5eed-4711"


def lock(project: Project, *packages: LockedPackage) -> None:
    """Lock packages beside a wheel of the index."""
    alpha = locked(ALPHA, project.index.file_url(ALPHA.filename))
    project.lockfile.write_text(pylock(alpha, *packages), encoding="utf-8")


def lock_folder(project: Project, wheel: WheelSpec = LIB) -> Path:
    """Lock a folder of the project that is built to this wheel."""
    folder = write_files(project.root / "lib", copying_project(wheel))
    lock(project, LockedPackage(name=wheel.name, directory={"path": "lib"}))
    return folder


def lock_sdist(project: Project, name: str, version: str, files: dict[str, bytes]) -> None:
    filename, content = sdist(name, version, files)
    file = LockedFile(
        filename=filename, data=content, url=project.index.add_file(filename, content)
    )
    lock(project, LockedPackage(sdist=file, name=name, version=version))


def read(path: Path, name: str) -> bytes:
    with ZipFile(path) as archive:
        return archive.read(name)


@pytest.mark.fault(21)
def test_a_folder_is_built_and_goes_into_the_layer_with_the_wheels(project: Project) -> None:
    lock_folder(project)
    built = project.build()
    assert [package.name for package in built.manifest.packages] == ["alpha", "lib"]
    assert read(project.zip, "python/lib.py") == b"LIB = 1\n"
    # What it was built in is gone, and git would not have seen it.
    work = project.root / "build" / "lambda"
    assert sorted(path.name for path in work.rglob("*")) == [".gitignore", "CACHEDIR.TAG", "layer"]


@pytest.mark.fault(21)
def test_a_layer_with_a_folder_is_up_to_date_until_the_folder_changes(project: Project) -> None:
    folder = lock_folder(project)
    first = project.build()
    written = stamps(project.zip, project.json)
    assert not project.build().rebuilt
    assert stamps(project.zip, project.json) == written
    changed = replace(LIB, files={"lib.py": b"LIB = 2\n"})
    write_files(folder, copying_project(changed))
    second = project.build()
    assert read(project.zip, "python/lib.py") == b"LIB = 2\n"
    assert second.manifest.content_digest != first.manifest.content_digest


@pytest.mark.fault(21)
def test_a_git_commit_is_built_and_is_not_asked_for_again(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "protocol.file.allow")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "always")
    commit = repository(tmp_path / "origin", copying_project(LIB))
    url = (tmp_path / "origin").as_uri()
    lock(
        project,
        LockedPackage(name="lib", vcs={"type": "git", "url": url, "commit-id": commit}),
    )
    first = project.build()
    shutil.rmtree(tmp_path / "origin")
    project.zip.unlink()
    second = project.build()
    assert read(project.zip, "python/lib.py") == b"LIB = 1\n"
    assert second.manifest == first.manifest


@pytest.mark.fault(19)
@pytest.mark.fault(58)
def test_an_sdist_is_built_where_no_secret_is(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
    monkeypatch.setenv("UV_INDEX_ACME_PASSWORD", CANARY)
    monkeypatch.setenv("CFLAGS", "-O1")
    lock_sdist(project, "teller", "1.0", telling_project())
    project.build()
    module = read(project.zip, "python/teller.py")
    assert CANARY.encode() not in module
    assert "-O1" in str(told(module))


@pytest.mark.fault(20)
def test_native_code_that_needs_a_newer_glibc_is_refused_and_the_old_layer_stays(
    project: Project,
) -> None:
    lock_folder(project)
    project.build()
    written = stamps(project.zip, project.json)
    library = ElfSpec(versions={"libc.so.6": {"GLIBC_2.99": "memcpy"}}).data
    native = WheelSpec(name="lib", tag="cp313-cp313-linux_x86_64", files={"lib.so": library})
    shutil.rmtree(project.root / "lib")
    lock_folder(project, native)
    with pytest.raises(BuildError) as raised:
        project.build()
    said = str(raised.value)
    assert "lib.so" in said
    assert "GLIBC_2.99" in said
    assert "hint: " in said
    assert stamps(project.zip, project.json) == written
    assert not list((project.root / "build" / "lambda" / "layer").iterdir())


@pytest.mark.fault(21)
def test_build_never_refuses_every_source_and_builds_nothing(project: Project) -> None:
    folder = lock_folder(project)
    trap = b"raise SystemExit('it was run')\n"
    write_files(folder, {"backend.py": trap})
    project.configure(build="never")
    with pytest.raises(SelectionError) as raised:
        project.build()
    assert "- lib is the folder `lib`, not a wheel" in str(raised.value)
    assert 'or allow sources with `build = "local"`' in str(raised.value.hint)
    assert not project.zip.exists()


def test_a_member_of_a_matrix_uses_what_another_of_its_python_has_built(project: Project) -> None:
    lock_folder(project)
    project.configure(runtimes=["python3.12", "python3.13"], architectures=["x86_64", "arm64"])
    shown = Lines()
    built = project.build_all(shown)
    assert len({layer.manifest.content_digest for layer in built}) == 1
    assert shown.text.count("Building package `lib`") == 2


def test_details_say_why_a_source_is_built_and_that_its_wheel_was_cached(project: Project) -> None:
    lock_folder(project)
    first, second = Lines(verbosity=1), Lines(verbosity=1)
    project.build(first)
    project.zip.unlink()
    project.build(second)
    at = first.lines.index("Building package `lib` (from its folder)")
    assert "lib is the folder" in first.lines[at + 1]
    (cached,) = (line for line in second.lines if line.startswith("cached: package `lib`"))
    assert "lib is the folder" in cached
    assert "Building" not in second.text


def test_no_other_project_of_a_monorepo_gets_into_a_source(project: Project) -> None:
    # The project lies in the folder that it depends on, as in a repository with one root.
    outer = write_files(project.root.parent / "outer", copying_project(LIB))
    inner = Project(outer / "service", project.index)
    write_files(inner.root, {"pyproject.toml": b""})
    lock(inner, LockedPackage(name="lib", directory={"path": ".."}))
    inner.build()
    assert not inner.build().rebuilt, "the work folder and the layer are no content of the source"
    assert names(inner.zip)


def test_a_warning_about_the_lockfile_is_shown_once_for_all_targets(
    project: Project, index: IndexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", index.simple_url)
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    project.root.joinpath("requirements.txt").write_text("alpha\n", encoding="utf-8")
    project.configure(tool="pip", architectures=["x86_64", "arm64"])
    shown = Lines()
    assert len(project.build_all(shown)) == 2
    assert shown.text.count("the layer can change although the project does not") == 1


def test_what_a_slow_tool_has_read_is_not_read_again(
    project: Project, index: IndexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", index.simple_url)
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    requirements = project.root / "requirements.txt"
    requirements.write_text(f"alpha==1.0 --hash=sha256:{ALPHA.sha256}\n", encoding="utf-8")
    project.configure(tool="pip")
    first = project.build()
    asked = len(index.requests)
    project.zip.unlink()
    assert project.build().manifest == first.manifest
    assert len(index.requests) == asked, "pip would have asked the index"
    requirements.write_text(f"alpha==1.0 --hash=sha256:{'0' * 64}\n", encoding="utf-8")
    with pytest.raises(Exception, match="alpha"):
        project.build()
