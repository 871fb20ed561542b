"""Several layers in one table, what the command line overrides, and layers with exclusions."""

from __future__ import annotations

import json
import tomllib
from dataclasses import fields, replace
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest
from click.testing import CliRunner, Result

from hatch_lambda_layer.cli.main import main
from hatch_lambda_layer.config.layer import LayerConfig
from hatch_lambda_layer.config.matrix import Matrix
from hatch_lambda_layer.exceptions import ConfigError
from hatch_lambda_layer.hatch.builder import LambdaLayerBuilder
from tests.support.index_server import IndexServer
from tests.support.lock_factory import LockedFile, LockedPackage, pylock
from tests.support.projects import HatchlingProject, layer_files
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.support.index_server import IndexServer

ID = "python3.13-x86_64"
RUNTIME = 'runtimes = ["python3.13"]\n'
# For each key two values, of which one is the table's and the other a layer's.
VALUES = {
    "tool": ('"uv"', '"pylock"'),
    "lockfile": ('"../uv.lock"', '"../pylock.toml"'),
    "requirements": ('["a.txt"]', '["b.txt", "c.txt"]'),
    "runtimes": ('["python3.13", "python3.12"]', '["python3.11"]'),
    "python-full-version": ('["3.13.11"]', '["3.12.12", "3.13.12"]'),
    "architectures": ('["arm64"]', '["x86_64", "arm64"]'),
    "groups": ('["one"]', "[]"),
    "extras": ('["one", "two"]', '["three"]'),
    "only-groups": ('["one"]', '["two"]'),
    "include-project": ("true", "false"),
    "exclude": ('["boto3"]', "[]"),
    "allow-missing": ('["six"]', '["idna"]'),
    "build": ('"never"', '"local"'),
    "build-timeout": ("60", "1200"),
    "container": ("{ repair = true }", '{ engine = "podman" }'),
    "prune": ('["tests"]', '["stubs", "python/x/"]'),
    "prefer": ('["a", "b"]', '["b", "a"]'),
    "force-include": ('{ a = "python/a", b = "python/b" }', '{ c = "python/c" }'),
    "force-include-outside": ("true", "false"),
    "max-size": ('"100 MiB"', "5000"),
    "function-size": ('"20 MB"', "5000"),
    "strict": ("true", "false"),
    "ignore": ('["HLL012"]', '["HLL013"]'),
    "error": ('["HLL020"]', '["HLL021", "HLL030"]'),
    "verify": ('"import"', '"none"'),
    "scripts": ("true", "false"),
    "libraries": ('["liba.so.1"]', '["libb.so"]'),
}
WRONG = {
    "tool": '"npm"',
    "lockfile": "5",
    "requirements": '"a.txt"',
    "runtimes": '"python3.13"',
    "python-full-version": '"3.13.1"',
    "architectures": "[]",
    "groups": '["a", "a"]',
    "extras": "1",
    "only-groups": "1",
    "include-project": '"no"',
    "exclude": "true",
    "allow-missing": "{}",
    "build": '"always"',
    "build-timeout": "0",
    "container": "true",
    "prune": '"tests"',
    "prefer": '"a"',
    "force-include": "[]",
    "force-include-outside": "1",
    "max-size": '"1 TB"',
    "function-size": '"1 TB"',
    "strict": "1",
    "ignore": '"HLL012"',
    "error": "3",
    "verify": "3",
    "scripts": '"yes"',
    "libraries": '"liba.so.1"',
    "bytecode": "true",
}


def read(table: str, **overrides: object) -> tuple[LayerConfig, ...]:
    return Matrix.from_pyproject(tomllib.loads(f"[tool.lambda-layer]\n{table}"), overrides).layers


