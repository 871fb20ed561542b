"""`poetry.lock`: the real poetry locks against a loopback index, and the lock is read back."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tomllib
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from hatch_lambda_layer.exceptions import LambdaLayerError, LockfileError, ToolError
from hatch_lambda_layer.layout import LayerPathLayout
from hatch_lambda_layer.lockfiles import LOCKFILES, LockRequest, find_lockfile
from hatch_lambda_layer.lockfiles.default_index import default_index
from hatch_lambda_layer.lockfiles.poetry.constraints import allows
from hatch_lambda_layer.lockfiles.poetry.document import PoetryLock
from hatch_lambda_layer.lockfiles.poetry.requirements import needs_of_project
from hatch_lambda_layer.targets.target import Architecture, Target, runtimes
from hatch_lambda_layer.wheels.selection import select
from tests.support import same_set
from tests.support.index_server import IndexServer
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

POETRY = LOCKFILES["poetry"]
TARGET = Target(runtimes()["python3.13"], Architecture.X86_64)

LEGACY = """\
[tool.poetry]
name = "app"
version = "1.0"
description = ""
authors = []
package-mode = false

[tool.poetry.dependencies]
python = "^3.11"
alpha = "*"
winonly = { version = "*", markers = "sys_platform == 'win32'" }
clicky = { version = "*", optional = true }

[tool.poetry.extras]
cli = ["clicky"]

[tool.poetry.group.dev.dependencies]
tester = "*"

[tool.poetry.group.docs]
optional = true

[tool.poetry.group.docs.dependencies]
sphinxy = "*"

[[tool.poetry.source]]
name = "loop"
url = "{url}"
priority = "primary"
"""


@pytest.fixture(scope="module")
def index() -> Iterator[IndexServer]:
    with IndexServer() as server:
        same_set.serve(server)
        yield server


@pytest.fixture(scope="module")
def locked(index: IndexServer, tmp_path_factory: pytest.TempPathFactory) -> ToolProject:
    """Give the set of every tool, locked once for all tests."""
    folder = tmp_path_factory.mktemp("poetry")
    text = same_set.pyproject("poetry", index.simple_url)
    return tool_project("poetry", folder / "app", text, folder / "state")


@pytest.fixture(scope="module")
def legacy(index: IndexServer, tmp_path_factory: pytest.TempPathFactory) -> ToolProject:
    """Give a project without `[project]`, locked once for all tests."""
    folder = tmp_path_factory.mktemp("legacy")
    text = LEGACY.replace("{url}", index.simple_url)
    return tool_project("poetry", folder / "app", text, folder / "state")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return make_home(tmp_path / "user", monkeypatch)


def make_home(user: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the home of a person who has settings of poetry and a password in them."""
    isolate(monkeypatch, user)
    home = user / "home"
    config = home / "config" / "pypoetry"
    config.mkdir(parents=True)
    (config / "config.toml").write_text("[virtualenvs]\nin-project = true\n", encoding="utf-8")
    auth = '[http-basic.loop]\nusername = "me"\npassword = "CANARY"\n'
    (config / "auth.toml").write_text(auth, encoding="utf-8")
    return home


def read(project: ToolProject | Path, at: Target = TARGET, **options: Any) -> Lock:
    folder = project.directory if isinstance(project, ToolProject) else project
    layout = LayerPathLayout(
        path_pyproject_toml=folder / "pyproject.toml", dir_output=folder / "dist"
    )
    request = LockRequest(layout=layout, **options)
    lockfile, path, request = find_lockfile(None, request)
    assert lockfile is POETRY
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


NOTHING: dict[str, Any] = {}
EVERYTHING: dict[str, Any] = {"groups": ("docs", "dev"), "extras": ("cli",)}


@pytest.fixture(scope="module")
def legacy_as_read(
    legacy: ToolProject, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Lock, Lock]:
    """The legacy lock as it is read once for all tests, with nothing and with everything."""
    with pytest.MonkeyPatch.context() as patch:
        make_home(tmp_path_factory.mktemp("user"), patch)
        return read(legacy, **NOTHING), read(legacy, **EVERYTHING)


def names(lock: Lock, target: Target = TARGET) -> set[str]:
    return {wheel.name for wheel in select(lock, target).wheels}


def target(python: str, architecture: str = "x86_64") -> Target:
    return Target(runtimes()[f"python{python}"], Architecture(architecture))


