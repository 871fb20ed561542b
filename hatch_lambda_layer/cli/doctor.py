"""The command `doctor`: what a project needs on this machine, and what it has."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from .._internal.console import Console
from .._internal.errors import reported
from ..build.opening import open_project
from ..reports import diagnosis as reports
from .options import Terminal, examples, overridden, path_argument, runtime_option

if TYPE_CHECKING:
    from pathlib import Path


@click.command(
    short_help="Check what a project needs on this machine.",
    epilog=examples("doctor", "doctor orders-api --offline --format json"),
)
@path_argument
@runtime_option
@click.option("--offline", is_flag=True, help="Ask no index, and not AWS.")
@click.option(
    "--format",
    "form",
    type=click.Choice(list(reports.FORMATS)),
    default="text",
    show_default=True,
    help="Format of the output.",
)
def doctor(path: Path | None, runtimes: tuple[str, ...], form: str, *, offline: bool) -> None:
    """Check what the project in PATH needs on this machine, and what is there.

    Tools, interpreters, container engines, the cache, indexes and AWS are looked at. Credentials
    are never shown, only where they come from. The exit code is 1 where something is missing that
    this project needs.
    """
    from ..build.diagnosis import Diagnosis

    with reported(Terminal(0)):
        project = open_project(
            path, Console(Terminal(0)), overrides=overridden(runtimes, (), None, None)
        )
        checks = list(Diagnosis(project, online=not offline).checks())
        click.echo(reports.FORMATS[form](checks), nl=False)
        if any(check.state == "missing" for check in checks):
            sys.exit(1)
