"""`pdm.lock`: the real pdm locks against a loopback index, and the lock is read back."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from hatch_lambda_layer.exceptions import LockfileError, ToolError
from hatch_lambda_layer.layout import LayerPathLayout
from hatch_lambda_layer.lockfiles import LOCKFILES, LockRequest, find_lockfile
from hatch_lambda_layer.lockfiles.pdm.document import PdmLock
from hatch_lambda_layer.lockfiles.pdm.sources import PdmSources
from hatch_lambda_layer.targets.target import Architecture, Runtime, Target, runtimes
from hatch_lambda_layer.wheels.selection import select
from tests.support import same_set
from tests.support.index_server import IndexServer
from tests.support.lock_factory import UvProject, uv_project
from tests.support.system_parts import require
from tests.support.tools import (
    ToolProject,
    git_repository,
    hide,
    isolate,
    snapshot,
    source_tree,
    stand_in,
    tool_path,
    tool_project,
)
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hatch_lambda_layer.lockfiles.protocol import Lock

PDM = LOCKFILES["pdm"]
TARGET = Target(runtimes()["python3.13"], Architecture.X86_64)
EVERY_TARGET = [
    Target(runtimes()[f"python{python}"], architecture)
    for python in ("3.11", "3.13")
    for architecture in Architecture
]


@pytest.fixture(scope="module")
def index() -> Iterator[IndexServer]:
    with IndexServer() as server:
        same_set.serve(server)
        yield server


@pytest.fixture(scope="module")
def locked(index: IndexServer, tmp_path_factory: pytest.TempPathFactory) -> ToolProject:
    """Give the set of every tool, with every extra, locked once for all tests."""
    folder = tmp_path_factory.mktemp("pdm")
    text = same_set.pyproject("pdm", index.simple_url)
    project = tool_project("pdm", folder / "app", text, folder / "state", lock=False)
    project.lock("-G", ":all")
    return project


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return make_home(tmp_path / "user", monkeypatch)


def make_home(user: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the home of a person who has pdm on the path, and settings of it."""
    isolate(monkeypatch, user, require(tool_path, "pdm"))
    home = user / "home"
    config = home / "config" / "pdm"
    config.mkdir(parents=True)
    text = '[python]\nuse_venv = true\n\n[pypi]\nusername = "me"\npassword = "CANARY"\n'
    (config / "config.toml").write_text(text, encoding="utf-8")
    return home


def read(project: ToolProject | UvProject, **options: Any) -> Lock:
    layout = LayerPathLayout(
        path_pyproject_toml=project.pyproject, dir_output=project.directory / "dist"
    )
    request = LockRequest(layout=layout, **options)
    lockfile, path = find_lockfile(None, request)
    return lockfile.read(path, request, TARGET)


class Read(NamedTuple):
    """The lock of the set as it is read once for all tests, and what the index was asked then."""

    lock: Lock
    asked: int


@pytest.fixture(scope="module")
def as_read(
    locked: ToolProject, index: IndexServer, tmp_path_factory: pytest.TempPathFactory
) -> Read:
    with pytest.MonkeyPatch.context() as patch:
        make_home(tmp_path_factory.mktemp("user"), patch)
        before = len(index.requests)
        return Read(read(locked), len(index.requests) - before)


def names(lock: Lock, target: Target = TARGET) -> set[str]:
    return {wheel.name for wheel in select(lock, target).wheels}


def lock_project(folder: Path, text: str, *options: str, **files: str) -> ToolProject:
    project = tool_project("pdm", folder / "app", text, folder / "state", files, lock=False)
    project.lock(*options)
    return project


def project_table(*dependencies: str) -> str:
    return (
        '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.11"\n'
        f"dependencies = {json.dumps(dependencies)}\n\n"
    )


# What goes into a layer.


@pytest.mark.parametrize("target", EVERY_TARGET, ids=lambda target: target.id)
def test_only_the_default_dependencies_of_the_target_get_in(
    locked: ToolProject, as_read: Read, target: Target
) -> None:
    # `shim` is locked for every Python, because the development group needs it on every one.
    assert re.search(r'name = "shim"\n(?:(?!marker).*\n)*?\n', locked.lockfile.read_text("utf-8"))
    python, machine = target.runtime.id.removeprefix("python"), target.architecture.value
    assert names(as_read.lock, target) == same_set.expected(python, machine)


