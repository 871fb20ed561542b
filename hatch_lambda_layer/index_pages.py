"""What the page of a project on an index lists: PEP 503 and PEP 592 in HTML, PEP 691 in JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urljoin, urlsplit

from .exceptions import DownloadError
from .process import redact

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Link(NamedTuple):
    """A file that a page lists; `yanked` is the reason for which it is, else `None`.

    `sha256` (hexadecimal) is what the index believes in, where it says so.
    """

    filename: str
    url: str
    yanked: str | None
    sha256: str | None = None


def read_links(url: str, headers: Mapping[str, str], body: bytes) -> list[Link]:
    """Give the files that the page at `url` lists; raise `DownloadError` where it is no such page.

    Any page of HTML will do, as for pip's `--find-links`.
    """
    read = _in_json if "json" in headers.get("Content-Type", "") else _in_html
    try:
        return list(read(url, body))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise DownloadError(
            f"{redact(url)} is no page of an index: {error!r}", hint="ask who runs the index"
        ) from error


def _in_json(url: str, body: bytes) -> Iterator[Link]:
    for file in json.loads(body)["files"]:
        yanked = file.get("yanked") or None
        reason = "" if yanked is True else yanked
        sha256 = file.get("hashes", {}).get("sha256")
        yield Link(file["filename"], urljoin(url, file["url"]), reason, sha256)


def _in_html(url: str, body: bytes) -> list[Link]:
    from html.parser import HTMLParser

    links: list[Link] = []

    class Anchors(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found = dict(attrs)
            if tag == "a" and (href := found.get("href")):
                # The fragment has the hash that the index believes in; the lockfile's counts.
                file_url, _, fragment = urljoin(url, href).partition("#")
                filename = unquote(urlsplit(file_url).path.rpartition("/")[2])
                reason = (found["data-yanked"] or "") if "data-yanked" in found else None
                sha256 = fragment.partition("sha256=")[2].partition("&")[0] or None
                links.append(Link(filename, file_url, reason, sha256))

    Anchors().feed(body.decode("utf-8", "replace"))
    return links
