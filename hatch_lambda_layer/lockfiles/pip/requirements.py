"""Requirements files, read as pip reads them: lines, options, and the files that they include."""

from __future__ import annotations

import codecs
import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..._internal.process import redact
from ..protocol import read_text
from .lines import needs_no_hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

# The options of pip's requirements file format, and whether each takes a value.
_OPTIONS = {
    **dict.fromkeys(("--requirement", "--constraint", "--editable", "--index-url"), True),
    **dict.fromkeys(("--extra-index-url", "--find-links", "--trusted-host"), True),
    **dict.fromkeys(("--no-binary", "--only-binary", "--use-feature", "--hash"), True),
    **dict.fromkeys(("--global-option", "--config-settings", "--pypi-url"), True),
    **dict.fromkeys(("--no-index", "--prefer-binary", "--pre"), False),
    **dict.fromkeys(("--require-hashes", "--no-require-hashes"), False),
}
_SHORT = {"-r": "--requirement", "-c": "--constraint", "-e": "--editable", "-i": "--index-url"}
_SHORT |= {"-f": "--find-links", "-C": "--config-settings"}
_NESTED = {"--requirement": False, "--constraint": True}
_SEARCHED = ("--index-url", "--extra-index-url", "--no-index")
# The longer marks come first: that of UTF-32 begins with that of UTF-16.
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_CODING = re.compile(rb"^#.*?coding[:=]\s*([-\w.]+)")
_COMMENT = re.compile(r"(^|\s)#.*$")
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")


class Line(NamedTuple):
    """A requirement or a constraint: `text` without its options; `where` is its file and line."""

    text: str
    where: str
    hashes: tuple[str, ...] = ()
    constraint: bool = False
    editable: bool = False


class RequirementsFiles:
    """The files that pip reads: `names` and `constraints` below `root`, and those they include.

    `texts` has the content of each by its path, in the order in which pip reads them; `expanded`
    has the lines with a variable, expanded and without credentials. `lines` are requirements and
    constraints, `options` those that are about all of them, each with its value and its folder.
    `has_hashes` means that pip requires a hash for everything; `is_settled`, that only these files
    decide the result: each requirement has hashes, and there are no `problems`, sentences about
    files that are missing or at a URL, and lines that can't be read. Raises `LockfileError` for a
    file that can't be read.
    """

    def __init__(
        self,
        root: Path,
        names: Iterable[str],
        constraints: Iterable[str],
        environment: Mapping[str, str],
    ) -> None:
        self.texts: dict[Path, bytes] = {}
        self.expanded: list[str] = []
        self.lines: list[Line] = []
        self.options: list[tuple[str, str, Path]] = []
        self.problems: list[str] = []
        self.root = root
        self._environment = environment
        self._seen: set[tuple[Path, bool]] = set()
        for name in names:
            self._read(root, name, name, constraint=False)
        for name in constraints:
            self._read(root, name, name, constraint=True)
        self.is_settled = not self.problems and all(
            each.hashes or each.constraint or needs_no_hash(each.text, root, editable=each.editable)
            for each in self.lines
        )
        named = {option for option, *_ in self.options}
        self.has_hashes = "--require-hashes" in named or any(each.hashes for each in self.lines)
        if "--no-require-hashes" in named:
            self.has_hashes &= self.is_settled

    def indexes(self, configured: Sequence[str]) -> list[str]:
        """Return the URLs of the indexes that pip searches, where its settings are `configured`."""
        found = [*configured]
        searched = [each for each in self.options if each[0] in _SEARCHED]
        for option, url, _ in searched:
            # As in pip, `--index-url` drops what came before it, and `--no-index` everything.
            found = [*found, url] if option == "--extra-index-url" else [url]
        is_off = not configured or any(option == "--no-index" for option, *_ in searched)
        return [] if is_off else list(dict.fromkeys(found))

    def _read(self, folder: Path, name: str, where: str, *, constraint: bool) -> None:
        # As in pip, `..` after a link is the folder of the link, not of its destination.
        path = Path(os.path.abspath(folder / name))  # noqa: PTH100
        if (path, constraint) in self._seen:
            return
        self._seen.add((path, constraint))
        if "://" in name:
            self.problems.append(f"`{redact(name)}` ({where}) is at a URL, and is not fetched")
            return
        if not os.path.isfile(path):  # noqa: PTH113  # no error for a long name
            self.problems.append(f"`{name}` ({where}) is missing")
            return
        self.texts[path] = read_text(path)
        shown = os.path.relpath(path, self.root).replace(os.sep, "/")
        for number, line in _lines(self.texts[path]):
            expanded = _VARIABLE.sub(self._value, line)
            if expanded != line:
                self.expanded.append(redact(expanded))
            where = f"{shown}, line {number}"
            try:
                self._read_line(path.parent, expanded, where, constraint=constraint)
            except ValueError as error:
                self.problems.append(f"`{redact(expanded)}` ({where}) can't be read: {error}")

    def _read_line(self, folder: Path, line: str, where: str, *, constraint: bool) -> None:
        """Read one line; raise `ValueError` with the reason where that is not possible."""
        words = line.split(" ")
        # As in pip: a word that begins with a dash ends the requirement.
        end = next((n for n, word in enumerate(words) if word.startswith("-")), len(words))
        options = list(_parsed(_split(" ".join(words[end:]))))
        text = " ".join(words[:end]).strip()
        if text or (editable := next((v for o, v in options if o == "--editable"), None)):
            hashes = tuple(value for option, value in options if option == "--hash")
            self.lines.append(
                Line(text or editable or "", where, hashes, constraint, editable=not text)
            )
            return
        nested = next(((o, v) for o, v in options if o in _NESTED), None)
        if nested:
            inner = constraint or _NESTED[nested[0]]
            self._read(folder, nested[1], where, constraint=inner)
            return
        # Within a line, pip reads `--extra-index-url` last.
        for option, value in sorted(options, key=lambda each: each[0] == "--extra-index-url"):
            self.options.append((option, value, folder))

    def _value(self, match: re.Match[str]) -> str:
        return self._environment.get(match[1]) or match[0]


