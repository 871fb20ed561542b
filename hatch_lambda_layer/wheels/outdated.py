"""The state of a locked release on its index: yanked, not listed, or older than another.

A yanked release is one that its project has withdrawn (PEP 592, and PEP 691 for the JSON form).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from .._internal.process import redact
from .selection import LockedSource, LockedWheel

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from packaging.tags import Tag
    from packaging.version import Version

    from ..index.pages import Link
    from ..targets.target import Target

    # The files of each release of a project, as one index lists them.
    Releases = Mapping[Version, Sequence[Link]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """A locked package that an index was asked about; `index` is its URL, without credentials.

    `yanked` is the reason why the locked release was withdrawn, possibly an empty one, and `None`
    where it was not; `listed` is false where the index does not list the release. `newest` is the
    newest of the newer releases that fit, `source_only` true if it has no wheel that fits.
    `unfitting` is the newest release of all where it is one that does not fit.
    """

    name: str
    version: str
    index: str
    listed: bool
    yanked: str | None
    newest: str | None
    source_only: bool
    unfitting: str | None

    @property
    def outdated(self) -> bool:
        """Whether there is something to do: another release to lock."""
        return self.yanked is not None or not self.listed or self.newest is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class Unanswered:
    """A locked package whose index could not be asked, and why; `hint` says what to do."""

    name: str
    version: str
    reason: str
    hint: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class NotAsked:
    """A locked package that is from no index; `reason` says where it is from."""

    name: str
    version: str | None
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerStatus:
    """The packages that the lock selects for one member of the matrix, each kind by name."""

    member: str
    checked: tuple[Checked, ...]
    unanswered: tuple[Unanswered, ...]
    not_asked: tuple[NotAsked, ...]


def locked_version(locked: LockedWheel | LockedSource) -> Version | None:
    """Return the version of a locked wheel or sdist; `None` where the lockfile has none."""
    from packaging.version import Version

    if locked.version is None:
        return _version(_filename(locked), locked.name)
    try:
        return Version(locked.version)
    except ValueError:
        return None


def find_releases(links: Iterable[Link], name: str, since: Version) -> Releases:
    """Return the wheels and sdists of the project `name` by version, from `since` on.

    Other files, which also pip ignores, are left out.
    """
    found: dict[Version, list[Link]] = {}
    for link in links:
        version = _version(link.filename, name)
        if version is not None and version >= since:
            found.setdefault(version, []).append(link)
    return found


def check_release(
    locked: LockedWheel | LockedSource,
    version: Version,
    releases: Releases,
    target: Target,
    *,
    index: str,
    sources: bool,
) -> Checked:
    """Compare a locked package with the `releases` that its index lists.

    A newer release that is yanked does not count, nor does a prerelease, unless the locked one is
    one. With `sources`, a release that has an sdist but no wheel for the target fits as well.
    """
    files = releases.get(version, ())
    # Files are yanked one by one, though most indexes yank whole releases.
    own = [link for link in files if link.filename == _filename(locked)] or files
    reasons = [link.yanked for link in own]
    withdrawn = bool(reasons) and None not in reasons
    newest, source_only, unfitting = _newest(version, releases, target, sources=sources)
    return Checked(
        name=locked.name,
        version=str(version),
        index=redact(index),
        listed=bool(files),
        yanked=next(filter(None, reasons), "") if withdrawn else None,
        newest=newest,
        source_only=source_only,
        unfitting=unfitting,
    )


def _newest(
    version: Version, releases: Releases, target: Target, *, sources: bool
) -> tuple[str | None, bool, str | None]:
    """Return the newest release that fits, whether only as a source, and a newer one if any."""
    tags = frozenset(target.tags())
    unfitting = None
    for each in _newer(version, releases):
        files = [link for link in releases[each] if link.yanked is None]
        if not files:
            continue
        fitting = [link for link in files if _takes_python(link, target)]
        if any(_is_wheel_for(link, tags) for link in fitting):
            return str(each), False, unfitting
        if sources and any(not link.filename.endswith(".whl") for link in fitting):
            return str(each), True, unfitting
        unfitting = unfitting or str(each)
    return None, False, unfitting


def _newer(version: Version, releases: Releases) -> list[Version]:
    """Return the releases that are newer than `version`, the newest first.

    Local versions (`+cpu`, PEP 440) are variants of one release, none newer than another: of them,
    the variant that is locked comes first.
    """
    from packaging.version import Version

    public = {each: Version(each.public) for each in releases}
    own = Version(version.public)
    newer = [
        each
        for each in releases
        if public[each] > own and (version.is_prerelease or not each.is_prerelease)
    ]
    return sorted(
        newer, key=lambda each: (public[each], each.local == version.local, each), reverse=True
    )


def _takes_python(link: Link, target: Target) -> bool:
    from packaging.specifiers import SpecifierSet

    try:
        python = SpecifierSet(link.requires_python or "")
        return python.contains(target.runtime.python, prereleases=True)
    except ValueError:
        # As for pip, which then takes the file.
        return True


def _is_wheel_for(link: Link, tags: frozenset[Tag]) -> bool:
    from packaging.utils import parse_wheel_filename

    if not link.filename.endswith(".whl"):
        return False
    return not tags.isdisjoint(parse_wheel_filename(link.filename)[3])


def _filename(locked: LockedWheel | LockedSource) -> str:
    if isinstance(locked, LockedWheel):
        return locked.filename
    # `index+PAGE#FILENAME` is a file whose URL the lockfile does not have.
    path, _, listed = locked.location.partition("#")
    name = listed if locked.location.startswith("index+") else path.partition("?")[0]
    return unquote(name.replace("\\", "/").rpartition("/")[2])


def _version(filename: str, name: str) -> Version | None:
    """Return the version in the name of a wheel or an sdist; `None` for a file of another kind."""
    from packaging.utils import parse_sdist_filename, parse_wheel_filename

    try:
        if filename.endswith(".whl"):
            found, version, *_ = parse_wheel_filename(filename)
        else:
            found, version = parse_sdist_filename(filename)
    except ValueError:
        return None
    return version if found == name else None