@pytest.mark.usefixtures("home")
def test_a_group_brings_what_it_includes(locked: ToolProject) -> None:
    lock = read(locked, groups=("dev",))
    assert names(lock) == same_set.expected("3.13", "x86_64", groups=["dev"])


@pytest.mark.usefixtures("home")
def test_names_of_groups_and_extras_are_those_of_pep_685(locked: ToolProject) -> None:
    lock = read(locked, groups=("Docs",), extras=("CLI",))
    assert names(lock) == same_set.expected("3.13", "x86_64", groups=["docs"], extras=["cli"])


@pytest.mark.parametrize("kind", ["group", "extra"])
@pytest.mark.usefixtures("home")
def test_what_the_project_does_not_have_is_refused_with_what_it_has(
    locked: ToolProject, kind: str
) -> None:
    known = "`dev`, `docs`" if kind == "group" else "`cli`"
    with pytest.raises(LockfileError, match=f"has no {kind} `typo`; it has: {known}$"):
        read(locked, **{f"{kind}s": ("typo",)})


@pytest.mark.usefixtures("home")
def test_a_development_group_in_pdms_own_table_is_a_group(
    index: IndexServer, tmp_path: Path
) -> None:
    own = '\n[tool.pdm.dev-dependencies]\ntest = ["tester"]\n'
    text = project_table("alpha") + same_set.index_table("pdm", index.simple_url) + own
    project = lock_project(tmp_path, text)
    assert names(read(project)) == {"alpha"}
    assert names(read(project, groups=("test",))) == {"alpha", "tester", "shim"}


@pytest.mark.usefixtures("home")
def test_a_group_that_was_not_locked_is_refused_with_the_command_for_it(
    index: IndexServer, tmp_path: Path
) -> None:
    project = lock_project(tmp_path, same_set.pyproject("pdm", index.simple_url), "--prod")
    assert names(read(project)) == same_set.expected("3.13", "x86_64")
    with pytest.raises(LockfileError, match="leaves out `dev`, `cli`") as raised:
        read(project, groups=("dev",), extras=("cli",))
    assert raised.value.hint == "lock again with `pdm lock --group dev --group cli`"


@pytest.mark.usefixtures("home")
def test_a_project_without_dependencies_has_an_empty_lock(
    index: IndexServer, tmp_path: Path
) -> None:
    project = lock_project(tmp_path, project_table() + same_set.index_table("pdm", index.url))
    assert read(project).parse().packages == []


@pytest.mark.usefixtures("home")
def test_what_only_a_runtime_of_the_projects_own_needs_is_kept_for_it(
    index: IndexServer, tmp_path: Path
) -> None:
    text = (
        project_table("alpha; python_version >= '3.16'") + "[dependency-groups]\n"
        'dev = ["alpha"]\n[tool.lambda-layer.custom-runtimes.acme]\npython = "3.16"\n'
        f'glibc = "2.34"\n\n{same_set.index_table("pdm", index.simple_url)}'
    )
    lock = read(lock_project(tmp_path, text, "-G", ":all"))
    acme = Runtime(id="acme", python="3.16.0", glibc=(2, 34), compatible=())
    assert names(lock, Target(acme, Architecture.X86_64)) == {"alpha"}
    assert names(lock) == set()


@pytest.mark.usefixtures("home")
def test_what_a_project_computes_is_taken_as_it_is_locked(
    locked: ToolProject, tmp_path: Path
) -> None:
    project = locked.copy_to(tmp_path / "app")
    text = project.pyproject.read_text("utf-8")
    text = text.replace(
        'version = "1.0"\n', 'version = "1.0"\ndynamic = ["optional-dependencies"]\n'
    )
    text = re.sub(r"\[project\.optional-dependencies\]\ncli = .*\n", "", text)
    project.pyproject.write_text(text, encoding="utf-8")
    project.lock()
    # Who computes its dependencies has no list of them here: what `tester` needs stays.
    assert names(read(project)) == same_set.expected("3.13", "x86_64") | {"shim"}


@pytest.mark.usefixtures("home")
def test_a_lock_for_another_platform_does_not_fit(index: IndexServer, tmp_path: Path) -> None:
    text = project_table("native") + same_set.index_table("pdm", index.simple_url)
    project = lock_project(tmp_path, text, "--platform", "windows")
    with pytest.raises(LockfileError, match=r"does not fit python3\.13-x86_64"):
        select(read(project), TARGET)
    project.lock("--platform", "linux", "--append")
    lock = read(project)
    assert names(lock) == {"native"}
    with pytest.raises(LockfileError, match=r"does not fit python3\.13-arm64"):
        select(lock, Target(runtimes()["python3.13"], Architecture.ARM64))


