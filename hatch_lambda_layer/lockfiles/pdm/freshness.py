"""Whether `pdm.lock` still is the lock of its project, by the hash that it records.

The hash is taken over what the project requires. Which parts of `pyproject.toml` that is has
changed with the versions of the lockfile's format.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from ..._internal.tables import strings_at, table_at
from ..tools import read_pyproject

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

# The first format that hashes all settings of the resolution, and the last that is known here.
_WITH_RESOLUTION, _LAST_KNOWN = (4, 4, 2), (4, 5, 1)


def format_of(metadata: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the version of a lockfile's format; raise `ValueError` where there is none."""
    return tuple(map(int, str(metadata["lock_version"]).split(".")))


def is_fresh(metadata: Mapping[str, Any], project: Mapping[str, Any], folder: Path) -> bool | None:
    """Return whether a lock is that of the project in `folder`; `None` where only pdm knows.

    pdm itself reads projects that have tables of other tools instead of `[project]`, and records
    more than a hash where it is told to.
    """
    if "lock_inputs" in metadata or "project" not in project:
        return None
    algorithm, _, digest = metadata.get("content_hash", "").partition(":")
    if not digest:
        return False
    version = format_of(metadata)
    if "workspace" in table_at(project, "tool", "pdm"):
        hashes = iter([workspace_hash(project, folder, algorithm)])
    else:
        hashes = (content_hash(each, algorithm) for each in _recipes(version, project))
    if digest in hashes:
        return True
    return None if version > _LAST_KNOWN else False


def content_hash(content: Mapping[str, Any], algorithm: str = "sha256") -> str:
    """Return the hash of what `_recipes` yields."""
    return hashlib.new(algorithm, json.dumps(content, sort_keys=True).encode()).hexdigest()


def workspace_hash(project: Mapping[str, Any], folder: Path, algorithm: str) -> str:
    """Return the hash of a workspace, which only pdm 2.29 and later have: root and members."""

    def newest(pyproject: Mapping[str, Any]) -> bytes:
        return content_hash(next(_recipes(_LAST_KNOWN, pyproject)), algorithm).encode()

    root = folder.resolve()
    found = hashlib.new(algorithm, newest(project))
    for member in sorted(_members(project, root)):
        pyproject = read_pyproject(root / member / "pyproject.toml")
        found.update(b"\0" + member.encode() + b"\0" + newest(pyproject))
    return found.hexdigest()


def _recipes(version: tuple[int, ...], project: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what pdm's versions that write a format hash, the newest first."""
    pdm, declared = table_at(project, "tool", "pdm"), table_at(project, "project")
    resolution, old_groups = table_at(pdm, "resolution"), table_at(pdm, "dev-dependencies")
    content = {
        "sources": pdm.get("source", []),
        "dependencies": declared.get("dependencies", []),
        "optional-dependencies": declared.get("optional-dependencies", {}),
        "requires-python": declared.get("requires-python", ""),
    }
    if version < _WITH_RESOLUTION:
        overrides = table_at(resolution, "overrides")
        yield {**content, "dev-dependencies": old_groups, "overrides": overrides}
        # The place of these before pdm 2.12.
        if "overrides" in pdm:
            yield {**content, "dev-dependencies": old_groups, "overrides": pdm["overrides"]}
        return
    content["resolution"] = resolution
    yield {**content, "dev-dependencies": _groups(project)}
    if "dependency-groups" not in project:
        # Before pdm 2.20, which normalises the names.
        yield {**content, "dev-dependencies": old_groups}


def _groups(project: Mapping[str, Any]) -> dict[str, list[Any]]:
    from packaging.utils import canonicalize_name

    groups: dict[str, list[Any]] = {}
    for table in (
        table_at(project, "dependency-groups"),
        table_at(project, "tool", "pdm", "dev-dependencies"),
    ):
        for name, requirements in table.items():
            groups.setdefault(canonicalize_name(name), []).extend(requirements)
    return groups


def _members(project: Mapping[str, Any], root: Path) -> set[str]:
    """Return the folders of a workspace's members, relative to its root."""
    folders: list[Path] = []
    for pattern in strings_at(project, "tool", "pdm", "workspace", "members"):
        is_pattern = any(character in pattern for character in "*?[")
        folders += root.glob(pattern) if is_pattern else [root / pattern]
    resolved = [each.resolve() for each in folders if (each / "pyproject.toml").is_file()]
    return {each.relative_to(root).as_posix() for each in resolved}
