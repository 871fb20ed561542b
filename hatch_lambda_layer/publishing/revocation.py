"""Taking permissions away that the configuration no longer has, from all versions of a project."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._internal.parallel import run_parallel
from ..exceptions import LambdaLayerError, PublishError
from .descriptions import VersionTag
from .permissions import is_own, unlisted, wanted_permissions

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from ..aws.layers import LayerRegistry, LayerVersion
    from ..config.publish import Destination
    from .releases import Release

_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Revoked:
    """A permission that a version had: the version's ARN, and the id of the statement."""

    arn: str
    statement: str


def revoke(
    releases: Sequence[Release],
    statements: Collection[str],
    on_failure: Callable[[str, LambdaLayerError], None],
    *,
    dry_run: bool = False,
) -> Iterator[Revoked]:
    """Take away what the table does not have, and yield each permission when it is gone.

    That is, from every version of the project at every destination, the statements that this tool
    names and, of others, those in `statements`. With `dry_run` nothing is changed. A destination
    that fails does not keep the others from it: `on_failure` gets its label and the error.

    Raises `PublishError` where one has failed, for a statement that the table has, before anything
    is asked, and at the end for one that no version has.
    """
    _refuse_listed(releases, statements)
    missing = set(statements)
    failed = []
    targets = [(each, target) for each in releases for target in each.config.destinations]
    for release, target in targets:
        label = f"{target.label}: {release.layer_name}"
        try:
            for each in _revoke_at(release, target, statements, dry_run=dry_run):
                missing.discard(each.statement)
                yield each
        except LambdaLayerError as error:
            if len(targets) == 1:
                raise
            on_failure(label, error)
            failed.append(label)
    if failed:
        raise PublishError(
            f"{len(failed)} of {len(targets)} destinations failed ({', '.join(failed)})",
            hint="run it again: what is gone stays gone",
        )
    if missing:
        raise PublishError(
            f"No version of this project has the permission {', '.join(sorted(missing))}",
            hint="`aws lambda get-layer-version-policy` shows those of a version",
        )


def _refuse_listed(releases: Sequence[Release], statements: Collection[str]) -> None:
    for release in releases:
        listed = {each.statement for each in wanted_permissions(release.config.permissions)}
        for statement in sorted(listed.intersection(statements)):
            raise PublishError(
                f"The permission `{statement}` is in `permissions`, so it would be given again",
                hint="remove it from `[tool.lambda-layer.publish]` first",
            )


def _revoke_at(
    release: Release, target: Destination, statements: Collection[str], *, dry_run: bool
) -> Iterator[Revoked]:
    from ..aws import needed

    with needed():
        from ..aws.layers import LayerRegistry
        from ..aws.session import AwsSession
        from .destination import ResolvedDestination

    session = AwsSession(target.profile, target.role_arn)
    destination = ResolvedDestination.of(target, session)
    registry = LayerRegistry(session, destination.region)
    for version, there in _permissions(release, registry):
        for statement in unlisted(there, release.config.permissions):
            if is_own(statement) or statement in statements:
                if not dry_run:
                    registry.revoke(release.layer_name, version.number, statement)
                yield Revoked(version.arn, statement)


def _permissions(
    release: Release, registry: LayerRegistry
) -> Iterator[tuple[LayerVersion, set[str]]]:
    """Yield the versions of the project, each with the ids of its statements."""
    name = release.layer_name
    own = [
        version
        for version in registry.versions(name)
        if (tag := VersionTag.of(version.description)) and tag.project == release.project
    ]
    there = dict(
        run_parallel(lambda version: registry.permissions(name, version.number), own, _AT_ONCE)
    )
    yield from ((version, there[version]) for version in own)
