"""Verified wheels in the store: each under its sha256, with the result of its verification.

A file that is no longer as it was when it was verified is hashed again before it is used. In a
store that others can write, results are not believed: every wheel is hashed and verified again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .._internal.store import UNREADABLE
from ..targets.elf import ElfFile
from .selection import LockedWheel
from .shared_cache import NoSharedCache
from .wheel import Wheel, WheelMember

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .._internal.store import Store, TemporaryFile
    from .shared_cache import SharedCache

_KIND = "wheels"
# Raised when the verification checks more, or its result is stored in another form: wheels are then
# verified again.
_SCHEMA = 2
# Parts with which a path may lead out of the folder that it starts from.
_LEADING_OUT = frozenset({"", ".", ".."})


class WheelCache:
    """The wheels of a store. With `hash_all`, each one is hashed before it is used.

    `shared` is what other machines have; what is missing in the store is looked for there.
    """

    def __init__(
        self, store: Store, *, hash_all: bool = False, shared: SharedCache | None = None
    ) -> None:
        self.store = store
        self.shared = shared or NoSharedCache()
        self._hash_all = hash_all

    def wheel(self, locked: LockedWheel) -> Wheel | None:
        """Return the verified wheel; `None` if it is absent, or has to be checked again."""
        if self._hash_all or (kept := self._kept(locked)) is None:
            return None
        status, wheel = kept
        try:
            return wheel if status == _status(wheel.file.stat()) else None
        except OSError:
            return None

    def recheck(self, locked: LockedWheel) -> Wheel | None:
        """Return the wheel if the file has the hash that is locked; `None` if it has not.

        It is verified where that has not been done. Raises `WheelError`.
        """
        from .verify import verify_wheel

        file = self.store.file(_KIND, locked.sha256)
        self.store.touch(_KIND, locked.sha256)
        try:
            with file.open("rb") as stream:
                status = os.fstat(stream.fileno())
                if hashlib.file_digest(stream, "sha256").hexdigest() != locked.sha256:
                    return None
            kept = self._kept(locked)
            wheel = kept[1] if kept else verify_wheel(file, locked.filename, locked.sha256)
        except OSError:
            return None
        if self.store.trusted and (kept is None or kept[0] != _status(status)):
            self.store.put_note(_KIND, locked.sha256, _encode(wheel, status))
        return wheel

    def holds(self, locked: LockedWheel) -> bool:
        """Return whether there is a file that may be the wheel."""
        return self.store.file(_KIND, locked.sha256).exists()

    def insert(self, temporary: TemporaryFile, wheel: Wheel) -> Wheel:
        """Move a verified wheel into the store, with the result of its verification.

        Raises `CacheError`.
        """

        def verification(status: os.stat_result) -> bytes:
            return _encode(wheel, status)

        facts = (wheel.name, wheel.version, wheel.filename, wheel.sha256)
        locked = LockedWheel(*facts, size=None, location="", index_url=None)
        while not self.store.insert(_KIND, wheel.sha256, temporary, verification):
            # Another process may have been faster.
            if (found := self.wheel(locked) or self.recheck(locked)) is not None:
                return found
            self.store.discard(_KIND, wheel.sha256)
        return dataclasses.replace(wheel, file=self.store.file(_KIND, wheel.sha256))

    @contextmanager
    def for_threads(self) -> Iterator[WheelCache]:
        """Yield the cache for threads that may be abandoned; their temporary files are removed."""
        with self.store.for_threads() as store:
            yield WheelCache(store, hash_all=self._hash_all, shared=self.shared)

    def _kept(self, locked: LockedWheel) -> tuple[list[int], Wheel] | None:
        """Return the wheel as it was verified, with the status that its file had."""
        verification = self.store.note(_KIND, locked.sha256)
        if verification is None:
            return None
        try:
            schema, filename, status, fields = json.loads(verification)
            name, version, dist_info, requires_dist, native, launchers, rows = fields
            members = tuple(map(WheelMember._make, rows))
            facts = tuple((sha256, ElfFile.from_row(row)) for sha256, row in native)
            if [schema, filename] != [_SCHEMA, locked.filename] or not _are_safe(
                [row[0] for row in rows]
            ):
                return None
        except UNREADABLE:
            return None
        return status, Wheel(
            file=self.store.file(_KIND, locked.sha256),
            filename=locked.filename,
            name=name,
            version=version,
            sha256=locked.sha256,
            dist_info=dist_info,
            requires_dist=tuple(requires_dist),
            members=members,
            native=facts,
            launchers=tuple((each, entry_point) for each, entry_point in launchers),
        )


def _status(status: os.stat_result) -> list[int]:
    """Return what changes when a file is written, replaced, or restored from a copy.

    Whoever changes a file can set its modification time, but not that of the change itself.
    """
    return [status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns]


def _encode(wheel: Wheel, status: os.stat_result) -> bytes:
    native = [(sha256, elf.to_row()) for sha256, elf in wheel.native]
    metadata = (wheel.name, wheel.version, wheel.dist_info, wheel.requires_dist)
    fields = (*metadata, native, wheel.launchers, wheel.members)
    facts = [_SCHEMA, wheel.filename, _status(status), fields]
    return json.dumps(facts, separators=(",", ":")).encode()


def _are_safe(paths: Sequence[str]) -> bool:
    """Return whether all paths stay below the layer: in one go, since there are thousands."""
    text = "/".join(paths)
    if not _is_plain(text):
        from .members import unsafe_name

        if any(unsafe_name(path) for path in paths if not _is_plain(path)):
            return False
    return not paths or _LEADING_OUT.isdisjoint(text.split("/"))


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable() and "\\" not in text and ":" not in text
