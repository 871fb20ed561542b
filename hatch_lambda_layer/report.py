"""The packages and sizes of a layer, as text for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .config import LAMBDA_DIRECT_UPLOAD_LIMIT, LAMBDA_UNPACKED_LIMIT
from .console import megabytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .manifest import LayerManifest, LayerPackage


def layer_table(manifest: LayerManifest) -> str:
    """Return a table of the packages of a layer, and its other files, with their sizes."""
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
    """Return the totals of a layer in one line, each size with Lambda's limit for it."""
    direct = manifest.zipped_size <= LAMBDA_DIRECT_UPLOAD_LIMIT
    limit = megabytes(LAMBDA_DIRECT_UPLOAD_LIMIT).replace(".0", "")
    zipped = f"of {limit}" if direct else f"over {limit}, so it goes through S3"
    return (
        f"{manifest.member}: {megabytes(manifest.unpacked_size)} unpacked "
        f"of {megabytes(LAMBDA_UNPACKED_LIMIT).replace('.0', '')}, "
        f"{megabytes(manifest.zipped_size)} zipped {zipped}, {manifest.files:,} files"
    )


def stage_times(seconds: Mapping[str, float]) -> str:
    """Return the time of each stage, in one line."""
    return ", ".join(f"{stage} {duration:.2f} s" for stage, duration in seconds.items())


def largest_packages(packages: Iterable[LayerPackage], count: int) -> str:
    """Return the `count` packages with the largest unpacked size, one a line."""
    ordered = sorted(packages, key=lambda package: -package.unpacked_size)[:count]
    rows = [(each.name, each.version, megabytes(each.unpacked_size)) for each in ordered]
    return "\n".join(aligned(("package", "version", "unpacked"), rows))


def aligned(
    header: tuple[str, ...], rows: Sequence[tuple[str, ...]], text_columns: int = 2
) -> Iterator[str]:
    """Yield aligned lines: `text_columns` columns of text, then columns of numbers."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in (header, *rows):
        cells = [
            cell.ljust(width) if column < text_columns else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a table of text, its columns aligned on the left."""
    return "\n".join(aligned(header, rows, len(header)))


def _sizes(unpacked: int, zipped: int) -> tuple[str, str]:
    return megabytes(unpacked), megabytes(zipped)
