"""Requirements without hashes as a `pylock.toml` (PEP 751): uv resolves them, from wheels first.

The result names no index: where a file belongs is found by its URL, else by asking.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit

from ...exceptions import LockfileError, ToolError
from ..pylock_text import render, without_credentials
from .commits import find_commit
from .files import digests, fetch
from .lines import local_path, relative_place
from .needs import read_needs
from .own import project_lines, project_name
from .sources import without_wheels
from .unsolved import explained
from .uv_call import warnings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from packaging.specifiers import SpecifierSet

    from .lines import Place
    from .needs import Need, Needs
    from .requirements import RequirementsFiles
    from .sources import Release, Sources
    from .uv_call import UvCall

# More releases without a wheel than any set of requirements has.
_ROUNDS = 50
# The name that a file gets here: it must not lead anywhere else.
_WHEEL = re.compile(r"[\w.+!-]+\.whl", re.ASCII)


class ResolvedLock(NamedTuple):
    """The text of the lock, sentences for the user, and the requirements that it was made of."""

    text: bytes
    warnings: tuple[str, ...]
    required: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolvedRequirements:
    """Requirements that are still to be resolved, and how that is done."""

    files: RequirementsFiles
    call: UvCall
    sources: Sources

    def lock(self) -> ResolvedLock:
        """Return the lock for the target; raise `LambdaLayerError`."""
        needs = self._needs()
        question = _Question(self.call, self.sources)
        for need in needs.lines:
            question.add(need)
        packages, said = question.solve()
        tables = [question.table(each) for each in packages]
        _check_hashes(needs.lines, tables)
        tables.sort(key=lambda each: str(each["name"]))
        return ResolvedLock(
            render(tables, created_by="hatch-lambda-layer"),
            (*needs.notes, *warnings(said)),
            tuple(
                f"{each.name}{each.extras_text}"
                for each in needs.lines
                if each.name and not each.constraint
            ),
        )

    def _needs(self) -> Needs:
        """Return what the lines need, and what the project needs where a line stands for it."""
        needs = read_needs(self.files, self.call.target)
        if needs.project is None:
            return needs
        lines = project_lines(self.files.root, needs.project, self.call.target, self.sources)
        more = read_needs(self.files, self.call.target, lines)
        return needs._replace(lines=(*needs.lines, *more.lines), notes=(*needs.notes, *more.notes))


@dataclass(slots=True)
class _Question:
    """The question that uv is asked, which grows by the sources that turn out to be needed."""

    call: UvCall
    sources: Sources
    lines: list[str] = field(default_factory=list)
    constraints: list[str] = field(default_factory=list)
    fetched: dict[str, str] = field(default_factory=dict)
    specifiers: dict[str, list[SpecifierSet]] = field(default_factory=dict)

    def add(self, need: Need) -> None:
        """Add a line; a source is built for what it requires, or raises `LambdaLayerError`."""
        if need.place is None:
            line = f"{need.name}{need.extras_text}{need.specifier or ''}"
            if need.specifier is not None:
                self.specifiers.setdefault(need.name, []).append(need.specifier)
        else:
            name, url = self._placed(need, need.place)
            line = f"{name}{need.extras_text} @ {url}"
        (self.constraints if need.constraint else self.lines).append(line)

    def solve(self) -> tuple[list[dict[str, Any]], str]:
        """Return uv's result; a source stands in where there is no wheel, or where none counts."""
        for _ in range(_ROUNDS):
            try:
                packages, said = self._ask()
            except ToolError as error:
                if not self._add_sources(error.output):
                    raise explained(error, self.sources, self.call.target, self._allowed) from error
                continue
            if not self._replace_wheels(packages):
                return packages, said
        raise LockfileError("Too many packages have no wheel: pin versions that have one")

    def _ask(self) -> tuple[list[dict[str, Any]], str]:
        """Return uv's result on the first platform with a solution; raise `ToolError` for none."""
        failures: list[ToolError] = []
        for platform in self.call.platforms():
            excluded: list[str] = []
            constraints = self.constraints
            try:
                while True:
                    packages, said = self.call.solve(
                        self.lines, constraints, self.sources.folders, platform
                    )
                    misfits = self.call.misfits(packages) if failures else []
                    more = [self._fitting(name) for name in misfits]
                    if not misfits:
                        return packages, said
                    if not set(more) - set(excluded):
                        break
                    excluded += more
                    constraints = [*self.constraints, *excluded]
            except ToolError as error:
                failures.append(error)
        raise failures[0]

    def _fitting(self, name: str) -> str:
        """Return a constraint that excludes the releases of a package without a fitting wheel."""
        releases = self.sources.releases(name, self._allowed(name))
        return f"{name} {','.join(f'!={each.version}' for each in releases if not each.has_wheel)}"

    def table(self, package: Mapping[str, Any]) -> dict[str, Any]:
        """Return the table of a package of uv's result, as it is to be locked."""
        name, version = package["name"], package.get("version")
        files = [*package.get("wheels", ()), *filter(None, [package.get("archive")])]
        if any(self.sources.folder in Path(path).parents for path in map(self._path, files)):
            source = self.sources.table(name, version)
            if source is not None:
                return source
        table = {"name": name, "version": version, "marker": package.get("marker")}
        if "archive" in package:
            return {**table, "archive": self._file(package["archive"])}
        wheels = [{"name": _filename(each), **self._file(each)} for each in files]
        return {**table, "wheels": wheels}

    def _placed(self, need: Need, place: Place) -> tuple[str, str]:
        """Return the name of what is at a URL or path, and the URL that uv is given."""
        if place.kind == "archive" and place.url.endswith(".whl"):
            return need.name or place.name, self._wheel(need, place.url)
        if need.constraint:
            raise LockfileError(f"`{need.text}` ({need.where}) is a source, and no constraint")
        name = need.name
        if place.kind == "directory":
            name = name or project_name(Path(place.url) / (place.subdirectory or ""))
        table = {**({"name": name} if name else {}), **self._source(need, place)}
        wheel = self.sources.add(table, need.text, need.where)
        return wheel.name, wheel.path.as_uri()

    def _source(self, need: Need, place: Place) -> dict[str, Any]:
        """Return the keys that a source has in the table of its package."""
        root, subdirectory = self.sources.root, place.subdirectory
        if place.kind == "directory":
            return {"directory": {**relative_place(place.url, root), "subdirectory": subdirectory}}
        if place.kind == "archive":
            hashes = {"sha256": _measured(need, place.url, self.sources)}
            bare = relative_place(without_credentials(place.url), root)
            return {"archive": {**bare, "hashes": hashes, "subdirectory": subdirectory}}
        url, revision, commit = find_commit(need, self.call.folder)
        return {
            "vcs": {
                "type": "git",
                "url": url,
                "requested-revision": revision or None,
                "commit-id": commit,
                "subdirectory": subdirectory,
            }
        }

    def _wheel(self, need: Need, url: str) -> str:
        """Return the URL of a wheel for uv; one whose URL has credentials is fetched here."""
        if not url.startswith(("http://", "https://")):
            if not Path(url).is_file():
                raise _missing(need, url)
            return Path(url).as_uri()
        bare = without_credentials(url)
        if bare == url:
            return url
        name = unquote(urlsplit(bare).path.rpartition("/")[2])
        if not _WHEEL.fullmatch(name):
            raise LockfileError(
                f"`{need.text}` ({need.where}): {name!a} is not the name of a wheel"
            )
        folder = self.call.folder / f"fetched{len(self.fetched)}"
        folder.mkdir()
        path = folder / name
        with path.open("w+b") as file:
            fetch(url, file, self.sources.places)
        self.fetched[str(path)] = bare
        return path.as_uri()

    def _add_sources(self, said: str) -> bool:
        """Add the source of a release for each package without a wheel; return whether one was."""
        wanted: dict[str, list[SpecifierSet]] = {}
        for name, version in without_wheels(said):
            if self.sources.read is None and name not in self.sources.left_out:
                continue
            wanted.setdefault(name, []).extend([] if version is None else [version])
        added = False
        for name, versions in wanted.items():
            release = self.sources.next_release(name, self._allowed(name), versions)
            if release is not None:
                self._add(name, release)
                added = True
        return added

    def _replace_wheels(self, packages: Iterable[Mapping[str, Any]]) -> bool:
        """Add the sources of packages whose wheels must not be used; return whether there are."""
        replaced = False
        for package in packages:
            name, version = package["name"], package.get("version")
            if self.sources.formats.allow(name, is_wheel=True) or "wheels" not in package:
                continue
            if self.sources.table(name, version) is not None:
                continue
            releases = self.sources.releases(name, self._allowed(name))
            # The version that fits the others comes first.
            of_version = [each for each in releases if str(each.version) == version]
            release = next((each for each in [*of_version, *releases] if each.source), None)
            if release is None:
                raise LockfileError(
                    f"`--no-binary` allows no wheel of `{name}`, and the index has no source of it"
                )
            wheel = self._add(name, release)
            self.constraints.append(f"{name} @ {wheel.as_uri()}")
            replaced = True
        return replaced

    def _add(self, name: str, release: Release) -> Path:
        title = f"{name} {release.version}"
        table = self.sources.table_of(name, release)
        return self.sources.add(table, title, "which has no wheel that counts").path

    def _allowed(self, name: str) -> list[SpecifierSet]:
        return self.specifiers.get(name, [])

    def _file(self, file: Mapping[str, Any]) -> dict[str, Any]:
        """Return the keys of a file: its URL or path, size and hashes."""
        path = self._path(file)
        place = self.fetched.get(path, path) if path else without_credentials(file["url"])
        kept = {key: file[key] for key in ("size", "hashes") if key in file}
        return {**relative_place(place, self.sources.root), **kept}

    def _path(self, file: Mapping[str, Any]) -> str:
        """Return the absolute path of a file, empty for one that is not on this machine."""
        url = file.get("url", "")
        path = file.get("path") or (local_path(url) if url.startswith("file:") else "")
        return str(self.call.folder / path) if path else ""


