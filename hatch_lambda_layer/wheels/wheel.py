"""Verified wheels as values, and how their members are read."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from .._internal.zip_format import DEFLATED
from ..exceptions import CacheError

if TYPE_CHECKING:
    from pathlib import Path

    from ..targets.elf import ElfFile

# The zip format without Zip64 counts to 65,535, which itself means "look in the Zip64 record".
MAX_MEMBERS = 65_534
# Unicode categories that no name may contain: control characters, what has no shape of its own
# (bidirectional, zero-width and tag characters), private characters, surrogates, separators of
# lines and paragraphs. Which characters are unassigned depends on Python: those may be there.
UNPRINTABLE = ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")


class WheelMember(NamedTuple):
    """A file in a wheel: where its compressed bytes lie, and what they inflate to.

    `method` is the zip method (0 or 8), `offset` and `compressed_size` are in bytes of the wheel
    file, `size`, `crc` and `sha256` are those of the content, `packed_crc` is that of the
    compressed bytes.
    """

    path: str
    method: int
    offset: int
    compressed_size: int
    size: int
    crc: int
    sha256: str
    executable: bool
    packed_crc: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Wheel:
    """A wheel that has been verified to be complete, consistent and safe.

    `sha256` (hexadecimal) is that of the wheel file, `dist_info` the name of its metadata folder.
    `requires_dist` are the requirements in its METADATA, as they are written. `native` has the
    facts about each ELF file in it, by the sha256 (hexadecimal) of its content, `launchers` the
    console scripts that installers make for it, each with its entry point (`module:function`).
    """

    file: Path
    filename: str
    name: str
    version: str
    sha256: str
    dist_info: str
    requires_dist: tuple[str, ...]
    members: tuple[WheelMember, ...]
    native: tuple[tuple[str, ElfFile], ...] = ()
    launchers: tuple[tuple[str, str], ...] = ()


def read_member(wheel: Wheel, member: WheelMember) -> bytes:
    """Return the content of one member of a verified wheel.

    Raises `CacheError` where the file is not what was verified.
    """
    try:
        with wheel.file.open("rb") as stream:
            stream.seek(member.offset)
            data = stream.read(member.compressed_size)
    except OSError as error:
        raise CacheError(f"{wheel.file} can't be read: {error.strerror}") from error
    if zlib.crc32(data) != member.packed_crc:
        raise CacheError(
            f"{wheel.file} has changed since `{wheel.filename}` was verified",
            hint="remove it, then build again",
        )
    return zlib.decompress(data, -zlib.MAX_WBITS) if member.method == DEFLATED else data


def fold(path: str) -> str:
    """Return a key that is equal for paths that differ only by case or Unicode form."""
    import unicodedata

    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
