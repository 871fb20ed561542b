"""What a layer is made of, as text for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._internal.console import aligned, megabytes
from ..config.layer import LAMBDA_DIRECT_UPLOAD_LIMIT, LAMBDA_UNPACKED_LIMIT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..layer.manifest import LayerManifest


def layer_table(manifest: LayerManifest) -> str:
    """Give a table of the packages with their sizes, and the totals against Lambda's limits."""
    rows = [
        (package.name, package.version, *_sizes(package.unpacked_size, package.zipped_size))
        for package in manifest.packages
    ]
    rest = manifest.unpacked_size - sum(each.unpacked_size for each in manifest.packages)
    if rest:
        zipped = manifest.zipped_size - sum(each.zipped_size for each in manifest.packages)
        rows.append(("(other files)", "", *_sizes(rest, zipped)))
    return "\n".join(aligned(("package", "version", "unpacked", "zipped"), rows))


def layer_totals(manifest: LayerManifest) -> str:
    """Give the totals in one line, each against the limit it counts for."""
    direct = manifest.zipped_size <= LAMBDA_DIRECT_UPLOAD_LIMIT
    limit = megabytes(LAMBDA_DIRECT_UPLOAD_LIMIT).replace(".0", "")
    zipped = f"of {limit}" if direct else f"over {limit}, so it goes through S3"
    return (
        f"{manifest.member}: {megabytes(manifest.unpacked_size)} unpacked "
        f"of {megabytes(LAMBDA_UNPACKED_LIMIT).replace('.0', '')}, "
        f"{megabytes(manifest.zipped_size)} zipped {zipped}, {manifest.files:,} files"
    )


def stage_times(seconds: Mapping[str, float]) -> str:
    """Give the time of each stage, in one line."""
    return ", ".join(f"{stage} {duration:.2f} s" for stage, duration in seconds.items())


def _sizes(unpacked: int, zipped: int) -> tuple[str, str]:
    return megabytes(unpacked), megabytes(zipped)
