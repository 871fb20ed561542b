"""The lines of requirements files without hashes, as far as they count on a target."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from ..._internal.process import redact
from .lines import checked_hash, is_project, normal, read_line, read_place, undecided
from .problems import attempt, unusable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from packaging.specifiers import SpecifierSet

    from ...targets.target import Target
    from .lines import Place
    from .requirements import Line, RequirementsFiles


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """A line that counts on the target: a release that it allows, or what is at its `place`.

    `name` is empty where only the source at the place has it. `text` and `where` are the line,
    without credentials, and its file and number, for messages.
    """

    name: str
    text: str
    where: str
    extras: frozenset[str] = frozenset()
    specifier: SpecifierSet | None = None
    place: Place | None = None
    hashes: frozenset[str] = frozenset()
    constraint: bool = False

    @property
    def extras_text(self) -> str:
        """The extras as they follow a name, such as `[one,two]`; empty where there are none."""
        return f"[{','.join(sorted(self.extras))}]" if self.extras else ""


class Needs(NamedTuple):
    """The lines of a target; `project` has the extras of lines that stand for the project.

    It is `None` where no line does. `notes` are sentences about lines that are left out.
    """

    lines: tuple[Need, ...]
    project: frozenset[str] | None
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Reader:
    root: Path
    target: Target
    project: frozenset[str] | None = None
    notes: list[str] = field(default_factory=list)

    def need(self, line: Line) -> Need | None:
        reading = read_line(line.text, self.root, editable=line.editable)
        marker = undecided(reading.marker, self.target)
        if marker is None:
            return None
        if marker:
            self.notes.append(
                f"`{redact(line.text)}` ({line.where}) is left out: its marker depends on the "
                "kernel, which AWS chooses and changes"
            )
            return None
        place = read_place(reading.url, self.root) if reading.url is not None else None
        extras = reading.extras | (place.extras if place else frozenset())
        if place and is_project(place, self.root):
            self.project = (self.project or frozenset()) | extras
            return None
        hashes = frozenset(map(checked_hash, line.hashes)) | (place.hashes if place else set())
        return Need(
            name=normal(reading.name or "") or (place.name if place else ""),
            text=redact(line.text),
            where=line.where,
            extras=extras,
            specifier=reading.specifier,
            place=place,
            hashes=hashes,
            constraint=line.constraint,
        )


def read_needs(
    files: RequirementsFiles, target: Target, lines: Iterable[Line] | None = None
) -> Needs:
    """Read all lines of `files`, or these `lines`; raise `LockfileError` for those at fault."""
    problems = [] if lines is not None else [*files.problems]
    reader = _Reader(files.root, target)
    read = files.lines if lines is None else lines
    found = tuple(need for line in read if (need := attempt(reader.need, line, problems)))
    if problems:
        raise unusable(problems)
    return Needs(found, reader.project, tuple(reader.notes))
