"""The page of a project on an index: PEP 503 and PEP 592 in HTML, PEP 691 in JSON."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urljoin, urlsplit

from .._internal.process import redact
from ..exceptions import DownloadError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

# A value of JSON takes up to eighty times its space in memory; a real page of 32 MiB has fewer.
_MAX_VALUES = 1_000_000
# A page of 32 MiB has room for no more, if its links lead anywhere.
_MAX_LINKS = 200_000
_MAX_ATTRIBUTES = 50
_SHOWN = 200
# PEP 714 and, before it, PEP 658.
_METADATA_KEYS = ("core-metadata", "dist-info-metadata")
_OPENING = re.compile(r"<!--|<(a|script|style)(?=[\s/>])", re.IGNORECASE)
# As the HTML standard reads attributes, but for a quote that is left open.
_ATTRIBUTE = re.compile(
    r"""[\s/]*(?:(?P<end>>)|(?P<name>=?[^\s/>=]*)(?:\s*=\s*"""
    r"""(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>[^\s"'>][^\s>]*)?))?)"""
)


class Link(NamedTuple):
    """A file that a page lists; `yanked` is the reason why it is, else `None`.

    The reason may be empty. `sha256` (hexadecimal) is `None` where the page has none, and so is
    `requires_python`, version specifiers as the page has them. `metadata` is the sha256 of its
    metadata file (PEP 658), empty where the page has none, and `None` where there is no such file.
    """

    filename: str
    url: str
    yanked: str | None
    sha256: str | None = None
    requires_python: str | None = None
    metadata: str | None = None


def read_links(
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    filename: str | None = None,
    wanted: Collection[str] | None = None,
) -> list[Link]:
    """Return the files that the page at `url` lists; only those called `filename`, if it is given.

    Files whose sha256 (empty where there is none) is not in `wanted` may be passed over. Any page
    of HTML will do, as for pip's `--find-links`. Raises `DownloadError` for a page that is
    malformed.
    """
    # Pages have thousands of links: only those of this name are parsed further.
    try:
        if "json" in headers.get("Content-Type", ""):
            return _in_json(url, body, filename, wanted)
        return _in_html(url, body, filename)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        reason = redact(f"{type(error).__name__}: {error}"[:_SHOWN])
        raise DownloadError(
            f"{redact(url)} is not a valid page of an index: {reason}",
            hint="ask who runs the index",
        ) from error


def _in_json(
    url: str, body: bytes, filename: str | None, wanted: Collection[str] | None
) -> list[Link]:
    def kept(found: dict[str, Any]) -> object:
        # Of thousands of files, those not asked for are dropped as soon as they are read: together
        # they take several times the space of the page.
        if "filename" not in found:
            return found
        if wanted is not None and (_sha256_in_json(found) or "").lower() not in wanted:
            return None
        link = _link_in_json(found)
        if filename not in (None, link.filename):
            return None
        # Joining takes more time than all the rest, and most links are whole: but for an address
        # in brackets, nothing is wrong with them that joining would find.
        is_whole = link.url.startswith(("https://", "http://")) and "[" not in link.url
        return link if is_whole else link._replace(url=urljoin(url, link.url))

    if sum(map(body.count, b",[{")) > _MAX_VALUES:
        raise ValueError(f"more than {_MAX_VALUES:,} values")
    files = [file for file in json.loads(body, object_hook=kept)["files"] if file is not None]
    if not all(isinstance(file, Link) for file in files):
        raise TypeError("a file without a name")
    return files


def _link_in_json(found: Mapping[str, Any]) -> Link:
    name, url, yanked = found["filename"], found["url"], found.get("yanked") or None
    sha256 = _sha256_in_json(found)
    if not (isinstance(name, str) and isinstance(url, str)):
        raise TypeError("the name or the URL of a file is not text")
    # Whatever else stands there says that it is yanked; an empty text does not.
    yanked = yanked if isinstance(yanked, str) else "" if yanked else None
    python = found.get("requires-python")
    python = python if isinstance(python, str) else None
    return Link(name, url, yanked, sha256, python, _metadata_in_json(found))


def _sha256_in_json(found: Mapping[str, Any]) -> str | None:
    sha256 = (found.get("hashes") or {}).get("sha256")
    if not isinstance(sha256, str | None):
        raise TypeError(f"the sha256 of {found['filename']!a} is not text")
    return sha256


def _metadata_in_json(found: Mapping[str, Any]) -> str | None:
    value = next((found[key] for key in _METADATA_KEYS if key in found), None)
    if not value:
        return None
    digest = value.get("sha256") if isinstance(value, dict) else ""
    return digest if isinstance(digest, str) else ""


def _in_html(url: str, body: bytes, filename: str | None) -> list[Link]:
    from html import unescape

    links: list[Link] = []
    for attributes in _anchors(body.decode("utf-8", "replace")):
        href = unescape(attributes.get("href") or "")
        if not href or (filename or "") not in unquote(href):
            continue
        # The fragment has the hash of the file; for a locked file, the lockfile's counts.
        try:
            file_url, _, fragment = urljoin(url, href).partition("#")
            name = unquote(urlsplit(file_url).path.rpartition("/")[2])
        except ValueError:
            continue  # no browser follows it
        if filename in (None, name):
            yanked = attributes.get("data-yanked")
            sha256 = fragment.partition("sha256=")[2].partition("&")[0] or None
            python = attributes.get("data-requires-python")
            reason, python = (each and unescape(each) for each in (yanked, python))
            metadata = next(
                filter(None, (attributes.get(f"data-{x}") for x in _METADATA_KEYS)), None
            )
            digest = metadata and metadata.partition("sha256=")[2]
            links.append(Link(name, file_url, reason, sha256, python, digest))
    return links


def _anchors(text: str) -> Iterator[dict[str, str]]:
    """Yield the attributes of each `<a>`, in one pass over the text.

    `html.parser` may take hours for a hostile page, and has no answer to some of them.
    """
    position = count = 0
    while opening := _OPENING.search(text, position):
        tag = (opening[1] or "").lower()
        if not tag:
            # `<!-->` is a whole comment.
            position = text.find("-->", opening.end() - 2)
        else:
            attributes, position = _attributes(text, opening.end())
            count += 1
            if count > _MAX_LINKS:
                raise ValueError(f"more than {_MAX_LINKS:,} links")
            if tag == "a":
                yield attributes
            elif position > 0:
                closing = re.compile(f"</{tag}", re.IGNORECASE).search(text, position)
                position = closing.end() if closing else -1
        if position < 0:
            return


def _attributes(text: str, position: int) -> tuple[dict[str, str], int]:
    """Return the attributes of a tag, and where it ends; none and -1 where it does not."""
    found: dict[str, str] = {}
    for _ in range(_MAX_ATTRIBUTES):
        match = _ATTRIBUTE.match(text, position)
        if match is None or not match[0]:
            return {}, -1
        position = match.end()
        if match["end"]:
            return found, position
        value = match["double"] or match["single"] or match["bare"] or ""
        # The first of its name counts.
        found.setdefault(match["name"].lower(), value)
    raise ValueError(f"a link with more than {_MAX_ATTRIBUTES} attributes")
