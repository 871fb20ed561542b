"""`pdm.lock`: the real pdm locks against a loopback index, and the lock is read back."""

from __future__ import annotations

import hashlib
import json
import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from hatch_lambda_layer.exceptions import LockfileError
from hatch_lambda_layer.layout import LayerPathLayout
from hatch_lambda_layer.lockfiles import LOCKFILES, LockRequest, find_lockfile
from hatch_lambda_layer.lockfiles.pdm.document import PdmLock, target_markers
from hatch_lambda_layer.lockfiles.pdm.requirements import parse_need
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


def read(project: ToolProject | UvProject, at: Target = TARGET, **options: Any) -> Lock:
    layout = LayerPathLayout(
        path_pyproject_toml=project.pyproject, dir_output=project.directory / "dist"
    )
    request = LockRequest(layout=layout, **options)
    lockfile, path, request = find_lockfile(None, request)
    return lockfile.read(path, request, at)


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
    locked: ToolProject, home: Path, target: Target
) -> None:
    # `shim` is locked for every Python, because the development group needs it on every one.
    assert re.search(r'name = "shim"\n(?:(?!marker).*\n)*?\n', locked.lockfile.read_text("utf-8"))
    python, machine = target.runtime.id.removeprefix("python"), target.architecture.value
    assert names(read(locked, target), target) == same_set.expected(python, machine)


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
    wanted: dict[str, Any] = {f"{kind}s": ("typo",)}
    with pytest.raises(LockfileError, match=f"has no {kind} `typo`; it has: {known}$"):
        read(locked, **wanted)


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
    hint = "lock again with `pdm lock --update-reuse --group dev --group cli`"
    assert raised.value.hint == hint


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
    project = lock_project(tmp_path, text, "-G", ":all")
    acme = Target(
        Runtime(id="acme", python="3.16.0", glibc=(2, 34), compatible=()), Architecture.X86_64
    )
    assert names(read(project, acme), acme) == {"alpha"}
    assert names(read(project)) == set()


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
    any_python, linux, macos = target_markers({"targets": targets})
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
    content = {
        "metadata": {"strategy": ["inherit_metadata"]},
        "package": [{**usual, **each} for each in packages],
    }
    return PdmLock(content, ["default"])


def kept(lock: PdmLock, *requirements: str, target: Target = TARGET) -> dict[str, str | None]:
    environment = {key: str(value) for key, value in target.marker_environment().items()}
    found = lock.reached_from([parse_need(each) for each in requirements], environment)
    return {package.name: marker for package, marker in found}


def test_a_package_that_only_a_group_needs_somewhere_is_kept_to_where_it_is_needed() -> None:
    lock = locked_packages(
        {"name": "lib", "dependencies": ["shim; python_version < '3.12'", "both"]},
        {"name": "shim"},
        {"name": "both", "marker": "sys_platform == 'linux'"},
        {"name": "other"},
    )
    expected = {"lib": None, "both": "sys_platform == 'linux'"}
    requirements = ("lib", "other; sys_platform == 'win32'")
    assert kept(lock, *requirements) == expected
    old = Target(runtimes()["python3.11"], Architecture.ARM64)
    assert kept(lock, *requirements, target=old) == {**expected, "shim": None}


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


def test_of_several_versions_the_latest_is_taken_that_all_accept() -> None:
    lock = locked_packages(
        {"name": "one", "dependencies": ["lib"]},
        {"name": "two", "dependencies": ["lib<2"]},
        {"name": "lib", "version": "1.0"},
        {"name": "lib", "version": "1.5", "dependencies": ["shim"]},
        {"name": "lib", "version": "2.0", "dependencies": ["other"]},
        {"name": "lib", "version": "1.9", "requires_python": ">=3.99"},
        {"name": "shim"},
        {"name": "other"},
    )

    def versions(*requirements: str) -> set[str]:
        environment = {key: str(value) for key, value in TARGET.marker_environment().items()}
        found = lock.reached_from([parse_need(each) for each in requirements], environment)
        return {f"{package.name} {package.version}" for package, _ in found}

    assert versions("one") == {"one 1", "lib 2.0", "other 1"}
    assert versions("one", "two") == {"one 1", "two 1", "lib 1.5", "shim 1"}
    # An override of the project, which the lock has decided on.
    assert versions("lib==7") == {"lib 2.0", "other 1"}


