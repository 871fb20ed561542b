"""The command `hatch-lambda-layer`, for projects of every build backend."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .. import __version__
from .._internal.console import Console
from .._internal.errors import reported
from .._internal.text import safe
from ..api.arguments import choose_members
from ..api.build import built_as_json
from ..api.compare import compare_layers
from ..build.opening import open_project
from ..exceptions import LambdaLayerError
from ..layer.manifest import LayerManifest
from ..reports import diff as differences
from ..reports import text as report
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
    from collections.abc import Mapping

# Neither 1, a failure, nor 2, a wrong command line.
_DIFFERENT = 3


class _Commands(click.Group):
    """The commands; those that no build needs are imported when one of them is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, sorted."""
        return sorted([*super().list_commands(ctx), *self._others()])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of a name, or `None`."""
        return super().get_command(ctx, cmd_name) or self._others().get(cmd_name)

    def _others(self) -> Mapping[str, click.Command]:
        from .cache import cache
        from .doctor import doctor
        from .explain import explain
        from .init import init
        from .outdated import outdated
        from .publish import publish
        from .verify import verify
        from .versions import versions

        others = (cache, doctor, explain, init, outdated, publish, verify, versions)
        return {str(each.name): each for each in others}


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="hatch-lambda-layer")
def main() -> None:
    """Build AWS Lambda layers for Python from a lockfile, and publish them."""


@main.command(
    short_help="Build the layers of a project.",
    epilog=examples(
        "build",
        "build orders-api -o out --runtime python3.13",
        "build --layer reports -m python3.13-arm64 --format json",
    ),
)
@path_argument
@click.option(
    "-o",
    "--output-dir",
    "output",
    type=click.Path(path_type=Path),
    help="Folder for the layers  [default: Hatch's `directory`, or dist]",
)
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
    help="How to print the layers; text is their paths.",
)
@click.option("-c", "--clean", is_flag=True, help="Build anew, then remove all other layers.")
@verbose_option
@quiet_option
def build(
    path: Path | None,
    output: Path | None,
    layers: tuple[str, ...],
    members: tuple[str, ...],
    runtimes: tuple[str, ...],
    architectures: tuple[str, ...],
    tool: str | None,
    lockfile: Path | None,
    form: str,
    *,
    clean: bool,
    verbose: int,
    quiet: int,
) -> None:
    """Build the layers of the project in PATH, and print the path of each.

    Without PATH, that is the current folder, or else the nearest one around it with a
    pyproject.toml, a lockfile or a requirements.txt, in the same git repository.

    With `--format json` they are printed at the end, and only if all of them were built.
    """
    terminal = Terminal(verbose - quiet)
    with reported(terminal):
        project = open_project(
            path,
            Console(terminal),
            output=output,
            overrides=overridden(runtimes, architectures, tool, lockfile),
        )
        project.anew = clean
        wanted = choose_members(project.matrix, layers, members)
        with project.outcome(wanted).told_when_interrupted():
            layers_built = project.build_all(wanted, terminal.display_failure)
            if form == "json":
                click.echo(built_as_json(layers_built), nl=False)
            # Each path is printed when its layer is there.
            for built in layers_built:
                click.echo(built.zip_path)
            if clean:
                project.clean_except(map(project.zip_path, wanted))


@main.command(
    short_help="Show what is in a layer.",
    epilog=examples("show dist/layer.zip", "show dist/layer.zip --bars"),
)
@click.argument("layer", metavar="ZIP", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Format of the output; JSON is that of the manifest.",
)
@click.option("--bars", is_flag=True, help="Show the largest first, with sizes as bars.")
def show(layer: Path, form: str, *, bars: bool) -> None:
    """Show what is in the layer ZIP, from the manifest beside it."""
    terminal = Terminal(0)
    with reported(terminal):
        manifest = LayerManifest.beside(layer)
        if form == "json":
            if not manifest.describes(layer):
                raise _other_zip(layer)
            click.echo(manifest.to_json(), nl=False)
            return
        click.echo(layer.absolute())
        table = report.layer_bars if bars else report.layer_table
        click.echo(safe(table(manifest)))
        click.echo(report.layer_totals(manifest))
        click.echo(f"content digest: {manifest.content_digest}")
        click.echo(f"code sha256: {manifest.code_sha256}")
        for finding in manifest.findings:
            click.echo(safe(str(finding)))
        if not manifest.describes(layer):
            raise _other_zip(layer)


def _other_zip(layer: Path) -> LambdaLayerError:
    return LambdaLayerError(
        f"{layer} is not the zip that {layer.with_suffix('.json').name} was written for",
        hint="build it again",
    )


@main.command(
    short_help="Show the differences between two layers.",
    epilog=examples(
        "diff old/layer.zip dist/layer.zip", "diff orders-api:3 dist/layer.zip --exit-code"
    ),
)
@click.argument("old", metavar="A")
@click.argument("new", metavar="B")
@click.option(
    "--format",
    "form",
    type=click.Choice(list(differences.FORMATS)),
    default="text",
    show_default=True,
    help="Format of the output.",
)
@click.option(
    "--exit-code",
    is_flag=True,
    help=f"Exit with {_DIFFERENT} where the layers differ; failures exit with others.",
)
def diff(old: str, new: str, form: str, *, exit_code: bool) -> None:
    """Show the differences between layer A and layer B.

    Each is a zip with its manifest beside it, a `layer.json`, or a published version: NAME:3, or
    its ARN.
    """
    with reported(Terminal(0)):
        difference = compare_layers(old, new)
        click.echo(differences.FORMATS[form](difference), nl=False)
        if exit_code and not difference.equal:
            sys.exit(_DIFFERENT)
