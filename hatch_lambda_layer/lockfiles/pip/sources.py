"""Sources that stand in for missing wheels while uv resolves: as wheels of metadata alone.

What a source requires only its build says. uv would run that with its whole environment; here the
wheel builders do, without secrets and on a copy, and uv gets the metadata.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from ..._internal.metadata_wheel import write_metadata_wheel
from ...exceptions import LambdaLayerError, LockfileError, SelectionError
from ..protocol import UNNAMED, Lock
from ..pylock_text import render
from .files import digests
from .lines import name_and_version, relative_place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

    from ..._internal.metadata_wheel import MetadataWheel
    from ...targets.target import Target
    from .formats import Formats
    from .places import Listed, Places

_PACKAGE = r"([A-Za-z0-9][A-Za-z0-9._-]*)"
# What uv says of packages that only have sources, or wheels for others: a name, then versions.
_WITHOUT_WHEELS = re.compile(
    rf"{_PACKAGE}((?:[<>=!~]=?[^\s]*)?) (?:has|have) no (?:usable )?wheels"
)
_WHEELS_REQUIRED = re.compile(rf"Wheels are required for `{_PACKAGE}`")


class Release(NamedTuple):
    """A release of a package: its source, if it has one, and the names of all its files."""

    version: Version
    source: Listed | None
    has_wheel: bool
    filenames: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """The sources that uv is told of, by wheels of metadata in `folder`.

    `read` returns the METADATA of the one source in a lock; it is `None` where nothing may be
    built. `path` is that of the first requirements file; paths in tables are relative to `root`.
    `left_out` are the names of packages that are not built: they seem to require nothing.
    """

    folder: Path
    path: Path
    root: Path
    target: Target
    places: Places
    formats: Formats
    read: Callable[[Lock], bytes] | None
    pre: bool
    left_out: frozenset[str] = frozenset()
    _known: dict[str, MetadataWheel] = field(default_factory=dict)
    _tables: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def add(self, table: Mapping[str, Any], text: str, where: str) -> MetadataWheel:
        """Return a wheel with the metadata of the source in a package's table.

        `text` and `where` are the line that asks for it, or the release, and where that is said.
        Raises `LambdaLayerError`.
        """
        key = json.dumps(table, sort_keys=True)
        if key not in self._known:
            metadata = self._left_out(table) or self.metadata(table, text, where)
            # Two sources of one package differ by their folder, else by their version.
            folder = self.folder / str(len(self._known))
            folder.mkdir()
            wheel = write_metadata_wheel(folder, metadata)
            self._known[key] = wheel
            named = {**table, "name": wheel.name}
            self._tables[wheel.name, wheel.version] = named
        return self._known[key]

    def metadata(self, table: Mapping[str, Any], text: str, where: str) -> bytes:
        """Return the METADATA of a source; raise `SelectionError` where nothing may be built."""
        if self.read is None:
            raise SelectionError(
                f"`{text}` ({where}) is a source, not a wheel: it would have to be built to read "
                "what it requires",
                hint='name a wheel instead, or allow sources with `build = "local"`',
            )
        named = {"name": UNNAMED, **table}
        text_of_lock = render([named], created_by="hatch-lambda-layer")
        lock = Lock(path=self.path, command="", text=text_of_lock, folder=self.root)
        try:
            return self.read(lock)
        except LambdaLayerError as error:
            ways = [error.hint] if error.hint else []
            if table.get("version"):
                ways.append(
                    f'leave it out with `exclude = ["{table["name"]}"]`: it is not built then'
                )
            raise LockfileError(
                f"What `{text}` ({where}) requires could not be read\n\n{error.message}",
                hint="; or ".join(ways) or None,
            ) from error

    def _left_out(self, table: Mapping[str, Any]) -> bytes | None:
        name, version = table.get("name"), table.get("version")
        if name not in self.left_out or version is None:
            return None
        return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()

    @property
    def folders(self) -> list[Path]:
        """The folders with the wheels."""
        return [wheel.path.parent for wheel in self._known.values()]

    def table(self, name: str, version: str | None) -> dict[str, Any] | None:
        """Return the table of the source that stands behind a package of uv's result."""
        return self._tables.get((name, version or ""))

    def next_release(
        self, name: str, allowed: Sequence[SpecifierSet], wanted: Sequence[SpecifierSet]
    ) -> Release | None:
        """Return the newest release whose source may help: without a wheel, and not known yet.

        Its version is in all of `allowed`, and in one of `wanted` if there are any.
        """
        for release in self.releases(name, allowed):
            if release.source is None or release.has_wheel or self._is_known(name, release):
                continue
            if wanted and not any(
                each.contains(release.version, prereleases=True) for each in wanted
            ):
                continue
            return release
        return None

    def releases(self, name: str, allowed: Sequence[SpecifierSet]) -> list[Release]:
        """Return the releases in all of `allowed`, the newest first.

        As for uv, they are those of the first index that has the package, and of `--find-links`.
        """
        found = self.places.find([name])[name].files
        first = next((each.index_url for each in found if each.index_url is not None), None)
        by_version: dict[Version, list[tuple[Listed, bool]]] = {}
        for each in found:
            read = name_and_version(each.link.filename, name)
            if read and each.index_url in (None, first):
                by_version.setdefault(read[0], []).append((each, read[1]))
        return [
            self._release(name, version, by_version[version])
            for version in sorted(by_version, reverse=True)
            if all(each.contains(version, prereleases=self.pre or None) for each in allowed)
            and (self.pre or not version.is_prerelease or allowed)
        ]

    def table_of(self, name: str, release: Release) -> dict[str, Any]:
        """Return the table of a release that is built from its source."""
        if release.source is None:
            raise LockfileError(f"`{name} {release.version}` has no source")
        link = release.source.link
        sha256 = (link.sha256 or "").lower() or digests(link.url, self.places)["sha256"]
        return {
            "name": name,
            "version": str(release.version),
            "sdist": {
                "name": link.filename,
                **relative_place(link.url, self.root),
                "hashes": {"sha256": sha256},
            },
        }

    def _is_known(self, name: str, release: Release) -> bool:
        return any(
            table["name"] == name and table.get("version") == str(release.version)
            for table in self._tables.values()
        )

    def _release(
        self, name: str, version: Version, files: Iterable[tuple[Listed, bool]]
    ) -> Release:
        usable = [
            (each, is_wheel) for each, is_wheel in files if self._is_usable(name, each, is_wheel)
        ]
        sources = [each for each, is_wheel in usable if not is_wheel]
        return Release(
            version,
            next(iter(sources), None),
            any(is_wheel and self._fits(each.link.filename) for each, is_wheel in usable),
            tuple(sorted({_described(each, is_wheel) for each, is_wheel in files})),
        )

    def _is_usable(self, name: str, listed: Listed, is_wheel: bool) -> bool:  # noqa: FBT001
        from packaging.specifiers import InvalidSpecifier, SpecifierSet

        link = listed.link
        if link.yanked is not None or not self.formats.allow(name, is_wheel=is_wheel):
            return False
        try:
            python = SpecifierSet(link.requires_python or "")
        except InvalidSpecifier:
            return True
        return python.contains(self.target.runtime.python, prereleases=True)

    def _fits(self, filename: str) -> bool:
        from packaging.utils import parse_wheel_filename

        return not parse_wheel_filename(filename)[-1].isdisjoint(self.target.tags())


def without_wheels(said: str) -> Iterator[tuple[str, SpecifierSet | None]]:
    """Yield the packages that uv finds no wheels of, with the versions where it says them."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.utils import canonicalize_name

    text = " ".join(said.split())
    for match in _WITHOUT_WHEELS.finditer(text):
        try:
            yield canonicalize_name(match[1]), SpecifierSet(match[2]) if match[2] else None
        except InvalidSpecifier:
            yield canonicalize_name(match[1]), None
    for match in _WHEELS_REQUIRED.finditer(text):
        yield canonicalize_name(match[1]), None


def _described(listed: Listed, is_wheel: bool) -> str:  # noqa: FBT001
    python = listed.link.requires_python
    needs = f", for Python {python}" if python else ""
    return f"{listed.link.filename}{needs}{'' if is_wheel else ', a source'}"
