"""Errors name alike for every tool what is not reached, what is missing and what is locked."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from hatch_lambda_layer._internal.console import Console
from hatch_lambda_layer._internal.store import Store
from hatch_lambda_layer.exceptions import LambdaLayerError, LockfileError
from hatch_lambda_layer.layout import LayerPathLayout
from hatch_lambda_layer.lockfiles import LockRequest, find_lockfile
from hatch_lambda_layer.targets.target import Architecture, Target, runtimes
from hatch_lambda_layer.wheel_builders.deadline import Deadline
from hatch_lambda_layer.wheel_builders.sources import obtain, source_digest
from hatch_lambda_layer.wheels.cache import WheelCache
from hatch_lambda_layer.wheels.fetch import collect_wheels
from hatch_lambda_layer.wheels.selection import Selection, select
from tests.support import same_set
from tests.support.displays import Lines
from tests.support.index_server import IndexServer
from tests.support.lock_factory import uv_project
from tests.support.tools import git_repository, isolate, source_tree, tool_project, write_files
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hatch_lambda_layer.lockfiles.protocol import Lock

TOOLS = ("uv", "poetry", "pdm")
REMOTE, FILED = WheelSpec(name="remote"), WheelSpec(name="filed")
_PLACES = {
    "uv": "[tool.uv.sources]\n",
    "poetry": "[tool.poetry.dependencies]\n",
}


@dataclass(frozen=True)
class Gone:
    """A project of each tool, locked when all it names was there."""

    projects: dict[str, Path]
    index: str
    root: Path


@pytest.fixture(scope="module")
def gone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gone]:
    root = tmp_path_factory.mktemp("gone")
    git_repository(root / "repo", source_tree("gitlib"))
    write_files(root / "lib", source_tree("lib"))
    (root / "croot").mkdir()
    FILED.write(root / "croot")
    with IndexServer() as index:
        same_set.serve(index)
        url = index.add_file(REMOTE.filename, REMOTE.data)
        for tool in TOOLS:
            lock(tool, root, url, index.simple_url)
    for name in ("repo", "croot"):
        shutil.rmtree(root / name)
    with pytest.MonkeyPatch.context() as patch:
        isolate(patch, root / "user")
        yield Gone({tool: root / tool for tool in TOOLS}, index.simple_url, root)


def lock(tool: str, root: Path, remote: str, index: str) -> None:
    repository, filed = (root / "repo").as_uri(), root / "croot" / FILED.filename
    # pdm takes `git+file:///` for a host of ssh.
    places = {
        "gitlib": ("git", repository, f"git+{repository.replace(':///', '://localhost/')}"),
        "lib": ("path", root / "lib", (root / "lib").as_uri()),
        "filed": ("path", filed, filed.as_uri()),
        "remote": ("url", remote, remote),
    }
    names = ["alpha", *places]
    lines = _PLACES.get(tool, "")
    if tool == "pdm":
        names = ["alpha", *(f"{name} @ {url}" for name, (_, _, url) in places.items())]
    else:
        lines += "".join(
            f'{name} = {{ {key} = "{at}" }}\n' for name, (key, at, _) in places.items()
        )
    text = (
        '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.11,<3.14"\n'
        f"dependencies = {names}\n\n{lines}\n{same_set.index_table(tool, index)}"
    )
    if tool == "uv":
        project = uv_project(root / tool, index, lock=False)
        project.pyproject.write_text(text, encoding="utf-8")
        project.lock()
    else:
        tool_project(tool, root / tool, text, root / "state")


def read(gone: Gone, tool: str, runtime: str = "python3.13", **options: Any) -> tuple[Lock, Target]:
    folder = gone.projects[tool]
    layout = LayerPathLayout(
        path_pyproject_toml=folder / "pyproject.toml", dir_output=folder / "dist"
    )
    target = Target(runtimes()[runtime], Architecture.X86_64)
    request = LockRequest(layout=layout, **options)
    lockfile, path, request = find_lockfile(None, request)
    assert lockfile.tool == tool
    return lockfile.read(path, request, target), target


def fetch(selection: Selection, name: str, folder: Path) -> None:
    for wheel in selection.wheels:
        if wheel.name == name:
            collect_wheels([wheel], WheelCache(Store(folder)), Console(Lines()))
    for source in selection.sources:
        if source.name == name:
            source_digest(source)
            obtain(source, folder, Deadline.after(60))


def refusal(selection: Selection, name: str, folder: Path) -> LambdaLayerError:
    """Give the error for one of the selected packages."""
    with pytest.raises(LambdaLayerError) as raised:
        fetch(selection, name, folder)
    return raised.value


@pytest.mark.parametrize("tool", TOOLS)
def test_what_could_not_be_reached_is_named_with_a_way_to_check_it(
    gone: Gone, tmp_path: Path, tool: str
) -> None:
    selection = select(*read(gone, tool))
    own = gone.index.removesuffix("/simple/")
    for name in ("alpha", "remote"):
        error = refusal(selection, name, tmp_path / name)
        asked = error.message.partition(" ")[0]
        assert asked.startswith(own)
        assert name in asked
        assert "could not be fetched from" in error.message
        assert error.hint == f"check the network: `curl -I {asked}` has to answer"
    git = refusal(selection, "gitlib", tmp_path / "git")
    repository = str(gone.root / "repo")
    assert f"{repository} of package `gitlib" in git.message.splitlines()[0]
    assert f"{repository}` works" in (git.hint or "")
    assert "`git ls-remote file://" in (git.hint or "")


@pytest.mark.parametrize("tool", TOOLS)
def test_a_file_that_is_only_on_another_machine_is_named(
    gone: Gone, tmp_path: Path, tool: str
) -> None:
    selection = select(*read(gone, tool))
    error = refusal(selection, "filed", tmp_path)
    assert f"`{FILED.filename}` can't be copied from {gone.root / 'croot'}" in error.message
    shutil.move(gone.root / "lib", tmp_path / "moved")
    try:
        error = refusal(selection, "lib", tmp_path / "x")
        if tool == "uv":
            # It finds out earlier: what the folder requires is compared with the lock.
            with pytest.raises(LockfileError, match="the folder of `lib` is not there"):
                read(gone, tool)
    finally:
        shutil.move(tmp_path / "moved", gone.root / "lib")
    assert f"The folder `{gone.root / 'lib'}` of package `lib" in error.message


@pytest.mark.parametrize("tool", TOOLS)
def test_a_lock_for_other_pythons_is_refused_with_those_that_it_is_for(
    gone: Gone, tool: str
) -> None:
    lock, target = read(gone, tool, "python3.14")
    with pytest.raises(LockfileError) as raised:
        select(lock, target)
    said = raised.value.message.replace('"', "").replace("python_full_version ", "")
    assert f"{tool}.lock` does not fit python3.14-x86_64: it is for " in said
    assert ("<3.14,>=3.11" in said) or ("< 3.14 and >= 3.11" in said)
    assert ", and python3.14 counts as 3.14" in said


@pytest.mark.parametrize("tool", TOOLS)
def test_an_extra_that_the_project_does_not_have_is_named_with_the_lockfile(
    gone: Gone, tool: str
) -> None:
    with pytest.raises(LockfileError, match=f"{tool}.lock` has no extra `typo`; it has: none"):
        read(gone, tool, extras=("typo",))