def test_the_targets_of_a_lock_become_markers() -> None:
    targets = [
        {"requires_python": "~=3.11"},
        {"requires_python": "<3.9,>=3.8", "platform": "linux"},
        {"requires_python": "", "platform": "macos_14_0_arm64", "implementation": "cpython"},
    ]
    lock = PdmLock({"metadata": {"targets": targets}}, ["default"])
    any_python, linux, macos = lock.environments()
    assert any_python == 'python_full_version ~= "3.11"'
    python = '(python_full_version < "3.9" and python_full_version >= "3.8")'
    system = '(sys_platform == "linux") and (platform_machine == "x86_64")'
    assert linux == f"{python} and {system}"
    system = '(sys_platform == "darwin") and (platform_machine == "aarch64")'
    assert macos == f'{system} and (implementation_name == "cpython")'


# What the project itself needs, found from package to package.


def locked_packages(*packages: dict[str, Any]) -> PdmLock:
    files = [{"file": "x-1-py3-none-any.whl", "hash": "sha256:aa"}]
    usual = {"version": "1", "groups": ["default"], "files": files}
    content = {"metadata": {}, "package": [{**usual, **each} for each in packages]}
    return PdmLock(content, ["default"])


def kept(lock: PdmLock, *requirements: str) -> dict[str, str | None]:
    from packaging.requirements import Requirement

    environments = [
        {key: str(value) for key, value in target.marker_environment().items()}
        for target in EVERY_TARGET
    ]
    lock.narrow([Requirement(each) for each in requirements], environments)
    found = lock.tables(lambda _: ["https://index.test/simple"])
    return {table["name"]: table["marker"] for table in found}


def test_a_package_that_only_a_group_needs_somewhere_is_kept_to_where_it_is_needed() -> None:
    lock = locked_packages(
        {"name": "lib", "dependencies": ["shim; python_version < '3.12'", "both"]},
        {"name": "shim"},
        {"name": "both", "marker": "sys_platform == 'linux'"},
        {"name": "other"},
    )
    marker = (
        '(python_version == "3.11" and platform_machine == "x86_64") or '
        '(python_version == "3.11" and platform_machine == "aarch64")'
    )
    expected = {"lib": None, "shim": marker, "both": "sys_platform == 'linux'"}
    assert kept(lock, "lib", "other; sys_platform == 'win32'") == expected


def test_packages_that_need_each_other_are_followed_once() -> None:
    lock = locked_packages(
        {"name": "one", "dependencies": ["two"]}, {"name": "two", "dependencies": ["one"]}
    )
    assert kept(lock, "one") == {"one": None, "two": None}


def test_an_extra_brings_its_dependencies_only_when_it_is_asked_for() -> None:
    packages = (
        {"name": "lib"},
        {"name": "lib", "extras": ["x"], "dependencies": ["lib==1", "more"]},
        {"name": "more"},
    )
    assert kept(locked_packages(*packages), "lib[X]") == {"lib": None, "more": None}
    assert kept(locked_packages(*packages), "lib") == {"lib": None}


def test_what_was_asked_for_by_its_place_is_kept_under_any_name() -> None:
    lock = locked_packages(
        {"name": "lib", "path": "./lib", "files": [], "dependencies": ["shim"]}, {"name": "shim"}
    )
    assert kept(lock) == {"lib": None, "shim": None}


def test_everything_is_kept_where_a_dependency_is_not_understood() -> None:
    lock = locked_packages({"name": "lib", "dependencies": ["-e ./odd"]}, {"name": "shim"})
    assert kept(lock, "lib") == {"lib": None, "shim": None}


# Files: by the hashes of the lock, at the indexes of the project.


@pytest.mark.fault(14)
def test_files_have_the_locked_hashes_whatever_the_index_says_now(
    as_read: Read, index: IndexServer
) -> None:
    wheels = select(as_read.lock, TARGET).wheels
    assert as_read.asked == 0
    for wheel in wheels:
        assert wheel.sha256 == hashlib.sha256(index.files[wheel.filename].data).hexdigest()
        page = f"{index.simple_url}{wheel.name}/"
        assert wheel.location == f"index+{page}#{wheel.filename}"
        assert wheel.index_url == index.simple_url.rstrip("/")


