"""ELF files written byte by byte: any machine, any version of any symbol, no compiler.

Structures as in the System V ABI (generic and "Symbol Versioning" of the LSB). The files have the
sections that linkers write for a shared library's dynamic symbols, and no code.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

X86_64, AARCH64, RISCV = 62, 183, 243
OBJECT_FILE, PROGRAM, SHARED_LIBRARY = 1, 2, 3

_PT_LOAD, _PT_DYNAMIC, _PT_INTERP, _PT_GNU_STACK = 1, 2, 3, 0x6474E551
_STRTAB, _HASH, _DYNAMIC, _DYNSYM = 3, 5, 6, 11
_VERNEED, _VERSYM = 0x6FFFFFFE, 0x6FFFFFFF
_DT_NULL, _DT_NEEDED, _DT_HASH, _DT_STRTAB, _DT_SYMTAB, _DT_STRSZ, _DT_SONAME = (
    0,
    1,
    4,
    5,
    6,
    10,
    14,
)
_DT_RPATH, _DT_RUNPATH = 15, 29
_DT_VERSYM, _DT_VERNEED, _DT_VERNEEDNUM = 0x6FFFFFF0, 0x6FFFFFFE, 0x6FFFFFFF


@dataclass(frozen=True, kw_only=True)
class ElfSpec:
    """An ELF file to build; the defaults give a library for x86_64 that needs nothing.

    `versions` maps a library to what is bound in it: version to symbol, or to `None` for a version
    that no symbol has. `libraries` are needed beside those. `module` is the name of a Python module
    that it defines; `align` is what its one segment says of itself.
    """

    machine: int = X86_64
    kind: int = SHARED_LIBRARY
    bits: Literal[32, 64] = 64
    soname: str | None = None
    libraries: Sequence[str] = ()
    versions: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)
    section_headers: bool = True
    module: str | None = None
    rpath: str | None = None
    runpath: str | None = None
    interpreter: str | None = None
    executable_stack: bool = False
    align: int = 0x1000

    @property
    def data(self) -> bytes:
        """The file's bytes."""
        if self.bits == 32:
            return _header_32(self.machine, self.kind)
        return _Writer(self).data()


def _header_32(machine: int, kind: int) -> bytes:
    ident = b"\x7fELF" + bytes([1, 1, 1]) + bytes(9)
    return ident + struct.pack("<HHIIIIIHHHHHH", kind, machine, 1, 0, 0, 0, 0, 52, 32, 0, 40, 0, 0)


class _Strings:
    """A string table."""

    def __init__(self) -> None:
        self.data = b"\0"

    def add(self, text: str) -> int:
        offset = len(self.data)
        self.data += text.encode() + b"\0"
        return offset


