"""`include-project`: the project itself, built by its own backend, in the layer."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest

from hatch_lambda_layer.exceptions import BuildError, LambdaLayerError, SizeError, WheelError
from hatch_lambda_layer.targets.target import Architecture, Target, runtimes
from hatch_lambda_layer.wheel_builders.project import project_source, read_project_wheel
from tests.support.layer_project import ALPHA, Project, names
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hatch_lambda_layer.build.pipeline import BuiltLayer

TARGET = Target(runtimes()["python3.13"], Architecture.X86_64)
HATCHLING = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
NAMED = '[project]\nname = "my-app"\nversion = "1.5"\nrequires-python = ">=3.11"\n'
SOURCE = project_source(Path(), {"project": {"name": "my-app"}})
HOOK = (
    "from hatchling.builders.hooks.plugin.interface import BuildHookInterface\n"
    "class Hook(BuildHookInterface):\n"
    "    def initialize(self, version, build_data):\n"
    "{}"
)
HOOKS = "[tool.hatch.build.targets.wheel.hooks.{}]\n"


@pytest.fixture
def project(project: Project) -> Project:
    """A project that has locked one wheel, and puts a package of its own into the layer."""
    project.lock(ALPHA)
    project.make_package("VERSION = 1\n")
    project.configure(include_project=True)
    return project


def write(project: Project, pyproject: str, files: Mapping[str, str]) -> None:
    """Replace the project's package by other files."""
    shutil.rmtree(project.root / "app")
    (project.root / "pyproject.toml").write_text(pyproject, encoding="utf-8")
    for name, text in files.items():
        path = project.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


MODULE = {"src/my_app/__init__.py": "VALUE = 1\n"}
BACKENDS = {
    "hatchling": '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n',
    "setuptools": (
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    ),
    "setuptools, unnamed": "",
    "uv_build": '[build-system]\nrequires = ["uv_build"]\nbuild-backend = "uv_build"\n',
    "flit": ('[build-system]\nrequires = ["flit_core"]\nbuild-backend = "flit_core.buildapi"\n'),
    "poetry-core": (
        '[build-system]\nrequires = ["poetry-core"]\nbuild-backend = "poetry.core.masonry.api"\n'
    ),
}


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_project_of_any_backend_goes_in(project: Project, backend: str) -> None:
    named = NAMED + 'description = "An app"\n'
    write(project, BACKENDS[backend] + named, MODULE)
    built = project.build()
    assert "python/my_app/__init__.py" in names(project.zip)
    (own,) = [each for each in built.manifest.packages if each.name == "my-app"]
    assert own.version == "1.5"
    # The user's folders stay as they were.
    assert not list(project.root.rglob("*.egg-info"))
    assert not (project.root / "build" / "lib").exists()


def test_a_project_that_only_its_backend_can_name_goes_in(project: Project) -> None:
    setup = "from setuptools import setup\nsetup(name='Old_App', version='3', py_modules=['old'])\n"
    write(project, "", {"setup.py": setup, "old.py": "OLD = 1\n"})
    built = project.build()
    assert "python/old.py" in names(project.zip)
    assert ("old-app", "3") in [(each.name, each.version) for each in built.manifest.packages]


