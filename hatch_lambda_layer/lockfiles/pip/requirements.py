"""Requirements files, read as far as it takes to know which files pip reads and what they fix."""

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
    from collections.abc import Iterable, Iterator, Mapping

_NESTED = {"-r": False, "--requirement": False, "-c": True, "--constraint": True}
# Options that change nothing in what hashes have fixed. What isn't here is taken to do so.
_HARMLESS = (
    *("-i", "--index-url", "--extra-index-url", "--no-index", "-f", "--find-links"),
    *("--trusted-host", "--no-binary", "--only-binary", "--prefer-binary", "--pre"),
    *("--use-feature", "--require-hashes"),
)
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_COMMENT = re.compile(r"(^|\s+)#.*$")
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")


class RequirementsFiles:
    """The files that pip reads: those `names` and `constraints` below `root`, and nested ones.

    `texts` has the content by path, in the order pip reads; `expanded` the lines with a variable,
    without credentials. `has_hashes` says that pip will insist on a hash for everything,
    `is_settled` that nothing but these files decides what pip gives: each requirement has its
    hashes, and no file is missing or somewhere else.
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
        self._seen: set[tuple[Path, bool]] = set()
        for name in names:
            self._read(root, name, constraint=False)
        for name in constraints:
            self._read(root, name, constraint=True)

    def _read(self, folder: Path, name: str, *, constraint: bool) -> None:
        # As pip does it: `..` leads up from a link, not from where the link leads to.
        path = Path(os.path.abspath(folder / name))  # noqa: PTH100
        if (path, constraint) in self._seen:
            return
        self._seen.add((path, constraint))
        # A URL, or a file that is missing: of that, pip names the line.
        if "://" in name or not path.is_file():
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
            option, *values = shlex.split(line)
        except ValueError:
            self.is_settled = False
            return
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


def _lines(text: bytes) -> Iterator[str]:
    """Give the logical lines: without comments and empty ones, continued lines joined."""
    joined = ""
    for line in _decoded(text).splitlines():
        is_comment = _COMMENT.match(line) is not None
        if line.endswith("\\") and not is_comment:
            joined += line.strip("\\")
            continue
        # A comment ends a continued line, and is no part of it.
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
