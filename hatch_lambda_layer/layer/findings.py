"""Findings: facts about a layer that a person should know, although it was built."""

from __future__ import annotations

from dataclasses import dataclass

# What follows from the configuration or from a wheel as it is: there is nothing to do about it.
_NOTES = frozenset({"left-out", "left-out-too", "family-member-kept"})
# A pattern of `prune` matches nothing.
USELESS_PATTERN = "prune"
# A wheel requires what the lockfile does not have.
UNLISTED = "unlisted"
# The release of the kernel, which is unknown, decides whether a wheel requires something.
UNDECIDED = "undecided"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A fact about a layer; `code` is for programs, `message` for people."""

    code: str
    message: str

    @property
    def is_note(self) -> bool:
        """Whether nobody has to do anything about it, so that only details show it."""
        return self.code in _NOTES

    def __str__(self) -> str:
        """Return the line that a person reads."""
        return f"{'note' if self.is_note else 'warning'}: {self.message}"