def _filename(file: Mapping[str, Any]) -> str:
    return str(file.get("name") or unquote(urlsplit(file["url"]).path.rpartition("/")[2]))


def _measured(need: Need, place: str, sources: Sources) -> str:
    """Return the sha256 of an archive; raise `LockfileError` for one with none of the hashes."""
    try:
        found = digests(place, sources.places)
    except OSError as error:
        raise _missing(need, place) from error
    if need.hashes and not need.hashes & {f"{key}:{value}" for key, value in found.items()}:
        raise LockfileError(
            f"`{need.text}` ({need.where}): what is there DOES NOT MATCH THE HASHES: "
            f"{', '.join(sorted(need.hashes))}"
        )
    return found["sha256"]


def _missing(need: Need, path: str) -> LockfileError:
    return LockfileError(
        f"`{need.text}` ({need.where}) is not on this machine: there is no file {path}",
        hint="name a version instead; `pip list --format=freeze` writes versions where "
        "`pip freeze` writes the paths of another machine",
    )


def _check_hashes(needs: Iterable[Need], tables: Iterable[dict[str, Any]]) -> None:
    """Leave to packages with hashes the wheels that have one; raise `LockfileError` for none."""
    by_name = {str(each["name"]): each for each in tables}
    for need in needs:
        table = by_name.get(need.name)
        if not need.hashes or table is None:
            continue
        files = [
            *table.get("wheels", ()),
            *(table[key] for key in ("sdist", "archive") if key in table),
        ]
        right = [
            each
            for each in files
            if {f"{key}:{value}" for key, value in each.get("hashes", {}).items()} & need.hashes
        ]
        if not right:
            raise LockfileError(
                f"`{need.text}` ({need.where}): the files of `{need.name} {table.get('version')}` "
                f"DO NOT MATCH THE HASHES: {', '.join(sorted(need.hashes))}",
                hint="update the hashes only if you know why the index serves another file than "
                "when they were written",
            )
        if "wheels" in table:
            table["wheels"] = right
