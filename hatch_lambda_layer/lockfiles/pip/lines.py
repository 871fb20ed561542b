"""A line of a requirements file, as pip understands it: a release, a URL, a path, a repository."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit
from urllib.request import url2pathname

from ..markers import is_undecided
from ..pylock_text import SDIST_SUFFIXES

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

    from ...targets.target import Target

ALGORITHMS = {"sha256": 64, "sha384": 96, "sha512": 128}
# A full hash of git, of SHA-1 or SHA-256.
COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?=//|/)|file:")
_WITH_CREDENTIALS = re.compile(r"(?P<git>git\+)?(?P<url>https?://[^/?#\s]+@[^?#\s]+)")
_EXTRAS = re.compile(r"(?P<place>.+?)\[(?P<extras>[\w.,\s-]+)\]")
_REPOSITORIES = ("git", "hg", "svn", "bzr")


class Reading(NamedTuple):
    """A line, understood; `name` is `None` where the line does not say it, `url` for a release."""

    name: str | None
    extras: frozenset[str] = frozenset()
    specifier: SpecifierSet | None = None
    url: str | None = None
    marker: str | None = None


class Place(NamedTuple):
    """The place that a line names by its URL or path, without fragment.

    `kind` is `archive` (a wheel, too), `directory`, or the kind of a repository, such as `git`.
    `url` has no `git+` and may have credentials; it is an absolute path where it is on this
    machine. `name` is empty where neither fragment nor filename has it.
    """

    kind: str
    url: str
    name: str
    extras: frozenset[str]
    subdirectory: str | None
    hashes: frozenset[str]


def read_line(text: str, root: Path, *, editable: bool) -> Reading:
    """Read a requirement: a path, a URL, or what PEP 508 says; raise `ValueError` for others."""
    from packaging.requirements import Requirement

    is_url = _SCHEME.match(text) is not None
    if is_url or editable or _is_path(text, root):
        place, _, marker = text.partition("; " if is_url else ";")
        match = _EXTRAS.fullmatch(place.strip())
        place = match["place"] if match else place.strip()
        extras = _extras(match["extras"]) if match else frozenset()
        return Reading(None, extras, url=place, marker=marker.strip() or None)
    requirement = Requirement(text)
    return Reading(
        requirement.name,
        frozenset(map(normal, requirement.extras)),
        requirement.specifier,
        requirement.url,
        str(requirement.marker) if requirement.marker else None,
    )


def read_place(url: str, root: Path) -> Place:
    """Read the URL or path of a line; raise `ValueError` for a hash that is not valid."""
    url, _, fragment = url.partition("#")
    facts = {key: values[0] for key, values in parse_qs(fragment).items()}
    hashes = {f"{each}:{facts[each]}" for each in ALGORITHMS if each in facts}
    egg, extras = facts.get("egg", ""), frozenset[str]()
    if match := _EXTRAS.fullmatch(egg):
        egg, extras = match["place"], _extras(match["extras"])
    kind, separator, repository = url.partition("+")
    if separator and kind in _REPOSITORIES:
        url = repository
    else:
        kind, url = _kind(url, root)
        egg = egg or (_name_of(unquote(url.rpartition("/")[2])) if kind == "archive" else "")
    return Place(
        kind=kind,
        url=url,
        name=normal(egg),
        extras=extras,
        subdirectory=facts.get("subdirectory"),
        hashes=frozenset(map(checked_hash, hashes)),
    )


def git_place(url: str) -> tuple[str, str]:
    """Return the URL of a git repository and what comes after its `@`, which may be empty.

    The URL has no credentials but a user `git`, which is none.
    """
    parts = urlsplit(url)
    path, separator, revision = parts.path.rpartition("@")
    if not separator:
        path, revision = revision, ""
    host = parts.netloc if parts.netloc.startswith("git@") else parts.netloc.rpartition("@")[2]
    return parts._replace(path=path, netloc=host).geturl(), revision


def is_project(place: Place, root: Path) -> bool:
    """Return whether a line stands for the project itself, as `-e .` does."""
    return (
        place.kind == "directory"
        and Path(place.url).resolve() == root.resolve()
        and not place.subdirectory
    )


def needs_no_hash(text: str, root: Path, *, editable: bool) -> bool:
    """Return whether a line is as good as one with a hash: a full commit of git, or the project."""
    try:
        url = read_line(text, root, editable=editable).url
        place = None if url is None else read_place(url, root)
    except (ValueError, RecursionError):
        return False
    if place is None or place.kind != "git":
        return place is not None and is_project(place, root)
    return COMMIT.fullmatch(git_place(place.url)[1].lower()) is not None


def url_with_credentials(text: str) -> str | None:
    """Return the URL in a line if it has credentials, that of a repository without its revision."""
    match = _WITH_CREDENTIALS.search(text)
    if match is None:
        return None
    parts = urlsplit(match["url"])
    path = parts.path.rpartition("@")[0] if match["git"] else ""
    return parts._replace(path=path or parts.path).geturl()


def undecided(marker: str | None, target: Target) -> str | None:
    """Return a marker that the kernel decides; empty where it holds, `None` where not."""
    from packaging.markers import Marker

    environment = {key: str(value) for key, value in target.marker_environment().items()}
    if marker is None:
        return ""
    if is_undecided(marker, environment):
        return marker
    return "" if Marker(marker).evaluate({**environment, "extra": ""}) else None


def local_path(url: str) -> str:
    """Return the path of a `file:` URL."""
    parts = urlsplit(url)
    host = f"//{parts.netloc}" if parts.netloc not in ("", "localhost") else ""
    return url2pathname(host + parts.path)


def checked_hash(text: str) -> str:
    """Return `sha256:…` in lower case; raise `ValueError` for what is no hash that counts."""
    algorithm, _, digest = text.strip().lower().partition(":")
    if not re.fullmatch(rf"[0-9a-f]{{{ALGORITHMS.get(algorithm, -1)}}}", digest):
        allowed = ", ".join(ALGORITHMS)
        raise ValueError(f"has `{text}`, which is not a hash that counts ({allowed})")
    return f"{algorithm}:{digest}"


def normal(name: str) -> str:
    """Return the normalized name of a package or an extra."""
    from packaging.utils import canonicalize_name

    return canonicalize_name(name.strip())


def name_and_version(filename: str, name: str) -> tuple[Version, bool] | None:
    """Return the version of a file of the package `name`, and whether it is a wheel."""
    from packaging.utils import canonicalize_name, parse_wheel_filename
    from packaging.version import InvalidVersion, Version

    try:
        if filename.endswith(".whl"):
            found, version, *_ = parse_wheel_filename(filename)
            return (version, True) if found == name else None
        suffix = next((each for each in SDIST_SUFFIXES if filename.endswith(each)), None)
        stem = filename.removesuffix(suffix or "")
        # Old sources have names with dashes, so the name itself says where the version begins.
        for end in (n for n, character in enumerate(stem) if character == "-"):
            if suffix and canonicalize_name(stem[:end]) == name:
                return Version(stem[end + 1 :]), False
    except (ValueError, InvalidVersion):
        return None
    return None


def relative_place(place: str, root: Path) -> dict[str, str]:
    """Return the key `url`, or `path` relative to the project, the same wherever that is."""
    if place.startswith(("http://", "https://")):
        return {"url": place}
    path = local_path(place) if place.startswith("file:") else place
    try:
        path = os.path.relpath(path, root)
    except ValueError:  # another drive of Windows
        return {"path": path}
    return {"path": path.replace(os.sep, "/")}


def _kind(url: str, root: Path) -> tuple[str, str]:
    if url.startswith("file:"):
        url = local_path(url)
    elif urlsplit(url).scheme not in ("http", "https"):
        url = os.path.normpath(root / url)
    # No error for a long name, as Path.is_dir() has it.
    return ("directory" if os.path.isdir(url) else "archive"), url  # noqa: PTH112


def _extras(text: str) -> frozenset[str]:
    return frozenset(normal(each) for each in text.split(",") if each.strip())


def _is_path(text: str, root: Path) -> bool:
    name, _, rest = text.partition("@")
    if rest and not re.search(r"[/\\]|^\.", name):
        return False
    place = text.partition(";")[0].strip()
    is_file = place.endswith((".whl", *SDIST_SUFFIXES)) and os.path.isfile(root / place)  # noqa: PTH113
    return is_file or place.startswith(".") or re.search(r"[/\\]", place) is not None


def _name_of(filename: str) -> str:
    from packaging.utils import parse_wheel_filename

    if filename.endswith(".whl"):
        return parse_wheel_filename(filename)[0]
    stem = next((filename.removesuffix(s) for s in SDIST_SUFFIXES if filename.endswith(s)), "")
    match = re.fullmatch(r"(.+?)-\d[^-]*", stem)
    return match[1] if match else ""
