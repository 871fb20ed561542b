"""Selecting from a lock for a target: wheels that fit, and sources that have to be built."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from .._internal.store import UNREADABLE
from ..exceptions import LockfileError
from .unavailable import no_wheels, unfitting_wheels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from packaging.pylock import (
        Package,
        PackageArchive,
        PackageDirectory,
        PackageSdist,
        PackageVcs,
        PackageWheel,
        Pylock,
    )
    from packaging.tags import Tag

    from ..lockfiles.protocol import Lock
    from ..targets.target import Target

# To be raised when the same lock and target give a different selection.
_SCHEMA = 5
_HASH = re.compile("[0-9a-f]{64}")


class LockedWheel(NamedTuple):
    """One wheel, as the lockfile names it.

    `sha256` is in hexadecimal. `size` is in bytes, `None` if the lockfile does not tell it.
    `location` is a URL or an absolute path; `index_url` is the index it came from, where that is
    known.
    """

    name: str
    version: str
    filename: str
    sha256: str
    size: int | None
    location: str
    index_url: str | None


class LockedSource(NamedTuple):
    """A package without a fitting wheel, as the lockfile names its source.

    `kind` is `sdist`, `archive`, `vcs` or `directory`, or `project` for the project itself, which
    no lockfile selects; `location` is a URL or an absolute path.
    `sha256` (hexadecimal) is that of an sdist or archive, `commit` that of a git repository.
    `reason` says why there is no wheel; `wheels` are the filenames of those that do not fit.
    """

    name: str
    version: str | None
    kind: str
    location: str
    sha256: str | None
    commit: str | None
    subdirectory: str | None
    index_url: str | None
    reason: str
    wheels: tuple[str, ...] = ()


class Selection(NamedTuple):
    """The wheels and sources that a lock selects, each sorted by name.

    `notes` are sentences for the user.
    """

    wheels: tuple[LockedWheel, ...]
    sources: tuple[LockedSource, ...]
    notes: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[LockedWheel | LockedSource, ...]:
        """The wheels, then the sources."""
        return (*self.wheels, *self.sources)

    def encode(self) -> bytes:
        """Return the selection as bytes, to be kept."""
        return json.dumps(self).encode()

    @classmethod
    def decode(cls, data: bytes) -> Selection | None:
        """Read what `encode` has made; `None` for anything else, or what no lock could select."""
        try:
            wheels, sources, notes = json.loads(data)
            selection = cls(
                wheels=tuple(LockedWheel(*row) for row in wheels),
                sources=tuple(
                    LockedSource(*row)._replace(wheels=tuple(row[-1])) for row in sources
                ),
                notes=tuple(notes),
            )
            sound = all(_is_sound(wheel) for wheel in selection.wheels)
        except UNREADABLE:
            return None
        return selection if sound else None


def _is_sound(wheel: LockedWheel) -> bool:
    """Return whether the hash and the filename can become parts of a path."""
    return _HASH.fullmatch(wheel.sha256) is not None and not set(wheel.filename) & set("/\\\0")


def selection_key(lock: Lock, target: Target) -> str:
    """Return the cache key of a selection: equal keys mean equal selections."""
    facts = [
        _SCHEMA,
        hashlib.sha256(lock.text).hexdigest(),
        str(lock.base),
        lock.groups,
        lock.extras,
        lock.required,
        target.marker_environment(),
        target.platforms(),
    ]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def select(lock: Lock, target: Target) -> Selection:
    """Return what `lock` selects for `target`, by the rules of PEP 751.

    A package is left out where only the kernel, which is unknown, could decide. Raises
    `LockfileError` for a lock that is not valid or not for this target, and `SelectionError`,
    which names every package with neither a wheel that fits nor a source.
    """
    from .conditions import check_required, without_undecided

    pylock, notes = without_undecided(lock.parse(), lock, target)
    tags = target.tags()
    # The selection would end at the first package with neither a fitting wheel nor an sdist. An
    # empty sdist for each package lets it go on, so that all such packages are reported.
    pylock = dataclasses.replace(pylock, packages=[_with_sdist(each) for each in pylock.packages])
    chosen = _selected(pylock, lock, target, tags)
    check_required(lock, (package.name for package, _ in chosen), target)
    found = [_located(package, source, tags, lock.base) for package, source in chosen]
    if problems := [each for each in found if isinstance(each, str)]:
        pairs = zip(chosen, found, strict=True)
        wheels = [_filenames(package) for (package, _), each in pairs if isinstance(each, str)]
        raise no_wheels(problems, target, wheels)
    return Selection(
        wheels=tuple(sorted(each for each in found if isinstance(each, LockedWheel))),
        sources=tuple(sorted(each for each in found if isinstance(each, LockedSource))),
        notes=notes,
    )


def _selected(
    pylock: Pylock, lock: Lock, target: Target, tags: Sequence[Tag]
) -> list[tuple[Package, object]]:
    from packaging.pylock import PylockSelectError

    from .conditions import misfit

    try:
        return list(
            pylock.select(
                environment=target.marker_environment(),
                tags=tags,
                extras=lock.extras,
                dependency_groups=lock.groups or None,
            )
        )
    except PylockSelectError as error:
        reason, hint = misfit(pylock, target, error)
        message = f"Lockfile `{lock.path}` does not fit {target.id}: {reason}"
        raise LockfileError(message, hint=hint) from error
    # Markers with undefined names, or that compare what can't be compared; and numbers of more
    # digits than Python reads.
    except (ValueError, LookupError) as error:
        raise LockfileError(
            f"Lockfile `{lock.path}` has a marker that can't be evaluated: "
            f"{_undefined(pylock, target, error)}",
            hint=f"lock again with `{lock.command}`, or report it to the makers of that tool",
        ) from error


def _undefined(pylock: Pylock, target: Target, error: Exception) -> str:
    """Return the marker that can't be evaluated for a target, with the package that has it."""
    from .conditions import marker_environment

    environment = marker_environment(target)
    # Those of PEP 751, which the selection adds to those of the target.
    environment |= dict.fromkeys(("extras", "dependency_groups"), frozenset[str]())
    for package in pylock.packages:
        try:
            if package.marker:
                package.marker.evaluate(environment, "lock_file")
        except (ValueError, LookupError):
            return f"`{package.marker}` of package `{package.name}` ({error})"
    return f"`requires-python`, or one of `environments` ({error})"


