"""The packages of `poetry.lock`, as tables of a `pylock.toml` (PEP 751).

Format 2.1 (poetry 2) has the groups of each package and its marker in each of them. Older ones
(poetry 1) only have dependencies, which are followed from what the project requires.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

from .. import pylock_text as _text
from ..markers import as_text, parse_marker, without_extras
from ..walk import walk
from .constraints import allows, alternatives
from .requirements import read_needs

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from packaging.specifiers import SpecifierSet

    from ..walk import Need

# git's short form of `ssh://user@host/path`.
_SCP_URL = re.compile(r"(?P<host>[^/@:]+@[^/:]+):(?!/)(?P<path>.+)")
_NAME = re.compile(r"\s*(?P<name>[\w.-]+)\s*(\[(?P<extras>[^\]]*)\])?")
# The first format that has groups and markers.
_WITH_GROUPS = (2, 1)


class PoetryPackage:
    """One package of the lockfile."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.content = content
        self.name = _normal(content["name"])
        self.version = str(content["version"])
        self.source: Mapping[str, str] = content.get("source", {})
        self._dependencies = list(read_needs(content.get("dependencies", {})))
        self._extras: dict[str, list[str]] = {
            _normal(name): each for name, each in content.get("extras", {}).items()
        }

    @property
    def kind(self) -> str:
        """The kind of its source: `release`, `directory`, `file`, `git` or `url`."""
        kind = self.source.get("type", "release")
        return "release" if kind == "legacy" else kind

    def dependencies(self) -> Sequence[Need]:
        """Return all its dependencies, those of its extras too."""
        return self._dependencies

    def needs(self, extras: Collection[str]) -> Iterator[Need]:
        """Yield its dependencies where `extras` of it are required, and no others."""
        extras, named = self._with_names(extras)
        for need in self._dependencies:
            marker = as_text(without_extras(parse_marker(need.marker), extras))
            # Before poetry 1.1, only the list of the extra says so.
            is_unnamed = need.is_optional and "extra" not in need.marker
            if marker is not None and not (is_unnamed and need.name not in named):
                yield dataclasses.replace(need, marker=marker)

    def _with_names(self, extras: Iterable[str]) -> tuple[set[str], set[str]]:
        """Return extras with those that they include, and the names of what they require."""
        waiting, found, named = list(extras), set[str](), set[str]()
        while waiting:
            extra = waiting.pop()
            if extra in found:
                continue
            found.add(extra)
            for text in self._extras.get(extra, ()):
                if match := _NAME.match(text):
                    named.add(_normal(match["name"]))
                    if _normal(match["name"]) == self.name:
                        waiting += map(_normal, (match["extras"] or "").split(","))
        return found, named

    def fits(self, environment: Mapping[str, str]) -> bool:
        """Return whether its `requires-python` allows the Python of an environment."""
        pythons = self.content.get("python-versions", "*")
        return allows(pythons, environment["python_full_version"])

    def marker(self, groups: Collection[str], extras: Iterable[str]) -> str | None:
        """Return the marker under which it is locked for `groups`; `None` where it is not."""
        markers = self.content.get("markers", "")
        found = []
        for group in self.content["groups"]:
            if _normal(group) in groups:
                text = markers if isinstance(markers, str) else markers.get(group, "")
                found.append(as_text(without_extras(parse_marker(text), extras)))
        known = [text for text in found if text is not None]
        return (_text.any_of(known) or "") if known else None


