"""Where a locked file lies: on this machine, or where it has to be fetched."""

from __future__ import annotations

from urllib.parse import urlsplit


def local_path(location: str) -> str | None:
    """Return the path that a location is, or that its `file:` URL names; `None` for other URLs."""
    url = urlsplit(location)
    if url.scheme == "file":
        from urllib.request import url2pathname

        return url2pathname(url.path)
    return None if "://" in location else location
