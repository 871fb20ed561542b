"""The published versions of a layer as text and as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .._internal.console import megabytes, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .versions import LayerListing, ListedVersion, UnusedVersion

SCHEMA = 1
# How many digits of a digest are shown, enough to tell layers apart.
_DIGITS = 12
_HEADER = ("version", "date", "digest", "runtimes", "size", "used by")
_GIGABYTE = 1024**3


def as_text(listing: LayerListing) -> str:
    """Return the table of the versions at one destination, and what the unused ones take."""
    rows = [_row(each) for each in listing.versions]
    lines = [f"{listing.label}: {listing.layer_name}", table(_HEADER, rows), *_unused(listing)]
    if listing.older:
        lines.append(f"older versions that are not shown: {listing.older}")
    return "\n".join(lines) + "\n"


def as_json(listings: Iterable[LayerListing]) -> str:
    """Return all listings as JSON, schema 1; sizes in bytes, `null` for what can't be asked for."""
    layers = [
        {
            "layer_name": each.layer_name,
            "account": each.account,
            "region": each.region,
            "versions": [_facts(version) for version in each.versions],
            "older": each.older,
            "unused": [version.version.number for version in each.unused],
            "unused_size": each.unused_size,
            "code_storage": each.storage and each.storage._asdict(),
        }
        for each in listings
    ]
    return _json({"schema": SCHEMA, "layers": layers})


def unused_as_json(versions: Sequence[UnusedVersion], *, deleted: bool) -> str:
    """Return the versions that nobody needs as JSON, schema 1.

    `deleted` is whether those that are not shared have been deleted.
    """
    facts = [
        {
            "arn": each.version.arn,
            "version": each.version.number,
            "created": each.version.created,
            "shared_by": list(each.shared),
            "deleted": deleted and not each.shared,
        }
        for each in versions
    ]
    return _json({"schema": SCHEMA, "versions": facts})


def _row(each: ListedVersion) -> tuple[str, ...]:
    digest = each.content_digest
    users = ["?"] if each.used_by is None else each.used_by
    return (
        str(each.version.number),
        each.version.created[:10],
        digest.removeprefix("sha256:")[:_DIGITS] if digest else "-",
        " ".join(sorted(each.version.runtimes)) or "-",
        megabytes(each.size),
        " ".join(users) or "-",
    )


def _unused(listing: LayerListing) -> Iterator[str]:
    if any(each.used_by is None for each in listing.versions):
        yield "the functions can't be listed: `lambda:ListFunctions` is missing"
        return
    unused = listing.unused
    if not unused:
        yield "each version is used by a function of this account and Region"
        return
    numbers = ", ".join(str(each.version.number) for each in unused)
    room = ""
    if storage := listing.storage:
        used, limit = (f"{size / _GIGABYTE:.1f} GB" for size in storage)
        room = f" of the {limit} that the account has for code here ({used} are used)"
    yield (
        f"used by no function of this account and Region: {numbers}; "
        f"they take {megabytes(listing.unused_size)}{room}"
    )


def _facts(each: ListedVersion) -> Mapping[str, object]:
    version = each.version
    return {
        "version": version.number,
        "arn": version.arn,
        "created": version.created,
        "content_digest": each.content_digest,
        "runtimes": sorted(version.runtimes),
        "architectures": sorted(version.architectures),
        "size": each.size,
        "referenced": each.referenced,
        "used_by": each.used_by,
    }


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
