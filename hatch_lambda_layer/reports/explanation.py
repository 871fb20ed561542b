"""The explanation of a package in layers, as text and as JSON.

The text needs no colour and no more than 80 columns, and has no drawing that a screen reader would
read out. Names and markers are written by strangers: nothing in them may control a terminal.
"""

from __future__ import annotations

import json
import textwrap
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from .._internal.console import megabytes
from .._internal.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..layer.explanation import Cost, Explanation, Removal, RequirementPath
    from ..wheels.choice import JudgedWheel

SCHEMA = 1
_WIDTH = 80
# Of paths and of wheels, where no more are asked for with `-v`.
_SHOWN = 10
_TITLES = {
    "included": "is in the layer",
    "excluded": "is left out of the layer",
    "not-selected": "is locked, but not for this layer",
    "not-locked": "is not locked",
}


def as_text(explanations: Sequence[Explanation], *, verbose: bool) -> str:
    """Return a text for each layer, one for all of which the same is true."""
    groups: dict[Explanation, list[str]] = {}
    for each in explanations:
        groups.setdefault(replace(each, member=""), []).append(each.member)
    texts = []
    for explained, members in groups.items():
        lines = _lines(explained, members, None if verbose else _SHOWN)
        texts.append("".join(f"{line}\n" for line in lines))
    return "\n".join(texts)


def as_json(explanations: Sequence[Explanation], *, verbose: bool) -> str:  # noqa: ARG001
    """Return everything as JSON, schema 1, in ASCII."""
    layers: list[dict[str, Any]] = [asdict(each) for each in explanations]
    text = json.dumps({"schema": SCHEMA, "layers": layers}, indent=2) + "\n"
    # For JSON the same, but no command to the runner of a CI service.
    return text.replace("##", "#\\u0023")


FORMATS = {"text": as_text, "json": as_json}


def _lines(explained: Explanation, members: Sequence[str], most: int | None) -> Iterator[str]:
    title = f"{explained.name} {explained.version or ''}".rstrip()
    why = f": {explained.why}" if explained.why else ""
    yield from _wrapped(f"{title} {_TITLES[explained.status]}{why}")
    yield f"layer: {', '.join(members)}"
    others = [each for each in explained.locked_versions if each != explained.version]
    if others:
        yield f"{'also locked' if explained.version else 'locked'}: {', '.join(others)}"
    yield from _paths(explained, most)
    yield from _wheels(explained, most)
    if explained.cost:
        yield ""
        would = "would cost" if explained.status == "excluded" else "costs"
        yield f"It {would} {_size(explained.cost)}."
    if explained.removal:
        yield from _wrapped(_removed(explained, explained.removal))
    if explained.unknown:
        yield from _wrapped(f"Not all is known: {explained.unknown}")


def _paths(explained: Explanation, most: int | None) -> Iterator[str]:
    origin = "the metadata of the wheels" if explained.from_metadata else explained.lockfile
    counting = [each for each in explained.paths if each.obstacle is None]
    others = [each for each in explained.paths if each.obstacle is not None]
    for heading, paths in (
        (f"Required, by {origin}:", counting),
        ("Required elsewhere, which does not count here:", others),
    ):
        if paths:
            yield ""
            yield heading
            for path in paths[:most]:
                yield from _wrapped(_path(path), "  ")
            yield from _more(len(paths), most, "way", unknown=explained.has_more_paths)


def _path(path: RequirementPath) -> str:
    text = " > ".join(path.steps)
    return f"{text} ({path.obstacle})" if path.obstacle else text


def _wheels(explained: Explanation, most: int | None) -> Iterator[str]:
    if explained.source:
        yield ""
        yield from _wrapped(f"Built from its source: {explained.source}")
    if explained.wheels:
        yield ""
        yield "Wheels:"
        for wheel in explained.wheels[:most]:
            yield from _wrapped(_wheel(wheel), "  ")
        yield from _more(len(explained.wheels), most, "wheel")


def _wheel(wheel: JudgedWheel) -> str:
    if wheel.chosen:
        return f"chosen: {wheel.filename}"
    fits = "fits" if wheel.fits else "does not fit"
    return f"{fits}: {wheel.filename}: {'; '.join(wheel.reasons)}"


def _more(count: int, most: int | None, what: str, *, unknown: bool = False) -> Iterator[str]:
    if most is not None and count > most:
        at_least = "at least " if unknown else ""
        yield f"  and {at_least}{count - most} more {what}{'s' * (count - most > 1)}: see -v"
    elif unknown:
        yield f"  and more {what}s, which are longer"


def _removed(explained: Explanation, removal: Removal) -> str:
    names = ", ".join(removal.names)
    if explained.status == "excluded":
        return f"With it went: {names}; {_size(removal.saved)} together." if names else ""
    if removal.refused:
        allowed = f"With it in `allow-missing`, {_size(removal.saved)} would be saved"
        return f"If excluded: {removal.refused}. {allowed}{_too(names)}."
    return f"If excluded: {_size(removal.saved)} would be saved{_too(names)}."


def _too(names: str) -> str:
    return f", and these would go, too: {names}" if names else ", and nothing else would go"


def _size(cost: Cost) -> str:
    return (
        f"{megabytes(cost.unpacked_size)} unpacked, {megabytes(cost.zipped_size)} zipped "
        f"({cost.files:,} file{'s' * (cost.files != 1)})"
    )


def _wrapped(text: str, indent: str = "") -> Iterable[str]:
    return textwrap.wrap(
        one_line(text),
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