# What goes into a layer.


@pytest.mark.parametrize("python", ["3.11", "3.13"])
@pytest.mark.parametrize("machine", ["x86_64", "arm64"])
def test_only_the_main_dependencies_of_the_target_get_in(
    as_read: Read, python: str, machine: str
) -> None:
    assert names(as_read.lock, target(python, machine)) == same_set.expected(python, machine)


@pytest.mark.usefixtures("home")
def test_a_group_brings_what_it_includes(locked: ToolProject) -> None:
    lock = read(locked, groups=("dev",))
    assert names(lock) == same_set.expected("3.13", "x86_64", groups=["dev"])


@pytest.mark.usefixtures("home")
def test_names_of_groups_and_extras_are_those_of_pep_685(locked: ToolProject) -> None:
    lock = read(locked, groups=("Docs",), extras=("CLI",))
    assert names(lock) == same_set.expected("3.13", "x86_64", groups=["docs"], extras=["cli"])


def test_a_project_without_a_project_table_has_groups_and_extras_alike(
    legacy_as_read: tuple[Lock, Lock],
) -> None:
    nothing, everything = legacy_as_read
    assert names(nothing) == {"alpha"}
    assert names(everything) == {"alpha", "clicky", "colors", "sphinxy", "tester", "shim"}


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
def test_the_main_group_is_no_group_to_ask_for(legacy: ToolProject) -> None:
    with pytest.raises(LockfileError, match="has no group `main`; it has: `dev`, `docs`"):
        read(legacy, groups=("main",))


@pytest.mark.usefixtures("home")
def test_a_runtime_that_the_project_excludes_is_refused(
    locked: ToolProject, tmp_path: Path
) -> None:
    project = locked.copy_to(tmp_path / "app")
    text = project.pyproject.read_text("utf-8").replace(">=3.10,<3.15", ">=3.11,<3.13")
    project.pyproject.write_text(text, encoding="utf-8")
    project.lock()
    lock = read(project)
    assert names(lock, target("3.11")) == same_set.expected("3.11", "x86_64")
    with pytest.raises(LockfileError, match=r"does not fit python3\.13"):
        select(lock, target("3.13"))


# Files: by the hashes of the lock, at the index of the lock.


def test_files_have_the_locked_hashes_and_are_looked_for_at_their_index(
    as_read: Read, index: IndexServer
) -> None:
    wheels = select(as_read.lock, TARGET).wheels
    assert as_read.asked == 0
    for wheel in wheels:
        assert wheel.sha256 == hashlib.sha256(index.files[wheel.filename].data).hexdigest()
        assert wheel.index_url == index.simple_url.rstrip("/")
        page = f"{index.simple_url}{wheel.name}/"
        assert wheel.location == f"index+{page}#{wheel.filename}"


@pytest.mark.fault(59)
@pytest.mark.usefixtures("home")
def test_each_package_comes_from_the_index_that_the_lock_names(
    index: IndexServer, tmp_path: Path
) -> None:
    inner = WheelSpec(name="inner", requires_dist=["shim"])
    with IndexServer(hostname="localhost") as private:
        private.add(inner)
        text = (
            '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.11"\n'
            'dependencies = ["inner"]\n\n[tool.poetry.dependencies]\ninner = { source = "in" }\n\n'
            + same_set.index_table("poetry", index.simple_url)
            + f'\n[[tool.poetry.source]]\nname = "in"\nurl = "{private.simple_url}"\n'
            'priority = "explicit"\n'
        )
        project = tool_project("poetry", tmp_path / "app", text, tmp_path / "state")
        wheels = {wheel.name: wheel for wheel in select(read(project), TARGET).wheels}
    assert wheels["inner"].index_url == private.simple_url.rstrip("/")
    assert wheels["shim"].index_url == index.simple_url.rstrip("/")
    assert index.requests_for("/simple/inner/") == []


