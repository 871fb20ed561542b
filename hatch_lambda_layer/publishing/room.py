"""The room that a new version takes: its growth over the live one, and the layers beside it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._internal.console import aligned, megabytes
from .._internal.zip_listing import list_files
from ..config.layer import LAMBDA_UNPACKED_LIMIT
from ..exceptions import LambdaLayerError, PublishError
from ..layer.manifest import LayerManifest
from ..reports.diff import LayerDifference, Side, as_text
from .archive_listing import list_version
from .descriptions import VersionTag
from .neighbours import neighbour_arns, overlap

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ..aws.layers import LayerVersion
    from ..config.publish_limits import Growth
    from .regional_release import RegionalRelease
    from .releases import Candidate


@dataclass(frozen=True, slots=True)
class Room:
    """The effect of a new version on the functions of a destination.

    `problems` keep it from being published; `warnings` do not.
    """

    problems: tuple[PublishError, ...] = ()
    warnings: tuple[str, ...] = ()


def find_room(
    regional: RegionalRelease, candidate: Candidate, *, force: bool, allow_growth: bool
) -> Room:
    """Return what is the matter with a version that is to be published at a destination.

    Nothing is asked where neither `max-growth` nor `alongside` is configured, or where what would
    be published is live. Raises `PublishError` where a layer that has to be read can't be.
    """
    config = regional.release.config
    growth = None if allow_growth else config.max_growth
    if growth is None and not config.alongside:
        return Room()
    if not force and regional.history.live_with_content(candidate.tag()):
        return Room()
    problems: list[PublishError] = []
    if growth is not None and (newest := regional.history.newest):
        problems += _growth_problems(regional, candidate, growth, newest)
    arns = neighbour_arns(config.alongside, regional.destination.region, regional.account)
    session, region = regional.destination.session, regional.destination.region
    others = {arn: list_version(session, region, arn) for arn in arns}
    problems += _sum_problems(regional, candidate, others)
    own = _files(candidate.first.zip_path) if others else {}
    warnings = [
        f"{regional.label}: {arn} has {part}, too: where both have a file, a function gets that of "
        "the layer that it names last"
        for arn, files in others.items()
        for part in overlap(own, files)
    ]
    return Room(tuple(problems), tuple(warnings))


def _growth_problems(
    regional: RegionalRelease, candidate: Candidate, growth: Growth, live: LayerVersion
) -> Iterator[PublishError]:
    manifest, name = candidate.first.manifest, regional.release.layer_name
    old = _stored_manifest(regional, live)
    files: Mapping[str, int] = {}
    if old is None:
        where = regional.destination
        files = list_version(where.session, where.region, live.arn)
    before = old.unpacked_size if old else sum(files.values())
    grown = manifest.unpacked_size - before
    if grown <= growth.allowed(before):
        return
    zip_path = candidate.first.zip_path
    label = f"{name}:{live.number}"
    shown = (
        as_text(LayerDifference(Side(label, old), Side(zip_path.name, manifest)))
        if old
        else _grown_names(files, _files(zip_path))
    )
    yield PublishError(
        f"{regional.label}: {zip_path.name} unpacks to {megabytes(manifest.unpacked_size)}, "
        f"{megabytes(grown)} more than version {live.number}; `max-growth` allows "
        f"{growth.text}:\n{shown.rstrip()}",
        hint="leave out what is not needed; or publish it for once with `--allow-growth`, or "
        "raise `max-growth` in `[tool.lambda-layer.publish]`",
    )


def _stored_manifest(regional: RegionalRelease, version: LayerVersion) -> LayerManifest | None:
    """Return the manifest of a version from the bucket; `None` where there is none to trust."""
    tag = VersionTag.of(version.description)
    found = regional.destination.find_storage(regional.release.layer_name, version.architectures)
    storage = regional.manifest_storage
    if storage is None or found is None or tag is None:
        return None
    text = storage[1].first_text(found[0].key_manifest(version.number, "layer"))
    try:
        manifest = LayerManifest.from_json(text or "")
    except LambdaLayerError:
        return None
    # Another object under that key says nothing of this version.
    return manifest if manifest.content_digest == tag.content_digest else None


def _sum_problems(
    regional: RegionalRelease, candidate: Candidate, others: Mapping[str, Mapping[str, int]]
) -> Iterator[PublishError]:
    sizes = {candidate.first.zip_path.name: candidate.first.manifest.unpacked_size}
    sizes |= {arn: sum(files.values()) for arn, files in others.items()}
    if function := regional.release.config.function_size:
        sizes["the function"] = function
    total = sum(sizes.values())
    if not others or total <= LAMBDA_UNPACKED_LIMIT:
        return
    rows = [(name, megabytes(size)) for name, size in sizes.items()]
    table = "\n".join(aligned(("layer", "unpacked"), rows, text_columns=1))
    yield PublishError(
        f"{regional.label}: with the layers `alongside`, a function would unpack to {total:,} "
        f"bytes, Lambda takes {LAMBDA_UNPACKED_LIMIT:,}:\n{table}",
        hint="leave out what another of these layers has; or correct `alongside` in "
        "`[tool.lambda-layer.publish]`",
    )


def _grown_names(old: Mapping[str, int], new: Mapping[str, int]) -> str:
    """Return a table of the folders and files below `python/` that are larger than before."""
    before, after = _by_name(old), _by_name(new)
    grown = {name: size - before[name] for name, size in after.items() if size > before[name]}
    ordered = sorted(grown, key=lambda name: (-grown[name], name))
    rows = [(name, megabytes(after[name]), f"+{megabytes(grown[name])}") for name in ordered]
    return "\n".join(aligned(("name", "unpacked", "grown"), rows, text_columns=1))


def _by_name(files: Mapping[str, int]) -> Counter[str]:
    sizes: Counter[str] = Counter()
    for path, size in files.items():
        sizes["/".join(path.split("/")[:2])] += size
    return sizes


def _files(zip_path: Path) -> Mapping[str, int]:
    with zip_path.open("rb") as file:
        return list_files(file)
