"""The ways to a smaller layer, each with what it saves: computed, not guessed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._internal.console import megabytes
from ..config.layer import LAMBDA_UNPACKED_LIMIT
from ..targets.families import families
from .dependency_graph import Node, names_of
from .pruning import PRESETS, prune
from .tree import LayerTree

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from ..config.layer import LayerConfig
    from .dependency_graph import DependencyGraph
    from .tree import Entry

# A package that is a smaller part of the limit is not worth a question.
_WORTHWHILE = 0.02
_SHOWN = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """The content of a layer that is too large.

    `sizes` has the unpacked size of each package, in bytes, or as much as is known of it;
    `entries` the files, where they are known. `roots` are the packages that are there for their own
    sake, none where nobody says so; `graph` has who needs the others, `None` where that is unknown.
    `stub_readers` are the packages that read their `.pyi` files.
    """

    sizes: Mapping[str, int]
    entries: Sequence[Entry]
    roots: Collection[Node]
    graph: DependencyGraph | None = None
    stub_readers: Collection[str] = ()

    @property
    def size(self) -> int:
        """The size of all packages together."""
        return sum(self.sizes.values())

    def pruned(self, presets: Sequence[str]) -> dict[str, int]:
        """Return how much presets save, by package."""
        kept, _ = prune(LayerTree(tuple(self.entries)), presets, self.stub_readers)
        saved: dict[str, int] = {}
        for entries, sign in ((self.entries, 1), (kept.entries, -1)):
            for entry in entries:
                saved[entry.owner] = saved.get(entry.owner, 0) + sign * entry.size
        return saved

    def gone_without(self, names: Collection[str]) -> set[str]:
        """Return the packages that are left out with `names`: these, and what only they need."""
        if self.graph is None:
            return {*names} & self.sizes.keys()
        stays = self.graph.reach(self.roots, without=names)
        return {*self.graph.names} - names_of(stays)


def ways_to_fit(load: Load, config: LayerConfig) -> str:
    """Return a hint about a layer that is larger than `max-size`."""
    largest = config.max_size
    ways, left = [], load.size
    if load.size <= LAMBDA_UNPACKED_LIMIT:
        ways.append(
            f"raise `max-size`: Lambda allows {LAMBDA_UNPACKED_LIMIT:,} bytes with the function"
        )
    presets = [
        name for name in PRESETS if name not in config.prune and any(load.pruned([name]).values())
    ]
    pruned = load.pruned(presets) if presets else {}
    if presets:
        left -= sum(pruned.values())
        preset_list = json.dumps([*config.prune, *presets])
        ways.append(f"`prune = {preset_list}` saves {megabytes(sum(pruned.values()))}")
    gone: set[str] = set()
    for way, names in _exclusions(load, config):
        more = load.gone_without(names) - gone
        saved = sum(load.sizes[name] - pruned.get(name, 0) for name in more & load.sizes.keys())
        if saved >= largest * _WORTHWHILE and len(ways) < _SHOWN + 1:
            gone |= more
            left -= saved
            ways.append(way.format(saved=megabytes(saved)))
    if left > largest:
        ways.append(_out_of_reach(load, pruned, left, largest))
    return "; ".join(ways)


def _exclusions(load: Load, config: LayerConfig) -> Iterator[tuple[str, Collection[str]]]:
    """Yield what could be excluded, the best first: a clause about it, and its packages."""
    for family in families().values():
        if family.name not in config.exclude and family.core & load.sizes.keys():
            names = json.dumps([*config.exclude, family.name])
            yield f"`exclude = {names}` saves {{saved}}: Lambda's runtimes have it", family.core
    saved = {name: _weight(load, load.gone_without([name])) for name in load.sizes}
    roots = names_of(load.roots)
    for name in sorted(saved, key=lambda each: -saved[each]):
        if name not in roots and not any(name in each.core for each in families().values()):
            exclude = json.dumps([*config.exclude, name])
            allowed = json.dumps([*config.allow_missing, name])
            yield (
                (
                    f"`exclude = {exclude}` with `allow-missing = {allowed}` saves {{saved}}, "
                    f"where your functions do without `{name}`"
                ),
                [name],
            )


def _weight(load: Load, names: Iterable[str]) -> int:
    return sum(load.sizes.get(name, 0) for name in names)


def _out_of_reach(load: Load, pruned: Mapping[str, int], left: int, largest: int) -> str:
    """Return that the limit can't be reached, or how far the ways before lead."""
    own = {name: load.sizes.get(name, 0) - pruned.get(name, 0) for name in names_of(load.roots)}
    least, limit = sum(own.values()), f"{largest:,} bytes"
    if least <= largest:
        return f"that leaves {megabytes(left)}: leave out more packages with `exclude`"
    heaviest = max(own, key=lambda name: own[name])
    image = "; Lambda takes functions of up to 10 GB as container images"
    return (
        f"{limit} can't be reached with what the project itself asks for: that alone takes "
        f"{megabytes(least)}, `{heaviest}` {megabytes(own[heaviest])} of them"
        f"{image if least > LAMBDA_UNPACKED_LIMIT else ''}"
    )
