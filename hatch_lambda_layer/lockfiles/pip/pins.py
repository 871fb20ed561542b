"""The lines of requirements files with hashes, as pins: what a target needs, and its hashes.

A hash makes every line need one, as in pip. Two kinds of line are as good without: a repository of
git at a full commit, and the project itself, which is in a layer only with `include-project`.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit
from urllib.request import url2pathname

from ..._internal.process import redact
from ...exceptions import LockfileError
from ..markers import is_undecided
from ..pylock_text import SDIST_SUFFIXES, without_credentials

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from packaging.specifiers import SpecifierSet

    from ...targets.target import Target
    from .requirements import Line, RequirementsFiles

_ALGORITHMS = {"sha256": 64, "sha384": 96, "sha512": 128}
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?=//|/)|file:")
_EXTRAS = re.compile(r"(?P<place>.+?)\[(?P<extras>[\w.,\s-]+)\]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Pin:
    """A package that a target needs: one release, or what is at one place.

    `marker` is one of which only the kernel, which is unknown, decides. `hashes` are `sha256:…`
    and the like. `place` is a URL or an absolute path, of a repository with its `commit`.
    """

    name: str
    text: str
    where: str
    extras: frozenset[str] = frozenset()
    specifier: SpecifierSet | None = None
    marker: str | None = None
    hashes: frozenset[str] = frozenset()
    place: str | None = None
    commit: str | None = None
    revision: str | None = None
    subdirectory: str | None = None


class _Reading(NamedTuple):
    """A line, understood; `name` is `None` where the line does not say it."""

    name: str | None
    extras: frozenset[str] = frozenset()
    specifier: SpecifierSet | None = None
    url: str | None = None
    marker: str | None = None


@dataclass(slots=True)
class _Reader:
    root: Path
    target: Target
    problems: list[str] = field(default_factory=list)
    has_unhashed: bool = False

    def pin(self, line: Line) -> Pin | None:
        """Return the pin of a line; `None` for the project, another target and a problem."""
        try:
            reading = _read(line.text, self.root, editable=line.editable)
            marker = self._undecided(reading.marker)
            if marker is None:
                return None
            return self._pin(line, reading, marker or None)
        except (ValueError, LookupError) as error:
            said = str(error)
        except RecursionError:
            said = "is nested too deeply"
        self.problems.append(f"`{redact(line.text)}` ({line.where}) {said}")
        return None

    def _undecided(self, marker: str | None) -> str | None:
        """Return a marker that the kernel decides; empty where it holds, `None` where not."""
        from packaging.markers import Marker

        environment = {k: str(value) for k, value in self.target.marker_environment().items()}
        if marker is None:
            return ""
        if is_undecided(marker, environment):
            return marker
        return "" if Marker(marker).evaluate({**environment, "extra": ""}) else None

    def _pin(self, line: Line, reading: _Reading, marker: str | None) -> Pin | None:
        pin = Pin(
            name=_normal(reading.name or ""),
            text=redact(line.text),
            where=line.where,
            extras=reading.extras,
            specifier=reading.specifier,
            marker=marker,
            hashes=frozenset(map(_checked_hash, line.hashes)),
        )
        if reading.url is not None:
            found = self._placed(pin, reading.url)
            if found is None:
                return None
            pin = found
        elif not line.constraint and not _is_exact(reading.specifier):
            raise ValueError("is not pinned with `==`: with hashes, each release must be")
        if not (pin.hashes or pin.commit or line.constraint):
            self.has_unhashed = True
            raise ValueError(
                "has no hash: where one line has one, each needs one, as with pip's "
                "`--require-hashes`"
            )
        return pin

    def _placed(self, pin: Pin, url: str) -> Pin | None:
        """Return the pin of what is at a URL or path; `None` for the project itself."""
        url, _, fragment = url.partition("#")
        facts = {key: values[0] for key, values in parse_qs(fragment).items()}
        hashed = {f"{each}:{facts[each]}" for each in _ALGORITHMS if each in facts}
        hashes = pin.hashes | frozenset(map(_checked_hash, hashed))
        pin = replace(pin, subdirectory=facts.get("subdirectory"), hashes=hashes)
        egg = facts.get("egg", "")
        if match := _EXTRAS.fullmatch(egg):
            egg = match["place"]
            pin = replace(pin, extras=pin.extras | _extras(match["extras"]))
        kind, separator, repository = url.partition("+")
        if separator and kind in ("git", "hg", "svn", "bzr"):
            return _vcs(replace(pin, name=pin.name or _normal(egg)), kind, repository)
        if url.startswith("file:"):
            url = local_path(url)
        elif urlsplit(url).scheme not in ("http", "https"):
            url = os.path.normpath(self.root / url)
        if os.path.isdir(url):  # noqa: PTH112  # no error for a long name
            if Path(url).resolve() == self.root.resolve() and not pin.subdirectory:
                return None
            self.has_unhashed = True
            raise ValueError("is a folder, which has no hash, and is not the project itself")
        name = pin.name or _normal(egg) or _name_of(unquote(url.rpartition("/")[2]))
        if not name:
            raise ValueError("does not say which package it is: write it as `NAME @ URL`")
        return replace(pin, name=name, place=without_credentials(url))


def read_pins(files: RequirementsFiles, target: Target) -> list[Pin]:
    """Return what a target needs of the files, sorted by name; one pin for each package.

    Raises `LockfileError`, which names each line that is at fault.
    """
    reader = _Reader(files.root, target, [*files.problems])
    found = [(line, pin) for line in files.lines if (pin := reader.pin(line))]
    pins: dict[str, Pin] = {}
    for pin in (pin for line, pin in found if not line.constraint):
        known = pins.setdefault(pin.name, pin)
        if known is not pin:
            pins[pin.name] = _merged(known, pin, reader.problems)
    for pin in (pin for line, pin in found if line.constraint and pin.name in pins):
        pins[pin.name] = _constrained(pins[pin.name], pin, reader.problems)
    if reader.problems:
        python = "{}.{}".format(*target.runtime.python_version)
        hint = (
            f"the files have hashes for some of what {target.id} needs, not for all; lock all of "
            f"it, as with `uv pip compile --universal --python-version {python} "
            "--generate-hashes`, with the version of the oldest runtime; a repository of git needs "
            "no hash where its line names a full commit"
        )
        raise LockfileError(
            "\n".join(("The requirements can't be used as they are:", *_items(reader.problems))),
            hint=hint if reader.has_unhashed else None,
        )
    return sorted(pins.values(), key=lambda pin: pin.name)


def local_path(url: str) -> str:
    """Return the path of a `file:` URL."""
    parts = urlsplit(url)
    host = f"//{parts.netloc}" if parts.netloc not in ("", "localhost") else ""
    return url2pathname(host + parts.path)


def _items(problems: Iterable[str]) -> list[str]:
    return [f"- {each}" for each in problems]


def _read(text: str, root: Path, *, editable: bool) -> _Reading:
    """Read a requirement as pip does: a path, a URL, or what PEP 508 says."""
    from packaging.requirements import Requirement

    is_url = _SCHEME.match(text) is not None
    if is_url or editable or _is_path(text, root):
        place, _, marker = text.partition("; " if is_url else ";")
        match = _EXTRAS.fullmatch(place.strip())
        place = match["place"] if match else place.strip()
        extras = _extras(match["extras"]) if match else frozenset()
        return _Reading(None, extras, url=place, marker=marker.strip() or None)
    requirement = Requirement(text)
    return _Reading(
        requirement.name,
        frozenset(map(_normal, requirement.extras)),
        requirement.specifier,
        requirement.url,
        str(requirement.marker) if requirement.marker else None,
    )


def _extras(text: str) -> frozenset[str]:
    return frozenset(_normal(each) for each in text.split(",") if each.strip())


def _is_path(text: str, root: Path) -> bool:
    name, _, rest = text.partition("@")
    if rest and not re.search(r"[/\\]|^\.", name):
        return False
    place = text.partition(";")[0].strip()
    is_file = place.endswith((".whl", *SDIST_SUFFIXES)) and os.path.isfile(root / place)  # noqa: PTH113
    return is_file or place.startswith(".") or re.search(r"[/\\]", place) is not None


def _vcs(pin: Pin, kind: str, repository: str) -> Pin:
    if kind != "git":
        raise ValueError(f"is a repository of {kind}; only those of git are supported")
    parts = urlsplit(repository)
    path, _, revision = parts.path.rpartition("@")
    if not _COMMIT.fullmatch(revision.lower()) or not path:
        raise ValueError(
            "has no hash and names no full commit: pin it to one, as `git ls-remote` shows them"
        )
    if not pin.name:
        raise ValueError("does not say which package it is: write it as `NAME @ git+URL@COMMIT`")
    host = parts.netloc if parts.netloc.startswith("git@") else parts.netloc.rpartition("@")[2]
    url = parts._replace(path=path, netloc=host).geturl()
    return replace(pin, place=url, commit=revision.lower(), revision=revision)


def _name_of(filename: str) -> str | None:
    from packaging.utils import parse_wheel_filename

    if filename.endswith(".whl"):
        return parse_wheel_filename(filename)[0]
    stem = next((filename.removesuffix(s) for s in SDIST_SUFFIXES if filename.endswith(s)), "")
    match = re.fullmatch(r"(.+?)-\d[^-]*", stem)
    return _normal(match[1]) if match else None


def _merged(one: Pin, other: Pin, problems: list[str]) -> Pin:
    """Return the pin of two lines about one package: both must hold."""
    same = (one.specifier, one.place, one.commit) == (other.specifier, other.place, other.commit)
    hashes = one.hashes & other.hashes
    if not same or (one.hashes and not hashes):
        what = "hashes" if same else "things"
        problems.append(
            f"`{one.text}` ({one.where}) and `{other.text}` ({other.where}) ask for different "
            f"{what}"
        )
    # Where one of the two always holds, the kernel decides nothing any more.
    marker = one.marker if one.marker == other.marker else None
    return replace(one, extras=one.extras | other.extras, hashes=hashes, marker=marker)


def _constrained(pin: Pin, constraint: Pin, problems: list[str]) -> Pin:
    """Return a pin that a constraint allows."""
    hashes = pin.hashes & constraint.hashes if constraint.hashes else pin.hashes
    fits = constraint.place is None and (
        constraint.specifier is None
        or pin.specifier is None
        or constraint.specifier.contains(_version(pin), prereleases=True)
    )
    if not fits or (pin.hashes and not hashes):
        problems.append(
            f"`{pin.text}` ({pin.where}) is not what the constraint `{constraint.text}` "
            f"({constraint.where}) allows"
        )
    return replace(pin, hashes=hashes)


def _version(pin: Pin) -> str:
    return next(each.version for each in pin.specifier or ())


def _is_exact(specifier: SpecifierSet | None) -> bool:
    each: Sequence[Any] = [*(specifier or ())]
    return len(each) == 1 and (
        each[0].operator == "===" or (each[0].operator == "==" and "*" not in each[0].version)
    )


def _checked_hash(text: str) -> str:
    algorithm, _, digest = text.strip().lower().partition(":")
    if not re.fullmatch(rf"[0-9a-f]{{{_ALGORITHMS.get(algorithm, -1)}}}", digest):
        allowed = ", ".join(_ALGORITHMS)
        raise ValueError(f"has `{text}`, which is not a hash that counts ({allowed})")
    return f"{algorithm}:{digest}"


def _normal(name: str) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(name.strip())
