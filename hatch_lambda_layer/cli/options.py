"""The parts that the commands share: the terminal, and options."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from .._internal.text import safe
from ..config.layer import TOOLS
from ..targets.target import Architecture, runtimes

if TYPE_CHECKING:
    from ..exceptions import LambdaLayerError

_COLOURS = {"error": "red", "warning": "yellow"}


class Terminal:
    """Messages on standard error, as Hatch's `Application` shows them."""

    def __init__(self, verbosity: int) -> None:
        self.verbosity = verbosity

    def display_info(self, message: str = "") -> None:
        """Show a message, unless quiet (`-q`)."""
        if self.verbosity >= 0:
            click.echo(message, err=True)

    def display_warning(self, message: str = "") -> None:
        """Show a warning, unless very quiet (`-qq`)."""
        if self.verbosity >= -1:
            click.echo(_coloured(message), err=True)

    def display_debug(self, message: str = "", level: int = 1) -> None:
        """Show details, if at least as verbose as `level` (`-v` is 1)."""
        if self.verbosity >= level:
            click.echo(message, err=True)

    def display_failure(self, member: str, error: LambdaLayerError) -> None:
        """Show that one of several members has failed."""
        click.echo(_coloured(safe(f"error: {member}: {error}")), err=True)

    def abort(self, message: str = "", code: int = 1) -> NoReturn:
        """Show the message and exit with `code`."""
        if message:
            click.echo(_coloured(message), err=True)
        sys.exit(code)


def _coloured(message: str) -> str:
    """Return a message with a colour for its kind; click takes it out where it is for no terminal.

    https://no-color.org
    """
    kind, colon, rest = message.partition(": ")
    if kind not in _COLOURS or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return message
    return click.style(kind, fg=_COLOURS[kind], bold=True) + colon + rest


def examples(*commands: str) -> str:
    """Return the end of a command's help: lines to type, which are not wrapped."""
    return "\b\nExamples:\n" + "\n".join(f"  hatch-lambda-layer {each}" for each in commands)


verbose_option = click.option("-v", "--verbose", count=True, help="Show more; may be repeated.")
quiet_option = click.option("-q", "--quiet", count=True, help="Show less; may be repeated.")
layer_option = click.option(
    "--layer", "layers", multiple=True, help="Only this layer; may be repeated."
)
member_option = click.option(
    "-m",
    "--member",
    "members",
    multiple=True,
    help="Only this member of the matrix, such as reports-python3.13-arm64, or with --layer "
    "python3.13-arm64; may be repeated.",
)
runtime_option = click.option(
    "--runtime",
    "runtimes",
    metavar=f"[{'|'.join(runtimes())}]",
    multiple=True,
    help="Instead of `runtimes` in the table; may be repeated.",
)
architecture_option = click.option(
    "--architecture",
    "architectures",
    metavar=f"[{'|'.join(each.value for each in Architecture)}]",
    multiple=True,
    help="Instead of `architectures` in the table; may be repeated.",
)
tool_option = click.option(
    "--tool",
    metavar=f"[{'|'.join(TOOLS)}]",
    help="Whose lockfile to read, instead of `tool` in the table  [default: the only one there is]",
)
lockfile_option = click.option(
    "--lockfile",
    type=click.Path(path_type=Path),
    help="Path of the lockfile, instead of `lockfile` in the table.",
)
path_argument = click.argument("path", type=click.Path(path_type=Path), required=False)


def overridden(
    runtimes: tuple[str, ...],
    architectures: tuple[str, ...],
    tool: str | None,
    lockfile: Path | None,
) -> dict[str, object]:
    """Return the keys of `[tool.lambda-layer]` that these options replace."""
    given = {
        "runtimes": list(runtimes),
        "architectures": list(architectures),
        "tool": tool,
        # As every path of a command, it starts from the current folder.
        "lockfile": lockfile and str(lockfile.absolute()),
    }
    return {key: value for key, value in given.items() if value}
