"""Collecting the verified wheels of a selection: from the cache, or fetched into it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from .._internal.process import redact
from .._internal.text import safe
from ..exceptions import DownloadError
from .digest import check_sha256
from .location import local_path
from .survey import Survey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from .._internal.console import Console
    from .._internal.store import TemporaryFile
    from ..index.auth import IndexAccess
    from ..index.download import Downloader
    from .cache import WheelCache
    from .selection import LockedWheel
    from .wheel import Wheel

    Check = Callable[[Mapping[LockedWheel, Wheel | None], Survey], None]

# Enough to hide the latency of an index, few enough not to be taken for an attack.
_WORKERS = 12
_CHUNK = 1 << 20


def collect_wheels(
    selection: Sequence[LockedWheel],
    cache: WheelCache,
    console: Console,
    access: IndexAccess | None = None,
    check: Check | None = None,
) -> tuple[Wheel, ...]:
    """Return the verified wheels of `selection`, in its order.

    Wheels that the cache does not have are fetched in parallel, from the cache that machines share
    or else from where they are locked, with the credentials of `access`; those that have changed
    there, or seem to have, are hashed first. Before any is fetched, `check` is called with those of
    the cache, and with what can tell the sizes of the others.
    Raises `DownloadError` for a wheel that can't be fetched or is not the file that was locked, and
    `WheelError` for one that is not sound; the cache keeps neither.
    """
    found = {locked: cache.wheel(locked) for locked in selection}
    if doubtful := [each for each, wheel in found.items() if wheel is None and cache.holds(each)]:
        found |= _recheck(doubtful, cache)
    missing = [locked for locked, wheel in found.items() if wheel is None]
    if kept := [_title(locked) for locked, wheel in found.items() if wheel is not None]:
        console.detail(f"cached: {', '.join(kept)}")
    if missing:
        downloader = _downloader(missing, access)
        if check is not None:
            check(found, Survey(downloader))
        found |= _fetch(missing, cache, console, downloader)
    return tuple(wheel for locked in selection if (wheel := found[locked]) is not None)


def _recheck(doubtful: Sequence[LockedWheel], cache: WheelCache) -> dict[LockedWheel, Wheel | None]:
    from .._internal.parallel import run_parallel

    with cache.for_threads() as own_cache:
        return dict(run_parallel(own_cache.recheck, doubtful, os.cpu_count() or 1))


def _fetch(
    missing: Sequence[LockedWheel],
    cache: WheelCache,
    console: Console,
    downloader: Downloader | None,
) -> dict[LockedWheel, Wheel]:
    from .._internal.parallel import run_parallel

    # The largest first, so that the last one to wait for is small.
    missing = sorted(missing, key=lambda locked: -(locked.size or 0))
    label = f"Fetching {len(missing)} wheel{'s' * (len(missing) > 1)}"
    fetched = {}
    sizes = {_title(locked): locked.size for locked in missing}
    with console.progress(label, len(missing), sizes) as progress, cache.for_threads() as own_cache:

        def work(locked: LockedWheel) -> Wheel:
            is_local = local_path(locked.location) is not None
            shared = None if is_local else _fetch_shared(locked, own_cache, progress.moved)
            return shared or _fetch_wheel(locked, own_cache, downloader, progress.moved, console)

        for locked, wheel in run_parallel(work, missing, _WORKERS):
            fetched[locked] = wheel
            progress.done(_title(locked))
    return fetched


def _fetch_shared(
    locked: LockedWheel, cache: WheelCache, moved: Callable[[int], None]
) -> Wheel | None:
    """Return the verified wheel that another machine has put; `None` where there is none."""
    from .verify import MAX_UNPACKED_SIZE, verify_wheel

    with cache.store.temporary() as temporary:
        largest = locked.size or MAX_UNPACKED_SIZE
        key, file = shared_key(locked), temporary.file
        if cache.shared.fetch(key, file, largest=largest, sha256=locked.sha256) is None:
            return None
        moved(file.seek(0, os.SEEK_END))
        wheel = verify_wheel(temporary.path, locked.filename, locked.sha256)
        return cache.insert(temporary, wheel)


def shared_key(locked: LockedWheel) -> str:
    """Return the key of a locked wheel in the cache that machines share: its content alone."""
    return f"wheels/{locked.sha256}"


def _title(locked: LockedWheel) -> str:
    return safe(f"{locked.name} {locked.version}")


def _downloader(missing: Sequence[LockedWheel], access: IndexAccess | None) -> Downloader | None:
    """Return a downloader, or `None` if all wheels are local: making one takes 0.2 s."""
    if all(local_path(locked.location) is not None for locked in missing):
        return None
    from ..index.download import Downloader

    return Downloader(access)


def _fetch_wheel(
    locked: LockedWheel,
    cache: WheelCache,
    downloader: Downloader | None,
    moved: Callable[[int], None],
    console: Console,
) -> Wheel:
    from .verify import MAX_UNPACKED_SIZE, verify_wheel

    with cache.store.temporary() as temporary:
        path = local_path(locked.location)
        if path is not None:
            _copy(locked, path, temporary)
        elif downloader is not None:
            largest = locked.size or MAX_UNPACKED_SIZE
            downloader.fetch(
                locked.location,
                temporary.file,
                largest=largest,
                index=locked.index_url,
                moved=moved,
            )
        temporary.file.flush()
        check_sha256(temporary.file, locked, f"`{locked.filename}`")
        wheel = cache.insert(
            temporary, verify_wheel(temporary.path, locked.filename, locked.sha256)
        )
    console.detail(f"fetched: {_title(locked)} from {redact(locked.location)}")
    if path is None:
        cache.shared.put(shared_key(locked), wheel.file, locked.sha256, {})
    return wheel


def _copy(locked: LockedWheel, path: str, temporary: TemporaryFile) -> None:
    # Only what goes wrong with the source is told of it: the disk of the cache may be full.
    for chunk in _chunks(locked, path):
        temporary.file.write(chunk)


def _chunks(locked: LockedWheel, path: str) -> Iterator[bytes]:
    try:
        with Path(path).open("rb") as source:
            while chunk := source.read(_CHUNK):
                yield chunk
    except OSError as error:
        raise DownloadError(
            f"`{locked.filename}` can't be copied from {path}: {error.strerror}",
            hint="lock again if the file has moved",
        ) from error