@pytest.mark.usefixtures("home")
def test_sources_come_out_as_what_they_are(index: IndexServer, tmp_path: Path) -> None:
    commit = git_repository(tmp_path / "repo", source_tree("gitlib", ["shim"]))
    filed = WheelSpec(name="filed")
    remote = WheelSpec(name="remote")
    url = index.add_file(remote.filename, remote.data)
    tables = (
        '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.11,<4"\n'
        'dynamic = ["dependencies"]\n\n[tool.poetry.dependencies]\n'
        f'gitlib = {{ git = "{(tmp_path / "repo").as_uri()}" }}\n'
        'lib = { path = "lib dir/lib", develop = true }\n'
        f'filed = {{ path = "wheels/{filed.filename}" }}\n'
        f'remote = {{ url = "{url}" }}\n'
    )
    files = {f"lib dir/lib/{name}": text for name, text in source_tree("lib").items()}
    folder = tmp_path / "app"
    (folder / "wheels").mkdir(parents=True)
    filed.write(folder / "wheels")
    text = f"{tables}\n{same_set.index_table('poetry', index.simple_url)}"
    project = tool_project("poetry", folder, text, tmp_path / "state", files)
    packages = {str(each.name): each for each in read(project).parse().packages}
    vcs, directory = packages["gitlib"].vcs, packages["lib"].directory
    assert vcs is not None
    assert (vcs.type, vcs.commit_id) == ("git", commit)
    assert directory is not None
    assert (directory.path, directory.editable) == ("lib dir/lib", True)
    selection = select(read(project), TARGET)
    assert {each.name: each.kind for each in selection.sources} == {
        "gitlib": "vcs",
        "lib": "directory",
    }
    assert {each.name: each.location for each in selection.sources}["lib"] == str(
        folder / "lib dir" / "lib"
    )
    wheels = {each.name: each for each in selection.wheels}
    assert wheels["filed"].location == str(folder / "wheels" / filed.filename)
    assert wheels["filed"].sha256 == filed.sha256
    assert (wheels["remote"].location, wheels["remote"].sha256) == (url, remote.sha256)
    assert "shim" in wheels


# Older formats of the lockfile.


def as_format_2_0(lock: str) -> str:
    """Rewrite a lock of poetry 2 as poetry 1.8 has it: without groups and markers."""
    older = re.sub(r"^(groups|markers) = .*\n", "", lock, flags=re.MULTILINE)
    return older.replace('lock-version = "2.1"', 'lock-version = "2.0"')


def as_format_1_1(lock: str) -> str:
    """Rewrite a lock of poetry 2 as poetry 1.2 has it: with all files in one table at the end."""
    files: dict[str, list[dict[str, str]]] = {}
    for package in tomllib.loads(lock)["package"]:
        files.setdefault(package["name"], []).extend(package["files"])
    older = re.sub(r"^files = \[\n(    .*\n)*\]\n", "", as_format_2_0(lock), flags=re.MULTILINE)
    older = re.sub(r"^(optional = .*\n)", r'category = "main"\n\1', older, flags=re.MULTILINE)
    lines = [older.replace('lock-version = "2.0"', 'lock-version = "1.1"'), "", "[metadata.files]"]
    for name, each in files.items():
        inline = ", ".join(f'{{file = "{file["file"]}", hash = "{file["hash"]}"}}' for file in each)
        lines.append(f"{name} = [{inline}]")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("rewrite", [as_format_2_0, as_format_1_1])
@pytest.mark.usefixtures("home")
def test_a_lock_of_poetry_1_selects_the_same_wheels(
    legacy: ToolProject, legacy_as_read: tuple[Lock, Lock], tmp_path: Path, rewrite: Any
) -> None:
    older = legacy.copy_to(tmp_path / "app")
    older.lockfile.write_text(rewrite(legacy.lockfile.read_text("utf-8")), encoding="utf-8")
    assert older.lockfile.read_bytes() != legacy.lockfile.read_bytes()
    for options, new in zip((NOTHING, EVERYTHING), legacy_as_read, strict=True):
        for python in ("3.11", "3.13"):
            found = select(read(older, target(python), **options), target(python)).wheels
            assert found == select(new, target(python)).wheels
            assert ("clicky" in {each.name for each in found}) is bool(options)


def two_versions(tool: str, url: str, folder: Path) -> ToolProject:
    """Lock a project where one package requires an old version of another, on old Pythons only."""
    start = LEGACY[: LEGACY.index("[tool.poetry.dependencies]")]
    text = f"""{start}
[tool.poetry.dependencies]
python = ">=3.8,<4"
bototool = "*"
requester = {{ version = "^1.0", extras = ["socks"] }}

[[tool.poetry.source]]
name = "loop"
url = "{url}"
priority = "primary"
"""
    return tool_project(tool, folder / "app", text, folder / "state")


