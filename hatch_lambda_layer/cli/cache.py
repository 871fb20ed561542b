"""The commands `cache dir`, `cache size` and `cache prune`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from .._internal.console import megabytes, table
from .._internal.errors import reported
from .._internal.store import Store, default_cache_dir
from .options import Terminal, examples

if TYPE_CHECKING:
    from .._internal.pruning import Pruned


@click.group(
    short_help="Show the cache, or make it smaller.",
    epilog=examples("cache dir", "cache size", "cache prune --older-than 30d --max-size 2GiB"),
)
def cache() -> None:
    """Show the cache of wheels and of what was read and built, or make it smaller."""


@cache.command("dir", short_help="Print its folder.")
def folder() -> None:
    """Print the folder of the cache, whether or not it is there."""
    click.echo(default_cache_dir())


@cache.command("size", short_help="Show what is in it.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Format of the output.",
)
def size(form: str) -> None:
    """Show how many entries of each kind the cache has, and their size."""
    from .._internal.pruning import size_limit, sizes

    with reported(Terminal(0)):
        limit = size_limit()
        found = sizes(Store(default_cache_dir()))
        total = sum(each.size for each in found.values())
        if form == "json":
            kinds = {kind: each._asdict() for kind, each in found.items()}
            facts = {"schema": 1, "size": total, "limit": limit, "kinds": kinds}
            click.echo(json.dumps(facts, indent=2))
            return
        rows = [(kind, f"{each.entries:,}", megabytes(each.size)) for kind, each in found.items()]
        if rows:
            click.echo(table(("kind", "entries", "size"), rows))
        click.echo(f"{megabytes(total)}{f' of {megabytes(limit)}' if limit else ''} in all")


def _age(ctx: click.Context, option: click.Parameter, text: str | None) -> float | None:  # noqa: ARG001
    from .._internal.pruning import parse_age

    try:
        return None if text is None else parse_age(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _size(ctx: click.Context, option: click.Parameter, text: str | None) -> int | None:  # noqa: ARG001
    from .._internal.pruning import parse_size

    try:
        return None if text is None else parse_size(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@cache.command("prune", short_help="Remove what was not used for long.")
@click.option(
    "--older-than", "age", metavar="AGE", callback=_age, help="What was not used for 30d, 12h, 2w."
)
@click.option(
    "--max-size",
    "limit",
    metavar="SIZE",
    callback=_size,
    help="The least used, until 2GiB or 500MB are left  [default: HATCH_LAMBDA_LAYER_CACHE_SIZE]",
)
@click.option("-n", "--dry-run", is_flag=True, help="Remove nothing, and show what would be.")
def prune(age: float | None, limit: int | None, *, dry_run: bool) -> None:
    """Remove from the cache what was not used for long, or what is too much.

    Builds may run meanwhile: what they use stays.
    """
    from .._internal import pruning

    with reported(Terminal(0)):
        limit = pruning.size_limit() if limit is None else limit
        if age is None and limit is None:
            raise click.UsageError(
                "name --older-than, --max-size, or HATCH_LAMBDA_LAYER_CACHE_SIZE"
            )
        store = Store(default_cache_dir())
        store.sweep()
        found = pruning.prune(store, age=age, limit=limit, dry_run=dry_run)
        click.echo(_pruned(found, dry_run=dry_run))
        if limit is not None and found.left > limit:
            click.echo("What is left is in use, or can't be removed.")


def _pruned(found: Pruned, *, dry_run: bool) -> str:
    entries = f"{found.entries:,} entr{'y' if found.entries == 1 else 'ies'}"
    word = "would be removed" if dry_run else "removed"
    return f"{entries} {word}, {megabytes(found.size)}; {megabytes(found.left)} left"
