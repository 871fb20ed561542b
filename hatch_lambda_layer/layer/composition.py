"""The composition of wheels and included files to the tree of a layer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from .findings import USELESS_PATTERN, Finding
from .placement import place
from .tree import LayerTree

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ..targets.target import Target
    from ..wheels.wheel import Wheel
    from .inclusion import IncludedFile
    from .tree import Entry


def compose(
    wheels: Sequence[Wheel],
    included: Sequence[IncludedFile],
    pack_path: Path,
    target: Target,
    patterns: Sequence[str],
    prefer: Sequence[str] = (),
) -> tuple[LayerTree, list[Finding]]:
    """Return the settled tree of a layer, pruned by `patterns`, and the findings about it.

    Included files are compressed into `pack_path` when there are any. Where two distributions
    claim one path with different content, that of the first in `prefer` stays; raises
    `ConflictError` if neither is in it.
    """
    entries: list[Entry] = []
    findings: list[Finding] = []
    for wheel in wheels:
        placed, left_out = place(wheel, target)
        entries += placed
        findings += [Finding(code="left-out", message=note) for note in left_out]
    if included:
        from .inclusion import pack

        with pack_path.open("wb") as file:
            entries += pack(included, pack_path, file)
    tree = LayerTree(tuple(entries))
    if patterns:
        from .pruning import prune

        tree, warnings = prune(tree, patterns, stub_readers(wheels))
        findings += [Finding(code=USELESS_PATTERN, message=warning) for warning in warnings]
    return tree.settled([canonicalize_name(name) for name in prefer]), findings


def stub_readers(wheels: Sequence[Wheel]) -> set[str]:
    """Return the distributions whose `.pyi` files lazy-loader reads when they are imported."""
    lazy = re.compile(r"lazy[-_.]?loader\b", re.IGNORECASE)
    return {wheel.name for wheel in wheels if any(lazy.match(need) for need in wheel.requires_dist)}