def problems(table: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        read(table)
    return caught.value.problems


def with_runtime(key: str, value: str) -> str:
    return f"{'' if key == 'runtimes' else RUNTIME}{key} = {value}\n"


def layer(name: str, *lines: str) -> str:
    return "\n".join([f"[tool.lambda-layer.layers.{name}]", *lines, ""])


def test_every_key_is_tried() -> None:
    keys = {field.name.replace("_", "-") for field in fields(LayerConfig)} - {"name"}
    assert set(VALUES) == keys
    assert set(WRONG) == {*keys, "bytecode"}


@pytest.mark.parametrize("key", VALUES)
def test_a_layer_has_what_the_table_says_unless_it_says_otherwise(key: str) -> None:
    shared, own = VALUES[key]
    (alone,) = read(with_runtime(key, shared))
    (other,) = read(with_runtime(key, own))
    base, same, different = read(
        with_runtime(key, shared) + layer("same") + layer("different", f"{key} = {own}")
    )
    field = key.replace("-", "_")
    assert getattr(alone, field) != getattr(other, field)
    assert base == alone
    assert same == replace(alone, name="same")
    assert different == replace(other, name="different")


@pytest.mark.parametrize("key", VALUES)
def test_what_a_layer_says_holds_for_it_alone(key: str) -> None:
    base, web, other = read(
        RUNTIME + layer("web", f"{key} = {VALUES[key][0]}") + layer("other", "groups = ['x']")
    )
    (plain,) = read(RUNTIME)
    assert base == plain
    assert getattr(web, key.replace("-", "_")) != getattr(plain, key.replace("-", "_"))
    assert other == replace(plain, name="other", groups=("x",))


def test_members_are_each_layer_on_each_of_its_targets_in_their_order() -> None:
    table = (
        'runtimes = ["python3.13", "python3.12"]\n'
        + layer("web", 'architectures = ["arm64", "x86_64"]')
        + layer("ml", 'runtimes = ["python3.11"]')
    )
    matrix = Matrix.from_pyproject(tomllib.loads(f"[tool.lambda-layer]\n{table}"))
    assert [member.id for member in matrix.members] == [
        "python3.13-x86_64",
        "python3.12-x86_64",
        "web-python3.13-arm64",
        "web-python3.13-x86_64",
        "web-python3.12-arm64",
        "web-python3.12-x86_64",
        "ml-python3.11-x86_64",
    ]
    assert [member.config.name for member in matrix.members] == [None] * 2 + ["web"] * 4 + ["ml"]


@pytest.mark.fault(2, 3, 4, 5)
@pytest.mark.parametrize("key", WRONG)
def test_what_is_wrong_in_the_table_of_a_layer_is_named_with_that_table(key: str) -> None:
    (problem,) = problems(RUNTIME + layer("web", f"{key} = {WRONG[key]}") + layer("other"))
    assert problem.startswith(f"Field `tool.lambda-layer.layers.web.{key}` ")


@pytest.mark.fault(2, 3, 4, 5)
@pytest.mark.parametrize("key", WRONG)
def test_what_is_wrong_in_the_table_is_said_once_for_all_layers(key: str) -> None:
    (problem,) = problems(with_runtime(key, WRONG[key]) + layer("web") + layer("other"))
    assert problem.startswith(f"Field `tool.lambda-layer.{key}` ")


@pytest.mark.fault(3)
def test_what_is_wrong_in_several_tables_is_told_in_one_go() -> None:
    wrong = problems(
        'prune = 1\nruntimes = ["python3.13"]\n'
        + layer("web", "prune = 2", 'force-include = { a = "../a" }')
        + layer(
            "ml", 'runtimes = ["python3.13", "ruby3.3"]', "[tool.lambda-layer.layers.ml.layers]"
        )
    )
    assert sorted(problem.split("`")[1] for problem in wrong) == [
        "tool.lambda-layer.layers.ml.layers",
        "tool.lambda-layer.layers.ml.runtimes[1]",
        "tool.lambda-layer.layers.web.force-include.'a'",
        "tool.lambda-layer.layers.web.prune",
        "tool.lambda-layer.prune",
    ]


@pytest.mark.fault(3)
def test_a_missing_runtime_is_said_once() -> None:
    (problem,) = problems(layer("web") + layer("ml"))
    assert problem.startswith("Field `tool.lambda-layer.runtimes` must name at least one of ")


@pytest.mark.fault(3)
@pytest.mark.parametrize("name", ["a b", "a/b", "..", "", "ä", "web.api", "web\n", "a\\b", "a:b"])
def test_a_name_that_no_file_should_have_is_refused(name: str) -> None:
    (problem,) = problems(RUNTIME + layer(json.dumps(name)))
    assert problem == (
        f"Field `tool.lambda-layer.layers` has the name {name!r}, which becomes part of a "
        "file name: use letters, digits, `-` and `_` only"
    )


@pytest.mark.parametrize("name", ["web", "Web_2-x", "1", "-", "layers"])
def test_letters_digits_and_dashes_are_a_name(name: str) -> None:
    assert [each.name for each in read(RUNTIME + layer(name))] == [None, name]


@pytest.mark.fault(3)
@pytest.mark.parametrize("value", ["1", '["web"]', "true"])
def test_layers_must_be_tables(value: str) -> None:
    assert problems(f"{RUNTIME}layers = {value}") == (
        "Field `tool.lambda-layer.layers` must be a table of tables",
    )
    assert problems(f"{RUNTIME}layers.web = {value}") == (
        "Field `tool.lambda-layer.layers.web` must be a table",
    )


def test_overrides_count_for_every_layer_whatever_its_table_says() -> None:
    table = 'runtimes = ["python3.13"]\ntool = "uv"\n' + layer(
        "web", 'runtimes = ["python3.12"]', 'tool = "pdm"', 'architectures = ["arm64"]'
    )
    layers = read(table, runtimes=["python3.14"], tool="pylock")
    assert [[runtime.id for runtime in each.runtimes] for each in layers] == [["python3.14"]] * 2
    assert [each.tool for each in layers] == ["pylock", "pylock"]
    assert [each.architectures[0].value for each in layers] == ["x86_64", "arm64"]


ALPHA = WheelSpec(name="alpha", requires_dist=["beta"])
BETA = WheelSpec(name="beta", version="2.1")
GAMMA = WheelSpec(name="gamma")
WEB = WheelSpec(name="webby")
ONLY_313 = WheelSpec(name="nat", tag="cp313-cp313-manylinux_2_17_x86_64")
TABLES = 'dependencies = ["alpha", "gamma"]\n[tool.lambda-layer]\n'


class LayersProject(HatchlingProject):
    """A project whose wheels an index has; `webby` is only in the group `web`."""

    def __init__(self, root: Path, index: IndexServer) -> None:
        super().__init__(root)
        self.index = index
        self.lock(ALPHA, BETA, GAMMA)
        self.write()

    def write(self, *tables: str, runtimes: str = RUNTIME) -> None:
        super().write(TABLES, runtimes, *tables)

    def depend_on(self, *names: str) -> None:
        text = self.pyproject.read_text("utf-8").replace('["alpha", "gamma"]', json.dumps(names))
        self.pyproject.write_text(text, encoding="utf-8")

    def lock(self, *wheels: WheelSpec) -> None:
        every = (*wheels, WEB)
        self.index.add(*(each for each in every if each.filename not in self.index.files))
        packages = [
            LockedPackage(
                wheels=[LockedFile.of(each, self.index.file_url(each.filename))],
                marker="'web' in dependency_groups" if each is WEB else None,
            )
            for each in every
        ]
        text = pylock(*packages, dependency_groups=["web"])
        self.lockfile.write_text(text, encoding="utf-8")

    def build(self, *arguments: str, code: int = 0) -> Result:
        command = ["build", str(self.root), *arguments]
        result = CliRunner().invoke(main, command, catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result

    @property
    def dist(self) -> Path:
        return self.root / "dist"

    def zips(self) -> list[str]:
        return sorted(path.name for path in self.dist.glob("*.zip"))

    def manifest(self, name: str = "layer") -> dict[str, object]:
        table: dict[str, object] = json.loads((self.dist / f"{name}.json").read_text("utf-8"))
        return table

    def findings(self) -> list[dict[str, str]]:
        found: list[dict[str, str]] = json.loads((self.dist / "layer.json").read_text("utf-8"))[
            "findings"
        ]
        return found

    def packages(self, name: str = "layer") -> list[str]:
        """Give the packages in a zip, which are those that its manifest lists."""
        with ZipFile(self.dist / f"{name}.zip") as archive:
            assert archive.testzip() is None
            roots = {path.split("/")[1] for path in archive.namelist()}
        found = sorted(root for root in roots if not root.endswith(".dist-info"))
        assert sorted(root.split("-")[0] for root in roots if root.endswith(".dist-info")) == found
        listed = self.manifest(name)["packages"]
        assert isinstance(listed, list)
        assert [each["name"] for each in listed] == found
        return found

    def fetched(self) -> list[str]:
        return sorted(request.path.rpartition("/")[2] for request in self.index.requests)


@pytest.fixture
def project(tmp_path: Path, index: IndexServer) -> LayersProject:
    return LayersProject(tmp_path / "project", index)


LAYERS = layer("web", 'groups = ["web"]', 'architectures = ["arm64"]') + layer("slim")
IDS = (ID, "web-python3.13-arm64", f"slim-{ID}")


def test_each_layer_is_a_file_with_its_name_and_says_what_it_is(project: LayersProject) -> None:
    project.write(LAYERS)
    built = project.build()
    assert built.stdout.splitlines() == [str(project.dist / f"layer-{name}.zip") for name in IDS]
    assert project.files() == layer_files(*IDS)
    assert project.packages("layer-web-python3.13-arm64") == ["alpha", "beta", "gamma", "webby"]
    assert project.packages(f"layer-{ID}") == ["alpha", "beta", "gamma"]
    for name, layer_name in zip(IDS, (None, "web", "slim"), strict=True):
        manifest = project.manifest(f"layer-{name}")
        assert (manifest["member"], manifest["layer"]) == (name, layer_name)
    assert project.build().stderr.count("is up to date") == 3


def test_layers_share_their_downloads(project: LayersProject) -> None:
    project.write(LAYERS)
    project.build()
    every = sorted(each.filename for each in (ALPHA, BETA, GAMMA, WEB))
    assert project.fetched() == every


def test_layers_share_their_downloads_under_hatchling_too(project: LayersProject) -> None:
    project.write(LAYERS)
    builder = LambdaLayerBuilder(str(project.root))
    artifacts = list(builder.build(directory=str(project.dist)))
    assert artifacts == [str(project.dist / f"layer-{name}.zip") for name in IDS]
    assert project.fetched() == sorted(each.filename for each in (ALPHA, BETA, GAMMA, WEB))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--layer", "web"], [IDS[1]]),
        (["--layer", "slim", "--layer", "web"], [IDS[1], IDS[2]]),
        (["-m", IDS[2]], [IDS[2]]),
        (["-m", IDS[0], "--member", IDS[1]], [IDS[0], IDS[1]]),
        (["--layer", "web", "-m", IDS[1]], [IDS[1]]),
        # Of a layer that is named, the runtime and the architecture say which member.
        (["--layer", "web", "-m", "python3.13-arm64"], [IDS[1]]),
        (["--layer", "web", "--layer", "slim", "-m", "python3.13-x86_64"], [IDS[2]]),
        (["-m", "python3.13-x86_64"], [IDS[0]]),
        (
            ["--runtime", "python3.12"],
            ["python3.12-x86_64", "web-python3.12-arm64", "slim-python3.12-x86_64"],
        ),
        (
            ["--architecture", "arm64"],
            [f"{name}python3.13-arm64" for name in ("", "web-", "slim-")],
        ),
        (
            ["--layer", "web", "--runtime", "python3.14", "--runtime", "python3.12"],
            ["web-python3.14-arm64", "web-python3.12-arm64"],
        ),
        (
            ["--runtime", "python3.12", "--architecture", "aarch64", "-m", "slim-python3.12-arm64"],
            ["slim-python3.12-arm64"],
        ),
    ],
    ids=" ".join,
)
def test_the_command_line_chooses_and_overrides(
    project: LayersProject, arguments: Sequence[str], expected: Sequence[str]
) -> None:
    project.write(LAYERS)
    built = project.build(*arguments)
    assert built.stdout.splitlines() == [
        str(project.dist / f"layer-{name}.zip") for name in expected
    ]
    assert project.files() == layer_files(*expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--layer", "api"], "Layer `api` is not in `[tool.lambda-layer]`, which has: web, slim"),
        (
            ["-m", "web", "--layer", "web"],
            f"Member `web` is not in `[tool.lambda-layer]`, which has: {', '.join(IDS)}",
        ),
        (
            ["-m", "python3.13-arm64"],
            f"Member `python3.13-arm64` is not in `[tool.lambda-layer]`, which has: {IDS[0]}, "
            + ", ".join(IDS[1:]),
        ),
    ],
)
def test_an_unknown_layer_or_member_is_an_error_that_lists_the_known_ones(
    project: LayersProject, arguments: Sequence[str], message: str
) -> None:
    project.write(LAYERS)
    assert project.build(*arguments, code=1).stderr == f"error: {message}\n"
    assert not project.dist.exists()


