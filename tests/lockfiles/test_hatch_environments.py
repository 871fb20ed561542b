"""What the real `hatch env lock` writes is told from the lock of a project, by configuration."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from hatch_lambda_layer.cli.main import main
from hatch_lambda_layer.layer.manifest import LayerManifest
from hatch_lambda_layer.lockfiles.hatch_environments import environment_of
from tests.support.lock_factory import UvProject, uv_environment
from tests.support.tools import isolate, write_files
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.index_server import IndexServer

HOST = f"3.{sys.version_info.minor}"
TABLE = f'[tool.lambda-layer]\nruntimes = ["python{HOST}"]\n'
PROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "app"
version = "1"
dependencies = ["alpha"]
"""
# Hatch installs the project into the environment before it locks it.
BACKEND = """\
import zipfile, pathlib
def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "app-1-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder, name), "w") as wheel:
        info = "app-1.dist-info"
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: app\\nVersion: 1\\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return name
build_editable = build_wheel
"""
DEFAULT = '[tool.hatch.envs.default]\ninstaller = "uv"\ndependencies = ["tester"]\n'
LAMBDA = '[tool.hatch.envs.lambda]\ninstaller = "uv"\n'


class HatchProject:
    """A project that the real Hatch makes and locks environments of."""

    def __init__(self, root: Path, index: IndexServer) -> None:
        self.root = root
        environment = uv_environment(root)
        # It would go before the environment of Hatch, which syncs what is in it.
        del environment["UV_PYTHON"]
        self._environment = {
            **environment,
            "UV_DEFAULT_INDEX": index.simple_url,
            "HATCH_DATA_DIR": str(root.parent / "hatch-data"),
            "HATCH_CACHE_DIR": str(root.parent / "hatch-cache"),
        }
        write_files(root, {"backend.py": BACKEND})

    def write(self, *tables: str) -> None:
        text = PROJECT + "".join(tables) + TABLE
        (self.root / "pyproject.toml").write_text(text, encoding="utf-8")

    def lock(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "hatch", "env", "lock"],
            cwd=self.root,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def build(self, *arguments: str) -> str:
        command = ["build", str(self.root), *arguments]
        done = CliRunner().invoke(main, command, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    def refusal(self) -> str:
        done = CliRunner().invoke(main, ["build", str(self.root)], catch_exceptions=False)
        assert done.exit_code == 1
        return done.output

    @property
    def packages(self) -> list[str]:
        manifest = LayerManifest.read(self.root / "dist" / "layer.json")
        return [each.name for each in manifest.packages]


@pytest.fixture
def project(tmp_path: Path, index: IndexServer, monkeypatch: pytest.MonkeyPatch) -> HatchProject:
    isolate(monkeypatch, tmp_path / "state")
    index.add(
        WheelSpec(name="alpha", requires_dist=["old; python_version < '3.13'", "shared"]),
        WheelSpec(name="tester", requires_dist=["pluggy"]),
        *(WheelSpec(name=name) for name in ("old", "shared", "pluggy")),
    )
    return HatchProject(tmp_path / "app", index)


# As in the documentation: without what the default environment has, for the runtime's Python.
TEMPLATE = f'{LAMBDA}template = "lambda"\nlocked = true\npython = "{HOST}"\n'
OWN = sorted(["alpha", "shared", *(["old"] if HOST in ("3.11", "3.12") else [])])


def test_the_lock_of_the_default_environment_is_refused_unless_it_is_named(
    project: HatchProject,
) -> None:
    project.write(f"{DEFAULT}locked = true\n")
    project.lock()
    assert (project.root / "pylock.toml").is_file()
    said = project.refusal()
    assert "pylock.toml` is the lock of Hatch's environment `default`" in said
    assert "name it with `lockfile = 'pylock.toml'`" in said
    project.build("--lockfile", str(project.root / "pylock.toml"))
    assert project.packages == sorted([*OWN, "pluggy", "tester"])


@pytest.mark.parametrize(
    ("environment", "packages"),
    [
        (TEMPLATE, OWN),
        # What it does not say, it has from the default environment.
        (f"{LAMBDA}locked = true\n", sorted([*OWN, "pluggy", "tester"])),
        # Not even the project's own dependencies.
        (
            f'{LAMBDA}detached = true\nlocked = true\ndependencies = ["pluggy"]\n',
            ["pluggy"],
        ),
    ],
    ids=["template", "inherited", "detached"],
)
def test_the_lock_of_an_environment_for_the_layer_is_read_when_it_is_named(
    project: HatchProject, environment: str, packages: list[str]
) -> None:
    project.write(DEFAULT, environment)
    project.lock()
    assert "`lambda`" in project.refusal()
    output = project.build("--lockfile", str(project.root / "pylock.lambda.toml"))
    assert project.packages == packages
    assert "was resolved for" not in output


def test_an_environment_is_not_in_the_way_of_a_lock_of_the_project(
    project: HatchProject, index: IndexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write(f"{DEFAULT}locked = true\n")
    project.lock()
    uv = UvProject(project.root, uv_environment(project.root))
    uv.environment["UV_DEFAULT_INDEX"] = index.simple_url
    monkeypatch.setenv("UV_DEFAULT_INDEX", index.simple_url)
    text = (project.root / "pyproject.toml").read_text(encoding="utf-8")
    (project.root / "pyproject.toml").write_text(
        text.replace('version = "1"', 'version = "1"\nrequires-python = ">=3.11"')
    )
    uv.lock()
    project.build()
    assert "tester" not in project.packages


def test_another_python_than_the_one_it_was_locked_for_gets_a_warning_and_what_lacks_is_named(
    project: HatchProject,
) -> None:
    project.write(DEFAULT, TEMPLATE)
    project.lock()
    path = project.root / "pylock.lambda.toml"
    other = "python3.12" if HOST != "3.12" else "python3.13"
    lowest = f'requires-python = ">={HOST}'
    text = path.read_text(encoding="utf-8")
    assert lowest in text
    # The machine is one with an older Python, which did not need `old`.
    name = '[[packages]]\nname = "old"'
    assert (name in text) is ("old" in OWN)
    if name in text:
        head, _, rest = text.partition(name)
        text = head + rest[rest.index("[[packages]]") :]
    path.write_text(text.replace(lowest, 'requires-python = ">=3.10'), encoding="utf-8")
    output = project.build("--lockfile", str(path), "--runtime", other)
    assert f"pylock.lambda.toml was resolved for Python 3.10, not for {other}-x86_64" in output
    if other == "python3.12":
        assert "alpha 1.0 requires `old; python_version" in output
    assert output.count("was resolved for") == 1


HATCH: dict[str, tuple[str, dict[str, str | None]]] = {
    "locked": ('[envs.default]\nlocked = true\n[envs.docs]\nlocked = true\ntemplate = "docs"\n', {
        "pylock.toml": "default",
        "pylock.docs.toml": "docs",
        "pylock.lambda.toml": None,
    }),
    "inherited": (("[envs.default]\nlocked = true\n[envs.a]\n[envs.b]\nlocked = false\n"
        "[envs.c]\ndetached = true\n[envs.d]\ntemplate = 'c'\n"), {
        "pylock.a.toml": "a",
        "pylock.b.toml": None,
        "pylock.c.toml": None,
        "pylock.d.toml": None,
    }),
    "lock-envs": ("lock-envs = true\n[envs.a]\n[envs.b]\nlocked = false\n", {
        "pylock.toml": "default",
        "pylock.a.toml": "a",
        "pylock.b.toml": None,
        "pylock.hatch-test.toml": "hatch-*",
    }),
    "lock-filename": (
        ("[envs.a]\nlock-filename = 'pylock.x-{env_name}.toml'\n"
        "[envs.b]\nlock-filename = 'pylock.m-{matrix:py}.toml'\n"), {
        "pylock.x-a.toml": "a",
        "pylock.a.toml": None,
        "pylock.m-3.toml": "b",
        "pylock.toml": None,
    }),
    "matrix": (
        ("[envs.t]\nlocked = true\n[[envs.t.matrix]]\npython = ['3.11']\n"
        "[envs.default]\nlocked = true\n[[envs.default.matrix]]\npython = ['3.12']\n"), {
        "pylock.t-py3-11.toml": "t.*",
        "pylock.py3-12.toml": "py3.12*",
        "pylock.lambda.toml": None,
    }),
    "in a circle": ("[envs.a]\ntemplate = 'b'\n[envs.b]\ntemplate = 'a'\n", {
        "pylock.a.toml": None,
    }),
    "nothing": ("[build]\n", {"pylock.toml": None}),
    "not valid": ("[envs]\na = 5\ndefault = 'x'\n", {"pylock.toml": None, "pylock.a.toml": None}),
    "no TOML": ("[envs", {"pylock.toml": None}),
}  # fmt: skip


@pytest.mark.parametrize("place", ["pyproject.toml", "hatch.toml"])
@pytest.mark.parametrize("case", HATCH)
def test_environments_are_known_by_locked_lock_envs_and_lock_filename(
    tmp_path: Path, case: str, place: str
) -> None:
    text, expected = HATCH[case]
    if place == "pyproject.toml":
        head = "" if text.startswith("[") else "[tool.hatch]\n"
        text = head + re.sub(r"(?m)^(\[+)(envs|build)", r"\1tool.hatch.\2", text)
    (tmp_path / place).write_text(text, encoding="utf-8")
    found = {name: environment_of(tmp_path / name) for name in expected}
    assert found == expected