@pytest.mark.usefixtures("home")
def test_static_urls_are_used_as_they_are(index: IndexServer, tmp_path: Path) -> None:
    text = project_table("native") + same_set.index_table("pdm", index.simple_url)
    project = lock_project(tmp_path, text, "--strategy", "static_urls")
    (wheel,) = select(read(project), TARGET).wheels
    assert wheel.location == index.file_url(wheel.filename)
    assert wheel.index_url is None


@pytest.mark.usefixtures("home")
def test_sources_come_out_as_what_they_are(index: IndexServer, tmp_path: Path) -> None:
    commit = git_repository(tmp_path / "repo", source_tree("gitlib", ["shim"]))
    filed, remote = WheelSpec(name="filed"), WheelSpec(name="remote")
    url = index.add_file(remote.filename, remote.data)
    # pdm takes `git+file:///` for a host of ssh.
    repository = (tmp_path / "repo").as_uri().replace("file:///", "file://localhost/")
    dependencies = (
        f"gitlib @ git+{repository}",
        "lib @ file:///${PROJECT_ROOT}/my/lib",
        f"filed @ file:///${{PROJECT_ROOT}}/wheels/{filed.filename}",
        f"remote @ {url}",
    )
    folder = tmp_path / "app"
    (folder / "wheels").mkdir(parents=True)
    filed.write(folder / "wheels")
    text = project_table(*dependencies) + same_set.index_table("pdm", index.simple_url)
    files = {f"my/lib/{name}": content for name, content in source_tree("lib").items()}
    project = lock_project(tmp_path, text, **files)
    lock = read(project)
    packages = {str(each.name): each for each in lock.parse().packages}
    vcs, directory = packages["gitlib"].vcs, packages["lib"].directory
    assert vcs is not None
    assert (vcs.type, vcs.commit_id) == ("git", commit)
    assert directory is not None
    assert directory.path == "my/lib"
    selection = select(lock, TARGET)
    places = {each.name: (each.kind, each.location) for each in selection.sources}
    assert places["lib"] == ("directory", str(folder / "my" / "lib"))
    assert places["gitlib"] == ("vcs", repository)
    wheels = {each.name: each for each in selection.wheels}
    assert wheels["filed"].location == str(folder / "wheels" / filed.filename)
    assert wheels["filed"].sha256 == filed.sha256
    assert (wheels["remote"].location, wheels["remote"].sha256) == (url, remote.sha256)
    assert "shim" in wheels


def test_a_place_is_a_url_or_a_path_below_the_project() -> None:
    vcs = {"name": "lib", "revision": "a" * 40, "ref": "main", "subdirectory": "sub"}
    place = {"name": "lib", "files": [{"file": "x", "hash": "sha256:aa"}], "version": "1"}
    content = {
        "metadata": {},
        "package": [
            {**vcs, "git": "https://me:CANARY@host.test/lib.git"},
            {**vcs, "name": "other", "hg": "file:///${PROJECT_ROOT}/my%20lib"},
            {**place, "path": "./wheels/lib.tar.gz"},
            {**place, "name": "remote", "url": "https://me:CANARY@host.test/lib.zip"},
        ],
    }
    git, other, local, remote = PdmLock(content, ["default"]).tables(lambda _: [])
    assert git["vcs"] == {
        "type": "git",
        "url": "https://host.test/lib.git",
        "requested-revision": "main",
        "commit-id": "a" * 40,
        "subdirectory": "sub",
    }
    assert (other["vcs"]["type"], other["vcs"]["path"]) == ("hg", "my lib")
    assert local["archive"]["path"] == "wheels/lib.tar.gz"
    assert remote["archive"]["url"] == "https://host.test/lib.zip"
    assert remote["archive"]["hashes"] == {"sha256": "aa"}


def indexes(folder: Path, name: str, *sources: dict[str, Any]) -> list[str]:
    project = {"tool": {"pdm": {"source": list(sources)}}}
    return PdmSources(folder, project, lambda: "https://default.test/simple").indexes(name)


ONE = {"name": "one", "url": "https://me:CANARY@one.test/simple/"}
TWO = {"name": "two", "url": "https://${TOKEN}@two.test/simple"}


