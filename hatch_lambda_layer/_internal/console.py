"""Messages and progress while a layer is built, under Hatch and on the command line."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from .text import one_line, safe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

# Where there is no terminal, a line now and then shows that the work goes on.
_SECONDS_BETWEEN_LINES = 5.0
_SECONDS_BETWEEN_SIGNS = 30.0
_MEGABYTE = 1_048_576


class Display(Protocol):
    """The part of Hatch's `Application` that is used here; the command line has its own."""

    @property
    def verbosity(self) -> int:
        """0 by default, negative when quiet, positive when verbose."""
        ...

    def display_info(self, message: str = "") -> None:
        """Show a message, unless quiet."""
        ...

    def display_warning(self, message: str = "") -> None:
        """Show a warning, unless very quiet."""
        ...

    def display_debug(self, message: str = "", level: int = 1) -> None:
        """Show details, when verbose."""
        ...


class Progress(Protocol):
    """The progress of a long piece of work; its methods may be called from any thread."""

    def moved(self, count: int) -> None:
        """Count bytes that were moved; a negative `count` takes back those of a failed attempt."""
        ...

    def done(self) -> None:
        """Count one finished item."""
        ...


class Console:
    """Messages and progress over a `Display`.

    Where standard error is a terminal, progress is drawn there, unless `draws` is false.
    """

    def __init__(self, display: Display, *, draws: bool = True) -> None:
        self._display = display
        self._draws = draws
        self._warned: set[str] = set()

    @property
    def verbose(self) -> bool:
        """Whether details are wanted."""
        return self._display.verbosity > 0

    def info(self, message: str) -> None:
        """Show a message."""
        self._display.display_info(safe(message))

    def warning(self, message: str) -> None:
        """Show a warning."""
        self._display.display_warning(safe(f"warning: {message}"))

    def detail(self, message: str) -> None:
        """Show a message where details are wanted."""
        self._display.display_debug(safe(message))

    def warn_once(self, message: str) -> None:
        """Show a warning that several members of a matrix share, the first time only."""
        if message not in self._warned:
            self._warned.add(message)
            self.warning(message)

    @contextmanager
    def progress(self, label: str, items: int) -> Iterator[Progress]:
        """Yield a display of the progress through `items`, and of the bytes moved for them."""
        if self._display.verbosity < 0:
            yield _Silent()
        elif self._draws and sys.stderr.isatty():
            with _bar(label, items) as bar:
                yield bar
        else:
            self.info(label)
            yield _Lines(self, label, items)

    @contextmanager
    def working(self, label: str | None = None) -> Iterator[Callable[[str], None]]:
        """Show that work of unknown length goes on; yield a function that takes its latest line."""
        if label is not None:
            self.info(label)
        if self._display.verbosity < 0:
            yield lambda _: None
        elif self._draws and sys.stderr.isatty():
            with _status() as show:
                yield show
        else:
            yield _Sign(self).show


class _Silent:
    def moved(self, count: int) -> None:
        pass

    def done(self) -> None:
        pass


class _Sign:
    """A sign that work goes on, where there is no terminal: a line now and then."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._start = self._last = time.monotonic()

    def show(self, said: str) -> None:
        now = time.monotonic()
        if now - self._last >= _SECONDS_BETWEEN_SIGNS:
            self._last = now
            self._console.info(f"  {now - self._start:.0f} s: {one_line(said)}")


class _Lines:
    """Progress where there is no terminal: a line now and then."""

    def __init__(self, console: Console, label: str, items: int) -> None:
        self._console = console
        self._label = label
        self._items = items
        self._done = 0
        self._bytes = 0
        self._last = time.monotonic()

    def moved(self, count: int) -> None:
        self._bytes += count
        self._show()

    def done(self) -> None:
        self._done += 1
        self._show()

    def _show(self) -> None:
        if (now := time.monotonic()) - self._last >= _SECONDS_BETWEEN_LINES:
            self._last = now
            moved = f", {megabytes(self._bytes)}" if self._bytes else ""
            self._console.info(f"{self._label}: {self._done} of {self._items} done{moved}")


class _Bar:
    """Progress in a terminal, through rich."""

    def __init__(self, progress: RichProgress, task: TaskID) -> None:
        self._progress = progress
        self._task = task
        self._bytes = 0

    def moved(self, count: int) -> None:
        self._bytes += count
        self._progress.update(self._task, moved=megabytes(self._bytes))

    def done(self) -> None:
        self._progress.advance(self._task)


@contextmanager
def _bar(label: str, items: int) -> Iterator[_Bar]:
    from rich.console import Console as Terminal
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[moved]}"),
    )
    # The bar is removed at the end: what was built is reported in lines of text.
    with RichProgress(*columns, console=Terminal(stderr=True), transient=True) as progress:
        yield _Bar(progress, progress.add_task(label, total=items, moved=""))


@contextmanager
def _status() -> Iterator[Callable[[str], None]]:
    from rich.console import Console as Terminal
    from rich.text import Text

    terminal = Terminal(stderr=True)
    start = time.monotonic()

    def show(said: str) -> None:
        # As plain text: the output of another program may look like markup by chance.
        text = Text(f"{time.monotonic() - start:.0f} s: {one_line(said)}", style="dim")
        text.truncate(max(terminal.width - 4, 10), overflow="ellipsis")
        status.update(text)

    with terminal.status("") as status:
        yield show


def megabytes(size: int) -> str:
    """Return a size in bytes as AWS writes it: a MB is 1,048,576 bytes and a KB 1,024."""
    if size < _MEGABYTE:
        return f"{-(-size // 1024)} KB"
    return f"{size / _MEGABYTE:.1f} MB"


def aligned(
    header: tuple[str, ...], rows: Sequence[tuple[str, ...]], text_columns: int = 2
) -> Iterator[str]:
    """Yield aligned lines: `text_columns` columns of text, then columns of numbers."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in (header, *rows):
        cells = [
            cell.ljust(width) if column < text_columns else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a table of text, its columns aligned on the left."""
    return "\n".join(aligned(header, rows, len(header)))
