"""Names that a user may well write, but that are not read: what to say about them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .._internal.tables import table_at
from .reader import nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

# Tools that have a way to one whose lockfiles are read, and the way.
OTHER_TOOLS = {
    "pip-compile": "what pip-compile writes is read with `pip`",
    "pip-tools": "what pip-compile writes is read with `pip`",
    "pipenv": "`pip` reads what `pipenv requirements --hash > requirements.txt` writes",
    "rye": "rye has given way to uv, which locks its projects: `uv lock`",
}


def misspelled_table(pyproject: Mapping[str, object]) -> str | None:
    """Return the name of a table that was probably meant to be `[tool.lambda-layer]`."""
    for prefix in ((), ("tool",), ("tool", "hatch")):
        for name in table_at(pyproject, *prefix):
            if re.sub("[-_. ]", "", name.lower()) in {"lambdalayer", "hatchlambdalayer"}:
                return ".".join((*prefix, name))
    return None


def suggested_runtime(name: str, known: Collection[str]) -> str:
    """Return what to say about a runtime that is not one of `known`."""
    minors = [int(each.partition(".")[2]) for each in known if re.fullmatch(r"python3\.\d+", each)]
    if (match := re.fullmatch(r"(?:python)?3\.(\d{1,2})", name)) is None:
        return nearest(name, known)
    if int(match[1]) < min(minors):
        return f": it is older than the oldest that AWS supports, `python3.{min(minors)}`"
    if int(match[1]) > max(minors):
        return f": it is newer than the newest that is known here, `python3.{max(minors)}`"
    return nearest(name, known)
