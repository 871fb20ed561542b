"""`[tool.lambda-layer]` is read once, and whatever is wrong with it is said in one go."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from hatch_lambda_layer.cli.main import main
from hatch_lambda_layer.config.container import ContainerConfig
from hatch_lambda_layer.config.layer import LAMBDA_UNPACKED_LIMIT, TOOLS, LayerConfig
from hatch_lambda_layer.config.matrix import Matrix
from hatch_lambda_layer.exceptions import ConfigError
from hatch_lambda_layer.findings import FindingPolicy
from hatch_lambda_layer.lockfiles import LOCKFILES
from hatch_lambda_layer.targets.target import Architecture, Target, runtimes
from tests.support.lock_factory import LockedFile, LockedPackage, pylock
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from pathlib import Path

RUNTIME = 'runtimes = ["python3.13"]\n'
KEYS = {
    "verify",
    "scripts",
    "libraries",
    "tool",
    "lockfile",
    "requirements",
    "runtimes",
    "python-full-version",
    "architectures",
    "groups",
    "extras",
    "only-groups",
    "include-project",
    "exclude",
    "allow-missing",
    "build",
    "build-timeout",
    "container",
    "prune",
    "prefer",
    "force-include",
    "force-include-outside",
    "max-size",
    "function-size",
    "strict",
    "ignore",
    "error",
}


def matrix(table: str) -> Matrix:
    """Read `[tool.lambda-layer]` from the TOML text of its keys."""
    return Matrix.from_pyproject(tomllib.loads(f"[tool.lambda-layer]\n{table}"))


def read(table: str) -> LayerConfig:
    """Give the layer of the table itself, which is the only one."""
    (config,) = matrix(table).layers
    return config


def members(table: str) -> list[str]:
    return [member.id for member in matrix(table).members]


def problems(table: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        read(table)
    return caught.value.problems


def test_only_the_runtime_has_to_be_named() -> None:
    config = read(RUNTIME)
    assert config == LayerConfig(
        name=None,
        tool=None,
        lockfile=None,
        requirements=(),
        runtimes=(runtimes()["python3.13"],),
        python_full_version=(),
        architectures=(Architecture.X86_64,),
        groups=(),
        extras=(),
        only_groups=(),
        include_project=False,
        exclude=(),
        allow_missing=(),
        build="local",
        build_timeout=600,
        container=ContainerConfig(),
        prune=(),
        prefer=(),
        force_include=(),
        force_include_outside=False,
        max_size=262_144_000,
        function_size=0,
        strict=False,
        ignore=(),
        error=(),
        verify="audit",
        scripts=False,
        libraries=(),
    )
    assert members(RUNTIME) == ["python3.13-x86_64"]


def test_every_key_is_read() -> None:
    config = read(
        """
        tool = "pylock"
        runtimes = ["python3.12", "python3.13"]
        architectures = ["arm64", "x86_64"]
        groups = ["lambda"]
        extras = ["fast", "cli"]
        include-project = true
        requirements = ["a.txt", "b.txt"]
        exclude = ["boto3", "six"]
        allow-missing = ["six"]
        build = "never"
        build-timeout = 60
        prune = ["tests", "python/*/data/"]
        prefer = ["aws-cdk-lib"]
        max-size = "100 MiB"
        function-size = "20 MB"
        strict = true
        ignore = ["HLL012"]
        error = ["HLL013"]
        verify = "import"
        scripts = true
        libraries = ["libgomp.so.1"]
        force-include = { "config" = "python/config", "a.txt" = "/etc/a.txt" }
        """
    )
    assert config.tool == "pylock"
    assert [runtime.id for runtime in config.runtimes] == ["python3.12", "python3.13"]
    assert config.architectures == (Architecture.ARM64, Architecture.X86_64)
    assert (config.groups, config.extras) == (("lambda",), ("fast", "cli"))
    assert config.include_project is True
    assert config.requirements == ("a.txt", "b.txt")
    assert (config.exclude, config.allow_missing) == (("boto3", "six"), ("six",))
    assert (config.build, config.build_timeout) == ("never", 60)
    assert config.prune == ("tests", "python/*/data/")
    assert config.prefer == ("aws-cdk-lib",)
    assert (config.max_size, config.function_size) == (104_857_600, 20_000_000)
    assert config.verify == "import"
    assert (config.scripts, config.libraries) == (True, ("libgomp.so.1",))
    assert config.findings == FindingPolicy(strict=True, ignore=("HLL012",), error=("HLL013",))
    assert config.force_include == (("a.txt", "etc/a.txt"), ("config", "python/config"))


def test_the_keys_are_those_that_the_documentation_names() -> None:
    fields = {field.name.replace("_", "-") for field in dataclasses.fields(LayerConfig)}
    assert fields == {*KEYS, "name"}


def test_lockfile_takes_the_place_of_requirements_and_the_other_way_round() -> None:
    table = RUNTIME + 'lockfile = "../uv.lock"\n'
    assert read(table).lockfile == "../uv.lock"
    (problem,) = problems(table + 'requirements = ["a.txt"]\n')
    assert problem == ("Field `tool.lambda-layer.lockfile` can't be combined with `requirements`")
    assert len(problems(RUNTIME + "lockfile = 5")) == 1
    assert len(problems(RUNTIME + 'lockfile = " "')) == 1
    layers = matrix(
        f'{table}[tool.lambda-layer.layers]\na.requirements = ["a.txt"]\nb.groups = ["b"]\n'
    ).layers
    assert [(each.lockfile, each.requirements) for each in layers] == [
        ("../uv.lock", ()),
        (None, ("a.txt",)),
        ("../uv.lock", ()),
    ]
    overrides = {"requirements": ["b.txt"]}
    pyproject = tomllib.loads(f"[tool.lambda-layer]\n{table}")
    assert Matrix.from_pyproject(pyproject, overrides).layers[0].lockfile is None


def test_only_groups_takes_the_place_of_groups_and_extras() -> None:
    table = RUNTIME + 'only-groups = ["reports"]\n'
    assert read(table).only_groups == ("reports",)
    assert problems(table + 'groups = ["a"]\nextras = ["b"]\n') == (
        "Field `tool.lambda-layer.only-groups` can't be combined with `groups`",
        "Field `tool.lambda-layer.only-groups` can't be combined with `extras`",
    )
    layers = matrix(
        f'{RUNTIME}groups = ["a"]\nextras = ["b"]\n[tool.lambda-layer.layers]\n'
        'reports.only-groups = ["reports"]\nother.extras = ["c"]\n'
    ).layers
    assert [(each.groups, each.extras, each.only_groups) for each in layers] == [
        (("a",), ("b",), ()),
        ((), (), ("reports",)),
        (("a",), ("c",), ()),
    ]
    (_, layer) = matrix(f'{table}[tool.lambda-layer.layers]\na.groups = ["a"]\n').layers
    assert (layer.groups, layer.only_groups) == (("a",), ())


def test_the_matrix_is_each_runtime_on_each_architecture_in_their_order() -> None:
    table = 'runtimes = ["python3.13", "python3.12"]\narchitectures = ["arm64", "x86_64"]'
    assert members(table) == [
        "python3.13-arm64",
        "python3.13-x86_64",
        "python3.12-arm64",
        "python3.12-x86_64",
    ]


def test_a_patch_release_belongs_to_one_version_of_a_runtime() -> None:
    config = read('runtimes = ["python3.12", "python3.13"]\npython-full-version = ["3.12.99"]')
    floor = runtimes()["python3.13"].python
    assert [each.python for each in config.runtimes] == ["3.12.99", floor]
    assert [each.id for each in config.runtimes] == ["python3.12", "python3.13"]
    said = problems(RUNTIME + '\npython-full-version = ["3.13", "3.8.1", "3.13.x", "3.13.1\u0661"]')
    assert len(said) == 4
    assert "Field `tool.lambda-layer.python-full-version[0]`" in said[0]
    said = problems(RUNTIME + '\npython-full-version = ["3.13.8", "3.13.9"]')
    assert said == (
        "Field `tool.lambda-layer.python-full-version` has two patch releases of Python 3.13",
    )


def test_values_can_not_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        read(RUNTIME).max_size = 1  # type: ignore[misc]


def test_every_tool_that_is_allowed_has_a_lockfile() -> None:
    assert set(TOOLS) == set(LOCKFILES)


@pytest.mark.parametrize("pyproject", ["", "[tool]", "[tool.hatch]", "[project]\nname = 'x'"])
def test_a_missing_table_is_shown_as_it_should_be(pyproject: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Matrix.from_pyproject(tomllib.loads(pyproject))
    text = str(caught.value)
    assert "Table `tool.lambda-layer` is missing in pyproject.toml" in text
    example = text[text.index("[tool.lambda-layer]") :]
    assert Matrix.from_pyproject(tomllib.loads(example)).members


@pytest.mark.parametrize("overrides", [{}, {"runtimes": ["python3.13"]}])
@pytest.mark.parametrize(
    "name",
    ["tool.lambda_layer", "tool.hatch-lambda-layer", "tool.hatch.lambda-layer", "lambda-layer"],
)
def test_a_misspelled_table_is_named_and_not_ignored(
    name: str, overrides: dict[str, object]
) -> None:
    with pytest.raises(ConfigError) as caught:
        Matrix.from_pyproject(tomllib.loads(f"[{name}]\n{RUNTIME}"), overrides)
    assert str(caught.value) == f"Table `{name}` is not read: name it `[tool.lambda-layer]`"


@pytest.mark.fault(3)
@pytest.mark.parametrize("pyproject", ["[[tool.lambda-layer]]", "tool.lambda-layer = 'x'"])
def test_what_should_be_a_table_must_be_one(pyproject: str) -> None:
    with pytest.raises(ConfigError, match=r"Field `tool\.lambda-layer` must be a table"):
        Matrix.from_pyproject(tomllib.loads(pyproject))


@pytest.mark.fault(2)
@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("runtime", "runtimes"),
        ("Runtimes", "runtimes"),
        ("architecture", "architectures"),
        ("include_project", "include-project"),
        ("includeproject", "include-project"),
        ("max_size", "max-size"),
        ("maxsize", "max-size"),
        ("group", "groups"),
        ("force-includes", "force-include"),
    ],
)
def test_an_unknown_key_is_named_with_its_nearest_neighbour(key: str, near: str) -> None:
    expected = f"Field `tool.lambda-layer.{key}` is unknown (did you mean `{near}`?)"
    assert problems(f"{RUNTIME}{key} = 1") == (expected,)


@pytest.mark.fault(2)
@pytest.mark.parametrize("key", ["prune.x", "prune[0]", "bogus"])
def test_an_unknown_key_of_a_layer_is_found_though_it_begins_as_an_inherited_one(key: str) -> None:
    text = f"{RUNTIME}prune = ['tests']\n[tool.lambda-layer.layers.ml]\n'{key}' = 1\n"
    (problem,) = problems(text)
    assert problem.startswith(f"Field `tool.lambda-layer.layers.ml.{key}` is unknown")


@pytest.mark.fault(2)
@pytest.mark.parametrize(
    "key",
    ["bytecode", "strip", "compression", "inspect.deep"],
)
def test_a_key_that_is_only_planned_is_unknown_and_not_ignored(key: str) -> None:
    (problem,) = problems(f"{RUNTIME}{key} = true")
    assert problem.startswith(f"Field `tool.lambda-layer.{key.partition('.')[0]}` is unknown")


@pytest.mark.fault(2)
def test_a_key_like_no_other_gets_no_suggestion() -> None:
    assert problems(f"{RUNTIME}zzz = 1") == ("Field `tool.lambda-layer.zzz` is unknown",)


EVERY_TOOL = "one of `uv`, `poetry`, `pdm`, `pip`, `pylock`, not "
WRONG = [
    ("tool = 'conda'", "tool", [EVERY_TOOL, "'conda'"]),
    ("tool = 'pylok'", "tool", ["'pylok'", "did you mean `pylock`"]),
    ("tool = 'rye'", "tool", [EVERY_TOOL, "'rye'", "`uv lock`"]),
    ("tool = 'pipenv'", "tool", [EVERY_TOOL, "`pipenv requirements --hash > requirements.txt`"]),
    ("tool = 5", "tool", [EVERY_TOOL, "not 5"]),
    ("tool = ''", "tool", [EVERY_TOOL, "not ''"]),
    ("architectures = ['x86-64']", "architectures[0]", ["`x86_64`", "did you mean `x86_64`"]),
    ("architectures = ['arm64', 'mips']", "architectures[1]", ["`x86_64`, `arm64`", "'mips'"]),
    ("architectures = 'arm64'", "architectures", ["an array of strings", "'arm64'"]),
    ("architectures = []", "architectures", ["at least one of `x86_64`, `arm64`"]),
    ("groups = 'dev'", "groups", ["an array of strings", "'dev'"]),
    ("groups = { include = 'dev' }", "groups", ["an array of strings"]),
    ("groups = ['']", "groups[0]", ["a string that is not empty", "not ''"]),
    ("groups = ['a', '  ']", "groups[1]", ["a string that is not empty", "not '  '"]),
    ("extras = ['a', 7]", "extras[1]", ["a string that is not empty", "not 7"]),
    ("extras = ['a', 'b', 'a']", "extras", ["'a'", "more than once"]),
    ("requirements = 'a.txt'", "requirements", ["an array of strings", "'a.txt'"]),
    ("requirements = ['']", "requirements[0]", ["a string that is not empty", "not ''"]),
    ("exclude = 'boto3'", "exclude", ["an array of strings", "'boto3'"]),
    ("exclude = ['a', 3]", "exclude[1]", ["a string that is not empty", "not 3"]),
    ("exclude = ['a', 'a']", "exclude", ["'a'", "more than once"]),
    ("allow-missing = true", "allow-missing", ["an array of strings", "not true"]),
    ("allow-missing = [' ']", "allow-missing[0]", ["a string that is not empty", "not ' '"]),
    ("build = 'always'", "build", ["one of `local`, `container`, `auto`, `never`", "'always'"]),
    ("build = 'nevr'", "build", ["'nevr'", "did you mean `never`"]),
    ("build = true", "build", ["one of `local`, `container`, `auto`, `never`", "not true"]),
    ("layers = 1", "layers", ["must be a table of tables"]),
    ("layers.ml = true", "layers.ml", ["must be a table"]),
    ("prune = [true]", "prune[0]", ["a string that is not empty", "not true"]),
    ("include-project = 'yes'", "include-project", ["true or false", "'yes'"]),
    ("include-project = 1", "include-project", ["true or false", "not 1"]),
    ("max-size = 0", "max-size", ["at most 262,144,000 bytes", "not 0"]),
    ("max-size = -5", "max-size", ["at most 262,144,000 bytes", "not -5"]),
    ("max-size = 262144001", "max-size", ["at most 262,144,000 bytes", "not 262144001"]),
    ("max-size = '251 MiB'", "max-size", ["at most 262,144,000 bytes", "'251 MiB'"]),
    ("max-size = '1 TiB'", "max-size", ["such as '250 MiB'", "'1 TiB'"]),
    ("max-size = '-1 MB'", "max-size", ["such as '250 MiB'", "'-1 MB'"]),
    ("max-size = 'much'", "max-size", ["such as '250 MiB'", "'much'"]),
    ("max-size = ''", "max-size", ["such as '250 MiB'", "not ''"]),
    ("max-size = '0.1 b'", "max-size", ["at most 262,144,000 bytes", "'0.1 b'"]),
    ("max-size = 1.5", "max-size", ["such as '250 MiB'", "not 1.5"]),
    ("max-size = inf", "max-size", ["such as '250 MiB'", "not inf"]),
    ("max-size = true", "max-size", ["such as '250 MiB'", "not true"]),
    ("max-size = [1]", "max-size", ["such as '250 MiB'", "[1]"]),
    (f"max-size = '{'9' * 400} GiB'", "max-size", ["at most 262,144,000 bytes"]),
    ("force-include = ['a']", "force-include", ["a table of source = path in the layer"]),
    ("force-include.a = 5", "force-include.'a'", ["a path in the layer", "not 5"]),
    ("force-include.a = ''", "force-include.'a'", ["a path in the layer", "not ''"]),
    ("force-include.a = '//'", "force-include.'a'", ["a path in the layer", "not '//'"]),
    ("force-include.'' = 'python/a'", "force-include.''", ["must name a file or folder"]),
]


@pytest.mark.fault(3, 4)
@pytest.mark.parametrize(
    ("line", "key", "words"), WRONG, ids=lambda each: str(each)[:40] if each else "empty"
)
def test_a_wrong_value_is_named_with_its_key_and_what_is_allowed(
    line: str, key: str, words: list[str]
) -> None:
    (problem,) = problems(RUNTIME + line)
    assert problem.startswith(f"Field `tool.lambda-layer.{key}` ")
    assert [word for word in words if word not in problem] == []


@pytest.mark.fault(3, 5)
@pytest.mark.parametrize(
    ("value", "key", "words"),
    [
        ("[]", "runtimes", ["at least one of `python3.14`, `python3.13`"]),
        ("'python3.13'", "runtimes", ["an array of strings", "'python3.13'"]),
        ("['pyhton3.13']", "runtimes[0]", ["did you mean `python3.13`?"]),
        ("['python3.13', '3.12']", "runtimes[1]", ["'3.12'", "did you mean `python3.12`?"]),
        ("['python313']", "runtimes[0]", ["did you mean `python3.13`?"]),
        ("['python3.9']", "runtimes[0]", ["older than the oldest", "`python3.10`"]),
        ("['python3.99']", "runtimes[0]", ["newer than the newest", "`python3."]),
        ("['nodejs22.x']", "runtimes[0]", ["one of `python3.14`", "'nodejs22.x'"]),
        ("['python3.13', 'python3.13']", "runtimes", ["'python3.13' more than once"]),
        ("[5]", "runtimes[0]", ["a string that is not empty", "not 5"]),
        ("['']", "runtimes[0]", ["a string that is not empty", "not ''"]),
    ],
)
def test_a_wrong_runtime_is_named_with_the_nearest_known_one(
    value: str, key: str, words: list[str]
) -> None:
    (problem,) = problems(f"runtimes = {value}")
    assert problem.startswith(f"Field `tool.lambda-layer.{key}` ")
    assert [word for word in words if word not in problem] == []


@pytest.mark.fault(3)
def test_a_missing_runtime_says_which_there_are() -> None:
    (problem,) = problems("")
    assert problem.startswith("Field `tool.lambda-layer.runtimes` must name at least one of ")
    assert all(f"`{name}`" in problem for name in runtimes())


@pytest.mark.fault(3)
def test_each_item_is_named_by_its_place_in_the_file() -> None:
    wrong = problems("runtimes = [5, 'python3.99']\narchitectures = [true, 'x86_64', 'vax']")
    keys = [problem.split("`")[1].removeprefix("tool.lambda-layer.") for problem in wrong]
    assert keys == ["runtimes[0]", "runtimes[1]", "architectures[0]", "architectures[2]"]


@pytest.mark.fault(4)
@pytest.mark.parametrize("names", ["'arm64', 'aarch64'", "'amd64', 'x86_64'", "'arm64', 'arm64'"])
def test_one_architecture_may_not_come_twice_under_any_name(names: str) -> None:
    (problem,) = problems(f"{RUNTIME}architectures = [{names}]")
    assert problem.startswith("Field `tool.lambda-layer.architectures` ")
    assert "twice" in problem or "more than once" in problem


def test_the_synonyms_of_architectures_are_understood() -> None:
    table = f"{RUNTIME}architectures = ['aarch64', 'amd64']"
    assert members(table) == ["python3.13-arm64", "python3.13-x86_64"]


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1),
        ("262144000", LAMBDA_UNPACKED_LIMIT),
        ("'262144000'", LAMBDA_UNPACKED_LIMIT),
        ("'250 MiB'", LAMBDA_UNPACKED_LIMIT),
        ("'250MiB'", 262_144_000),
        ("' 250  mib '", 262_144_000),
        ("'250 MB'", 250_000_000),
        ("'1.5 KiB'", 1_536),
        ("'100 kB'", 100_000),
        ("'0.2 GiB'", 214_748_364),
        ("'0.2 GB'", 200_000_000),
        ("'512 B'", 512),
    ],
)
def test_a_size_is_bytes_or_a_number_with_a_unit(text: str, size: int) -> None:
    assert read(f"{RUNTIME}max-size = {text}").max_size == size


@pytest.mark.fault(3)
@pytest.mark.parametrize(
    "path",
    [
        "../up",
        "python/../../up",
        "python/./x",
        "python//x",
        "C:/x",
        "python\\x",
        "..",
        ".",
        "a\nb",
        "a\x00b",
        "a\x1bb",
    ],
)
def test_a_path_that_leaves_the_layer_is_refused(path: str) -> None:
    (problem,) = problems(f"{RUNTIME}force-include.src = {json.dumps(path)}")
    assert problem.startswith("Field `tool.lambda-layer.force-include.'src'` must be a path that")
    assert problem.isprintable()


@pytest.mark.parametrize("path", ["python/config", "/python/config", "python/config/"])
def test_a_path_in_the_layer_may_have_slashes_around_it(path: str) -> None:
    config = read(f"{RUNTIME}force-include.src = '{path}'")
    assert config.force_include == (("src", "python/config"),)


EVERYTHING_WRONG = """
tool = "npm"
runtimes = ["python3.13", "ruby3.3"]
architectures = ["vax"]
groups = "dev"
extras = [1]
include-project = "no"
prune = ["x", "x"]
max-size = "1 TB"
bytecode = true

