"""Findings: facts about a layer that a person should know, and what follows from them.

A finding is a value: whoever finds something says what, where and how bad it usually is. What a
project wants to be strict about, or not to hear of, is its `FindingPolicy`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from ..exceptions import AuditError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
# How many errors a message lists.
_SHOWN = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A fact about a layer.

    `code` is one of `codes.CODES`. With an `error` the layer would not work, a `warning` is for
    someone to act on, a `note` only tells. `place` is a path in the layer, a distribution or an
    option; `message` is for people and names the place, too; `hint` says what to do. Both `place`
    and `hint` may be empty.
    """

    code: str
    severity: Severity
    place: str
    message: str
    hint: str = ""

    @property
    def is_note(self) -> bool:
        """Whether nobody has to do anything about it, so that only details show it."""
        return self.severity == "note"

    @property
    def text(self) -> str:
        """The message with its code, and with the hint where there is one."""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{self.message} ({self.code}){hint}"

    def __str__(self) -> str:
        """Return the line that a person reads."""
        return f"{self.severity}: {self.text}"


@dataclass(frozen=True, slots=True)
class FindingPolicy:
    """The choices of a layer's table about findings, by their codes."""

    strict: bool = False
    ignore: tuple[str, ...] = ()
    error: tuple[str, ...] = ()

    def applied(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        """Return the findings that are not ignored, each as bad as it is for this layer."""
        return tuple(
            replace(each, severity="error") if self._raises(each) else each
            for each in findings
            if each.code not in self.ignore
        )

    def checked(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        """Return the findings to be told of; raise `AuditError` if there is an error among them."""
        found = self.applied(findings)
        if errors := [each for each in found if each.severity == "error"]:
            raise _refusal(errors)
        return found

    def _raises(self, finding: Finding) -> bool:
        return finding.code in self.error or (self.strict and finding.severity == "warning")


def counted(findings: Iterable[Finding]) -> dict[Severity, int]:
    """Return how many findings there are of each severity, without those that have none."""
    found = [each.severity for each in findings]
    return {each: found.count(each) for each in SEVERITIES if each in found}


def _refusal(errors: Sequence[Finding]) -> AuditError:
    lines = [f"- {each.text}" for each in errors[:_SHOWN]]
    if len(errors) > _SHOWN:
        lines.append(f"- and {len(errors) - _SHOWN} more")
    codes = ", ".join(f'"{code}"' for code in sorted({each.code for each in errors}))
    return AuditError(
        "The layer would not work, and was not written:\n" + "\n".join(lines),
        hint=f"`ignore = [{codes}]` builds it all the same",
        findings=errors,
    )