@pytest.mark.fault(59)
@pytest.mark.usefixtures("home")
def test_the_default_index_is_asked_last_and_no_url_has_credentials(tmp_path: Path) -> None:
    assert indexes(tmp_path, "lib") == ["https://default.test/simple"]
    assert indexes(tmp_path, "lib", ONE, TWO) == [
        "https://one.test/simple",
        "https://two.test/simple",
        "https://default.test/simple",
    ]
    own = {"name": "pypi", "url": "https://mirror.test/simple"}
    assert indexes(tmp_path, "lib", own, ONE) == [
        "https://one.test/simple",
        "https://mirror.test/simple",
    ]


@pytest.mark.fault(59)
@pytest.mark.usefixtures("home")
def test_a_source_that_includes_a_package_is_the_only_one_for_it(tmp_path: Path) -> None:
    one = {**ONE, "include_packages": ["team-*"]}
    two = {**TWO, "exclude_packages": ["*"]}
    assert indexes(tmp_path, "team-lib", one, two) == ["https://one.test/simple"]
    assert indexes(tmp_path, "other", one, two) == [
        "https://one.test/simple",
        "https://default.test/simple",
    ]


def test_sources_and_mirror_of_the_user_count_as_they_do_for_pdm(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = home / "config" / "pdm" / "config.toml"
    text = (
        '[pypi]\nurl = "https://mirror.test/simple"\n[pypi.stored]\nurl = "https://s.test/simple"\n'
    )
    config.write_text(text, encoding="utf-8")
    named = {"name": "stored"}
    assert indexes(tmp_path, "lib", ONE) == [
        "https://one.test/simple",
        "https://s.test/simple",
        "https://mirror.test/simple",
    ]
    assert indexes(tmp_path, "lib", named)[0] == "https://s.test/simple"
    monkeypatch.setenv("PDM_IGNORE_STORED_INDEX", "1")
    monkeypatch.setenv("PDM_PYPI_URL", "https://env.test/simple")
    assert indexes(tmp_path, "lib", ONE) == ["https://one.test/simple", "https://env.test/simple"]
    (tmp_path / "pdm.toml").write_text('[pypi]\nurl = "https://p.test/simple"\n', encoding="utf-8")
    monkeypatch.delenv("PDM_PYPI_URL")
    assert indexes(tmp_path, "lib") == ["https://p.test/simple"]


@pytest.mark.usefixtures("home")
def test_several_indexes_are_several_pages(index: IndexServer, tmp_path: Path) -> None:
    with IndexServer(hostname="localhost") as other:
        other.add(WheelSpec(name="inner"))
        text = project_table("inner", "shim") + same_set.index_table("pdm", index.simple_url)
        text += f'\n[[tool.pdm.source]]\nname = "in"\nurl = "{other.simple_url}"\n'
        project = lock_project(tmp_path, text)
        lock = read(project)
    wheels = {wheel.name: wheel for wheel in select(lock, TARGET).wheels}
    for name, wheel in wheels.items():
        pages = f"{other.simple_url}{name}/ {index.simple_url}{name}/"
        assert wheel.location == f"index+{pages}#{wheel.filename}"
    assert set(wheels) == {"inner", "shim"}


# Locks that can't be used.


def edited(project: ToolProject, folder: Path, old: str, new: str) -> ToolProject:
    copy = project.copy_to(folder / "app")
    text = copy.lockfile.read_text("utf-8")
    assert old in text
    copy.lockfile.write_text(text.replace(old, new, 1), encoding="utf-8")
    return copy


def add_dependency(project: ToolProject) -> None:
    text = project.pyproject.read_text("utf-8").replace('"alpha",', '"alpha", "colors",')
    project.pyproject.write_text(text, encoding="utf-8")


@pytest.mark.fault(9)
@pytest.mark.usefixtures("home")
def test_a_stale_lock_fails_and_stays_as_it_is(locked: ToolProject, tmp_path: Path) -> None:
    project = locked.copy_to(tmp_path / "app")
    add_dependency(project)
    before = snapshot(project.directory)
    with pytest.raises(LockfileError, match="is stale") as raised:
        read(project)
    assert raised.value.hint == "lock again with `pdm lock`"
    assert snapshot(project.directory) == before


@pytest.mark.fault(11)
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[metadata]", "<<<<<<< ours\n[metadata]", "merge conflict in line 4"),
        ("[metadata]", "[metadata", "is not valid TOML"),
        ('lock_version = "4.', 'lock_version = "9.', "is of a version that the installed pdm"),
        ('name = "alpha"', 'title = "alpha"', "is not as pdm writes it"),
    ],
)
@pytest.mark.usefixtures("home")
def test_a_lock_that_is_none_is_refused(
    locked: ToolProject, tmp_path: Path, old: str, new: str, message: str
) -> None:
    with pytest.raises(LockfileError, match=message):
        read(edited(locked, tmp_path, old, new))