@pytest.mark.parametrize(
    ("tool", "rewrite"),
    [("poetry-1", str), ("poetry", as_format_2_0), ("poetry", as_format_1_1)],
)
@pytest.mark.usefixtures("home")
def test_two_versions_of_one_package_in_a_lock_of_poetry_1(
    tmp_path: Path, tool: str, rewrite: Any
) -> None:
    with IndexServer() as index:
        old, new = "urlthree>=1.25,<1.27; python_version < '3.12'", "urlthree<2.1,>=1.25"
        index.add(
            WheelSpec(name="bototool", requires_dist=[old, f"{new}; python_version >= '3.12'"]),
            WheelSpec(
                name="requester",
                requires_dist=["urlthree<3,>=1.21", "pysocks!=1.5; extra == 'socks'"],
                extra_metadata="Provides-Extra: socks\n",
            ),
            WheelSpec(name="pysocks", version="1.7"),
            *(WheelSpec(name="urlthree", version=each) for each in ("1.26.1", "2.0.7", "2.5")),
        )
        project = two_versions(tool, index.simple_url, tmp_path)
        text = project.lockfile.read_text("utf-8")
        assert text.count('name = "urlthree"') == 2
        if tool == "poetry-1":
            # poetry itself installs that lock, but does not export it.
            with pytest.raises(AssertionError, match="Dependency walk failed at urlthree"):
                project.run("export", "--without-hashes")
        project.lockfile.write_text(rewrite(text), encoding="utf-8")
        for python, version in (("3.11", "1.26.1"), ("3.13", "2.0.7")):
            found = select(read(project, target(python)), target(python)).wheels
            versions = {wheel.name: wheel.version for wheel in found}
            assert versions == {
                "bototool": "1.0",
                "requester": "1.0",
                "pysocks": "1.7",
                "urlthree": version,
            }


def walked(
    folder: Path, packages: list[dict[str, Any]], project: dict[str, Any], python: str = "3.13"
) -> set[str]:
    lock = PoetryLock(folder / "poetry.lock", {"metadata": {}, "package": packages})
    needs = list(needs_of_project({"tool": {"poetry": project}}, ("dev",), ("cli",)))
    environment = {key: str(each) for key, each in target(python).marker_environment().items()}
    found = lock.reached_from(needs, environment)
    return {f"{package.name} {package.version}" for package, _ in found}


def package(name: str, version: str = "1.0", **facts: Any) -> dict[str, Any]:
    return {"name": name, "version": version, "python-versions": "*", **facts}


def test_what_a_project_of_poetry_1_requires_is_read_in_all_its_forms(tmp_path: Path) -> None:
    project = {
        "dependencies": {
            "python": "^3.9",
            "One": "^1.0",
            "old": {"version": "*", "python": "<3.12"},
            "mac": {"version": "*", "platform": "darwin"},
            "lib": [{"version": "<2", "python": "<3.12"}, {"version": ">=2", "python": ">=3.12"}],
            "clicky": {"version": "*", "optional": True},
            "unused": {"version": "*", "optional": True},
            "gitlib": {"git": "https://host.test/gitlib.git", "tag": "v2"},
        },
        "extras": {"CLI": ["clicky"]},
        "dev-dependencies": {"tester": "*"},
        "group": {
            "dev": {"dependencies": {"linter": "*"}, "include-groups": ["docs"]},
            "docs": {"dependencies": {"sphinxy": "*"}},
            "other": {"dependencies": {"unused": "*"}},
        },
    }
    tags = [
        {"type": "git", "url": "https://host.test/gitlib.git", "reference": f"v{each}"}
        for each in (1, 2)
    ]
    packages = [
        *map(package, ("one", "old", "mac", "clicky", "unused", "tester", "linter", "sphinxy")),
        package("lib", "1.5"),
        package("lib", "2.5"),
        package("gitlib", "3.0", source=tags[0]),
        package("gitlib", "2.0", source=tags[1]),
    ]
    groups = {"tester 1.0", "linter 1.0", "sphinxy 1.0"}
    expected = {"one 1.0", "clicky 1.0", "gitlib 2.0", *groups}
    assert walked(tmp_path, packages, project) == {*expected, "lib 2.5"}
    assert walked(tmp_path, packages, project, "3.11") == {*expected, "lib 1.5", "old 1.0"}