class PoetryLock:
    """The parsed content of the `poetry.lock` at `path`."""

    def __init__(self, path: Path, content: Mapping[str, Any]) -> None:
        self._path = path
        self._metadata = content["metadata"]
        self.packages = [PoetryPackage(each) for each in content.get("package", [])]

    @property
    def has_groups(self) -> bool:
        """Whether it has the groups and markers of its packages."""
        return format_of(self._metadata) >= _WITH_GROUPS

    def requires_python(self) -> tuple[str | None, list[str]]:
        """Return the Pythons that are locked: version specifiers (PEP 440), or a list of markers.

        Markers are for alternatives (`||`), which specifiers can't express. The result is `None`
        and an empty list where all Pythons are locked, or the constraint is not understood.
        """
        try:
            each = alternatives(self._metadata.get("python-versions", "*"))
        except ValueError:
            return None, []
        if "" in each:
            return None, []
        if len(each) == 1:
            return each[0], []
        return None, [marker for part in each if (marker := _text.python_marker(part))]

    def pythons(self) -> SpecifierSet | None:
        """Return the Pythons that are locked, `None` where specifiers can't express them."""
        from packaging.specifiers import SpecifierSet

        specifiers, _ = self.requires_python()
        return None if specifiers is None else SpecifierSet(specifiers)

    def locked_for(
        self,
        groups: Iterable[str],
        extras: Iterable[str],
        main: bool = True,  # noqa: FBT001, FBT002
    ) -> Iterator[tuple[PoetryPackage, str | None]]:
        """Yield the packages that the lockfile has for `groups`, with markers.

        With `main`, also those for the project itself, with `extras` of it.
        """
        chosen, extras = set(map(_normal, groups)), frozenset(map(_normal, extras))
        if main:
            chosen.add("main")
        for package in self.packages:
            marker = package.marker(chosen, extras)
            if marker is not None:
                yield package, marker or None

    def reached_from(
        self, needs: Sequence[Need], environment: Mapping[str, str]
    ) -> Iterator[tuple[PoetryPackage, str | None]]:
        """Yield the packages that `needs` lead to in an environment, with markers."""
        found = walk(needs, self.packages, environment)
        for package in self.packages:
            if id(package) in found:
                yield package, found[id(package)]

    def table(
        self, package: PoetryPackage, marker: str | None, default_index: Callable[[], str]
    ) -> dict[str, Any]:
        """Return the table of a package, with `None` for a key that it does not have.

        `default_index` returns the URL to use where the lockfile names no index. Raises
        `LockfileError` for a release of which the lockfile has no files.
        """
        return {
            "name": package.name,
            "version": package.version if package.kind != "directory" else None,
            "marker": marker,
            **self._source(package, default_index),
        }

    def _source(self, package: PoetryPackage, default_index: Callable[[], str]) -> dict[str, Any]:
        source, kind = package.source, package.kind
        if kind == "release":
            index = _text.without_credentials(source.get("url") or default_index()).rstrip("/")
            return _text.release(package.name, self._files(package), [index])
        subdirectory = source.get("subdirectory")
        if kind == "directory":
            editable = package.content.get("develop")
            return {"directory": {"path": source["url"], "editable": editable}}
        if kind == "git":
            return {
                "vcs": {
                    "type": "git",
                    **_repository(source["url"]),
                    "requested-revision": source.get("reference"),
                    "commit-id": source["resolved_reference"],
                    "subdirectory": subdirectory,
                }
            }
        key = "path" if kind == "file" else "url"
        hashes = _text.hashes(self._files(package))
        return {"archive": {key: source["url"], "hashes": hashes, "subdirectory": subdirectory}}

    def _files(self, package: PoetryPackage) -> list[Mapping[str, str]]:
        if "files" in package.content:
            return list(package.content["files"])
        # Before format 2.0, all versions of a package share one list of files.
        files = self._metadata.get("files", {}).get(package.content["name"], [])
        return [file for file in files if _is_of(file["file"], package.version)]


def format_of(metadata: Mapping[str, Any]) -> tuple[int, int]:
    """Return the version of a lockfile's format; raise `ValueError` where there is none."""
    major, minor = str(metadata["lock-version"]).split(".")[:2]
    return int(major), int(minor)


def _is_of(filename: str, text: str) -> bool:
    from packaging.utils import (
        InvalidSdistFilename,
        InvalidWheelFilename,
        parse_sdist_filename,
        parse_wheel_filename,
    )
    from packaging.version import Version

    try:
        if filename.endswith(".whl"):
            return parse_wheel_filename(filename)[1] == Version(text)
        return parse_sdist_filename(filename)[1] == Version(text)
    except (InvalidWheelFilename, InvalidSdistFilename):
        return f"-{text}." in filename


def _repository(url: str) -> dict[str, str]:
    if match := _SCP_URL.fullmatch(url):
        return {"url": f"ssh://{match['host']}/{match['path']}"}
    return {"url": url} if "://" in url else {"path": url}


def _normal(name: str) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(name)
