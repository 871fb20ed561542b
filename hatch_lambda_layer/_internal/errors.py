"""The one place that turns exceptions and signals into a message and an exit code."""

from __future__ import annotations

import signal
import sys
import threading
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

_SIGINT_EXIT_CODE = 128 + signal.SIGINT
_SIGTERM_EXIT_CODE = 128 + signal.SIGTERM


class AbortingDisplay(Display, Protocol):
    """A display that can end the program, as Hatch's `Application` can."""

    def abort(self, message: str = "", code: int = 1) -> None:
        """Show the message and exit."""
        ...


@contextmanager
def reported(display: AbortingDisplay) -> Iterator[None]:
    """End the program with a message when the block fails, is interrupted or is terminated."""
    try:
        with _terminable():
            yield
    except LambdaLayerError as error:
        abort(display, error)
    except KeyboardInterrupt:
        abort(display, Interrupted(_SIGINT_EXIT_CODE))
    except OSError as error:
        abort(display, OutputError(f"{error.filename or 'The system'}: {error.strerror or error}"))


def abort(display: AbortingDisplay, error: LambdaLayerError) -> NoReturn:
    """Show an error, with its traceback where details are wanted, and exit."""
    if display.verbosity > 0:
        display.display_debug(safe(redact("".join(traceback.format_exception(error)))))
    display.abort(safe(f"error: {error}"), code=error.exit_code)
    # Hatch's `abort` is annotated to return `None`, although it never returns.
    raise SystemExit(error.exit_code)


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM unwind the stack, so that children and temporary files do not stay."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    terminated = False

    def terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
        nonlocal terminated
        terminated = True
        raise Interrupted(_SIGTERM_EXIT_CODE)

    def report_unraisable(args: sys.UnraisableHookArgs) -> None:
        # The signal came during a callback of Python's (from an import, say), from which no
        # exception gets out: it is raised at the end of the block instead.
        if not isinstance(args.exc_value, Interrupted):
            hook(args)

    previous = signal.signal(signal.SIGTERM, terminate)
    hook, sys.unraisablehook = sys.unraisablehook, report_unraisable
    try:
        yield
        if terminated:
            raise Interrupted(_SIGTERM_EXIT_CODE)
    finally:
        signal.signal(signal.SIGTERM, previous)
        sys.unraisablehook = hook
