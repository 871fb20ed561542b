"""Whether the runtime of a target can load an ELF file: its machine, versions and libraries.

The limits are data, in `ceilings.toml`.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .elf import FAMILY

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from .elf import ElfFile
    from .target import Target

# Marks of how a file was linked, each with the glibc that introduced it. Every other name without a
# number is either in all versions (`CXXABI_TM_1`) or internal to glibc (`GLIBC_PRIVATE`).
_GLIBC_MARKS = {"GLIBC_ABI_DT_RELR": "2.36", "GLIBC_ABI_GNU2_TLS": "2.42"}


class NewerVersion(NamedTuple):
    """A version that a file needs and the runtime lacks; `reason` is a sentence without subject."""

    library: str
    family: str
    reason: str


def misfits(elf: ElfFile, target: Target, beside: Collection[str] = ()) -> list[str]:
    """Return what keeps the runtime of `target` from loading the file, one phrase for each.

    A phrase is a sentence without its subject, such as "needs GLIBC_2.39 of `libc.so.6`, …".
    `beside` holds the names of libraries that come with the file.
    """
    if not elf.loadable:
        return []
    if elf.broken is not None:
        return [f"is a broken ELF file ({elf.broken})"]
    if reason := other_machine(elf, target):
        return [reason]
    return [
        *(each.reason for each in newer_versions(elf, target)),
        *(
            f"needs the library `{name}`, which neither the wheel nor the runtime has"
            for name in elf.libraries
            if name not in beside and name not in provided(target)
        ),
    ]


def other_machine(elf: ElfFile, target: Target) -> str | None:
    """Return a phrase if the file is for another machine than the runtime's, else `None`."""
    wanted = target.architecture.machine
    if elf.machine == wanted and elf.bits == 64:  # noqa: PLR2004  # Lambda has no other
        return None
    return f"is for {elf.bits}-bit {elf.machine}, the runtime is {wanted}"


def newer_versions(elf: ElfFile, target: Target) -> Iterator[NewerVersion]:
    """Yield the versions that the file needs of libraries that are older in the runtime."""
    ceilings = _ceilings(target)
    for library, version, symbol in elf.versions:
        match = FAMILY.fullmatch(version)
        if match is not None:
            family, number = match.groups()
        elif version in _GLIBC_MARKS:
            family, number = "GLIBC", _GLIBC_MARKS[version]
        else:
            reason = f"needs {version} of `{library}`, which another glibc need not have"
            yield NewerVersion(library, "GLIBC", reason)
            continue
        if _numbers(number) > _numbers(ceilings[family]):
            what = f"{symbol}@{version}" if symbol else version
            has = f"the runtime has {family} up to {ceilings[family]}"
            yield NewerVersion(library, family, f"needs {what} of `{library}`, {has}")


@cache
def provided(target: Target) -> frozenset[str]:
    """Return the names of the shared libraries that the runtime's image has."""
    major, minor = target.runtime.python_version
    lists = _facts()["libraries"].values()
    own = f"libpython{major}.{minor}.so.1.0"
    return frozenset({own, *(name for names in lists for name in names)})


@cache
def _ceilings(target: Target) -> Mapping[str, str]:
    """Return the newest version of each family of symbol versions that the target has."""
    glibc = target.runtime.glibc
    rows = _facts()["ceilings"][target.architecture.machine]
    newest = max((row for row in rows if _numbers(row) <= glibc), key=_numbers)
    return {**rows[newest], "GLIBC": ".".join(map(str, glibc))}


@cache
def _facts() -> dict[str, Any]:
    with Path(__file__).with_name("ceilings.toml").open("rb") as file:
        return tomllib.load(file)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))
