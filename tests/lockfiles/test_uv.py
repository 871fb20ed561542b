"""`uv.lock` is read whatever the machine has: settings, interpreters, network, build backends."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer.exceptions import LockfileError
from hatch_lambda_layer.layout import LayerPathLayout
from hatch_lambda_layer.lockfiles import LOCKFILES, LockRequest, find_lockfile
from hatch_lambda_layer.lockfiles.uv import export
from hatch_lambda_layer.targets.target import Architecture, Target, runtimes
from hatch_lambda_layer.wheels.selection import select
from tests.support.index_server import IndexServer
from tests.support.lock_factory import UvProject, uv_environment, uv_project
from tests.support.system_parts import require
from tests.support.tools import oldest_uv
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hatch_lambda_layer.lockfiles.protocol import Lock

TARGET = Target(runtimes()["python3.13"], Architecture.X86_64)
UV = LOCKFILES["uv"]
NAMES = ("alpha", "beta", "gamma", "delta")


@pytest.fixture(scope="module")
def index() -> Iterator[IndexServer]:
    with IndexServer() as server:
        server.add(*(WheelSpec(name=name) for name in NAMES))
        server.add(WheelSpec(name="alpha", version="2.0"))
        yield server


@pytest.fixture(autouse=True)
def no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the person who runs the tests, and an empty cache of uv."""
    for name in [name for name in os.environ if name.startswith("UV_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "empty-cache"))


@pytest.fixture(scope="module")
def locked_once(index: IndexServer, tmp_path_factory: pytest.TempPathFactory) -> UvProject:
    return uv_project(
        tmp_path_factory.mktemp("uv") / "app",
        index.simple_url,
        ["alpha"],
        dependency_groups={"dev": ["gamma"]},
    )


@pytest.fixture
def project(locked_once: UvProject, tmp_path: Path) -> UvProject:
    copy = shutil.copytree(locked_once.directory, tmp_path / "app")
    return replace(locked_once, directory=copy)


def requested(
    folder: Path, groups: tuple[str, ...] = (), extras: tuple[str, ...] = ()
) -> LockRequest:
    layout = LayerPathLayout(folder / "pyproject.toml", folder / "dist")
    return LockRequest(layout=layout, groups=groups, extras=extras)


def read(folder: Path, groups: tuple[str, ...] = (), extras: tuple[str, ...] = ()) -> Lock:
    request = requested(folder, groups, extras)
    lockfile, path, request = find_lockfile("uv", request)
    return lockfile.read(path, request, TARGET)


def names(folder: Path, groups: tuple[str, ...] = (), extras: tuple[str, ...] = ()) -> list[str]:
    return [each.name for each in select(read(folder, groups, extras), TARGET).all]


def key(folder: Path, groups: tuple[str, ...] = ()) -> str:
    request = requested(folder, groups)
    found = UV.key(find_lockfile("uv", request)[1], request, TARGET)
    assert found is not None
    return found


def refusal(folder: Path, *words: str) -> LockfileError:
    with pytest.raises(LockfileError) as caught:
        select(read(folder), TARGET)
    said = caught.value.message
    assert [word for word in words if word not in said] == [], said
    return caught.value


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "setting",
    [
        "UV_DEFAULT_INDEX=http://127.0.0.1:9/mirror",
        "UV_INDEX_URL=http://127.0.0.1:9/mirror",
        "UV_INDEX=corp=http://127.0.0.1:9/corp",
        "UV_EXCLUDE_NEWER=2020-01-01",
        "UV_PRERELEASE=allow",
        "UV_RESOLUTION=lowest",
        "UV_NO_SOURCES=1",
        "UV_NO_INDEX=1",
    ],
)
def test_a_mirror_or_another_resolution_on_the_machine_makes_no_lock_stale(
    project: UvProject, setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(*setting.split("=", 1))
    assert names(project.directory, ("dev",)) == ["alpha", "gamma"]


def test_a_mirror_in_the_settings_of_the_user_makes_no_lock_stale(
    project: UvProject, tmp_path: Path
) -> None:
    write(tmp_path / "config/uv/uv.toml", 'index-url = "http://127.0.0.1:9/mirror"\n')
    assert names(project.directory) == ["alpha"]


@pytest.mark.parametrize("where", ["environment", "settings"])
def test_a_lock_made_with_a_mirror_of_the_machine_is_fresh_there(
    index: IndexServer, tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = uv_project(tmp_path / "app", index.simple_url, ["alpha"], lock=False)
    change(project.pyproject, "default = true", 'name = "private"\nexplicit = true')
    change(project.pyproject, index.simple_url, "http://127.0.0.1:9/private")
    project.environment["UV_DEFAULT_INDEX"] = index.simple_url
    project.lock()
    refusal(project.directory, "the index of `alpha` is no longer named", index.simple_url[:-1])
    # An index that the project names, too.
    monkeypatch.setenv("UV_INDEX", "other=http://127.0.0.1:9/private")
    if where == "environment":
        monkeypatch.setenv("UV_DEFAULT_INDEX", index.simple_url)
    else:
        text = f'[[index]]\nurl = "{index.simple_url}"\ndefault = true\n'
        write(tmp_path / "config/uv/uv.toml", text)
    assert names(project.directory) == ["alpha"]


NO_INTERPRETER = {
    "requires-python": ('requires-python = ">=3.11"', 'requires-python = ">=3.99"'),
    "an exact patch release": ('requires-python = ">=3.11"', 'requires-python = "==3.99.1"'),
}


@pytest.mark.parametrize("situation", NO_INTERPRETER)
def test_no_interpreter_of_the_lock_has_to_be_there(
    project: UvProject, situation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in (project.pyproject, project.lockfile):
        change(path, *NO_INTERPRETER[situation])
    monkeypatch.setenv("PATH", str(project.directory / "empty"))
    assert b'name = "alpha"' in read(project.directory).text


@pytest.mark.parametrize("found", ["none", "broken"])
def test_a_python_version_file_that_names_another_interpreter_does_not_matter(
    project: UvProject, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project.directory / ".python-version", "3.99\n")
    monkeypatch.setenv("UV_PYTHON", "3.98")
    folder = project.directory / "bin"
    folder.mkdir()
    if found == "broken":
        # What pyenv puts on the search path for a Python that is not chosen.
        write(folder / "python3.99", "#!/bin/sh\nexit 127\n").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    assert names(project.directory) == ["alpha"]


def test_a_required_version_of_uv_is_about_locking(project: UvProject) -> None:
    with project.pyproject.open("a", encoding="utf-8") as file:
        file.write('[tool.uv]\nrequired-version = "<0.1"\n')
    assert names(project.directory) == ["alpha"]


HATCHLING = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
SETUPTOOLS = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
SETUP = "from setuptools import setup\nsetup(name='app', version='1', install_requires=['alpha'])"
HOOK = """
from hatchling.metadata.plugin.interface import MetadataHookInterface
class Hook(MetadataHookInterface):
    def update(self, metadata):
        metadata["dependencies"] = ["alpha"]
"""
DYNAMIC = {
    "a hatch metadata hook": (
        "app",
        {
            "pyproject.toml": HATCHLING
            + '[project]\nname = "app"\nversion = "1"\ndynamic = ["dependencies"]\n'
            "[tool.hatch.metadata.hooks.custom]\n[tool.hatch.build]\ndev-mode-dirs = ['.']\n",
            "hatch_build.py": HOOK,
        },
    ),
    "a member with setuptools' dynamic": (
        "lib",
        {
            "pyproject.toml": '[project]\nname = "app"\nversion = "1"\ndependencies = ["lib"]\n'
            '[tool.uv]\nworkspace = { members = ["lib"] }\nsources.lib.workspace = true\n',
            "lib/pyproject.toml": SETUPTOOLS
            + '[project]\nname = "lib"\nversion = "1"\ndynamic = ["dependencies"]\n'
            '[tool.setuptools]\npy-modules = []\ndynamic.dependencies.file = "needs.txt"\n',
            "lib/needs.txt": "alpha\n",
        },
    ),
    "a folder with setup.py only": (
        "lib",
        {
            "pyproject.toml": '[project]\nname = "app"\nversion = "1"\ndependencies = ["lib"]\n'
            '[tool.uv.sources]\nlib.path = "lib"\n',
            "lib/setup.py": SETUP.replace("app", "lib"),
        },
    ),
}


@pytest.mark.parametrize("situation", DYNAMIC)
def test_dynamic_dependencies_are_taken_from_the_lock_with_an_empty_cache(
    index: IndexServer, tmp_path: Path, situation: str
) -> None:
    package, files = DYNAMIC[situation]
    project = UvProject(tmp_path / "app", uv_environment(tmp_path / "app"))
    for name, text in files.items():
        write(project.directory / name, text)
    with project.pyproject.open("a", encoding="utf-8") as file:
        file.write(f'[[tool.uv.index]]\nurl = "{index.simple_url}"\ndefault = true\n')
    project.lock("--no-build-isolation")
    found = names(project.directory)
    assert [name for name in found if name != package] == ["alpha"]
    (warning,) = read(project.directory).warnings
    assert f"`{package}`" in warning
    assert "uv.lock" in warning


def locked_without_edge(index: IndexServer, folder: Path, *, lost: bool = True) -> UvProject:
    """A project with `beta; extra != 'dev'`, of which uv's lock has lost that it depends on it."""
    project = uv_project(
        folder,
        index.simple_url,
        ["alpha<2", "beta; extra != 'dev'"],
        optional_dependencies={"dev": ["gamma"]},
    )
    if not lost:
        return project
    head, metadata, tail = project.lockfile.read_text("utf-8").partition("[package.metadata]")
    edges = re.compile(r'^    \{ name = "beta".*\n', re.MULTILINE)
    assert edges.search(head)
    project.lockfile.write_text(edges.sub("", head) + metadata + tail, encoding="utf-8")
    return project


def test_a_lock_of_a_uv_that_loses_a_dependency_is_refused_and_the_hint_mends_it(
    index: IndexServer, tmp_path: Path
) -> None:
    project = locked_without_edge(index, tmp_path / "app")
    assert b'name = "beta"' not in read(project.directory).text
    error = refusal(project.directory, "`beta`", "version of the tool that loses it")
    command = re.search(r"`uv (lock [^`]*)`", error.hint or "")
    assert command is not None
    before = project.lockfile.read_text(encoding="utf-8")
    index.add(WheelSpec(name="alpha", version="1.5"))
    project.uv(*command[1].split())
    assert names(project.directory) == ["alpha", "beta"]
    versions = re.findall(r'name = "alpha"\nversion = "(.*)"', before)
    assert re.findall(r'name = "alpha"\nversion = "(.*)"', project.lockfile.read_text()) == versions


@pytest.mark.parametrize("extras", [("dev",), ()])
def test_what_an_extra_takes_away_is_not_missed(
    index: IndexServer, tmp_path: Path, extras: tuple[str, ...]
) -> None:
    project = locked_without_edge(index, tmp_path / "app")
    if extras:
        assert names(project.directory, extras=extras) == ["alpha", "gamma"]
    else:
        refusal(project.directory, "`beta`")


@pytest.mark.parametrize(
    "table",
    [
        '[tool.uv.workspace]\nmembers = ["libs/*"]',
        '[tool.uv]\nworkspace = { members = ["libs/*"] }',
        '[tool.uv]\nworkspace.members = ["libs/*"]',
        '[ tool . "uv" . workspace ]\nmembers = ["./libs/l*"]',
        '[tool]\nuv = { workspace = { members = ["libs/lib"] } }',
    ],
)
def test_a_workspace_in_any_spelling_is_found_from_its_member(
    index: IndexServer, tmp_path: Path, table: str
) -> None:
    project = UvProject(tmp_path / "app", uv_environment(tmp_path / "app"))
    project.environment["UV_DEFAULT_INDEX"] = index.simple_url
    write(project.pyproject, f'[project]\nname = "app"\nversion = "1"\n{table}\n')
    member = write(
        project.directory / "libs/lib/pyproject.toml",
        '[project]\nname = "lib"\nversion = "1"\nrequires-python = ">=3.11"\n'
        'dependencies = ["alpha"]\n',
    )
    project.lock()
    assert names(member.parent) == ["alpha"]
    # Another project that lies in the folder is none of its members.
    other = write(project.directory / "examples/pyproject.toml", '[project]\nname = "other"\n')
    assert UV.find(requested(other.parent)) == []


def test_a_project_without_a_project_table_is_fresh_under_another_python(
    index: IndexServer, tmp_path: Path
) -> None:
    project = UvProject(tmp_path / "app", uv_environment(tmp_path / "app"))
    write(
        project.pyproject,
        '[dependency-groups]\nlambda = ["alpha<2"]\n'
        f'[[tool.uv.index]]\nurl = "{index.simple_url}"\ndefault = true\n',
    )
    project.lock()
    # As if an older Python had locked it: the version of that Python is the lower bound then.
    own = f'requires-python = ">={sys.version_info.major}.{sys.version_info.minor}"'
    change(project.lockfile, own, 'requires-python = ">=3.10"')
    assert names(project.directory, ("lambda",)) == ["alpha"]
    change(project.pyproject, "alpha<2", "alpha<1.5")
    refusal(project.directory, "`alpha<1.5` was added to the group `lambda`")


FRESH = {
    "the project's own version": ('version = "1.0"', 'version = "2.0"'),
    "default-groups": ("[[tool.uv.index]]", "[tool.uv]\ndefault-groups = []\n[[tool.uv.index]]"),
    "exclude-newer": (
        "[[tool.uv.index]]",
        '[tool.uv]\nexclude-newer = "2020-01-01T00:00:00Z"\n[[tool.uv.index]]',
    ),
    "another table": ("[[tool.uv.index]]", "[tool.other]\na = 1\n[[tool.uv.index]]"),
}


@pytest.mark.parametrize("edit", FRESH)
def test_what_changes_no_dependency_makes_no_lock_stale(project: UvProject, edit: str) -> None:
    change(project.pyproject, *FRESH[edit])
    assert names(project.directory) == ["alpha"]


def test_a_stale_lock_names_each_requirement_that_has_changed(project: UvProject) -> None:
    change(project.pyproject, '["alpha"]', '["alpha<2", "beta; sys_platform == \'linux\'"]')
    change(project.pyproject, '"gamma"', "")
    refusal(
        project.directory,
        "\n- `alpha<2` was added to the dependencies of `app`",
        "\n- `beta; sys_platform == 'linux'` was added to the dependencies of `app`",
        "\n- `alpha` was removed from the dependencies of `app`",
        "\n- `gamma` was removed from the group `dev` of `app`",
    )


def test_an_index_that_is_no_longer_named_makes_the_lock_stale(
    project: UvProject, index: IndexServer
) -> None:
    change(project.pyproject, index.simple_url, "http://127.0.0.1:9/other/")
    refusal(project.directory, "the index of `alpha` is no longer named")


def test_a_broken_pyproject_is_named_and_not_called_stale(project: UvProject) -> None:
    change(project.pyproject, '["alpha"]', '["alpha ==="]')
    error = refusal(project.directory, str(project.lockfile), "can't be compared")
    assert "stale" not in error.message


def workspace(folder: Path, index: IndexServer) -> UvProject:
    project = UvProject(folder, uv_environment(folder))
    write(
        project.pyproject,
        '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.11"\n'
        'dependencies = ["alpha", "ext"]\n[tool.uv]\nworkspace.members = ["libs/*"]\n'
        'sources.ext.path = "../ext"\n'
        f'[[tool.uv.index]]\nurl = "{index.simple_url}"\ndefault = true\n',
    )
    for name in ("libs/lib", "../ext"):
        text = f'[project]\nname = "{name[-3:]}"\nversion = "1"\ndependencies = ["beta"]\n'
        write(folder / name / "pyproject.toml", text)
    project.lock()
    return project


def test_the_oldest_uv_that_is_allowed_exports_the_same(
    index: IndexServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    oldest = require(oldest_uv)
    project = workspace(tmp_path / "app", index)
    other = locked_without_edge(index, tmp_path / "other", lost=False)
    folders = [project.directory, project.directory / "libs/lib", other.directory]
    expected = [read(folder) for folder in folders]
    assert b'name = "beta"' in expected[-1].text
    monkeypatch.setattr(export, "find_uv", lambda: str(oldest))
    assert [read(folder) for folder in folders] == expected
    # It locks a requirement with `extra !=` as well as newer ones.
    other.lockfile.unlink()
    subprocess.run([oldest, "lock"], cwd=other.directory, env=other.environment, check=True)
    assert names(other.directory) == ["alpha", "beta"]


@pytest.mark.parametrize(
    "path",
    [
        "pyproject.toml",
        "uv.lock",
        "libs/lib/pyproject.toml",
        "../ext/pyproject.toml",
        "libs/new/pyproject.toml",
        "uv.toml",
    ],
)
def test_the_key_of_a_lock_covers_each_file_that_is_read(
    index: IndexServer, tmp_path: Path, path: str
) -> None:
    project = workspace(tmp_path / "first/app", index)
    before = key(project.directory)
    shutil.copytree(tmp_path / "first", tmp_path / "second")
    assert key(tmp_path / "second/app") == before
    assert key(project.directory, ("dev",)) != before
    assert key(project.directory / "libs/lib") != before
    write(project.directory / "README.md", "nothing of the lock")
    assert key(project.directory) == before
    file = project.directory / path
    file.parent.mkdir(exist_ok=True)
    with file.open("a", encoding="utf-8") as opened:
        opened.write("# changed\n")
    assert key(project.directory) != before
