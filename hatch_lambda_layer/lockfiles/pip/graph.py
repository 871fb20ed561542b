"""The requirements among pinned packages, by the comments of the tool that has compiled them.

pip-compile and `uv pip compile` write `# via NAME`, or `# via -r FILE` for what a file asks for.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from ..graph import LockGraph, Root
from ..walk import Need

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

_PINNED = re.compile(
    r"(?P<name>[A-Za-z0-9][\w.-]*)\s*(?:\[(?P<extras>[^]]*)\])?\s*(?:==|@)[^;#]*"
    r"(?:;\s*(?P<marker>.*?))?\s*(?:--hash.*)?\\?$"
)
_VIA = re.compile(r"#\s*via\b\s*(?P<names>.*)$")
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
_COMMENT = re.compile(r"(?:^|\s)(?P<comment>#.*)$")


class _Pinned(NamedTuple):
    """A pinned line, and the names that its comment says required it."""

    need: Need
    version: str
    via: list[str]


class _Package:
    """A pinned package, with what comments of other lines say that it requires."""

    def __init__(self, name: str, version: str, needs: list[Need]) -> None:
        self.name = name
        self.version = version
        self._needs = needs

    def dependencies(self) -> list[Need]:
        """Return its dependencies."""
        return self._needs

    def needs(self, extras: Collection[str]) -> list[Need]:  # noqa: ARG002
        """Return the same: comments do not tell which are those of an extra."""
        return self._needs

    def fits(self, environment: Mapping[str, str]) -> bool:  # noqa: ARG002
        """Return true: a line has its marker."""
        return True


def read_graph(texts: Iterable[bytes]) -> LockGraph:
    """Return the graph of the files; it is not complete where no comment names a package."""
    lines = [each for text in texts for each in _pinned(text.decode("utf-8", "replace"))]
    known = {each.need.name for each in lines}
    packages = [
        _Package(
            each.need.name,
            each.version,
            [other.need for other in lines if each.need.name in other.via],
        )
        for each in lines
    ]
    has_comments = any(known.intersection(each.via) for each in lines)
    # What only other packages required is no requirement of the files themselves.
    first = [each.need for each in lines if not each.via or not known.issuperset(each.via)]
    graph = LockGraph.of([Root("the requirements", True, tuple(first))], packages)
    return graph if has_comments else graph.incomplete()


def _pinned(text: str) -> Iterator[_Pinned]:
    from packaging.utils import canonicalize_name

    current: _Pinned | None = None
    in_comment = False
    for line in text.splitlines():
        comment = _COMMENT.search(line)
        code = line[: comment.start()].strip() if comment else line.strip()
        if match := _PINNED.match(code):
            if current:
                yield current
            extras = filter(None, map(str.strip, (match["extras"] or "").split(",")))
            need = Need(
                name=canonicalize_name(match["name"]),
                text=code.rstrip("\\ "),
                marker=(match["marker"] or "").rstrip("\\ "),
                extras=frozenset(
                    canonicalize_name(each.strip()) for each in extras if each.strip()
                ),
            )
            current, in_comment = _Pinned(need, _version(code), []), False
        if current is None or comment is None:
            continue
        via = _VIA.search(comment["comment"])
        in_comment = in_comment or via is not None
        if in_comment:
            names = via["names"] if via else comment["comment"].lstrip("# ")
            current.via.extend(_names(names))
    if current:
        yield current


def _names(text: str) -> Iterator[str]:
    from packaging.utils import canonicalize_name

    for part in text.split(","):
        # `-r requirements.in`, or `app (pyproject.toml)`: not one of the packages.
        if _NAME.fullmatch(part.strip()):
            yield canonicalize_name(part.strip())
        elif part.strip():
            yield part.strip()


def _version(code: str) -> str:
    return code.partition("==")[2].split(";")[0].split("--hash")[0].strip(" \\")
