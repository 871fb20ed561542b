"""Findings of a report: what a person should know of the imports, and what makes a layer fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..findings.codes import NOT_IMPORTED, NOWHERE_IMPORTED, UNREADABLE_METADATA

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..findings import Finding
    from .report import ImportReport, ModuleVerdict

_NOT_COMPARED = "there are no wheels here to compare it with"


def import_findings(report: ImportReport) -> list[Finding]:
    """Return the findings of a report."""
    return list(_findings(report))


def _findings(report: ImportReport) -> Iterator[Finding]:
    for each in report.failed:
        hint = "" if each.compared or each.reason == "library" else _NOT_COMPARED
        # A part of a package may be optional: only its wheels tell.
        is_part = each.kind != "module" and each.reason == "library" and not each.compared
        yield NOT_IMPORTED.finding(
            each.place or each.name,
            _sentence(each),
            hint=hint,
            severity="warning" if is_part else None,
        )
    for each in report.nowhere:
        yield NOWHERE_IMPORTED.finding(each.place or each.name, _sentence(each))
    for unreadable in report.unreadable:
        what = f"{unreadable.name} {unreadable.version}".strip()
        message = f"The metadata of {what} can't be read: {unreadable.error}"
        yield UNREADABLE_METADATA.finding(unreadable.name, message)


def _sentence(verdict: ModuleVerdict) -> str:
    kind = {"extension": "Extension module", "package": "Package"}.get(verdict.kind, "Module")
    return f"{kind} `{verdict.name}` can't be imported: {verdict.message}"
