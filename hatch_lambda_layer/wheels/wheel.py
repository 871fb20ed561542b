"""Wheels as values: what is known of one that has been proved, and how its members are read."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from .._internal.zip_format import DEFLATED

if TYPE_CHECKING:
    from pathlib import Path

# The zip format without Zip64 counts to 65,535, which itself means "look in the Zip64 record".
MAX_MEMBERS = 65_534
# Control characters, surrogates, and the separators of lines and paragraphs: in no name.
UNPRINTABLE = ("Cc", "Cs", "Zl", "Zp")


class WheelMember(NamedTuple):
    """A file in a wheel: where its compressed bytes lie, and what they inflate to.

    `method` is the zip method (0 or 8), `offset` and `compressed_size` are in bytes of the wheel
    file, `size` and `sha256` are those of the content.
    """

    path: str
    method: int
    offset: int
    compressed_size: int
    size: int
    crc: int
    sha256: str
    executable: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Wheel:
    """A wheel that has been proved whole, honest and safe.

    `sha256` is that of the wheel file, `dist_info` the name of its metadata folder.
    """

    file: Path
    filename: str
    name: str
    version: str
    sha256: str
    dist_info: str
    requires_dist: tuple[str, ...]
    members: tuple[WheelMember, ...]


def read_member(wheel: Wheel, member: WheelMember) -> bytes:
    """Give the content of one member of a proved wheel."""
    with wheel.file.open("rb") as stream:
        stream.seek(member.offset)
        data = stream.read(member.compressed_size)
    return zlib.decompress(data, -zlib.MAX_WBITS) if member.method == DEFLATED else data


def fold(path: str) -> str:
    """Give what file systems that ignore case and Unicode form make of `path`."""
    import unicodedata

    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
