"""The publishing commands; no library for AWS is imported before one of them needs it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .._internal.console import Console
from .._internal.errors import reported
from ..api.arguments import choose_members, publish_overrides
from ..build.opening import open_project
from ..config.publish import REFERENCE, PublishConfig
from ..publishing import outputs
from ..publishing.project import ProjectPublication
from ..publishing.releases import Release
from ..publishing.rollout import Rollout, RolloutOptions
from .options import Terminal, examples, layer_option, member_option, quiet_option, verbose_option

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..config.matrix import Member

project_option = click.option(
    "--project",
    type=click.Path(path_type=Path),
    help="Folder of the project  [default: the current one, or one around it]",
)
region_option = click.option(
    "--region", "regions", multiple=True, help="Instead of `regions`; may be repeated."
)
profile_option = click.option("--profile", help="Instead of `profile`.")


@click.command(
    short_help="Publish layers where they have changed.",
    epilog=examples(
        "publish --build",
        "publish --build --dry-run --region eu-central-1",
        "publish dist/layer.zip --format terraform",
        "publish --revoke --dry-run",
    ),
)
@click.argument("zips", metavar="[ZIP]...", nargs=-1, type=click.Path(path_type=Path))
@project_option
@layer_option
@member_option
@region_option
@profile_option
@click.option("--build", "builds", is_flag=True, help="Build first what has changed.")
@click.option("-n", "--dry-run", is_flag=True, help="Only print what would happen; --build builds.")
@click.option("--force", is_flag=True, help="Publish a version even if nothing has changed.")
@click.option("--take-over", is_flag=True, help="Publish even if something else made the layer.")
@click.option("--allow-growth", is_flag=True, help="Publish in spite of `max-growth`.")
@click.option("--stale", is_flag=True, help="Publish even if the lockfile has changed since.")
@click.option("--policy", is_flag=True, help="Print the smallest IAM policy for publishing.")
@click.option(
    "--bucket-policy",
    is_flag=True,
    help="Print the policy with which a bucket lets Lambda refer to its zips.",
)
@click.option(
    "--revoke",
    is_flag=True,
    help="Publish nothing, and take away the permissions that `permissions` no longer has.",
)
@click.option(
    "--statement",
    "statements",
    metavar="ID",
    multiple=True,
    help="With --revoke: a permission that something else has given; may be repeated.",
)
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
    statements: tuple[str, ...],
    form: str,
    *,
    builds: bool,
    dry_run: bool,
    force: bool,
    take_over: bool,
    allow_growth: bool,
    stale: bool,
    policy: bool,
    bucket_policy: bool,
    revoke: bool,
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
        if revoke and (zips or builds):
            raise click.UsageError("--revoke publishes nothing: it takes neither ZIP nor --build")
        if statements and not revoke:
            raise click.UsageError("--statement needs --revoke")
        console = Console(terminal)
        build = open_project(project, console)
        overrides = publish_overrides(regions, profile)
        configs = PublishConfig.from_pyproject(build.pyproject, overrides)
        wanted = choose_members(build.matrix, layers, members)
        if policy or bucket_policy:
            _print_policies(wanted, configs, console, revoke=revoke, bucket=bucket_policy)
            return
        if revoke:
            _revoke(Release.of_members(wanted, configs), statements, terminal, dry_run=dry_run)
            return
        options = RolloutOptions(force=force, take_over=take_over, allow_growth=allow_growth)
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


def _print_policies(
    members: Sequence[Member],
    configs: Mapping[str | None, PublishConfig],
    console: Console,
    *,
    revoke: bool,
    bucket: bool,
) -> None:
    """Print the policy of whoever publishes, or one for each bucket, named in a message before."""
    if not bucket:
        from ..publishing.iam_policy import needed_policy

        click.echo(needed_policy(members, configs, revoke=revoke), nl=False)
        if not revoke and any(each.storage == REFERENCE for each in configs.values()):
            console.info("The bucket needs a policy, too: --bucket-policy prints it")
        return
    from ..publishing.bucket_policy import bucket_policies

    policies = bucket_policies(members, configs)
    for name, text in policies.items():
        console.info(f"The bucket `{name}` needs in its policy:")
        click.echo(text, nl=False)
    if not policies:
        console.info('No bucket needs a policy for Lambda: `storage` is not "reference"')


def _revoke(
    releases: Sequence[Release], statements: Sequence[str], terminal: Terminal, *, dry_run: bool
) -> None:
    """Print each permission that is taken away, after the ARN of the version that had it."""
    from ..publishing.revocation import revoke

    found = False
    console = Console(terminal)
    for each in revoke(releases, statements, terminal.display_failure, dry_run=dry_run):
        found = True
        if dry_run:
            console.info(f"would take `{each.statement}` away from {each.arn}")
        else:
            click.echo(f"{each.arn} {each.statement}")
    if not found:
        console.info("No version has a permission that is to be taken away")
