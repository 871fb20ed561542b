"""The command `verify`, for layers and functions that are on disk, whoever has made them."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .._internal.console import Console
from .._internal.errors import reported
from .._internal.text import safe
from ..exceptions import LambdaLayerError
from ..import_proof.opening import Wishes
from ..import_proof.outcome import import_findings
from ..import_proof.places import PLACES, Limits
from ..reports import audit as audits
from .options import Terminal, examples, quiet_option, verbose_option

if TYPE_CHECKING:
    from ..import_proof.report import ImportReport
    from ..targets.target import Target

_MEGABYTE = 1 << 20
_DEFAULT = Limits()


@click.command(
    short_help="Check a layer or function, whoever made it.",
    epilog=examples(
        "verify dist/layer.zip",
        "verify .aws-sam/build/Orders --runtime python3.13",
        "verify dist/layer.zip --import",
    ),
)
@click.argument("layer", metavar="ZIP|FOLDER", type=click.Path(path_type=Path))
@click.option(
    "--import",
    "importing",
    is_flag=True,
    help="Also import every module where Lambda would, each in a process of its own.",
)
@click.option("--runtime", help="Runtime [that of the manifest, or what the files tell].")
@click.option("--architecture", help="Architecture [in the same way].")
@click.option(
    "--in",
    "place",
    type=click.Choice(PLACES),
    help="Where to import [the first that this machine has].",
)
@click.option("--python", type=click.Path(path_type=Path), help="Interpreter [one that is found].")
@click.option(
    "--root",
    type=click.Path(path_type=Path),
    help="Unpacked image of the runtime, for bubblewrap.",
)
@click.option("--unsafe", is_flag=True, help="Import without a sandbox what was not made here.")
@click.option(
    "--timeout", type=click.FloatRange(min=0.1), default=_DEFAULT.seconds, help="Seconds a module."
)
@click.option(
    "--memory",
    type=click.IntRange(min=16),
    default=_DEFAULT.memory // _MEGABYTE,
    help="MB a module.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(list(audits.FORMATS)),
    default="text",
    help="Format of the output.",
)
@verbose_option
@quiet_option
def verify(
    layer: Path,
    runtime: str | None,
    architecture: str | None,
    place: str | None,
    python: Path | None,
    root: Path | None,
    timeout: float,
    memory: int,
    form: str,
    *,
    importing: bool,
    unsafe: bool,
    verbose: int,
    quiet: int,
) -> None:
    """Check the layer or function ZIP|FOLDER, whoever has made it; exit with 1 on an error.

    It is audited: nothing of it is run. With `--import`, every module is imported as well, and the
    measurements of a ZIP are kept beside it. A FOLDER is what `sam build` leaves, for example.
    """
    from ..api.audit import audit_layer

    terminal = Terminal(verbose - quiet)
    with reported(terminal):
        if not importing and (place or python or root or unsafe):
            raise click.UsageError("--in, --python, --root and --unsafe need --import")
        report = audit_layer(layer, runtime=runtime, architecture=architecture)
        show = partial(audits.FORMATS[form], verbose=terminal.verbosity > 0)
        proof = None
        if importing:
            wishes = Wishes(place=place, python=python, root=root, trusted=unsafe)
            limits = Limits(seconds=timeout, memory=memory * _MEGABYTE)
            try:
                proof = _proved(layer, report.target, terminal, wishes, limits)
            except LambdaLayerError:
                # Where nothing can be imported, the audit is worth no less.
                click.echo(safe(show(report, None)), nl=False)
                raise
            report = replace(report, findings=(*report.findings, *import_findings(proof)))
        click.echo(safe(show(report, proof)), nl=False)
        if any(finding.severity == "error" for finding in report.findings):
            sys.exit(1)


def _proved(
    layer: Path, target: Target, terminal: Terminal, wishes: Wishes, limits: Limits
) -> ImportReport:
    from ..api.imports import prove_layer

    return prove_layer(
        layer,
        Console(terminal),
        runtime=target.runtime.id,
        architecture=target.architecture.value,
        wishes=wishes,
        limits=limits,
    )
