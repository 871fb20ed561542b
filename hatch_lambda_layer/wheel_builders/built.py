"""Sources that were built: their wheels in the cache, and whether they have native code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .._internal.store import UNREADABLE
from ..exceptions import BuildError, WheelError
from ..wheels.selection import LockedWheel
from ..wheels.shared_cache import SHA256

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._internal.store import TemporaryFile
    from ..wheels.cache import WheelCache
    from ..wheels.wheel import Wheel


# The fact about a wheel that other machines need beside its bytes.
_FILENAME = "filename"


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

    def fetch_shared(
        self, shared_key: str, key: str, check: Callable[[Wheel], None]
    ) -> Wheel | None:
        """Return the verified wheel that another machine has built, and keep it under `key`.

        `None` where there is none, or where `check` raises `BuildError` for it.
        """
        from ..wheels.verify import MAX_UNPACKED_SIZE, verify_wheel

        shared, name = self.cache.shared, f"built/{shared_key}"
        with self._store.temporary() as temporary:
            facts = shared.fetch(name, temporary.file, largest=MAX_UNPACKED_SIZE)
            if facts is None:
                return None
            try:
                filename = facts.get(_FILENAME, "")
                wheel = verify_wheel(temporary.path, filename, facts[SHA256])
                check(wheel)
            except (BuildError, WheelError) as error:
                shared.distrust(name, f"is not the wheel that it should be: {error.message}")
                return None
            return self.insert(key, temporary, wheel)

    def put_shared(self, shared_key: str, wheel: Wheel) -> None:
        """Put a wheel that was built here where other machines look for it."""
        facts = {_FILENAME: wheel.filename}
        self.cache.shared.put(f"built/{shared_key}", wheel.file, wheel.sha256, facts)

    def is_native(self, key: str) -> bool | None:
        """Return whether the source of `key` has native code; `None` if that is not known."""
        kept = self._store.get("native", key)
        return None if kept is None else kept == b"true"

    def keep_native(self, key: str, *, native: bool) -> None:
        """Keep whether the source of `key` has native code."""
        self._store.put("native", key, b"true" if native else b"false")
