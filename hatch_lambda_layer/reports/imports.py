"""The report on the imports of a layer, as text for the terminal and as a table for JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._internal.console import aligned, megabytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..import_proof.report import ImportReport

_PLACES = {
    "bubblewrap": "a sandbox of bubblewrap",
    "container": "a container",
    "folder": "a plain folder, without a sandbox",
}


def as_text(report: ImportReport) -> str:
    """Return the counts, where the imports were, the slowest modules and the notes."""
    return "\n".join([*_summary(report), *_slowest(report), *_notes(report)]) + "\n"


def as_table(report: ImportReport) -> dict[str, Any]:
    """Return everything as JSON has it, each verdict with its measurements."""
    return {"proved": report.is_proof, **report.to_table()}


def _summary(report: ImportReport) -> Iterator[str]:
    tops = [each for each in report.modules if each.kind == "module"]
    imported = sum(each.verdict == "imported" for each in tops)
    extensions = sum(each.extensions for each in report.modules)
    reader = "the runtime's own client" if report.client else "importlib.metadata"
    yield (
        f"{report.target}: {imported} of {len(tops)} modules and {extensions} extension modules "
        f"imported in {report.seconds:.1f} s, {len(report.failed)} failed, "
        f"{len(report.nowhere)} fail anywhere"
    )
    yield f"in {_PLACES[report.place]}, with {report.python}"
    read = len(report.distributions) - len(report.unreadable)
    yield f"metadata of {read} of {len(report.distributions)} distributions read by {reader}"


def _slowest(report: ImportReport) -> Iterator[str]:
    rows = [(each.name, f"{each.seconds:.2f} s", megabytes(each.memory)) for each in report.slowest]
    if rows:
        yield from aligned(("slowest module", "time", "memory"), rows, 1)


def _notes(report: ImportReport) -> Iterator[str]:
    yield from (f"note: {note}" for note in report.notes)
