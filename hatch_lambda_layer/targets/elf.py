"""The needs of ELF files (System V ABI), and whether a target fulfils them.

Reading and judging are separate: `read_elf` returns facts, `misfits` compares them with a target.
The limits are data, in `ceilings.toml`.

The reader is our own: pyelftools, the usual one, did not come back from some files of which a few
bytes had been changed, and wheels are from strangers. Files are read as the loader reads them, by
their segments. The section headers, which other readers use, can be missing or wrong. No size is
trusted beyond the end of the file, so that a hostile file costs no more than its length.
"""

from __future__ import annotations

import re
import struct
import tomllib
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from .target import Target

MAGIC = b"\x7fELF"

# By `e_machine`; the names are those of wheel tags.
_MACHINES = {
    3: "i686",
    21: "ppc64le",
    22: "s390x",
    40: "armv7l",
    62: "x86_64",
    183: "aarch64",
    243: "riscv64",
}
_PROGRAM, _SHARED_LIBRARY = 2, 3
_LOAD, _DYNAMIC = 1, 2
_NULL, _NEEDED, _HASH, _STRTAB, _SYMTAB, _STRSZ, _SONAME = 0, 1, 4, 5, 6, 10, 14
_GNU_HASH, _VERSYM, _VERNEED = 0x6FFFFEF5, 0x6FFFFFF0, 0x6FFFFFFE
_SEGMENT = struct.Struct("<IIQQQQQQ")
_DYNAMIC_ENTRY = struct.Struct("<qQ")
_VERSION_NEED = struct.Struct("<HHIII")
_VERSION_NEED_AUX = struct.Struct("<IHHII")
_SYMBOL_SIZE = 24
# A version's index has 16 bits; the highest one marks a hidden symbol.
_VERSION_INDEX = 0x7FFF
# Far more entries than any file has; there are no more indices for versions.
_MOST_ENTRIES = 0x7FFF
_LONGEST_NAME = 4096

_VERSION = re.compile(r"(GLIBC|GLIBCXX|CXXABI|GCC)_(\d+(?:\.\d+)*)")
# Marks of how a file was linked, each with the glibc that introduced it. Every other name without a
# number is either in all versions (`CXXABI_TM_1`) or internal to glibc (`GLIBC_PRIVATE`).
_GLIBC_MARKS = {"GLIBC_ABI_DT_RELR": "2.36", "GLIBC_ABI_GNU2_TLS": "2.42"}


class ElfError(ValueError):
    """The file begins like an ELF file, but the loader could not read it."""


class NeededVersion(NamedTuple):
    """A symbol version that a file binds to, such as `GLIBC_2.34` of `libc.so.6`.

    `symbol` is one that binds to it; `None` where the file needs only the version.
    """

    library: str
    version: str
    symbol: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ElfFile:
    """The facts about an ELF file: its kind, and what it needs.

    `machine` is named as in wheel tags, `bits` is 32 or 64. `loadable` is true for programs and
    shared libraries, false for object files. `soname` is the name by which other files need this
    one, `libraries` are those that it needs. Of files that no Lambda runtime loads, only the first
    three are read.
    """

    machine: str
    bits: int
    loadable: bool
    soname: str | None = None
    libraries: tuple[str, ...] = ()
    versions: tuple[NeededVersion, ...] = ()


def read_elf(data: bytes) -> ElfFile:
    """Read the whole content of an ELF file; raise `ElfError` when it is broken."""
    try:
        if not data.startswith(MAGIC) or data[4] not in (1, 2) or data[5] not in (1, 2):
            raise ElfError("it has no ELF header")
        bits, little = 32 * data[4], data[5] == 1
        kind, number = struct.unpack_from("<HH" if little else ">HH", data, 16)
        machine = _MACHINES.get(number, f"machine {number}")
        if not little:
            machine = f"big-endian {machine}"
        loadable = kind in (_PROGRAM, _SHARED_LIBRARY)
        if bits != 64 or not little or not loadable:  # noqa: PLR2004  # the word's size
            return ElfFile(machine=machine, bits=bits, loadable=loadable)
        image = _Image(data)
        return ElfFile(
            machine=machine,
            bits=bits,
            loadable=loadable,
            soname=next(iter(image.names(_SONAME)), None),
            libraries=tuple(image.names(_NEEDED)),
            versions=tuple(image.versions()),
        )
    except (struct.error, IndexError, OverflowError) as error:
        raise ElfError("it ends too early") from error


def misfits(elf: ElfFile, target: Target, beside: Collection[str] = ()) -> list[str]:
    """Return what keeps the runtime of `target` from loading the file, one phrase for each.

    A phrase is a sentence without its subject, such as "needs GLIBC_2.39 of `libc.so.6`, …".
    `beside` holds the names of libraries that come with the file.
    """
    if not elf.loadable:
        return []
    wanted = target.architecture.machine
    if elf.machine != wanted or elf.bits != 64:  # noqa: PLR2004  # Lambda has no other
        return [f"is for {elf.bits}-bit {elf.machine}, the runtime is {wanted}"]
    return [
        *_version_misfits(elf, target),
        *(
            f"needs the library `{name}`, which neither the wheel nor the runtime has"
            for name in elf.libraries
            if name not in beside and name not in provided_libraries(target)
        ),
    ]