def _with_sdist(package: Package) -> Package:
    from packaging.pylock import PackageSdist

    if package.is_direct:
        return package
    return dataclasses.replace(
        package,
        sdist=package.sdist or PackageSdist(hashes={}),
        # Of wheels that fit equally well, the first is taken: that of the highest build number
        # (PEP 427), then of the last filename, so that the order in the lock does not matter.
        wheels=sorted(package.wheels or (), key=_preference, reverse=True),
    )


def _preference(wheel: PackageWheel) -> tuple[object, str]:
    from packaging.utils import parse_wheel_filename

    return parse_wheel_filename(wheel.filename)[2], wheel.filename


def _located(
    package: Package, source: object, tags: Sequence[Tag], base: Path
) -> LockedWheel | LockedSource | str:
    """Return the wheel or source that was selected, or the reason why it can't be used."""
    from packaging.pylock import (
        PackageArchive,
        PackageDirectory,
        PackageSdist,
        PackageVcs,
        PackageWheel,
    )

    title = f"{package.name} {package.version or ''}".rstrip()
    if isinstance(source, PackageVcs):
        reason = (
            f"{title} is a {source.type} repository (commit {source.commit_id[:12]}), not a wheel"
        )
        if source.type != "git":
            return reason
        return _source(package, "vcs", source, base, reason)
    if isinstance(source, PackageDirectory):
        reason = f"{title} is the folder `{source.path}`, not a wheel"
        return _source(package, "directory", source, base, reason)
    if isinstance(source, PackageSdist):
        reason = unfitting_wheels(package, title, tags)
        return _source(package, "sdist", source, base, reason) if source.hashes else reason
    if isinstance(source, PackageArchive | PackageWheel):
        return _file(package, source, tags, base)
    raise TypeError(f"{source!r} is not a source that PEP 751 defines")


def _file(
    package: Package, source: PackageArchive | PackageWheel, tags: Sequence[Tag], base: Path
) -> LockedWheel | LockedSource | str:
    title = f"{package.name} {package.version or ''}".rstrip()
    try:
        filename = _filename(source)
    except ValueError as error:
        return f"{title} has a URL that can't be read ({error})"
    if filename.endswith(".whl"):
        return _locked_wheel(package, source, filename, tags, base)
    reason = f"{title} is the source archive `{filename}`, not a wheel"
    return _source(package, "archive", source, base, reason)


def _source(
    package: Package,
    kind: str,
    source: PackageArchive | PackageDirectory | PackageSdist | PackageVcs | PackageWheel,
    base: Path,
    reason: str,
) -> LockedSource:
    hashes = getattr(source, "hashes", None)
    return LockedSource(
        name=package.name,
        version=str(package.version) if package.version else None,
        kind=kind,
        location=_location(source.path, getattr(source, "url", None), base),
        sha256=None
        if hashes is None
        else _sha256(hashes, f"The source of package `{package.name}`"),
        commit=getattr(source, "commit_id", None),
        subdirectory=getattr(source, "subdirectory", None),
        index_url=package.index,
        reason=reason,
        wheels=_filenames(package),
    )


def _filenames(package: Package) -> tuple[str, ...]:
    return tuple(sorted(wheel.filename for wheel in package.wheels or ()))


def _location(path: str | None, url: str | None, base: Path) -> str:
    if not path:
        return url or ""
    try:
        return str((base / path).resolve())
    except ValueError as error:  # it has a NUL
        raise LockfileError(f"The lockfile has the path {path!a}, which can't be read") from error


def _sha256(hashes: Mapping[str, str], what: str) -> str:
    sha256 = hashes.get("sha256", "").lower()
    if _HASH.fullmatch(sha256) is None:
        found = "a malformed one" if sha256 else f"only {', '.join(hashes)}"
        raise LockfileError(
            f"{what} has no sha256 in the lockfile ({found}), so what an index serves could "
            "not be verified",
            hint="lock again with an index that gives sha256 hashes",
        )
    return sha256


def _filename(source: PackageArchive | PackageWheel) -> str:
    path = source.path or urlsplit(source.url or "").path
    return getattr(source, "name", None) or unquote(path.replace("\\", "/").rsplit("/", 1)[-1])


def _locked_wheel(
    package: Package,
    source: PackageArchive | PackageWheel,
    filename: str,
    tags: Sequence[Tag],
    base: Path,
) -> LockedWheel | str:
    from packaging.utils import parse_wheel_filename

    try:
        _, version, _, wheel_tags = parse_wheel_filename(filename)
    except ValueError as error:
        return f"{package.name}: {error}"
    if wheel_tags.isdisjoint(tags):
        return f"{package.name} {version} is the wheel `{filename}`, which does not fit"
    return LockedWheel(
        name=package.name,
        version=str(package.version or version),
        filename=filename,
        sha256=_sha256(source.hashes, f"`{filename}` of package `{package.name}`"),
        size=source.size,
        location=_location(source.path, source.url, base),
        index_url=package.index,
    )
