"""The packages and sizes of a layer, as text for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._internal.console import aligned, megabytes
from ..config.layer import LAMBDA_DIRECT_UPLOAD_LIMIT, LAMBDA_UNPACKED_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..layer.manifest import LayerManifest


_WIDTH = 80
_SHORTEST_BAR = 10


def layer_table(manifest: LayerManifest) -> str:
    """Return a table of the packages of a layer, and its other files, with their sizes."""
    rows = [
        (package.name, package.version, *_sizes(package.unpacked_size, package.zipped_size))
        for package in manifest.packages
    ]
    rest = manifest.unpacked_size - sum(each.unpacked_size for each in manifest.packages)
    if rest:
        # What they take in the zip is not known: the rest of it has the headers of all files, too.
        rows.append(("(other files)", "", megabytes(rest), ""))
    return "\n".join(_fitting([("package", "version", "unpacked", "zipped"), *rows]))


def _fitting(rows: Sequence[tuple[str, str, str, str]]) -> Iterator[str]:
    """Yield the lines of a table; a name or a version that is too long has a line of its own.

    No line has more than 80 characters, unless a name or a version has.
    """
    _, _, *sizes = (max(map(len, column)) for column in zip(*rows, strict=True))
    room = _WIDTH - sum(sizes) - 2 * len(sizes)
    lengths = sorted(((len(name), len(version)) for name, version, *_ in rows), key=sum)
    # The longest rows don't decide how wide the columns are.
    names, versions = map(max, zip(*lengths, strict=True))
    while names + 2 + versions > room:
        lengths.pop()
        names, versions = map(max, zip(*lengths, strict=True))
    for name, version, *cells in rows:
        numbers = "".join(f"  {each:>{size}}" for each, size in zip(cells, sizes, strict=True))
        if len(name) <= names and len(version) <= versions:
            yield f"{name:<{names}}  {version:<{versions}}{numbers}".rstrip()
            continue
        both = f"{name}  {version}"
        yield from [both] if len(both) <= _WIDTH else [name, f"  {version}"]
        yield f"{'':<{names + versions + 2}}{numbers}".rstrip()


def layer_bars(manifest: LayerManifest) -> str:
    """Return the packages of a layer, the largest first, with their unpacked sizes as bars.

    A line has at most 80 characters where the names leave room for a bar.
    """
    packages = sorted(manifest.packages, key=lambda each: (-each.unpacked_size, each.name))
    largest = max((each.unpacked_size for each in packages), default=0)
    total = max(manifest.unpacked_size, 1)
    rows = [
        (
            each.name,
            each.version,
            megabytes(each.unpacked_size),
            f"{each.unpacked_size / total:.0%}",
        )
        for each in packages
    ]
    head, *lines = aligned(("package", "version", "unpacked", "share"), rows)
    room = max(_WIDTH - 2 - max(map(len, (head, *lines))), _SHORTEST_BAR)
    bars = ("#" * round(room * each.unpacked_size / max(largest, 1)) for each in packages)
    return "\n".join(
        [head, *(f"{line}  {bar}".rstrip() for line, bar in zip(lines, bars, strict=True))]
    )


def layer_totals(manifest: LayerManifest) -> str:
    """Return the totals of a layer, each size with Lambda's limit: a line, or two where it is long.

    No line has more than 80 characters, unless the name of the layer has.
    """
    direct = manifest.zipped_size <= LAMBDA_DIRECT_UPLOAD_LIMIT
    limit = megabytes(LAMBDA_DIRECT_UPLOAD_LIMIT).replace(".0", "")
    zipped = f"of {limit}" if direct else f"over {limit}, so it goes through S3"
    unpacked = (
        f"{manifest.member}: {megabytes(manifest.unpacked_size)} unpacked "
        f"of {megabytes(LAMBDA_UNPACKED_LIMIT).replace('.0', '')}"
    )
    rest = f"{megabytes(manifest.zipped_size)} zipped {zipped}, {manifest.files:,} files"
    line = f"{unpacked}, {rest}"
    return line if len(line) <= _WIDTH else f"{unpacked},\n  {rest}"


def stage_times(seconds: Mapping[str, float]) -> str:
    """Return the time of each stage, in one line."""
    return ", ".join(f"{stage} {duration:.2f} s" for stage, duration in seconds.items())


def _sizes(unpacked: int, zipped: int) -> tuple[str, str]:
    return megabytes(unpacked), megabytes(zipped)
