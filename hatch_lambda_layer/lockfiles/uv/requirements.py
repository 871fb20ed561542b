"""Requirements as uv locks them: each with the source that `[tool.uv.sources]` names for it.

Those of a `pyproject.toml` and those in `uv.lock` become the same values, which can be compared.
The rules are those of https://docs.astral.sh/uv/concepts/projects/dependencies/.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit
from urllib.request import url2pathname

from ..._internal.tables import table_at
from ...config.indexes import normalized_url
from .. import markers
from ..pylock_text import without_credentials
from .workspace import find_workspace, normal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from packaging.requirements import Requirement

    from .workspace import Project, Workspace

_REFERENCES = ("rev", "tag", "branch")
# A folder whose requirement does not say whether it is editable: uv decides, and records it.
_LOCAL = "local"
LOCAL_KINDS = ("editable", "directory", "virtual")


class Wanted(NamedTuple):
    """The text of a requirement (PEP 508), the extra or group that has it, and a further marker."""

    text: str
    extra: str | None = None
    group: str | None = None
    marker: markers.Tree = markers.ALWAYS


class Source(NamedTuple):
    """Where a package comes from: its kind, and a URL or an absolute path with further details."""

    kind: str
    place: str = ""
    details: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class UvRequirement:
    """One requirement, as uv compares it; `specifiers` are those of PEP 440, normalised."""

    name: str
    extras: frozenset[str]
    specifiers: frozenset[str]
    source: Source
    marker: markers.Tree
    text: str

    @property
    def key(self) -> tuple[object, ...]:
        """Everything but the marker."""
        return self.name, self.extras, self.specifiers, self.source

    @property
    def in_extras(self) -> frozenset[str]:
        """The extras that its marker names."""
        atoms = markers.atoms(self.marker)
        return frozenset(atom.value for atom in atoms if atom.variable == "extra")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """The sources that a project and the root of its workspace name for their requirements."""

    project: Project
    workspace: Workspace

    def locked(self, wanted: Iterable[Wanted]) -> Iterator[UvRequirement]:
        """Yield requirements as uv locks them: one for each source with its marker.

        Raises `ValueError` for a requirement that is not valid.
        """
        for each in wanted:
            yield from self._locked_each(each)

    def _locked_each(self, wanted: Wanted) -> Iterator[UvRequirement]:
        from packaging.requirements import Requirement

        text, extra, group, own = wanted
        requirement = Requirement(text.replace("${PROJECT_ROOT}", str(self.project.folder)))
        own = markers.all_of(own, markers.parse_marker(str(requirement.marker or "")))
        tables, folder = self._tables(_normal(requirement.name))
        if tables is None:
            yield self._locked(requirement, text, own, _direct(requirement, folder))
            return
        chosen = [
            each
            for each in tables
            if _fits(each.get("extra"), extra) and _fits(each.get("group"), group)
        ]
        covered = [markers.parse_marker(each.get("marker", "")) for each in chosen]
        for each, marker in zip(chosen, covered, strict=True):
            source = self._source(each, requirement.name, folder)
            found = markers.all_of(own, marker)
            if not markers.never(found):
                yield self._locked(requirement, text, found, source)
        rest = markers.all_of(own, markers.Negated(markers.any_of(*covered)))
        if not markers.never(rest):
            yield self._locked(requirement, text, rest, _direct(requirement, folder))

    def _tables(self, name: str) -> tuple[Sequence[Mapping[str, Any]] | None, Path]:
        """Return the sources of a package and the folder that paths in them start from."""
        for project in (self.project, self.workspace.root):
            for key, value in table_at(project.uv, "sources").items():
                if _normal(key) == name:
                    return value if isinstance(value, list) else [value], project.folder
        return None, self.project.folder

    def _locked(
        self, requirement: Requirement, text: str, marker: markers.Tree, source: Source
    ) -> UvRequirement:
        in_registry = source.kind == "registry"
        return UvRequirement(
            name=_normal(requirement.name),
            extras=frozenset(map(_normal, requirement.extras)),
            specifiers=specifiers(str(requirement.specifier)) if in_registry else frozenset(),
            source=source,
            marker=marker,
            text=without_credentials_in(text),
        )

    def _source(self, facts: Mapping[str, Any], name: str, folder: Path) -> Source:
        if "index" in facts:
            return Source("registry", self._index(facts["index"]))
        if "git" in facts:
            details = {key: facts[key] for key in (*_REFERENCES, "subdirectory") if key in facts}
            return Source("git", _repository(facts["git"]), _details(details))
        if "url" in facts:
            return Source("url", _url(facts["url"]), _details(table_at(facts), "subdirectory"))
        if "path" in facts:
            return _path_source(folder / facts["path"], facts)
        return self._of_workspace(facts.get("workspace"), name, folder, facts)

    def _of_workspace(
        self, workspace: object, name: str, folder: Path, facts: Mapping[str, Any]
    ) -> Source:
        if isinstance(workspace, str):
            members = find_workspace(normal(folder / workspace)).members
            editable = facts.get("editable", True)
        else:
            members, editable = self.workspace.members, None
        member = members.get(_normal(name))
        if member is None:
            return Source(_LOCAL, f"no member has the name `{name}`")
        if not member.is_package(required=True):
            return Source("virtual", str(member.folder))
        kind = _LOCAL if editable is None else "editable" if editable else "directory"
        return Source(kind, str(member.folder))

    def _index(self, name: str) -> str:
        """Return the URL of a named index, or what no lock has where none has the name."""
        for project in (self.project, self.workspace.root):
            for index in project.uv.get("index", ()):
                if index.get("name") == name:
                    return index_place(index["url"], project.folder)
        return f"no index has the name `{name}`"


def read_locked(entries: Iterable[Mapping[str, Any]], root: Path) -> list[UvRequirement]:
    """Return the requirements that `uv.lock` records, such as `{ name = …, specifier = … }`.

    `root` is the folder of the lockfile.
    """
    return [
        UvRequirement(
            name=_normal(entry["name"]),
            extras=frozenset(map(_normal, entry.get("extras", ()))),
            specifiers=specifiers(entry.get("specifier", "")),
            source=_locked_source(entry, root),
            marker=markers.parse_marker(entry.get("marker", "")),
            text=_text(entry),
        )
        for entry in entries
    ]


def settled(
    requirements: Sequence[UvRequirement], locked: Iterable[UvRequirement]
) -> list[UvRequirement]:
    """Return the requirements with the kind of local source that uv has chosen, where it chose."""
    kinds = {each.source.place: each.source for each in locked if each.source.kind in LOCAL_KINDS}
    return [
        replace(each, source=kinds.get(each.source.place, each.source))
        if each.source.kind == _LOCAL
        else each
        for each in requirements
    ]


def flattened(requirements: Sequence[UvRequirement], name: str) -> list[UvRequirement]:
    """Return requirements in which the project's own extras are replaced by what they add.

    Some build backends write metadata so.
    """
    found = [each for each in requirements if each.name != name]
    pending = [each for each in requirements if each.name == name]
    seen: set[tuple[object, ...]] = set()
    while pending:
        own = pending.pop()
        for each in requirements:
            if own.extras.isdisjoint(each.in_extras):
                continue
            inner = markers.without_extras(each.marker, own.extras)
            added = replace(each, marker=markers.all_of(inner, own.marker))
            if each.name != name:
                found.append(added)
            elif (mark := (each.key, own.key)) not in seen:
                seen.add(mark)
                pending.append(added)
    return found


def index_place(url: str, folder: Path) -> str:
    """Return the URL or the path of an index in the form in which they are compared."""
    if "://" in url and not url.startswith("file:"):
        return normalized_url(url)
    return str(_path(url, folder))


def _path_source(path: Path, facts: Mapping[str, Any]) -> Source:
    from .workspace import Project

    path = normal(path)
    if not (path.is_dir() if path.exists() else not path.suffix):
        return Source("path", str(path), _details(facts, "subdirectory"))
    if facts.get("editable"):
        return Source("editable", str(path))
    is_package = facts.get("package")
    if is_package is None:
        is_package = Project.read(path).is_package(required=True)
    return Source("directory" if is_package else "virtual", str(path))


def _direct(requirement: Requirement, folder: Path) -> Source:
    """Return the source that a requirement itself names (PEP 508), else that it names none."""
    if requirement.url is None:
        return Source("registry")
    url, _, fragment = requirement.url.partition("#")
    details = _details(dict(parse_qsl(fragment)), "subdirectory")
    if url.startswith("git+"):
        repository, at, reference = url.removeprefix("git+").rpartition("@")
        if not at or "/" not in repository.partition("://")[2]:
            repository, reference = url.removeprefix("git+"), ""
        found = details | ({("reference", reference)} if reference else set())
        return Source("git", _repository(repository), found)
    if re.match(r"https?://", url):
        return Source("url", _url(url), details)
    path = _path(url, folder)
    return _path_source(path, {}) if path.is_dir() else Source("path", str(path), details)


def _locked_source(entry: Mapping[str, Any], root: Path) -> Source:
    if "git" in entry:
        url, _, query = entry["git"].partition("?")
        return Source("git", _repository(url.partition("#")[0]), _details(dict(parse_qsl(query))))
    if "url" in entry:
        return Source("url", _url(entry["url"]), _details(entry, "subdirectory"))
    for kind in ("path", *LOCAL_KINDS):
        if kind in entry:
            return Source(kind, str(_path(entry[kind], root)), _details(entry, "subdirectory"))
    index = entry.get("index")
    return Source("registry", index_place(index, root) if index else "")


def _details(facts: Mapping[str, Any], *keys: str) -> frozenset[tuple[str, str]]:
    """Return what else identifies a source; a git reference is compared whatever its kind."""
    chosen = {key: value for key, value in facts.items() if not keys or key in keys}
    return frozenset(
        ("reference" if key in _REFERENCES else key, str(value)) for key, value in chosen.items()
    )


def _repository(url: str) -> str:
    return without_credentials(url.removeprefix("git+"))


def _url(url: str) -> str:
    return without_credentials(url.partition("#")[0])


def _path(place: str, folder: Path) -> Path:
    if place.startswith("file:"):
        return normal(folder / url2pathname(urlsplit(place).path))
    return normal(folder / unquote(place) if "%" in place else folder / place)


def _fits(wanted: str | None, name: str | None) -> bool:
    return wanted is None or (name is not None and _normal(wanted) == _normal(name))


def specifiers(text: str) -> frozenset[str]:
    """Return specifiers (PEP 440) in a form that can be compared."""
    from packaging.specifiers import SpecifierSet
    from packaging.utils import canonicalize_version

    return frozenset(
        each.operator
        + canonicalize_version(each.version, strip_trailing_zero=each.operator != "~=")
        for each in SpecifierSet(text)
    )


def _text(entry: Mapping[str, Any]) -> str:
    """Return a requirement of the lockfile as a project would write it."""
    extras = f"[{','.join(entry['extras'])}]" if entry.get("extras") else ""
    place = next(
        (entry[kind] for kind in ("git", "url", "path", *LOCAL_KINDS) if kind in entry), ""
    )
    where = f" @ {without_credentials(place)}" if place else ""
    index = f" from {without_credentials(entry['index'])}" if "index" in entry else ""
    marker = f" ; {entry['marker']}" if entry.get("marker") else ""
    return f"{entry['name']}{extras}{entry.get('specifier', '')}{where}{index}{marker}"


def without_credentials_in(text: str) -> str:
    """Return a requirement without user and password in its URL."""
    return re.sub(r"(?<=://)[^/?#\s]+@", "", text)


def _normal(name: str) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(name)
