"""Mutations of files, each decided by a seeded generator: the same seed gives the same inputs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

MAX_SIZE = 64 * 1024
"""In bytes. Time and memory that grow faster than the input show well below this size."""

_NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, (1 << 63) - 1)
# What some reader or another takes apart: quotes, separators, brackets, ends of lines, and
# characters that are not ASCII, not printable or not valid.
_TOKENS = tuple(
    b"\0 \n \r\n \t \xff \xc3( \xed\xa0\x80 \xe2\x80\xae \xef\xbb\xbf \" ' ''' \"\"\" \\ \\u0000 "
    b"\\ud800 { } [ ] [[ ]] ( ) < > <!-- --> <![ <? # // .. ../ ; , : = == === != ~= @ $ ${X} % "
    b"%00 %2e && || or and not in null true false NaN Infinity 1e999 -1 0x 0o 1979-05-27 \x1b[31m "
    b"::error:: ##vso[".split(b" ")
)
_TEXT = re.compile(rb"[\w.+-]+")
_DIGITS = re.compile(rb"\d+")


class Mutator:
    """Makes inputs from `seeds`, of which it may be given more, and from `tokens` of the format."""

    def __init__(
        self, dice: random.Random, seeds: Sequence[bytes], tokens: Sequence[bytes]
    ) -> None:
        self.seeds = list(seeds)
        self._dice = dice
        self._tokens = [*tokens, *_TOKENS]
        self._changes: tuple[Callable[[bytearray], None], ...] = (
            self._flip,
            self._overwrite,
            self._lie,
            self._insert,
            self._remove,
            self._repeat,
            self._splice,
            self._swap,
            self._replace_word,
            self._replace_number,
            self._truncate,
        )

    def input(self) -> bytes:
        """Return a seed with one to four changes."""
        data = bytearray(self._dice.choice(self.seeds))
        for _ in range(self._dice.choice((1, 1, 2, 4))):
            self._dice.choice(self._changes)(data)
        return bytes(data[:MAX_SIZE])

    def _span(self, data: bytearray) -> slice:
        start = self._dice.randrange(len(data) + 1)
        longest = self._dice.choice((4, 32, 1024))
        return slice(start, start + self._dice.randrange(1, longest))

    def _flip(self, data: bytearray) -> None:
        if data:
            data[self._dice.randrange(len(data))] ^= 1 << self._dice.randrange(8)

    def _overwrite(self, data: bytearray) -> None:
        span = self._span(data)
        data[span] = self._dice.randbytes(len(data[span]))

    def _lie(self, data: bytearray) -> None:
        """Write another number where a length or an offset may be."""
        size = self._dice.choice((1, 2, 4, 8))
        number = self._dice.choice(_NUMBERS) + self._dice.choice((0, 0, 1, -1))
        start = self._dice.randrange(len(data) + 1)
        little = self._dice.random() < 0.7
        data[start : start + size] = (number % (1 << 8 * size)).to_bytes(
            size, "little" if little else "big"
        )

    def _insert(self, data: bytearray) -> None:
        start = self._dice.randrange(len(data) + 1)
        data[start:start] = self._dice.choice(self._tokens)

    def _remove(self, data: bytearray) -> None:
        del data[self._span(data)]

    def _repeat(self, data: bytearray) -> None:
        """Repeat a piece, so often that deep nesting and quadratic time show."""
        span = self._span(data)
        piece = data[span] if self._dice.random() < 0.5 else self._dice.choice(self._tokens)
        times = self._dice.choice((2, 2, 100, MAX_SIZE))
        data[span] = bytes(piece) * min(times, MAX_SIZE // max(len(piece), 1))

    def _splice(self, data: bytearray) -> None:
        other = self._dice.choice(self.seeds)
        start = self._dice.randrange(len(other) + 1)
        data[self._span(data)] = other[start : start + self._dice.randrange(1, 4096)]

    def _swap(self, data: bytearray) -> None:
        """Exchange two pieces of one length."""
        one, two = self._span(data), self._span(data)
        length = min(len(data[one]), len(data[two]), abs(one.start - two.start))
        first, second = slice(one.start, one.start + length), slice(two.start, two.start + length)
        data[first], data[second] = data[second], data[first]

    def _replace_word(self, data: bytearray) -> None:
        words = list(_TEXT.finditer(data))
        if words:
            old = self._dice.choice(words)
            new = self._dice.choice(words)[0]
            data[slice(*old.span())] = self._dice.choice((new, self._dice.choice(self._tokens)))

    def _replace_number(self, data: bytearray) -> None:
        numbers = list(_DIGITS.finditer(data))
        if numbers:
            new = self._dice.choice((b"0", b"-1", b"1.5", b"4" * 30, b"9" * 5000, b'"1"', b"1e400"))
            data[slice(*self._dice.choice(numbers).span())] = new

    def _truncate(self, data: bytearray) -> None:
        del data[self._dice.randrange(len(data) + 1) :]
