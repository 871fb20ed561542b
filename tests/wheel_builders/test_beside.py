"""What lies beside a folder that is built: read by its build, and part of it where it is named."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer.wheel_builders.beside import named_beside, root_around
from hatch_lambda_layer.wheel_builders.sources import source_digest
from tests.support.source_factory import (
    commit,
    locked_source,
    repository,
    telling_project,
    write_files,
)
from tests.support.tools import snapshot
from tests.support.workshop import Workshop, content

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

WORKSPACE = {"pyproject.toml": b'[tool.uv.workspace]\nmembers = ["packages/*"]\n'}
HATCHLING = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
SETUPTOOLS = '[build-system]\nrequires = ["setuptools"]\n'
NAMED = '[project]\nname = "lib"\nversion = "1.0"\n'
LIB = "packages/lib"
# What is beside the folder in all of these tests.
BESIDE = {
    "VERSION": b"7.1\n",
    "README.md": b"# All\n",
    "packages/VERSION": b"8.2\n",
    "packages/shared/data.json": b"{}\n",
    "packages/shared/more/a.txt": b"a",
    "frontend/dist/app.js": b"app();\n",
    "frontend/src/app.ts": b"",
    "build_support/hook.py": b"",
}


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


def packed(text: str) -> dict[str, bytes]:
    return {"pyproject.toml": text.encode(), "src/lib/__init__.py": b""}


def named(root: Path, files: Mapping[str, str]) -> list[str]:
    """Give what a folder with these files names beside it, relative to the root."""
    write_files(root, {**WORKSPACE, **BESIDE})
    folder = write_files(root / LIB, {name: text.encode() for name, text in files.items()})
    assert root_around(folder) == root
    return [path.relative_to(root).as_posix() for path in named_beside(folder, root)]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"pyproject.toml": 'readme = "../../README.md"'}, ["README.md"]),
        ({"pyproject.toml": '[project]\nlicense-files = ["../../README.md"]'}, ["README.md"]),
        (
            {
                "pyproject.toml": "[tool.hatch.build.targets.wheel.force-include]\n"
                '"../shared" = "lib/shared"\n"../../frontend/dist" = "lib/web"\n'
            },
            ["frontend/dist", "packages/shared"],
        ),
        ({"hatch.toml": '[version]\npath = "../VERSION"'}, ["packages/VERSION"]),
        ({"pyproject.toml": '[tool.hatch.version]\npath = "../../VERSION"'}, ["VERSION"]),
        (
            {"pyproject.toml": '[build-system]\nbackend-path = ["../../build_support"]'},
            ["build_support"],
        ),
        (
            {"pyproject.toml": '[tool.uv.build-backend]\nmodule-root = "../shared"'},
            [f"{LIB[:8]}/shared"],
        ),
        (
            {"pyproject.toml": '[tool.setuptools.package-dir]\n"" = "../shared"'},
            ["packages/shared"],
        ),
        ({"pyproject.toml": '[tool.my-hook]\npaths = ["../shared/*.json"]'}, ["packages/shared"]),
        ({"setup.cfg": "[metadata]\nversion = file: ../VERSION"}, ["packages/VERSION"]),
        (
            {"MANIFEST.in": "include ../../README.md\ngraft ../shared"},
            ["README.md", "packages/shared"],
        ),
        ({"Cargo.toml": '[dependencies]\ncore = { path = "../shared" }'}, ["packages/shared"]),
        ({"Cargo.toml": "[package]\nversion.workspace = true"}, ["."]),
        ({"CMakeLists.txt": "add_subdirectory(../shared shared)"}, ["packages/shared"]),
        ({"setup.py": "open('../VERSION')"}, ["packages/VERSION"]),
        ({"setup.py": "open(r'..\\VERSION')"}, ["packages/VERSION"]),
        ({"setup.py": "open(os.path.join(here, '..', 'VERSION'))"}, ["packages"]),
        ({"setup.py": "open(os.path.join(os.pardir, 'VERSION'))"}, ["packages"]),
        ({"setup.py": "Path(__file__).parent.parent / 'VERSION'"}, ["packages/VERSION"]),
        (
            {"setup.py": "(Path(__file__).resolve().parents[2] / 'VERSION').read_text()"},
            ["VERSION"],
        ),
        (
            {"setup.py": "here = Path(__file__).parent\nhere.parent / 'shared' / 'data.json'"},
            ["packages/shared/data.json"],
        ),
        ({"setup.py": "dirname(dirname(os.path.abspath(__file__)))"}, ["packages"]),
        ({"setup.py": "os.path.dirname(os.path.dirname(os.path.dirname(__file__)))"}, ["."]),
        (
            {"hatch_build.py": "Path(self.root).parent.parent / 'frontend' / 'dist'"},
            ["frontend/dist"],
        ),
        (
            {
                "pyproject.toml": '[tool.hatch.build.hooks.custom]\npath = "scripts/hook.py"',
                "scripts/hook.py": "Path(__file__).parents[2] / 'shared'",
            },
            ["packages/shared"],
        ),
        ({"hatch_build.py": "ROOT = Path(__file__).parent.parent.parent"}, ["."]),
        # The whole tree has the rest in it.
        ({"setup.py": "open('../VERSION'); here = Path.cwd().parent"}, ["packages"]),
    ],
    ids=lambda value: " ".join(value.values()) if isinstance(value, dict) else "",
)
def test_what_configuration_and_build_scripts_name_is_found(
    tmp_path: Path, files: dict[str, str], expected: list[str]
) -> None:
    assert named(tmp_path, files) == expected


@pytest.mark.parametrize(
    "files",
    [
        {"pyproject.toml": '[tool.ruff]\nextend = "../../VERSION"'},
        {"pyproject.toml": '[tool.pytest.ini_options]\npythonpath = ["../.."]'},
        {"pyproject.toml": '[tool.uv.sources]\nshared = { path = "../shared" }'},
        {"pyproject.toml": '[tool.poetry.dependencies]\nshared = { path = "../shared" }'},
        {"pyproject.toml": '[project]\ndependencies = ["s @ file:///${PROJECT_ROOT}/../shared"]'},
        {"pyproject.toml": '[project]\ndescription = "a..b and so on ... ../"'[:-4] + '"'},
        {"pyproject.toml": '[tool.hatch.build.targets.lambda-layer]\ndirectory = "../shared"'},
        {"pyproject.toml": 'readme = "../../MISSING.md"'},
        {"pyproject.toml": 'readme = "docs/../README.md"', "README.md": ""},
        {"pyproject.toml": "not = [valid"},
        {"setup.py": "here = Path(__file__).parent; (here / 'x').read_text()"},
        {"setup.py": "target.parent.mkdir(parents=True); os.path.dirname(target)"},
        {"setup.py": "here = os.path.abspath(os.path.dirname(__file__))"},
        {"tests/test_lib.py": "open('../../VERSION')"},
        {"Cargo.toml": "[workspace]\n[package]\nversion.workspace = true"},
    ],
    ids=lambda files: " ".join(files.values()),
)
def test_what_no_build_reads_is_not(tmp_path: Path, files: dict[str, str]) -> None:
    assert named(tmp_path, files) == []


LONG = {
    "a path": 'readme = "../' + "a" * 5000 + '"',
    "a word": "x = '" + "ab." * 300_000 + "'",
    "calls": "f(" * 300_000,
    "dirname": "dirname(" * 100_000,
    "parents": "x" + ".parent" * 100_000,
    "lines": "\n" * 900_000,
    "dots": "../" * 300_000,
    "assignments": "a = b\n" * 150_000,
}


@pytest.mark.fault(131)
@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_files_of_any_content_are_read_in_one_go(tmp_path: Path, text: str) -> None:
    """Others wrote them; a build of theirs has a deadline, reading them here has none."""
    files = dict.fromkeys(("pyproject.toml", "setup.py", "setup.cfg", "Cargo.toml"), text)
    before = time.process_time()
    named(tmp_path, files)
    # A few milliseconds, where the time grows with the size; hours, where with its square.
    assert time.process_time() - before < 20


def test_nothing_is_around_the_root_of_a_repository_or_a_folder_alone(tmp_path: Path) -> None:
    write_files(tmp_path / "alone", packed(NAMED))
    repository(tmp_path / "repo", packed(NAMED))
    assert root_around(tmp_path / "alone") is None
    assert root_around(tmp_path / "repo") is None


# ---- builds by real backends

HOOK = """\
from pathlib import Path
from hatchling.builders.hooks.plugin.interface import BuildHookInterface
class Hook(BuildHookInterface):
    def initialize(self, version, build_data):
        web = Path(self.root).parents[1] / "frontend" / "dist"
        build_data["force_include"][str(web)] = "lib/web"
