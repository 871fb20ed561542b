"""Which file of a layer the loader takes for a library that another one needs (ld.so(8))."""

from __future__ import annotations

import posixpath
from functools import cached_property
from typing import TYPE_CHECKING

from ...targets.loading import provided

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ...targets.elf import ElfFile
    from .subject import Subject

# What the loader puts in the place of these, for a 64-bit program.
_TOKENS = {"LIB": "lib64", "PLATFORM": "x86_64"}


class Linking:
    """The libraries that the files of a subject lead to."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._found: dict[tuple[str, str], str | None] = {}
        self._missing: dict[str, dict[str, None]] = {}
        self._inherited: dict[str, tuple[str, ...]] = {}

    def closure(self, roots: Iterable[str]) -> set[str]:
        """Return the files that are loaded with the `roots`, each of them alone.

        What is not found on the way is `missing` from then on.
        """
        reached: set[str] = set()
        for root in roots:
            reached |= self._load(root)
        return reached

    def missing(self, path: str) -> Iterator[str]:
        """Yield the names of the libraries that a file needs and that its loader does not find."""
        if path not in self._missing:
            self._load(path)
        yield from self._missing.get(path, ())

    def brings(self, path: str, name: str) -> bool:
        """Return whether a file takes a library from the subject, not from the runtime."""
        return self._find(path, name, self._inherited.get(path, ())) is not None

    def elsewhere(self, name: str) -> str | None:
        """Return the path of a file that has the name, wherever it lies; `None` if none has it."""
        return self._by_name.get(name)

    @cached_property
    def needed_by_others(self) -> set[str]:
        """The files that are found for another one."""
        found = set()
        for path, elf in self._subject.native.items():
            for name in elf.libraries:
                if (other := self._find(path, name, ())) is not None and other != path:
                    found.add(other)
        return found

    @cached_property
    def _by_name(self) -> dict[str, str]:
        names = {path.rpartition("/")[2]: path for path in self._subject.native}
        names |= {path.rpartition("/")[2]: path for path in self._subject.links}
        return {
            **{elf.soname: path for path, elf in self._subject.native.items() if elf.soname},
            **names,
        }

    def _load(self, root: str) -> set[str]:
        """Load one file with all that it needs, in the loader's order: breadth first."""
        reached = {root: None}
        names: set[str] = set()
        waiting: list[tuple[str, tuple[str, ...]]] = [(root, ())]
        while waiting:
            path, inherited = waiting.pop(0)
            elf = self._subject.native[path]
            self._missing.setdefault(path, {})
            self._inherited.setdefault(path, inherited)
            names |= {path.rpartition("/")[2], elf.soname or ""}
            # What a file finds by RPATH, those that it needs find there, too.
            passed = (*self._folders(path, elf.rpath), *inherited) if not elf.runpath else ()
            for name in elf.libraries:
                if name in names:
                    continue
                other = self._find(path, name, inherited)
                if other is not None and other not in reached:
                    reached[other] = None
                    names.add(name)
                    waiting.append((other, passed))
                elif other is None and name not in provided(self._subject.target):
                    self._missing[path][name] = None
        return {*reached}

    def _find(self, path: str, name: str, inherited: Sequence[str]) -> str | None:
        key = (path, name)
        if self._found.get(key) is None:
            self._found[key] = self._search(path, name, inherited)
        return self._found[key]

    def _search(self, path: str, name: str, inherited: Sequence[str]) -> str | None:
        subject = self._subject
        elf: ElfFile = subject.native[path]
        if "/" in name:
            return self._file(name)
        own = elf.runpath or elf.rpath
        folders = [*self._folders(path, own), *(() if elf.runpath else inherited)]
        folders += [f"{subject.folder}/{folder}" for folder in subject.library_folders]
        return next(filter(None, (self._file(f"{folder}/{name}") for folder in folders)), None)

    def _folders(self, path: str, entries: Iterable[str]) -> Iterator[str]:
        origin = f"{self._subject.folder}/{path.rpartition('/')[0]}"
        for entry in entries:
            folder = entry
            for token, value in {"ORIGIN": origin, **_TOKENS}.items():
                folder = folder.replace(f"${{{token}}}", value).replace(f"${token}", value)
            yield folder

    def _file(self, path: str) -> str | None:
        """Return the path in the subject of a file with an absolute path, if it is an ELF file."""
        below = f"{self._subject.folder}/"
        normal = posixpath.normpath(path)
        if not normal.startswith(below):
            return None
        inside = normal[len(below) :]
        inside = self._subject.links.get(inside, inside)
        return inside if inside in self._subject.native else None
