"""Whether a zip was made on this machine: the cache remembers which ones were."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .._internal.store import Store

_KIND = "layers"


def remember(store: Store, sha256: str) -> None:
    """Remember that the zip with this sha256 (hexadecimal) was made here."""
    store.put(_KIND, sha256, b"")


def is_made_here(store: Store, sha256: str) -> bool:
    """Return whether the zip with this sha256 (hexadecimal) is known to have been made here.

    The `layer.json` beside a zip does not show that: it may have come with it.
    """
    return store.get(_KIND, sha256) is not None
