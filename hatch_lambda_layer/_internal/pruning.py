"""Pruning the cache: what has not been used for long, or what is too much; never what is in use."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ..exceptions import ConfigError
from .store import CACHE_SIZE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .store import Store

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([kmgt])(i)?)?b?", re.IGNORECASE)
_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*([mhdw])", re.IGNORECASE)
_SECONDS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}


class KindSize(NamedTuple):
    """The number of entries of a kind, and their size in bytes."""

    entries: int
    size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Pruned:
    """The `entries` that were removed, their `size`, and the bytes that are `left`."""

    entries: int
    size: int
    left: int


def parse_size(text: str) -> int:
    """Parse a size such as `2 GiB` or `500MB`, in bytes; raise `ValueError` for others."""
    if match := _SIZE.fullmatch(text.strip()):
        power = 1 + "kmgt".index(match[2].lower()) if match[2] else 0
        return int(float(match[1]) * (1024 if match[3] else 1000) ** power)
    raise ValueError(f"{text!r} is not a size such as '2 GiB' or '500 MB'")


def parse_age(text: str) -> float:
    """Parse an age such as `30d`, `12h` or `2w`, in seconds; raise `ValueError` for others."""
    if match := _AGE.fullmatch(text.strip()):
        return float(match[1]) * _SECONDS[match[2].lower()]
    raise ValueError(f"{text!r} is not an age such as '30d', '12h' or '2w'")


def size_limit() -> int | None:
    """Return the limit in `HATCH_LAMBDA_LAYER_CACHE_SIZE`; raise `ConfigError` for no size."""
    text = os.environ.get(CACHE_SIZE)
    if not text:
        return None
    try:
        return parse_size(text)
    except ValueError as error:
        raise ConfigError([f"{CACHE_SIZE}: {error}"]) from error


def sizes(store: Store) -> Mapping[str, KindSize]:
    """Return what there is of each kind, sorted by its name."""
    found: dict[str, KindSize] = {}
    for entry in store.entries():
        count, size = found.get(entry.kind, (0, 0))
        found[entry.kind] = KindSize(count + 1, size + entry.size)
    return dict(sorted(found.items()))


def prune(
    store: Store, *, age: float | None = None, limit: int | None = None, dry_run: bool = False
) -> Pruned:
    """Remove what was not used for `age` seconds, then the least used until `limit` bytes are left.

    What a running build has used, or may be using, stays. With `dry_run`, nothing is removed.
    """
    since = store.users_since
    entries = sorted(store.entries(), key=lambda entry: entry.used)
    left = sum(entry.size for entry in entries)
    oldest = None if age is None else time.time() - age
    removed = size = 0
    for entry in entries:
        is_old = oldest is not None and entry.used < oldest
        is_too_much = limit is not None and left > limit
        is_in_use = since is not None and entry.used >= since
        if is_in_use or not (is_old or is_too_much):
            continue
        if dry_run or store.remove(entry):
            removed, size, left = removed + 1, size + entry.size, left - entry.size
    return Pruned(entries=removed, size=size, left=left)
