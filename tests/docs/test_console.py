"""Each page is followed as a new user would, command by command."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.docs.console import Addition, Command, follow, pattern_of, steps
from tests.docs.generated import DOCS, ROOT, pages
from tests.support.index_server import IndexServer
from tests.support.system_parts import require
from tests.support.tools import isolate, tool_path
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="commands of a POSIX shell")

_NATIVE = ("manylinux2014_aarch64", "manylinux2014_x86_64")
REQUESTS = ["charset-normalizer>=2,<4", "idna>=2.5,<4", "urllib3>=1.26,<3", "certifi>=2023.5.7"]


def sized(name: str, version: str, size: int, **fields: Any) -> WheelSpec:
    """Give a wheel with one file of `size` bytes."""
    files = {f"{name.replace('-', '_')}/data": bytes(size)}
    return WheelSpec(name=name, version=version, files=files, **fields)


# What the pages add to their projects, in the versions that they show.
WHEELS = (
    sized("certifi", "2026.10.19.post1", 238_000),
    sized("idna", "3.20", 335_000),
    sized("urllib3", "2.8.0", 440_000),
    sized("requests", "2.34.2", 229_000, requires_dist=REQUESTS),
    *(
        sized("charset-normalizer", "3.5.3", 903_000, tag=f"cp313-cp313-{platform}")
        for platform in _NATIVE
    ),
)
# Pages whose commands need what a test has not: AWS, containers, an account somewhere.
NOT_FOLLOWED = {
    "import-proof.md": "its layer is a large one, whose libraries the runtime lacks",
    "outdated.md": "what it shows is compared with what the report makes",
}
# The project that a page begins with; the tutorial makes its own.
PROJECT = """\
[project]
name = "orders-api"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["requests"]
"""
# What a reader's project has for a tool that knows no variable for the default index.
SOURCES = {"how-to/poetry.md": '[[tool.poetry.source]]\nname = "loop"\nurl = "{url}"\n'}
FOLLOWED = [
    path
    for path in pages()
    if DOCS in path.parents
    and str(path.relative_to(DOCS)) not in NOT_FOLLOWED
    and any(isinstance(step, Command) for step in steps(path.read_text(encoding="utf-8")))
]


@pytest.fixture(scope="module")
def index() -> Iterator[IndexServer]:
    with IndexServer() as server:
        server.add(*WHEELS)
        yield server


@pytest.fixture
def reader(index: IndexServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Give the environment of a reader who has every tool, and reaches this index only."""
    tools = [require(tool_path, name) for name in ("poetry", "pdm")]
    environment = isolate(monkeypatch, tmp_path / "reader", Path(sys.executable), *tools)
    return {
        **environment,
        "COLUMNS": "80",
        "UV_DEFAULT_INDEX": index.simple_url,
        "PIP_INDEX_URL": index.simple_url,
        "PDM_PYPI_URL": index.simple_url,
        # Locking is the page's subject; installing is uv's.
        "UV_NO_SYNC": "1",
        "HATCH_LAMBDA_LAYER_CACHE_DIR": str(tmp_path / "cache"),
    }


@pytest.mark.parametrize("page", FOLLOWED, ids=lambda path: str(path.relative_to(DOCS)))
def test_a_page_leads_where_it_says(
    page: Path, index: IndexServer, reader: dict[str, str], tmp_path: Path
) -> None:
    name = str(page.relative_to(DOCS))
    folder = tmp_path / "orders-api"
    folder.mkdir()
    if name != "tutorial.md":
        source = SOURCES.get(name, "").format(url=index.simple_url)
        (folder / "pyproject.toml").write_text(PROJECT + source, encoding="utf-8")
    wrong = follow(page.read_text(encoding="utf-8"), folder, reader)
    assert wrong == [], "\n".join(wrong)


def test_the_readme_leads_to_a_layer(reader: dict[str, str], tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.partition("\n## A first layer\n")[2].partition("\n## ")[0]
    wrong = follow(section, tmp_path, reader)
    assert wrong == [], "\n".join(wrong)
    assert (tmp_path / "orders-api" / "dist" / "layer.zip").is_file()


def test_a_page_that_is_not_followed_is_there() -> None:
    assert [name for name in NOT_FOLLOWED if not (DOCS / name).is_file()] == []


def test_numbers_may_differ_from_the_page_and_nothing_else() -> None:
    shown = "idna  3.20  335 KB   67 KB\n…\n2 files, lock 0.27 s\n…/dist/layer.zip\n"
    pattern = pattern_of(shown)
    assert pattern.fullmatch(
        "idna   3.4    1 KB  1 MB\na\nb\n17 files, lock 1.30 s\n/x/dist/layer.zip\n"
    )
    for other in (shown.replace("files", "wheels"), shown.replace("idna", "idn"), f"{shown}more\n"):
        assert not pattern.fullmatch(other.replace("…\n", ""))


def test_a_page_is_read_in_its_order() -> None:
    page = (
        "```console\n$ cd app\n$ ls\na\nb\n```\n"
        "```toml\n# app.toml\na = 1\n```\n```toml\nb = 1\n```\n"
    )
    assert list(steps(page)) == [
        Command("cd app", ""),
        Command("ls", "a\nb\n"),
        Addition("app.toml", "# app.toml\na = 1\n"),
    ]
