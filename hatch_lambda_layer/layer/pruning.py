"""Leaving files out of a layer, by preset or by pattern."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from .tree import Entry, LayerTree

_DIST_INFO = re.compile(r"python/[^/]+\.dist-info/")
_TEST_FOLDER = re.compile(r"python/(?:.+/)?tests?/")
_TEST_MODULE = re.compile(r"/(?:test_[^/]*|[^/]*_test|conftest)\.py$")
_CODE = re.compile(r"\.(?:py|pyc|so(?:\.[\d.]+)?|pyd|dll|dylib)$")
_STUB_PACKAGE = re.compile(r"python/[^/]+-stubs/")
_SOURCE = re.compile(
    r"\.(?:h|hh|hpp|hxx|cuh|inl|c|cc|cpp|cxx|cu|pxd|pxi|pyx|f|f90|for|a|lib|cmake|pc)$"
)


def _is_test(entry: Entry) -> bool:
    # A helper in a `tests` folder may be imported by the package itself (astropy does that), so
    # only what is named like a test goes, and data, which is not imported.
    path = entry.path
    if _TEST_FOLDER.match(path) is None:
        return False
    return _TEST_MODULE.search(path) is not None or _CODE.search(path) is None


def _is_stub(entry: Entry) -> bool:
    return entry.path.endswith(".pyi") or _STUB_PACKAGE.match(entry.path) is not None


def _is_source(entry: Entry) -> bool:
    return _SOURCE.search(entry.path) is not None


PRESETS: dict[str, Callable[[Entry], bool]] = {
    "tests": _is_test,
    "stubs": _is_stub,
    "headers": _is_source,
}


def prune(
    tree: LayerTree, patterns: Sequence[str], stub_readers: Collection[str]
) -> tuple[LayerTree, list[str]]:
    """Give the tree without what `patterns` name, and a warning for each that names nothing.

    A pattern is one of `PRESETS`, or a line as in `.gitignore`, matched against the path in the
    layer (`python/…`). Metadata (`.dist-info`) always stays: packages read it at run time.
    `stub_readers` are the distributions that read their `.pyi` files when they are imported.
    """
    globs = [pattern for pattern in patterns if pattern not in PRESETS]
    unwanted = [_preset(name, stub_readers) for name in PRESETS if name in patterns]
    if globs:
        # Together, as `.gitignore` is read: a later line with `!` takes back what earlier ones say.
        unwanted.append(_glob(*globs))
    prunable = [entry for entry in tree if not _stays(entry)]
    warnings = [
        _useless(pattern)
        for pattern in globs
        if not any(map(_glob(pattern.removeprefix("!")), prunable))
    ]

    def stays(entry: Entry) -> bool:
        return _stays(entry) or not any(matches(entry) for matches in unwanted)

    return tree.only(stays), warnings


def _stays(entry: Entry) -> bool:
    return _DIST_INFO.match(entry.path) is not None


def _except_owners(
    matches: Callable[[Entry], bool], owners: Collection[str]
) -> Callable[[Entry], bool]:
    return lambda entry: entry.owner not in owners and matches(entry)


def _preset(name: str, stub_readers: Collection[str]) -> Callable[[Entry], bool]:
    matches = PRESETS[name]
    return _except_owners(matches, stub_readers) if name == "stubs" else matches


def _glob(*patterns: str) -> Callable[[Entry], bool]:
    from pathspec import GitIgnoreSpec

    spec = GitIgnoreSpec.from_lines(patterns)
    return lambda entry: spec.match_file(entry.path)


def _useless(pattern: str) -> str:
    import difflib

    near = difflib.get_close_matches(pattern, PRESETS, n=1, cutoff=0.7)
    suggestion = f" (did you mean the preset `{near[0]}`?)" if near else ""
    return f"`prune` pattern {pattern!r} matches nothing in the layer{suggestion}"
