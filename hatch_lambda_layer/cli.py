"""The command `hatch-lambda-layer`, for projects of every build backend."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from . import __version__, report
from .config import Matrix
from .console import Console
from .edge import reported
from .exceptions import ConfigError, LambdaLayerError, OutputError
from .layout import LayerPathLayout
from .manifest import LayerManifest
from .pipeline import LayerBuild

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .config import Member


class _Terminal:
    """Messages on standard error, as Hatch's `Application` shows them."""

    def __init__(self, verbosity: int) -> None:
        self.verbosity = verbosity

    def display_info(self, message: str = "") -> None:
        if self.verbosity >= 0:
            click.echo(message, err=True)

    def display_warning(self, message: str = "") -> None:
        if self.verbosity >= -1:
            click.echo(message, err=True)

    def display_debug(self, message: str = "", level: int = 1) -> None:
        if self.verbosity >= level:
            click.echo(message, err=True)

    def display_failure(self, member: str, error: LambdaLayerError) -> None:
        click.echo(f"error: {member}: {error}", err=True)

    def abort(self, message: str = "", code: int = 1) -> NoReturn:
        if message:
            click.echo(message, err=True)
        sys.exit(code)


_verbose = click.option("-v", "--verbose", count=True, help="Say more.")
_quiet = click.option("-q", "--quiet", count=True, help="Say less.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="hatch-lambda-layer")
def main() -> None:
    """Build AWS Lambda layers for Python from a lockfile."""


@main.command()
@click.argument("path", type=click.Path(path_type=Path), default=Path())
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Folder for the layers [dist]."
)
@click.option("--layer", "layers", multiple=True, help="Build only this layer; may be repeated.")
@click.option(
    "-m",
    "--member",
    "members",
    multiple=True,
    help="Build only this member of the matrix, such as python3.13-arm64; may be repeated.",
)
@click.option(
    "--runtime", "runtimes", multiple=True, help="Instead of `runtimes`; may be repeated."
)
@click.option(
    "--architecture",
    "architectures",
    multiple=True,
    help="Instead of `architectures`; may be repeated.",
)
@click.option("--tool", help="Instead of `tool`.")
@click.option("-c", "--clean", is_flag=True, help="Remove the layers that are there first.")
@_verbose
@_quiet
def build(
    path: Path,
    output: Path | None,
    layers: tuple[str, ...],
    members: tuple[str, ...],
    runtimes: tuple[str, ...],
    architectures: tuple[str, ...],
    tool: str | None,
    *,
    clean: bool,
    verbose: int,
    quiet: int,
) -> None:
    """Build the layers of the project in PATH, and print the path of each."""
    terminal = _Terminal(verbose - quiet)
    overrides = {
        "runtimes": list(runtimes),
        "architectures": list(architectures),
        "tool": tool,
    }
    with reported(terminal):
        project = _layer_build(
            path,
            output,
            Console(terminal),
            {key: value for key, value in overrides.items() if value},
        )
        if clean:
            project.clean()
        wanted = _chosen(project.matrix, layers, members)
        for built in project.build_all(wanted, terminal.display_failure):
            click.echo(built.zip_path)


def _chosen(
    matrix: Matrix, layers: tuple[str, ...], members: tuple[str, ...]
) -> tuple[Member, ...]:
    """Give the members of the matrix that the command line names, or all."""
    known_layers = [layer.name for layer in matrix.layers if layer.name]
    known_members = [member.id for member in matrix.members]
    problems = [
        f"{kind} `{name}` is not in `[tool.lambda-layer]`, which has: {', '.join(known) or 'none'}"
        for kind, names, known in (
            ("Layer", layers, known_layers),
            ("Member", members, known_members),
        )
        for name in names
        if name not in known
    ]
    chosen = tuple(
        member
        for member in matrix.members
        if (not layers or member.config.name in layers) and (not members or member.id in members)
    )
    if not chosen and not problems:
        problems.append(f"No member of layer {', '.join(layers)} is {' or '.join(members)}")
    if problems:
        raise ConfigError(problems)
    return chosen


@main.command()
@click.argument("layer", metavar="ZIP", type=click.Path(path_type=Path))
def show(layer: Path) -> None:
    """Show what is in the layer ZIP, from the manifest beside it."""
    terminal = _Terminal(0)
    with reported(terminal):
        manifest_path = layer.with_suffix(".json")
        try:
            manifest = LayerManifest.from_json(manifest_path.read_text(encoding="utf-8"))
        except OSError as error:
            raise OutputError(
                f"{manifest_path} can't be read: {error.strerror}",
                hint="`show` reads the `layer.json` that a build writes beside the zip",
            ) from error
        except (UnicodeDecodeError, LambdaLayerError) as error:
            raise LambdaLayerError(f"{manifest_path}: {error}") from error
        click.echo(layer.absolute())
        click.echo(report.layer_table(manifest))
        click.echo(report.layer_totals(manifest))
        click.echo(f"content digest: {manifest.content_digest}")
        click.echo(f"code sha256: {manifest.code_sha256}")
        for finding in manifest.findings:
            click.echo(f"warning: {finding.message}")
        if not manifest.describes(layer):
            raise LambdaLayerError(
                f"{layer} is not the zip that {manifest_path.name} was written for",
                hint="build it again",
            )


def _layer_build(
    path: Path, output: Path | None, console: Console, overrides: Mapping[str, object]
) -> LayerBuild:
    root = path.absolute()
    pyproject_path = root / "pyproject.toml"
    try:
        pyproject = tomllib.loads(pyproject_path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{pyproject_path} is not valid TOML: {error}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{pyproject_path} is not UTF-8: {error}"]) from error
    except OSError as error:
        raise ConfigError([f"{pyproject_path} can't be read: {error.strerror}"]) from error
    return LayerBuild(
        matrix=Matrix.from_pyproject(pyproject, overrides),
        layout=LayerPathLayout(pyproject_path, output.absolute() if output else root / "dist"),
        pyproject=pyproject,
        console=console,
    )