def test_a_member_of_another_layer_is_no_empty_choice(project: LayersProject) -> None:
    project.write(LAYERS)
    failed = project.build("--layer", "slim", "-m", IDS[1], code=1)
    assert failed.stderr == f"error: No member of layer slim is {IDS[1]}\n"


@pytest.mark.parametrize("pair", [("web", "Web"), ("b", "B")])
def test_layers_whose_files_one_file_system_would_mix_up_are_refused(pair: tuple[str, str]) -> None:
    tables = {name: {"runtimes": ["python3.13"]} for name in (*pair, "other")}
    table = {"tool": {"lambda-layer": {"runtimes": ["python3.13"], "layers": tables}}}
    with pytest.raises(ConfigError) as raised:
        Matrix.from_pyproject(table)
    names = f"`{pair[0]}` and `{pair[1]}`"
    problem = f"`tool.lambda-layer.layers` has {names}, which differ only in case"
    assert problem in str(raised.value)


def test_where_no_layer_has_a_name_none_can_be_chosen(project: LayersProject) -> None:
    failed = project.build("--layer", "web", code=1)
    message = "Layer `web` is not in `[tool.lambda-layer]`, which has: none"
    assert failed.stderr == f"error: {message}\n"


@pytest.mark.fault(3, 4, 5)
@pytest.mark.parametrize(
    ("arguments", "field", "words"),
    [
        (["--runtime", "python313"], "runtimes[0]", "did you mean `python3.13`?"),
        (["--architecture", "mips"], "architectures[0]", "`x86_64`, `arm64`, not 'mips'"),
        (["--tool", "pylok"], "tool", "did you mean `pylock`?"),
        (["--tool", "rye"], "tool", "`uv lock`"),
    ],
)
def test_a_wrong_override_is_an_error_that_blames_no_key_of_the_file(
    project: LayersProject, arguments: Sequence[str], field: str, words: str
) -> None:
    project.write(layer("web"))
    failed = project.build(*arguments, code=1)
    assert failed.stderr.startswith(f"error: The `{field}` given for this build must be one of ")
    assert "Field " not in failed.stderr
    assert words in failed.stderr
    assert not project.dist.exists()


