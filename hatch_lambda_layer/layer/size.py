"""The limits of a layer's size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._internal.console import aligned, megabytes
from ..exceptions import SizeError
from ..findings import codes
from ..wheels.wheel import MAX_MEMBERS
from .manifest import packages

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..findings import Finding
    from ..wheels.wheel import Wheel
    from .manifest import LayerPackage
    from .tree import LayerTree

# Up to this share of the limit there is room left for the function's own code, which counts, too.
_ROOMY = 0.8
_LARGEST_SHOWN = 10


def check_size(
    tree: LayerTree,
    wheels: Sequence[Wheel],
    largest: int,
    excluded: Sequence[str] = (),
    function: int = 0,
) -> list[Finding]:
    """Check the size of a layer; return a finding if it is close to `largest` bytes, unpacked.

    `excluded` are the distributions that have been left out of the `wheels`, `function` is what the
    functions that use the layer bring themselves, in bytes.

    Raises `SizeError` for a layer that is larger, or empty, or has more files than a zip can hold.
    The error of one that is too large lists the largest packages.
    """
    if not tree.entries:
        raise _empty(() if wheels else excluded)
    if len(tree.entries) > MAX_MEMBERS:
        raise SizeError(
            f"The layer has {len(tree.entries):,} files, but a zip holds at most {MAX_MEMBERS:,}",
            hint='`prune = ["tests", "stubs", "headers"]` leaves out some of them',
        )
    size = tree.unpacked_size
    if size > largest:
        table = _largest(packages(tree, wheels), _LARGEST_SHOWN)
        raise SizeError(
            f"The layer unpacks to {size:,} bytes, but at most {largest:,} are allowed; the "
            f"largest packages are:\n{table}",
            hint='`prune = ["tests", "stubs", "headers"]` makes it smaller',
        )
    return nearly_full(size, largest, function)


def _empty(excluded: Sequence[str]) -> SizeError:
    if excluded:
        return SizeError(
            f"The layer is empty: `exclude` leaves out all that is locked: {', '.join(excluded)}",
            hint="exclude less, or remove this layer",
        )
    return SizeError(
        "The layer is empty: the lockfile has no packages for this target and these groups, "
        "or everything was pruned",
        hint="check `groups`, `extras` and `prune`, or set `include-project = true`",
    )


def nearly_full(size: int, largest: int, function: int) -> list[Finding]:
    """Return a finding if `size` leaves little room below `largest` less `function`.

    All three are in bytes, unpacked; `function` is what the function itself takes.
    """
    allowed = max(largest - function, 1)
    if size <= allowed * _ROOMY:
        return []
    share = f"{size / allowed:.0%} of the {allowed:,} bytes allowed"
    rest = f", which leaves {function:,} for the function" if function else ""
    message = f"the layer takes {share}, unpacked{rest}"
    hint = '`prune = ["tests", "stubs", "headers"]` makes it smaller'
    return [codes.NEARLY_FULL.finding("max-size", message, hint=hint)]


def _largest(packages: Iterable[LayerPackage], count: int) -> str:
    """Return the `count` packages with the largest unpacked size, one a line."""
    ordered = sorted(packages, key=lambda package: -package.unpacked_size)[:count]
    rows = [(each.name, each.version, megabytes(each.unpacked_size)) for each in ordered]
    return "\n".join(aligned(("package", "version", "unpacked"), rows))
