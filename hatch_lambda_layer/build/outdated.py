"""Asking indexes about what the lock selects: which releases are yanked, which have newer ones.

No build does this: a lock is a decision, and a layer must not depend on what an index says today.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from .._internal.process import redact
from ..config.indexes import origin
from ..exceptions import DownloadError, LambdaLayerError
from ..wheels.outdated import (
    LayerStatus,
    NotAsked,
    Unanswered,
    check_release,
    find_releases,
    locked_version,
)
from ..wheels.selection import LockedSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from packaging.version import Version

    from ..config.indexes import PrivateIndex
    from ..config.matrix import Member
    from ..index.auth import IndexAccess
    from ..index.pages import Link
    from ..lockfiles import Lock
    from ..wheels.outdated import Releases
    from ..wheels.selection import LockedWheel
    from .inputs import BuildContext

    Locked = LockedWheel | LockedSource

# Pages are large and an index has better things to do: fewer than for the files of a build.
_WORKERS = 6
# After that many failures in a row, the rest of an index's pages is not asked for: each failure
# is several attempts, with waits between them.
_MOST_FAILURES = 3
_NOT_FROM_AN_INDEX = {
    "vcs": "from a repository",
    "directory": "from a folder",
    "archive": "from a URL or a file of its own",
}
_PAGES_OF_LINKS = (".html", ".htm")


class _Question(NamedTuple):
    """One package; `indexes` are the URLs of those that may have it, the likeliest first."""

    name: str
    version: Version
    indexes: tuple[str, ...]


class _Answer(NamedTuple):
    """The releases that the index at `url` lists, from the locked one on."""

    url: str
    releases: Releases


class _Asked(NamedTuple):
    """The questions about the packages of one member of the matrix."""

    member: Member
    questions: Mapping[Locked, _Question]
    not_asked: tuple[NotAsked, ...]


def check_layers(
    context: BuildContext,
    members: Sequence[Member],
    on_failure: Callable[[str, LambdaLayerError], None],
) -> list[LayerStatus]:
    """Return the status of each member's packages, by what their indexes say now.

    A member whose lock can't be read or used is left out: `on_failure` is called with its id and
    the error, which is raised where it is the only one. An index that can't be asked fails none.
    """
    asked = []
    for member in members:
        try:
            asked.append(_questions(context, member))
        except LambdaLayerError as error:
            if len(members) == 1:
                raise
            on_failure(member.id, error)
    # Members of the matrix share most of their packages: each is asked about once.
    questions = list(dict.fromkeys(each for one in asked for each in one.questions.values()))
    answers = _ask(context, questions) if questions else {}
    return [_status(each, answers) for each in asked]


def failure(statuses: Sequence[LayerStatus], members: Sequence[Member]) -> LambdaLayerError | None:
    """Return the error for what could not be checked; `None` where everything was."""
    done = {status.member for status in statuses}
    if failed := [member.id for member in members if member.id not in done]:
        return LambdaLayerError(
            f"{len(failed)} of {len(members)} layers could not be checked: {', '.join(failed)}"
        )
    unanswered = {each for status in statuses for each in status.unanswered}
    if not unanswered:
        return None
    hints = dict.fromkeys(each.hint for each in sorted(unanswered, key=_by_name) if each.hint)
    names = ", ".join(sorted({f"{each.name} {each.version}" for each in unanswered}))
    return DownloadError(f"No index could be asked about {names}", hint="; ".join(hints) or None)


def _questions(context: BuildContext, member: Member) -> _Asked:
    lock = context.resolver.lock(member.config, member.target)
    selection = context.resolver.selection(member.config, member.target)
    direct = _direct_urls(lock)
    defaults = cache(lambda: tuple(context.resolver.default_indexes(member.config)))
    questions: dict[Locked, _Question] = {}
    not_asked = []
    for locked in sorted(selection.all, key=_by_name):
        version = locked_version(locked)
        reason = "of no version that the lockfile names" if version is None else None
        if isinstance(locked, LockedSource):
            reason = _NOT_FROM_AN_INDEX.get(locked.kind, reason)
        if locked.location in direct:
            reason = _NOT_FROM_AN_INDEX["archive"]
        indexes = [] if reason else _indexes(locked, context.access.own, defaults)
        if version is None or not indexes:
            reason = reason or "from a folder or a page of links"
            not_asked.append(NotAsked(name=locked.name, version=locked.version, reason=reason))
        else:
            questions[locked] = _Question(locked.name, version, tuple(indexes))
    return _Asked(member, questions, tuple(not_asked))


def _direct_urls(lock: Lock) -> frozenset[str]:
    """Return the URLs of wheels and archives that the project requires by their URL."""
    if b"archive" not in lock.text:
        return frozenset()
    archives = [package.archive for package in lock.parse().packages]
    return frozenset(archive.url for archive in archives if archive and archive.url)


def _indexes(
    locked: Locked, own: Sequence[PrivateIndex], defaults: Callable[[], Iterable[str]]
) -> list[str]:
    """Return the indexes that may have a package; none where it is from a folder or a file.

    They are those that the lockfile names; else the private index that claims the package or holds
    its file; else those of the tool, then the project's private ones.
    """
    if locked.location.startswith("index+"):
        pages = locked.location.removeprefix("index+").partition("#")[0].split()
        named = [
            page if page.endswith(_PAGES_OF_LINKS) else page.rstrip("/").rpartition("/")[0]
            for page in pages
        ]
    elif locked.index_url:
        named = [locked.index_url]
    elif origin(locked.location) is None:
        named = []
    else:
        claiming = [index.url for index in own if index.claims(locked.name)]
        holding = [index.url for index in own if index.holds(locked.location)]
        named = claiming or holding or [*defaults(), *(index.url for index in own)]
    return [url for url in named if origin(url) and not url.endswith(_PAGES_OF_LINKS)]


def _ask(
    context: BuildContext, questions: Sequence[_Question]
) -> dict[_Question, _Answer | LambdaLayerError]:
    from .._internal.parallel import run_parallel

    indexes = _Indexes(context.access)
    label = f"Asking about {len(questions)} package{'s' * (len(questions) > 1)}"
    answers = {}
    with context.console.progress(label, len(questions)) as progress:
        for question, answer in run_parallel(indexes.answer, questions, _WORKERS):
            answers[question] = answer
            progress.done()
    return answers


class _Indexes:
    """The indexes, asked from several threads; one that fails again and again is left alone."""

    def __init__(self, access: IndexAccess) -> None:
        from ..index.download import Downloader

        self._ask = Downloader(access).links
        self._failures: Counter[str] = Counter()

    def answer(self, question: _Question) -> _Answer | LambdaLayerError:
        """Return what the first index that lists the version says, else the first that answers."""
        answers = []
        try:
            for index in question.indexes:
                links = self._links(index, question.name)
                if links is None:
                    continue
                releases = find_releases(links, question.name, question.version)
                answers.append(_Answer(index, releases))
                if question.version in releases:
                    return answers[-1]
        except LambdaLayerError as error:
            return error
        if answers:
            return answers[0]
        return DownloadError(
            f"The project is not on {' or '.join(map(redact, question.indexes))} (any more)",
            hint="lock again, or ask who runs the index",
        )

    def _links(self, index: str, name: str) -> list[Link] | None:
        if self._failures[index] >= _MOST_FAILURES:
            raise DownloadError(
                f"{redact(index)} failed {_MOST_FAILURES} times before, so it was not asked again"
            )
        try:
            links = self._ask(index, name)
        except LambdaLayerError:
            self._failures[index] += 1
            raise
        self._failures[index] = 0
        return links


def _status(asked: _Asked, answers: Mapping[_Question, _Answer | LambdaLayerError]) -> LayerStatus:
    checked, unanswered = [], []
    for locked, question in asked.questions.items():
        answer = answers[question]
        if isinstance(answer, LambdaLayerError):
            unanswered.append(
                Unanswered(
                    name=question.name,
                    version=str(question.version),
                    reason=answer.message,
                    hint=answer.hint,
                )
            )
            continue
        release = check_release(
            locked,
            question.version,
            answer.releases,
            asked.member.target,
            index=answer.url,
            sources=asked.member.config.build != "never",
        )
        checked.append(release)
    return LayerStatus(
        member=asked.member.id,
        checked=tuple(checked),
        unanswered=tuple(unanswered),
        not_asked=asked.not_asked,
    )


def _by_name(package: Locked | Unanswered) -> str:
    return package.name