def test_extras_and_pythons_of_packages_count_in_a_lock_of_poetry_1(tmp_path: Path) -> None:
    project = {"dependencies": {"lib": {"version": "*", "extras": ["all"]}, "num": "*"}}
    optional = {"version": "*", "optional": True}
    dependencies = {
        "speedy": {**optional, "markers": 'extra == "fast"'},
        "slowy": {**optional, "markers": 'extra == "slow"'},
        # Before poetry 1.1, without a marker.
        "listed": optional,
        "unlisted": optional,
    }
    extras = {"all": ["lib[fast]"], "fast": ["speedy", "listed (>=1)"], "slow": ["slowy"]}
    packages = [
        package("lib", dependencies=dependencies, extras=extras),
        *map(package, ("speedy", "slowy", "listed", "unlisted")),
        package("num", "2.3", **{"python-versions": ">=3.12"}),
        package("num", "2.2", **{"python-versions": ">=3.9 || 2.7"}),
    ]
    expected = {"lib 1.0", "speedy 1.0", "listed 1.0"}
    assert walked(tmp_path, packages, project) == {*expected, "num 2.3"}
    assert walked(tmp_path, packages, project, "3.11") == {*expected, "num 2.2"}


@pytest.mark.parametrize(
    ("constraint", "inside", "outside"),
    [
        ("^1.2", "1.9 1.2 1.9a1", "2.0 2.0a1 1.1"),
        ("^0.2.3", "0.2.3 0.2.9", "0.3 0.2.2"),
        ("^0.0.3", "0.0.3", "0.0.4 0.1"),
        ("^0", "0.9", "1.0"),
        ("~1.2.3", "1.2.9", "1.3"),
        ("~1", "1.9", "2.0"),
        ("1.2", "1.2 1.2.0 1.2+local", "1.2.1"),
        ("1.*", "1.9", "2.0"),
        (">=1.21.1,<1.27 || >1.27", "1.22 1.28", "1.27 1.20"),
        (">=1 <2", "1.5", "2.0"),
        ("what is this", "1.0 2.0", ""),
        ("*", "1.0 2.0rc1 odd", ""),
    ],
)
def test_constraints_of_poetry_allow_what_they_do_there(
    constraint: str, inside: str, outside: str
) -> None:
    assert [each for each in inside.split() if not allows(constraint, each)] == []
    assert [each for each in outside.split() if allows(constraint, each)] == []


def test_a_shared_table_of_files_is_told_apart_by_version(tmp_path: Path) -> None:
    content = {
        "package": [
            {"name": "Some.Lib", "version": "1.0"},
            {"name": "Some.Lib", "version": "1.0.1"},
        ],
        "metadata": {
            "files": {
                "Some.Lib": [
                    {"file": "some_lib-1.0-py3-none-any.whl", "hash": "sha256:aa"},
                    {"file": "some.lib-1.0.1.tar.gz", "hash": "sha256:bb"},
                    {"file": "some.lib-1.0.tar.gz", "hash": "sha256:cc"},
                    {"file": "some_lib-1.0.win32.exe", "hash": "sha256:dd"},
                ]
            }
        },
    }
    lock = PoetryLock(tmp_path / "poetry.lock", content)
    first, second = (lock.table(each, None, default) for each in lock.packages)
    assert first["name"] == "some-lib"
    assert first["sdist"]["hashes"] == {"sha256": "cc"}
    assert [wheel["hashes"]["sha256"] for wheel in first["wheels"]] == ["aa"]
    assert second["sdist"]["hashes"] == {"sha256": "bb"}
    assert second["wheels"] is None


@pytest.mark.parametrize(
    ("constraint", "specifiers", "markers"),
    [
        ("*", None, []),
        ("^3.11", ">=3.11,<4", []),
        ("~3.11", ">=3.11,<3.12", []),
        ("~3", ">=3,<4", []),
        ("~3.11.2", ">=3.11.2,<3.12", []),
        (">=3.9,<4.0", ">=3.9,<4.0", []),
        (">= 3.9, != 3.12.*", ">=3.9,!=3.12.*", []),
        ("3.12.*", "==3.12.*", []),
        ("3.11.4", "==3.11.4", []),
        ("something else", None, []),
        (
            "~3.11 || ^3.13",
            None,
            [
                'python_full_version < "3.12" and python_full_version >= "3.11"',
                'python_full_version < "4" and python_full_version >= "3.13"',
            ],
        ),
    ],
)
def test_poetrys_way_to_name_pythons_is_understood(
    tmp_path: Path, constraint: str, specifiers: str | None, markers: list[str]
) -> None:
    lock = PoetryLock(tmp_path / "poetry.lock", {"metadata": {"python-versions": constraint}})
    assert lock.requires_python() == (specifiers, markers)


