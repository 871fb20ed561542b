"""Verified wheels in the store: each under its sha256, with the result of its verification."""

from __future__ import annotations

import dataclasses
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .._internal.store import UNREADABLE
from .selection import LockedWheel
from .wheel import Wheel, WheelMember

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from .._internal.store import Store, TemporaryFile

_KIND = "wheels"
# Raised when the verification checks more, or its result is stored in another form: wheels are then
# verified again.
_SCHEMA = 1


class WheelCache:
    """The wheels of a store. A wheel that was changed since its verification counts as absent."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def wheel(self, locked: LockedWheel) -> Wheel | None:
        """Return the verified wheel; `None` if it is absent, or changed since its verification."""
        verification = self.store.note(_KIND, locked.sha256)
        if verification is None:
            return None
        file = self.store.file(_KIND, locked.sha256)
        try:
            facts, fields = json.loads(verification)
            if facts != _facts(file.stat(), locked.filename):
                return None
            name, version, dist_info, requires_dist, members = fields
            return Wheel(
                file=file,
                filename=locked.filename,
                name=name,
                version=version,
                sha256=locked.sha256,
                dist_info=dist_info,
                requires_dist=tuple(requires_dist),
                members=tuple(map(WheelMember._make, members)),
            )
        except (OSError, *UNREADABLE):
            return None

    def insert(self, temporary: TemporaryFile, wheel: Wheel) -> Wheel:
        """Move a verified wheel into the store, with the result of its verification.

        Raises `CacheError`.
        """

        def verification(status: os.stat_result) -> bytes:
            return _encode(wheel, status)

        locked = LockedWheel(
            wheel.name, wheel.version, wheel.filename, wheel.sha256, None, "", None
        )
        while not self.store.insert(_KIND, wheel.sha256, temporary, verification):
            # Another process may have been faster.
            if (found := self.wheel(locked)) is not None:
                return found
            self.store.discard(_KIND, wheel.sha256)
        return dataclasses.replace(wheel, file=self.store.file(_KIND, wheel.sha256))

    @contextmanager
    def for_threads(self) -> Iterator[WheelCache]:
        """Yield the cache for threads that may be abandoned; their temporary files are removed."""
        with self.store.for_threads() as store:
            yield WheelCache(store)


def _facts(status: os.stat_result, filename: str) -> list[object]:
    """Return what tells that a file is still the one that was verified."""
    return [_SCHEMA, filename, status.st_size, status.st_mtime_ns]


def _encode(wheel: Wheel, status: os.stat_result) -> bytes:
    fields = (wheel.name, wheel.version, wheel.dist_info, wheel.requires_dist, wheel.members)
    return json.dumps([_facts(status, wheel.filename), fields], separators=(",", ":")).encode()
