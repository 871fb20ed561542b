"""Names and types of members of archives: those that no file of a layer can have."""

from __future__ import annotations

import stat
import unicodedata
from typing import TYPE_CHECKING

from .wheel import UNPRINTABLE

if TYPE_CHECKING:
    from .._internal.zip_reader import ZipEntry

# What Linux can extract below `/opt/python/`: NAME_MAX, and PATH_MAX with some room.
_MAX_NAME_BYTES = 255
_MAX_PATH_BYTES = 4000


def unsafe_name(name: str) -> str | None:
    """Return why no file of a layer can have this name in an archive; `None` if one can."""
    parts = name.removesuffix("/").split("/")
    characters = set(name)
    reasons = {
        "its name has control characters, or others that can't be seen": any(
            unicodedata.category(character) in UNPRINTABLE for character in characters
        ),
        "its name has a backslash": "\\" in characters,
        "its name is an absolute path": name.startswith("/") or name[1:2] == ":",
        "its name leads out of the archive": ".." in parts,
        "its name has an empty part": "" in parts or "." in parts,
        f"a part of its name is longer than {_MAX_NAME_BYTES} bytes": any(
            len(part.encode("utf-8", "surrogatepass")) > _MAX_NAME_BYTES for part in parts
        ),
        f"its name is longer than {_MAX_PATH_BYTES:,} bytes": (
            len(name.encode("utf-8", "surrogatepass")) > _MAX_PATH_BYTES
        ),
    }
    return next((reason for reason, true in reasons.items() if true), None)


def unsafe_mode(entry: ZipEntry) -> str | None:
    """Return why no wheel may have a member of this type; `None` if one may."""
    kind = stat.S_IFMT(entry.mode)
    if kind == stat.S_IFLNK:
        return "it is a symbolic link, which wheels can't carry"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "it is a device, pipe or socket"
    if entry.name.endswith("/") and entry.size:
        return "it is a directory with content"
    return None
