"""The directory of a zip archive of which only the end is here, as far as sizes are concerned.

Nothing is verified: that is done when the archive is here as a whole.
"""

from __future__ import annotations

from .zip_format import (
    CENTRAL_HEADER,
    CENTRAL_SIGNATURE,
    END_RECORD,
    END_SIGNATURE,
    MAX_16,
    MAX_32,
)


def directory_length(tail: bytes, size: int) -> int | None:
    """Return how many bytes at the end of an archive have its directory.

    `tail` are the last bytes of an archive of `size` bytes. `None` where they do not have the end
    record, or where that leaves the numbers to Zip64.
    """
    at = tail.rfind(END_SIGNATURE)
    if not 0 <= at <= len(tail) - END_RECORD.size:
        return None
    _, _, _, _, count, length, offset, _ = END_RECORD.unpack_from(tail, at)
    if count == MAX_16 or MAX_32 in (length, offset) or offset > size:
        return None
    return size - int(offset)


def member_sizes(directory: bytes) -> list[tuple[str, int]]:
    """Return the names and unpacked sizes of the members that a directory lists."""
    found, position = [], 0
    while directory.startswith(CENTRAL_SIGNATURE, position):
        if len(directory) < position + CENTRAL_HEADER.size:
            break
        fields = CENTRAL_HEADER.unpack_from(directory, position)
        size, name_length, extra_length, comment_length = fields[9:13]
        start = position + CENTRAL_HEADER.size
        name = directory[start : start + name_length].decode("utf-8", "replace")
        found.append((name, int(size)))
        position = start + name_length + extra_length + comment_length
    return found
