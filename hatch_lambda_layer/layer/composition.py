"""The composition of wheels and included files to the tree of a layer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from packaging.utils import canonicalize_name

from ..findings import codes
from .placement import place
from .tree import LayerTree

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ..findings import Finding
    from ..targets.elf import ElfFile
    from ..targets.target import Target
    from ..wheels.wheel import Wheel
    from .inclusion import IncludedFile
    from .tree import Entry


class Composition(NamedTuple):
    """The settled tree of a layer, what was found on the way, and the facts about ELF files in it.

    `native` is by the sha256 (hexadecimal) of a file's content.
    """

    tree: LayerTree
    findings: list[Finding]
    native: dict[str, ElfFile]


def compose(
    wheels: Sequence[Wheel],
    included: Sequence[IncludedFile],
    pack_path: Path,
    target: Target,
    patterns: Sequence[str],
    added: Sequence[Entry] = (),
    prefer: Sequence[str] = (),
) -> Composition:
    """Return the layer of `wheels`, `included` files and what is `added`, pruned by `patterns`.

    Included files are compressed into `pack_path` when there are any. Where two distributions
    claim one path with different content, that of the first in `prefer` stays; raises
    `ConflictError` if neither is in it.
    """
    entries: list[Entry] = [*added]
    findings: list[Finding] = []
    native = {sha256: elf for wheel in wheels for sha256, elf in wheel.native}
    for wheel in wheels:
        placed, left_out = place(wheel, target)
        entries += placed
        findings += left_out
    if included:
        from .inclusion import pack

        with pack_path.open("wb") as file:
            entries += pack(included, pack_path, file, native)
    tree = LayerTree(tuple(entries))
    if patterns:
        from .pruning import prune

        tree, useless = prune(tree, patterns, stub_readers(wheels))
        findings += [codes.UNUSED_PATTERN.finding("prune", warning) for warning in useless]
    settled = tree.settled([canonicalize_name(name) for name in prefer])
    return Composition(settled, findings, native)


def stub_readers(wheels: Sequence[Wheel]) -> set[str]:
    """Return the distributions whose `.pyi` files lazy-loader reads when they are imported."""
    lazy = re.compile(r"lazy[-_.]?loader\b", re.IGNORECASE)
    return {wheel.name for wheel in wheels if any(lazy.match(need) for need in wheel.requires_dist)}
