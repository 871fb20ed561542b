"""The command `explain`: the ways to a package, its wheels, its cost, and what would go with it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from hatch_lambda_layer.cli.main import main
from tests.support.lock_factory import LockedFile, LockedPackage, pylock, uv_project
from tests.support.tools import tool_project
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.support.index_server import IndexServer

TABLE = '[tool.lambda-layer]\nruntimes = ["python3.13"]\n'
OLD, WINDOWS = 'python_version < "3.12"', 'sys_platform == "win32"'
# `leaf` has two paths that count and one that does not; `colour` is for Windows only.
WHEELS = (
    WheelSpec(name="leaf", files={"leaf.py": b"L = 1\n" * 40}),
    WheelSpec(name="twig", requires_dist=["leaf"]),
    WheelSpec(
        name="branch",
        requires_dist=["leaf", f"colour; {WINDOWS}", "fast; extra == 'speed'"],
        extra_metadata="Provides-Extra: speed\n",
    ),
    WheelSpec(name="fast", requires_dist=["sub"]),
    WheelSpec(name="sub"),
    WheelSpec(name="colour"),
    WheelSpec(name="checker", requires_dist=["leaf"]),
)
DEPENDENCIES = ["branch[speed]", "twig; python_version >= '3.12'", f"leaf; {OLD}".replace('"', "'")]


def run(root: Path, *arguments: str, code: int = 0) -> Result:
    found = CliRunner().invoke(main, ["explain", *arguments, str(root)])
    assert found.exit_code == code, found.output
    assert max(map(len, found.stdout.splitlines())) <= 80 or "json" in arguments
    return found


def data(root: Path, *arguments: str, code: int = 0) -> dict[str, Any]:
    text = run(root, *arguments, "--format", "json", code=code).stdout
    (layer,) = json.loads(text)["layers"]
    assert isinstance(layer, dict)
    return layer


def project(tmp_path: Path, index: IndexServer, extra: str = "") -> Path:
    index.add(*WHEELS)
    return uv_project(
        tmp_path / "app",
        index.simple_url,
        DEPENDENCIES,
        dependency_groups={"dev": ["checker"]},
        extra_toml=TABLE + extra,
    ).directory


def paths(layer: dict[str, Any], *, counting: bool) -> list[list[str]]:
    return [each["steps"] for each in layer["paths"] if (each["obstacle"] is None) is counting]


def test_a_package_with_two_paths_and_markers(tmp_path: Path, index: IndexServer) -> None:
    root = project(tmp_path, index)
    layer = data(root, "Leaf")
    assert (layer["status"], layer["version"], layer["lockfile"]) == ("included", "1.0", "uv.lock")
    assert paths(layer, counting=True) == [
        ["the project", "branch", "leaf"],
        ["the project", 'twig ; python_full_version >= "3.12"', "leaf"],
    ]
    refused = {each["steps"][1]: each["obstacle"] for each in layer["paths"] if each["obstacle"]}
    assert refused == {
        'leaf ; python_full_version < "3.12"': '`python_full_version < "3.12"` does not hold',
        "checker": "the layer does not have group dev",
    }
    # It can't go alone, and nothing would go with it.
    removal = layer["removal"]
    assert removal["names"] == []
    assert removal["refused"] == "`leaf` can't be left out: `branch` and `twig` need it"


def test_the_same_as_a_person_reads_it(tmp_path: Path, index: IndexServer) -> None:
    lines = run(project(tmp_path, index), "leaf").stdout.splitlines()
    assert lines[:2] == ["leaf 1.0 is in the layer", "layer: python3.13-x86_64"]
    assert "Required, by uv.lock:" in lines
    assert "  the project > branch > leaf" in lines
    assert '  the project > twig ; python_full_version >= "3.12" > leaf' in lines
    assert "  chosen: leaf-1.0-py3-none-any.whl" in lines


def test_an_extra_is_a_step_of_its_own(tmp_path: Path, index: IndexServer) -> None:
    layer = data(project(tmp_path, index), "sub")
    assert paths(layer, counting=True) == [["the project", "branch[speed]", "fast", "sub"]]


def test_what_goes_with_a_package_and_what_that_saves(tmp_path: Path, index: IndexServer) -> None:
    root = project(tmp_path, index, 'build = "never"\n')
    assert CliRunner().invoke(main, ["build", str(root)]).exit_code == 0
    built = json.loads((root / "dist" / "layer.json").read_text("utf-8"))
    sizes = {
        each["name"]: {key: each[key] for key in ("files", "unpacked_size", "zipped_size")}
        for each in built["packages"]
    }
    layer = data(root, "twig")
    assert layer["cost"] == sizes["twig"]
    assert layer["removal"] == {"names": [], "saved": sizes["twig"], "refused": None}
    layer = data(root, "branch")
    gone = ["branch", "fast", "sub"]
    saved = {key: sum(sizes[name][key] for name in gone) for key in sizes["branch"]}
    assert layer["removal"] == {"names": ["fast", "sub"], "saved": saved, "refused": None}


def test_a_package_that_the_markers_leave_out(tmp_path: Path, index: IndexServer) -> None:
    root = project(tmp_path, index)
    layer = data(root, "colour")
    assert layer["status"] == "not-selected"
    assert layer["why"] == '`sys_platform == "win32"` does not hold'
    assert paths(layer, counting=False) == [
        ["the project", "branch", 'colour ; sys_platform == "win32"']
    ]
    assert paths(layer, counting=True) == layer["wheels"] == []
    assert layer["cost"] is layer["removal"] is None
    layer = data(root, "checker")
    assert layer["why"] == "the layer does not have group dev"


def test_a_package_that_is_excluded(tmp_path: Path, index: IndexServer) -> None:
    root = project(tmp_path, index, 'exclude = ["fast"]\nallow-missing = ["fast"]\n')
    layer = data(root, "fast")
    assert layer["status"] == "excluded"
    assert layer["why"].startswith("named in `exclude`, although `branch[speed]` needs it")
    assert layer["removal"]["names"] == ["sub"]
    assert "would cost" in run(root, "fast").stdout
    layer = data(root, "sub")
    assert (layer["status"], layer["why"]) == ("excluded", "only `fast` needed it")


@pytest.mark.fault(240)
def test_a_package_that_is_not_there(tmp_path: Path, index: IndexServer) -> None:
    root = project(tmp_path, index)
    layer = data(root, "leav", code=1)
    assert layer["status"] == "not-locked"
    assert layer["why"] == "uv.lock does not have it (did you mean `leaf`?)"
    assert run(root, "leav", code=1).stdout.splitlines()[0] == f"leav is not locked: {layer['why']}"


def test_why_each_other_wheel_is_not_chosen(tmp_path: Path, index: IndexServer) -> None:
    why = {
        "cp313-cp313-manylinux_2_28_x86_64": None,
        "cp313-cp313-manylinux_2_17_x86_64": "fits, but cp313-cp313-manylinux_2_28_x86_64 is "
        "nearer to the target",
        "cp39-abi3-manylinux_2_28_x86_64": "fits, but cp313-cp313-manylinux_2_28_x86_64 is nearer",
        "cp313-cp313-manylinux_2_38_x86_64": "for glibc 2.38 or newer, and python3.13 has 2.34",
        "cp313-cp313-manylinux_2_28_aarch64": "for another machine than x86_64",
        "cp313-cp313-musllinux_1_2_x86_64": "for Linux with musl, and Lambda's has glibc",
        "cp313-cp313-macosx_11_0_arm64": "for macOS",
        "cp313-cp313-win_amd64": "for Windows",
        "cp313-cp313t-manylinux_2_28_x86_64": "cp313t is for Python without the GIL",
        "cp312-cp312-manylinux_2_28_x86_64": "cp312-cp312 is not cp313, abi3 or py3",
        "cp314-abi3-manylinux_2_28_x86_64": "cp314-abi3 is for that Python or newer, not for cp313",
        "pp311-pypy311_pp73-manylinux_2_28_x86_64": "pp311 is PyPy, and Lambda has CPython",
    }
    wheels = [WheelSpec(name="native", tag=tag) for tag in why]
    index.add(*wheels)
    files = [LockedFile.of(each, index.file_url(each.filename)) for each in wheels]
    root = write(tmp_path, pylock(LockedPackage(wheels=files)))
    found = data(root, "native")["wheels"]
    assert found[0] == {
        "filename": f"native-1.0-{next(iter(why))}.whl",
        "chosen": True,
        "fits": True,
        "reasons": [],
    }
    reasons = {each["filename"]: " ".join(each["reasons"]) for each in found}
    assert len(reasons) == len(why)
    for tag, reason in why.items():
        assert (reason or "") in reasons[f"native-1.0-{tag}.whl"]
    assert [each["fits"] for each in found] == [True] * 3 + [False] * 9


def write(tmp_path: Path, lock: str, name: str = "pylock.toml") -> Path:
    root = tmp_path / "app"
    root.mkdir()
    (root / "pyproject.toml").write_text(TABLE, encoding="utf-8")
    (root / name).write_text(lock, encoding="utf-8")
    return root


def test_a_pylock_without_dependencies_is_explained_by_its_wheels(
    tmp_path: Path, index: IndexServer
) -> None:
    index.add(*WHEELS)
    packages = [
        LockedPackage(
            wheels=[LockedFile.of(each, index.file_url(each.filename))],
            marker=WINDOWS if each.name == "colour" else None,
        )
        for each in WHEELS
        if each.name != "checker"
    ]
    root = write(tmp_path, pylock(*packages))
    layer = data(root, "leaf")
    assert layer["from_metadata"] is True
    assert paths(layer, counting=True) == [
        ["the lockfile", "branch", "leaf"],
        ["the lockfile", "twig", "leaf"],
    ]
    assert data(root, "colour")["why"] == '`sys_platform == "win32"` does not hold'


def test_a_pylock_with_dependencies(tmp_path: Path, index: IndexServer) -> None:
    index.add(*WHEELS)
    needs: dict[str, Sequence[str]] = {"branch": ["leaf", "colour"], "twig": ["leaf"]}
    packages = [
        LockedPackage(
            wheels=[LockedFile.of(each, index.file_url(each.filename))],
            marker=WINDOWS if each.name == "colour" else None,
            dependencies=[{"name": name} for name in needs.get(each.name, ())],
        )
        for each in WHEELS
        if each.name in {"leaf", "twig", "branch", "colour"}
    ]
    root = write(tmp_path, pylock(*packages))
    layer = data(root, "leaf")
    assert layer["from_metadata"] is False
    assert paths(layer, counting=True) == [
        ["the lockfile", "twig", "leaf"],
        ["the lockfile", "branch", "leaf"],
    ]
    assert paths(data(root, "colour"), counting=False) == [
        ["the lockfile", "branch", 'colour ; sys_platform == "win32"']
    ]


def test_requirements_say_it_in_comments(tmp_path: Path, index: IndexServer) -> None:
    index.add(*WHEELS)
    by_name = {each.name: LockedFile.of(each).table()["hashes"]["sha256"] for each in WHEELS}

    def line(name: str, *via: str, marker: str = "") -> str:
        text = f"{name}==1.0 {marker}\\\n    --hash=sha256:{by_name[name]}\n"
        if len(via) == 1:
            return f"{text}    # via {via[0]}\n"
        return text + "    # via\n" + "".join(f"    #   {each}\n" for each in via)

    text = f"--index-url {index.simple_url}\n" + "".join(
        (
            line("branch", "-r requirements.in"),
            line("twig", "-r requirements.in"),
            line("leaf", "branch", "twig"),
            line("colour", "branch", marker="; sys_platform == 'win32' "),
        )
    )
    root = write(tmp_path, text, "requirements.txt")
    assert paths(data(root, "leaf"), counting=True) == [
        ["the requirements", "branch", "leaf"],
        ["the requirements", "twig", "leaf"],
    ]
    layer = data(root, "colour")
    assert (layer["status"], layer["locked_versions"]) == ("not-selected", ["1.0"])
    assert layer["why"] == "`sys_platform == 'win32'` does not hold"


@pytest.mark.parametrize("name", ["poetry", "pdm"])
def test_locks_of_poetry_and_pdm(
    tmp_path: Path, index: IndexServer, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.add(*WHEELS)
    sources = {
        "poetry": f'[[tool.poetry.source]]\nname = "loop"\nurl = "{index.simple_url}"\n'
        "[tool.poetry]\npackage-mode = false\n",
        "pdm": f'[[tool.pdm.source]]\nname = "pypi"\nurl = "{index.simple_url}"\n'
        "verify_ssl = false\n[tool.pdm]\ndistribution = false\n",
    }
    text = (
        '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.11"\n'
        f"dependencies = {json.dumps(DEPENDENCIES)}\n"
        f'[dependency-groups]\ndev = ["checker"]\n{sources[name]}{TABLE}'
    )
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    made = tool_project(name, tmp_path / "app", text, tmp_path / "state")
    layer = data(made.directory, "leaf")
    assert [[step.partition(" ;")[0] for step in each] for each in paths(layer, counting=True)] == [
        ["the project", "branch", "leaf"],
        ["the project", "twig", "leaf"],
    ]
    refused = [each["obstacle"] for each in layer["paths"] if each["obstacle"]]
    assert "the layer does not have group dev" in refused
    assert any("3.12" in each and each.endswith("does not hold") for each in refused)
    assert "branch[speed]" in paths(data(made.directory, "sub"), counting=True)[0]
    layer = data(made.directory, "colour")
    assert (layer["status"], layer["locked_versions"]) == ("not-selected", ["1.0"])
    assert layer["why"] == '`sys_platform == "win32"` does not hold'


def test_members_of_which_the_same_is_true_share_a_text(tmp_path: Path, index: IndexServer) -> None:
    root = project(tmp_path, index, 'architectures = ["x86_64", "arm64"]\n')
    lines = run(root, "leaf").stdout.splitlines()
    assert lines[1] == "layer: python3.13-x86_64, python3.13-arm64"
    assert sum(each.startswith("leaf 1.0") for each in lines) == 1


@pytest.mark.fault(241)
def test_without_its_wheels_the_rest_is_told(tmp_path: Path, index: IndexServer) -> None:
    root = project(tmp_path, index)
    index.files.clear()
    layer = data(root, "leaf")
    assert paths(layer, counting=True)[0] == ["the project", "branch", "leaf"]
    assert layer["cost"] is None
    assert "answers 404" in layer["unknown"]


def test_without_its_wheels_an_exclusion_is_still_one(tmp_path: Path, index: IndexServer) -> None:
    root = project(tmp_path, index, 'exclude = ["twig"]\n')
    index.files.clear()
    layer = data(root, "twig")
    assert (layer["status"], layer["why"]) == ("excluded", "named in `exclude`")


def test_a_source_that_is_not_built_is_named(tmp_path: Path, index: IndexServer) -> None:
    index.add(WHEELS[0])
    files = [LockedFile.of(WHEELS[0], index.file_url(WHEELS[0].filename))]
    sdist = LockedFile(filename="made-1.0.tar.gz", data=b"", url=f"{index.url}/made-1.0.tar.gz")
    root = write(tmp_path, pylock(LockedPackage(wheels=files), LockedPackage(sdist=sdist)))
    layer = data(root, "made")
    assert (
        layer["source"] == "made 1.0 has only a source distribution, which would have to be built"
    )
    assert layer["cost"] is None
    assert layer["unknown"].startswith("not built yet: made")
    assert "Built from its source: made 1.0 has only" in run(root, "made").stdout


def test_of_many_ways_the_shortest_are_shown(tmp_path: Path, index: IndexServer) -> None:
    middle = [WheelSpec(name=f"m{number:02}", requires_dist=["leaf"]) for number in range(14)]
    index.add(WHEELS[0], *middle)
    names = [each.name for each in middle]
    root = uv_project(tmp_path / "app", index.simple_url, names, extra_toml=TABLE).directory
    lines = run(root, "leaf").stdout.splitlines()
    assert "  the project > m09 > leaf" in lines
    assert "  and 4 more ways: see -v" in lines
    assert "  the project > m13 > leaf" in run(root, "leaf", "-v").stdout.splitlines()


def test_more_ways_than_anyone_counts_end(tmp_path: Path, index: IndexServer) -> None:
    # Each of these layers doubles the ways: there are four to the power of fifteen.
    layers = [[f"n{depth:02}x{each}" for each in range(4)] for depth in range(15)]
    wheels = [
        WheelSpec(name=name, requires_dist=following)
        for own, following in zip(layers, [*layers[1:], ["leaf"]], strict=True)
        for name in own
    ]
    index.add(WHEELS[0], *wheels)
    root = uv_project(tmp_path / "app", index.simple_url, layers[0], extra_toml=TABLE).directory
    layer = data(root, "leaf")
    assert layer["has_more_paths"] is True
    assert 0 < len(layer["paths"]) <= 500
