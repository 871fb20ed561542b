"""Reads the metadata of every distribution of a layer, as a handler that Lambda's runtime calls."""

from __future__ import annotations

from importlib import metadata
from typing import Any


def handler(event: dict[str, Any], _context: object) -> list[dict[str, Any]]:
    """Return the distributions in the folders `path` of the event, each with what was read."""
    return [_read(each) for each in metadata.distributions(path=event["path"])]


def _read(distribution: metadata.Distribution) -> dict[str, Any]:
    path = getattr(distribution, "_path", None)
    found: dict[str, Any] = {"place": path and path.name}
    try:
        headers = distribution.metadata
        for key in ("Name", "Version"):
            # Before Python 3.14, a header that is missing is `None`.
            found[key.lower()] = headers[key]
            if not headers[key]:
                raise ValueError(f"its metadata has no {key}")
        found["entry_points"] = [
            [each.group, each.name, each.value, each.attr] for each in distribution.entry_points
        ]
        list(distribution.requires or ())
        found["error"] = None
    except Exception as error:  # noqa: BLE001  # whatever is wrong with it
        found["error"] = f"{type(error).__name__}: {error}"
    return found
