"""The differences between two layers, by their manifests: packages, sizes, findings."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .._internal.console import aligned, megabytes
from ..exceptions import LambdaLayerError, OutputError
from ..layer.manifest import LayerManifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..findings import Finding
    from ..layer.manifest import LayerPackage

    # Returns the manifest of a published version, named as in `orders-api:3` or by its ARN.
    Published = Callable[[str], LayerManifest]

SCHEMA = 1
_VERSION = re.compile(r"(?:arn:[\w-]+:lambda:[\w-]+:\d{12}:layer:)?[\w-]+:\d+")
# Facts that have one value for the whole layer.
_FACTS = ("layer", "runtime", "architecture")
_SIZES = ("unpacked_size", "zipped_size", "files")

Kind = Literal["added", "removed", "version", "wheel", "files"]
_MARKS = {"added": "+", "removed": "-"}
_NOTES = {"wheel": ", another wheel", "files": ", other files"}


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two layers; `label` is what the user called it."""

    label: str
    manifest: LayerManifest


@dataclass(frozen=True, kw_only=True, slots=True)
class PackageChange:
    """A package that is not the same in both layers; sizes are in bytes, new minus old.

    `kind` is `version` for another version, `wheel` for another wheel of the same version, and
    `files` where the layers hold different files of the same wheel.
    """

    name: str
    kind: Kind
    old_version: str | None
    new_version: str | None
    unpacked_size: int
    zipped_size: int


@dataclass(frozen=True, slots=True)
class LayerDifference:
    """The differences between the `old` layer and the `new` one."""

    old: Side
    new: Side

    @property
    def equal(self) -> bool:
        """Whether the layers are the same to a function: content, runtime and architecture.

        How the zips are compressed does not count, nor do findings, which are about the content.
        """
        one, two = self.old.manifest, self.new.manifest
        return (one.content_digest, one.runtime, one.architecture) == (
            two.content_digest,
            two.runtime,
            two.architecture,
        )

    @property
    def packages(self) -> tuple[PackageChange, ...]:
        """The packages that are not the same in both layers, by name."""
        old = {package.name: package for package in self.old.manifest.packages}
        new = {package.name: package for package in self.new.manifest.packages}
        changes = (_change(old.get(name), new.get(name)) for name in sorted(old | new))
        return tuple(filter(None, changes))

    @property
    def facts(self) -> dict[str, tuple[str | None, str | None]]:
        """The old and the new value of each fact about the whole layer that differs."""
        old, new = self.old.manifest, self.new.manifest
        values = {name: (getattr(old, name), getattr(new, name)) for name in _FACTS}
        return {name: pair for name, pair in values.items() if pair[0] != pair[1]}

    @property
    def sizes(self) -> dict[str, tuple[int, int]]:
        """The old and the new totals: bytes unpacked, bytes zipped, number of files."""
        old, new = self.old.manifest, self.new.manifest
        return {name: (getattr(old, name), getattr(new, name)) for name in _SIZES}

    @property
    def findings(self) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
        """The findings that only the old layer has, and those that only the new one has."""
        old, new = self.old.manifest.findings, self.new.manifest.findings
        gone = tuple(finding for finding in old if finding not in new)
        return gone, tuple(finding for finding in new if finding not in old)


def read_side(text: str, published: Published) -> Side:
    """Read the manifest that `text` names: of a zip, a `layer.json`, or a published version.

    A file that exists comes before a version of that name. Raises `LambdaLayerError` where `text`
    names none of them, and for a zip that its manifest was not written for.
    """
    path = Path(text)
    if not path.exists() and _VERSION.fullmatch(text):
        return Side(text, published(text))
    if path.suffix == ".json":
        return Side(text, LayerManifest.read(path))
    if not path.is_file():
        raise OutputError(
            f"{text} is not a layer: there is no such file",
            hint="name a zip with its manifest beside it, a `layer.json`, or a published version "
            "as `NAME:3` or by its ARN",
        )
    manifest = LayerManifest.beside(path)
    if not manifest.describes(path):
        raise LambdaLayerError(
            f"{text} is not the zip that {path.with_suffix('.json').name} was written for",
            hint="build it again",
        )
    return Side(text, manifest)


