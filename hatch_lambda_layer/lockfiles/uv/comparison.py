"""Comparing requirements with those that `uv.lock` records: what was added, what was removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..._internal.tables import table_at
from .. import markers
from .requirements import LOCAL_KINDS, read_locked, settled
from .workspace import normal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from packaging.specifiers import SpecifierSet

    from .requirements import UvRequirement


class LocalPackage:
    """A package of the lockfile that is built from a folder of the user's."""

    def __init__(self, facts: Mapping[str, Any], kind: str, root: Path) -> None:
        metadata = table_at(facts, "metadata")
        self.name = str(facts["name"])
        self.kind = kind
        self.folder = normal(root / facts["source"][kind])
        self.has_version = "version" in facts
        self.requirements = read_locked(metadata.get("requires-dist", ()), root)
        self.extras = set(metadata.get("provides-extras", ()))
        self.groups: Mapping[str, Sequence[Mapping[str, Any]]] = table_at(metadata, "requires-dev")
        self.group_pythons = table_at(facts, "group-requires-python")


class UvLock:
    """A parsed `uv.lock`; `root` is its folder. The table `manifest` has what the root says."""

    def __init__(self, content: Mapping[str, Any], root: Path) -> None:
        from packaging.specifiers import SpecifierSet

        self.root = root
        self.manifest = table_at(content, "manifest")
        self.options = table_at(content, "options")
        self.content = content
        self.pythons: SpecifierSet = SpecifierSet(content.get("requires-python", ""))
        # Revision 1 of the format records extras, and groups that are empty; revision 5 the
        # versions of Python that groups are limited to.
        revision = content.get("revision", 0)
        self.has_extras = revision >= 1
        self.has_group_pythons = revision >= 5  # noqa: PLR2004  # said above
        self.names = {facts["name"] for facts in content.get("package", ())}
        self.local = [
            LocalPackage(facts, kind, root)
            for facts in content.get("package", ())
            for kind in LOCAL_KINDS
            if kind in facts["source"]
        ]

    def compared(
        self, what: str, wanted: Sequence[UvRequirement], locked: Sequence[UvRequirement]
    ) -> Iterator[str]:
        """Yield what was added to a list of requirements and what was removed, in words."""
        new, old = _by_key(settled(wanted, locked)), _by_key(locked)
        for key in [*new, *(key for key in old if key not in new)]:
            one, other = new.get(key, []), old.get(key, [])
            if one and other and markers.same(_where(one), _where(other), self.pythons):
                continue
            yield from (f"`{text}` was added to {what}" for text in _texts(one))
            yield from (f"`{text}` was removed from {what}" for text in _texts(other))

    def compared_entries(
        self, what: str, wanted: Iterable[UvRequirement], entries: Iterable[Mapping[str, Any]]
    ) -> Iterator[str]:
        """Yield the same for a list of the lockfile that is not read yet."""
        yield from self.compared(what, list(wanted), read_locked(entries, self.root))

    def same_markers(self, one: str, other: str) -> bool:
        """Return whether two markers hold for the same environments with a Python of the lock."""
        trees = markers.parse_marker(one), markers.parse_marker(other)
        return markers.same(*trees, self.pythons)


def _by_key(requirements: Iterable[UvRequirement]) -> dict[object, list[UvRequirement]]:
    """Return requirements by all but their markers; what another extra adds stays apart."""
    found: dict[object, list[UvRequirement]] = {}
    for each in requirements:
        found.setdefault((each.key, each.in_extras), []).append(each)
    return found


def _where(requirements: Iterable[UvRequirement]) -> markers.Tree:
    return markers.any_of(*(each.marker for each in requirements))


def _texts(requirements: Iterable[UvRequirement]) -> Iterable[str]:
    return dict.fromkeys(each.text for each in requirements)
