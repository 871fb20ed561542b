"""Environment markers (PEP 508) as trees that can be combined, and compared by their meaning.

Tools write a marker in other words than the project: uv turns `platform_system == 'Windows'` into
`sys_platform == 'win32'` and leaves out what `requires-python` implies. Two markers mean the same
if they hold in the same environments.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from itertools import product
from math import prod
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from packaging.markers import Marker
    from packaging.specifiers import SpecifierSet

# sys_platform, platform_system and os_name of one machine go together.
_PLATFORMS = (
    ("linux", "Linux", "posix"),
    ("darwin", "Darwin", "posix"),
    ("win32", "Windows", "nt"),
    ("cygwin", "CYGWIN", "posix"),
    ("aix", "AIX", "posix"),
    ("freebsd", "FreeBSD", "posix"),
    ("netbsd", "NetBSD", "posix"),
    ("openbsd", "OpenBSD", "posix"),
    ("sunos", "SunOS", "posix"),
    ("android", "Android", "posix"),
    ("ios", "iOS", "posix"),
    ("emscripten", "Emscripten", "posix"),
    ("wasi", "wasi", "posix"),
    ("java", "Java", "java"),
    ("?", "?", "?"),
)
_OF_PLATFORM = ("sys_platform", "platform_system", "os_name")
_OF_PYTHON = ("python_version", "python_full_version")
# What no lockfile and no target can know: the kernel's release and build.
_OF_KERNEL = ("platform_release", "platform_version")
_TOKEN = re.compile(
    r"\s*(?P<string>'[^']*'|\"[^\"]*\")|\s*(?P<sign>[()]|[<>=!~]+)|\s*(?P<word>\w+)"
)
# No marker of a real project comes near it.
_MOST_KINDS = 1 << 16
_VERSION = re.compile(r"\d+(?:\.\d+)*")


class Atom(NamedTuple):
    """One comparison: `variable` is its name, `text` the comparison as a marker of its own."""

    variable: str
    text: str
    value: str


@dataclass(frozen=True, slots=True)
class Joined:
    """Markers that hold together: all of them, or any."""

    every: bool
    parts: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Negated:
    """A marker that holds where another one does not."""

    part: Tree


Tree = Atom | Joined | Negated

ALWAYS: Tree = Joined(True, ())
NEVER: Tree = Joined(False, ())


@cache
def parse_marker(text: str) -> Tree:
    """Parse a marker; raise `ValueError` where it is not valid. Empty text always holds."""
    from packaging.markers import Marker

    if not text.strip():
        return ALWAYS
    tokens = [match for match in _TOKEN.finditer(str(Marker(text))) if match.lastgroup]
    tree, rest = _parse_joined(tokens, "or")
    if rest:
        raise ValueError(f"marker `{text}` can't be read")
    return tree


def all_of(*trees: Tree) -> Tree:
    """Return the marker that holds where all `trees` do."""
    return trees[0] if len(trees) == 1 else Joined(True, trees)


def any_of(*trees: Tree) -> Tree:
    """Return the marker that holds where any of `trees` does."""
    return trees[0] if len(trees) == 1 else Joined(False, trees)


def of_extra(name: str) -> Tree:
    """Return the marker of what an extra adds."""
    return parse_marker(f'extra == "{name}"')


def holds(tree: Tree, truth: Callable[[Atom], bool]) -> bool:
    """Return whether a marker holds where its comparisons are as `truth` says."""
    if isinstance(tree, Atom):
        return truth(tree)
    if isinstance(tree, Negated):
        return not holds(tree.part, truth)
    found = (holds(part, truth) for part in tree.parts)
    return all(found) if tree.every else any(found)


def same(one: Tree, other: Tree, pythons: SpecifierSet | None = None) -> bool:
    """Return whether two markers hold in the same environments, of those with one of `pythons`."""
    if one == other:
        return True
    return all(
        holds(one, truth) == holds(other, truth) for truth in _environments((one, other), pythons)
    )


def never(tree: Tree) -> bool:
    """Return whether a marker holds nowhere."""
    return same(tree, NEVER)


def is_undecided(text: str, environment: Mapping[str, object]) -> bool:
    """Return whether the release or the build of the kernel decides if a marker holds.

    `environment` has the values of all other variables (PEP 508, PEP 751).
    """
    if not any(name in text for name in _OF_KERNEL):
        return False
    tree = parse_marker(text)

    def truth(atom: Atom, unknown: bool) -> bool:  # noqa: FBT001  # the value of what is unknown
        return unknown if atom.variable in _OF_KERNEL else _evaluate(atom.text, environment)

    # A marker has no negation: between these two lie its values for all kernels.
    return holds(tree, lambda atom: truth(atom, True)) != holds(tree, lambda a: truth(a, False))


def without_extras(tree: Tree, extras: Iterable[str]) -> Tree:
    """Return a marker in which the comparisons of `extra` are decided: these, and no others."""
    if isinstance(tree, Negated):
        return Negated(without_extras(tree.part, extras))
    if isinstance(tree, Joined):
        return Joined(tree.every, tuple(without_extras(each, extras) for each in tree.parts))
    if tree.variable != "extra":
        return tree
    return ALWAYS if _of_extras(tree, frozenset(extras)) else NEVER


def _of_extras(atom: Atom, extras: frozenset[str]) -> bool:
    return (atom.value in extras) != ("!=" in atom.text)


def as_text(tree: Tree) -> str | None:
    """Return the text of a marker without negations: empty if it always holds, `None` if never."""
    if isinstance(tree, Atom):
        return tree.text
    if isinstance(tree, Negated):
        raise TypeError("PEP 508 has no negation")
    texts = [as_text(part) for part in tree.parts]
    # The value that decides a conjunction alone, or a disjunction.
    if (None if tree.every else "") in texts:
        return None if tree.every else ""
    parts = list(dict.fromkeys(text for text in texts if text))
    if not parts:
        return "" if tree.every else None
    word = " and " if tree.every else " or "
    return parts[0] if len(parts) == 1 else word.join(f"({part})" for part in parts)


def _parse_joined(
    tokens: Sequence[re.Match[str]], word: str
) -> tuple[Tree, Sequence[re.Match[str]]]:
    """Parse what `or` joins, or what `and` does, and return the tokens after it."""
    parts: list[Tree] = []
    while True:
        part, tokens = _parse_joined(tokens, "and") if word == "or" else _parse_atom(tokens)
        parts.append(part)
        if not tokens or tokens[0]["word"] != word:
            return Joined(word == "and", tuple(parts)) if len(parts) > 1 else part, tokens
        tokens = tokens[1:]


def _parse_atom(tokens: Sequence[re.Match[str]]) -> tuple[Tree, Sequence[re.Match[str]]]:
    if tokens[0]["sign"] == "(":
        tree, tokens = _parse_joined(tokens[1:], "or")
        return tree, tokens[1:]
    size = 4 if tokens[1]["word"] == "not" else 3
    words = [token.group().strip() for token in tokens[:size]]
    left, right = tokens[0], tokens[size - 1]
    variable, value = (left, right) if left["word"] else (right, left)
    found = Atom(variable["word"] or "", " ".join(words), (value["string"] or "").strip("'\""))
    if found.variable == "extra":
        from packaging.utils import canonicalize_name

        found = found._replace(value=canonicalize_name(found.value))
    return found, tokens[size:]


def _environments(
    trees: Sequence[Tree], pythons: SpecifierSet | None
) -> Iterator[Callable[[Atom], bool]]:
    """Yield the truth of the comparisons in `trees` in one environment of each kind."""
    groups: dict[str, list[Atom]] = {}
    for atom in dict.fromkeys(atom for tree in trees for atom in atoms(tree)):
        groups.setdefault(_group(atom), []).append(atom)
    kinds = [_kinds(name, compared, pythons) for name, compared in groups.items()]
    if prod(map(len, kinds)) > _MOST_KINDS:
        raise ValueError("a marker has too many conditions")
    for chosen in product(*kinds):
        truths = {atom: truth for kind in chosen for atom, truth in kind}
        yield truths.__getitem__


def atoms(tree: Tree) -> Iterator[Atom]:
    """Yield the comparisons in a marker."""
    if isinstance(tree, Atom):
        yield tree
    else:
        for part in (tree.part,) if isinstance(tree, Negated) else tree.parts:
            yield from atoms(part)


def _group(atom: Atom) -> str:
    """Return the name of the variables whose values depend on each other."""
    if atom.variable in _OF_PLATFORM:
        return "platform"
    if atom.variable in _OF_PYTHON:
        return "python"
    # Several extras may be chosen at once.
    return f"extra {atom.value}" if atom.variable == "extra" else atom.variable


def _kinds(
    group: str, compared: Sequence[Atom], pythons: SpecifierSet | None
) -> list[tuple[tuple[Atom, bool], ...]]:
    """Return the different truths that the comparisons of a group can have together."""
    if group.startswith("extra "):
        chosen = (frozenset[str](), frozenset(each.value for each in compared))
        found = [[_of_extras(each, extras) for each in compared] for extras in chosen]
    else:
        samples = _samples(group, compared, pythons)
        found = [[_evaluate(each.text, sample) for each in compared] for sample in samples]
    return [tuple(zip(compared, each, strict=True)) for each in dict.fromkeys(map(tuple, found))]


def _samples(
    group: str, compared: Sequence[Atom], pythons: SpecifierSet | None
) -> Iterator[dict[str, object]]:
    """Yield values of a group's variables, one on each side of every value that is compared."""
    values = list(dict.fromkeys(value for atom in compared for value in _values(atom)))
    if group == "python":
        limits = [each.version for each in pythons or ()]
        for version in python_samples([*values, *limits]):
            if pythons is None or pythons.contains(version, prereleases=True):
                yield {"python_full_version": version, "python_version": _minor(version)}
    elif group == "platform":
        known = {name for platform in _PLATFORMS for name in platform}
        unknown = [(value,) * 3 for value in values if value not in known]
        for platform in (*_PLATFORMS, *unknown):
            yield dict(zip(_OF_PLATFORM, platform, strict=True))
    else:
        for value in ("", *values, "0", "99999", "~"):
            yield {group: value}


