"""The report of the audit of a layer or function on disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...findings import Finding
    from ...targets.target import Target


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditReport:
    """The findings about a `layer` or `function` (`kind`) on a target."""

    kind: str
    target: Target
    findings: tuple[Finding, ...]
