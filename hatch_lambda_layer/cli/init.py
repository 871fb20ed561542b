"""The command `init`, which writes the table that a project begins with."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from .._internal.errors import reported
from .options import Terminal, examples


@click.command(
    short_help="Write the table that a project begins with.",
    epilog=examples("init", "init orders-api --yes"),
)
@click.argument("path", type=click.Path(path_type=Path), default=Path())
@click.option("-y", "--yes", is_flag=True, help="Write it without asking.")
def init(path: Path, *, yes: bool) -> None:
    """Write the table `[tool.lambda-layer]` for the project in PATH, by what it has.

    It is shown first, and added to the end of `pyproject.toml`: all else stays as it is. A table
    that is there already is never changed: the exit code is 1 then. Without a terminal to ask on,
    nothing is written unless `--yes` is given.
    """
    from ..build.initial_table import initial_table

    terminal = Terminal(0)
    with reported(terminal):
        found = initial_table(path.absolute())
        click.echo(found.text, nl=False)
        for note in found.notes:
            terminal.display_info(note)
        if not yes and not sys.stdin.isatty():
            terminal.display_info("Nothing is written: `--yes` writes it")
            return
        if yes or click.confirm(f"Add it to {found.path}?", err=True):
            found.write()
            terminal.display_info(f"Written to {found.path}")
