"""The content of a layer before it is a zip: its paths, and where their bytes are stored."""

from __future__ import annotations

import hashlib
import json
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from .._internal.zip_format import STORED
from ..exceptions import ConflictError
from ..wheels.wheel import fold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

_SHOWN = 5


class Entry(NamedTuple):
    """A file of the layer.

    `path` is the one in the zip, `owner` the distribution it comes from. `source` is a file that
    holds the compressed bytes at `offset`, or those bytes themselves; `method` is the zip method (0
    or 8). Sizes are in bytes; `crc` and `sha256` (hexadecimal) are those of the content,
    `packed_crc` is that of the compressed bytes.
    """

    path: str
    owner: str
    executable: bool
    method: int
    source: Path | bytes
    offset: int
    compressed_size: int
    size: int
    crc: int
    sha256: str
    packed_crc: int

    @classmethod
    def made(cls, path: str, owner: str, content: bytes, *, executable: bool = False) -> Entry:
        """Make an entry for new content: uncompressed, so that its bytes depend on no zlib."""
        crc = zlib.crc32(content)
        return cls(
            path=path,
            owner=owner,
            executable=executable,
            method=STORED,
            source=content,
            offset=0,
            compressed_size=len(content),
            size=len(content),
            crc=crc,
            sha256=hashlib.sha256(content).hexdigest(),
            packed_crc=crc,
        )

    @property
    def mode(self) -> int:
        """The file mode in the layer: everyone may read it, as Lambda requires."""
        return 0o100755 if self.executable else 0o100644


@dataclass(frozen=True, slots=True)
class LayerTree:
    """The files of a layer; until it is settled, several may claim one path."""

    entries: tuple[Entry, ...]

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    @property
    def unpacked_size(self) -> int:
        """The unpacked size in bytes, as Lambda counts it."""
        return sum(entry.size for entry in self.entries)

    def only(self, keep: Callable[[Entry], bool]) -> LayerTree:
        """Return a tree of the entries for which `keep` is true."""
        return LayerTree(tuple(filter(keep, self.entries)))

    def settled(self, prefer: Sequence[str] = ()) -> LayerTree:
        """Return the tree sorted by path, with one entry for each.

        Equal files of several owners become one, as installers leave them; of different ones, that
        of the owner stays who comes first in `prefer`. Raises `ConflictError` for a path with
        different contents that `prefer` does not settle, for paths that differ only by case or
        Unicode form, and for a path that is a file of one owner and a folder of another.
        """
        claimed: dict[str, Entry] = {}
        others: list[Entry] = []
        for entry in self.entries:
            first = claimed.setdefault(entry.path, entry)
            if first is entry:
                continue
            if (first.size, first.sha256) != (entry.size, entry.sha256):
                others.append(entry)
            elif entry.executable and not first.executable:
                claimed[entry.path] = entry
        disputes = _settle(claimed, others, prefer)
        problems = [_dispute(*pair, "have different files") for pair in disputes]
        problems += _collisions(claimed)
        if problems:
            more = f"\n- and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
            raise ConflictError(
                "Files in the layer conflict:\n"
                + "\n".join(f"- {problem}" for problem in problems[:_SHOWN])
                + more,
                hint=_way_out(disputes),
            )
        # In byte order, which is the same for every locale and every Python.
        ordered = sorted(claimed.values(), key=lambda entry: entry.path.encode())
        return LayerTree(tuple(ordered))


def _settle(
    claimed: dict[str, Entry], others: Sequence[Entry], prefer: Sequence[str]
) -> list[tuple[Entry, Entry]]:
    """Let the file of the owner that is preferred most claim its path; return what is left."""
    ranks = {owner: place for place, owner in enumerate(prefer)}
    disputes = []
    for path, rivals in _by_path(others).items():
        all_of_them = (claimed[path], *rivals)
        best = min(ranks.get(each.owner, len(ranks)) for each in all_of_them)
        first, *equals = [e for e in all_of_them if ranks.get(e.owner, len(ranks)) == best]
        claimed[path] = first
        # One owner may have a path twice, too.
        disputes += [(first, each) for each in equals]
    return disputes


def _by_path(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry.path, []).append(entry)
    return found


def _way_out(disputes: Sequence[tuple[Entry, Entry]]) -> str:
    hint = "`exclude` one of the packages, or `prune` the path if nothing needs it"
    # Files that one wheel has twice have no other owner.
    owners = [(first.owner, second.owner) for first, second in disputes]
    owners = [pair for pair in owners if len(set(pair)) > 1]
    if not owners:
        return hint
    preferred: dict[str, None] = {}
    for pair in owners:
        if preferred.keys().isdisjoint(pair):
            preferred[pair[0]] = None
    line = f"`prefer = [{', '.join(map(json.dumps, preferred))}]`"
    return f"{hint}. Installers let one file replace the other: {line} says whose stays"


def _dispute(first: Entry, second: Entry, what: str) -> str:
    both = first.owner if first.owner == second.owner else f"{first.owner} and {second.owner}"
    paths = first.path if first.path == second.path else f"{first.path}` and `{second.path}"
    return f"`{paths}`: {both} {what}"


def _collisions(claimed: dict[str, Entry]) -> Iterable[str]:
    folded: dict[str, Entry] = {}
    folders: set[str] = set()
    for path, entry in claimed.items():
        first = folded.setdefault(path.lower() if path.isascii() else fold(path), entry)
        if first is not entry:
            yield _dispute(first, entry, "differ only by case or Unicode form")
        folder = path.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    for path in sorted(folders & claimed.keys()):
        below = next(entry for entry in claimed.values() if entry.path.startswith(f"{path}/"))
        yield _dispute(claimed[path], below, "have a file and a folder of one name")
