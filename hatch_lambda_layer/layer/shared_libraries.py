"""`libraries`: shared libraries that wheels of the lock have, put where others find them.

Lambda has a layer's `lib/` on LD_LIBRARY_PATH. The loader looks for the name of a file there, so
that a copy which auditwheel has renamed is found under the name that others need.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from ..exceptions import ConfigError, backticked
from ..targets.loading import other_machine, provided
from .tree import Entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ..targets.elf import ElfFile
    from ..targets.target import Target
    from ..wheels.wheel import Wheel, WheelMember

FOLDER = "lib/"
# `libgomp.so.1`, and how auditwheel calls its copy: `libgomp-a34b3233.so.1.0.0`.
_NAME = re.compile(r"(?P<stem>.+?)(?:-[0-9a-f]{6,40})*\.so(?:\.(?P<major>\d+))?(?:\.\d+)*")
_SHOWN = 8


class _Library(NamedTuple):
    wheel: Wheel
    member: WheelMember
    elf: ElfFile

    @property
    def filename(self) -> str:
        return self.member.path.rpartition("/")[2]


def take_libraries(
    names: Sequence[str], wheels: Iterable[Wheel], target: Target
) -> list[tuple[Entry, ElfFile]]:
    """Return an entry in `lib/` for each library of `names`, and for those that these need.

    Raises `ConfigError` with the names that no wheel has.
    """
    if not names:
        return []
    known = list(_libraries(wheels, target))
    taken: dict[str, _Library] = {}
    unknown = []
    for name in names:
        if (found := _best(name, known)) is None:
            unknown.append(name)
        else:
            _take(name, found, known, target, taken)
    if unknown:
        raise ConfigError([_refusal(name, known) for name in unknown])
    return [(_entry(name, each), each.elf) for name, each in sorted(taken.items())]


def _take(
    name: str,
    found: _Library,
    known: Sequence[_Library],
    target: Target,
    taken: dict[str, _Library],
) -> None:
    """Take a library, and all that it needs of the same wheel, under the names it needs."""
    taken[name] = found
    beside = [each for each in known if each.wheel is found.wheel]
    for need in found.elf.libraries:
        if need in taken or need in provided(target):
            continue
        # What no wheel has is told by the audit, which finds the need of the copy.
        if (other := _best(need, beside) or _best(need, known)) is not None:
            _take(need, other, known, target, taken)


def _libraries(wheels: Iterable[Wheel], target: Target) -> Iterator[_Library]:
    for wheel in sorted(wheels, key=lambda each: each.name):
        native: Mapping[str, ElfFile] = dict(wheel.native)
        for member in wheel.members:
            elf = native.get(member.sha256)
            if elf is None or not elf.loadable or elf.broken or elf.module or elf.program:
                continue
            if other_machine(elf, target) is None:
                yield _Library(wheel, member, elf)


def _best(name: str, known: Sequence[_Library]) -> _Library | None:
    """Return the library of a name: one that is called so, else one that was renamed."""
    for each in known:
        if name in (each.filename, each.elf.soname):
            return each
    wanted = _identity(name)
    return next((each for each in known if wanted and _identity(each.filename) == wanted), None)


def _identity(filename: str) -> tuple[str, str | None] | None:
    match = _NAME.fullmatch(filename)
    return (match["stem"], match["major"]) if match else None


def _refusal(name: str, known: Sequence[_Library]) -> str:
    others = sorted({each.filename for each in known})
    more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
    has = f"they have {backticked(others[:_SHOWN])}{more}" if others else "they have none at all"
    return f"Field `tool.lambda-layer.libraries` names {name!r}, which no wheel has: {has}"


def _entry(name: str, library: _Library) -> Entry:
    member = library.member
    return Entry(
        path=f"{FOLDER}{name}",
        owner=library.wheel.name,
        executable=member.executable,
        method=member.method,
        source=library.wheel.file,
        offset=member.offset,
        compressed_size=member.compressed_size,
        size=member.size,
        crc=member.crc,
        sha256=member.sha256,
        packed_crc=member.packed_crc,
    )