@pytest.mark.fault(10)
@pytest.mark.usefixtures("home")
def test_a_lock_without_files_is_refused(locked: ToolProject, tmp_path: Path) -> None:
    with pytest.raises(LockfileError, match="names no file of package `alpha`"):
        read(edited(locked, tmp_path, "files = [", "others = ["))


@pytest.mark.usefixtures("home")
def test_a_lock_without_markers_is_refused(index: IndexServer, tmp_path: Path) -> None:
    text = project_table("alpha") + same_set.index_table("pdm", index.simple_url)
    project = lock_project(tmp_path, text, "--strategy", "no_inherit_metadata")
    with pytest.raises(LockfileError, match="does not say which groups and platforms"):
        read(project)


@pytest.mark.usefixtures("home")
def test_a_lock_of_pdm_2_11_to_2_16_is_read(locked: ToolProject, tmp_path: Path) -> None:
    targets = '[[metadata.targets]]\nrequires_python = ">=3.10,<3.15"\n'
    project = edited(locked, tmp_path, targets, "")
    text = project.lockfile.read_text("utf-8")
    text = re.sub('lock_version = ".*"', 'lock_version = "4.4.1"', text)
    project.lockfile.write_text(text, encoding="utf-8")
    with pytest.raises(LockfileError, match="is for the one platform that it was made on"):
        read(project)
    text = text.replace('["inherit_metadata"]', '["cross_platform", "inherit_metadata"]')
    project.lockfile.write_text(text, encoding="utf-8")
    assert names(read(project)) == same_set.expected("3.13", "x86_64")


@pytest.mark.fault(12)
@pytest.mark.usefixtures("home")
def test_line_ends_of_windows_change_nothing(
    locked: ToolProject, as_read: Read, tmp_path: Path
) -> None:
    project = locked.copy_to(tmp_path / "app")
    for path in (project.lockfile, project.pyproject):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert read(project).text == as_read.lock.text


# Nothing is changed.


def test_neither_the_project_nor_the_home_of_the_user_is_changed(
    locked: ToolProject, tmp_path: Path, home: Path
) -> None:
    project = locked.copy_to(tmp_path / "app")
    before = snapshot(project.directory, home)
    lock = read(project, groups=("dev",), extras=("cli",))
    assert snapshot(project.directory, home) == before
    assert b"CANARY" not in lock.text


def test_nothing_is_changed_where_no_interpreter_fits_the_project(
    locked: ToolProject, tmp_path: Path, home: Path
) -> None:
    project = locked.copy_to(tmp_path / "app")
    text = project.pyproject.read_text("utf-8").replace(">=3.10,<3.15", ">=3.99")
    project.pyproject.write_text(text, encoding="utf-8")
    # For another command, pdm would take this file away, and make or download an interpreter.
    (project.directory / ".pdm-python").write_text("python-of-the-user", encoding="utf-8")
    before = snapshot(project.directory, home)
    with pytest.raises(LockfileError, match="is stale"):
        read(project)
    assert snapshot(project.directory, home) == before


# The tool.


@pytest.fixture
def nothing_beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> Path:
    """Give the only folder for programs but the system's, where no pdm is beside this package."""
    hide(monkeypatch, tmp_path / "hidden", "pdm")
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", os.pathsep.join([str(folder), "/usr/bin", "/bin"]))
    return folder


