"""Where pip would look for the files of a package: indexes, and the pages of `--find-links`.

A page is asked for once in a build, side by side with others, whichever targets need it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from ..._internal.process import redact
from ...exceptions import DownloadError
from ...index.pages import read_links
from ..pylock_text import without_credentials
from .lines import local_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ...index.auth import IndexAccess
    from ...index.download import Downloader
    from ...index.pages import Link

# As many as fetch wheels: enough to hide the latency of an index.
_WORKERS = 12
# What pages have answered, for as long as the build lasts whose credentials were used.
_Key: TypeAlias = tuple[str, frozenset[str] | None]
_ANSWERS: WeakKeyDictionary[IndexAccess, dict[_Key, list[Link] | DownloadError | None]] = (
    WeakKeyDictionary()
)


class Listed(NamedTuple):
    """A file of a package: what a page says of it, and the index of the page, if it is of one."""

    link: Link
    index_url: str | None


class Found(NamedTuple):
    """The files that all places together have, the places, and what failed."""

    files: list[Listed]
    asked: list[str]
    failures: list[DownloadError]


class _Page(NamedTuple):
    """A page, and the index that it is of; `must` is true if there is no way without it.

    Of a page of one package, only files with a sha256 in `wanted` count, if it is not `None`.
    """

    url: str
    index_url: str | None
    must: bool
    wanted: frozenset[str] | None = None

    @property
    def key(self) -> _Key:
        """The key of its answer."""
        return self.url, self.wanted


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """Indexes and pages by their URLs, which may have credentials; paths are below `root`.

    `unreached` are settings of pip that are not followed and may be why an index is not reached.
    """

    root: Path
    access: IndexAccess
    indexes: tuple[str, ...]
    pages: tuple[str, ...]
    unreached: tuple[str, ...] = ()
    _downloader: list[Downloader] = field(default_factory=list)

    def find(
        self, names: Iterable[str], wanted: Mapping[str, frozenset[str]] | None = None
    ) -> dict[str, Found]:
        """Return what there is of each package.

        Of packages in `wanted`, only files with one of these values of sha256 need be found; it is
        empty where a page has none. Raises `DownloadError` for a place that does not answer, if it
        is the only one, or an index of the project's own: another one could have a package of the
        same name.
        """
        wanted = wanted or {}
        pages = {name: self._pages(name, wanted.get(name)) for name in names}
        self._ask({page.key: page for each in pages.values() for page in each})
        return {name: self._found(each) for name, each in pages.items()}

    def downloader(self) -> Downloader:
        """Return the one downloader, which takes 0.2 s to make."""
        if not self._downloader:
            from ...index.download import Downloader

            self._downloader.append(Downloader(self.access))
        return self._downloader[0]

    def explained(self, error: DownloadError, url: str) -> DownloadError:
        """Return the error for a URL, with the settings that are not followed and may be why."""
        if not self.unreached:
            return error
        names = ", ".join(f"`{each}`" for each in self.unreached)
        instead = (
            f"pip's setting {names} is not followed here: certificates are always checked "
            "(`cert` and SSL_CERT_FILE name more of them), HTTPS_PROXY names a proxy"
        )
        host = urlsplit(url).hostname
        return DownloadError(error.message, hint=f"{error.hint}; {instead} (for {host})")

    def _pages(self, name: str, wanted: frozenset[str] | None) -> list[_Page]:
        claiming = [each.url for each in self.access.own if self.indexes and each.claims(name)]
        own = {index.url for index in self.access.own}
        indexes = claiming or list(self.indexes)
        flat = () if claiming else self.pages
        single = len(indexes) + len(flat) == 1
        pages = [
            _Page(f"{url.rstrip('/')}/{name}/", url, single or url in own, wanted)
            for url in indexes
        ]
        return [*pages, *(_Page(url, None, single) for url in flat)]

    def _ask(self, pages: Mapping[_Key, _Page]) -> None:
        from ..._internal.parallel import run_parallel

        answers = _ANSWERS.setdefault(self.access, {})
        for key, page in pages.items():
            if isinstance(answers.get(key), DownloadError):
                del answers[key]  # it is asked again
            if key not in answers and not _is_remote(page.url):
                answers[key] = self._local(page)
        missing = [page for key, page in pages.items() if key not in answers]
        if not missing:
            return
        downloader = self.downloader()

        def ask(page: _Page) -> list[Link] | DownloadError | None:
            try:
                return downloader.listed(page.url, page.index_url, page.wanted)
            except DownloadError as error:
                explained = self.explained(error, page.url)
                if page.must:
                    raise explained from error
                return explained

        for page, answer in run_parallel(ask, missing, _WORKERS):
            answers[page.key] = answer

    def _found(self, pages: Sequence[_Page]) -> Found:
        answers = _ANSWERS[self.access]
        files, failures = [], []
        for page in pages:
            answer = answers[page.key]
            if isinstance(answer, DownloadError):
                failures.append(answer)
            else:
                index = None if page.index_url is None else without_credentials(page.index_url)
                files += [Listed(link, index) for link in answer or ()]
        return Found(files, [redact(page.index_url or page.url) for page in pages], failures)

    def _local(self, page: _Page) -> list[Link] | None:
        """Return the files of a folder, or those that a local page lists."""
        path = Path(local_path(page.url) if page.url.startswith("file:") else page.url)
        path = self.root / path
        if page.index_url is not None:
            path /= "index.html"
        if path.is_dir():
            return list(_in_folder(path))
        if not path.is_file():
            return None
        body = path.read_bytes()
        return read_links(path.as_uri(), {"Content-Type": "text/html"}, body)


def _is_remote(url: str) -> bool:
    return url.startswith(("http://", "https://"))


def _in_folder(path: Path) -> Iterator[Link]:
    from ...index.pages import Link

    for file in sorted(path.iterdir()):
        yield Link(file.name, file.as_uri(), None)
