"""Messages and progress while a layer is built, under Hatch and on the command line."""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from .text import one_line, safe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

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

    def done(self, name: str = "") -> None:
        """Count one finished item, by its `name` if it is one of the files that are moved."""
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
    def progress(
        self, label: str, items: int, sizes: Mapping[str, int | None] | None = None
    ) -> Iterator[Progress]:
        """Yield a display of the progress through `items`, and of the bytes moved for them.

        `sizes` are those in bytes, where they are known, of the files that the items are.
        """
        transfer = _Transfer(items, sizes)
        if self._display.verbosity < 0:
            yield _Silent()
        elif self._draws and _can_draw():
            with _bar(label, transfer) as bar:
                yield bar
        else:
            self.info(label)
            yield _Lines(self, label, transfer)

    @contextmanager
    def working(self, label: str | None = None) -> Iterator[Callable[[str], None]]:
        """Show that work of unknown length goes on; yield a function that takes its latest line."""
        if label is not None:
            self.info(label)
        if self._display.verbosity < 0:
            yield lambda _: None
        elif self._draws and _can_draw():
            with _status() as show:
                yield show
        else:
            yield _Sign(self).show


def _can_draw() -> bool:
    """Return whether standard error is a terminal whose cursor can be moved."""
    return sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


class _Silent:
    def moved(self, count: int) -> None:
        pass

    def done(self, name: str = "") -> None:
        pass


class _Transfer:
    """The state of a transfer: how many of the `items` are done, and how many bytes moved."""

    def __init__(self, items: int, sizes: Mapping[str, int | None] | None) -> None:
        self.items = items
        self.finished = 0
        self.bytes = 0
        self._counts_rate = sizes is not None
        self._left = dict(sizes or {})
        known = [size for size in self._left.values() if size is not None]
        self.total = sum(known) if known and len(known) == len(self._left) else None
        self._start = time.monotonic()

    def finish(self, name: str) -> None:
        self.finished += 1
        self._left.pop(name, None)

    @property
    def moved(self) -> str:
        """The bytes, their rate, and the largest file still to come; nothing where none moved."""
        if not self.bytes:
            return ""
        of_all = f" of {megabytes(self.total)}" if self.total is not None else ""
        texts = [megabytes(self.bytes) + of_all]
        seconds = time.monotonic() - self._start
        if self._counts_rate and seconds > 0:
            texts.append(f"{megabytes(int(self.bytes / seconds))}/s")
        if self._left:
            texts.append(max(self._left, key=lambda name: self._left[name] or 0))
        return ", ".join(texts)


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

    def __init__(self, console: Console, label: str, transfer: _Transfer) -> None:
        self._console = console
        self._label = label
        self._transfer = transfer
        self._last = time.monotonic()

    def moved(self, count: int) -> None:
        self._transfer.bytes += count
        self._show()

    def done(self, name: str = "") -> None:
        self._transfer.finish(name)
        self._show()

    def _show(self) -> None:
        if (now := time.monotonic()) - self._last >= _SECONDS_BETWEEN_LINES:
            self._last = now
            so_far = self._transfer
            moved = f", {so_far.moved}" if so_far.moved else ""
            self._console.info(f"{self._label}: {so_far.finished} of {so_far.items} done{moved}")


class _Bar:
    """Progress in a terminal, through rich: of the bytes where their sum is known."""

    def __init__(self, progress: RichProgress, task: TaskID, transfer: _Transfer) -> None:
        self._progress = progress
        self._task = task
        self._transfer = transfer

    def moved(self, count: int) -> None:
        self._transfer.bytes += count
        self._update()

    def done(self, name: str = "") -> None:
        self._transfer.finish(name)
        self._update()

    def _update(self) -> None:
        so_far = self._transfer
        completed = so_far.finished if so_far.total is None else so_far.bytes
        count = f"{so_far.finished}/{so_far.items}"
        self._progress.update(self._task, completed=completed, count=count, moved=so_far.moved)


@contextmanager
def _bar(label: str, transfer: _Transfer) -> Iterator[_Bar]:
    from rich.console import Console as Terminal
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[count]}", markup=False),
        # Names of files come from others, and may look like markup.
        TextColumn("{task.fields[moved]}", markup=False),
    )
    total = transfer.items if transfer.total is None else transfer.total
    # The bar is removed at the end: what was built is reported in lines of text.
    with RichProgress(*columns, console=Terminal(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=total, count=f"0/{transfer.items}", moved="")
        yield _Bar(progress, task, transfer)


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
