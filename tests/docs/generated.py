"""The parts of the documentation that are made from the code, and the files that are.

In a page, a part stands between `<!-- begin NAME -->` and `<!-- end NAME -->`.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.testing import CliRunner

from hatch_lambda_layer._internal import address
from hatch_lambda_layer.cli.main import main
from hatch_lambda_layer.config import schema
from hatch_lambda_layer.config.options import container, custom_runtimes, indexes, layer, publish

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from hatch_lambda_layer.config.options.forms import Option

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
BUILT = DOCS / "_build"
WRITE = "python3 .ci/hatch run docs write"
_README = ROOT / "README.md"
_RELATIVE_LINK = re.compile(r"(?<=\]\()(?!https?://|#)")
_PART = re.compile(r"(<!-- begin (?P<name>[a-z-]+) -->\n).*?(?=<!-- end (?P=name) -->)", re.DOTALL)

# Each table of `pyproject.toml`: its name in the documentation, and its options.
TABLES: Mapping[str, tuple[Option, ...]] = {
    "layer": layer.LAYER,
    "project": layer.PROJECT,
    "custom-runtime": custom_runtimes.CUSTOM_RUNTIME,
    "container": container.CONTAINER,
    "index": indexes.INDEX,
    "codeartifact": indexes.CODEARTIFACT_TABLE,
    "publish": publish.PUBLISH,
    "permissions": publish.PERMISSIONS,
}


def options_table(options: Iterable[Option]) -> str:
    """Return the table of options, one a row."""
    rows = ["| option | type | default | description |", "|---|---|---|---|"]
    for each in options:
        more = f" ([more]({each.page}))" if each.page else ""
        cells = (f"`{each.key}`", each.form.kind, each.default, each.description + more)
        rows.append(f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |")
    return "\n".join(rows) + "\n"


def commands() -> str:
    """Return the help of each command, below a heading of its own."""
    names = ["", *main.list_commands(click.Context(main))]
    texts = []
    for name in names:
        arguments = [*filter(None, [name]), "--help"]
        shown = CliRunner().invoke(main, arguments, prog_name="hatch-lambda-layer", color=False)
        texts.append(f"## `{f'hatch-lambda-layer {name}'.strip()}`\n\n```text\n{shown.stdout}```\n")
    return "\n".join(texts)


PARTS: Mapping[str, Callable[[], str]] = {
    "commands": commands,
    **{f"options-{name}": partial(options_table, options) for name, options in TABLES.items()},
}


def pages() -> list[Path]:
    """Return the pages of the documentation, the README first."""
    return [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
        *sorted(path for path in DOCS.rglob("*.md") if not path.is_relative_to(BUILT)),
    ]


def rendered(text: str) -> str:
    """Return the text of a page with its parts as the code has them now."""
    return _PART.sub(lambda match: match[1] + PARTS[match["name"]](), text)


def with_address(text: str) -> str:
    """Return the README with links that work where it is shown without the repository."""
    return _RELATIVE_LINK.sub(address.PUBLIC_ADDRESS, text)


def outdated() -> Iterator[tuple[Path, str]]:
    """Yield each file that differs from what the code makes of it, and the text that it needs."""
    for path in pages():
        text = path.read_text(encoding="utf-8")
        new = rendered(text)
        if path == _README:
            new = with_address(new)
        if new != text:
            yield path, new
    if schema.PATH.read_text(encoding="utf-8") != (text := schema.schema_text()):
        yield schema.PATH, text
