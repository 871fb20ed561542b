"""The limits of a layer's size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._internal.console import aligned, megabytes
from ..exceptions import SizeError
from ..findings import codes
from ..wheels.wheel import MAX_MEMBERS
from .manifest import packages
from .savings import ways_to_fit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ..config.layer import LayerConfig
    from ..findings import Finding
    from ..wheels.wheel import Wheel
    from .savings import Load
    from .tree import LayerTree

# Up to this share of the limit there is room left for the function's own code, which counts, too.
_ROOMY = 0.8
_LARGEST_SHOWN = 10


def check_size(
    tree: LayerTree,
    wheels: Sequence[Wheel],
    config: LayerConfig,
    load: Callable[[LayerTree, Sequence[Wheel]], Load],
    excluded: Sequence[str] = (),
) -> list[Finding]:
    """Check the size of a layer; return a finding if it is close to `max-size`, unpacked.

    `excluded` are the distributions that have been left out of the `wheels`.

    Raises `SizeError` for a layer that is larger, or empty, or has more files than a zip can hold.
    The error of one that is too large lists the largest packages; `load` is for its hint.
    """
    if not tree.entries:
        raise _empty(() if wheels else excluded)
    if len(tree.entries) > MAX_MEMBERS:
        raise SizeError(
            f"The layer has {len(tree.entries):,} files, but a zip holds at most {MAX_MEMBERS:,}",
            hint='`prune = ["tests", "stubs", "headers"]` leaves out some of them',
        )
    size, largest = tree.unpacked_size, config.max_size
    if size > largest:
        found = packages(tree, wheels)
        rows = [(each.name, each.version, each.unpacked_size) for each in found]
        raise too_large(size, rows, load(tree, wheels), config)
    return nearly_full(size, largest, config.function_size)


def too_large(
    size: int,
    rows: Iterable[tuple[str, str, int]],
    load: Load,
    config: LayerConfig,
    *,
    early: bool = False,
) -> SizeError:
    """Return the error for a layer that is larger than `max-size`.

    `rows` are names, versions and sizes of packages; with `early`, `size` is only the least that
    the layer would have.
    """
    ordered = sorted(rows, key=lambda row: -row[2])[:_LARGEST_SHOWN]
    cells = [(name, version, megabytes(each)) for name, version, each in ordered]
    table = "\n".join(aligned(("package", "version", "unpacked"), cells))
    what, rest = "The layer unpacks to", ""
    if early:
        what = "The layer would unpack to at least"
        rest = ", so the rest was neither fetched nor built"
    return SizeError(
        f"{what} {size:,} bytes, but at most {config.max_size:,} are allowed{rest}; "
        f"the largest packages are:\n{table}",
        hint=ways_to_fit(load, config) or None,
    )


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
    hint = "`exclude` and `prune` leave out what your functions do without"
    return [codes.NEARLY_FULL.finding("max-size", message, hint=hint)]
