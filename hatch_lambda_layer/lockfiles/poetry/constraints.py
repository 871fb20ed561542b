"""Constraints on versions as poetry writes them: `^1.2`, `~3.11`, `>=1.21,<1.27 || >1.27`.

https://python-poetry.org/docs/dependency-specification/
"""

from __future__ import annotations

import re
from functools import cache

# One condition, such as `^3.11`, `>=3.9` or `3.12.*`.
_CONDITION = re.compile(r"\s*(\^|~=|~|[<>!=]=|[<>=])?\s*(\d[\w.*+-]*)\s*,?")
_RELEASE = re.compile(r"\d+(\.\d+)*")


def alternatives(constraint: str) -> list[str]:
    """Return the specifiers (PEP 440) of which a version has to satisfy one; empty for any version.

    Raises `ValueError` for a constraint that is not understood.
    """
    from packaging.specifiers import SpecifierSet

    texts = [_specifiers(part) for part in re.split(r"\|\|?", constraint)]
    for text in texts:
        SpecifierSet(text)
    return texts


@cache
def allows(constraint: str, version: str) -> bool:
    """Return whether a constraint allows a version; one that is not understood allows all."""
    from packaging.specifiers import SpecifierSet
    from packaging.version import InvalidVersion

    try:
        sets = map(SpecifierSet, alternatives(constraint))
        return any(each.contains(version, prereleases=True) for each in sets)
    except (InvalidVersion, ValueError):
        return True


def _specifiers(constraint: str) -> str:
    """Return one alternative as text of specifiers (PEP 440), empty for any version."""
    if constraint.strip() in ("*", ""):
        return ""
    if _CONDITION.sub("", constraint).strip():
        raise ValueError(constraint)
    return ",".join(_specifier(*match.groups()) for match in _CONDITION.finditer(constraint))


def _specifier(operator: str | None, version: str) -> str:
    if operator in ("^", "~"):
        match = _RELEASE.match(version)
        release = [int(part) for part in match[0].split(".")] if match else [0]
        # `^` keeps the first number that is not zero, `~` the second where there is one.
        kept = next((place for place, part in enumerate(release) if part), len(release) - 1)
        place = kept if operator == "^" else min(1, len(release) - 1)
        above = [*release[:place], release[place] + 1]
        return f">={version},<{'.'.join(map(str, above))}"
    return f"{'==' if operator in (None, '=') else operator}{version}"