[tool.lambda-layer.force-include]
a = "../a"
b = 3
"""


@pytest.mark.fault(2, 3, 4, 5)
def test_every_error_is_told_in_one_go_with_its_full_key() -> None:
    wrong = problems(EVERYTHING_WRONG)
    keys = [problem.split("`")[1].removeprefix("tool.lambda-layer.") for problem in wrong]
    assert sorted(keys) == [
        "architectures[0]",
        "bytecode",
        "extras[0]",
        "force-include.'a'",
        "force-include.'b'",
        "groups",
        "include-project",
        "max-size",
        "prune",
        "runtimes[1]",
        "tool",
    ]


TABLE = b"[tool.lambda-layer]\n"


@pytest.mark.fault(1, 2, 3, 4, 5)
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (TABLE + b"runtimes = [3.x]", ["pyproject.toml is not valid TOML", "(at line 2, column "]),
        (b"# \xff\n" + TABLE, ["pyproject.toml is not UTF-8", "position 2"]),
        (b"[project]", ["`tool.lambda-layer` is missing", 'runtimes = ["python']),
        (TABLE + EVERYTHING_WRONG.encode(), ["'npm'", "'ruby3.3'", "'vax'", "'1 TB'", "bytecode"]),
        (None, ["has no pyproject.toml", "`--runtime python3."]),
    ],
    ids=["malformed", "no text", "no table", "everything wrong", "no file"],
)
def test_a_wrong_configuration_ends_the_build_before_it_begins(
    tmp_path: Path, content: bytes | None, words: list[str]
) -> None:
    wheel = WheelSpec(name="demo")
    wheel.write(tmp_path)
    lock = pylock(LockedPackage(wheels=[LockedFile.of(wheel, path=wheel.filename)]))
    (tmp_path / "pylock.toml").write_text(lock, encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text(f"[tool.lambda-layer]\n{RUNTIME}", encoding="utf-8")
    built = CliRunner().invoke(main, ["build", str(tmp_path)], catch_exceptions=False)
    assert built.exit_code == 0, built.output
    before = {path.name: path.read_bytes() for path in (tmp_path / "dist").iterdir()}
    (tmp_path / "pyproject.toml").unlink()
    if content is not None:
        (tmp_path / "pyproject.toml").write_bytes(content)
    failed = CliRunner().invoke(main, ["build", str(tmp_path)], catch_exceptions=False)
    assert failed.exit_code == 1
    assert failed.output.startswith("error: ")
    assert [word for word in words if word not in failed.output] == []
    assert {path.name: path.read_bytes() for path in (tmp_path / "dist").iterdir()} == before


# ---- [tool.lambda-layer.container]

CONTAINER = "[tool.lambda-layer.container]\n"


def test_every_key_of_the_container_is_read() -> None:
    container = read(
        f"""{RUNTIME}
        build = "container"
        {CONTAINER}
        engine = "podman"
        image = "registry.test:5000/build/{{runtime}}/{{architecture}}@sha256:0123"
        network = "none"
        before-build = ["dnf install -y libpq-devel"]
        env = {{ ZED = "1", CFLAGS = "" }}
        repair = true
        timeout = 60
        """
    ).container
    assert container == ContainerConfig(
        engine="podman",
        image="registry.test:5000/build/{runtime}/{architecture}@sha256:0123",
        network="none",
        before_build=("dnf install -y libpq-devel",),
        env=(("CFLAGS", ""), ("ZED", "1")),
        repair=True,
        timeout=60,
    )
    target = Target(runtimes()["python3.13"], Architecture.ARM64)
    assert container.image_for(target) == "registry.test:5000/build/python3.13/arm64@sha256:0123"
    default = ContainerConfig().image_for(target)
    assert default == "public.ecr.aws/sam/build-python3.13:latest-arm64"


@pytest.mark.fault(2, 3)
def test_all_that_is_wrong_with_the_container_is_said_in_one_go() -> None:
    said = problems(
        f"""{RUNTIME}
        {CONTAINER}
        engin = "podman"
        engine = "dokcer"
        image = "--privileged"
        network = "-x"
        before-build = "dnf"
        env = {{ "A-B" = "1", C = 1 }}
        repair = "yes"
        timeout = 0
        [tool.lambda-layer.layers.web]
        [tool.lambda-layer.layers.own.container]
        image = "a{{python}}"
        [tool.lambda-layer.layers.odd]
        container = 3
        """
    )
    starts = [
        "container.engin` is unknown (did you mean `engine`?)",
        "container.engine` must be one of `docker`, `podman`, `finch`, `nerdctl`, not 'dokcer'",
        "container.image` must be the name of an image",
        "container.network` must be `none`, `host`",
        "container.before-build` must be an array of strings",
        "container.env` has 'A-B', which is not a valid variable name",
        "container.env.C` must be a string, not 1",
        "container.repair` must be true or false",
        "container.timeout` must be a whole number of at least 1",
        (
            "layers.own.container.image` has the placeholder '{python}', "
            "known are `{runtime}`, `{architecture}`"
        ),
        "layers.odd.container` must be a table, not 3",
    ]
    assert [
        start
        for start, problem in zip(starts, said, strict=True)
        if not problem.startswith(f"Field `tool.lambda-layer.{start}")
    ] == []
