"""Sources that were built: their wheels in the cache, and whether they have native code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .._internal.store import UNREADABLE
from ..wheels.selection import LockedWheel

if TYPE_CHECKING:
    from .._internal.store import TemporaryFile
    from ..wheels.cache import WheelCache
    from ..wheels.wheel import Wheel


class BuiltWheels:
    """The wheels that were built here, by the keys of what they were built from."""

    def __init__(self, cache: WheelCache) -> None:
        self.cache = cache
        self._store = cache.store

    def wheel(self, key: str) -> Wheel | None:
        """Return the verified wheel that was built and kept under `key`; else `None`."""
        kept = self._store.get("built", key)
        try:
            name, version, filename, sha256 = json.loads(kept or b"null")
        except UNREADABLE:
            return None
        locked = LockedWheel(name, version, filename, sha256, None, "", None)
        return self.cache.wheel(locked) or self.cache.recheck(locked)

    def has(self, key: str) -> bool:
        """Return whether a wheel was built and kept under `key`; it may be missing by now."""
        return self._store.get("built", key) is not None

    def insert(self, key: str, temporary: TemporaryFile, wheel: Wheel) -> Wheel:
        """Move a verified wheel that was built here into the cache, and keep it under `key`."""
        inserted = self.cache.insert(temporary, wheel)
        facts = (wheel.name, wheel.version, wheel.filename, wheel.sha256)
        self._store.put("built", key, json.dumps(facts).encode())
        return inserted

    def is_native(self, key: str) -> bool | None:
        """Return whether the source of `key` has native code; `None` if that is not known."""
        kept = self._store.get("native", key)
        return None if kept is None else kept == b"true"

    def keep_native(self, key: str, *, native: bool) -> None:
        """Keep whether the source of `key` has native code."""
        self._store.put("native", key, b"true" if native else b"false")
