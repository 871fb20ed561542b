"""Every example of the page on the API runs, and prints what the page says."""

from __future__ import annotations

import contextlib
import io
import re
from dataclasses import fields, replace
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import hatch_lambda_layer
from hatch_lambda_layer import (
    BuiltLayer,
    Credentials,
    LayerDifference,
    LayerManifestManager,
    LayerPathLayout,
    PublishedVersion,
    build_layers,
    publish_layers,
)
from tests.publishing.shop import HOME
from tests.support.index_server import IndexServer
from tests.support.layer_project import ALPHA, BETA
from tests.support.lock_factory import locked, pylock
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from tests.publishing.shop import Shop

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
# An example, and what it prints.
EXAMPLES = re.findall(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", PAGE, re.DOTALL)
PROJECT = (
    '[project]\nname = "{name}"\nversion = "1"\n[tool.lambda-layer]\nruntimes = ["python3.13"]\n'
)
CORE = WheelSpec(name="acme-core")


def write_project(root: Path, index: IndexServer, *wheels: WheelSpec, tables: str) -> None:
    root.mkdir()
    text = PROJECT.format(name=root.name) + tables
    (root / "pyproject.toml").write_text(text, encoding="utf-8")
    index.add(*wheels)
    packages = [
        replace(locked(each, index.file_url(each.filename)), index=index.simple_url)
        for each in wheels
    ]
    (root / "pylock.toml").write_text(pylock(*packages), encoding="utf-8")


def test_every_example_runs_and_prints_what_the_page_says(
    shop: Shop, index: IndexServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    publish = (
        f'[tool.lambda-layer.publish]\nregions = ["{HOME}"]\ns3-dir = "s3://acme-layers-{HOME}"\n'
    )
    write_project(folder / "orders-api", index, ALPHA, BETA, tables=publish)
    monkeypatch.setattr(shop, "name", "acme-layers")
    shop.make_bucket()
    monkeypatch.chdir(folder)
    for name in ("UV_INDEX_ACME_USERNAME", "UV_INDEX_ACME_PASSWORD"):
        # It is removed again at the end, when an example has set it.
        monkeypatch.setenv(name, "")
    with IndexServer(user="reader", password="secret") as private:
        acme = f'[[tool.lambda-layer.indexes]]\nname = "acme"\nurl = "{private.simple_url}"\n'
        write_project(folder / "private-api", private, CORE, tables=acme)
        monkeypatch.setenv("ACME_URL", private.simple_url)
        monkeypatch.setenv("ACME_PASSWORD", "secret")
        for source, expected in EXAMPLES:
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                exec(compile(source, "docs/api.md", "exec"), {})  # noqa: S102  # it is the page's
            assert printed.getvalue() == expected, source


def test_every_example_says_what_it_prints() -> None:
    assert len(EXAMPLES) == PAGE.count("```python") >= 8
    assert [source for source, printed in EXAMPLES if not printed] == []


def test_every_name_is_on_the_page() -> None:
    assert [name for name in hatch_lambda_layer.__all__ if f"`{name}" not in PAGE] == []


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (BuiltLayer, [field.name for field in fields(BuiltLayer)]),
        (PublishedVersion, [field.name for field in fields(PublishedVersion)]),
        *(
            (kind, [name for name in vars(kind) if not name.startswith("_")])
            for kind in (LayerDifference, Credentials)
        ),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_every_field_is_in_the_table_of_its_class(kind: type, names: list[str]) -> None:
    table = re.search(rf"\| (?:field|property) of `{kind.__name__}`.*?\n\n", PAGE, re.DOTALL)
    assert table
    described = set(re.findall(r"`(\w+)(?:\(\w+\))?`", re.sub(r"\|[^|]*\|\n", "|\n", table[0])))
    given = {"index_name", "index_url", "username", "password", "source"}
    assert set(names) - given - described == set()


@pytest.mark.parametrize("function", [build_layers, publish_layers, LayerManifestManager])
def test_every_argument_is_on_the_page(function: type) -> None:
    section = PAGE.partition(f"## `{function.__name__}`")[2].partition("\n## ")[0]
    arguments = re.findall(r"`(\w+)=", section)
    assert [name for name in signature(function).parameters if name not in arguments] == []


def test_every_path_of_a_lockfile_is_on_the_page() -> None:
    names = [name for name in vars(LayerPathLayout) if re.fullmatch(r"path_\w+_(txt|lock)", name)]
    assert len(names) == 4
    assert [name for name in names if f"`{name}`" not in PAGE] == []
