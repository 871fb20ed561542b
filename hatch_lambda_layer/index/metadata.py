"""The METADATA of wheels that are not fetched: the index's own file (PEP 658), or a part of them.

What can't be read is not worth an error: it is told when the wheel is fetched, if it ever is.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError

from .._internal.zip_format import (
    CENTRAL_HEADER,
    CENTRAL_SIGNATURE,
    DEFLATED,
    LOCAL_HEADER,
    LOCAL_SIGNATURE,
)
from .._internal.zip_tail import directory_length
from ..exceptions import DownloadError
from .download import Downloader

if TYPE_CHECKING:
    from collections.abc import Iterator

_LARGEST = 1 << 20
# Enough for the directory of a wheel with some hundred members.
_TAIL = 1 << 16
_LARGEST_DIRECTORY = 8 << 20
# Room for the extra field of a local header, which the directory does not tell the length of.
_ROOM = 1 << 10
_RANGE = re.compile(r"bytes \d+-\d+/(\d+)")
_METADATA = re.compile(rb"[^/]+\.dist-info/METADATA")
_FAILURES = (requests.RequestException, HTTPError, DownloadError, ValueError, zlib.error)


class _Member(NamedTuple):
    """A member of a wheel: where its local header is, and how many packed bytes follow it."""

    name: bytes
    method: int
    packed: int
    size: int
    offset: int


class MetadataReader(Downloader):
    """Reads the METADATA of wheels on an index, for several threads."""

    def metadata(self, location: str, index: str | None) -> bytes | None:
        """Return the METADATA of a wheel; `None` where the index has it in no part of its own.

        `location` is a URL, or `index+PAGE#FILENAME` for what a page lists.
        """
        try:
            url, digest = location, ""
            if location.startswith("index+"):
                link = self._link(location, index)
                if link.metadata is None:
                    return self._in_wheel(link.url)
                url, digest = link.url, link.metadata
            found = self._file(url, digest)
            return self._in_wheel(url) if found is None else found
        except _FAILURES:
            return None

    def _file(self, url: str, digest: str) -> bytes | None:
        """Return the file beside a wheel (PEP 658), which has this sha256 if it is not empty."""
        parts = urlsplit(url)
        beside = parts._replace(path=f"{parts.path}.metadata", fragment="").geturl()
        with self._get(beside, {"Accept-Encoding": "identity"}) as answer:
            if answer.status_code != HTTPStatus.OK:
                return None
            data: bytes = answer.raw.read(_LARGEST + 1)
        is_whole = len(data) <= _LARGEST
        return data if is_whole and digest in ("", hashlib.sha256(data).hexdigest()) else None

    def _in_wheel(self, url: str) -> bytes | None:
        size, end = self._part(url, f"-{_TAIL}", _TAIL)
        length = directory_length(end, size)
        if length is None or length > _LARGEST_DIRECTORY:
            return None
        if length > len(end):
            size, end = self._part(url, f"-{length}", length)
        found = [each for each in _members(end[-length:]) if _METADATA.fullmatch(each.name)]
        if len(found) != 1 or found[0].size > _LARGEST:
            return None
        (member,) = found
        least = LOCAL_HEADER.size + len(member.name) + member.packed
        start = member.offset - (size - len(end))
        data = end[start : start + least + _ROOM] if start >= 0 else b""
        if not data:
            stop = min(member.offset + least + _ROOM, size)
            _, data = self._part(url, f"{member.offset}-{stop - 1}", stop - member.offset)
        return _content(data, member)

    def _part(self, url: str, wanted: str, largest: int) -> tuple[int, bytes]:
        """Return the size of a file, and the range of its bytes that is wanted.

        Raises `ValueError` where the server does not serve parts.
        """
        headers = {"Accept-Encoding": "identity", "Range": f"bytes={wanted}"}
        with self._get(url, headers) as answer:
            whole = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
            if answer.status_code != HTTPStatus.PARTIAL_CONTENT or whole is None:
                raise ValueError("the server serves no parts")
            data: bytes = answer.raw.read(largest + 1)
        if len(data) > largest:
            raise ValueError("the server serves more than was asked for")
        return int(whole[1]), data


def _members(directory: bytes) -> Iterator[_Member]:
    """Yield the members that the directory of an archive lists, as far as it can be read."""
    position = 0
    while directory.startswith(CENTRAL_SIGNATURE, position):
        if len(directory) < position + CENTRAL_HEADER.size:
            return
        fields = CENTRAL_HEADER.unpack_from(directory, position)
        method, (packed, size, name_length, extra_length, comment_length) = fields[4], fields[8:13]
        start = position + CENTRAL_HEADER.size
        yield _Member(directory[start : start + name_length], method, packed, size, fields[16])
        position = start + name_length + extra_length + comment_length


def _content(data: bytes, member: _Member) -> bytes | None:
    """Return the content of a member whose local header is at the beginning of `data`."""
    if len(data) < LOCAL_HEADER.size or not data.startswith(LOCAL_SIGNATURE):
        return None
    name_length, extra_length = LOCAL_HEADER.unpack_from(data)[9:11]
    start = LOCAL_HEADER.size + name_length + extra_length
    packed = data[start : start + member.packed]
    if member.method == DEFLATED:
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        packed = inflate.decompress(packed, member.size)
    return packed if len(packed) == member.size else None
