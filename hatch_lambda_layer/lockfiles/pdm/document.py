"""The packages of `pdm.lock` as tables of a `pylock.toml` (PEP 751).

The lockfile (format 4.4, of pdm 2.11, and later) has the groups of each package, and the marker
under which any of them needs it. A package that the project needs only on old Pythons is locked
for every Python if a development group always needs it. So the dependencies of the project, its
chosen groups and its chosen extras are followed here from package to package, for each target.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from .. import pylock_text as _text

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from packaging.markers import Marker
    from packaging.requirements import Requirement

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
    """The packages of a parsed `pdm.lock` that any of `groups` needs; extras are groups to pdm."""

    def __init__(self, content: Mapping[str, Any], groups: Collection[str]) -> None:
        self._metadata = content["metadata"]
        self._packages = [
            _Package(each)
            for each in content.get("package", [])
            # A lock of one group only need not name it.
            if not each.get("groups") or set(groups).intersection(each["groups"])
        ]

    def environments(self) -> list[str]:
        """Return the markers of the locked targets; empty where any target is locked."""
        markers = [_target_marker(each) for each in self._metadata.get("targets", [])]
        return [marker for marker in markers if marker] if all(markers) else []

    def narrow(
        self, requirements: Sequence[Requirement], environments: Iterable[Mapping[str, str]]
    ) -> None:
        """Limit each package to those `environments` in which `requirements` lead to it.

        `environments` are marker environments (PEP 508). Where a dependency is not a valid
        requirement, no package is limited.
        """
        from packaging.requirements import InvalidRequirement

        try:
            found = [(each, self._needed(requirements, each)) for each in environments]
        except InvalidRequirement:
            return
        for package in self._packages:
            allowed = [each for each, _ in found if package.holds(each)]
            needed = [each for each, packages in found if id(package) in packages]
            if needed != allowed:
                package.narrowed = _text.any_of(map(_exactly, needed))
                package.is_needed = bool(needed)

    def tables(self, indexes: Callable[[str], Sequence[str]]) -> Iterator[dict[str, Any]]:
        """Yield the table of each package that is needed.

        `indexes` returns the URLs of the indexes that may have a package, by its name. Raises
        `LockfileError` for a release of which the lockfile has no files.
        """
        merged: dict[tuple[str, ...], list[_Package]] = {}
        for package in self._packages:
            if package.is_needed:
                # A package with an extra is locked once more, with the same files.
                merged.setdefault(package.identity, []).append(package)
        for packages in merged.values():
            marker = _text.any_of(_text.all_of(each.marker, each.narrowed) for each in packages)
            yield packages[0].table(marker, indexes)

    def _needed(
        self, requirements: Sequence[Requirement], environment: Mapping[str, str]
    ) -> set[int]:
        """Return the `id` of each package that the requirements lead to."""
        # A requirement for a path, a URL or a repository need not have the package's name.
        waiting = [package for package in self._packages if package.is_direct]
        waiting += self._of(requirements, environment)
        found: set[int] = set()
        while waiting:
            package = waiting.pop()
            if id(package) not in found:
                found.add(id(package))
                waiting += self._of(package.requirements, environment)
        return found

    def _of(
        self, requirements: Iterable[Requirement], environment: Mapping[str, str]
    ) -> list[_Package]:
        from packaging.utils import canonicalize_name

        found = []
        for requirement in requirements:
            if requirement.marker and not requirement.marker.evaluate({**environment, "extra": ""}):
                continue
            name = canonicalize_name(requirement.name)
            extras = {canonicalize_name(extra) for extra in requirement.extras}
            found += [
                package
                for package in self._packages
                if package.name == name and package.extras <= extras and package.holds(environment)
            ]
        return found


class _Package:
    """One package of the lockfile, with or without an extra.

    `narrowed` is the marker of the environments that need it, `None` where all do.
    """

    def __init__(self, content: Mapping[str, Any]) -> None:
        from packaging.utils import canonicalize_name

        self._content = content
        self.name: str = canonicalize_name(content["name"])
        self.extras = {canonicalize_name(extra) for extra in content.get("extras", [])}
        self.marker: str | None = content.get("marker")
        self.narrowed: str | None = None
        self.is_needed = True
        vcs = next((each for each in _VCS if each in content), None)
        self._kind = vcs or next((each for each in ("path", "url") if each in content), "release")

    @property
    def is_direct(self) -> bool:
        """Whether it is locked by a path, a URL or a repository instead of a version."""
        return self._kind != "release"

    @property
    def identity(self) -> tuple[str, ...]:
        """The name, version and place: equal for packages that differ only in their extras."""
        return self.name, str(self._content.get("version")), str(self._content.get(self._kind))

    @cached_property
    def requirements(self) -> list[Requirement]:
        """Its dependencies; raises `InvalidRequirement` for one that is not valid (PEP 508)."""
        from packaging.requirements import Requirement

        return [Requirement(each) for each in self._content.get("dependencies", [])]

    def holds(self, environment: Mapping[str, str]) -> bool:
        """Return whether its marker holds in `environment`."""
        return self._marker is None or self._marker.evaluate(dict(environment))

    @cached_property
    def _marker(self) -> Marker | None:
        from packaging.markers import Marker

        return Marker(self.marker) if self.marker else None

    def table(self, marker: str | None, indexes: Callable[[str], Sequence[str]]) -> dict[str, Any]:
        """Return its table, with `None` for a key that it does not have."""
        content, kind = self._content, self._kind
        if kind == "release":
            # With static URLs, no index needs to be known.
            files = content.get("files", [])
            places = [] if all("url" in each for each in files) else indexes(self.name)
            source = _text.release(self.name, files, places)
        else:
            source = self._direct()
        version = None if "directory" in source else content.get("version")
        return {"name": self.name, "version": version, "marker": marker, **source}

    def _direct(self) -> dict[str, Any]:
        content, kind = self._content, self._kind
        files = content.get("files", [])
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


def _place(text: str) -> dict[str, str]:
    """Return a place as a `url`, or as a `path` relative to the project."""
    if _PROJECT_ROOT in text:
        text = unquote(text.partition(_PROJECT_ROOT)[2])
        return {"path": str(PurePosixPath("." + text))}
    if "://" in text:
        return {"url": _text.without_credentials(text)}
    return {"path": str(PurePosixPath(text))}


def _exactly(environment: Mapping[str, str]) -> str:
    names = ("python_version", "platform_machine")
    return " and ".join(f'{name} == "{environment[name]}"' for name in names)


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
