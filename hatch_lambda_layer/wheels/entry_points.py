"""The console scripts of a distribution, from its `entry_points.txt`.

The form is that of PyPA's specification "Entry points". What is malformed is passed over: it is no
launcher for any installer, either.
"""

from __future__ import annotations

import re

_SECTION = re.compile(r"\[(.*)\]")
# A file name without surprises; a module and what to call in it; extras, which count for nothing.
_SCRIPT = re.compile(
    r"(?P<name>[A-Za-z0-9_][\w.-]{0,99})\s*=\s*"
    r"(?P<target>[^\W\d][\w.]*\s*:\s*[^\W\d][\w.]*)\s*(?:\[.*\]\s*)?"
)


def console_scripts(text: str) -> tuple[tuple[str, str], ...]:
    """Return name and entry point (`module:function`) of each console script, sorted."""
    found = {}
    section = None
    for line in map(str.strip, text.splitlines()):
        if match := _SECTION.fullmatch(line):
            section = match[1].strip()
        elif section == "console_scripts" and (match := _SCRIPT.fullmatch(line)):
            parts = re.sub(r"\s", "", match["target"])
            if all(part.isidentifier() for part in re.split("[.:]", parts)):
                found[match["name"]] = parts
    return tuple(sorted(found.items()))
