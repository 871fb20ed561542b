"""The audit of a layer or a function: what would not work on its target, found without running it.

Everything is read from paths, from the metadata of distributions and from the facts about native
code that are kept with each wheel: no file is opened here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .modules import module_findings
from .native import native_findings
from .requirements import requirement_findings

if TYPE_CHECKING:
    from ...findings import Finding
    from .subject import Subject


def audit(subject: Subject) -> list[Finding]:
    """Return what is wrong, or odd, with a layer or a function on its target."""
    return [
        *native_findings(subject),
        *requirement_findings(subject),
        *module_findings(subject),
    ]
