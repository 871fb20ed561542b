"""Findings: facts about a layer that a person should know, although it was built."""

from __future__ import annotations

from dataclasses import dataclass

# A wheel requires what the lockfile does not have.
UNLISTED = "unlisted"
# The release of the kernel, which is unknown, decides whether a wheel requires something.
UNDECIDED = "undecided"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A fact about a layer; `code` is for programs, `message` for people."""

    code: str
    message: str