class _Image:
    """A 64-bit little-endian file as the loader maps it."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        (start,) = struct.unpack_from("<Q", data, 32)
        size, count = struct.unpack_from("<HH", data, 54)
        if count and size != _SEGMENT.size:
            raise ElfError(f"its program headers have {size} bytes each")
        segments = [_SEGMENT.unpack_from(data, start + number * size) for number in range(count)]
        self._loads = [
            (address, offset, length)
            for kind, _, offset, address, _, length, _, _ in segments
            if kind == _LOAD
        ]
        self._entries: dict[int, list[int]] = {}
        # If there are several, the loader takes the last.
        dynamic = [address for kind, _, _, address, *_ in segments if kind == _DYNAMIC]
        if dynamic:
            self._read_dynamic(self._offset(dynamic[-1]))

    def names(self, tag: int) -> list[str]:
        """Return the names in the dynamic entries with `tag`."""
        return [self._string(value) for value in self._entries.get(tag, ())]

    def versions(self) -> Iterator[NeededVersion]:
        """Yield the versions that the file needs, each with one symbol that binds to it."""
        if _VERNEED not in self._entries:
            return
        symbols = self._first_symbols()
        place, step, left = self._table(_VERNEED), 1, _MOST_ENTRIES
        while step:
            _, count, library, first, step = _VERSION_NEED.unpack_from(self._data, place)
            left -= max(count, 1)
            if left < 0:
                raise ElfError("its list of versions does not end")
            auxiliary = place + first
            for _ in range(count):
                _, _, index, name, following = _VERSION_NEED_AUX.unpack_from(self._data, auxiliary)
                symbol = symbols.get(index & _VERSION_INDEX)
                yield NeededVersion(self._string(library), self._string(name), symbol)
                auxiliary += following
            place += step

    def _read_dynamic(self, start: int) -> None:
        for number in range(_MOST_ENTRIES):
            place = start + number * _DYNAMIC_ENTRY.size
            tag, value = _DYNAMIC_ENTRY.unpack_from(self._data, place)
            if tag == _NULL:
                return
            self._entries.setdefault(tag, []).append(value)
        raise ElfError("its dynamic segment does not end")

    def _offset(self, address: int) -> int:
        """Return the offset in the file of what is mapped to an address."""
        for start, offset, length in self._loads:
            if start <= address < start + length:
                return int(address - start + offset)
        raise ElfError(f"it has nothing at the address {address:#x}, where a table should be")

    def _table(self, tag: int) -> int:
        if tag not in self._entries:
            raise ElfError(f"its dynamic segment has no entry {tag:#x}")
        return self._offset(self._entries[tag][-1])

    @cached_property
    def _strings(self) -> tuple[int, int]:
        """The offsets in the file at which the names begin and end."""
        start = self._table(_STRTAB)
        return start, start + self._entries.get(_STRSZ, [0])[-1]

    def _string(self, number: int) -> str:
        start, end = self._strings
        end = min(end, start + number + _LONGEST_NAME)
        stop = self._data.find(b"\0", start + number, end)
        if stop < 0:
            raise ElfError("one of its names does not end")
        return self._data[start + number : stop].decode("utf-8", "backslashreplace")

    def _first_symbols(self) -> Mapping[int, str]:
        """Return one symbol for each index of a version: the first in the symbol table."""
        if _VERSYM not in self._entries:
            return {}
        count = self._symbols()
        if count > len(self._data):
            raise ElfError("it has more symbols than bytes")
        indices = struct.unpack_from(f"<{count}H", self._data, self._table(_VERSYM))
        first: dict[int, int] = {}
        for number, index in enumerate(indices):
            first.setdefault(index & _VERSION_INDEX, number)
        table = self._table(_SYMTAB)
        offsets = (
            (index, struct.unpack_from("<I", self._data, table + number * _SYMBOL_SIZE)[0])
            for index, number in first.items()
        )
        return {index: self._string(name) for index, name in offsets}

    def _symbols(self) -> int:
        """Return the number of symbols to search for those that other libraries define.

        Only the hash tables tell how many symbols there are. GNU's covers only those that
        the file itself defines, which come last, and has the index of the first of them.
        """
        if _HASH in self._entries:
            _, count = struct.unpack_from("<II", self._data, self._table(_HASH))
        elif _GNU_HASH in self._entries:
            _, count = struct.unpack_from("<II", self._data, self._table(_GNU_HASH))
        else:
            count = 0
        return int(count)


def _version_misfits(elf: ElfFile, target: Target) -> Iterator[str]:
    ceilings = _ceilings(target)
    for library, version, symbol in elf.versions:
        match = _VERSION.fullmatch(version)
        if match is not None:
            family, number = match.groups()
        elif version in _GLIBC_MARKS:
            family, number = "GLIBC", _GLIBC_MARKS[version]
        elif version.startswith("GLIBC_"):
            yield f"needs {version} of `{library}`, which another glibc need not have"
            continue
        else:
            continue
        if _numbers(number) > _numbers(ceilings[family]):
            what = f"{symbol}@{version}" if symbol else version
            yield f"needs {what} of `{library}`, the runtime has {family} up to {ceilings[family]}"


@cache
def _ceilings(target: Target) -> Mapping[str, str]:
    """Return the newest version of each family of symbol versions that the target has."""
    glibc = target.runtime.glibc
    rows = _facts()["ceilings"][target.architecture.machine]
    newest = max((row for row in rows if _numbers(row) <= glibc), key=_numbers)
    return {**rows[newest], "GLIBC": ".".join(map(str, glibc))}


@cache
def provided_libraries(target: Target) -> frozenset[str]:
    """Return the names of the shared libraries that the runtime's image has."""
    major, minor = target.runtime.python_version
    lists = _facts()["libraries"].values()
    own = f"libpython{major}.{minor}.so.1.0"
    return frozenset({own, *(name for names in lists for name in names)})


@cache
def _facts() -> dict[str, Any]:
    with Path(__file__).with_name("ceilings.toml").open("rb") as file:
        return tomllib.load(file)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))
