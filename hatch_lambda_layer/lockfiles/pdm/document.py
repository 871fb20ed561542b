"""The packages of `pdm.lock`, as tables of a `pylock.toml` (PEP 751).

With the strategy `inherit_metadata` (pdm 2.11 and later), the lockfile has the groups of each
package, and the marker under which any of them needs it. A package that the project needs only on
old Pythons is locked for every Python if a development group always needs it. So the dependencies
of the project, its chosen groups and its chosen extras are followed here in any case.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from .. import pylock_text as _text
from ..dependencies import requirement_text
from ..markers import is_undecided
from ..walk import Need, walk
from .requirements import parse_need

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

_VCS = ("git", "hg", "svn", "bzr")
_PROJECT_ROOT = "${PROJECT_ROOT}"
# pdm's names of platforms and architectures, as markers.
_SYSTEMS = {
    "linux": "linux",
    "manylinux": "linux",
    "musllinux": "linux",
    "alpine": "linux",
    "macos": "darwin",
    "windows": "win32",
}
_MACHINES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}
# The architecture of a platform whose name has none.
_USUAL_MACHINE = {"linux": "x86_64", "alpine": "x86_64"}


class PdmLock:
    """The packages of a parsed `pdm.lock` that any of `groups` needs, `None` for all.

    Extras are groups to pdm.
    """

    def __init__(self, content: Mapping[str, Any], groups: Collection[str] | None) -> None:
        self._metadata = content["metadata"]
        entries: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
        for entry in content.get("package", []):
            # Without the strategy, and in a lock of one group only, no groups are named.
            named = entry.get("groups")
            if not named or groups is None or set(groups).intersection(named):
                # A package with an extra is locked once more, with the same files.
                entries.setdefault(_identity(entry), []).append(entry)
        files = self._metadata.get("files", {})
        self.packages = [PdmPackage(each, files) for each in entries.values()]

    @property
    def has_groups(self) -> bool:
        """Whether it has the groups of each package."""
        return "inherit_metadata" in self._metadata.get("strategy", ())

    def reached_from(
        self, needs: Sequence[Need], environment: Mapping[str, str]
    ) -> Iterator[tuple[PdmPackage, str | None]]:
        """Yield the packages that `needs` lead to in an environment (PEP 508), with their markers.

        Raises `InvalidRequirement` for a dependency that is not valid.
        """
        # A requirement for a path, a URL or a repository need not have the package's name.
        direct = [each for each in self.packages if self.has_groups and each.is_direct]
        roots = [*needs, *(Need(name=each.name, text=each.name) for each in direct)]
        found = walk(roots, self.packages, environment)
        for package in self.packages:
            if id(package) in found:
                yield package, _text.all_of(package.marker, found[id(package)])


class PdmPackage:
    """One package of the lockfile at one version, with and without extras.

    `files` are those of all packages, by name and version, where the format keeps them together.
    """

    def __init__(
        self, entries: Sequence[Mapping[str, Any]], files: Mapping[str, list[dict[str, str]]]
    ) -> None:
        from packaging.utils import canonicalize_name

        self._entries = entries
        self._content = content = entries[0]
        self.name: str = canonicalize_name(content["name"])
        self.version = str(content.get("version") or "")
        self.marker = _text.any_of(each.get("marker") for each in entries)
        self._files = content.get("files") or files.get(f"{content['name']} {self.version}", [])
        self._kind = _kind(content)

    @cached_property
    def _needs(self) -> list[tuple[set[str], list[Need]]]:
        """The dependencies by the extras that need them."""
        from packaging.utils import canonicalize_name

        return [
            (
                {canonicalize_name(extra) for extra in entry.get("extras", [])},
                [parse_need(line) for line in entry.get("dependencies", [])],
            )
            for entry in self._entries
        ]

    def dependencies(self) -> list[Need]:
        """Return all its dependencies; raise `InvalidRequirement` for one that is not valid."""
        return [need for _, needs in self._needs for need in needs]

    def needs(self, extras: Collection[str]) -> list[Need]:
        """Return its dependencies where `extras` of it are required; it raises the same."""
        return [need for own, needs in self._needs if own <= set(extras) for need in needs]

    def requirements(self) -> list[str]:
        """Return its dependencies as a wheel has them (PEP 508): those of extras have markers."""
        return [
            requirement_text(need, extra)
            for extras, needs in self._needs
            for extra in extras or ("",)
            for need in needs
        ]

    def fits(self, environment: Mapping[str, str]) -> bool:
        """Return whether its marker and its `requires-python` hold in an environment."""
        from packaging.markers import Marker
        from packaging.specifiers import SpecifierSet

        pythons = SpecifierSet(self._content.get("requires_python", ""))
        if not pythons.contains(environment["python_full_version"], prereleases=True):
            return False
        if not self.marker or is_undecided(self.marker, environment):
            return True
        return Marker(self.marker).evaluate({**environment, "extra": ""})

    @property
    def is_direct(self) -> bool:
        """Whether it is locked by a path, a URL or a repository instead of a version."""
        return self._kind != "release"

    def table(self, marker: str | None, indexes: Callable[[str], Sequence[str]]) -> dict[str, Any]:
        """Return its table, with `None` for a key that it does not have."""
        content, kind = self._content, self._kind
        if kind == "release":
            # With static URLs, no index needs to be known.
            places = [] if all("url" in each for each in self._files) else indexes(self.name)
            source = _text.release(self.name, self._files, places)
        else:
            source = self._direct()
        version = None if "directory" in source else content.get("version")
        return {"name": self.name, "version": version, "marker": marker, **source}

    def _direct(self) -> dict[str, Any]:
        content, kind = self._content, self._kind
        files = self._files
        subdirectory = content.get("subdirectory")
        place = _place(content[kind])
        if kind in _VCS:
            return {
                "vcs": {
                    "type": kind,
                    **place,
                    "requested-revision": content.get("ref"),
                    "commit-id": content["revision"],
                    "subdirectory": subdirectory,
                }
            }
        if kind == "path" and not files:
            editable = content.get("editable")
            return {"directory": {**place, "editable": editable, "subdirectory": subdirectory}}
        hashes = _text.hashes(files)
        return {"archive": {**place, "hashes": hashes, "subdirectory": subdirectory}}


def target_markers(metadata: Mapping[str, Any]) -> list[str]:
    """Return the markers of the targets of a lock; empty where it is for all."""
    markers = [_target_marker(each) for each in metadata.get("targets", [])]
    return [marker for marker in markers if marker] if all(markers) else []


def _kind(entry: Mapping[str, Any]) -> str:
    return next((each for each in (*_VCS, "path", "url") if each in entry), "release")


def _identity(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the name, version and place: equal for packages that differ only in their extras."""
    from packaging.utils import canonicalize_name

    name = canonicalize_name(entry["name"])
    return name, str(entry.get("version")), str(entry.get(_kind(entry)))


def _place(text: str) -> dict[str, str]:
    """Return a place as a `url`, or as a `path` relative to the project."""
    if _PROJECT_ROOT in text:
        text = unquote(text.partition(_PROJECT_ROOT)[2])
        return {"path": str(PurePosixPath("." + text))}
    if "://" in text:
        return {"url": _text.without_credentials(text)}
    return {"path": str(PurePosixPath(text))}


def _target_marker(target: Mapping[str, str]) -> str | None:
    """Return the marker of a locked target; `None` where it has no conditions."""
    markers = [_text.python_marker(target.get("requires_python", ""))]
    platform = target.get("platform")
    if platform is not None:
        system = platform.partition("_")[0]
        machine = next((each for each in _MACHINES if platform.endswith(f"_{each}")), None)
        machine = _MACHINES[machine] if machine else _USUAL_MACHINE.get(platform)
        markers.append(f'sys_platform == "{_SYSTEMS.get(system, system)}"')
        markers.append(f'platform_machine == "{machine}"' if machine else None)
    if implementation := target.get("implementation"):
        markers.append(f'implementation_name == "{implementation}"')
    return _text.all_of(*markers)
