"""One set of packages as each tool locks it, against what people use with that tool."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from hatch_lambda_layer.lockfiles.default_index import default_index

from . import recipes, results
from .locks import Locks
from .measure import BenchmarkError, say
from .pages import Pages
from .peers import Peers
from .programs import Programs
from .recipes import Caches
from .session import say_differences

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .measure import Contender
    from .session import Session


def by_tool(session: Session, name: str, tools: Sequence[str], *, cold: bool) -> None:
    """Measure the set `name` with each of `tools`.

    Raises `BenchmarkError` if the layers made from their locks differ.
    """
    say(f"{name}: locking")
    programs = Programs()
    with Pages(default_index(session.folder)) as pages:
        caches = Caches(
            session.folder / "caches-by-tool", programs.search_path, index=pages.simple_url
        )
        locks = Locks(session.folder / f"{name.lower()}-by-tool", name, programs, caches.env)
        _by_tool(session, name, tools, locks, Peers(locks, programs), caches, cold=cold)


def _by_tool(
    session: Session,
    name: str,
    tools: Sequence[str],
    locks: Locks,
    peers: Peers,
    caches: Caches,
    *,
    cold: bool,
) -> None:
    contents = set()
    for tool in tools:
        case = f"{name} {tool}"
        say(f"{case}: locking, and filling the caches")
        project = locks.make(tool, "tool")
        new = recipes.tool(project, caches, name="lock new", new=True)
        known = recipes.tool(project, caches, name="lock known")
        others = peers.of(tool, caches)
        # Twice: to the plugin of poetry, what its first build leaves is a change of the project.
        for contender in (new, *others, *others):
            contender.run()
        _compare(session, case, {results.NEW: new, results.KNOWN: known}, others)
        contents.add(_content_of(known))
        session.unchanged(case, recipes.tool(project, caches, keep=True))
        if cold:
            fresh = replace(caches, root=session.folder / "caches-emptied")
            empty = recipes.tool(project, fresh, cold=True)
            _compare(session, case, {results.EMPTY: empty}, peers.of(tool, fresh, cold=True))
            fresh.clear()
    if len(contents) > 1:
        raise BenchmarkError(f"{name}: the layers of the tools differ: {sorted(contents)}")


def _compare(
    session: Session, case: str, states: dict[str, Contender], others: Sequence[Contender]
) -> None:
    """Run this tool in several states and others in turn, for the rows that compare them."""
    found = session.run(", ".join(states), case, [*states.values(), *others])
    if results.NEW in states:
        new, known = (found[states[each].name] for each in (results.NEW, results.KNOWN))
        session.rows += results.times(results.RELOCKED, case, new, known)
    for other in others:
        for state, ours in states.items():
            title = f"{case}, {other.name}"
            session.rows += results.times(state, title, found[ours.name], found[other.name])
        say_differences(case, next(iter(states.values())), other)


def _content_of(contender: Contender) -> str:
    manifest = recipes.layer_of(contender).with_suffix(".json")
    return str(json.loads(manifest.read_bytes())["content_digest"])