@pytest.mark.usefixtures("nothing_beside")
def test_without_pdm_both_ways_to_get_it_are_named(
    locked: ToolProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    with pytest.raises(LockfileError, match="needs pdm, and none was found") as raised:
        read(locked)
    assert 'pip install "hatch-lambda-layer[pdm]"' in str(raised.value.hint)
    assert "on the PATH" in str(raised.value.hint)


def test_the_pdm_beside_this_package_comes_first(
    locked: ToolProject, nothing_beside: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(nothing_beside, "pdm", "echo 'the wrong one' >&2; exit 1")
    package = tmp_path / "beside" / "pdm"
    package.mkdir(parents=True)
    (package.parent / "pdm-2.29.3.dist-info").mkdir()
    # The real program, as a package of this interpreter.
    run = f"import os, sys; os.execv({str(locked.program)!r}, ['pdm', *sys.argv[1:]])"
    (package / "__main__.py").write_text(run, encoding="utf-8")
    monkeypatch.setattr(sys, "path", [*sys.path, str(package.parent)])
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    assert names(read(locked)) == same_set.expected("3.13", "x86_64")


def test_a_folder_of_the_project_that_is_called_pdm_is_not_taken_for_it(
    locked: ToolProject, nothing_beside: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (nothing_beside / "pdm").symlink_to(locked.program)
    project = locked.copy_to(tmp_path / "app")
    (project.directory / "pdm").mkdir()
    monkeypatch.setattr(sys, "path", [str(project.directory), *sys.path])
    assert names(read(project)) == same_set.expected("3.13", "x86_64")


def test_a_pdm_that_is_too_old_is_named_as_such(locked: ToolProject, nothing_beside: Path) -> None:
    said = "[PdmUsageError]: unrecognized arguments: --check"
    stand_in(nothing_beside, "pdm", f"echo '{said}' >&2; exit 2")
    with pytest.raises(LockfileError, match="too old to read") as raised:
        read(locked)
    assert said in raised.value.message


@pytest.mark.usefixtures("home")
def test_pdms_own_words_are_shown(locked: ToolProject, tmp_path: Path) -> None:
    project = locked.copy_to(tmp_path / "app")
    with project.pyproject.open("a", encoding="utf-8") as file:
        file.write('\n[tool.pdm.resolution]\nexclude-newer-override = { alpha = "never" }\n')
    with pytest.raises(ToolError, match=r"Invalid `resolution\.exclude-newer-override`"):
        read(project)


@pytest.mark.fault(57)
def test_credentials_are_cut_out_of_what_pdm_says(
    locked: ToolProject, nothing_beside: Path
) -> None:
    script = "echo 'no answer from https://me:CANARY@index.test/simple' >&2; exit 1"
    stand_in(nothing_beside, "pdm", script)
    with pytest.raises(ToolError, match=r"no answer from https://\*\*\*\*@index\.test") as raised:
        read(locked)
    assert "CANARY" not in str(raised.value)


def test_a_pdm_that_is_killed_is_reported_as_that(
    locked: ToolProject, nothing_beside: Path
) -> None:
    stand_in(nothing_beside, "pdm", "kill -9 $$")
    with pytest.raises(ToolError, match="ended by signal 9"):
        read(locked)


# The same set, whichever tool has locked it.


@pytest.fixture(scope="module")
def by_every_tool(
    locked: ToolProject, index: IndexServer, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, ToolProject | UvProject]:
    folder = tmp_path_factory.mktemp("same")
    text = same_set.pyproject("poetry", index.simple_url)
    poetry = tool_project("poetry", folder / "poetry", text, folder / "state")
    uv = uv_project(folder / "uv", index.simple_url, lock=False)
    uv.pyproject.write_text(same_set.pyproject("uv", index.simple_url), encoding="utf-8")
    uv.lock()
    return {"uv": uv, "poetry": poetry, "pdm": locked}


@pytest.mark.parametrize(
    "options", [{}, {"groups": ("dev",), "extras": ("cli",)}], ids=["usual", "everything"]
)
def test_each_tool_selects_the_same_wheels(
    by_every_tool: dict[str, ToolProject | UvProject],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, Any],
) -> None:
    isolate(monkeypatch, tmp_path, require(tool_path, "pdm"), require(tool_path, "poetry"))
    locks = {tool: read(project, **options) for tool, project in by_every_tool.items()}
    for target in EVERY_TARGET:
        selected = {
            tool: [(wheel.filename, wheel.sha256) for wheel in select(lock, target).wheels]
            for tool, lock in locks.items()
        }
        assert selected["uv"] == selected["poetry"] == selected["pdm"]
        python, machine = target.runtime.id.removeprefix("python"), target.architecture.value
        expected = same_set.expected(python, machine, **options)
        assert len(selected["uv"]) == len(expected)