def python_samples(versions: Iterable[str]) -> list[str]:
    """Return versions of Python on each side of every one of `versions`, sorted."""
    found = {(2, 7, 18), (3, 6, 0), (99, 0, 0)}
    for text in versions:
        for match in _VERSION.findall(text):
            major, minor, micro, *_ = (*map(int, match.split(".")), 0, 0)
            found |= {(major, minor, micro), (major, minor, micro + 1), (major, minor + 1, 0)}
            if micro:
                found.add((major, minor, micro - 1))
            found.add((major, minor - 1, 99) if minor else (max(major - 1, 0), 99, 99))
    return [".".join(map(str, each)) for each in sorted(found)]


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _values(atom: Atom) -> Iterator[str]:
    yield atom.value
    if " in " in atom.text:
        yield from re.split(r"[\s,|]+", atom.value)


def _evaluate(text: str, environment: Mapping[str, object]) -> bool:
    from packaging.markers import UndefinedComparison, UndefinedEnvironmentName

    try:
        # `lock_file` also knows the variables of PEP 751.
        return _marker(text).evaluate(environment, "lock_file")  # type: ignore[arg-type]
    except (UndefinedComparison, UndefinedEnvironmentName):
        return False


@cache
def _marker(text: str) -> Marker:
    from packaging.markers import Marker

    return Marker(text)
