"""`include-project`: the project's own wheel, built by hatchling, in the layer."""

from __future__ import annotations

import subprocess
import tempfile
import tomllib
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest

from hatch_lambda_layer.exceptions import ConfigError, LambdaLayerError, SizeError, WheelError
from hatch_lambda_layer.targets.target import Architecture, Target, runtimes
from hatch_lambda_layer.wheel_builders.project_wheel import build_project_wheel, read_project_wheel
from tests.support.layer_project import ALPHA, Project, names
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from pathlib import Path

TARGET = Target(runtimes()["python3.13"], Architecture.X86_64)
HATCHLING = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
NAMED = '[project]\nname = "my-app"\nversion = "1.5"\nrequires-python = ">=3.11"\n'
HOOKS = "[tool.hatch.build.targets.wheel.hooks.{}]\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "src" / "my_app").mkdir(parents=True)
    (folder / "src" / "my_app" / "__init__.py").write_text("VALUE = 1\n")
    return folder


@pytest.fixture
def project(project: Project) -> Project:
    """A project that has locked one wheel, and puts a package of its own into the layer."""
    project.lock(ALPHA)
    project.make_package("VERSION = 1\n")
    project.configure(include_project=True)
    return project


def build(root: Path, text: str) -> Path:
    """Build the wheel of a project with this `pyproject.toml`."""
    (root / "pyproject.toml").write_text(text, encoding="utf-8")
    (root / "out").mkdir(exist_ok=True)
    return build_project_wheel(root, tomllib.loads(text), root / "out")


def test_the_wheel_is_built_and_proved(root: Path) -> None:
    path = build(root, HATCHLING + NAMED)
    assert path == root / "out" / "my_app-1.5-py3-none-any.whl"
    wheel = read_project_wheel(path, TARGET)
    assert (wheel.name, wheel.version) == ("my-app", "1.5")
    assert "my_app/__init__.py" in [member.path for member in wheel.members]
    assert not (root / "dist").exists()


@pytest.mark.parametrize(
    ("system", "named"),
    [
        ('[build-system]\nbuild-backend = "setuptools.build_meta"\n', "'setuptools.build_meta'"),
        ('[build-system]\nbuild-backend = "uv_build"\n', "'uv_build'"),
        ('[build-system]\nrequires = ["hatchling"]\n', "None"),
        ('build-system = "hatchling.build"\n', "None"),
        ("", "None"),
    ],
)
def test_another_backend_is_an_error_that_names_the_key_and_the_backend(
    root: Path, system: str, named: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        build(root, system + NAMED)
    message = str(caught.value)
    assert "Field `tool.lambda-layer.include-project` needs `hatchling.build`" in message
    assert message.endswith(f"not {named}")
    assert list((root / "out").iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(HATCHLING + '[project]\nname = "my-app"\n', id="no version"),
        pytest.param(HATCHLING + NAMED + 'readme = "missing.md"\n', id="no readme"),
        pytest.param(HATCHLING + NAMED.replace("my-app", "other"), id="no package"),
        pytest.param(HATCHLING + NAMED + HOOKS.format("unknown"), id="unknown hook"),
        pytest.param(HATCHLING + NAMED + 'dependencies = "x"\n', id="wrong type"),
    ],
)
def test_a_project_that_hatchling_cannot_build_is_an_error(
    root: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where hatchling fails it leaves the wheel that it has begun, in the folder for such files.
    monkeypatch.setattr(tempfile, "tempdir", str(root.parent))
    with pytest.raises(LambdaLayerError, match="own wheel can't be built"):
        build(root, text)


@pytest.mark.parametrize("failure", ["raise RuntimeError('no luck')", "import not_there"])
def test_a_build_hook_of_the_project_that_fails_is_an_error(root: Path, failure: str) -> None:
    (root / "hatch_build.py").write_text(
        "from hatchling.builders.hooks.plugin.interface import BuildHookInterface\n"
        "class Hook(BuildHookInterface):\n"
        "    def initialize(self, version, build_data):\n"
        f"        {failure}\n"
    )
    with pytest.raises(LambdaLayerError, match=r"own wheel can't be built: .*(no luck|not_there)"):
        build(root, HATCHLING + NAMED + HOOKS.format("custom"))


def test_the_hook_of_the_layer_does_not_run_for_it(root: Path) -> None:
    # It would fail: there is neither a table nor a lockfile.
    text = HATCHLING + NAMED + HOOKS.format("lambda-layer")
    assert build(root, text).is_file()
    everywhere = "[tool.hatch.build.hooks.lambda-layer]\n"
    assert build(root, HATCHLING + NAMED + everywhere).is_file()


def test_other_hooks_of_the_project_run_for_it(root: Path) -> None:
    (root / "hatch_build.py").write_text(
        "from hatchling.builders.hooks.plugin.interface import BuildHookInterface\n"
        "class Hook(BuildHookInterface):\n"
        "    def initialize(self, version, build_data):\n"
        "        build_data['force_include'][__file__] = f'my_app/{version}.py'\n"
    )
    path = build(root, HATCHLING + NAMED + HOOKS.format("custom") + HOOKS.format("lambda-layer"))
    with ZipFile(path) as archive:
        assert "my_app/standard.py" in archive.namelist()


@pytest.mark.parametrize(
    "tag", ["cp313-cp313-macosx_14_0_arm64", "cp312-cp312-manylinux_2_17_x86_64"]
)
def test_a_wheel_for_another_platform_is_refused(tmp_path: Path, tag: str) -> None:
    path = WheelSpec(name="my-app", tag=tag).write(tmp_path)
    with pytest.raises(LambdaLayerError, match=r"does not fit python3\.13-x86_64") as caught:
        read_project_wheel(path, TARGET)
    assert path.name in str(caught.value)
    assert "include-project = false" in str(caught.value)


def test_a_native_wheel_that_fits_is_taken(tmp_path: Path) -> None:
    path = WheelSpec(name="my-app", tag="cp313-abi3-manylinux_2_28_x86_64").write(tmp_path)
    assert read_project_wheel(path, TARGET).filename == path.name


@pytest.mark.fault(29)
def test_the_own_wheel_is_proved_like_any_other(tmp_path: Path) -> None:
    path = WheelSpec(name="my-app", record=b"my_app/__init__.py,sha256=AAAA,1\n").write(tmp_path)
    with pytest.raises(WheelError, match="RECORD"):
        read_project_wheel(path, TARGET)


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
