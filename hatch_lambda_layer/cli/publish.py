"""The publishing commands; no library for AWS is imported before one of them needs it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .._internal.console import Console
from .._internal.errors import reported
from ..api.arguments import choose_members, publish_overrides
from ..aws import needed
from ..build.opening import open_project
from ..config.publish import PublishConfig
from ..publishing import outputs
from ..publishing.project import ProjectPublication
from ..publishing.rollout import Rollout, RolloutOptions
from .options import Terminal, examples, layer_option, member_option, quiet_option, verbose_option

if TYPE_CHECKING:
    from collections.abc import Mapping

_project_option = click.option(
    "--project",
    type=click.Path(path_type=Path),
    help="Folder of the project  [default: the current one, or one around it]",
)
_region_option = click.option(
    "--region", "regions", multiple=True, help="Instead of `regions`; may be repeated."
)
_profile_option = click.option("--profile", help="Instead of `profile`.")


@click.command(
    short_help="Publish layers where they have changed.",
    epilog=examples(
        "publish --build",
        "publish --build --dry-run --region eu-central-1",
        "publish dist/layer.zip --format terraform",
    ),
)
@click.argument("zips", metavar="[ZIP]...", nargs=-1, type=click.Path(path_type=Path))
@_project_option
@layer_option
@member_option
@_region_option
@_profile_option
@click.option("--build", "builds", is_flag=True, help="Build first what has changed.")
@click.option("-n", "--dry-run", is_flag=True, help="Only print what would happen; --build builds.")
@click.option("--force", is_flag=True, help="Publish a version even if nothing has changed.")
@click.option("--take-over", is_flag=True, help="Publish even if something else made the layer.")
@click.option("--stale", is_flag=True, help="Publish even if the lockfile has changed since.")
@click.option("--policy", is_flag=True, help="Print the smallest IAM policy for publishing.")
@click.option(
    "--format",
    "form",
    type=click.Choice(list(outputs.FORMATS)),
    default="text",
    show_default=True,
    help="How to print the versions; text is their ARNs.",
)
@verbose_option
@quiet_option
def publish(
    zips: tuple[Path, ...],
    project: Path | None,
    layers: tuple[str, ...],
    members: tuple[str, ...],
    regions: tuple[str, ...],
    profile: str | None,
    form: str,
    *,
    builds: bool,
    dry_run: bool,
    force: bool,
    take_over: bool,
    stale: bool,
    policy: bool,
    verbose: int,
    quiet: int,
) -> None:
    """Publish layers where they have changed, and print the ARN of each.

    The layers are the files ZIP, or those of the project.
    """
    terminal = Terminal(verbose - quiet)
    with reported(terminal):
        if zips and (builds or layers or members):
            raise click.UsageError("ZIP can't be combined with --build, --layer or --member")
        console = Console(terminal)
        build = open_project(project, console)
        overrides = publish_overrides(regions, profile)
        configs = PublishConfig.from_pyproject(build.pyproject, overrides)
        wanted = choose_members(build.matrix, layers, members)
        if policy:
            from ..publishing.iam_policy import needed_policy

            click.echo(needed_policy(wanted, configs), nl=False)
            return
        options = RolloutOptions(force=force, take_over=take_over)
        rollout = Rollout(console=console, on_failure=terminal.display_failure, options=options)
        publication = ProjectPublication(
            build=build, configs=configs, rollout=rollout, dry_run=dry_run, stale=stale
        )
        with publication.told_when_interrupted():
            # Each ARN is printed when its version is live, a document only if all of them are.
            for version in publication.run(wanted, zips, builds=builds):
                if form == "text" and not dry_run:
                    click.echo(version.arn)
            if form != "text" and not dry_run:
                click.echo(outputs.FORMATS[form](publication.versions), nl=False)


@click.command(
    short_help="Show the versions of a layer, and what uses them.",
    epilog=examples("versions orders-api --region eu-central-1 --count 5"),
)
@click.argument("name")
@_project_option
@_region_option
@_profile_option
@click.option(
    "--count",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="How many to show.",
)
def versions(
    name: str, project: Path | None, regions: tuple[str, ...], profile: str | None, count: int
) -> None:
    """Show the newest versions of the layer NAME, and what uses them."""
    terminal = Terminal(0)
    with reported(terminal):
        with needed():
            from ..publishing.inventory import inventory
        pyproject = open_project(project, Console(terminal)).pyproject
        configs = PublishConfig.from_pyproject(pyproject, publish_overrides(regions, profile))
        for text in inventory(name, configs.values(), count):
            click.echo(text)


COMMANDS: Mapping[str, click.Command] = {"publish": publish, "versions": versions}
