"""Whether `uv.lock` still is the lock of the projects it was made from.

uv itself can judge that only with an interpreter that fits and, where metadata is dynamic, with a
network and build backends. Here, what the lockfile records is compared with the `pyproject.toml`
files. Not compared: versions of local projects, and what machines say (indexes, `exclude-newer`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..._internal.tables import table_at
from .. import markers
from .indexes import missing_indexes
from .projects import (
    dependencies,
    dynamic_fields,
    extras,
    group_pythons,
    groups,
    kind_of_member,
    required_members,
)
from .requirements import Sources, flattened, settled, specifiers
from .settings import changed_settings
from .workspace import Project, find_workspace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from packaging.specifiers import SpecifierSet

    from .comparison import LocalPackage, UvLock
    from .requirements import UvRequirement
    from .workspace import Workspace


class Freshness(NamedTuple):
    """The changes since a lock was made, in words, and the packages with dynamic metadata."""

    changes: tuple[str, ...]
    dynamic: tuple[str, ...]


def judge(lock: UvLock, workspace: Workspace, named: Iterable[str]) -> Freshness:
    """Compare a lock with its workspace; `named` are the URLs of further indexes that may be used.

    Raises `LockfileError` for a `pyproject.toml` that can't be read, and `ValueError`, `KeyError`,
    `TypeError` or `AttributeError` for one that is not valid.
    """
    changes = [*_members(lock, workspace), *_requires_python(lock, workspace)]
    changes += changed_settings(lock, workspace)
    places = set(named)
    if workspace.root.name is None:
        changes += _groups(lock, workspace.root, workspace, None, places)
    dynamic = []
    for package in lock.local:
        if package.folder.is_dir():
            changes += _package(lock, package, workspace, places)
            project = workspace.project_in(package.folder) or Project.read(package.folder)
            dynamic += [package.name] if dynamic_fields(project) else []
        else:
            changes.append(f"the folder of `{package.name}` is not there: {package.folder}")
    changes += missing_indexes(lock, workspace, places)
    return Freshness(tuple(changes), tuple(dynamic))


def _members(lock: UvLock, workspace: Workspace) -> Iterator[str]:
    # uv records no members where the project is alone.
    is_alone = len(workspace.members) == 1 and workspace.root.name is not None
    wanted = set() if is_alone else workspace.members.keys()
    locked = set(lock.manifest.get("members", ()))
    # Nor does it record a root that was alone.
    new = wanted - (locked or {workspace.root.name})
    yield from (f"`{name}` is a new member of the workspace" for name in sorted(new))
    gone = locked - workspace.members.keys() or locked - wanted
    yield from (f"`{name}` is no longer a member of the workspace" for name in sorted(gone))
    kinds = {each.name: each.kind for each in lock.local}
    required = required_members(workspace)
    for name, project in workspace.members.items():
        kind = kind_of_member(project, required)
        if name not in kinds:
            yield f"the project `{name}` is not in it"
        elif kinds[name] != kind:
            yield f"`{name}` was locked as {kinds[name]}, and is {kind} now"


def _requires_python(lock: UvLock, workspace: Workspace) -> Iterator[str]:
    from packaging.specifiers import SpecifierSet

    fields = [table_at(each.pyproject, "project") for each in workspace.members.values()]
    texts = [each["requires-python"] for each in fields if each.get("requires-python")]
    if texts and _bounds(SpecifierSet(",".join(texts)), lock.pythons) != _bounds(
        lock.pythons, SpecifierSet(",".join(texts))
    ):
        wanted = " and ".join(f"`{text}`" for text in dict.fromkeys(texts))
        yield f"`requires-python` is {wanted}, and was `{lock.pythons}`"


def _bounds(pythons: SpecifierSet, others: SpecifierSet) -> tuple[str, str]:
    """Return the lowest and the highest Python, of those that tell the two sets apart.

    uv only compares the bounds, too.
    """
    versions = markers.python_samples(each.version for each in (*pythons, *others))
    found = [each for each in versions if pythons.contains(each, prereleases=True)] or [""]
    return found[0], found[-1]


def _package(
    lock: UvLock, package: LocalPackage, workspace: Workspace, places: set[str]
) -> Iterator[str]:
    project = workspace.project_in(package.folder)
    if project is None or workspace.is_beyond(package.folder):
        workspace = find_workspace(package.folder)
        project = workspace.project_in(package.folder) or Project.read(package.folder)
    if not dynamic_fields(project):
        wanted = list(Sources(project=project, workspace=workspace).locked(dependencies(project)))
        places |= _indexes(wanted)
        yield from _dependencies(lock, package, wanted)
        if lock.has_extras:
            for name in sorted(extras(project) ^ package.extras):
                change = "gone" if name in package.extras else "new"
                yield f"the extra `{name}` of `{package.name}` is {change}"
    if project.name is not None:
        yield from _groups(lock, project, workspace, package, places)


def _dependencies(
    lock: UvLock, package: LocalPackage, wanted: Sequence[UvRequirement]
) -> Iterator[str]:
    what = f"the dependencies of `{package.name}`"
    changes = list(lock.compared(what, wanted, package.requirements))
    if changes and not package.has_version:
        # The build backend may have told uv the metadata of a project whose version is dynamic.
        flat = flattened(settled(wanted, package.requirements), package.name)
        changes = changes if list(lock.compared(what, flat, package.requirements)) else []
    yield from changes


def _groups(
    lock: UvLock,
    project: Project,
    workspace: Workspace,
    package: LocalPackage | None,
    places: set[str],
) -> Iterator[str]:
    wanted, limits = groups(project), group_pythons(project)
    locked = package.groups if package else table_at(lock.manifest, "dependency-groups")
    limited = package.group_pythons if package else table_at(lock.manifest, "group-requires-python")
    sources = Sources(project=project, workspace=workspace)
    of = f" of `{package.name}`" if package else ""
    for name in sorted(wanted.keys() | locked.keys()):
        requirements = list(sources.locked(wanted.get(name, ())))
        places |= _indexes(requirements)
        what = f"the group `{name}`{of}"
        yield from lock.compared_entries(what, requirements, locked.get(name, ()))
        # Empty groups are recorded for packages only.
        if package and lock.has_extras and (name in wanted) != (name in locked):
            yield f"{what} is {'new' if name in wanted else 'gone'}"
        limit, was = limits.get(name, ""), limited.get(name, "")
        if lock.has_group_pythons and specifiers(limit) != specifiers(was):
            yield f"`requires-python` of {what} is `{limit}`, and was `{was}`"


def _indexes(requirements: Iterable[UvRequirement]) -> set[str]:
    return {each.source.place for each in requirements if each.source.kind == "registry"}
