"""What the page of a project on an index lists: PEP 503 and PEP 592 in HTML, PEP 691 in JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urljoin, urlsplit

from .exceptions import DownloadError
from .process import redact

if TYPE_CHECKING:
    from collections.abc import Mapping


class Link(NamedTuple):
    """A file that a page lists; `yanked` is the reason for which it is, else `None`."""

    filename: str
    url: str
    yanked: str | None


def find_link(url: str, headers: Mapping[str, str], body: bytes, filename: str) -> Link | None:
    """Give what the page at `url` lists under `filename`; raise `DownloadError` if it is no page.

    Any page of HTML will do, as for pip's `--find-links`. Pages have thousands of links: only
    those of this name are looked at any closer.
    """
    find = _in_json if "json" in headers.get("Content-Type", "") else _in_html
    try:
        return next(iter(find(url, body, filename)), None)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise DownloadError(
            f"{redact(url)} is no page of an index: {error!r}", hint="ask who runs the index"
        ) from error


def _in_json(url: str, body: bytes, filename: str) -> list[Link]:
    def kept(found: dict[str, Any]) -> object:
        # Of thousands of files, those not asked for go as soon as they are read: together they
        # take several times the space of the page.
        if "filename" not in found:
            return found
        name, file_url, yanked = found["filename"], found["url"], found.get("yanked") or None
        if name != filename:
            return None
        return Link(name, urljoin(url, file_url), "" if yanked is True else yanked)

    files = [file for file in json.loads(body, object_hook=kept)["files"] if file is not None]
    if not all(isinstance(file, Link) for file in files):
        raise TypeError("a file without a name")
    return files


def _in_html(url: str, body: bytes, filename: str) -> list[Link]:
    from html.parser import HTMLParser

    links: list[Link] = []

    class Anchors(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found = dict(attrs)
            href = found.get("href") if tag == "a" else None
            if not href or filename not in unquote(href):
                return
            # The fragment has the hash that the index believes in; the lockfile's counts.
            file_url = urljoin(url, href).partition("#")[0]
            if unquote(urlsplit(file_url).path.rpartition("/")[2]) == filename:
                reason = (found["data-yanked"] or "") if "data-yanked" in found else None
                links.append(Link(filename, file_url, reason))

    Anchors().feed(body.decode("utf-8", "replace"))
    return links
