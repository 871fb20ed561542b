"""Values of parsed TOML or JSON that others wrote: what has another type counts as missing.

`keys` lead from table to table.
"""

from __future__ import annotations

from typing import Any


def value_at(value: object, *keys: str) -> Any:
    """Return the value below `keys`, unchecked; `None` where there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def table_at(value: object, *keys: str) -> dict[str, Any]:
    """Return the table below `keys`, an empty one where there is none."""
    found = value_at(value, *keys)
    return found if isinstance(found, dict) else {}


def array_at(value: object, *keys: str) -> list[Any]:
    """Return the array below `keys`, an empty one where there is none."""
    found = value_at(value, *keys)
    return found if isinstance(found, list) else []


def tables_at(value: object, *keys: str) -> list[dict[str, Any]]:
    """Return the tables in the array below `keys`."""
    return [each for each in array_at(value, *keys) if isinstance(each, dict)]


def strings_at(value: object, *keys: str) -> list[str]:
    """Return the strings in the array below `keys`."""
    return [each for each in array_at(value, *keys) if isinstance(each, str)]
