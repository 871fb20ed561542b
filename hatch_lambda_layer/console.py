"""What a person sees while a layer is built, under Hatch and on the command line."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Where there is no terminal, a line now and then shows that the work goes on.
_SECONDS_BETWEEN_LINES = 5.0
_MEGABYTE = 1_048_576


class Display(Protocol):
    """The part of Hatch's `Application` that is used here; the command line has its own."""

    @property
    def verbosity(self) -> int:
        """0 as the default, less when quiet, more when verbose."""
        ...

    def display_info(self, message: str = "") -> None:
        """Show what everybody wants to see, unless quiet."""
        ...

    def display_warning(self, message: str = "") -> None:
        """Show what should be looked at, unless very quiet."""
        ...

    def display_debug(self, message: str = "", level: int = 1) -> None:
        """Show details, when verbose."""
        ...


class Console:
    """Messages and progress over a `Display`."""

    def __init__(self, display: Display) -> None:
        self._display = display

    @property
    def verbose(self) -> bool:
        """Whether details are wanted."""
        return self._display.verbosity > 0

    def info(self, message: str) -> None:
        """Show what everybody wants to see."""
        self._display.display_info(message)

    def warning(self, message: str) -> None:
        """Show what should be looked at."""
        self._display.display_warning(f"warning: {message}")

    def debug(self, message: str) -> None:
        """Show a detail."""
        self._display.display_debug(message)

    @contextmanager
    def progress(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
        """Show that `total` bytes are worked through; the function given takes each advance."""
        if self._display.verbosity < 0:
            yield lambda _advance: None
        elif sys.stderr.isatty():
            with _bar(label, total) as advance:
                yield advance
        else:
            yield self._lines(label, total)

    def _lines(self, label: str, total: int) -> Callable[[int], None]:
        self.info(f"{label} ({megabytes(total)})" if total else label)
        done = 0
        last = time.monotonic()

        def advance(count: int) -> None:
            nonlocal done, last
            done += count
            if (now := time.monotonic()) - last >= _SECONDS_BETWEEN_LINES:
                last = now
                self.info(f"{label}: {megabytes(done)}" + (f" of {megabytes(total)}" * bool(total)))

        return advance


@contextmanager
def _bar(label: str, total: int) -> Iterator[Callable[[int], None]]:
    from rich.console import Console as Terminal
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=Terminal(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=total or None)
        yield lambda count: progress.advance(task, count)


def megabytes(size: int) -> str:
    """Write a size as AWS does, where a MB is 1,048,576 bytes and a KB 1,024."""
    if size < _MEGABYTE:
        return f"{-(-size // 1024)} KB"
    return f"{size / _MEGABYTE:.1f} MB"
