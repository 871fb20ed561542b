"""The facts of ELF files (System V ABI): what each one is, and what it needs to be loaded.

Reading and judging are separate: `read_elf` returns facts, `loading` compares them with a target.

The reader is our own: pyelftools, the usual one, did not come back from some files of which a few
bytes had been changed, and wheels are from strangers. Files are read as the loader reads them, by
their segments. The section headers, which other readers use, can be missing or wrong. No size is
trusted beyond the end of the file, so that a hostile file costs no more than its length.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

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
_LOAD, _DYNAMIC, _INTERPRETER, _STACK = 1, 2, 3, 0x6474E551
_EXECUTABLE = 1
# Both architectures of Lambda have pages of this size.
_PAGE_SIZE = 4096
_WORD = (1 << 64) - 1
_NULL, _NEEDED, _HASH, _STRTAB, _SYMTAB, _STRSZ, _SONAME = 0, 1, 4, 5, 6, 10, 14
_RPATH, _RUNPATH = 15, 29
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
_MOST_LIBRARIES = 1024
_LONGEST_NAME = 4096

# The families of which runtimes have versions up to some number.
FAMILY = re.compile(r"(GLIBC|GLIBCXX|CXXABI|GCC)_(\d{1,9}(?:\.\d{1,9})*)")


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
    shared libraries, false for object files. `program` is true for what is started, `interpreter`
    is what loads it then; `module` is true for an extension module of Python. `soname` is the name
    by which other files need this one, `libraries` are those that it needs, `rpath` and `runpath`
    the folders in which it has them looked for first. `versions` has the newest that it needs of
    each family and library. Of files that no Lambda runtime loads, only the first three are read;
    of one that can't be read, `broken` says why.
    """

    machine: str
    bits: int
    loadable: bool
    program: bool = False
    module: bool = False
    misaligned: bool = False
    executable_stack: bool = False
    interpreter: str | None = None
    soname: str | None = None
    libraries: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    versions: tuple[NeededVersion, ...] = ()
    broken: str | None = None

    def to_row(self) -> list[object]:
        """Return the facts in the order of the fields, fit for JSON."""
        return [getattr(self, name) for name in self.__dataclass_fields__]

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> ElfFile:
        """Build the value of a row that `to_row` has returned, as JSON returns it."""
        fields = dict(zip(cls.__dataclass_fields__, row, strict=True))
        for name in ("libraries", "rpath", "runpath"):
            fields[name] = tuple(fields[name])
        fields["versions"] = tuple(map(NeededVersion._make, fields["versions"]))
        return cls(**fields)


def examine(data: bytes | bytearray) -> ElfFile:
    """Read the whole content of an ELF file; of one that is broken, return that it is."""
    try:
        return read_elf(data)
    except ElfError as error:
        return ElfFile(machine="", bits=0, loadable=True, broken=str(error))


def read_elf(data: bytes | bytearray) -> ElfFile:
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
            return ElfFile(machine=machine, bits=bits, loadable=loadable, program=kind == _PROGRAM)
        image = _Image(data)
        return ElfFile(
            machine=machine,
            bits=bits,
            loadable=loadable,
            program=kind == _PROGRAM or image.interpreter is not None,
            module=image.is_module,
            misaligned=kind == _SHARED_LIBRARY and image.misaligned,
            executable_stack=image.executable_stack,
            interpreter=image.interpreter,
            soname=next(iter(image.names(_SONAME)), None),
            libraries=image.names(_NEEDED),
            rpath=image.folders(_RPATH),
            runpath=image.folders(_RUNPATH),
            versions=tuple(_newest(image.versions())),
        )
    except (struct.error, IndexError, OverflowError) as error:
        raise ElfError("it ends too early") from error


def _newest(versions: Iterable[NeededVersion]) -> Iterator[NeededVersion]:
    """Yield the newest version of each family and library, and those without a number of glibc."""
    newest: dict[tuple[str, str], tuple[tuple[int, ...], NeededVersion]] = {}
    for each in versions:
        match = FAMILY.fullmatch(each.version)
        if match is not None:
            number = tuple(map(int, match[2].split(".")))
            key = (each.library, match[1])
            if key not in newest or newest[key][0] < number:
                newest[key] = (number, each)
        elif each.version.startswith("GLIBC_"):
            newest.setdefault((each.library, each.version), ((), each))
    return (each for _, each in newest.values())


class _Image:
    """A 64-bit little-endian file as the loader maps it."""

    def __init__(self, data: bytes | bytearray) -> None:
        self._data = data
        (start,) = struct.unpack_from("<Q", data, 32)
        size, count = struct.unpack_from("<HH", data, 54)
        if count and size != _SEGMENT.size:
            raise ElfError(f"its program headers have {size} bytes each")
        segments = [_SEGMENT.unpack_from(data, start + number * size) for number in range(count)]
        self._segments = segments
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

    @property
    def interpreter(self) -> str | None:
        """The program that loads this one, if it names one."""
        for kind, _, offset, _, _, length, _, _ in self._segments:
            if kind == _INTERPRETER:
                text = self._data[offset : offset + min(length, _LONGEST_NAME)]
                return text.partition(b"\0")[0].decode("utf-8", "backslashreplace")
        return None

    @property
    def executable_stack(self) -> bool:
        """Whether it asks for a stack that can be executed."""
        return any(kind == _STACK and flags & _EXECUTABLE for kind, flags, *_ in self._segments)

    @property
    def misaligned(self) -> bool:
        """Whether glibc's loader refuses a segment because of where it lies (`elf/dl-load.c`)."""
        return any(
            align % _PAGE_SIZE or (address - offset) & (align - 1) & _WORD
            for kind, _, offset, address, _, _, _, align in self._segments
            if kind == _LOAD
        )

    @property
    def is_module(self) -> bool:
        """Whether a symbol has the name of the function that makes a module of Python."""
        if _STRTAB not in self._entries:
            return False
        start, end = self._strings
        return self._data.find(b"\0PyInit_", start, end) >= 0

    def names(self, tag: int) -> tuple[str, ...]:
        """Return the names in the dynamic entries with `tag`, each once."""
        values = self._entries.get(tag, ())
        if len(values) > _MOST_LIBRARIES:
            raise ElfError(f"it has {len(values):,} dynamic entries of one kind")
        return tuple(dict.fromkeys(map(self._string, values)))

    def folders(self, tag: int) -> tuple[str, ...]:
        """Return the folders in the last dynamic entry with `tag`."""
        values = self._entries.get(tag, ())
        return tuple(filter(None, self._string(values[-1]).split(":"))) if values else ()

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
