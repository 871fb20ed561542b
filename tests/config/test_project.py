"""What a project asks for itself is read from whatever table it is written in."""

from __future__ import annotations

import tomllib

import pytest

from hatch_lambda_layer.config.project import direct_requirements


def asked(text: str, groups: tuple[str, ...] = (), extras: tuple[str, ...] = ()) -> list[str]:
    return [str(each) for each in direct_requirements(tomllib.loads(text), groups, extras)]


PROJECT = """
[project]
name = "My_App"
dependencies = ["requests[socks]>=2", "tomli; python_version < '3.11'"]

[project.optional-dependencies]
fast = ["orjson"]
web = ["flask"]
All-In_One = ["my.app[fast,WEB]", "extra-thing"]

[dependency-groups]
dev = ["pytest", {include-group = "Typing_Tools"}]
typing-tools = ["mypy", {include-group = "dev"}]
with-extra = ["my-app[fast]"]
"""


def test_the_projects_own_dependencies_keep_their_extras_and_markers() -> None:
    assert asked(PROJECT) == ["requests[socks]>=2", 'tomli; python_version < "3.11"']


def test_groups_and_extras_count_only_where_they_are_asked_for() -> None:
    assert asked(PROJECT, extras=("fast",))[2:] == ["orjson"]
    assert asked(PROJECT, groups=("typing-tools",), extras=("web",))[2:] == [
        "flask",
        "mypy",
        "pytest",
    ]


@pytest.mark.parametrize("name", ["all-in-one", "All-In_One", "ALL.in.one"])
def test_an_extra_that_collects_others_stands_for_them(name: str) -> None:
    assert asked(PROJECT, extras=(name,))[2:] == ["orjson", "flask", "extra-thing"]


def test_a_group_may_ask_for_an_extra_of_the_project() -> None:
    assert asked(PROJECT, groups=("with-extra",))[2:] == ["orjson"]


def test_what_is_asked_for_twice_or_in_a_circle_is_given_once() -> None:
    text = '[project]\nname = "a"\n[project.optional-dependencies]\nx = ["a[y]", "one"]\n'
    text += 'y = ["a[x]", "two"]'
    assert asked(text, extras=("x", "X", "y")) == ["two", "one"]
    assert asked(PROJECT, groups=("dev", "DEV"))[2:] == ["pytest", "mypy"]


@pytest.mark.parametrize("name", ["dev", "Dev"])
def test_a_group_that_includes_another_has_what_both_have(name: str) -> None:
    assert asked(PROJECT, groups=(name,))[2:] == ["pytest", "mypy"]


POETRY = """
[tool.poetry]
name = "app"

[tool.poetry.dependencies]
python = "^3.11"
requests = "^2"
Celery = { version = "^5", extras = ["redis", "sqs"] }
tomli = { version = "*", markers = "python_version < '3.11'" }
mylib = { path = "../mylib", develop = true }
numpy = [
  { version = "<2", markers = "python_version < '3.12'" },
  { version = ">=2", markers = "python_version >= '3.12'" },
]
orjson = { version = "*", optional = true }
uvloop = { version = "*", optional = true }

[tool.poetry.extras]
fast = ["ORJson"]

[tool.poetry.group.etl.dependencies]
pandas = { version = "*", extras = ["excel"] }

[tool.poetry.group.More_Etl]
include-groups = ["etl"]

[tool.poetry.group.More_Etl.dependencies]
polars = "*"

[tool.poetry.dev-dependencies]
pytest = "*"
"""
POETRY_MAIN = [
    "requests",
    "Celery[redis,sqs]",
    'tomli; python_version < "3.11"',
    "mylib",
    'numpy; python_version < "3.12"',
    'numpy; python_version >= "3.12"',
]


def test_poetrys_own_table_is_read_where_there_is_no_other() -> None:
    assert asked(POETRY) == POETRY_MAIN
    assert asked(POETRY, extras=("fast",)) == [*POETRY_MAIN, "orjson"]
    assert asked(POETRY, extras=("unknown",), groups=("unknown",)) == POETRY_MAIN


def test_poetrys_groups_are_read_with_those_they_include() -> None:
    assert asked(POETRY, groups=("more-etl",)) == [*POETRY_MAIN, "polars", "pandas[excel]"]
    assert asked(POETRY, groups=("dev",)) == [*POETRY_MAIN, "pytest"]


def test_a_standard_group_may_include_one_of_an_older_table() -> None:
    table = '[dependency-groups]\nall = [{include-group = "ETL"}, {include-group = "old"}]\n'
    text = table + '[tool.pdm.dev-dependencies]\nold = ["nose"]\n' + POETRY
    assert asked(text, groups=("all",)) == [*POETRY_MAIN, "pandas[excel]", "nose"]


def test_beside_the_standard_table_poetrys_only_says_where_packages_come_from() -> None:
    table = '[project]\nname = "app"\ndependencies = ["requests"]\n'
    assert asked(table + POETRY) == ["requests"]
    dynamic = '[project]\nname = "app"\ndynamic = ["dependencies"]\n'
    assert asked(dynamic + POETRY) == POETRY_MAIN


def test_the_older_groups_of_pdm_and_uv_are_read() -> None:
    text = '[tool.pdm.dev-dependencies]\netl = ["pandas"]\n[tool.uv]\ndev-dependencies = ["pytest"]'
    assert asked(text) == []
    assert asked(text, groups=("etl", "dev")) == ["pandas", "pytest"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "project = 1",
        "tool = []",
        "[project]\nname = 3\ndependencies = 'requests'",
        "[project]\ndependencies = [1, 'not a requirement!', {}]\noptional-dependencies = ['x']",
        "[project]\noptional-dependencies = { x = 'flask' }",
        "dependency-groups = 'x'",
        "[dependency-groups]\nx = { include-group = 'y' }",
        "[dependency-groups]\nx = [{ include-group = 'unknown' }, { other = 1 }, [], 1]",
        "[tool]\npoetry = 'x'\npdm = 1\nuv = []",
        "[tool.poetry]\ndependencies = ['x']\ngroup = 'x'\nextras = 1\ndev-dependencies = 2",
        "[tool.poetry]\ngroup.x = 1\nextras.x = 'y'",
        "[tool.poetry.group.x]\ndependencies = 1\ninclude-groups = 'x'",
        "[tool.poetry.dependencies]\n'not a name!' = '*'",
        "[tool.pdm]\ndev-dependencies = 1",
        "[tool.uv]\ndev-dependencies = { x = 1 }",
    ],
)
def test_what_is_malformed_is_left_to_the_tool_to_report(text: str) -> None:
    assert asked(text, groups=("x", "dev"), extras=("x",)) == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("'*'", "demo"),
        ("3", "demo"),
        ("{ extras = 'all', markers = 1 }", "demo"),
        ("[[], { extras = ['all'] }]", "demo"),
    ],
)
def test_a_dependency_whose_facts_are_malformed_is_one_nevertheless(
    value: str, expected: str
) -> None:
    assert asked(f"[tool.poetry.dependencies]\ndemo = {value}")[0] == expected


def test_a_marker_that_can_not_be_read_does_not_hide_the_dependency() -> None:
    assert asked("[tool.poetry.dependencies]\ndemo = { markers = 'if it rains' }") == ["demo"]
