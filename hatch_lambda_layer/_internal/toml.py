"""TOML from outside: what the standard library reads, and one kind of error."""

from __future__ import annotations

import tomllib
from typing import Any


def parse_toml(text: bytes | str) -> dict[str, Any]:
    """Parse TOML, UTF-8 with or without a byte order mark; raise `ValueError` with what is wrong.

    Some Windows editors put a byte order mark in front; TOML itself has none.
    """
    try:
        return tomllib.loads(text if isinstance(text, str) else text.decode("utf-8-sig"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
