"""What a person should know of a layer that was built nevertheless."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing to know; `code` is for programs, `message` for people."""

    code: str
    message: str
