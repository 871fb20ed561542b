"""Each option is described once, with the code, and its page says what the code does."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer.config import custom_runtimes, indexes, matrix, publish
from hatch_lambda_layer.config.container import ContainerConfig
from hatch_lambda_layer.config.layer import LayerConfig
from hatch_lambda_layer.config.matrix import Matrix
from hatch_lambda_layer.layer.pruning import PRESETS
from tests.docs.generated import DOCS, PARTS, ROOT, TABLES, WRITE, outdated, pages

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hatch_lambda_layer.config.options.forms import Option

PAGE = (DOCS / "options.md").read_text(encoding="utf-8")
RUNTIME = 'runtimes = ["python3.13"]'


def keys_of(kind: type) -> set[str]:
    """Give the keys that the fields of a configuration class stand for."""
    return {field.name.replace("_", "-") for field in dataclasses.fields(kind)}


# The keys that the program reads in each table.
READ = {
    "layer": keys_of(LayerConfig) - {"name"} | {"publish"},
    "project": {*matrix._OF_THE_PROJECT},
    "custom-runtime": {*custom_runtimes.KEYS},
    "container": keys_of(ContainerConfig),
    "index": {*indexes._KEYS},
    "codeartifact": {*indexes.CODEARTIFACT},
    "publish": {*publish.KEYS},
    "permissions": keys_of(publish.Permissions),
}


@pytest.mark.parametrize("table", READ)
def test_every_key_that_is_read_is_described_and_no_other(table: str) -> None:
    described = [option.key for option in TABLES[table]]
    module = {"project": "layer", "index": "indexes", "codeartifact": "indexes"}
    module |= {"permissions": "publish", "custom-runtime": "custom_runtimes"}
    place = f"hatch_lambda_layer/config/options/{module.get(table, table)}.py"
    missing = sorted(READ[table] - {*described})
    assert missing == [], f"describe them by an Option in {place}, then run `{WRITE}`"
    assert sorted({*described} - READ[table]) == [], f"{place} describes what is not read"
    assert len(described) == len({*described})


def test_every_table_is_on_the_page() -> None:
    assert {*TABLES} == {*READ}
    names = re.findall(r"<!-- begin ([a-z-]+) -->", PAGE)
    assert sorted(names) == sorted(f"options-{table}" for table in TABLES)


def test_what_is_made_from_the_code_is_up_to_date() -> None:
    old = [str(path.relative_to(ROOT)) for path, _ in outdated()]
    assert old == [], f"run `{WRITE}`"


def test_every_part_has_a_place_and_every_place_a_part() -> None:
    texts = [path.read_text(encoding="utf-8") for path in pages()]
    for mark in ("begin", "end"):
        names = [name for text in texts for name in re.findall(rf"<!-- {mark} ([a-z-]+) -->", text)]
        assert sorted(names) == sorted(PARTS)


def test_every_option_has_a_test_named_after_it() -> None:
    tests = (ROOT / "tests" / "build" / "test_options.py").read_text(encoding="utf-8")
    options = [*TABLES["layer"], *TABLES["project"]]
    # What these two do has tests of its own.
    keys = [option.key for option in options if option.key not in {"publish", "layers"}]
    names = [f"\ndef test_option_{key.replace('-', '_')}_" for key in keys]
    assert [name for name in names if name not in tests] == []


def written_defaults(options: Iterable[Option]) -> list[tuple[str, str]]:
    """Give the options whose default is shown as TOML, with it."""
    found = ((option.key, re.fullmatch(r"`([^`]+)`", option.default)) for option in options)
    return [(key, match[1]) for key, match in found if match]


@pytest.mark.parametrize(("key", "default"), written_defaults(TABLES["layer"]))
def test_the_default_that_is_shown_is_the_one_that_counts(key: str, default: str) -> None:
    if key == "requirements":
        # Without it, the file is one of those that are looked for.
        return
    plain = Matrix.from_pyproject(tomllib.loads(f"[tool.lambda-layer]\n{RUNTIME}"))
    said = f"[tool.lambda-layer]\n{RUNTIME}\n{key} = {default}"
    assert Matrix.from_pyproject(tomllib.loads(said)).layers == plain.layers


@pytest.mark.parametrize(("key", "default"), written_defaults(TABLES["container"]))
def test_the_default_of_the_container_that_is_shown_is_the_one_that_counts(
    key: str, default: str
) -> None:
    value = tomllib.loads(f"value = {default}")["value"]
    plain = Matrix.from_pyproject(tomllib.loads(f"[tool.lambda-layer]\n{RUNTIME}"))
    said = {"runtimes": ["python3.13"], "container": {key: value}}
    assert Matrix.from_pyproject({"tool": {"lambda-layer": said}}).layers == plain.layers


@pytest.mark.parametrize("table", TABLES)
def test_a_description_is_a_phrase_without_links(table: str) -> None:
    for option in TABLES[table]:
        assert option.description, option.key
        assert not option.description.endswith("."), option.key
        assert "](" not in option.description + option.default, option.key


def test_the_presets_table_has_one_line_for_each_preset() -> None:
    table = PAGE[PAGE.index("| preset |") :].split("\n\n")[0]
    assert sorted(re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)) == sorted(PRESETS)
