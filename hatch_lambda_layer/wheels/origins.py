"""Checking that what belongs to a private index comes from nowhere else (dependency confusion).

There are two rules. A package whose name is claimed by the `packages` of an index must come from
that index, whatever tool has locked it. And where pip has just resolved requirements against
several indexes, without hashes that somebody has reviewed, it has taken the highest version on any
of them: so a package from elsewhere must not be on a private index, too, unless it is the same
file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

from .._internal.process import redact
from ..config.indexes import normalized_url
from ..exceptions import OriginError
from .selection import LockedSource, LockedWheel, Selection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ..config.indexes import PrivateIndex
    from ..index.pages import Link
    from ..lockfiles import Lock

    AskIndex = Callable[[str, str], list[Link] | None]

Locked = TypeVar("Locked", LockedWheel, LockedSource)

_WORKERS = 12
# Begins a location that lists the pages of a project on which a file is found, see `download`.
_LISTED = "index+"


class _Question(NamedTuple):
    """Whether a private index has a package's file; `must` is true if it has to come from there."""

    locked: LockedWheel | LockedSource
    private: PrivateIndex
    must: bool


def check_origins(
    selection: Selection,
    lock: Lock,
    indexes: Sequence[PrivateIndex],
    downloader: Callable[[], AskIndex],
) -> Selection:
    """Return the selection with every claimed package bound to its index.

    `downloader` returns the function that asks an index for the files of a project, `None` being
    the answer of an index without that project. It is called only where the lock leaves a question
    open. Raises `OriginError`, which names every package from elsewhere, and whatever asking
    raises: an index that can't be reached may have the package.
    """
    problems: list[str] = []
    questions: list[_Question] = []
    wheels = [_bound(each, indexes, problems, questions) for each in selection.wheels]
    sources = [_bound(each, indexes, problems, questions) for each in selection.sources]
    if lock.resolved:
        questions += _of_doubt(selection, indexes)
    if questions:
        problems += _answered(questions, downloader())
    if problems:
        raise OriginError(
            "\n".join(sorted(problems)),
            hint="anyone can publish a package of that name on a public index: configure the tool "
            "that locks to take it from the private one, and lock again",
        )
    return selection._replace(wheels=tuple(wheels), sources=tuple(sources))


def _bound(
    locked: Locked,
    indexes: Iterable[PrivateIndex],
    problems: list[str],
    questions: list[_Question],
) -> Locked:
    """Return `locked`, with the index that claims it as the only place to fetch it from."""
    claiming = [index for index in indexes if index.claims(locked.name)]
    # A file of the user's own comes from no index.
    if not claiming or "://" not in locked.location or locked.location.startswith("file:"):
        return locked
    if locked.index_url is None and any(index.holds(locked.location) for index in claiming):
        return locked
    by_url = {normalized_url(index.url): index for index in claiming}
    if locked.location.startswith(_LISTED):
        pages, _, name = locked.location.removeprefix(_LISTED).partition("#")
        own = [page for page in pages.split() if _index_url(page) in by_url]
        if own:
            return locked._replace(
                location=f"{_LISTED}{' '.join(own)}#{name}", index_url=_index_url(own[0])
            )
    elif normalized_url(locked.index_url or "") in by_url:
        return locked
    if locked.index_url is None and _kind(locked) != "vcs":
        questions.append(_Question(locked, claiming[0], must=True))
    else:
        problems.append(_elsewhere(locked, claiming[0]))
    return locked


def _index_url(page: str) -> str:
    return normalized_url(page.rstrip("/").rpartition("/")[0])


def _kind(locked: LockedWheel | LockedSource) -> str:
    return locked.kind if isinstance(locked, LockedSource) else "wheel"


def _of_doubt(selection: Selection, indexes: Sequence[PrivateIndex]) -> Iterable[_Question]:
    """Yield a question for each private index and each package just resolved from elsewhere."""
    for locked in selection.all:
        if _kind(locked) in ("vcs", "directory") or not locked.location.startswith("http"):
            continue
        if any(index.claims(locked.name) or index.holds(locked.location) for index in indexes):
            continue
        for index in indexes:
            yield _Question(locked, index, must=False)


def _answered(questions: Sequence[_Question], ask: AskIndex) -> list[str]:
    """Ask, and give a line for each answer that is a problem."""
    from .._internal.parallel import run_parallel

    def links(question: _Question) -> list[Link] | None:
        return ask(question.private.url, question.locked.name)

    problems = []
    for question, found in run_parallel(links, questions, _WORKERS):
        if found is None:
            if question.must:
                problems.append(_elsewhere(question.locked, question.private))
        elif not any(_is_same(question.locked, link) for link in found):
            problems.append(_elsewhere(question.locked, question.private))
    return problems


def _is_same(locked: LockedWheel | LockedSource, link: Link) -> bool:
    if link.sha256 is not None:
        return link.sha256 == locked.sha256
    return link.url == locked.location


def _elsewhere(locked: LockedWheel | LockedSource, index: PrivateIndex) -> str:
    package = f"{locked.name} {locked.version or ''}".rstrip()
    why = "whose `packages` claim it" if index.claims(locked.name) else "which has it, too"
    place = redact(locked.index_url or locked.location)
    return (
        f"Package `{package}` comes from {place}, not from the private index "
        f"`{index.name}` ({index.url}), {why}"
    )
