"""The settings of a workspace in `[tool.uv]`, compared with those that `uv.lock` records."""

from __future__ import annotations

from itertools import product, zip_longest
from typing import TYPE_CHECKING, Any

from ..._internal.tables import table_at
from .requirements import Sources, Wanted, read_locked
from .workspace import Project, Workspace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .comparison import UvLock

# The lists of requirements, by their keys in `[manifest]`.
_LISTS = {
    "constraints": "constraint-dependencies",
    "overrides": "override-dependencies",
    "build-constraints": "build-constraint-dependencies",
}
# What is installed to build with is not in the lock.
_OF_BUILDS = "build-constraint-dependencies"
_MARKERS = {
    "supported-markers": "environments",
    "required-markers": "required-environments",
}
# Settings that decide what is resolved, by their keys in `[options]`, with their defaults.
_OPTIONS = {
    "resolution-mode": ("resolution", "highest"),
    "prerelease-mode": ("prerelease", "if-necessary-or-explicit"),
    "fork-strategy": ("fork-strategy", "requires-python"),
}


def changed_settings(lock: UvLock, workspace: Workspace) -> Iterator[str]:
    """Yield what has changed in the settings of a workspace, in words."""
    yield from _lists(lock, workspace)
    yield from _metadata(lock, workspace)
    yield from _markers(lock, workspace)
    yield from _conflicts(lock, workspace)
    # Settings of a machine are nothing that the project says: only those that it names count.
    for key, (option, default) in _OPTIONS.items():
        wanted, was = workspace.root.uv.get(option), lock.options.get(key, default)
        if isinstance(wanted, str) and wanted != was:
            yield f"`{option}` is `{wanted}`, and was `{was}`"


def _lists(lock: UvLock, workspace: Workspace) -> Iterator[str]:
    """Yield the changes of lists; what is new and concerns no locked package is none."""
    sources = Sources(project=workspace.root, workspace=workspace)
    for key, option in _LISTS.items():
        wanted, locked = (
            _by_package(workspace.root.uv.get(option, ())),
            _by_package(lock.manifest.get(key, ())),
        )
        for name in dict.fromkeys((*wanted, *locked)):
            what = f"`{option}`" + (f" for `{name}`" if name else "")
            before = read_locked(locked.get(name, ()), lock.root)
            known = lock.names | {each.name for each in before}
            after = list(sources.locked(map(Wanted, wanted.get(name, ()))))
            if option != _OF_BUILDS:
                after = [each for each in after if each.name in known]
            yield from lock.compared(what, after, before)
    was = _excluded(lock.manifest.get("excludes", ()))
    excluded = _excluded(workspace.root.uv.get("exclude-dependencies", ()))
    if {each for each in excluded if each in was or each[1] in lock.names} != was:
        yield "`exclude-dependencies` has changed"


def _metadata(lock: UvLock, workspace: Workspace) -> Iterator[str]:
    tables = workspace.root.uv.get("dependency-metadata", ())
    locked = {_identity(each): each for each in lock.manifest.get("dependency-metadata", ())}
    wanted = {
        identity: each
        for each in tables
        if (identity := _identity(each)) in locked or identity[0] in lock.names
    }
    # No sources apply to what is said of a package of somebody else's.
    project = Project(folder=lock.root, pyproject={})
    sources = Sources(project=project, workspace=Workspace(root=project, members={}))
    for identity in dict.fromkeys((*wanted, *locked)):
        one, other = wanted.get(identity), locked.get(identity)
        lists = [
            list(sources.locked(map(Wanted, (each or {}).get("requires-dist", ()))))
            for each in (one, other)
        ]
        if one is None or other is None or list(lock.compared("", *lists)):
            yield f"`dependency-metadata` of `{identity[0]}` has changed"


def _markers(lock: UvLock, workspace: Workspace) -> Iterator[str]:
    for key, option in _MARKERS.items():
        value = workspace.root.uv.get(option) or []
        pairs = zip_longest([value] if isinstance(value, str) else value, lock.content.get(key, []))
        if not all(one and other and lock.same_markers(one, other) for one, other in pairs):
            yield f"`{option}` has changed"


def _conflicts(lock: UvLock, workspace: Workspace) -> Iterator[str]:
    declared: set[frozenset[_Item]] = set()
    implied: set[frozenset[_Item]] = set()
    for project in workspace.members.values():
        for conflict in project.uv.get("conflicts", ()):
            items = [_item(each, project.name or "") for each in conflict]
            declared.add(frozenset(items))
            implied |= _implied(items, workspace.root)
    locked = {
        frozenset(_item(each, "") for each in conflict)
        for conflict in lock.content.get("conflicts", ())
    }
    # Older versions of uv did not record what follows from groups that include others.
    if not declared <= locked or not locked <= declared | implied:
        yield "`conflicts` has changed"


_Item = tuple[str, str, str]


def _item(item: Mapping[str, str], package: str) -> _Item:
    kind = next((key for key in ("extra", "group") if key in item), "")
    return _normal(item.get("package", package)), kind, _normal(item.get(kind, ""))


def _implied(items: Sequence[_Item], root: Project) -> set[frozenset[_Item]]:
    """Return the conflicts of the root's groups that include one of a conflict's groups."""
    tables = table_at(root.pyproject, "dependency-groups")
    includes = {
        _normal(name): {_normal(each["include-group"]) for each in group if isinstance(each, dict)}
        for name, group in tables.items()
    }
    choices = []
    for item in items:
        names = {item[2]} if item[:2] == (root.name, "group") else set()
        while more := {name for name, others in includes.items() if others & names} - names:
            names |= more
        choices.append({item, *((item[0], item[1], name) for name in names)})
    return {frozenset(chosen) for chosen in product(*choices)}


def _by_package(entries: Iterable[Any]) -> dict[str, list[Any]]:
    """Return requirements by the package they are for; those for all are under an empty name."""
    found: dict[str, list[Any]] = {}
    for entry in entries:
        if isinstance(entry, dict) and "dependencies" in entry:
            found.setdefault(_package(entry), []).extend(entry["dependencies"])
        else:
            found.setdefault("", []).append(entry)
    return found


def _excluded(entries: Iterable[Any]) -> set[tuple[str, str]]:
    return {(name, _normal(text)) for name, each in _by_package(entries).items() for text in each}


def _package(entry: Mapping[str, Any]) -> str:
    package = entry["package"]
    if isinstance(package, str):
        return package
    return f"{_normal(package['name'])} {package.get('version', '')}".rstrip()


def _identity(entry: Mapping[str, Any]) -> tuple[str, str | None, str | None, tuple[str, ...]]:
    extras = entry.get("provides-extras") or entry.get("provides-extra") or ()
    return (
        _normal(entry["name"]),
        entry.get("version"),
        entry.get("requires-python"),
        tuple(sorted(map(_normal, extras))),
    )


def _normal(name: str) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(name)