def test_a_project_without_a_table_can_be_built_for_a_runtime(project: LayersProject) -> None:
    (project.root / "pyproject.toml").write_text("[project]\nname = 'app'\nversion = '1'\n")
    assert "is missing in pyproject.toml" in project.build(code=1).stderr
    project.build("--runtime", "python3.13")
    assert project.packages() == ["alpha", "beta", "gamma"]


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--runtime", "python3.13"], ["layer"]),
        (["--tool", "pylock"], ["layer"]),
        (["--runtime", "python3.12"], ["layer-python3.12-x86_64"]),
        (["--architecture", "arm64"], ["layer-python3.13-arm64"]),
        (
            ["--runtime", "python3.13", "--runtime", "python3.12"],
            ["layer", "layer-python3.12-x86_64"],
        ),
    ],
    ids=" ".join,
)
def test_a_member_that_the_table_lacks_never_replaces_layer_zip(
    project: LayersProject, arguments: Sequence[str], names: Sequence[str]
) -> None:
    project.build()
    before = (project.dist / "layer.zip").stat()
    project.build(*arguments)
    assert project.zips() == sorted({"layer.zip", *(f"{name}.zip" for name in names)})
    after = (project.dist / "layer.zip").stat()
    # The time of access may change: the file was read.
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_of_two_members_the_chosen_one_keeps_its_name(project: LayersProject) -> None:
    project.write('architectures = ["x86_64", "arm64"]\n')
    project.build("--architecture", "arm64")
    assert project.zips() == ["layer-python3.13-arm64.zip"]