def test_the_marker_of_what_only_the_kernel_decides_stays() -> None:
    marker = "platform_release >= '5'"
    lock = locked_packages({"name": "lib", "dependencies": [f"shim; {marker}"]}, {"name": "shim"})
    assert kept(lock, "lib") == {"lib": None, "shim": marker.replace("'", '"')}


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
    packages = PdmLock(content, ["default"]).packages
    git, other, local, remote = (each.table(None, lambda _: []) for each in packages)
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


def test_a_lock_is_read_anew_when_the_sources_of_the_user_change(
    locked: ToolProject, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = LayerPathLayout(path_pyproject_toml=locked.pyproject, dir_output=locked.directory)

    def key() -> str | None:
        return PDM.key(locked.lockfile, LockRequest(layout=layout), TARGET)

    first = key()
    assert first is not None
    assert key() == first
    monkeypatch.setenv("PDM_PYPI_URL", "https://env.test/simple")
    second = key()
    config = home / "config" / "pdm" / "config.toml"
    config.write_text('[pypi]\nurl = "https://mirror.test/simple"\n', encoding="utf-8")
    assert len({first, second, key()}) == 3


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
    assert raised.value.hint == "lock again with `pdm lock --update-reuse`"
    assert snapshot(project.directory) == before


@pytest.mark.fault(11)
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[metadata]", "<<<<<<< ours\n[metadata]", "merge conflict in line 4"),
        ("[metadata]", "[metadata", "is not valid TOML"),
        ('lock_version = "4.', 'lock_version = "9.', r"is of format 9\.\S+, which is not known"),
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


def without_metadata(index: IndexServer, folder: Path, text: str = "") -> ToolProject:
    """Lock the set of every tool as pdm before 2.11 did: packages have no groups and markers."""
    text = text or same_set.pyproject("pdm", index.simple_url)
    return lock_project(folder, text, "-G", ":all", "--strategy", "no_inherit_metadata")


@pytest.mark.parametrize("options", [{}, {"groups": ("dev",), "extras": ("cli",)}])
@pytest.mark.usefixtures("home")
def test_a_lock_without_groups_and_markers_is_walked(
    index: IndexServer, tmp_path: Path, options: dict[str, Any]
) -> None:
    project = without_metadata(index, tmp_path)
    assert "groups = [" in project.lockfile.read_text("utf-8").partition("[[package]]")[0]
    assert "groups = [" not in project.lockfile.read_text("utf-8").partition("[[package]]")[2]
    for target in EVERY_TARGET:
        python, machine = target.runtime.id.removeprefix("python"), target.architecture.value
        expected = same_set.expected(python, machine, **options)
        assert names(read(project, target, **options), target) == expected


@pytest.mark.usefixtures("home")
def test_a_lock_without_groups_needs_a_project_that_lists_its_dependencies(
    index: IndexServer, tmp_path: Path
) -> None:
    project = without_metadata(index, tmp_path)
    text = project.pyproject.read_text("utf-8")
    text = text.replace('"1.0"\n', '"1.0"\ndynamic = ["optional-dependencies"]\n', 1)
    text = re.sub(r"\[project\.optional-dependencies\]\ncli = .*\n", "", text)
    project.pyproject.write_text(text, encoding="utf-8")
    project.lock()
    with pytest.raises(LockfileError, match="does not say which groups need a package"):
        read(project)


@pytest.mark.usefixtures("home")
def test_a_lock_for_the_one_platform_that_it_was_made_on_is_refused(
    locked: ToolProject, tmp_path: Path
) -> None:
    targets = '[[metadata.targets]]\nrequires_python = ">=3.10,<3.15"\n'
    project = edited(locked, tmp_path, targets, "")
    with pytest.raises(LockfileError, match="is for the one platform that it was made on"):
        read(project)
    text = project.lockfile.read_text("utf-8")
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


# Locks of a later pdm than is known here.


def of_later_pdm(project: ToolProject, folder: Path) -> ToolProject:
    """Copy a project with a lock whose hash only a later pdm understands."""
    copy = project.copy_to(folder / "app")
    text = re.sub(
        'lock_version = ".*"', 'lock_version = "4.99.0"', copy.lockfile.read_text("utf-8")
    )
    text = re.sub('content_hash = ".*"', 'content_hash = "sha256:0"', text)
    copy.lockfile.write_text(text, encoding="utf-8")
    return copy


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> Path:
    """Give the only folder for programs but the system's."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", os.pathsep.join([str(folder), "/usr/bin", "/bin"]))
    return folder


@pytest.mark.usefixtures("programs")
def test_a_lock_of_a_later_pdm_is_compared_with_the_requirements(
    locked: ToolProject, tmp_path: Path
) -> None:
    project = of_later_pdm(locked, tmp_path)
    lock = read(project)
    assert names(lock) == same_set.expected("3.13", "x86_64")
    (warning,) = lock.warnings
    assert "compared with the requirements in pyproject.toml" in warning
    text = project.pyproject.read_text("utf-8")
    changed = text.replace('"alpha",', '"alpha>=2", "missing",').replace('"clicky"', "")
    project.pyproject.write_text(changed, encoding="utf-8")
    with pytest.raises(LockfileError, match="is stale") as raised:
        read(project)
    assert raised.value.message.splitlines()[1:] == [
        "- `alpha>=2` is not in it",
        "- `missing` is not in it",
        "- nothing requires `clicky` any more",
        "- nothing requires `colors` any more",
    ]


@pytest.mark.usefixtures("programs")
def test_what_the_project_overrides_or_excludes_does_not_make_a_lock_stale(
    locked: ToolProject, tmp_path: Path
) -> None:
    project = of_later_pdm(locked, tmp_path)
    text = project.pyproject.read_text("utf-8").replace('"alpha",', '"alpha>=2", "missing",')
    text += '\n[tool.pdm.resolution]\nexcludes = ["Missing"]\noverrides = { alpha = "1.0" }\n'
    project.pyproject.write_text(text, encoding="utf-8")
    assert names(read(project)) == same_set.expected("3.13", "x86_64")


@pytest.mark.parametrize(
    ("script", "verdict"),
    [
        ("exit 0", "fresh"),
        ('echo "WARNING: Lockfile hash doesn\'t match pyproject.toml" >&2; exit 1', "stale"),
        ("echo 'unrecognized arguments: --check' >&2; exit 2", "compared"),
    ],
)
def test_a_pdm_on_the_path_is_asked_of_a_lock_of_a_later_one(
    locked: ToolProject, tmp_path: Path, programs: Path, script: str, verdict: str
) -> None:
    stand_in(programs, "pdm", f'echo "$@" >> "{tmp_path}/asked"; {script}')
    read(locked)
    assert not (tmp_path / "asked").exists()
    project = of_later_pdm(locked, tmp_path)
    if verdict == "stale":
        with pytest.raises(LockfileError, match="is stale"):
            read(project)
    else:
        assert bool(read(project).warnings) is (verdict == "compared")
    assert (tmp_path / "asked").read_text("utf-8") == "lock --check --lockfile pdm.lock\n"


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
    for target in EVERY_TARGET:
        locks = {tool: read(each, target, **options) for tool, each in by_every_tool.items()}
        selected = {
            tool: [(wheel.filename, wheel.sha256) for wheel in select(lock, target).wheels]
            for tool, lock in locks.items()
        }
        assert selected["uv"] == selected["poetry"] == selected["pdm"]
        python, machine = target.runtime.id.removeprefix("python"), target.architecture.value
        expected = same_set.expected(python, machine, **options)
        assert len(selected["uv"]) == len(expected)
