"""Where the packages of a lock come from: what belongs to a private index never from elsewhere.

Two questions. A name that `packages` of an index claims must come from that index, whatever tool
has locked it. And where pip has just decided among several indexes, without hashes that somebody
has looked at, it takes the highest version of all: so every package that is not from a private
index must not be on one either, unless it is the same file.
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
# Before the pages of a project on which a file is to be found, see `download`.
_LISTED = "index+"


class _Question(NamedTuple):
    """Whether an index has a package's file; `must` says that it has to come from there."""

    locked: LockedWheel | LockedSource
    private: PrivateIndex
    must: bool


def check_origins(
    selection: Selection,
    lock: Lock,
    indexes: Sequence[PrivateIndex],
    downloader: Callable[[], AskIndex],
) -> Selection:
    """Give the selection with every claimed package bound to its index.

    `downloader` gives what asks an index for the files of a project, `None` where it has no such
    project; it is called where a question is left that the lock does not answer.
    Raises `OriginError` that names every package from elsewhere, and what asking raises: an index
    that does not answer has not said no.
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
            hint="anybody can put a package of that name on a public index: take it from the "
            "private one, by that tool's own settings, and lock again",
        )
    return Selection(tuple(wheels), tuple(sources))


def _bound(
    locked: Locked,
    indexes: Iterable[PrivateIndex],
    problems: list[str],
    questions: list[_Question],
) -> Locked:
    """Give what is locked, with no other place for it than the index that claims it."""
    claiming = [index for index in indexes if index.claims(locked.name)]
    # What lies in a folder of the user's comes from no index.
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
    """Give what to ask where an index has just decided: each private one for all the rest."""
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
    why = "which `packages` of it claims" if index.claims(locked.name) else "which has it, too"
    place = redact(locked.index_url or locked.location)
    return (
        f"Package `{package}` comes from {place}, not from the private index "
        f"`{index.name}` ({index.url}), {why}"
    )
