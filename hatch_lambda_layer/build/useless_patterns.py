"""Patterns of `prune` that match nothing, each told once, for the table that has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._internal.tables import table_at
from ..config.layer import TABLE
from ..findings.codes import UNUSED_PATTERN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..config.matrix import Member
    from ..findings import Finding


def useless_patterns(
    pyproject: Mapping[str, object], found: Iterable[tuple[Member, Iterable[Finding]]]
) -> Iterator[str]:
    """Yield a warning for each pattern that matches nothing in any layer whose table has it.

    `found` are the findings about members that were built. Those that inherit a pattern count for
    the table that they have it from.
    """
    tables: dict[str, list[set[str]]] = {}
    for member, findings in found:
        useless = {each.message for each in findings if each.code == UNUSED_PATTERN.id}
        tables.setdefault(_table(pyproject, member), []).append(useless)
    for table, messages in tables.items():
        for message in sorted(set.intersection(*messages)):
            yield f"{message}; it is in `[{table}]` ({UNUSED_PATTERN.id})"


def _table(pyproject: Mapping[str, object], member: Member) -> str:
    """Return the table from which a member has its patterns."""
    name = member.config.name
    if name is None or "prune" not in table_at(pyproject, "tool", "lambda-layer", "layers", name):
        return TABLE
    return f"{TABLE}.layers.{name}"
