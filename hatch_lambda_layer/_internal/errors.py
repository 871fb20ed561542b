"""The one place that turns exceptions and signals into a message and an exit code."""

from __future__ import annotations

import signal
import sys
import threading
import time
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn, Protocol

from ..exceptions import Interrupted, LambdaLayerError, OutputError
from .console import Display
from .process import redact
from .text import safe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

# A terminal and a parent process may each pass one Ctrl-C on.
_SECONDS_OF_ONE_INTERRUPTION = 1.0


class AbortingDisplay(Display, Protocol):
    """A display that can end the program, as Hatch's `Application` can."""

    def abort(self, message: str = "", code: int = 1) -> None:
        """Show the message and exit."""
        ...


@contextmanager
def reported(display: AbortingDisplay) -> Iterator[None]:
    """End the program with a message when the block fails, is interrupted or is terminated."""
    try:
        with _interruptible():
            yield
    except (LambdaLayerError, Interrupted) as error:
        abort(display, error)
    except KeyboardInterrupt as error:
        abort(display, _as_interrupted(error))
    except OSError as error:
        abort(display, OutputError(f"{error.filename or 'The system'}: {error.strerror or error}"))


def abort(display: AbortingDisplay, error: LambdaLayerError | Interrupted) -> NoReturn:
    """Show an error, with its traceback where details are wanted, and exit."""
    if display.verbosity > 0:
        display.display_debug(safe(redact("".join(traceback.format_exception(error)))))
    display.abort(safe(f"error: {error}"), code=error.exit_code)
    # Hatch's `abort` is annotated to return `None`, although it never returns.
    raise SystemExit(error.exit_code)


def _as_interrupted(error: KeyboardInterrupt) -> Interrupted:
    interrupted = Interrupted(128 + signal.SIGINT)
    for note in getattr(error, "__notes__", ()):
        interrupted.add_note(note)
    return interrupted


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGINT and SIGTERM unwind the stack, so that children and temporary files do not stay.

    SIGINT stays ignored where it is, as in the background of a shell.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    last: tuple[int, float] | None = None

    def interrupt(number: int, _frame: FrameType | None) -> None:
        nonlocal last
        now = time.monotonic()
        if last is not None and now - last[1] < _SECONDS_OF_ONE_INTERRUPTION:
            return
        last = number, now
        raise Interrupted(128 + number)

    def report_unraisable(args: sys.UnraisableHookArgs) -> None:
        # The signal came during a callback of Python's (from an import, say), from which no
        # exception gets out: it is raised at the end of the block instead.
        if not isinstance(args.exc_value, Interrupted):
            hook(args)

    numbers = [
        each
        for each in (signal.SIGINT, signal.SIGTERM)
        if each == signal.SIGTERM or signal.getsignal(each) != signal.SIG_IGN
    ]
    previous = {number: signal.signal(number, interrupt) for number in numbers}
    hook, sys.unraisablehook = sys.unraisablehook, report_unraisable
    try:
        yield
        if last is not None:
            raise Interrupted(128 + last[0])
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        sys.unraisablehook = hook