def as_text(difference: LayerDifference) -> str:
    """Return the difference as text for people, readable without colour."""
    return "".join(f"{line}\n" for line in _lines(difference))


def as_json(difference: LayerDifference) -> str:
    """Return the difference as JSON, schema 1; sizes in bytes, pairs from old to new."""
    gone, come = difference.findings
    table = {
        "schema": SCHEMA,
        "equal": difference.equal,
        "old": _named(difference.old),
        "new": _named(difference.new),
        **difference.sizes,
        "packages": [asdict(change) for change in difference.packages],
        "findings": {
            "removed": [asdict(finding) for finding in gone],
            "added": [asdict(finding) for finding in come],
        },
    }
    return json.dumps(table, indent=2, ensure_ascii=False) + "\n"


FORMATS = {"text": as_text, "json": as_json}


def _change(old: LayerPackage | None, new: LayerPackage | None) -> PackageChange | None:
    kind = _kind(old, new)
    one = new or old
    if kind is None or one is None:
        return None
    return PackageChange(
        name=one.name,
        kind=kind,
        old_version=old.version if old else None,
        new_version=new.version if new else None,
        unpacked_size=(new.unpacked_size if new else 0) - (old.unpacked_size if old else 0),
        zipped_size=(new.zipped_size if new else 0) - (old.zipped_size if old else 0),
    )


def _kind(old: LayerPackage | None, new: LayerPackage | None) -> Kind | None:
    if old is None:
        return "added"
    if new is None:
        return "removed"
    if old.version != new.version:
        return "version"
    if old.sha256 != new.sha256:
        return "wheel"
    # The zipped size does not count: it depends on the compression.
    same = (old.files, old.unpacked_size) == (new.files, new.unpacked_size)
    return None if same else "files"


def _lines(difference: LayerDifference) -> Iterator[str]:
    old, new = difference.old, difference.new
    yield f"--- {old.label} ({old.manifest.member})"
    yield f"+++ {new.label} ({new.manifest.member})"
    for name, (before, after) in difference.facts.items():
        yield f"{name}: {before or 'none'} -> {after or 'none'}"
    if changes := difference.packages:
        header = ("", "package", "from", "to", "unpacked", "zipped")
        yield from aligned(header, [_row(change) for change in changes], text_columns=4)
    elif old.manifest.content_digest != new.manifest.content_digest:
        yield "the packages are the same, other files or modes differ"
    elif old.manifest.code_sha256 != new.manifest.code_sha256:
        yield "the content is the same, compressed differently"
    else:
        yield "the content is the same"
    yield from _totals(difference)
    gone, come = difference.findings
    yield from (f"- {finding}" for finding in gone)
    yield from (f"+ {finding}" for finding in come)


def _totals(difference: LayerDifference) -> Iterator[str]:
    for name, (before, after) in difference.sizes.items():
        label = name.removesuffix("_size")
        if name == "files":
            yield f"{label}: {before:,} -> {after:,} ({after - before:+,})"
        else:
            change = _signed(after - before)
            yield f"{label}: {megabytes(before)} -> {megabytes(after)} ({change})"


def _row(change: PackageChange) -> tuple[str, ...]:
    return (
        _MARKS.get(change.kind, "~"),
        change.name,
        change.old_version or "",
        (change.new_version or "") + _NOTES.get(change.kind, ""),
        _signed(change.unpacked_size),
        _signed(change.zipped_size),
    )


def _signed(size: int) -> str:
    sign = "-" if size < 0 else "+" if size else ""
    return f"{sign}{megabytes(abs(size))}"


def _named(side: Side) -> dict[str, object]:
    manifest = side.manifest
    names = ("member", *_FACTS, "content_digest", "code_sha256")
    return {"name": side.label, **{name: getattr(manifest, name) for name in names}}
