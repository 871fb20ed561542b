"""The command `outdated`, which asks the indexes only when a person wants to know."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from .._internal.console import Console
from .._internal.errors import reported
from ..api.arguments import choose_members
from ..build.opening import open_project
from ..reports import outdated as reports
from .options import (
    Terminal,
    architecture_option,
    examples,
    layer_option,
    lockfile_option,
    member_option,
    overridden,
    path_argument,
    quiet_option,
    runtime_option,
    tool_option,
    verbose_option,
)

if TYPE_CHECKING:
    from pathlib import Path

# Neither 1, a failure, nor 2, a wrong command line.
_OUTDATED = 3


@click.command(
    short_help="Ask the indexes what is yanked or outdated.",
    epilog=examples("outdated", "outdated orders-api --exit-code --format json"),
)
@path_argument
@layer_option
@member_option
@runtime_option
@architecture_option
@tool_option
@lockfile_option
@click.option(
    "--format",
    "form",
    type=click.Choice(list(reports.FORMATS)),
    default="text",
    show_default=True,
    help="Format of the output.",
)
@click.option(
    "--exit-code",
    is_flag=True,
    help=f"Exit with {_OUTDATED} where a release is yanked, gone or outdated.",
)
@verbose_option
@quiet_option
def outdated(
    path: Path | None,
    layers: tuple[str, ...],
    members: tuple[str, ...],
    runtimes: tuple[str, ...],
    architectures: tuple[str, ...],
    tool: str | None,
    lockfile: Path | None,
    form: str,
    *,
    exit_code: bool,
    verbose: int,
    quiet: int,
) -> None:
    """Ask the indexes what is yanked or outdated in the layers of the project in PATH.

    Nothing is built or changed. A package that could not be asked about makes the exit code 1.
    """
    from ..build.outdated import check_layers, failure

    terminal = Terminal(verbose - quiet)
    with reported(terminal):
        overrides = overridden(runtimes, architectures, tool, lockfile)
        project = open_project(path, Console(terminal), overrides=overrides)
        wanted = choose_members(project.matrix, layers, members)
        statuses = check_layers(project.context, wanted, terminal.display_failure)
        # A document that lacks a layer would pass for a whole one.
        if form == "text" or len(statuses) == len(wanted):
            click.echo(reports.FORMATS[form](statuses, verbose=terminal.verbosity > 0), nl=False)
        if error := failure(statuses, wanted):
            raise error
        if exit_code and any(each.outdated for one in statuses for each in one.checked):
            sys.exit(_OUTDATED)