def test_tool_decides_between_two_lockfiles(project: LayersProject) -> None:
    (project.root / "uv.lock").write_text("version = 1\n")
    assert "more than one lockfile" in project.build(code=1).stderr
    project.build("--tool", "pylock")
    project.write('tool = "uv"\n', layer("web", 'tool = "pdm"'))
    project.build("--tool", "pylock", "--clean")
    assert project.zips() == [f"layer-{ID}.zip", f"layer-web-{ID}.zip"]


OLD = "old-python3.12-x86_64"
ONE_FAILS = layer("old", 'runtimes = ["python3.12"]') + layer("web", 'groups = ["web"]')


@pytest.mark.fault(16)
def test_a_member_that_fails_names_itself_and_the_others_are_built(project: LayersProject) -> None:
    project.lock(ALPHA, BETA, GAMMA, ONLY_313)
    project.write(ONE_FAILS)
    failed = project.build(code=1)
    others = [ID, f"web-{ID}"]
    assert failed.stdout.splitlines() == [str(project.dist / f"layer-{n}.zip") for n in others]
    assert f"error: {OLD}: These packages have no wheel for python3.12-x86_64" in failed.stderr
    assert failed.stderr.endswith(f"error: 1 of 3 layers failed: {OLD}; 2 built\n")
    assert project.files() == layer_files(*others)


