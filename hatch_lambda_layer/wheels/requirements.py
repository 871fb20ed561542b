"""The requirements of locked packages, read without fetching them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .._internal.store import UNREADABLE
from .location import local_path
from .selection import LockedWheel

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..index.auth import IndexAccess
    from .cache import WheelCache
    from .selection import LockedSource

_KIND = "requirements"
_WORKERS = 12


def read_requirements(
    packages: Iterable[LockedWheel | LockedSource], cache: WheelCache, access: IndexAccess
) -> Mapping[str, tuple[str, ...] | None]:
    """Return the requirements (PEP 508) of each package, by name; `None` where they are unknown.

    They are those of a wheel that the cache has, or what the index says of one, which is kept.
    Those of a source are unknown: only its build could tell.
    """
    found: dict[str, tuple[str, ...] | None] = {}
    missing = []
    for locked in packages:
        found[locked.name] = None
        if not isinstance(locked, LockedWheel):
            continue
        if (wheel := cache.wheel(locked)) is not None:
            found[locked.name] = wheel.requires_dist
        elif (kept := cache.store.get(_KIND, locked.sha256)) is not None:
            found[locked.name] = _decoded(kept)
        elif local_path(locked.location) is None:
            missing.append(locked)
    if missing:
        found |= _asked(missing, cache, access)
    return found


def _asked(
    missing: list[LockedWheel], cache: WheelCache, access: IndexAccess
) -> dict[str, tuple[str, ...] | None]:
    from .._internal.parallel import run_parallel
    from ..index.metadata import MetadataReader

    reader = MetadataReader(access)

    def ask(locked: LockedWheel) -> bytes | None:
        return reader.metadata(locked.location, locked.index_url)

    found: dict[str, tuple[str, ...] | None] = {}
    for locked, metadata in run_parallel(ask, missing, _WORKERS):
        requirements = None if metadata is None else _in_metadata(metadata, locked)
        found[locked.name] = requirements
        if requirements is not None:
            cache.store.put(_KIND, locked.sha256, json.dumps(requirements).encode())
    return found


def _in_metadata(metadata: bytes, locked: LockedWheel) -> tuple[str, ...] | None:
    """Return the requirements in METADATA, `None` where it is that of another distribution."""
    from email.parser import BytesHeaderParser

    from packaging.utils import canonicalize_name, canonicalize_version

    headers = BytesHeaderParser().parsebytes(metadata)
    name, version = (str(headers.get(key, "")).strip() for key in ("Name", "Version"))
    if canonicalize_name(name) != locked.name:
        return None
    if canonicalize_version(version) != canonicalize_version(locked.version):
        return None
    return tuple(str(each).strip() for each in headers.get_all("Requires-Dist", ()))


def _decoded(kept: bytes) -> tuple[str, ...] | None:
    try:
        return tuple(str(each) for each in json.loads(kept))
    except UNREADABLE:
        return None