def _split(text: str) -> list[str]:
    """Split options as a shell does, at once where nothing is quoted: there can be 100 hashes."""
    is_plain = text.isascii() and text.isprintable() and set(text).isdisjoint("'\"\\")
    return text.split() if is_plain else shlex.split(text)


def _parsed(words: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield each option by its long name, with its value; raise `ValueError` for other words."""
    rest = iter(words)
    for word in rest:
        option, separator, attached = word.partition("=")
        if not word.startswith("--"):
            option, attached = _SHORT.get(word[:2], word), word[2:]
            separator = attached
        known = [each for each in _OPTIONS if each.startswith(option) and len(option) > 2]  # noqa: PLR2004
        name = option if option in _OPTIONS else known[0] if len(known) == 1 else None
        if name is None:
            raise ValueError(f"pip has no option `{word}` for requirements files")
        if not _OPTIONS[name]:
            yield name, ""
            continue
        value = attached if separator else next(rest, None)
        if value is None:
            raise ValueError(f"option `{word}` has no value")
        yield "--index-url" if name == "--pypi-url" else name, value


def _lines(text: bytes) -> Iterator[tuple[int, str]]:
    """Yield the logical lines with their numbers: without comments and empty ones, joined."""
    joined, first = "", 0
    for number, line in enumerate(_decoded(text).splitlines(), 1):
        first = first if joined else number
        is_comment = line.lstrip().startswith("#")
        if line.endswith("\\") and not is_comment:
            joined += line.strip("\\")
            continue
        # A comment ends a continued line, and is not part of it.
        complete = _COMMENT.sub("", joined + (f" {line}" if is_comment else line)).strip()
        joined = ""
        if complete:
            yield first, complete
    if complete := _COMMENT.sub("", joined).strip():
        yield first, complete


def _decoded(text: bytes) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if text.startswith(mark):
            return text.removeprefix(mark).decode(encoding, "replace")
    for line in text.split(b"\n")[:2]:
        if match := _CODING.match(line):
            try:
                return text.decode(match[1].decode(), "replace")
            except LookupError:
                break
    return text.decode("utf-8", "replace")
