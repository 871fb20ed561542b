"""The diagnosis of a machine and a project, as text and as JSON.

Each line has its state as a word, so that it can be read without colour and aloud.
"""

from __future__ import annotations

import json
import textwrap
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from .._internal.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SCHEMA = 1
_WIDTH = 80

State = Literal["ok", "note", "missing"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; `missing` is what this project needs and does not have."""

    section: str
    name: str
    state: State
    text: str


def as_text(checks: Sequence[Check]) -> str:
    """Return the checks by their sections, one a line, with no more than 80 columns."""
    return "".join(f"{line}\n" for line in _lines(checks))


def as_json(checks: Sequence[Check]) -> str:
    """Return the checks as JSON, schema 1, in ASCII."""
    found = {"schema": SCHEMA, "checks": [asdict(each) for each in checks]}
    # For JSON the same, but no command to the runner of a CI service.
    return (json.dumps(found, indent=2) + "\n").replace("##", "#\\u0023")


FORMATS = {"text": as_text, "json": as_json}


def _lines(checks: Sequence[Check]) -> Iterator[str]:
    section = None
    for check in checks:
        if check.section != section:
            if section is not None:
                yield ""
            section = check.section
            yield section
        text = one_line(f"{check.state}: {check.name}: {check.text}")
        yield from textwrap.wrap(
            text,
            _WIDTH,
            initial_indent="  ",
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    missing = [check for check in checks if check.state == "missing"]
    yield ""
    if missing:
        names = ", ".join(dict.fromkeys(one_line(check.name) for check in missing))
        yield f"This project lacks what it needs: {names}"
    else:
        yield "Nothing is missing that this project needs"