"""
BUILDS = {
    "force-include": (
        packed(
            f"{HATCHLING}{NAMED}[tool.hatch.build.targets.wheel.force-include]\n"
            '"../shared" = "lib/s"\n'
        ),
        {
            "lib/s/data.json": "packages/shared/data.json",
            "lib/s/more/a.txt": "packages/shared/more/a.txt",
        },
    ),
    "readme": (
        packed(
            '[build-system]\nrequires = ["poetry-core"]\n'
            'build-backend = "poetry.core.masonry.api"\n'
            f'{NAMED}readme = "../../README.md"\n'
        ),
        {"lib-1.0.dist-info/METADATA": "README.md"},
    ),
    "version of hatchling": (
        packed(
            f'{HATCHLING}[project]\nname = "lib"\ndynamic = ["version"]\n'
            '[tool.hatch.version]\npath = "../VERSION"\npattern = "(?P<version>.*)"\n'
        ),
        {"lib-8.2.dist-info/METADATA": "packages/VERSION"},
    ),
    "setup.py": (
        {
            "pyproject.toml": SETUPTOOLS.encode(),
            "setup.py": b"from setuptools import setup\nimport os\n"
            b"path = os.path.join(os.path.dirname(__file__), '../VERSION')\n"
            b"version = open(path).read().strip()\n"
            b"setup(name='lib', version=version, packages=['lib'], package_dir={'': 'src'})\n",
            "src/lib/__init__.py": b"",
        },
        {"lib-8.2.dist-info/METADATA": "packages/VERSION"},
    ),
    "a web interface that a hook takes": (
        {
            **packed(f"{HATCHLING}{NAMED}[tool.hatch.build.hooks.custom]\n"),
            "hatch_build.py": HOOK.encode(),
        },
        {"lib/web/app.js": "frontend/dist/app.js"},
    ),
}


@pytest.mark.fault(131)
@pytest.mark.parametrize(
    ("build", "around"),
    [*((build, "workspace") for build in BUILDS), ("force-include", "repository")],
)
def test_a_build_finds_what_it_names_beside_its_folder(
    workshop: Workshop, build: str, around: str
) -> None:
    files, expected = BUILDS[build]
    root = workshop.root / "mono"
    ignored = {".gitignore": b"dist/\nnode_modules/\n"}
    write_files(root, {**BESIDE, **ignored, **(WORKSPACE if around == "workspace" else {})})
    folder = write_files(root / LIB, files)
    if around == "repository":
        repository(root, {})
    before = snapshot(root)
    source = locked_source("directory", folder, "lib")
    workshop.shown.verbosity = 1
    wheel = workshop.build(source)
    assert " beside its folder" in workshop.shown.text
    for path, origin in expected.items():
        assert (root / origin).read_bytes().strip() in content(wheel, path)
    assert snapshot(root) == before
    # Another file beside it is no part of it, one that it names is.
    write_files(root, {"frontend/src/app.ts": b"changed"})
    assert workshop.build(source) == wheel
    origin = next(iter(expected.values()))
    write_files(root, {origin: b"9.9\n"})
    changed = workshop.build(source)
    assert changed.sha256 != wheel.sha256
    path = next(iter(expected)).replace("8.2", "9.9")
    assert b"9.9" in content(changed, path)


@pytest.mark.fault(131)
@pytest.mark.parametrize("sandbox", ["0", "1"])
def test_what_is_not_named_is_there_to_read_all_the_same(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, sandbox: str
) -> None:
    monkeypatch.setenv("HATCH_LAMBDA_LAYER_SANDBOX", sandbox)
    root = workshop.root / "mono"
    litter = {
        ".venv/pyvenv.cfg": b"",
        "node_modules/x.js": b"",
        "packages/other/.venv/pyvenv.cfg": b"",
        "packages/other/module.py": b"",
    }
    ask = 'sorted(os.listdir("." + "./." + "./")), open("." + "./" + "VERSION").read()'
    files = telling_project()
    backend = files["backend.py"].replace(
        b'"stdin": sys.stdin.read()', f'"stdin": [{ask}]'.encode()
    )
    write_files(root, {**WORKSPACE, **BESIDE, **litter})
    backend = backend.replace(b'pathlib.Path("..")', b'pathlib.Path("." + ".")')
    folder = write_files(root / LIB, {**files, "backend.py": backend})
    assert named_beside(folder, root) == []
    seen, version = json.loads(
        json.dumps(workshop.facts(locked_source("directory", folder))["stdin"])
    )
    assert version == "8.2\n"
    assert seen == [
        "README.md",
        "VERSION",
        "build_support",
        "frontend",
        "packages",
        "pyproject.toml",
    ]


@pytest.mark.fault(131)
def test_a_layer_that_is_written_beside_it_changes_nothing(tmp_path: Path) -> None:
    """Else each build of the layer would be the reason for another one."""
    write_files(tmp_path, {**WORKSPACE, **BESIDE})
    folder = write_files(tmp_path / LIB, {"setup.py": b"open('../VERSION'); ROOT = os.pardir"})
    source = locked_source("directory", folder)
    before = source_digest(source)
    write_files(tmp_path, {"packages/layers/layer.zip": b"PK", "packages/layers/layer.json": b"{}"})
    write_files(tmp_path, {"packages/.venv/pyvenv.cfg": b"", "packages/__pycache__/x.pyc": b""})
    assert source_digest(source) == before
    write_files(tmp_path, {"packages/layers/other.json": b"{}"})
    assert source_digest(source) != before


@pytest.mark.fault(131)
def test_a_change_elsewhere_makes_the_version_of_a_repository_dirty(workshop: Workshop) -> None:
    root = workshop.root / "repo"
    files = {f"{LIB}/{name}": data for name, data in telling_project().items()}
    head = commit_all(root, {**files, **BESIDE})
    source = locked_source("directory", root / LIB)
    assert workshop.facts(source)["describe"] == f"v3-0-g{head[:7]}"
    # What git does not know does not count.
    write_files(root, {"new.txt": b""})
    assert workshop.facts(source)["describe"] == f"v3-0-g{head[:7]}"
    write_files(root, {"VERSION": b"9\n"})
    before = snapshot(root)
    facts = workshop.facts(source)
    assert facts["describe"] == f"v3-0-g{head[:7]}-dirty"
    assert snapshot(root) == before
    commit(root, {})
    assert "dirty" not in str(workshop.facts(source)["describe"])


def commit_all(root: Path, files: Mapping[str, bytes]) -> str:
    return repository(root, files, tag="v3")
