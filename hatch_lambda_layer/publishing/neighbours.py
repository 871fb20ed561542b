"""The layers of others that functions use beside this one: their files, and what both have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..aws.arns import layer_arn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Where Python finds modules in a layer: "Packaging layer content", as of 2026-11.
_ROOT = re.compile(r"python/(?:lib/python3\.\d+/site-packages/)?")
_DISTRIBUTION = re.compile(r"([\w.-]+?)-([^/-]+)\.(?:dist|egg)-info")
_MODULE = (".py", ".pyc", ".so", ".pyd")
# Folders that no `import` names.
_NO_MODULES = {"bin", "__pycache__"}
_MOST_NAMED = 10


def neighbour_arns(written: Iterable[str], region: str, account: str) -> list[str]:
    """Return the ARNs of layer versions, as `alongside` has them, that can be used in a Region.

    A function has only layers of its own Region, so that others have no part in it. `region` and
    `account` may be `*`, for all that there are.
    """
    found = []
    for text in written:
        arn = text.replace("{region}", region).replace("{account}", account)
        if not arn.startswith("arn:"):
            name, _, number = arn.rpartition(":")
            arn = f"{layer_arn(region, account, name)}:{number}"
        if region in (arn.split(":")[3], "*"):
            found.append(arn)
    return found


def overlap(mine: Iterable[str], theirs: Iterable[str]) -> Iterator[str]:
    """Yield what two layers both have, given the paths of their files: a part of a sentence each.

    Distributions first, then other top-level names that Python would import from either.
    """
    own, other = _Contents(mine), _Contents(theirs)
    shared = sorted(own.distributions.keys() & other.distributions.keys())
    if shared:
        versions = [
            f"{name} {other.distributions[name]} (here {own.distributions[name]})"
            for name in shared
        ]
        yield f"the distributions {_listed(versions)}"
    names = [
        f"`{name}`"
        for name in sorted(own.modules.keys() & other.modules.keys())
        if _normalized(name) not in shared and not _both_namespaces(own, other, name)
    ]
    if names:
        yield f"the top-level names {_listed(names)}"


class _Contents:
    """The distributions of a layer with their versions, and its top-level names with their files.

    Files are without the root that Python finds them in.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self.distributions: dict[str, str] = {}
        self.modules: dict[str, set[str]] = {}
        for path in paths:
            root = _ROOT.match(path)
            if root is None or not (rest := path[root.end() :]):
                continue
            first, folder, _ = rest.partition("/")
            if found := _DISTRIBUTION.fullmatch(first):
                self.distributions[_normalized(found[1])] = found[2]
            elif folder and first not in _NO_MODULES:
                self.modules.setdefault(first, set()).add(rest)
            elif not folder and first.endswith(_MODULE):
                self.modules.setdefault(first.partition(".")[0], set()).add(rest)


def _both_namespaces(one: _Contents, two: _Contents, name: str) -> bool:
    """Return whether a name is a namespace (PEP 420) in both layers, which share no file in it."""
    mine, theirs = one.modules[name], two.modules[name]
    whole = any(path.startswith((f"{name}/__init__.", f"{name}.")) for path in (*mine, *theirs))
    return not whole and not mine & theirs


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _listed(texts: list[str]) -> str:
    rest = len(texts) - _MOST_NAMED
    return ", ".join(texts[:_MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")
