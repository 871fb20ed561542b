"""`only-groups` has the groups in a layer and not what the project itself requires."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from hatch_lambda_layer.cli.main import main
from hatch_lambda_layer.exceptions import LockfileError
from hatch_lambda_layer.layer.manifest import LayerManifest
from hatch_lambda_layer.layout import LayerPathLayout
from hatch_lambda_layer.lockfiles import LockRequest, find_lockfile
from hatch_lambda_layer.targets.target import Architecture, Target, runtimes
from hatch_lambda_layer.wheels.selection import select
from tests.support import same_set
from tests.support.index_server import IndexServer
from tests.support.lock_factory import UvProject, uv_environment
from tests.support.tools import ToolProject, isolate, tool_project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TARGET = Target(runtimes()["python3.13"], Architecture.X86_64)
GROUPS = {
    ("docs",): ["sphinxy"],
    # It includes `docs`, and `shim` is of the project only on old Pythons.
    ("dev",): ["shim", "sphinxy", "tester"],
    ("docs", "Dev"): ["shim", "sphinxy", "tester"],
}
# Before poetry 2 and before PEP 735, groups were in tables of the tools.
OLD = {
    "old poetry": (
        '[tool.poetry]\nname = "app"\nversion = "1.0"\ndescription = ""\nauthors = []\n'
        'package-mode = false\n[tool.poetry.dependencies]\npython = "^3.11"\nalpha = "*"\n'
        '[tool.poetry.group.docs.dependencies]\nsphinxy = "*"\n'
        '[tool.poetry.group.dev]\ninclude-groups = ["docs"]\n'
        '[tool.poetry.group.dev.dependencies]\ntester = "*"\n'
        '[[tool.poetry.source]]\nname = "loop"\nurl = "{url}"\npriority = "primary"\n'
    ),
    "old pdm": (
        '[project]\nname = "app"\nversion = "1.0"\nrequires-python = ">=3.11,<3.15"\n'
        'dependencies = ["alpha"]\n[tool.pdm]\ndistribution = false\n'
        '[tool.pdm.dev-dependencies]\ndocs = ["sphinxy"]\ndev = ["tester", "sphinxy"]\n'
        '[[tool.pdm.source]]\nname = "pypi"\nurl = "{url}"\nverify_ssl = false\n'
    ),
}
KINDS = ("uv", "poetry", "old poetry", "pdm", "old pdm", "pdm without inherit_metadata", "pylock")


@pytest.fixture(scope="module")
def index() -> Iterator[IndexServer]:
    with IndexServer() as server:
        same_set.serve(server)
        yield server


@pytest.fixture(scope="module")
def locked(index: IndexServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A project of each kind, locked by its tool."""
    root = tmp_path_factory.mktemp("locked")
    uv = UvProject(root / "uv", uv_environment(root / "uv"))
    uv.directory.mkdir()
    uv.pyproject.write_text(same_set.pyproject("uv", index.simple_url), encoding="utf-8")
    uv.lock()
    for kind in KINDS[1:-1]:
        tool = "poetry" if "poetry" in kind else "pdm"
        text = OLD.get(kind, "").replace("{url}", index.simple_url)
        text = text or same_set.pyproject(tool, index.simple_url)
        project = tool_project(tool, root / kind, text, root / "state", lock=False)
        is_without = kind.endswith("inherit_metadata")
        project.lock(*(["--strategy", "no_inherit_metadata"] if is_without else []))
    pdm = ToolProject(root / "pdm", project.program, project.environment)
    (root / "pylock").mkdir()
    exported = pdm.run("export", "--format", "pylock")
    assert 'default-groups = ["default"]' in exported
    (root / "pylock/pylock.toml").write_text(exported, encoding="utf-8")
    return {kind: root / kind for kind in KINDS}


@pytest.fixture(autouse=True)
def isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    isolate(monkeypatch, tmp_path / "state")


def names(folder: Path, groups: tuple[str, ...], *, main: bool = False) -> list[str]:
    layout = LayerPathLayout(folder / "pyproject.toml", folder / "dist")
    request = LockRequest(layout=layout, groups=groups, main=main)
    lockfile, path, request = find_lockfile(None, request)
    lock = lockfile.read(path, request, TARGET)
    return sorted(each.name for each in select(lock, TARGET).all)


@pytest.mark.parametrize("groups", GROUPS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_of_groups_has_nothing_that_only_the_project_requires(
    locked: dict[str, Path], kind: str, groups: tuple[str, ...]
) -> None:
    assert names(locked[kind], groups) == GROUPS[groups]
    assert names(locked[kind], groups, main=True) == sorted(
        {*names(locked[kind], (), main=True), *GROUPS[groups]}
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_group_that_is_not_there_is_named_with_those_that_are(
    locked: dict[str, Path], kind: str
) -> None:
    with pytest.raises(LockfileError, match=r"no group `nope`; it has: .*`docs`"):
        names(locked[kind], ("nope",))


@pytest.mark.parametrize("kind", KINDS[:-1])
def test_a_lock_that_is_kept_is_not_that_of_the_project_with_the_groups(
    locked: dict[str, Path], kind: str
) -> None:
    layout = LayerPathLayout(locked[kind] / "pyproject.toml", locked[kind] / "dist")
    requests = [LockRequest(layout=layout, groups=("docs",), main=main) for main in (True, False)]
    lockfile, path, _ = find_lockfile(None, requests[0])
    keys = {lockfile.key(path, each, TARGET) for each in requests}
    assert len(keys) == 2
    assert None not in keys


def test_requirements_have_no_groups_to_leave_the_project_out(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("alpha==1.0\n", encoding="utf-8")
    with pytest.raises(LockfileError, match="has no groups and no extras") as caught:
        names(tmp_path, ("docs",))
    assert "`only-groups`" in (caught.value.hint or "")


def test_a_layer_of_groups_beside_the_layer_of_the_project(
    index: IndexServer, tmp_path: Path
) -> None:
    project = UvProject(tmp_path / "app", uv_environment(tmp_path / "app"))
    project.directory.mkdir()
    table = (
        '[tool.lambda-layer]\nruntimes = ["python3.13"]\nextras = ["cli"]\nexclude = ["tester"]\n'
        'allow-missing = ["tester"]\n[tool.lambda-layer.layers.dev]\nonly-groups = ["dev"]\n'
    )
    text = f"{same_set.pyproject('uv', index.simple_url)}\n{table}"
    project.pyproject.write_text(text, encoding="utf-8")
    project.lock()
    done = CliRunner().invoke(main, ["build", str(project.directory)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    layers = {
        path.name: [each.name for each in LayerManifest.read(path).packages]
        for path in project.directory.glob("dist/*.json")
    }
    assert layers == {
        "layer-python3.13-x86_64.json": [
            "alpha", "clicky", "colors", "native", "optioned", "speedy"
        ],
        "layer-dev-python3.13-x86_64.json": ["sphinxy"],
    }  # fmt: skip
