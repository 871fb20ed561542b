"""Keys of a layer in the tables of Hatch, where its users look first, are not ignored."""

from __future__ import annotations

import inspect
import re
import tomllib
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from hatchling.builders import config as hatchling_config

from hatch_lambda_layer.cli.main import main
from hatch_lambda_layer.config.hatch import HOOK_KEYS, TARGET_KEYS
from hatch_lambda_layer.config.matrix import Matrix
from hatch_lambda_layer.exceptions import ConfigError
from hatch_lambda_layer.hatch.builder import LambdaLayerBuilder
from tests.support.projects import HatchlingProject

if TYPE_CHECKING:
    from pathlib import Path

TARGET = "tool.hatch.build.targets.lambda-layer"
LAYER = '[tool.lambda-layer]\nruntimes = ["python3.13"]\n'


def problems(text: str) -> str:
    with pytest.raises(ConfigError) as raised:
        Matrix.from_pyproject(tomllib.loads(text))
    return str(raised.value)


@pytest.mark.parametrize(
    "table",
    [
        TARGET,
        "tool.hatch.build.targets.wheel.hooks.lambda-layer",
        "tool.hatch.build.hooks.lambda-layer",
    ],
)
def test_a_key_of_a_layer_in_a_table_of_hatch_is_an_error_that_says_where_it_belongs(
    table: str,
) -> None:
    said = problems(f'{LAYER}[{table}]\nprune = ["tests"]\nbogus = 1\n')
    assert f"Field `{table}.prune` is not read there: move it to `[tool.lambda-layer]`" in said
    assert f"Field `{table}.bogus` is unknown" in said


def test_where_all_keys_are_in_the_table_of_the_target_both_tables_are_named() -> None:
    said = problems(f'[{TARGET}]\nruntimes = ["python3.13"]\n')
    assert f"Field `{TARGET}.runtimes` is not read there" in said
    assert "Table `tool.lambda-layer` is missing" in said


def test_keys_that_hatch_has_stay_hatchs() -> None:
    keys = f'[{TARGET}]\ndirectory = "out"\nexclude = ["/docs"]\nversions = []\ndependencies = []\n'
    hook = f"[{TARGET}.hooks.other]\nwhatever = 1\n"
    (layer,) = Matrix.from_pyproject(tomllib.loads(LAYER + keys + hook)).layers
    assert layer.exclude == ()


def test_the_keys_of_hatch_are_those_that_hatchling_reads() -> None:
    source = inspect.getsource(hatchling_config)
    target = r"(?:build|target|include|exclude|artifact|features|dev_mode_dirs|sources|package"
    target += r"|force_include|only_include)_config\.get\(\s*[\"']([a-z-]+)"
    assert set(re.findall(target, source)) == TARGET_KEYS
    assert set(re.findall(r"\bconfig\.get\(\s*[\"']([a-z-]+)", source)) == HOOK_KEYS


def test_the_keys_in_hatch_toml_are_looked_at_too(tmp_path: Path) -> None:
    project = HatchlingProject(tmp_path / "project")
    project.write(LAYER)
    (project.root / "hatch.toml").write_text("[build.targets.lambda-layer]\nstrip = true\n")
    result = CliRunner().invoke(main, ["build", str(project.root)])
    assert result.exit_code == 1
    assert f"Field `{TARGET}.strip` is unknown" in result.stderr
    with pytest.raises(SystemExit):
        list(LambdaLayerBuilder(str(project.root)).build())
