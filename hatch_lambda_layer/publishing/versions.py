"""The published versions of a layer at all destinations: who uses them, and what nobody needs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, TypeVar

from .._internal.parallel import run_parallel
from ..aws.arns import account_of
from ..aws.code_storage import read_code_storage
from ..aws.layer_content import own_content
from ..aws.layers import LayerRegistry
from ..exceptions import PublishError
from .descriptions import VersionTag, project_mark
from .inventory import destinations_of, raise_all

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from ..aws.code_storage import CodeStorage
    from ..aws.layers import LayerVersion
    from ..config.publish import PublishConfig
    from .destination import ResolvedDestination

_AT_ONCE = 4
Item = TypeVar("Item")


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedVersion:
    """A version of a layer, with the size of its zip in bytes.

    `used_by` are the functions of the account and Region that use it, `None` where they can't be
    listed. `referenced` is whether Lambda keeps no copy of the zip.
    """

    version: LayerVersion
    size: int
    referenced: bool
    used_by: tuple[str, ...] | None

    @property
    def content_digest(self) -> str | None:
        """The content digest in its Description; `None` for a version of something else."""
        tag = VersionTag.of(self.version.description)
        return tag.content_digest if tag else None

    @property
    def unused(self) -> bool:
        """Whether it is known that no function uses it."""
        return self.used_by == ()


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerListing:
    """The newest versions of a layer at one destination; `older` is the number of the others.

    `storage` is the account's room for code, `None` where it can't be asked for.
    """

    label: str
    layer_name: str
    account: str
    region: str
    versions: tuple[ListedVersion, ...]
    older: int
    storage: CodeStorage | None

    @property
    def unused(self) -> tuple[ListedVersion, ...]:
        """The versions that no function of the account and Region uses."""
        return tuple(each for each in self.versions if each.unused)

    @property
    def unused_size(self) -> int:
        """The bytes of the account's room for code that these take."""
        return sum(each.size for each in self.unused if not each.referenced)


@dataclass(frozen=True, kw_only=True, slots=True)
class UnusedVersion:
    """A version of the project that no function of its account and Region uses.

    `shared` are the ids of the permissions by which others may use it: such a one is kept.
    """

    label: str
    version: LayerVersion
    shared: tuple[str, ...] = ()


def list_layers(name: str, configs: Iterable[PublishConfig], count: int) -> Iterator[LayerListing]:
    """Yield the newest `count` versions of the layer `name` for each destination.

    Raises `PublishError` if the layer is at none of them, and at the end for those that failed.
    """

    def list_one(
        destination: ResolvedDestination, versions: Sequence[LayerVersion]
    ) -> Iterator[LayerListing]:
        yield _listing(name, destination, versions, count)

    yield from _at_each(name, configs, list_one)


def delete_unused(
    name: str, configs: Collection[PublishConfig], keep: int, *, delete: bool
) -> Iterator[UnusedVersion]:
    """Yield the versions of the project that nobody needs, each when it is deleted, and the shared.

    Without `delete` nothing is deleted. The newest `keep` of the project, the newest of the layer
    and the live one stay, whoever uses them; so do those that a permission shares. Raises
    `PublishError` like `list_layers`, also where the functions of a destination can't be listed.
    """
    projects = {project_mark(config.project) for config in configs}

    def delete_some(
        destination: ResolvedDestination, versions: Sequence[LayerVersion]
    ) -> Iterator[UnusedVersion]:
        registry = LayerRegistry(destination.session, destination.region)
        own = [each for each in versions if _project(each) in projects]
        kept = {each.number for each in (*own[:keep], *_live(versions))}
        users = registry.users()
        for each in own:
            if each.number in kept or each.arn in users:
                continue
            shared = tuple(sorted(registry.permissions(name, each.number)))
            if delete and not shared:
                registry.delete(name, each.number)
            yield UnusedVersion(label=destination.label, version=each, shared=shared)

    yield from _at_each(name, configs, delete_some)


def _at_each(
    name: str,
    configs: Iterable[PublishConfig],
    work: Callable[[ResolvedDestination, Sequence[LayerVersion]], Iterator[Item]],
) -> Iterator[Item]:
    """Yield what `work` yields for each destination and the versions there, the newest first."""
    found = False
    failed: list[PublishError] = []
    destinations = destinations_of(configs)
    for each in destinations:
        try:
            versions = LayerRegistry(each.session, each.region).versions(name)
            if versions:
                yield from work(each, versions)
                found = True
        except PublishError as error:
            failed.append(error)
    raise_all(failed)
    if not found:
        raise PublishError(
            f"There is no layer `{name}` in {' and '.join(each.label for each in destinations)}",
            hint="check the name, `--region` and `--profile`",
        )


def _listing(
    name: str, destination: ResolvedDestination, versions: Sequence[LayerVersion], count: int
) -> LayerListing:
    session, region = destination.session, destination.region
    shown = versions[:count]
    contents = dict(
        run_parallel(lambda each: own_content(session, region, name, each.number), shown, _AT_ONCE)
    )
    try:
        users = LayerRegistry(session, region).users()
    except PublishError:
        # Whoever may list layers need not be allowed to list functions.
        users = None
    try:
        storage = read_code_storage(session, region)
    except PublishError:
        storage = None
    return LayerListing(
        label=destination.label,
        layer_name=name,
        account=account_of(versions[0].arn),
        region=region,
        versions=tuple(
            ListedVersion(
                version=each,
                size=contents[each].size,
                referenced=contents[each].stored is not None,
                used_by=None if users is None else tuple(sorted(set(users.get(each.arn, [])))),
            )
            for each in shown
        ),
        older=len(versions) - len(shown),
        storage=storage,
    )


def _project(version: LayerVersion) -> str | None:
    tag = VersionTag.of(version.description)
    return tag.project if tag else None


def _live(versions: Sequence[LayerVersion]) -> list[LayerVersion]:
    """Return the newest version, and those before it that have the same content.

    Publishers that race make several, of which all take the oldest: it is the live one.
    """
    newest = VersionTag.of(versions[0].description)
    if newest is None:
        return [versions[0]]

    def is_same(version: LayerVersion) -> bool:
        tag = VersionTag.of(version.description)
        return tag is not None and tag.content_digest == newest.content_digest

    return list(takewhile(is_same, versions))
