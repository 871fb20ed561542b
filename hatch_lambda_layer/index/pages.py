"""The page of a project on an index: PEP 503 and PEP 592 in HTML, PEP 691 in JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urljoin, urlsplit

from .._internal.process import redact
from ..exceptions import DownloadError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Link(NamedTuple):
    """A file that a page lists; `yanked` is the reason why it is, else `None`.

    The reason may be empty. `sha256` (hexadecimal) is `None` where the page has none, and so is
    `requires_python`, version specifiers as the page has them.
    """

    filename: str
    url: str
    yanked: str | None
    sha256: str | None = None
    requires_python: str | None = None


def read_links(
    url: str, headers: Mapping[str, str], body: bytes, filename: str | None = None
) -> list[Link]:
    """Return the files that the page at `url` lists; only those called `filename`, if it is given.

    Any page of HTML will do, as for pip's `--find-links`. Raises `DownloadError` for a page that
    is malformed.
    """
    # Pages have thousands of links: only those of this name are parsed further.
    read = _in_json if "json" in headers.get("Content-Type", "") else _in_html
    try:
        return read(url, body, filename)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise DownloadError(
            f"{redact(url)} is not a valid page of an index: {error!r}",
            hint="ask who runs the index",
        ) from error


def _in_json(url: str, body: bytes, filename: str | None) -> list[Link]:
    def kept(found: dict[str, Any]) -> object:
        # Of thousands of files, those not asked for are dropped as soon as they are read: together
        # they take several times the space of the page.
        if "filename" not in found:
            return found
        name, file_url, yanked = found["filename"], found["url"], found.get("yanked") or None
        if filename not in (None, name):
            return None
        if not isinstance(name, str):
            raise TypeError("a file whose name is not a text")
        reason = yanked if yanked is None or isinstance(yanked, str) else ""
        sha256 = found.get("hashes", {}).get("sha256")
        python = found.get("requires-python")
        python = python if isinstance(python, str) else None
        return Link(name, urljoin(url, file_url), reason, sha256, python)

    files = [file for file in json.loads(body, object_hook=kept)["files"] if file is not None]
    if not all(isinstance(file, Link) for file in files):
        raise TypeError("a file without a name")
    return files


def _in_html(url: str, body: bytes, filename: str | None) -> list[Link]:
    from html.parser import HTMLParser

    links: list[Link] = []

    class Anchors(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found = dict(attrs)
            href = found.get("href") if tag == "a" else None
            if not href or (filename or "") not in unquote(href):
                return
            # The fragment has the hash of the file; for a locked file, the lockfile's counts.
            file_url, _, fragment = urljoin(url, href).partition("#")
            name = unquote(urlsplit(file_url).path.rpartition("/")[2])
            if filename in (None, name):
                reason = (found["data-yanked"] or "") if "data-yanked" in found else None
                sha256 = fragment.partition("sha256=")[2].partition("&")[0] or None
                python = found.get("data-requires-python")
                links.append(Link(name, file_url, reason, sha256, python))

    Anchors().feed(body.decode("utf-8", "replace"))
    return links
