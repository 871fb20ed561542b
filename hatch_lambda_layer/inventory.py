"""What is published under a layer's name: its versions, and the functions that use them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import report
from .console import megabytes
from .descriptions import VersionTag
from .exceptions import PublishError
from .parallel import run_parallel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .aws.layers import LayerRegistry
    from .publish_config import Destination, PublishConfig

# The digits of a digest that tell layers apart at a glance.
_DIGITS = 12
_AT_ONCE = 4
_HEADER = ("version", "date", "digest", "runtimes", "size", "used by")


def inventory(name: str, configs: Iterable[PublishConfig], count: int) -> Iterator[str]:
    """Give a table of the newest versions of the layer `name` for each destination there is."""
    from .aws import needed

    with needed():
        from .aws.layers import LayerRegistry
        from .aws.session import AwsSession

    destinations = {place: None for config in configs for place in config.destinations}
    found = False
    for destination in destinations:
        session = AwsSession(destination.profile, destination.role_arn, destination.region)
        region = destination.region or session.region
        if region is None:
            raise PublishError("No Region is named", hint="name it: `--region`, or AWS_REGION")
        table = _table(name, LayerRegistry(session, region), count)
        if table:
            found = True
            yield f"{_label(destination, region)}: {name}\n{table}"
    if not found:
        raise PublishError(
            f"There is no layer `{name}` in {', '.join(each.label for each in destinations)}",
            hint="look at its name, at `--region` and at `--profile`",
        )


def _label(destination: Destination, region: str) -> str:
    return ", ".join(filter(None, [destination.account, region]))


def _table(name: str, registry: LayerRegistry, count: int) -> str:
    versions = registry.versions(name)[:count]
    if not versions:
        return ""
    numbers = [version.number for version in versions]
    sizes = {
        number: code[1]
        for number, code in run_parallel(
            lambda number: registry.code(name, number), numbers, _AT_ONCE
        )
    }
    try:
        users = registry.users()
    except PublishError:
        # A person who may see layers need not be one who may see functions.
        users = dict.fromkeys((version.arn for version in versions), ["?"])
    rows = []
    for version in versions:
        tag = VersionTag.of(version.description)
        digest = tag.content_digest.removeprefix("sha256:")[:_DIGITS] if tag else "-"
        rows.append(
            (
                str(version.number),
                version.created[:10],
                digest,
                " ".join(sorted(version.runtimes)) or "-",
                megabytes(sizes[version.number]),
                " ".join(sorted(set(users.get(version.arn, [])))) or "-",
            )
        )
    return report.table(_HEADER, rows)
