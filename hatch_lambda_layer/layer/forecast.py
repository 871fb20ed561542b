"""Refusing a layer that is too large before it is fetched, as far as its size is clear by then.

Only what is sure to stay in the layer counts, and of that never more than there is: what is not
refused here is measured when it is composed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from .placement import FOLDERS, ROOT
from .pruning import prune
from .savings import Load
from .size import too_large
from .tree import Entry, LayerTree

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from ..config.layer import LayerConfig
    from ..wheels.selection import LockedWheel
    from ..wheels.survey import Extent, Survey
    from ..wheels.wheel import Wheel
    from .dependency_graph import Node

# Wheels that are this much smaller than the limit have hardly ever turned out to be too large.
_USUAL_RATIO = 4
# A wheel that is smaller is not asked for its directory where the lock has its size.
_WORTH_ASKING = 1 << 20
# The headers of a zip are in the size of a wheel, and not in that of a layer.
_HEADERS_SHARE, _HEADERS = 20, 1 << 16
_DATA = re.compile(r"[^/]+\.data/(\w+)/(.+)")


class Forecast(NamedTuple):
    """A check of a layer's size; `stays` is true for a package that is sure to be in the layer.

    `roots` returns the packages that are there for their own sake.
    """

    config: LayerConfig
    stays: Callable[[str], bool]
    roots: Callable[[], Collection[Node]]

    def check(self, found: Mapping[LockedWheel, Wheel | None], survey: Survey) -> None:
        """Raise `SizeError` if the wheels of the cache and those to be fetched are too large."""
        certain = {each: wheel for each, wheel in found.items() if self.stays(each.name)}
        missing = [each for each, wheel in certain.items() if wheel is None]
        here = {
            each.name: _entries(each.name, ((member.path, member.size) for member in wheel.members))
            for each, wheel in certain.items()
            if wheel is not None
        }
        self._check_sum(certain, here, {each: each.size for each in missing})
        packed = sum(each.size or 0 for each in missing)
        room = self.config.max_size - sum(each.size for each in self._kept(here))
        unknown = any(each.size is None for each in missing)
        if not unknown and packed * _USUAL_RATIO <= room:
            return
        asked = [each for each in missing if each.size is None or each.size >= _WORTH_ASKING]
        extents = survey.extents(asked)
        self._check_sum(certain, {**here, **_by_name(extents)}, _sizes(missing, extents))

    def _check_sum(
        self,
        certain: Collection[LockedWheel],
        entries: Mapping[str, Sequence[Entry]],
        sizes: Mapping[LockedWheel, int | None],
    ) -> None:
        """Raise `SizeError` if the files that are known, and the sizes of the rest, are too much.

        How much of a wheel would be pruned shows only in the list of its files.
        """
        kept = self._kept(entries)
        by_name = dict.fromkeys(entries, 0)
        for entry in kept:
            by_name[entry.owner] += entry.size
        if not self.config.prune:
            rest = {each: size or 0 for each, size in sizes.items() if each.name not in entries}
            by_name |= {each.name: _at_least(size) for each, size in rest.items()}
        total = sum(by_name.values())
        if total > self.config.max_size:
            versions = {each.name: each.version for each in certain}
            raise too_large(
                total,
                [(name, versions[name], size) for name, size in by_name.items()],
                Load(sizes=by_name, entries=kept, roots=self.roots()),
                self.config,
                early=True,
            )

    def _kept(self, entries: Mapping[str, Sequence[Entry]]) -> Sequence[Entry]:
        """Return the files that are not pruned, each path once."""
        tree = LayerTree(tuple(entry for each in entries.values() for entry in each))
        if self.config.prune:
            # The packages that read their stubs are unknown: less than this is never left.
            tree, _ = prune(tree, self.config.prune, ())
        by_path = {entry.path: entry for entry in sorted(tree, key=lambda entry: -entry.size)}
        return tuple(by_path.values())


def _sizes(
    missing: Iterable[LockedWheel], extents: Mapping[LockedWheel, Extent]
) -> dict[LockedWheel, int | None]:
    return {each: extents[each].size if each in extents else each.size for each in missing}


def _by_name(extents: Mapping[LockedWheel, Extent]) -> dict[str, Sequence[Entry]]:
    return {
        each.name: _entries(each.name, extent.members)
        for each, extent in extents.items()
        if extent.members is not None
    }


def _entries(owner: str, members: Iterable[tuple[str, int]]) -> list[Entry]:
    return list(_placed(owner, members))


def _placed(owner: str, members: Iterable[tuple[str, int]]) -> Iterator[Entry]:
    """Yield entries of which only path, owner and size are known."""
    empty = Entry.made("", owner, b"")
    for name, size in members:
        match = _DATA.fullmatch(name)
        if match is None:
            # An installer writes RECORD anew.
            yield empty._replace(path=ROOT + name, size=0 if name.endswith("/RECORD") else size)
        elif match[1] in FOLDERS:
            yield empty._replace(path=f"{ROOT}{FOLDERS[match[1]]}{match[2]}", size=size)


def _at_least(size: int) -> int:
    """Return what a wheel of `size` bytes unpacks to at least."""
    return max(0, size - size // _HEADERS_SHARE - _HEADERS)
