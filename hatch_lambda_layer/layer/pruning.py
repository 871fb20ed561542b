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
_SOURCE = re.compile(r"\.(?:h|hh|hpp|hxx|inl|c|cc|cpp|cxx|pxd|pxi|pyx|f|f90|for|a|lib|cmake|pc)$")
# What is compiled when a program runs: packages read it when they are imported (thinc does that).
_KERNEL = re.compile(r"/include/.*\.(?:cu|cuh|cl|clh|metal|hip)$")


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
    return _SOURCE.search(entry.path) is not None or _KERNEL.search(entry.path) is not None


PRESETS: dict[str, Callable[[Entry], bool]] = {
    "tests": _is_test,
    "stubs": _is_stub,
    "headers": _is_source,
}


def prune(
    tree: LayerTree, patterns: Sequence[str], stub_readers: Collection[str]
) -> tuple[LayerTree, list[str]]:
    """Return the tree without what `patterns` match, and a warning for each that matches nothing.

    A pattern is one of `PRESETS`, or a line as in `.gitignore`, matched against the path in the
    layer (`python/…`): a later line with `!` brings back what earlier ones and all presets match.
    Metadata (`.dist-info`) always stays: packages read it at run time. `stub_readers` are the
    distributions that read their `.pyi` files when they are imported.
    """
    globs = [pattern for pattern in patterns if pattern not in PRESETS]
    presets = [_preset(name, stub_readers) for name in PRESETS if name in patterns]
    matched = _matched(globs)
    prunable = [entry for entry in tree if not _stays(entry)]
    warnings = [
        _useless(pattern)
        for pattern in globs
        if not any(map(_matched([pattern.removeprefix("!")]), prunable))
    ]

    def stays(entry: Entry) -> bool:
        if _stays(entry):
            return True
        goes = matched(entry)
        return not (any(matches(entry) for matches in presets) if goes is None else goes)

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


def _matched(patterns: Sequence[str]) -> Callable[[Entry], bool | None]:
    """Return what the last pattern that matches a path says: `False` after `!`, `None` for none."""
    if not patterns:
        return lambda _: None
    from pathspec import GitIgnoreSpec

    spec = GitIgnoreSpec.from_lines(patterns)
    return lambda entry: spec.check_file(entry.path).include


def _useless(pattern: str) -> str:
    import difflib

    near = difflib.get_close_matches(pattern, PRESETS, n=1, cutoff=0.7)
    suggestion = f" (did you mean the preset `{near[0]}`?)" if near else ""
    return f"`prune` pattern {pattern!r} matches nothing in the layer{suggestion}"