class _Writer:
    def __init__(self, spec: ElfSpec) -> None:
        self._spec = spec
        self._strings = _Strings()
        # Version indices 0 and 1 are "local" and "global" (LSB, "Symbol Version Table").
        self._index = 2
        self._symbols: list[tuple[int, int]] = []

    def data(self) -> bytes:
        spec = self._spec
        verneed = self._verneed()
        symtab = bytes(24) + b"".join(
            struct.pack("<IBBHQQ", name, 0x12, 0, 0, 0, 0) for name, _ in self._symbols
        )
        versym = struct.pack(f"<{len(self._symbols) + 1}H", 0, *(i for _, i in self._symbols))
        needed = [self._strings.add(name) for name in (*spec.libraries, *spec.versions)]
        paths = {
            tag: self._strings.add(text)
            for tag, text in (
                (_DT_SONAME, spec.soname),
                (_DT_RPATH, spec.rpath),
                (_DT_RUNPATH, spec.runpath),
            )
            if text
        }
        if spec.module:
            self._strings.add(f"PyInit_{spec.module}")
        # Every table begins at a multiple of eight; the file is mapped at address 0.
        parts = {".dynsym": symtab, ".dynstr": self._strings.data, ".gnu.version": versym}
        parts[".gnu.version_r"] = verneed
        # One empty bucket: nothing is defined here. The chains have one entry a symbol.
        count = len(self._symbols) + 1
        parts[".hash"] = struct.pack("<III", 1, count, 0) + bytes(4 * count)
        headers = 64 + self._segments * 56
        offsets, body = {}, bytearray(bytes(headers))
        for name, part in parts.items():
            offsets[name] = len(body)
            body += part + bytes(-len(part) % 8)
        offsets[".dynamic"] = len(body)
        dynamic = self._dynamic(needed, paths, offsets)
        parts[".dynamic"] = dynamic
        body += dynamic
        sections = self._sections(parts, offsets, body) if spec.section_headers else (0, 0)
        # Writable, too: the loader notes addresses in the dynamic segment.
        load = struct.pack("<IIQQQQQQ", _PT_LOAD, 7, 0, 0, 0, len(body), len(body), spec.align)
        at, size = offsets[".dynamic"], len(dynamic)
        segment = struct.pack("<IIQQQQQQ", _PT_DYNAMIC, 6, at, at, at, size, size, 8)
        body[:headers] = self._header(*sections) + load + segment + self._others(body)
        return bytes(body)

    @property
    def _segments(self) -> int:
        return 2 + (self._spec.interpreter is not None) + self._spec.executable_stack

    def _others(self, body: bytearray) -> bytes:
        """Give the headers of the segments that few files have, and append what they point at."""
        found = b""
        if self._spec.interpreter is not None:
            text = self._spec.interpreter.encode() + b"\0"
            at, size = len(body), len(text)
            body += text
            found += struct.pack("<IIQQQQQQ", _PT_INTERP, 4, at, at, at, size, size, 1)
        if self._spec.executable_stack:
            found += struct.pack("<IIQQQQQQ", _PT_GNU_STACK, 7, 0, 0, 0, 0, 0, 16)
        return found

    def _header(self, sections_at: int, sections: int) -> bytes:
        ident = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
        spec = self._spec
        head = struct.pack("<HHIQQQI", spec.kind, spec.machine, 1, 0, 64, sections_at, 0)
        return (
            ident
            + head
            + struct.pack("<HHHHHH", 64, 56, self._segments, 64, sections, max(sections - 1, 0))
        )

    def _verneed(self) -> bytes:
        entries = []
        for library, versions in self._spec.versions.items():
            auxiliaries = []
            for version, symbol in versions.items():
                if symbol is not None:
                    self._symbols.append((self._strings.add(symbol), self._index))
                name = self._strings.add(version)
                auxiliaries.append(struct.pack("<IHHI", 0, 0, self._index, name))
                self._index += 1
            entries.append((self._strings.add(library), auxiliaries))
        table = b""
        for number, (library_name, auxiliaries) in enumerate(entries, 1):
            following = 0 if number == len(entries) else 16 + 16 * len(auxiliaries)
            table += struct.pack("<HHIII", 1, len(auxiliaries), library_name, 16, following)
            for count, auxiliary in enumerate(auxiliaries, 1):
                table += auxiliary + struct.pack("<I", 16 if count < len(auxiliaries) else 0)
        return table

    def _dynamic(
        self, needed: Sequence[int], paths: Mapping[int, int], offsets: Mapping[str, int]
    ) -> bytes:
        tags = [(_DT_NEEDED, name) for name in needed]
        tags += paths.items()
        tags += [(_DT_STRTAB, offsets[".dynstr"]), (_DT_STRSZ, len(self._strings.data))]
        tags += [(_DT_SYMTAB, offsets[".dynsym"]), (_DT_HASH, offsets[".hash"])]
        if self._spec.versions:
            tags += [(_DT_VERSYM, offsets[".gnu.version"])]
            tags += [(_DT_VERNEED, offsets[".gnu.version_r"])]
            tags += [(_DT_VERNEEDNUM, len(self._spec.versions))]
        return b"".join(struct.pack("<QQ", *tag) for tag in [*tags, (_DT_NULL, 0)])

    def _sections(
        self, parts: Mapping[str, bytes], offsets: Mapping[str, int], body: bytearray
    ) -> tuple[int, int]:
        """Append the section headers; give where they begin and how many they are."""
        names = _Strings()
        # Type, link (the section of the strings or symbols), info, size of an entry.
        kinds = {
            ".dynsym": (_DYNSYM, 2, 1, 24),
            ".dynstr": (_STRTAB, 0, 0, 0),
            ".gnu.version": (_VERSYM, 1, 0, 2),
            ".gnu.version_r": (_VERNEED, 2, len(self._spec.versions), 0),
            ".hash": (_HASH, 1, 0, 4),
            ".dynamic": (_DYNAMIC, 2, 0, 16),
        }
        headers = bytes(64)
        for name, (kind, link, info, entry) in kinds.items():
            if name.startswith(".gnu") and not self._spec.versions:
                kind = 1  # noqa: PLW2901  # an empty table is no table of versions
            offset, size = offsets[name], len(parts[name])
            headers += struct.pack("<IIQQ", names.add(name), kind, 2, offset)
            headers += struct.pack("<QQIIQQ", offset, size, link, info, 8, entry)
        own = names.add(".shstrtab")
        headers += struct.pack("<IIQQ", own, _STRTAB, 0, 0)
        headers += struct.pack("<QQIIQQ", len(body), len(names.data), 0, 0, 1, 0)
        body += names.data + bytes(-len(names.data) % 8)
        start = len(body)
        body += headers
        return start, len(kinds) + 2
