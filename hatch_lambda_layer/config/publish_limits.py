"""The limits in `[tool.lambda-layer.publish]`: the growth of a layer, and the layers beside it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .reader import TableReader

_GROWTH = re.compile(r"\s*(\d{1,9}(?:\.\d{1,6})?)\s*(%|[kmg]?i?b)\s*", re.IGNORECASE)
_GROWTH_MUST = "a size or a share of the live version, such as '10 MiB' or '5 %'"
_UNITS = {f"{prefix}ib": 1024**power for power, prefix in enumerate("kmg", 1)}
_UNITS |= {f"{prefix}b": 1000**power for power, prefix in enumerate(["", *"kmg"])}
# Five layers in all ("Lambda quotas", as of 2026-11), one of which is the project's own.
_MOST_BESIDE = 4
LAYER_VERSION = (
    r"(arn:aws[a-z-]*:lambda:([a-z0-9-]+|\{region\}):(\d{12}|\{account\}):layer:)?[\w-]{1,140}:\d+"
)
_LAYER_VERSION_MUST = (
    "a layer version: its ARN, in which `{region}` and `{account}` are filled in, or 'name:3' for "
    "one of the account itself"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Growth:
    """How much larger than the live version a layer may be, unpacked.

    `text` is what the table has. `size` is in bytes; `share` is a part of the live version's size,
    `None` where the table has a size.
    """

    text: str
    size: int = 0
    share: float | None = None

    def allowed(self, live: int) -> int:
        """Return how many bytes more a layer may have than the live version, which has `live`."""
        return self.size if self.share is None else int(live * self.share)


def read_growth(reader: TableReader) -> Growth | None:
    """Read `max-growth`; `None` if it is missing or wrong."""
    key = "max-growth"
    value = reader.value(key)
    if value is None:
        return None
    match = _GROWTH.fullmatch(value) if isinstance(value, str) else None
    if match is None or (unit := match[2].lower()) not in {"%", *_UNITS}:
        reader.wrong(key, _GROWTH_MUST, value)
        return None
    text = value.strip()
    if unit == "%":
        return Growth(text=text, share=float(match[1]) / 100)
    return Growth(text=text, size=int(float(match[1]) * _UNITS[unit]))


def read_beside(reader: TableReader) -> tuple[str, ...]:
    """Read `alongside`: the layer versions of others, as they are written."""
    key = "alongside"
    found = reader.texts(key, LAYER_VERSION, _LAYER_VERSION_MUST)
    if len(found) > _MOST_BESIDE:
        reader.say(
            key, f"has {len(found)} layers: a function has at most {_MOST_BESIDE + 1} in all"
        )
    return found
