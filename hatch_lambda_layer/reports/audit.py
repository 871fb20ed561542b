"""The report on the audit of a layer or function, as text for the terminal and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from ..findings import SEVERITIES, counted
from . import imports

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..import_proof.report import ImportReport
    from ..layer.audit.report import AuditReport

SCHEMA = 1


def as_text(report: AuditReport, proof: ImportReport | None, *, verbose: bool) -> str:
    """Return the findings, the worst first, and how many there are; notes only with `verbose`.

    What was imported is told before them, if something was.
    """
    imported = imports.as_text(proof) if proof is not None else ""
    return imported + "".join(f"{line}\n" for line in _lines(report, verbose=verbose))


def as_json(report: AuditReport, proof: ImportReport | None, *, verbose: bool) -> str:  # noqa: ARG001
    """Return everything, schema 1; `imports` is null where nothing was imported."""
    table = {
        "schema": SCHEMA,
        "kind": report.kind,
        "runtime": report.target.runtime.id,
        "architecture": report.target.architecture.value,
        "counts": {each: counted(report.findings).get(each, 0) for each in SEVERITIES},
        "findings": [asdict(finding) for finding in report.findings],
        "imports": None if proof is None else imports.as_table(proof),
    }
    return json.dumps(table, indent=2, ensure_ascii=False) + "\n"


FORMATS = {"text": as_text, "json": as_json}


def _lines(report: AuditReport, *, verbose: bool) -> Iterator[str]:
    for severity in SEVERITIES:
        for finding in report.findings:
            if finding.severity == severity and (verbose or not finding.is_note):
                yield str(finding)
    counts = counted(report.findings)
    said = ", ".join(f"{count} {each}{'s' * (count != 1)}" for each, count in counts.items())
    hidden = " (`-v` shows them)" if "note" in counts and not verbose else ""
    yield f"{report.kind} for {report.target.id}: {said or 'nothing found'}{hidden}"
