"""Fields of a layer's table that have a form of their own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..exceptions import backticked
from .reader import toml

if TYPE_CHECKING:
    from .reader import TableReader


# The file name of a shared library, with its version or without.
LIBRARY = r"[\w.+-]+\.so(?:\.[\w.]+)?"


def read_libraries(table: TableReader) -> tuple[str, ...]:
    """Return `libraries`: file names of shared libraries."""
    items = table.items("libraries")
    for number, name in items.items():
        if re.fullmatch(LIBRARY, name) is None:
            must = "the file name of a shared library, such as 'libgomp.so.1'"
            table.wrong(f"libraries[{number}]", must, name)
    return tuple(items.values())


def read_codes(table: TableReader, key: str) -> tuple[str, ...]:
    """Return the codes of findings in `ignore` or `error`, which have none in common."""
    items = table.items(key)
    if not items:
        return ()
    from ..findings.codes import CODES

    for number, code in items.items():
        if code not in CODES:
            must = f"the code of a finding, such as {next(iter(CODES))!r}"
            table.wrong(f"{key}[{number}]", must, code, near=CODES)
    ignored = table.value("ignore")
    if key == "error" and isinstance(ignored, list):
        both = sorted(code for code in items.values() if code in ignored)
        if both:
            table.say(key, f"has {backticked(both)}, which `ignore` has as well")
    return tuple(items.values())


def read_force_include(table: TableReader) -> tuple[tuple[str, str], ...]:
    """Return `force-include` as pairs of a source and its path in the layer, sorted."""
    value = table.value("force-include", {})
    if not isinstance(value, dict):
        table.wrong("force-include", "a table of source = path in the layer", value)
        return ()
    pairs = []
    for source, path in value.items():
        key = f"force-include.{toml(source)}"
        if not source:
            table.say(key, "must name a file or folder of the project")
        elif not isinstance(path, str) or not path.strip("/"):
            table.wrong(key, "a path in the layer, such as 'python/config'", path)
        elif _unsafe(path):
            table.wrong(key, "a path that stays in the layer, with `/` between its parts", path)
        else:
            pairs.append((source, path.strip("/")))
    return tuple(sorted(pairs))


def _unsafe(path: str) -> bool:
    parts = path.strip("/").split("/")
    bad_part = any(part in ("", ".", "..") for part in parts)
    return bad_part or "\\" in path or ":" in parts[0] or not path.isprintable()
