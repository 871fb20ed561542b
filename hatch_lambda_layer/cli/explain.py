"""The command `explain`: why a package is in a layer, or is not."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from .._internal.console import Console
from .._internal.errors import reported
from ..api.arguments import choose_members
from ..build.opening import open_project
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


@click.command(
    short_help="Explain why a package is in a layer.",
    epilog=examples("explain urllib3", "explain numpy orders-api -m python3.13-arm64 -v"),
)
@click.argument("package")
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
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Format of the output.",
)
@verbose_option
@quiet_option
def explain(
    package: str,
    path: Path | None,
    layers: tuple[str, ...],
    members: tuple[str, ...],
    runtimes: tuple[str, ...],
    architectures: tuple[str, ...],
    tool: str | None,
    lockfile: Path | None,
    form: str,
    *,
    verbose: int,
    quiet: int,
) -> None:
    """Explain why PACKAGE is in the layers of the project in PATH, or is not.

    It shows what requires the package, with markers; which wheels there are, and why not each of
    them is the chosen one; what it costs, and what would go with it if it were excluded.

    Wheels are fetched where that is needed; nothing is built or changed. The exit code is 1 where
    the lockfile does not have the package.
    """
    from ..build.explanation import explain_package
    from ..reports import explanation as reports

    terminal = Terminal(verbose - quiet)
    with reported(terminal):
        overrides = overridden(runtimes, architectures, tool, lockfile)
        project = open_project(path, Console(terminal), overrides=overrides)
        wanted = choose_members(project.matrix, layers, members)
        found = [explain_package(project.context, each, package) for each in wanted]
        click.echo(reports.FORMATS[form](found, verbose=terminal.verbosity > 0), nl=False)
        if all(each.status == "not-locked" for each in found):
            sys.exit(1)
