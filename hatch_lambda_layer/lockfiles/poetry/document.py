"""The packages of `poetry.lock` that poetry exports, as tables of a `pylock.toml` (PEP 751).

The export has a line for each package that is wanted, with its marker; the lockfile has the
package's source and files. Lockfiles of the formats 1.0 to 2.1 (poetry 1.0 to 2.x) are supported.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from ...exceptions import LockfileError
from .. import pylock_text as _text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

# git's short form of `ssh://user@host/path`.
_SCP_URL = re.compile(r"(?P<host>[^/@:]+@[^/:]+):(?!/)(?P<path>.+)")
# One condition of poetry's on the version of Python, such as `^3.11`, `>=3.9` or `3.12.*`.
_CONDITION = re.compile(r"\s*(\^|~=|~|[<>!=]=|[<>=])?\s*(\d[\w.*+-]*)\s*,?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Pin:
    """One line of the export: a release by `name` and `version`, or a package at `url`.

    `line` is its text. `name` is `None` for a folder in develop mode. `hashes` are `sha256:…`.
    """

    line: str
    name: str | None = None
    version: str | None = None
    url: str | None = None
    marker: str | None = None
    hashes: frozenset[str] = frozenset()


def read_pins(text: str) -> Iterator[Pin]:
    """Yield the pins of a `requirements.txt` that poetry has exported."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    for joined in text.replace("\\\n", " ").splitlines():
        line, *hashes = re.split(r"\s+--hash=", joined.strip())
        if not line or line.startswith(("--", "#")):
            continue  # the URLs of indexes, which the lockfile has for each package
        if line.startswith("-e "):
            url, _, marker = line.removeprefix("-e ").partition(" ; ")
            yield Pin(line=line, url=url.strip(), marker=marker or None)
            continue
        requirement = Requirement(line)
        yield Pin(
            line=line,
            name=canonicalize_name(requirement.name),
            version=next((each.version for each in requirement.specifier), None),
            url=requirement.url,
            marker=str(requirement.marker) if requirement.marker else None,
            hashes=frozenset(hashes),
        )


class PoetryLock:
    """The parsed content of the `poetry.lock` at `path`."""

    def __init__(self, path: Path, content: Mapping[str, Any]) -> None:
        self._path = path
        self._metadata = content["metadata"]
        self._packages: list[Mapping[str, Any]] = content.get("package", [])

    def requires_python(self) -> tuple[str | None, list[str]]:
        """Return the Pythons that are locked: version specifiers (PEP 440), or a list of markers.

        Markers are for alternatives (`||`), which specifiers can't express. The result is `None`
        and an empty list where all Pythons are locked, or the constraint is not understood.
        """
        from packaging.specifiers import InvalidSpecifier, SpecifierSet

        constraint = self._metadata.get("python-versions", "*")
        try:
            each = [_specifiers(part) for part in re.split(r"\|\|?", constraint)]
            for specifiers in each:
                SpecifierSet(specifiers)
        except (InvalidSpecifier, ValueError):
            return None, []
        if "" in each:
            return None, []
        if len(each) == 1:
            return each[0], []
        return None, [marker for part in each if (marker := _text.python_marker(part))]

    def tables(
        self, pins: Iterable[Pin], default_index: Callable[[], str]
    ) -> Iterator[dict[str, Any]]:
        """Yield the table of each package that `pins` want, once.

        `default_index` returns the URL to use where the lockfile names no index. Raises
        `LockfileError` for a pin that the lockfile does not have.
        """
        markers: dict[int, list[str | None]] = {}
        for pin in pins:
            # A release with an extra has a line of its own; its marker counts as well.
            markers.setdefault(self._find(pin), []).append(pin.marker)
        for number in sorted(markers):
            package = self._packages[number]
            yield {
                "name": _name(package),
                "version": package["version"] if _kind(package) != "directory" else None,
                "marker": _text.any_of(markers[number]),
                **self._source(package, default_index),
            }

    def _find(self, pin: Pin) -> int:
        found = [
            number
            for number, package in enumerate(self._packages)
            if pin.name in (None, _name(package)) and self._is(package, pin)
        ]
        if len(found) > 1:
            # The same version from two indexes: their files differ.
            found = [each for each in found if pin.hashes <= self._hashes(self._packages[each])]
        if not found:
            raise LockfileError(
                f"Lockfile `{self._path}` does not have `{_text.without_credentials(pin.line)}`, "
                "which poetry exports from it",
                hint="lock again with `poetry lock`",
            )
        return found[0]

    def _is(self, package: Mapping[str, Any], pin: Pin) -> bool:
        from packaging.version import Version

        source, kind = package.get("source", {}), _kind(package)
        if pin.url is None:
            same = pin.version is not None and Version(package["version"]) == Version(pin.version)
            return kind == "release" and same
        if kind == "git":
            return bool(source["resolved_reference"] in pin.url)
        if kind in ("directory", "file"):
            folder = self._path.parent / source["url"]
            path = Path(url2pathname(urlsplit(pin.url).path))
            return urlsplit(pin.url).scheme == "file" and path.resolve() == folder.resolve()
        return bool(kind == "url" and _address(source["url"]) == _address(pin.url))

    def _source(
        self, package: Mapping[str, Any], default_index: Callable[[], str]
    ) -> dict[str, Any]:
        source, kind = package.get("source", {}), _kind(package)
        if kind == "release":
            index = _text.without_credentials(source.get("url") or default_index()).rstrip("/")
            return _text.release(_name(package), self._files(package), [index])
        subdirectory = source.get("subdirectory")
        if kind == "directory":
            return {"directory": {"path": source["url"], "editable": package.get("develop")}}
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

    def _hashes(self, package: Mapping[str, Any]) -> set[str]:
        return {file["hash"] for file in self._files(package)}

    def _files(self, package: Mapping[str, Any]) -> list[Mapping[str, str]]:
        if "files" in package:
            return list(package["files"])
        # Before format 2.0, all versions of a package share one list of files.
        files = self._metadata.get("files", {}).get(package["name"], [])
        version = package["version"]
        return [file for file in files if _is_of(file["file"], version)]


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


def _name(package: Mapping[str, Any]) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(package["name"])


def _kind(package: Mapping[str, Any]) -> str:
    kind = package.get("source", {}).get("type", "release")
    return "release" if kind == "legacy" else str(kind)


def _address(url: str) -> str:
    return unquote(url.partition("#")[0])


def _repository(url: str) -> dict[str, str]:
    if match := _SCP_URL.fullmatch(url):
        return {"url": f"ssh://{match['host']}/{match['path']}"}
    return {"url": url} if "://" in url else {"path": url}


def _specifiers(constraint: str) -> str:
    """Return a constraint of poetry's as version specifiers (PEP 440), empty for any version.

    Raises `ValueError` for a constraint that is not understood.
    """
    if constraint.strip() in ("*", ""):
        return ""
    if _CONDITION.sub("", constraint).strip():
        raise ValueError(constraint)
    return ",".join(_specifier(*match.groups()) for match in _CONDITION.finditer(constraint))


def _specifier(operator: str | None, version: str) -> str:
    release = version.split(".")
    if operator == "^" or (operator == "~" and len(release) == 1):
        # The first number of a Python's version is never zero.
        return f">={version},<{int(release[0]) + 1}"
    if operator == "~":
        return f">={version},<{release[0]}.{int(release[1]) + 1}"
    return f"{'==' if operator in (None, '=') else operator}{version}"
