"""The pages of the reference that a table of the code stands behind."""

from __future__ import annotations

import ast
import importlib
import re
import signal
from functools import cache
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from hatch_lambda_layer.cli.main import main
from hatch_lambda_layer.exceptions import Interrupted, LambdaLayerError
from tests.docs.generated import DOCS
from tests.test_architecture import PACKAGE, modules

if TYPE_CHECKING:
    from pathlib import Path

ENVIRONMENT = (DOCS / "environment.md").read_text(encoding="utf-8")
# Set for programs that are called, or read by a script in a container.
_PROGRAMS = {"PATH"}


@cache
def nodes() -> list[ast.AST]:
    """Give every node of the code."""
    return [node for text in modules().values() for node in ast.walk(ast.parse(text))]


@cache
def strings() -> frozenset[str]:
    """Give every text in the code, also the constant parts of those that are put together."""
    constants = (node.value for node in nodes() if isinstance(node, ast.Constant))
    return frozenset(value for value in constants if isinstance(value, str))


def read_variables() -> set[str]:
    """Give the environment variables that the code reads by a name of its own."""
    found = {text for text in strings() if re.fullmatch(r"HATCH_LAMBDA_LAYER(_[A-Z]+)*", text)}
    for node in nodes():
        place, names = "", list[ast.expr]()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            place, names = ast.unparse(node.func), node.args[:1]
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            place, names = ast.unparse(node.value), [node.slice]
        if re.fullmatch(r"(os\.environ|environment)(\.get)?", place):
            constants = (str(each.value) for each in names if isinstance(each, ast.Constant))
            found |= {name for name in constants if re.fullmatch("[A-Z_]+", name)}
    return found - _PROGRAMS


def variables_of_the_page() -> set[str]:
    cells = re.findall(r"^\| (`[^|]+) \|", ENVIRONMENT, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def test_every_variable_that_is_read_is_on_the_page() -> None:
    assert len(read_variables()) > 15
    missing = read_variables() - variables_of_the_page() - {"HOME", "XDG_CACHE_HOME"}
    assert missing == set(), "docs/environment.md lacks them"


def test_every_variable_of_the_page_is_in_the_code() -> None:
    # What boto3, requests and pip's settings read under names of theirs.
    others = {"AWS_PROFILE", "AWS_REGION", "AWS_ACCESS_KEY_ID", "PIP_…", "NO_PROXY"}
    known = {*strings(), *(text.upper() for text in strings() if text.endswith("_proxy"))}
    for name in variables_of_the_page() - others:
        start, _, _ = name.partition("<")
        # Some are put together of a name and what follows it.
        ends = (text for text in known if text.startswith("_") and name.endswith(text))
        assert (
            name in known
            or any(name.removesuffix(end) in known for end in ends)
            or (start != name and any(start.rstrip("_") in text for text in known))
        ), name


def codes_of_the_page() -> set[int]:
    page = (DOCS / "exit-codes.md").read_text(encoding="utf-8")
    return {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}


def test_every_exit_code_is_on_the_page() -> None:
    found = {0, LambdaLayerError.exit_code, click.UsageError.exit_code}
    found |= {Interrupted(128 + each).exit_code for each in (signal.SIGINT, signal.SIGTERM)}
    for name, text in modules().items():
        if not name.startswith("cli."):
            continue
        module = importlib.import_module(f"hatch_lambda_layer.{name}")
        for call in re.findall(r"sys\.exit\((\w+)\)", text):
            if call != "code":
                found.add(int(call) if call.isdigit() else getattr(module, call))
    # The system's own.
    assert codes_of_the_page() == {*found, 128 + 9}


@pytest.mark.parametrize(
    ("arguments", "code"), [(["--version"], 0), (["build", "no-folder"], 1), (["build", "-X"], 2)]
)
def test_an_exit_code_is_what_the_page_says(arguments: list[str], code: int) -> None:
    assert CliRunner().invoke(main, arguments).exit_code == code


def test_the_cache_is_where_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hatch_lambda_layer._internal.store import default_cache_dir

    page = (DOCS / "cache.md").read_text(encoding="utf-8")
    monkeypatch.delenv("HATCH_LAMBDA_LAYER_CACHE_DIR", raising=False)
    assert f"{default_cache_dir().name}" in page
    monkeypatch.setenv("HATCH_LAMBDA_LAYER_CACHE_DIR", str(tmp_path))
    assert default_cache_dir() == tmp_path
    assert "`HATCH_LAMBDA_LAYER_CACHE_DIR`" in page


def test_the_package_has_the_schema_that_the_page_names() -> None:
    page = (DOCS / "editors.md").read_text(encoding="utf-8")
    (path,) = re.findall(r"`(hatch_lambda_layer/\S+\.json)`", page)
    assert (PACKAGE.parent / path).is_file()


def messages_of_the_page() -> list[str]:
    page = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+?) \| .+ \| .+ \|$", page, re.MULTILINE)
    return [row for row in rows if row != "message"]


@pytest.mark.parametrize("message", messages_of_the_page())
def test_a_message_that_is_explained_is_one_that_is_shown(message: str) -> None:
    # A message whose first words are put in begins after them.
    assert any(message in text for text in strings())
