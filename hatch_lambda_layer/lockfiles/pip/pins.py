"""The lines of requirements files with hashes, as pins: what a target needs, and its hashes.

A hash makes every line need one, as in pip. Two kinds of line are as good without: a repository of
git at a full commit, and the project itself, which is in a layer only with `include-project`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..._internal.process import redact
from ..pylock_text import without_credentials
from .lines import (
    COMMIT,
    checked_hash,
    git_place,
    is_project,
    normal,
    read_line,
    read_place,
    undecided,
)
from .problems import attempt, unusable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from packaging.specifiers import SpecifierSet

    from ...targets.target import Target
    from .lines import Place
    from .requirements import Line, RequirementsFiles


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


@dataclass(slots=True)
class _Reader:
    root: Path
    target: Target
    has_unhashed: bool = False

    def pin(self, line: Line) -> Pin | None:
        """Return the pin of a line, `None` for the project and another target.

        Raises `ValueError` for a line that is at fault.
        """
        reading = read_line(line.text, self.root, editable=line.editable)
        marker = undecided(reading.marker, self.target)
        if marker is None:
            return None
        pin = Pin(
            name=normal(reading.name or ""),
            text=redact(line.text),
            where=line.where,
            extras=reading.extras,
            specifier=reading.specifier,
            marker=marker or None,
            hashes=frozenset(map(checked_hash, line.hashes)),
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
        place = read_place(url, self.root)
        name = pin.name or place.name
        pin = replace(
            pin,
            name=name,
            extras=pin.extras | place.extras,
            hashes=pin.hashes | place.hashes,
            subdirectory=place.subdirectory,
        )
        if place.kind == "directory":
            if is_project(place, self.root):
                return None
            self.has_unhashed = True
            raise ValueError("is a folder, which has no hash, and is not the project itself")
        if place.kind != "archive":
            return _vcs(pin, place)
        if not name:
            raise ValueError("does not say which package it is: write it as `NAME @ URL`")
        return replace(pin, place=without_credentials(place.url))


def read_pins(files: RequirementsFiles, target: Target) -> list[Pin]:
    """Return what a target needs of the files, sorted by name; one pin for each package.

    Raises `LockfileError`, which names each line that is at fault.
    """
    problems, reader = [*files.problems], _Reader(files.root, target)
    found = [(line, pin) for line in files.lines if (pin := attempt(reader.pin, line, problems))]
    pins: dict[str, Pin] = {}
    for pin in (pin for line, pin in found if not line.constraint):
        known = pins.setdefault(pin.name, pin)
        if known is not pin:
            pins[pin.name] = _merged(known, pin, problems)
    for pin in (pin for line, pin in found if line.constraint and pin.name in pins):
        pins[pin.name] = _constrained(pins[pin.name], pin, problems)
    if problems:
        python = "{}.{}".format(*target.runtime.python_version)
        hint = (
            f"the files have hashes for some of what {target.id} needs, not for all; lock all of "
            f"it, as with `uv pip compile --universal --python-version {python} "
            "--generate-hashes`, with the version of the oldest runtime; a repository of git needs "
            "no hash where its line names a full commit"
        )
        raise unusable(problems, hint if reader.has_unhashed else None)
    return sorted(pins.values(), key=lambda pin: pin.name)


def _vcs(pin: Pin, place: Place) -> Pin:
    if place.kind != "git":
        raise ValueError(f"is a repository of {place.kind}; only those of git are supported")
    url, revision = git_place(place.url)
    if not COMMIT.fullmatch(revision.lower()):
        raise ValueError(
            "has no hash and names no full commit: pin it to one, as `git ls-remote` shows them"
        )
    if not pin.name:
        raise ValueError("does not say which package it is: write it as `NAME @ git+URL@COMMIT`")
    return replace(pin, place=url, commit=revision.lower(), revision=revision)


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
