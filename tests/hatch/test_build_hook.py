"""The build hook of the wheel, under hatchling, pip and uv themselves."""

from __future__ import annotations

import importlib
import json
import sys
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest
import uv

from tests.support.lock_factory import LockedFile, LockedPackage, pylock
from tests.support.projects import HEAD, HatchlingProject
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

ALPHA = WheelSpec(name="alpha")
REQUIRES_PYTHON = 'requires-python = ">=3.11"\n'
TABLE = '[tool.lambda-layer]\nruntimes = ["python3.13"]\n'
WHEEL_HOOK = "[tool.hatch.build.targets.wheel.hooks.lambda-layer]\n"
GLOBAL_HOOK = "[tool.hatch.build.hooks.lambda-layer]\n"
SDIST = '[tool.hatch.build.targets.sdist]\ninclude = ["/app", "/pylock.toml", "/wheels"]\n'
WHEEL = "app-1-py3-none-any.whl"
LAYER = ["layer.json", "layer.zip"]


class HookedProject(HatchlingProject):
    """A project with the hook, whose one dependency is a wheel beside the lockfile."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.write(WHEEL_HOOK)
        (root / "wheels").mkdir()
        ALPHA.write(root / "wheels")
        entry = LockedFile.of(ALPHA, path=f"wheels/{ALPHA.filename}")
        self.lockfile.write_text(pylock(LockedPackage(wheels=[entry])), encoding="utf-8")

    @property
    def layer(self) -> Path:
        return self.root / "dist" / "layer.zip"

    @property
    def manifest(self) -> Path:
        return self.root / "dist" / "layer.json"

    def write(self, *tables: str) -> None:
        super().write(REQUIRES_PYTHON, TABLE, *tables)

    def pip(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        # An environment that uv has made has no pip; virtualenv, which Hatch needs, carries one.
        carried = importlib.import_module("virtualenv.seed.wheels.embed")
        wheel = carried.get_embed_wheel("pip", "{}.{}".format(*sys.version_info))
        local = ["--no-build-isolation", "--no-deps", "--no-index", "--no-cache-dir"]
        return self.run(sys.executable, f"{wheel.path}/pip", *arguments, *local, ".", **env)

    def uv(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        cache = self.root.parent / "uv-cache"
        here = ["--offline", "--python", sys.executable, "--cache-dir", str(cache)]
        local = ["--no-build-isolation", *here]
        return self.run(uv.find_uv_bin(), *arguments, *local, **env)


@pytest.fixture
def project(tmp_path: Path) -> HookedProject:
    return HookedProject(tmp_path / "project")


def succeeded(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_wheel_brings_its_layer_with_it(project: HookedProject) -> None:
    succeeded(project.hatchling("-t", "wheel"))
    assert project.files() == [WHEEL, *LAYER]
    with ZipFile(project.layer) as archive:
        assert "python/alpha/__init__.py" in archive.namelist()
        assert not any("app" in name for name in archive.namelist())


def test_every_member_of_the_matrix_is_built(project: HookedProject) -> None:
    text = project.pyproject.read_text()
    two = text.replace('["python3.13"]', '["python3.13"]\narchitectures = ["x86_64", "arm64"]')
    project.pyproject.write_text(two)
    succeeded(project.hatchling("-t", "wheel"))
    ids = ("python3.13-arm64", "python3.13-x86_64")
    assert project.files() == [
        WHEEL,
        *(f"layer-{i}.{kind}" for i in ids for kind in ("json", "zip")),
    ]


def test_the_layer_lies_beside_the_wheel_wherever_that_is(project: HookedProject) -> None:
    succeeded(project.hatchling("-t", "wheel", "-d", "some where"))
    assert project.files("some where") == [WHEEL, *LAYER]
    assert project.files() == []


def test_an_editable_wheel_has_no_layer(project: HookedProject) -> None:
    project.write(WHEEL_HOOK, '[tool.hatch.build]\ndev-mode-dirs = ["."]\n')
    succeeded(project.hatchling("-t", "wheel:editable", HATCH_LAMBDA_LAYER="1"))
    assert project.files() == [WHEEL]


def test_a_hook_for_every_target_runs_for_the_wheel_alone(project: HookedProject) -> None:
    project.write(GLOBAL_HOOK)
    succeeded(project.hatchling("-t", "sdist", HATCH_LAMBDA_LAYER="1"))
    assert project.files() == ["app-1.tar.gz"]
    done = project.hatchling("-t", "lambda-layer", HATCH_LAMBDA_LAYER="1")
    succeeded(done)
    assert project.files() == ["app-1.tar.gz", *LAYER]
    assert done.stderr.count("unpacked of") == 1
    project.layer.unlink()
    succeeded(project.hatchling("-t", "wheel"))
    assert project.files() == [WHEEL, "app-1.tar.gz", *LAYER]


def test_sdist_and_wheel_are_built_with_one_layer(project: HookedProject) -> None:
    done = project.hatchling()
    succeeded(done)
    assert project.files() == [WHEEL, "app-1.tar.gz", *LAYER]
    assert done.stderr.count("unpacked of") == 1


@pytest.mark.parametrize("target", ["wheel", "sdist"])
def test_clean_removes_layers_where_the_wheel_is_cleaned(
    project: HookedProject, target: str
) -> None:
    project.write(GLOBAL_HOOK)
    (project.root / "dist").mkdir()
    old = project.root / "dist" / "layer-python3.12-arm64.zip"
    old.write_text("of an older matrix")
    succeeded(project.hatchling("-t", target, "--clean"))
    assert old.exists() == (target == "sdist")


def test_zero_switches_the_hook_off(project: HookedProject) -> None:
    succeeded(project.hatchling("-t", "wheel", HATCH_LAMBDA_LAYER="0"))
    assert project.files() == [WHEEL]


@pytest.mark.parametrize("switch", ["", "1"])
def test_one_and_nothing_leave_it_on(project: HookedProject, switch: str) -> None:
    succeeded(project.hatchling("-t", "wheel", HATCH_LAMBDA_LAYER=switch))
    assert project.files() == [WHEEL, *LAYER]


@pytest.mark.parametrize("switch", ["yes", "2", "true"])
def test_another_value_is_an_error(project: HookedProject, switch: str) -> None:
    done = project.hatchling("-t", "wheel", HATCH_LAMBDA_LAYER=switch)
    assert done.returncode == 1
    assert f"error: HATCH_LAMBDA_LAYER must be 0 or 1, not '{switch}'" in done.stderr
    assert "Traceback" not in done.stderr
    assert project.files() == [WHEEL]


def test_pip_makes_a_wheel_and_no_layer(project: HookedProject) -> None:
    # Without a lockfile, a hook that ran would fail.
    project.lockfile.unlink()
    succeeded(project.pip("wheel", "--wheel-dir", "wheelhouse"))
    assert project.files("wheelhouse") == [WHEEL]


def test_an_installation_by_pip_makes_no_layer(project: HookedProject) -> None:
    project.lockfile.unlink()
    succeeded(project.pip("install", "--target", "installed"))
    assert "app" in project.files("installed")


def test_an_installation_by_uv_makes_no_layer(project: HookedProject) -> None:
    project.lockfile.unlink()
    succeeded(project.uv("pip", "install", "--no-deps", "--target", "installed", "."))
    assert "app" in project.files("installed")


def test_a_wheel_that_tox_builds_to_install_it_has_no_layer(project: HookedProject) -> None:
    # What tox 4 sets for the backend, with `package = wheel`, and where it builds.
    work = project.root / ".tox"
    tox = {"TOX_ENV_NAME": ".pkg", "TOX_WORK_DIR": str(work), "HATCH_VERBOSE": "1"}
    done = project.hatchling("-t", "wheel", "-d", ".tox/.pkg/dist", **tox)
    succeeded(done)
    assert project.files(".tox/.pkg/dist") == [WHEEL]
    assert "no layer is built: tox builds the wheel to install it" in done.stderr
    # A build that somebody has tox run.
    succeeded(project.hatchling("-t", "wheel", **tox))
    assert project.files() == [WHEEL, *LAYER]


def test_the_hook_says_why_it_ran_or_not(project: HookedProject) -> None:
    project.write(GLOBAL_HOOK, '[tool.hatch.build]\ndev-mode-dirs = ["."]\n')
    verbose = {"HATCH_VERBOSE": "1"}
    off = project.hatchling("-t", "wheel", HATCH_LAMBDA_LAYER="0", **verbose)
    assert "no layer is built: HATCH_LAMBDA_LAYER is 0" in off.stderr
    editable = project.hatchling("-t", "wheel:editable", **verbose)
    assert "no layer is built: an editable wheel is not kept" in editable.stderr
    sdist = project.hatchling("-t", "sdist", **verbose)
    assert "no layer is built: the hook runs for wheels, not for the target sdist" in sdist.stderr
    pip = project.pip("wheel", "-v", "--wheel-dir", "wheelhouse", **verbose)
    said = " ".join((pip.stdout + pip.stderr).split())
    assert "no layer is built: pip builds the wheel" in said
    assert "HATCH_LAMBDA_LAYER=1 builds one all the same" in said
    assert project.files("wheelhouse") == [WHEEL]
    assert project.files() == [WHEEL, "app-1.tar.gz"]
    built = project.hatchling("-t", "wheel", **verbose)
    assert f"layers go beside the wheel: {project.root / 'dist'}" in built.stderr


def test_the_hook_prints_where_the_layer_is(project: HookedProject) -> None:
    assert str(project.layer) in project.hatchling("-t", "wheel").stderr.splitlines()


def test_one_has_the_hook_run_under_installers_too(project: HookedProject) -> None:
    project.lockfile.unlink()
    for done in (
        project.pip("wheel", "--wheel-dir", "wheelhouse", HATCH_LAMBDA_LAYER="1"),
        project.uv("pip", "install", "--no-deps", "--target", "t", ".", HATCH_LAMBDA_LAYER="1"),
    ):
        assert done.returncode != 0
        # uv breaks the lines of what it passes on.
        assert "error: No lockfile: " in " ".join((done.stdout + done.stderr).split())
    assert project.files("wheelhouse") == []
    assert "app" not in project.files("t")


def test_uv_builds_the_layer_beside_the_wheel_from_the_sdist(project: HookedProject) -> None:
    project.write(WHEEL_HOOK, SDIST)
    succeeded(project.uv("build"))
    built = [name for name in project.files() if not name.startswith(".")]
    assert built == [WHEEL, "app-1.tar.gz", *LAYER]
    # The same as from the project itself, whose path is another one.
    from_sdist = project.layer.read_bytes(), project.manifest.read_bytes()
    project.layer.unlink()
    succeeded(project.uv("build", "--wheel"))
    assert (
        project.layer.read_bytes(),
        project.layer.with_suffix(".json").read_bytes(),
    ) == from_sdist


@pytest.mark.fault(7)
def test_a_lockfile_that_is_not_in_the_sdist_is_a_clear_error(project: HookedProject) -> None:
    project.write(WHEEL_HOOK, '[tool.hatch.build.targets.sdist]\ninclude = ["/app"]\n')
    done = project.uv("build")
    assert done.returncode != 0
    _, found, problem = done.stderr.partition("error: No lockfile: ")
    assert found, done.stderr
    # It is there in the project: what helps is to put it into the sdist.
    assert "`[tool.hatch.build.targets.sdist]`" in problem
    assert "Traceback" not in done.stderr
    assert not project.layer.exists()


def test_the_layer_holds_the_very_wheel_that_was_built(project: HookedProject) -> None:
    text = project.pyproject.read_text()
    project.pyproject.write_text(
        text.replace("runtimes", "include-project = true\nruntimes")
        + "[tool.hatch.build.targets.wheel.hooks.custom]\n"
    )
    (project.root / "hatch_build.py").write_text(
        "import pathlib, os\n"
        "from hatchling.builders.hooks.plugin.interface import BuildHookInterface\n"
        "class Hook(BuildHookInterface):\n"
        "    def initialize(self, version, build_data):\n"
        "        path = pathlib.Path(self.root, 'nonce.txt')\n"
        "        path.write_text(os.urandom(16).hex())\n"
        "        build_data['force_include'][str(path)] = 'app/nonce.txt'\n"
    )
    succeeded(project.hatchling("-t", "wheel"))
    with ZipFile(project.root / "dist" / WHEEL) as wheel, ZipFile(project.layer) as layer:
        assert layer.read("python/app/nonce.txt") == wheel.read("app/nonce.txt")
        assert "python/app-1.dist-info/METADATA" in layer.namelist()
    assert (project.root / "dist" / WHEEL).is_file()


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        ("no table", "error: Table `tool.lambda-layer` is missing"),
        ("no lockfile", "error: No lockfile: "),
    ],
)
def test_what_goes_wrong_fails_the_build_without_a_traceback(
    project: HookedProject, damage: str, expected: str
) -> None:
    if damage == "no table":
        project.pyproject.write_text(HEAD + REQUIRES_PYTHON + WHEEL_HOOK)
    else:
        project.lockfile.unlink()
    done = project.hatchling("-t", "wheel")
    assert done.returncode == 1
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    verbose = project.hatchling("-t", "wheel", HATCH_VERBOSE="1")
    assert "Traceback" in verbose.stderr


@pytest.mark.fault(93)
def test_members_of_a_workspace_that_are_built_to_one_folder_lose_no_layer(tmp_path: Path) -> None:
    root = tmp_path / "workspace"
    members = [HookedProject(root / name) for name in ("one", "two")]
    (root / "pyproject.toml").write_text('[tool.uv.workspace]\nmembers = ["one", "two"]\n')
    for member in members:
        text = member.pyproject.read_text().replace('"app"', f'"{member.root.name}"')
        member.pyproject.write_text(text + '[tool.hatch.build.targets.wheel]\ninclude = ["app"]\n')
    members[0].root = root  # where uv runs, and puts everything
    done = members[0].uv("build", "--all-packages", "--wheel")
    assert done.returncode != 0
    assert "is the layer of the project `" in done.stderr
    assert members[0].layer.is_file()
    for name in ("one", "two"):
        path = root / name / "pyproject.toml"
        path.write_text(path.read_text().replace(TABLE, TABLE + 'filename = "{project}-layer"\n'))
    succeeded(members[0].uv("build", "--all-packages", "--wheel"))
    # The one that was called so has another name now.
    assert not members[0].layer.exists()
    for name in ("one", "two"):
        manifest = json.loads((root / "dist" / f"{name}-layer.json").read_text("utf-8"))
        assert manifest["project"] == name
