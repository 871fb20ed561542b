"""The JSON schema takes what the program takes, and refuses what a schema can see to be wrong."""

from __future__ import annotations

import json
import re
import tomllib
from importlib.metadata import entry_points
from typing import Any

import pytest
from validate_pyproject.api import Validator
from validate_pyproject.errors import ValidationError

from hatch_lambda_layer.config.matrix import Matrix
from hatch_lambda_layer.config.publish import PublishConfig
from hatch_lambda_layer.config.schema import PATH, tool_schema
from hatch_lambda_layer.exceptions import ConfigError
from tests.build.test_layers import VALUES
from tests.build.test_layers import WRONG as WRONG_KEYS
from tests.config.test_layer import WRONG as WRONG_LINES
from tests.docs.generated import ROOT, pages

RUNTIME = 'runtimes = ["python3.13"]\n'
VALIDATE = Validator()
# Every example of a table of ours, with the page that has it.
EXAMPLES = [
    pytest.param(example, id=f"{page.relative_to(ROOT)} {number}")
    for page in pages()
    for number, example in enumerate(
        re.findall(
            r"^```toml\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
        )
    )
]
# Too large or too small for Lambda, but written as a size is.
UNSEEN = ("max-size = '251 MiB'", "max-size = '0.1 b'", f"max-size = '{'9' * 400} GiB'")


def validate(table: str) -> dict[str, Any]:
    """Give the table that the schema accepts."""
    accepted: dict[str, Any] = VALIDATE(tomllib.loads(f"[tool.lambda-layer]\n{table}"))
    layer: dict[str, Any] = accepted["tool"]["lambda-layer"]
    return layer


def refuses(table: str) -> str:
    with pytest.raises(ValidationError) as caught:
        validate(table)
    return str(caught.value)


def test_validate_pyproject_finds_the_schema_by_its_entry_point() -> None:
    (found,) = (
        each
        for each in entry_points(group="validate_pyproject.tool_schema")
        if each.name == "lambda-layer"
    )
    assert found.load() is tool_schema
    identifier = tool_schema("lambda-layer")["$id"]
    assert identifier in VALIDATE.registry


def test_the_file_is_as_schemastore_takes_it() -> None:
    schema = json.loads(PATH.read_text(encoding="utf-8"))
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert (schema["type"], schema["additionalProperties"]) == ("object", False)
    # No part stands elsewhere, so the table needs nothing around it.
    assert "$ref" not in PATH.read_text(encoding="utf-8")

    def undescribed(table: dict[str, dict[str, object]]) -> list[str]:
        return [key for key, value in table.items() if not value.get("description")]

    assert undescribed(schema["properties"]) == []
    assert undescribed(schema["properties"]["publish"]["properties"]) == []


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_of_the_documentation_is_accepted(example: str) -> None:
    pyproject = tomllib.loads(example)
    VALIDATE(pyproject)
    table = pyproject.get("tool", {}).get("lambda-layer")
    if table is None:
        return
    # An example may leave out what is not its subject, but nothing in it is wrong.
    pyproject.setdefault("project", {"name": "orders-api", "version": "1"})
    table.setdefault("runtimes", ["python3.13"])
    Matrix.from_pyproject(pyproject)
    PublishConfig.from_pyproject(pyproject)


@pytest.mark.parametrize("key", VALUES)
def test_what_the_program_takes_is_accepted(key: str) -> None:
    for value in VALUES[key]:
        line = f"{key} = {value}\n"
        assert key in validate(line if key == "runtimes" else RUNTIME + line)
        assert key in validate(f"{RUNTIME}[tool.lambda-layer.layers.web]\n{line}")["layers"]["web"]


@pytest.mark.parametrize("key", WRONG_KEYS)
def test_what_the_program_refuses_is_refused_in_every_table(key: str) -> None:
    line = f"{key} = {WRONG_KEYS[key]}\n"
    assert "`tool.lambda-layer" in refuses(line if key == "runtimes" else RUNTIME + line)
    assert "`tool.lambda-layer.layers.web" in refuses(
        f"{RUNTIME}[tool.lambda-layer.layers.web]\n{line}"
    )


