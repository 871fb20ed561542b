"""The facts of Lambda's runtimes, and the wheels and markers that follow from them."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from packaging.markers import Marker, default_environment
from packaging.tags import parse_tag, platform_tags

import hatch_lambda_layer
from hatch_lambda_layer._internal.console import Console
from hatch_lambda_layer.build.project import ProjectBuild
from hatch_lambda_layer.config.matrix import Matrix, Member
from hatch_lambda_layer.layout import LayerPathLayout
from hatch_lambda_layer.targets.target import Architecture, Runtime, Target, runtimes
from tests.support.displays import Lines
from tests.support.lock_factory import LockedFile, LockedPackage, pylock
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from hatch_lambda_layer.config.matrix import Member

FACTS = Path(hatch_lambda_layer.__file__).with_name("targets") / "runtimes.toml"
RUNTIMES = list(runtimes().values())
TARGETS = [Target(runtime, each) for runtime in RUNTIMES for each in Architecture]
# AWS names no system for a preview; none that it still supports has an older glibc than 2.34.
GLIBC = {"Amazon Linux 2": (2, 26), "Amazon Linux 2023": (2, 34), None: (2, 34)}
DATED = [runtime for runtime in RUNTIMES if not runtime.preview]


def target(name: str) -> Target:
    return next(each for each in TARGETS if each.id == name)


def test_every_row_of_facts_is_complete() -> None:
    rows = tomllib.loads(FACTS.read_text(encoding="utf-8"))["runtimes"]
    expected = {"python", "os", "glibc", "deprecated", "create-blocked"}
    preview = {"preview", "python", "glibc"}
    for facts in rows.values():
        assert set(facts) == (preview if facts.get("preview") else expected)
    assert list(rows) == list(runtimes())


def test_the_facts_say_when_they_were_true_and_who_says_so() -> None:
    text = FACTS.read_text(encoding="utf-8")
    assert re.search(r"^# As of 20\d\d-\d\d-\d\d\. Sources:$", text, re.MULTILINE)


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.id)
def test_the_facts_of_a_runtime_fit_together(runtime: Runtime) -> None:
    major, minor = runtime.python_version
    assert runtime.id == f"python{major}.{minor}"
    assert re.fullmatch(rf"{major}\.{minor}\.\d+", runtime.python)
    assert runtime.glibc == GLIBC[runtime.os]
    if runtime.preview:
        assert (runtime.deprecated, runtime.create_blocked) == (None, None)
    else:
        assert runtime.deprecated is not None
        assert runtime.create_blocked is not None
        assert runtime.deprecated < runtime.create_blocked


def test_the_runtimes_are_those_that_lambda_has_the_newest_first_and_a_preview_last() -> None:
    names = [runtime.id for runtime in RUNTIMES]
    assert names == [f"python3.{minor}" for minor in (14, 13, 12, 11, 10, 15)]
    assert [runtime.id for runtime in RUNTIMES if runtime.preview] == ["python3.15"]
    systems = [runtime.os for runtime in RUNTIMES]
    assert systems == ["Amazon Linux 2023"] * 3 + ["Amazon Linux 2"] * 2 + [None]


def test_a_preview_takes_the_tags_of_cpython_itself_and_no_others() -> None:
    of_python = {(tag.interpreter, tag.abi) for tag in target("python3.15-x86_64").tags()}
    own = {each for each in of_python if each[0].startswith("cp315")}
    assert own == {("cp315", abi) for abi in ("cp315", "abi3", "none")}
    assert {abi for _, abi in of_python} == {"cp315", "abi3", "none"}


@pytest.mark.parametrize(
    ("text", "architecture", "machine"),
    [
        ("x86_64", Architecture.X86_64, "x86_64"),
        ("amd64", Architecture.X86_64, "x86_64"),
        ("arm64", Architecture.ARM64, "aarch64"),
        ("aarch64", Architecture.ARM64, "aarch64"),
    ],
)
def test_an_architecture_is_understood_by_every_common_name(
    text: str, architecture: Architecture, machine: str
) -> None:
    assert Architecture.parse(text) is architecture
    assert architecture.machine == machine


@pytest.mark.parametrize("text", ["", "arm", "ARM64", "i686", "x86-64", "armv7l", "riscv64"])
def test_an_architecture_that_lambda_lacks_is_no_architecture(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(text))):
        Architecture.parse(text)


def test_a_target_is_named_after_runtime_and_architecture() -> None:
    assert [each.id for each in TARGETS[:3]] == [
        "python3.14-x86_64",
        "python3.14-arm64",
        "python3.13-x86_64",
    ]


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.id)
@pytest.mark.parametrize(
    ("architecture", "oldest", "legacy"),
    [
        (
            Architecture.X86_64,
            5,
            {
                "manylinux2014_x86_64": "manylinux_2_17_x86_64",
                "manylinux2010_x86_64": "manylinux_2_12_x86_64",
                "manylinux1_x86_64": "manylinux_2_5_x86_64",
            },
        ),
        (Architecture.ARM64, 17, {"manylinux2014_aarch64": "manylinux_2_17_aarch64"}),
    ],
)
def test_the_platforms_are_every_manylinux_up_to_the_runtimes_glibc(
    runtime: Runtime, architecture: Architecture, oldest: int, legacy: dict[str, str]
) -> None:
    *platforms, plain = Target(runtime, architecture).platforms()
    assert plain == f"linux_{architecture.machine}"
    minors = range(GLIBC[runtime.os][1], oldest - 1, -1)
    modern = [f"manylinux_2_{minor}_{architecture.machine}" for minor in minors]
    assert [each for each in platforms if each not in legacy] == modern
    before = dict(zip(platforms[1:], platforms, strict=False))
    # PEP 600: an older name means the same as the one it stands behind.
    assert {name: before[name] for name in platforms if name in legacy} == legacy


def test_packaging_gives_the_same_platforms_for_a_host_with_that_glibc() -> None:
    host = [tag for tag in platform_tags() if tag.startswith("manylinux")]
    wanted = target("python3.13-x86_64").platforms()[:-1]
    if wanted[0] not in host:
        pytest.skip("this host is no x86_64 Linux with glibc 2.34 or newer")
    assert host[host.index(wanted[0]) :] == wanted


@pytest.mark.parametrize("each", TARGETS, ids=lambda each: each.id)
def test_tags_of_other_systems_and_machines_never_fit(each: Target) -> None:
    machine = each.architecture.machine
    platforms = {tag.platform for tag in each.tags()}
    assert platforms - {"any"} == set(each.platforms())
    assert all(re.fullmatch(rf"(many)?linux\w*_{machine}|any", platform) for platform in platforms)


@pytest.mark.parametrize(
    ("tag", "fits"),
    [
        ("cp313-cp313-manylinux_2_34_x86_64", True),
        ("cp313-cp313-manylinux_2_35_x86_64", False),
        ("cp313-cp313-manylinux2014_x86_64", True),
        ("cp313-cp313-manylinux1_x86_64", True),
        ("cp313-cp313-manylinux_2_17_aarch64", False),
        ("cp313-cp313-manylinux_2_17_i686", False),
        ("cp313-cp313-linux_x86_64", True),
        ("cp313-cp313-linux_aarch64", False),
        ("cp312-cp312-linux_x86_64", False),
        ("cp313-cp313-musllinux_1_1_x86_64", False),
        ("cp313-cp313-musllinux_1_2_x86_64", False),
        ("cp313-cp313-macosx_10_13_x86_64", False),
        ("cp313-cp313-macosx_11_0_universal2", False),
        ("cp313-cp313-win_amd64", False),
        ("cp313-cp313t-manylinux_2_17_x86_64", False),
        ("cp313-cp313d-manylinux_2_17_x86_64", False),
        ("cp312-cp312-manylinux_2_17_x86_64", False),
        ("cp314-cp314-manylinux_2_17_x86_64", False),
        ("pp313-pypy313_pp73-manylinux_2_17_x86_64", False),
        ("cp313-abi3-manylinux_2_17_x86_64", True),
        ("cp39-abi3-manylinux_2_17_x86_64", True),
        ("cp32-abi3-manylinux_2_17_x86_64", True),
        ("cp314-abi3-manylinux_2_17_x86_64", False),
        ("cp313-none-manylinux_2_17_x86_64", True),
        ("py3-none-manylinux_2_17_x86_64", True),
        ("cp313-none-any", True),
        ("py313-none-any", True),
        ("py38-none-any", True),
        ("py314-none-any", False),
        ("py2.py3-none-any", True),
        ("py2-none-any", False),
        ("py3-none-any", True),
    ],
)
def test_a_wheel_fits_python_3_13_on_x86_64_by_its_tag(tag: str, *, fits: bool) -> None:
    assert (not parse_tag(tag).isdisjoint(target("python3.13-x86_64").tags())) is fits


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ("cp313-cp313-manylinux_2_28_x86_64", "cp313-cp313-manylinux_2_17_x86_64"),
        ("py3-none-any", "cp313-cp313-linux_x86_64"),
        ("cp313-cp313-manylinux_2_17_x86_64", "cp313-abi3-manylinux_2_34_x86_64"),
        ("cp313-abi3-manylinux_2_17_x86_64", "cp39-abi3-manylinux_2_34_x86_64"),
        ("cp39-abi3-manylinux1_x86_64", "py3-none-manylinux_2_34_x86_64"),
        ("py3-none-manylinux1_x86_64", "cp313-none-any"),
        ("cp313-none-any", "py3-none-any"),
        ("py313-none-any", "py3-none-any"),
    ],
)
def test_the_more_particular_tag_is_the_better_one(better: str, worse: str) -> None:
    order = [str(tag) for tag in target("python3.13-x86_64").tags()]
    assert order.index(better) < order.index(worse)


@pytest.mark.parametrize("each", TARGETS, ids=lambda each: each.id)
def test_every_marker_variable_has_the_value_of_the_target(each: Target) -> None:
    environment = each.marker_environment()
    # What is missing would be filled up from the host that builds.
    assert set(environment) == set(default_environment())
    major, minor = each.runtime.python_version
    assert environment["python_version"] == f"{major}.{minor}"
    assert environment["python_full_version"] == environment["implementation_version"]
    assert environment["python_full_version"] == each.runtime.python
    assert environment["platform_machine"] == each.architecture.machine


@pytest.mark.parametrize(
    ("marker", "runtime", "holds"),
    [
        # The backports that most lockfiles carry, such as those of async-timeout and tomli.
        ("python_full_version < '3.11.3'", "python3.11", False),
        ("python_full_version < '3.11.3'", "python3.10", True),
        ("python_full_version <= '3.11.0a6'", "python3.11", False),
        ("python_full_version >= '3.13'", "python3.13", True),
        ("python_version < '3.10'", "python3.10", False),
        ("python_version >= '3.9'", "python3.14", True),
        ("sys_platform == 'linux' and os_name == 'posix'", "python3.13", True),
        ("platform_system == 'Windows' or sys_platform == 'darwin'", "python3.13", False),
        ("platform_machine == 'x86_64'", "python3.13", True),
        ("platform_machine == 'arm64' or platform_machine == 'aarch64'", "python3.13", False),
        ("implementation_name == 'cpython'", "python3.13", True),
        ("platform_python_implementation != 'PyPy'", "python3.13", True),
    ],
)
def test_markers_are_decided_for_lambda_and_not_for_the_host(
    marker: str, runtime: str, *, holds: bool
) -> None:
    environment = target(f"{runtime}-x86_64").marker_environment()
    assert Marker(marker).evaluate(cast("dict[str, str]", environment)) is holds


@pytest.mark.fault(5)
@pytest.mark.parametrize("runtime", DATED, ids=lambda runtime: runtime.id)
def test_the_warning_of_deprecation_begins_on_the_very_day(runtime: Runtime) -> None:
    day = runtime.deprecated
    assert day is not None
    assert runtime.create_blocked is not None
    assert runtime.warning(day - timedelta(days=1)) is None
    for today in (day, day + timedelta(days=1), runtime.create_blocked, date(2099, 1, 1)):
        warning = runtime.warning(today) or ""
        assert f"{runtime.id} has been deprecated since {day.isoformat()}" in warning
        assert f"from {runtime.create_blocked.isoformat()} on" in warning


@pytest.mark.fault(5)
def test_a_layer_for_a_deprecated_runtime_is_built_with_a_warning(tmp_path: Path) -> None:
    wheel = WheelSpec(name="demo")
    wheel.write(tmp_path)
    lock = pylock(LockedPackage(wheels=[LockedFile.of(wheel, path=wheel.filename)]))
    (tmp_path / "pylock.toml").write_text(lock, encoding="utf-8")
    pyproject = {"tool": {"lambda-layer": {"runtimes": ["python3.13"]}}}
    matrix = Matrix.from_pyproject(pyproject)
    (member,) = matrix.members
    shown = Lines()
    build = ProjectBuild(
        matrix=matrix,
        layout=LayerPathLayout(tmp_path / "pyproject.toml", tmp_path / "dist"),
        pyproject={},
        console=Console(shown),
    )
    past, future = date(2020, 1, 31), date(2099, 1, 31)
    runtime = runtimes()["python3.13"]

    def of(runtime: Runtime) -> Member:
        return replace(member, target=Target(runtime, Architecture.X86_64))

    build.build(of(replace(runtime, deprecated=future)))
    assert shown.warnings == []
    built = build.build(of(replace(runtime, deprecated=past)))
    assert built.zip_path.is_file()
    assert len(shown.warnings) == 1
    assert shown.warnings[0].startswith(
        "warning: Runtime python3.13 has been deprecated since 2020-01-31"
    )
