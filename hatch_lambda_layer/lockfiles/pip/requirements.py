"""Requirements files, read to know which files pip reads, and whether their hashes fix it all."""

from __future__ import annotations

import codecs
import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from ..._internal.process import redact
from ..protocol import read_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_NESTED = {"-r": False, "--requirement": False, "-c": True, "--constraint": True}
# Options that can't change a lock with hashes. Any other option is assumed to change it.
_HARMLESS = (
    *("-i", "--index-url", "--extra-index-url", "--no-index", "-f", "--find-links"),
    *("--trusted-host", "--no-binary", "--only-binary", "--prefer-binary", "--pre"),
    *("--use-feature", "--require-hashes"),
)
_SEARCHED = ("-i", "--index-url", "--extra-index-url", "--no-index")
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_COMMENT = re.compile(r"(^|\s)#.*$")
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")


class RequirementsFiles:
    """The files that pip reads: `names` and `constraints` below `root`, and those they include.

    `texts` has the content of each by its path, in the order in which pip reads them; `expanded`
    has the lines with a variable, expanded and without credentials. `has_hashes` means that pip
    requires a hash for everything; `is_settled`, that only these files decide pip's result: each
    requirement has hashes, and no file is missing or at a URL. Raises `LockfileError` for a file
    that can't be read.
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
        self.has_hashes = False
        self.is_settled = True
        self._environment = environment
        self._searched: list[tuple[str, str]] = []
        self._seen: set[tuple[Path, bool]] = set()
        for name in names:
            self._read(root, name, constraint=False)
        for name in constraints:
            self._read(root, name, constraint=True)

    def indexes(self, configured: Sequence[str]) -> list[str]:
        """Return the URLs of the indexes that pip searches, where its settings are `configured`."""
        found = [*configured]
        for option, url in self._searched:
            # As in pip, `--index-url` drops what came before it, and `--no-index` everything.
            found = [*found, url] if option == "--extra-index-url" else [url]
        is_off = not configured or "--no-index" in (option for option, _ in self._searched)
        return [] if is_off else list(dict.fromkeys(found))

    def _read(self, folder: Path, name: str, *, constraint: bool) -> None:
        # As in pip, `..` after a link is the folder of the link, not of its destination.
        path = Path(os.path.abspath(folder / name))  # noqa: PTH100
        if (path, constraint) in self._seen:
            return
        self._seen.add((path, constraint))
        # A URL, or a missing file: pip's error for that names the line.
        if "://" in name or not os.path.isfile(path):  # noqa: PTH113  # no error for a long name
            self.is_settled = False
            return
        self.texts[path] = read_text(path)
        for line in _lines(self.texts[path]):
            expanded = _VARIABLE.sub(self._value, line)
            if expanded != line:
                self.expanded.append(redact(expanded))
            if expanded.startswith("-"):
                self._read_option(path, expanded, constraint=constraint)
            else:
                hashed = re.search(r"\s--hash\b", expanded) is not None
                self.has_hashes |= hashed
                self.is_settled &= hashed or constraint

    def _read_option(self, path: Path, line: str, *, constraint: bool) -> None:
        try:
            option, *values = words = shlex.split(line)
        except ValueError:
            self.is_settled = False
            return
        self._searched += _search_options(words)
        if option.startswith("--"):
            option, _, attached = option.partition("=")
        else:
            option, attached = option[:2], option[2:]
        nested = attached or "".join(values[:1])
        if option not in _NESTED:
            self.is_settled &= option in _HARMLESS
            self.has_hashes |= option == "--require-hashes"
        else:
            self._read(path.parent, nested, constraint=constraint or _NESTED[option])

    def _value(self, match: re.Match[str]) -> str:
        return self._environment.get(match[1]) or match[0]


def _search_options(words: Iterable[str]) -> list[tuple[str, str]]:
    """Return the options of one line that change which indexes are searched, with their values."""
    found = []
    rest = iter(words)
    for word in rest:
        option, _, attached = word.partition("=")
        if word.startswith("-i"):
            option, attached = "-i", word[2:]
        if option == "--no-index":
            found.append((option, ""))
        elif option in _SEARCHED:
            found.append((option, attached or next(rest, "")))
    # Within a line, pip reads `--extra-index-url` last.
    return sorted(found, key=lambda each: each[0] == "--extra-index-url")


def _lines(text: bytes) -> Iterator[str]:
    """Yield the logical lines: without comments and empty ones, continued lines joined."""
    joined = ""
    for line in _decoded(text).splitlines():
        is_comment = line.lstrip().startswith("#")
        if line.endswith("\\") and not is_comment:
            joined += line.strip("\\")
            continue
        # A comment ends a continued line, and is not part of it.
        complete = _COMMENT.sub("", joined + (f" {line}" if is_comment else line)).strip()
        joined = ""
        if complete:
            yield complete
    if complete := _COMMENT.sub("", joined).strip():
        yield complete


def _decoded(text: bytes) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if text.startswith(mark):
            return text.removeprefix(mark).decode(encoding, "replace")
    return text.decode("utf-8", "replace")
