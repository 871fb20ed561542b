"""The limits of a layer's size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._internal.console import aligned, megabytes
from ..exceptions import SizeError
from ..wheels.wheel import MAX_MEMBERS
from .findings import Finding
from .manifest import packages

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..wheels.wheel import Wheel
    from .manifest import LayerPackage
    from .tree import LayerTree

NEARLY_FULL = "nearly-full"
# Up to here there is room for the function's own code, which has to fit, too.
_ROOMY = 0.8
_LARGEST_SHOWN = 10


def check_size(tree: LayerTree, wheels: Sequence[Wheel], largest: int) -> list[Finding]:
    """Warn of a layer that nearly has the `largest` size, in bytes unpacked.

    Raises `SizeError` for one that is larger, that is empty, or that no zip can hold.
    """
    if not tree.entries:
        raise SizeError(
            "The layer is empty: the lockfile has no packages for this target and these groups, "
            "or everything was pruned",
            hint="check `groups`, `extras` and `prune`, or set `include-project = true`",
        )
    if len(tree.entries) > MAX_MEMBERS:
        raise SizeError(
            f"The layer has {len(tree.entries):,} files, a zip holds {MAX_MEMBERS:,} of them",
            hint='`prune = ["tests", "stubs", "headers"]` leaves out some',
        )
    size = tree.unpacked_size
    if size > largest:
        table = _largest(packages(tree, wheels), _LARGEST_SHOWN)
        raise SizeError(
            f"The layer unpacks to {size:,} bytes, {largest:,} are allowed; the largest packages "
            f"are:\n{table}",
            hint='`prune = ["tests", "stubs", "headers"]` makes it smaller',
        )
    return nearly_full(size, largest)


def nearly_full(size: int, largest: int) -> list[Finding]:
    """Warn of a size, in bytes unpacked, that leaves little room below the `largest`."""
    if size <= largest * _ROOMY:
        return []
    share = f"{size / largest:.0%} of the {largest:,} bytes allowed"
    return [Finding(code=NEARLY_FULL, message=f"the layer takes {share}, unpacked")]


def _largest(packages: Iterable[LayerPackage], count: int) -> str:
    """Give the packages that take the most room, one a line."""
    ordered = sorted(packages, key=lambda package: -package.unpacked_size)[:count]
    rows = [(each.name, each.version, megabytes(each.unpacked_size)) for each in ordered]
    return "\n".join(aligned(("package", "version", "unpacked"), rows))