@pytest.mark.fault(16)
def test_a_member_that_fails_names_itself_under_hatchling_too(project: LayersProject) -> None:
    project.lock(ALPHA, BETA, GAMMA, ONLY_313)
    project.write(ONE_FAILS)
    failed = project.hatchling("-t", "lambda-layer")
    assert failed.returncode == 1
    assert f"error: {OLD}: These packages have no wheel for python3.12-x86_64" in failed.stderr
    assert failed.stderr.endswith(f"error: 1 of 3 layers failed: {OLD}; 2 built\n")
    assert "Traceback" not in failed.stderr
    assert project.files() == layer_files(ID, f"web-{ID}")


def test_a_layer_is_a_version_of_the_hatch_target(project: LayersProject) -> None:
    project.write(LAYERS)
    builder = LambdaLayerBuilder(str(project.root))
    artifacts = list(builder.build(directory=str(project.dist), versions=[IDS[1]]))
    assert artifacts == [str(project.dist / f"layer-{IDS[1]}.zip")]
    assert project.files() == layer_files(IDS[1])


def test_a_limit_of_one_layer_is_no_limit_of_the_others(project: LayersProject) -> None:
    project.write(layer("small", "max-size = 10"))
    failed = project.build(code=1)
    assert f"error: small-{ID}: The layer unpacks to" in failed.stderr
    assert project.zips() == [f"layer-{ID}.zip"]


def test_what_is_excluded_is_in_neither_zip_nor_manifest(project: LayersProject) -> None:
    project.write('exclude = ["Alpha"]\n')
    shown = project.build("-v").stderr
    assert project.packages() == ["gamma"]
    message = "`beta` is left out, too: only `alpha` needed it"
    (finding,) = project.findings()
    assert (finding["code"], finding["place"], finding["message"]) == ("HLL033", "beta", message)
    assert shown.count(f"note: {message} (HLL033)\n") == 1
    # Of a layer that is up to date it is told, too.
    again = project.build("-v").stderr
    assert again.count(f"note: {message} (HLL033)\n") == 1
    assert message not in project.build().stderr
    assert "layer.zip is up to date" in again


def test_a_name_that_is_not_there_is_told(project: LayersProject) -> None:
    project.write('exclude = ["gama"]\n')
    message = "`exclude` names 'gama', which is not in the layer (did you mean `gamma`?)"
    assert f"warning: {message} (HLL031)\n" in project.build().stderr
    (finding,) = project.findings()
    assert (finding["code"], finding["place"], finding["message"]) == ("HLL031", "exclude", message)
    assert project.packages() == ["alpha", "beta", "gamma"]


def test_a_layer_may_exclude_what_another_has(project: LayersProject) -> None:
    project.write(layer("slim", 'exclude = ["gamma"]'))
    project.build()
    assert project.packages(f"layer-{ID}") == ["alpha", "beta", "gamma"]
    assert project.packages(f"layer-slim-{ID}") == ["alpha", "beta"]


