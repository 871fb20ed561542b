"""The check that a file is the one that was locked, by its sha256."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from .._internal.process import redact
from ..exceptions import DownloadError

if TYPE_CHECKING:
    from typing import BinaryIO

    from .selection import LockedSource, LockedWheel


def check_sha256(file: BinaryIO, locked: LockedWheel | LockedSource, title: str) -> None:
    """Raise `DownloadError` unless the content of `file` has the sha256 that was locked.

    `title` is what the error calls the file.
    """
    file.seek(0)
    got = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    if got == locked.sha256:
        return
    raise DownloadError(
        f"{title} is not the file that was locked\n"
        f"  expected sha256: {locked.sha256}\n"
        f"  got sha256:      {got}\n"
        f"  from: {redact(locked.location)}",
        hint="the file has changed since it was locked; lock again only if you know why",
    )