@pytest.mark.parametrize("line", [line for line, *_ in WRONG_LINES], ids=lambda line: line[:40])
def test_a_value_that_the_program_refuses_is_refused(line: str) -> None:
    if line in UNSEEN:
        validate(RUNTIME + line)
    else:
        refuses(RUNTIME + line)


UNKNOWN = {
    "": "bytecode = true",
    "layers.web": "indexes = []",
    "layers.odd": "layers = {}",
    "container": "engin = 'podman'",
    "publish": "bucket = 'layers'",
    "publish.permissions": "account = '111122223333'",
    "publish.accounts.staging": "layer-name = 'orders'",
    "layers.web.publish": "s3-uri = 's3://layers'",
}


@pytest.mark.parametrize("table", UNKNOWN)
def test_an_unknown_key_is_refused_where_the_program_refuses_it(table: str) -> None:
    text = f"{RUNTIME}[tool.lambda-layer.{table}]\n{UNKNOWN[table]}\n" if table else UNKNOWN[""]
    key = UNKNOWN[table].partition(" ")[0]
    assert key in refuses(text)
    pyproject = tomllib.loads(f"[project]\nname = 'a'\n[tool.lambda-layer]\n{text}")
    problems: list[str] = []
    for read in (Matrix.from_pyproject, PublishConfig.from_pyproject):
        try:
            read(pyproject)
        except ConfigError as error:
            problems += error.problems
    assert [problem for problem in problems if key in problem]


@pytest.mark.parametrize(
    "table",
    [
        'name = "acme"\nurl = "https://reader:secret@host.test/simple/"',
        'name = "acme"\nurl = "https://host.test/simple/"\npassword = "secret"',
        'url = "https://host.test/simple/"',
        'name = "acme"\ncodeartifact = { domain = "acme" }',
        'name = "acme"\nurl = "host.test/simple"',
    ],
)
def test_an_index_that_the_program_refuses_is_refused(table: str) -> None:
    text = f"{RUNTIME}[[tool.lambda-layer.indexes]]\n{table}"
    refuses(text)
    with pytest.raises(ConfigError):
        Matrix.from_pyproject(tomllib.loads(f"[tool.lambda-layer]\n{text}"))


WITHIN = {
    "container": [
        "engine = 'dokcer'",
        "image = '--privileged'",
        "network = '-x'",
        "before-build = 'dnf'",
        "env = { 'A-B' = '1' }",
        "env = { C = 1 }",
        "repair = 'yes'",
        "timeout = 0",
    ],
    "publish": [
        "layer-name = 'my layer'",
        "s3-dir = 'bucket/prefix'",
        "s3-dir = { eu-west-1 = 7 }",
        "s3-dir = { europe = 's3://bucket' }",
        "regions = ['europe']",
        "regions = 'eu-west-1'",
        "license = ''",
        "permissions = 7",
        "permissions = { accounts = ['123'] }",
        "permissions = { organization = 'acme' }",
        "retain = 0",
        "ssm-parameter = 'a b'",
        "role-arn = 'layers'",
        "bucket-owner = '123'",
        "tags = { stage = 1 }",
        "accounts = { prod = 7 }",
        "accounts = { prod = { role-arn = 'x' } }",
    ],
}


@pytest.mark.parametrize(
    ("table", "line"), [(table, line) for table, lines in WITHIN.items() for line in lines]
)
def test_what_is_wrong_in_an_inner_table_is_refused_by_both(table: str, line: str) -> None:
    text = f"[project]\nname = 'a'\n[tool.lambda-layer]\n{RUNTIME}"
    pyproject = tomllib.loads(f"{text}[tool.lambda-layer.{table}]\n{line}\n")
    with pytest.raises(ValidationError, match=rf"tool\.lambda-layer\.{table}"):
        VALIDATE({"tool": pyproject["tool"]})
    read = Matrix.from_pyproject if table == "container" else PublishConfig.from_pyproject
    with pytest.raises(ConfigError):
        read(pyproject)