def test_what_the_build_requires_is_there_and_the_version_is_that_of_git(project: Project) -> None:
    system = (
        '[build-system]\nrequires = ["hatchling", "hatch-vcs"]\nbuild-backend = "hatchling.build"\n'
    )
    write(
        project,
        f'{system}[project]\nname = "my-app"\ndynamic = ["version"]\n'
        '[tool.hatch.version]\nsource = "vcs"\n'
        "[tool.hatch.build.hooks.vcs]\nversion-file = 'src/my_app/_version.py'\n",
        {**MODULE, ".gitignore": "/dist/\n_version.py\n"},
    )
    git(project, "init", "--quiet")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "-m", "first")
    git(project, "tag", "v1.2")
    before = git(project, "status", "--porcelain", "--ignored")
    first = project.build()
    assert version_of(first) == "1.2"
    # Nothing has changed but the tag, which is an input.
    git(project, "tag", "--delete", "v1.2")
    git(project, "tag", "v1.3")
    second = project.build()
    assert (second.rebuilt, version_of(second)) == (True, "1.3")
    git(project, "commit", "--quiet", "--allow-empty", "-m", "second")
    third = project.build()
    assert third.rebuilt
    assert version_of(third).startswith("1.4.dev1+g")
    assert not project.build().rebuilt
    (project.root / "src" / "my_app" / "__init__.py").write_text("VALUE = 2\n")
    assert version_of(project.build()).startswith("1.4.dev1+g")
    built = {"build/", "dist/"}
    after = {line[3:] for line in git(project, "status", "--porcelain", "--ignored").splitlines()}
    assert after - built == {"src/my_app/__init__.py"} | {each[3:] for each in before.splitlines()}


