"""The display of the API: nothing, or lines of text that the caller gets."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from .._internal.console import Console
from .._internal.text import safe

if TYPE_CHECKING:
    from ..exceptions import LambdaLayerError

_SILENT = -2


class Printer(Protocol):
    """The part of rich's `Console` that is used."""

    def print(
        self,
        *objects: Any,
        emoji: bool | None = None,
        markup: bool | None = None,
        highlight: bool | None = None,
        soft_wrap: bool | None = None,
    ) -> None:
        """Print a line."""
        ...


# Is called with each line of text, or prints it; `None` shows nothing.
Display: TypeAlias = Callable[[str], object] | Printer | None


class Lines:
    """The messages of a build or a publication, each given to the caller's `display`."""

    def __init__(self, display: Display) -> None:
        self.verbosity = _SILENT if display is None else 0
        self._show = _shower(display)

    def display_info(self, message: str = "") -> None:
        """Show a message."""
        self._show(message)

    def display_warning(self, message: str = "") -> None:
        """Show a warning."""
        self._show(message)

    def display_debug(self, message: str = "", level: int = 1) -> None:
        """Show no details: they are for those who look for a fault."""

    def display_failure(self, label: str, error: LambdaLayerError) -> None:
        """Show that one of several layers, or one of several destinations, has failed."""
        self._show(safe(f"error: {label}: {error}"))

    def console(self) -> Console:
        """Return the console that shows its messages here, and draws nothing on the terminal."""
        return Console(self, draws=False)


def _shower(display: Display) -> Callable[[str], object]:
    if display is None:
        return lambda _: None
    if callable(display):
        return display

    def show(message: str) -> None:
        # As plain text: a version or a path may look like markup by chance.
        display.print(message, emoji=False, markup=False, highlight=False, soft_wrap=True)

    return show
