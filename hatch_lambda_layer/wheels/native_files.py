"""Native files of a wheel, and why a target can't run them.

The tags of some wheels say nothing about them: `linux_x86_64`, which an index of one's own may
have, and `any` on wheels that have shared objects all the same. Then only the files decide.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..exceptions import SelectionError
from ..targets.loading import misfits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from packaging.tags import Tag

    from ..targets.elf import ElfFile
    from ..targets.target import Target
    from .wheel import Wheel

_SHOWN = 5
# CPython's suffix of extension modules: they are for that version alone.
_OF_CPYTHON = re.compile(r"\.cpython-(\d)(\d+)\w*-[\w-]+\.so$")


def tags_of(wheel: Wheel) -> frozenset[Tag]:
    """Return the tags in the name of a wheel."""
    from packaging.utils import parse_wheel_filename

    return parse_wheel_filename(wheel.filename)[-1]


def has_native_files(wheel: Wheel) -> bool:
    """Return whether a file of the wheel is a program or library for Linux."""
    return bool(wheel.native)


def unfitting_files(wheel: Wheel, target: Target) -> Iterator[str]:
    """Yield a sentence for each reason for which the target can't run the files of a wheel."""
    any_platform = all(tag.platform == "any" for tag in tags_of(wheel))
    native = dict(wheel.native)
    files: dict[str, ElfFile] = {}
    for member in wheel.members:
        if member.sha256 in native:
            files[member.path] = native[member.sha256]
        elif any_platform and member.path.endswith(".so"):
            yield f"`{member.path}` is native code of another system than Linux"
    beside = _libraries(files)
    for path, elf in files.items():
        version = _OF_CPYTHON.search(path)
        if version and (int(version[1]), int(version[2])) != target.runtime.python_version:
            yield f"`{path}` is for Python {version[1]}.{version[2]}"
        for reason in misfits(elf, target, beside):
            yield f"`{path}` {reason}"


def check_plain_linux(wheels: Iterable[Wheel], target: Target) -> None:
    """Raise `SelectionError` for locked wheels that only say `linux`, and that don't fit."""
    manylinux = {tag for tag in target.tags() if not tag.platform.startswith("linux_")}
    for wheel in wheels:
        if manylinux.isdisjoint(tags_of(wheel)) and (reasons := [*unfitting_files(wheel, target)]):
            raise SelectionError(
                f"The wheel `{wheel.filename}` does not fit {target.id}:\n{listed(reasons)}",
                hint="its tag does not say what it needs: build it on a system as old as the "
                "runtime's, such as Lambda's build image, and let auditwheel put the libraries "
                "that it needs into it",
            )


def listed(reasons: Sequence[str]) -> str:
    """Return the first reasons, each in a line."""
    more = [f"and {len(reasons) - _SHOWN} more"] if len(reasons) > _SHOWN else []
    return "\n".join(f"- {reason}" for reason in [*reasons[:_SHOWN], *more])


def _libraries(files: Mapping[str, ElfFile]) -> Sequence[str]:
    """Return the names under which ELF files can require the libraries of a wheel."""
    names = [path.rpartition("/")[-1] for path in files]
    return [*names, *(elf.soname for elf in files.values() if elf.soname)]
