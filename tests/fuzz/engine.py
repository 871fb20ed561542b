"""Feeding a reader: what escapes from it, and what takes too much time or memory, is a crash."""

from __future__ import annotations

import hashlib
import random
import re
import signal
import sys
import time
import traceback
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import hatch_lambda_layer
from hatch_lambda_layer.exceptions import LambdaLayerError

from .mutation import Mutator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SECONDS = 1.0
"""Of the processor, for one input."""
MEMORY = 128 << 20
"""In bytes, for one input, beside what the process has already."""
_MOST_SEEDS = 2000
_PRODUCT = Path(hatch_lambda_layer.__file__).parent


@dataclass(frozen=True)
class Target:
    """A reader, the files it reads, and the words of its format.

    `read` gets the bytes and a folder for files. It raises `LambdaLayerError` for what is refused,
    and `AssertionError` where it returns what it must not.
    """

    name: str
    read: Callable[[bytes, Path], object]
    seeds: Callable[[], Sequence[bytes]]
    tokens: Sequence[bytes] = ()


@dataclass(frozen=True)
class Crash:
    """An input that a reader did not survive; `trace` says where."""

    target: str
    data: bytes
    trace: str

    def write(self, folder: Path) -> Path:
        """Write the input into `folder` with the trace beside it, and return its path."""
        path = folder / f"{self.target}-{hashlib.sha256(self.data).hexdigest()[:12]}"
        path.write_bytes(self.data)
        path.with_suffix(".txt").write_text(self.trace, encoding="utf-8", errors="replace")
        return path


class TooSlow(BaseException):
    """The time for one input is over; no reader may catch it."""


@dataclass
class Session:
    """The inputs that one reader has been given, and its distinct crashes."""

    target: Target
    folder: Path
    seconds: float = SECONDS
    inputs: int = 0
    crashes: list[Crash] = field(default_factory=list)
    _outcomes: set[str] = field(default_factory=set)
    _places: set[str] = field(default_factory=set)

    def feed(self, data: bytes) -> bool:
        """Give one input to the reader; return whether its outcome is a new one."""
        self.inputs += 1
        try:
            with time_limit(self.seconds):
                self.target.read(data, self.folder)
        except LambdaLayerError as error:
            return self._is_new(f"{type(error).__name__} {_shape(str(error))}")
        except (Exception, TooSlow) as error:  # noqa: BLE001  # whatever it is, it is a crash
            return self._note(data, error)
        return self._is_new("value")

    def run(
        self, seed: int, *, count: int | None = None, seconds: float | None = None
    ) -> list[Crash]:
        """Feed the seeds, then mutations of them; return the crashes.

        An input with a new outcome becomes a seed itself: it has got further than the others.
        """
        dice = random.Random(f"{self.target.name} {seed}")  # noqa: S311
        end = None if seconds is None else time.monotonic() + seconds
        mutator = Mutator(dice, self.target.seeds(), self.target.tokens)
        with memory_limit(MEMORY):
            for each in list(mutator.seeds):
                self.feed(each)
            while (count is None or self.inputs < count) and (
                end is None or time.monotonic() < end
            ):
                data = mutator.input()
                if self.feed(data) and len(mutator.seeds) < _MOST_SEEDS:
                    mutator.seeds.append(data)
        return self.crashes

    def _is_new(self, outcome: str) -> bool:
        new = outcome not in self._outcomes
        self._outcomes.add(outcome)
        return new

    def _note(self, data: bytes, error: BaseException) -> bool:
        place = f"{type(error).__name__} {_place(error)}"
        new = place not in self._places
        if new:
            self._places.add(place)
            trace = "".join(traceback.format_exception(error, chain=False))
            self.crashes.append(Crash(self.target.name, data, trace))
        return new


def _shape(message: str) -> str:
    """Return a message without what it quotes and counts."""
    return re.sub(r"`[^`]*`|'[^']*'|\"[^\"]*\"|\d+|\S*/\S*", "", message[:500])


def _place(error: BaseException) -> str:
    """Return the place in the product at which an error arose: one fault has many inputs."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [each for each in frames if Path(each.filename).is_relative_to(_PRODUCT)] or frames
    # A reader that is too slow is so at many places.
    each = ours[0] if isinstance(error, (TooSlow, MemoryError)) else ours[-1]
    return f"{each.filename}:{each.lineno}"


if sys.platform == "win32":

    @contextmanager
    def time_limit(_seconds: float) -> Iterator[None]:
        """Limit nothing: Windows has no timer that counts a process's own time."""
        yield

    @contextmanager
    def memory_limit(_size: int) -> Iterator[None]:
        """Limit nothing: Windows has limits for new processes only."""
        yield

else:
    import resource

    def _end(_number: int, _frame: object) -> None:
        raise TooSlow("it takes too long")

    @contextmanager
    def time_limit(seconds: float) -> Iterator[None]:
        """Raise `TooSlow` after as much time of this process."""
        before = signal.signal(signal.SIGVTALRM, _end)
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.signal(signal.SIGVTALRM, before)

    @contextmanager
    def memory_limit(size: int) -> Iterator[None]:
        """Let this process have as much memory more, and write no larger file."""
        wanted = {resource.RLIMIT_FSIZE: size}
        if sys.platform == "linux":  # macOS counts what is mapped otherwise
            pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
            wanted[resource.RLIMIT_AS] = pages * resource.getpagesize() + size
        before = {kind: resource.getrlimit(kind) for kind in wanted}
        for kind, limit in wanted.items():
            resource.setrlimit(kind, (limit, before[kind][1]))
        try:
            yield
        finally:
            for kind, limits in before.items():
                resource.setrlimit(kind, limits)
