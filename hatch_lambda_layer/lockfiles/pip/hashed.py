"""Requirements with hashes as a `pylock.toml` (PEP 751): nothing is left to be resolved.

The files have the hashes of a release's files, not their names: the page of each project is asked
for those that have one of the hashes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from ...exceptions import LockfileError, SelectionError
from ..pylock_text import SDIST_SUFFIXES, render, without_credentials
from .files import digests
from .lines import name_and_version, relative_place
from .pins import read_pins

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from packaging.version import Version

    from ...targets.target import Target
    from .formats import Formats
    from .pins import Pin
    from .places import Found, Listed, Places
    from .requirements import RequirementsFiles


class HashedLock(NamedTuple):
    """The text of the lock, sentences for the user, and the requirements that it was made of."""

    text: bytes
    warnings: tuple[str, ...]
    required: tuple[str, ...]


class _File(NamedTuple):
    """A file of a package that has one of its hashes."""

    listed: Listed
    version: Version
    sha256: str
    is_wheel: bool

    @property
    def name(self) -> str:
        return self.listed.link.filename


@dataclass(frozen=True, kw_only=True, slots=True)
class HashedRequirements:
    """Requirements with hashes, the places that may have their files, and the target."""

    files: RequirementsFiles
    places: Places
    formats: Formats
    target: Target
    any_python: bool

    def lock(self) -> HashedLock:
        """Return the lock for the target.

        Raises `LockfileError`, `SelectionError` and `DownloadError`; the first two name every
        package that is at fault.
        """
        pins = read_pins(self.files, self.target)
        found = self.places.find(pin.name for pin in pins if pin.place is None)
        warnings: list[str] = []
        problems: list[str] = []
        unfitting: list[str] = []
        tables = []
        for pin in pins:
            try:
                table = self._direct(pin) if pin.place else self._release(pin, found, warnings)
            except _NoFileError as error:
                (unfitting if error.unfitting else problems).append(f"- {error}")
                continue
            tables.append({"name": pin.name, "marker": pin.marker, **table})
        if problems:
            raise LockfileError(
                "\n".join(("The indexes do not have what the requirements name:", *problems)),
                hint="check names, versions and the indexes that are asked; update the hashes only "
                "if you know why the index serves another file than when they were written",
            )
        if unfitting:
            raise SelectionError(
                "\n".join((f"No file fits {self.target.id}:", *unfitting)),
                hint="pin a version that has a wheel for this runtime",
            )
        return HashedLock(
            render(tables, created_by="hatch-lambda-layer"),
            tuple(warnings),
            tuple(map(_required, pins)),
        )

    def _release(self, pin: Pin, found: dict[str, Found], warnings: list[str]) -> dict[str, Any]:
        place = found[pin.name]
        files = list(self._matching(pin, place.files))
        if not files:
            raise self._missing(pin, place)
        warnings += [
            f"{error.message}; what it has of `{pin.name}` is not considered"
            for error in place.failures
        ]
        usable = [each for each in files if self._is_usable(pin, each)]
        if not usable:
            raise _NoFileError(
                f"`{pin.text}` ({pin.where}): there is no file in a format and for a Python that "
                f"counts{self.formats.explained(pin.name)}; the index has {self._listed(files)}",
                unfitting=True,
            )
        usable = self._newest(usable)
        reasons = [each.listed.link.yanked for each in usable]
        if all(reason is not None for reason in reasons):
            warnings.append(f"{pin.name} {usable[0].version} was yanked: {reasons[0]}")
        sources = [_entry(each, self.files.root) for each in usable if not each.is_wheel]
        wheels = [_entry(each, self.files.root) for each in usable if each.is_wheel]
        sources.sort(key=lambda each: [each["name"].endswith(s) for s in SDIST_SUFFIXES][::-1])
        return {
            "version": str(usable[0].version),
            "index": usable[0].listed.index_url,
            "sdist": next(iter(sources), None),
            "wheels": sorted(wheels, key=lambda each: str(each["name"])) or None,
        }

    def _matching(self, pin: Pin, listed: Iterable[Listed]) -> Iterator[_File]:
        """Yield the files of the release that have one of its hashes, each once."""
        seen: set[str] = set()
        for each in listed:
            sha256 = (each.link.sha256 or "").lower()
            is_listed = f"sha256:{sha256}" in pin.hashes
            # Most files of a page are of other releases; to read their names takes long.
            if sha256 and not is_listed and all(h.startswith("sha256:") for h in pin.hashes):
                continue
            read = name_and_version(each.link.filename, pin.name)
            if read is None or each.link.filename in seen:
                continue
            version, is_wheel = read
            if pin.specifier and not pin.specifier.contains(version, prereleases=True):
                continue
            found = sha256 if is_listed else self._measured(each.link.url, pin)
            if found:
                seen.add(each.link.filename)
                yield _File(each, version, found, is_wheel)

    def _is_usable(self, pin: Pin, file: _File) -> bool:
        from packaging.specifiers import InvalidSpecifier, SpecifierSet

        if not self.formats.allow(pin.name, is_wheel=file.is_wheel):
            return False
        python = file.listed.link.requires_python
        try:
            return (
                self.any_python
                or not python
                or SpecifierSet(python).contains(self.target.runtime.python, prereleases=True)
            )
        except InvalidSpecifier:
            return True  # as in pip: what can't be read does not count

    def _newest(self, files: Sequence[_File]) -> list[_File]:
        """Return the files of the release that pip would choose: one that fits, not yanked."""
        from packaging.utils import parse_wheel_filename

        tags = set(self.target.tags())

        def fits(file: _File) -> bool:
            return not file.is_wheel or not tags.isdisjoint(parse_wheel_filename(file.name)[-1])

        def rank(file: _File) -> tuple[bool, bool, Version]:
            return fits(file), file.listed.link.yanked is None, file.version

        version = max(files, key=rank).version
        return [each for each in files if each.version == version]

    def _missing(self, pin: Pin, place: Found) -> Exception:
        """Return the error for a package without a file that has one of its hashes."""
        if place.failures:
            return place.failures[0]
        if not place.asked:
            return _NoFileError(
                f"`{pin.text}` ({pin.where}): no index is asked (`no-index`), and there is no "
                "`find-links`"
            )
        where = " and ".join(place.asked)
        others = [each.link.filename for each in place.files if self._is_of(pin, each)]
        if not others:
            return _NoFileError(f"`{pin.text}` ({pin.where}) is not on {where}")
        hashes = ", ".join(sorted(pin.hashes))
        return _NoFileError(
            f"`{pin.text}` ({pin.where}): {where} has {', '.join(sorted(others))}, which DO NOT "
            f"MATCH THE HASHES: {hashes}"
        )

    def _is_of(self, pin: Pin, listed: Listed) -> bool:
        read = name_and_version(listed.link.filename, pin.name)
        if read is None or pin.specifier is None:
            return False
        return pin.specifier.contains(read[0], prereleases=True)

    def _listed(self, files: Iterable[_File]) -> str:
        return ", ".join(
            sorted(
                f"{each.name} (for Python {python})"
                if (python := each.listed.link.requires_python)
                else each.name
                for each in files
            )
        )

    def _direct(self, pin: Pin) -> dict[str, Any]:
        place = pin.place or ""
        if pin.commit:
            return {
                "vcs": {
                    "type": "git",
                    "url": place,
                    "requested-revision": pin.revision,
                    "commit-id": pin.commit,
                    "subdirectory": pin.subdirectory,
                }
            }
        found = {each for each in pin.hashes if each.startswith("sha256:")}
        sha256 = next(iter(found)).partition(":")[2] if len(found) == len(pin.hashes) == 1 else None
        if not sha256 and not (sha256 := self._measured(place, pin)):
            raise _NoFileError(
                f"`{pin.text}` ({pin.where}): what is there DOES NOT MATCH THE HASHES: "
                f"{', '.join(sorted(pin.hashes))}"
            )
        filename = place.rpartition("/")[2]
        read = name_and_version(filename, pin.name)
        return {
            "version": str(read[0]) if read else None,
            "archive": {
                **relative_place(place, self.files.root),
                "hashes": {"sha256": sha256},
                "subdirectory": pin.subdirectory,
            },
        }

    def _measured(self, place: str, pin: Pin) -> str | None:
        """Return the sha256 of a file that has one of the hashes, `None` for another one."""
        try:
            found = digests(place, self.places)
        except OSError as error:
            raise _NoFileError(
                f"`{pin.text}` ({pin.where}): {place} can't be read: {error.strerror}"
            ) from error
        return found["sha256"] if pin.hashes & {f"{k}:{v}" for k, v in found.items()} else None


class _NoFileError(Exception):
    """Why a package has no file; `unfitting` if it has some, but none for the target."""

    def __init__(self, message: str, *, unfitting: bool = False) -> None:
        super().__init__(message)
        self.unfitting = unfitting


def _required(pin: Pin) -> str:
    extras = f"[{','.join(sorted(pin.extras))}]" if pin.extras else ""
    return f"{pin.name}{extras}{f' ; {pin.marker}' if pin.marker else ''}"


def _entry(file: _File, root: Path) -> dict[str, Any]:
    place = without_credentials(file.listed.link.url)
    return {"name": file.name, **relative_place(place, root), "hashes": {"sha256": file.sha256}}