def state(project: LayersProject) -> list[tuple[int, int, bytes]]:
    paths = sorted(project.dist.iterdir())
    return [(p.stat().st_mtime_ns, p.stat().st_ino, p.read_bytes()) for p in paths]


def test_another_exclusion_builds_again_and_the_same_one_does_not(project: LayersProject) -> None:
    digests = []
    for exclude, packages in (
        ([], ["alpha", "beta", "gamma"]),
        (["gamma"], ["alpha", "beta"]),
        (["alpha"], ["gamma"]),
        (["gamma", "absent"], ["alpha", "beta"]),
        ([], ["alpha", "beta", "gamma"]),
    ):
        project.write(f"exclude = {exclude}\n")
        assert "is up to date" not in project.build().stderr
        assert project.packages() == packages
        digests.append(project.manifest()["input_digest"])
        before = state(project)
        project.write(f"exclude = {exclude[::-1]}\n")
        assert "layer.zip is up to date" in project.build().stderr
        assert state(project) == before
    assert len(set(digests)) == 4
    assert digests[0] == digests[-1]
    # Each wheel was fetched when it was first needed, and never again.
    assert project.fetched() == sorted(each.filename for each in (ALPHA, BETA, GAMMA))


SDK = (
    WheelSpec(name="boto3", requires_dist=["botocore", "s3transfer", "jmespath"]),
    WheelSpec(name="botocore", requires_dist=["urllib3", "jmespath"]),
    WheelSpec(name="s3transfer", requires_dist=["botocore"]),
    WheelSpec(name="jmespath"),
    WheelSpec(name="urllib3"),
)


def with_sdk(project: LayersProject, *tables: str) -> None:
    project.lock(*SDK, GAMMA)
    project.write(*tables)
    project.depend_on("boto3", "gamma")


def test_a_whole_family_goes_with_what_only_it_needs(project: LayersProject) -> None:
    with_sdk(project, 'exclude = ["boto3"]\n')
    project.build()
    assert project.packages() == ["gamma"]


@pytest.mark.parametrize("entrance", ["command", "hatchling"])
def test_a_part_that_others_need_is_refused_and_the_old_layer_stays(
    project: LayersProject, entrance: str
) -> None:
    with_sdk(project)
    project.build()
    before = state(project)
    with_sdk(project, 'exclude = ["botocore"]\n')
    if entrance == "command":
        shown = project.build(code=1).stderr
    else:
        failed = project.hatchling("-t", "lambda-layer")
        assert failed.returncode == 1
        shown = failed.stderr
    assert shown.startswith("error: ")
    assert "`botocore` can't be left out: " in shown
    assert "`boto3`" in shown
    assert 'allow-missing = ["botocore"]' in shown
    assert "Traceback" not in shown
    assert state(project) == before


def test_a_part_that_others_need_goes_where_that_is_allowed(project: LayersProject) -> None:
    with_sdk(project, 'exclude = ["botocore"]\n', 'allow-missing = ["botocore"]\n')
    project.build()
    assert project.packages() == ["boto3", "gamma", "jmespath", "s3transfer"]


@pytest.mark.parametrize("command", ["ours", "hatchling"])
def test_a_pattern_that_matches_nothing_is_warned_of_once_where_it_is_written(
    project: LayersProject, command: str
) -> None:
    # Only the layer `web` has what the last pattern of the table matches.
    project.write(
        'prune = ["inherited/*", "alpha/", "webby/"]\n',
        layer("web", 'groups = ["web"]'),
        layer("own", 'prune = ["own/*"]', 'architectures = ["x86_64", "arm64"]'),
    )
    if command == "ours":
        said = project.build().output
    else:
        done = project.hatchling("-t", "lambda-layer")
        assert done.returncode == 0, done.stderr
        said = done.stdout + done.stderr
    said = " ".join(said.split())
    of_table = "'inherited/*' matches nothing in the layer; it is in `[tool.lambda-layer]`"
    of_layer = "'own/*' matches nothing in the layer; it is in `[tool.lambda-layer.layers.own]`"
    assert (said.count(of_table), said.count(of_layer)) == (1, 1)
    assert said.count("matches nothing") == 2