def git(project: Project, *arguments: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "tag.gpgSign=false")
    done = subprocess.run(
        ["git", *identity, *arguments],
        cwd=project.root,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def version_of(built: BuiltLayer) -> str:
    (own,) = [each for each in built.manifest.packages if each.name == "my-app"]
    return own.version


@pytest.mark.parametrize(
    "text",
    [
        # hatchling finds the one in `[project]`, the other among the files.
        pytest.param(HATCHLING + '[project]\nname = "my-app"\n', id="no version"),
        pytest.param(HATCHLING + NAMED.replace("my-app", "other"), id="no package"),
    ],
)
def test_a_project_that_its_backend_cannot_build_is_an_error(project: Project, text: str) -> None:
    write(project, text, MODULE)
    with pytest.raises(BuildError, match=r"The build of the project `[\w-]+` .* failed: "):
        project.build()
    assert not project.zip.exists()


def test_a_build_hook_of_the_project_that_fails_is_an_error(project: Project) -> None:
    hook = HOOK.format("        raise RuntimeError('no luck')\n")
    write(project, HATCHLING + NAMED + HOOKS.format("custom"), {**MODULE, "hatch_build.py": hook})
    with pytest.raises(BuildError, match="no luck") as caught:
        project.build()
    assert "the project `my-app`" in caught.value.message


def test_the_hook_of_the_layer_does_not_run_for_it(project: Project) -> None:
    # It would build the layer again; nor is this package asked for on any index.
    system = HATCHLING.replace('["hatchling"]', '["hatchling", "hatch-lambda-layer>=99"]')
    hooks = HOOKS.format("lambda-layer") + "[tool.hatch.build.hooks.lambda-layer]\n"
    write(project, system + NAMED + hooks, MODULE)
    project.build()
    assert "python/my_app/__init__.py" in names(project.zip)
    assert not [name for name in names(project.zip) if name.startswith("python/hatch_lambda")]


def test_other_hooks_of_the_project_run_for_it_and_find_no_secret(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-7Qx")
    hook = HOOK.format(
        "        build_data['force_include'][__file__] = f'my_app/{version}.py'\n"
        "        import os, pathlib\n"
        "        text = repr(dict(os.environ))\n"
        "        pathlib.Path(self.root, 'src/my_app/told.py').write_text(f'TOLD = {text!r}')\n"
    )
    text = HATCHLING + NAMED + HOOKS.format("custom")
    write(project, text, {**MODULE, "hatch_build.py": hook})
    project.build()
    assert "python/my_app/standard.py" in names(project.zip)
    with ZipFile(project.zip) as archive:
        told = archive.read("python/my_app/told.py")
    assert b"PATH" in told
    assert b"canary-7Qx" not in told
    assert not (project.root / "src" / "my_app" / "told.py").exists()


def test_it_goes_in_also_where_nothing_else_may_be_built(project: Project) -> None:
    project.configure(build="never")
    project.build()
    assert "python/app/__init__.py" in names(project.zip)


@pytest.mark.parametrize(
    "tag", ["cp313-cp313-macosx_14_0_arm64", "cp312-cp312-manylinux_2_17_x86_64"]
)
def test_a_wheel_for_another_platform_is_refused(tmp_path: Path, tag: str) -> None:
    path = WheelSpec(name="my-app", tag=tag).write(tmp_path)
    with pytest.raises(BuildError, match=r"does not fit python3\.13-x86_64") as caught:
        read_project_wheel(path, SOURCE, TARGET, tmp_path)
    assert path.name in str(caught.value)
    assert "include-project = false" in str(caught.value)


def test_a_native_wheel_that_fits_is_taken(tmp_path: Path) -> None:
    path = WheelSpec(name="my-app", tag="cp313-abi3-manylinux_2_28_x86_64").write(tmp_path)
    assert read_project_wheel(path, SOURCE, TARGET, tmp_path).filename == path.name


@pytest.mark.fault(29)
def test_the_own_wheel_is_verified_like_any_other(tmp_path: Path) -> None:
    path = WheelSpec(name="my-app", record=b"my_app/__init__.py,sha256=AAAA,1\n").write(tmp_path)
    with pytest.raises(WheelError, match="RECORD"):
        read_project_wheel(path, SOURCE, TARGET, tmp_path)


def test_the_layer_holds_the_project_beside_its_dependencies(project: Project) -> None:
    built = project.build()
    assert "python/app/__init__.py" in names(project.zip)
    assert "python/app-1.dist-info/METADATA" in names(project.zip)
    assert [each.name for each in built.manifest.packages] == ["alpha", "app"]


def test_a_change_of_the_code_is_built_and_a_touched_file_is_not(project: Project) -> None:
    project.build()
    (project.root / "app" / "__init__.py").touch()
    assert not project.build().rebuilt
    project.make_package("VERSION = 2\n")
    assert project.build().rebuilt
    with ZipFile(project.zip) as archive:
        assert archive.read("python/app/__init__.py") == b"VERSION = 2\n"


def test_the_work_folder_is_gone_after_a_build_and_git_never_sees_it(project: Project) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=project.root, check=True)
    (project.root / ".gitignore").write_text("/dist/\n")
    subprocess.run(["git", "add", "--all"], cwd=project.root, check=True)
    project.configure(force_include={"app": "python/copy"})
    status = ["git", "status", "--porcelain", "--untracked-files=all"]

    def untracked() -> list[str]:
        done = subprocess.run(status, cwd=project.root, check=True, capture_output=True, text=True)
        return [line for line in done.stdout.splitlines() if line.startswith("??")]

    project.build()
    assert "python/copy/__init__.py" in names(project.zip)
    work = project.root / "build" / "lambda"
    kept = {path.name for path in work.rglob("*") if path.is_file()}
    assert kept == {".gitignore", "CACHEDIR.TAG"}
    assert untracked() == []
    # Also while something is in it: what a killed build has left.
    left = work / "layer" / "artifacts" / "app-1-py3-none-any.whl"
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_text("half a wheel")
    assert untracked() == []
    assert not project.build().rebuilt
    assert not left.exists()


def test_a_failing_build_leaves_no_work_folder(project: Project) -> None:
    project.configure(max_size=10)
    with pytest.raises(SizeError):
        project.build()
    assert not (project.root / "build" / "lambda" / "layer" / "artifacts").exists()
    assert not project.zip.exists()


@pytest.mark.fault(44)
def test_a_work_folder_that_cannot_be_made_is_an_error(project: Project) -> None:
    (project.root / "build").write_text("a file")
    with pytest.raises(LambdaLayerError, match="build/lambda/layer/artifacts can't be made"):
        project.build()
    assert (project.root / "build").read_text() == "a file"
    assert not project.zip.exists()