# What a lock can hold beside the usual.


def default() -> str:
    return "https://default.test/simple"


def release(version: str, digest: str, **source: str) -> dict[str, Any]:
    file = {"file": f"lib-{version}-py3-none-any.whl", "hash": f"sha256:{digest}"}
    table = {"source": {"type": "legacy", **source}} if source else {}
    return {"name": "lib", "version": version, "files": [file], **table}


def table(package: dict[str, Any], folder: Path) -> dict[str, Any]:
    lock = PoetryLock(folder / "poetry.lock", {"metadata": {}, "package": [package]})
    return lock.table(lock.packages[0], None, default)


def test_each_group_can_have_a_marker_of_its_own(tmp_path: Path) -> None:
    package = {
        **release("1.0", "aa"),
        "groups": ["main", "dev", "Docs"],
        "markers": {"main": 'extra == "x" or python_version < "3.12"', "dev": 'os_name == "nt"'},
    }
    metadata = {"lock-version": "2.1"}
    lock = PoetryLock(tmp_path / "poetry.lock", {"metadata": metadata, "package": [package]})

    def marker(*groups: str, extras: tuple[str, ...] = ()) -> list[str | None]:
        return [each for _, each in lock.locked_for(groups, extras)]

    assert marker() == ['python_version < "3.12"']
    assert marker(extras=("X",)) == [None]
    assert marker("dev") == ['(python_version < "3.12") or (os_name == "nt")']
    assert marker("docs") == [None]
    package["groups"] = ["dev"]
    lock = PoetryLock(tmp_path / "poetry.lock", {"metadata": metadata, "package": [package]})
    assert marker() == []


def test_the_default_index_counts_where_the_lock_names_none(tmp_path: Path) -> None:
    assert table(release("1.0", "aa"), tmp_path)["index"] == "https://default.test/simple"


def test_the_default_index_is_the_one_that_is_built_into_uv(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://me:CANARY@index.test/simple")
    (tmp_path / "uv.toml").write_text('index-url = "https://other.test/simple"\n', encoding="utf-8")
    found = default_index(tmp_path)
    assert re.fullmatch(r"https://[a-z]+\.[a-z]+/simple", found)
    assert "index.test" not in found
    assert "other.test" not in found


def test_credentials_in_the_url_of_an_index_stay_in_the_lock(tmp_path: Path) -> None:
    found = table(release("1.0", "aa", url="https://me:CANARY@one.test/simple/"), tmp_path)
    assert found["index"] == "https://one.test/simple"
    assert "CANARY" not in json.dumps(found)


def test_a_page_with_the_links_of_many_projects_is_asked_itself(tmp_path: Path) -> None:
    found = table(release("1.0", "aa", url="https://one.test/stable.html"), tmp_path)
    (wheel,) = found["wheels"]
    assert wheel["url"] == "index+https://one.test/stable.html#lib-1.0-py3-none-any.whl"


def test_a_repository_in_gits_own_short_form_gets_a_url(tmp_path: Path) -> None:
    source = {
        "type": "git",
        "url": "git@host.test:team/lib.git",
        "reference": "main",
        "resolved_reference": "a" * 40,
        "subdirectory": "sub",
    }
    found = table({"name": "lib", "version": "1.0", "files": [], "source": source}, tmp_path)
    assert found["vcs"]["url"] == "ssh://git@host.test/team/lib.git"
    assert found["vcs"]["subdirectory"] == "sub"


@pytest.mark.fault(10)
def test_a_package_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LockfileError, match="names no file of package `lib`"):
        table({"name": "lib", "version": "1.0", "files": []}, tmp_path)


# Locks that can't be used.


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
    assert raised.value.hint == "lock again with `poetry lock`"
    assert snapshot(project.directory) == before


