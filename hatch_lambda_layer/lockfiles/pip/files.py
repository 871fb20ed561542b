"""A file of a package, wherever it lies: its digests."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ..._internal.scratch import scratch_folder
from .lines import local_path

if TYPE_CHECKING:
    from .places import Places

# More than any wheel or source that Lambda could use.
_LARGEST = 2 << 30
_CHUNK = 1 << 20


def digests(place: str, places: Places) -> dict[str, str]:
    """Return the digests of what is at a URL or path, by algorithm and in hexadecimal.

    Raises `DownloadError`, or `OSError` for a file on this machine.
    """
    if not place.startswith(("http://", "https://")):
        path = Path(local_path(place) if place.startswith("file:") else place)
        with path.open("rb") as local:
            return _digests(local)
    with scratch_folder() as folder, (folder / "file").open("w+b") as file:
        fetch(place, file, places)
        return _digests(file)


def fetch(url: str, file: BinaryIO, places: Places) -> None:
    """Write what a URL serves to an empty file; raise `DownloadError` where that fails."""
    places.downloader().fetch(url, file, largest=_LARGEST, index=None, moved=lambda _: None)


def _digests(file: BinaryIO) -> dict[str, str]:
    found = {name: hashlib.new(name) for name in ("sha256", "sha384", "sha512")}
    file.seek(0)
    while chunk := file.read(_CHUNK):
        for each in found.values():
            each.update(chunk)
    return {name: each.hexdigest() for name, each in found.items()}
