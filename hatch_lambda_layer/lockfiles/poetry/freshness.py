"""Whether `poetry.lock` still is the lock of its project, by the hash that it records.

The hash is taken over what the project requires. Which parts of `pyproject.toml` that is has
changed with poetry's versions; the first line of the lockfile says which one wrote it.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from ..._internal.tables import table_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.version import Version

_WRITER = re.compile(rb"#.*\bby Poetry (\d[\w.]*)")
# What poetry 1 hashes: keys that are null where they are missing, and a later one that is not.
_OLD_KEYS = ("dependencies", "source", "extras", "dev-dependencies")
_LATER_KEYS = ("group",)
_STANDARD_KEYS = ("requires-python", "dependencies", "optional-dependencies")
# The first version that hashes the standard's list, the one that hashes its groups, and the first
# that is not known here.
_WITH_PROJECT, _WITH_GROUPS, _UNKNOWN = "2.0", "2.3", "2.6"


def writer(text: bytes) -> Version | None:
    """Return the version of the poetry that wrote a lockfile; before 1.3 it did not say."""
    from packaging.version import InvalidVersion, Version

    match = _WRITER.match(text)
    try:
        return Version(match[1].decode()) if match else None
    except InvalidVersion:
        return None


def is_fresh(text: bytes, metadata: Mapping[str, Any], project: Mapping[str, Any]) -> bool | None:
    """Return whether a lock is its project's; `None` where its hash does not tell.

    A later poetry may hash otherwise, and what poetry 1 hashes leaves out `[project]`, from which
    poetry 2 takes the dependencies if it has some.
    """
    from packaging.version import Version

    version = writer(text) or Version("1")
    locked = metadata.get("content-hash")
    # A later poetry takes the lock of an earlier one for fresh if its own hash is in it.
    recipes = [{"groups": True}]
    if version < Version(_WITH_GROUPS):
        recipes.append({"groups": False})
    if any(locked == content_hash(project, **recipe) for recipe in recipes):
        return True
    if version < Version(_WITH_PROJECT):
        is_own = locked == content_hash(project, standard=False, groups=False)
        return None if is_own else False
    return None if version >= Version(_UNKNOWN) else False


def content_hash(project: Mapping[str, Any], *, standard: bool = True, groups: bool = True) -> str:
    """Return the hash of what a project requires.

    With `standard`, its `[project]` is part of that, with `groups`, its `[dependency-groups]`.
    """
    declared = table_at(project, "project") if standard else {}
    listed = {key: declared[key] for key in _STANDARD_KEYS if key in declared}
    dependency_groups = table_at(project, "dependency-groups") if groups else {}
    poetry = table_at(project, "tool", "poetry")
    keys = [key for key in (*_OLD_KEYS, *_LATER_KEYS) if key in poetry]
    if not listed and not dependency_groups:
        keys = [*_OLD_KEYS, *(key for key in _LATER_KEYS if key in poetry)]
    own = {key: poetry.get(key) for key in keys}
    content: dict[str, Any] = {"project": listed} if listed else {}
    if dependency_groups:
        content["dependency-groups"] = dependency_groups
    content = {**content, "tool": {"poetry": own}} if content else own
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
