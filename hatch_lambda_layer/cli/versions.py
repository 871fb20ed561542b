"""The command `versions`: what is published of a layer, who uses it, and what nobody needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .._internal.console import Console
from .._internal.errors import reported
from ..api.arguments import publish_overrides
from ..aws import needed
from ..build.opening import open_project
from ..config.publish import PublishConfig
from .options import Terminal, examples
from .publish import profile_option, project_option, region_option

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

_KEPT = 3


@click.command(
    short_help="Show the versions of a layer, and what uses them.",
    epilog=examples(
        "versions orders-api --region eu-central-1 --count 5",
        "versions orders-api --delete-unused --keep 3",
        "versions orders-api --delete-unused --keep 3 --yes",
    ),
)
@click.argument("name")
@project_option
@region_option
@profile_option
@click.option(
    "--count",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="How many to show.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Format of the output.",
)
@click.option(
    "--delete-unused",
    is_flag=True,
    help="List those of the project that no function here uses and no permission shares.",
)
@click.option(
    "--keep",
    type=click.IntRange(1),
    help=f"With --delete-unused: how many of the newest stay in any case  [default: {_KEPT}]",
)
@click.option("--yes", is_flag=True, help="With --delete-unused: delete what is listed.")
def versions(
    name: str,
    project: Path | None,
    regions: tuple[str, ...],
    profile: str | None,
    count: int,
    form: str,
    keep: int | None,
    *,
    delete_unused: bool,
    yes: bool,
) -> None:
    """Show the newest versions of the layer NAME, and what uses them."""
    terminal = Terminal(0)
    with reported(terminal):
        if (yes or keep) and not delete_unused:
            raise click.UsageError("--keep and --yes need --delete-unused")
        console = Console(terminal)
        pyproject = open_project(project, console).pyproject
        configs = PublishConfig.from_pyproject(pyproject, publish_overrides(regions, profile))
        if delete_unused:
            _delete(name, configs.values(), keep or _KEPT, form, console, delete=yes)
        else:
            _show(name, configs.values(), count, form)


def _show(name: str, configs: Collection[PublishConfig], count: int, form: str) -> None:
    with needed():
        from ..publishing import versions_report as report
        from ..publishing.versions import list_layers

    layers = list_layers(name, configs, count)
    if form == "json":
        click.echo(report.as_json(list(layers)), nl=False)
        return
    for layer in layers:
        click.echo(report.as_text(layer), nl=False)


def _delete(
    name: str,
    configs: Collection[PublishConfig],
    keep: int,
    form: str,
    console: Console,
    *,
    delete: bool,
) -> None:
    """Print the ARN of each version that is deleted, or would be; say which are shared."""
    with needed():
        from ..publishing import versions_report as report
        from ..publishing.versions import delete_unused

    found = []
    for each in delete_unused(name, configs, keep, delete=delete):
        found.append(each)
        if each.shared:
            console.info(f"{each.version.arn} stays: it is shared by {', '.join(each.shared)}")
        elif form == "text":
            click.echo(each.version.arn)
    if form == "json":
        click.echo(report.unused_as_json(found, deleted=delete), nl=False)
    if not any(not each.shared for each in found):
        console.info("No version can be deleted")
    elif not delete:
        console.info("Nothing is deleted: `--yes` deletes these versions")