@pytest.mark.fault(11)
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[[package]]", "<<<<<<< ours\n[[package]]", "merge conflict in line 3"),
        ("[[package]]", "[[package", "is not valid TOML"),
        ('lock-version = "2.1"', 'lock-version = "3.0"', r"is of format 3\.0, which is not known"),
        ('file = "alpha-1.0-py3-none-any.whl"', "file = 1", "is not as poetry writes it: Type"),
        ('file = "alpha-1.0-py3-none-any.whl"', 'file = "x"', "names no file of package `alpha`"),
    ],
)
@pytest.mark.usefixtures("home")
def test_a_lock_that_is_none_is_refused(
    locked: ToolProject, tmp_path: Path, old: str, new: str, message: str
) -> None:
    project = locked.copy_to(tmp_path / "app")
    text = project.lockfile.read_text("utf-8").replace(old, new, 1)
    project.lockfile.write_text(text, encoding="utf-8")
    with pytest.raises((LockfileError, ToolError), match=message):
        read(project)


@pytest.mark.fault(1)
@pytest.mark.usefixtures("home")
def test_a_project_file_that_is_no_toml_is_named(locked: ToolProject, tmp_path: Path) -> None:
    project = locked.copy_to(tmp_path / "app")
    project.pyproject.write_text("[project\n", encoding="utf-8")
    with pytest.raises(
        LambdaLayerError, match=r"pyproject\.toml`? can't be read: .*line 1, column"
    ):
        read(project)


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


# Locks of a later poetry than is known here.


def of_later_poetry(project: ToolProject, folder: Path) -> ToolProject:
    """Copy a project with a lock whose hash only a later poetry understands."""
    copy = project.copy_to(folder / "app")
    text = re.sub("by Poetry [0-9.]+", "by Poetry 99.1.0", copy.lockfile.read_text("utf-8"))
    text = re.sub('content-hash = ".*"', f'content-hash = "{"0" * 64}"', text)
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
def test_a_lock_of_a_later_poetry_is_compared_with_the_requirements(
    locked: ToolProject, legacy: ToolProject, tmp_path: Path
) -> None:
    for project in (locked, legacy):
        lock = read(of_later_poetry(project, tmp_path / project.directory.parent.name))
        (warning,) = lock.warnings
        assert "compared with the requirements in pyproject.toml" in warning
        assert names(lock) == names(read(project))


@pytest.mark.usefixtures("programs")
def test_a_lock_of_a_later_poetry_that_lacks_or_has_too_much_is_stale(
    locked: ToolProject, tmp_path: Path
) -> None:
    project = of_later_poetry(locked, tmp_path)
    text = project.pyproject.read_text("utf-8")
    changed = text.replace('"alpha",', '"alpha>=2", "missing",').replace('"clicky"', "")
    project.pyproject.write_text(changed, encoding="utf-8")
    with pytest.raises(LockfileError, match="is stale") as raised:
        read(project)
    lines = raised.value.message.splitlines()[1:]
    assert lines == [
        "- `alpha>=2` is not in it",
        "- `missing` is not in it",
        "- nothing requires `clicky` any more",
        "- nothing requires `colors` any more",
    ]


@pytest.mark.parametrize(
    ("script", "verdict"),
    [
        ("exit 0", "fresh"),
        ("echo 'Error: poetry.lock was last generated before' >&2; exit 1", "stale"),
        ("echo 'The option does not exist' >&2; exit 1", "compared"),
        ("kill -9 $$", "compared"),
    ],
)
def test_a_poetry_on_the_path_is_asked_of_a_lock_of_a_later_one(
    locked: ToolProject, tmp_path: Path, programs: Path, script: str, verdict: str
) -> None:
    stand_in(programs, "poetry", f'echo "$@" >> "{tmp_path}/asked"; {script}')
    read(locked)
    assert not (tmp_path / "asked").exists()
    project = of_later_poetry(locked, tmp_path)
    if verdict == "stale":
        with pytest.raises(LockfileError, match="is stale"):
            read(project)
    else:
        assert bool(read(project).warnings) is (verdict == "compared")
    asked = (tmp_path / "asked").read_text("utf-8")
    assert asked == "check --lock --no-interaction --no-ansi\n"


def test_a_real_poetry_says_of_a_lock_of_a_later_one_that_it_is_stale(
    locked: ToolProject, tmp_path: Path, programs: Path
) -> None:
    (programs / "poetry").symlink_to(require(tool_path, "poetry"))
    with pytest.raises(LockfileError, match="is stale") as raised:
        read(of_later_poetry(locked, tmp_path))
    assert raised.value.message.endswith("is stale: pyproject.toml has changed since")
