"""The sizes of wheels that are still to be fetched: of the lock, the server, or their directories.

They decide only whether a layer is refused before it is fetched: what can't be learned is unknown,
and whatever is wrong with a server or a wheel is told when it is fetched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .location import local_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..index.download import Downloader
    from .selection import LockedWheel

_WORKERS = 12
# Enough for the directory of a wheel with some hundred members.
_TAIL = 1 << 16
_LARGEST_DIRECTORY = 8 << 20


class Extent(NamedTuple):
    """The size of a wheel in bytes, and that of each of its members, as far as it is known."""

    size: int | None
    members: Sequence[tuple[str, int]] | None = None


class Survey:
    """The sizes of wheels that a `downloader` would fetch; `None` if all of them are local."""

    def __init__(self, downloader: Downloader | None) -> None:
        self._downloader = downloader
        self._in_vain = False

    def extents(self, wheels: Sequence[LockedWheel]) -> Mapping[LockedWheel, Extent]:
        """Ask for the sizes of wheels, each once; one server that fails is enough to stop."""
        from .._internal.parallel import run_parallel

        return dict(run_parallel(self._extent, wheels, _WORKERS))

    def _extent(self, locked: LockedWheel) -> Extent:
        from .._internal.zip_tail import directory_length, member_sizes

        known = Extent(locked.size)
        if self._downloader is None or self._in_vain or local_path(locked.location) is not None:
            return known
        size, tail = self._downloader.tail(locked.location, _TAIL, locked.index_url)
        self._in_vain = size is None or (not tail and locked.size is not None)
        if size is None or not tail:
            return Extent(locked.size or size)
        length = directory_length(tail, size)
        if length is None or length > _LARGEST_DIRECTORY:
            return Extent(size)
        if length > len(tail):
            _, tail = self._downloader.tail(locked.location, length, locked.index_url)
        members = member_sizes(tail[-length:]) if length <= len(tail) else None
        return Extent(size, members)
