"""Text from outside (lockfiles, indexes, build backends, tools), as a person is shown it.

Terminals act on control characters, and the runners of CI services on lines that begin with `::`
(GitHub) or have `##[`, `##vso[` (Azure) or `##teamcity[` anywhere in them. What others wrote must
do neither.
"""

from __future__ import annotations

import re

# C0 without tab and line feed, DEL, C1, the separators of lines and paragraphs, and what reverses
# the direction of text (Unicode TR36, "bidirectional text spoofing").
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_COMMAND = re.compile(r"##(?=(?:\w+)?\[)")
_COMMAND_LINE = re.compile(r"^(?=[^\S\n]*::)", re.MULTILINE)
_MARK = "| "


def safe(message: str) -> str:
    """Return a message that steers neither a terminal nor a CI runner, whatever is quoted in it."""
    message = message.replace("\r\n", "\n")
    message = _CONTROL.sub(lambda match: ascii(match[0])[1:-1], message)
    return _COMMAND_LINE.sub(_MARK, _COMMAND.sub("# #", message))


def one_line(value: str) -> str:
    """Return a value from outside in one line, for a message that is built around it."""
    return safe(value.replace("\n", "\\n").replace("\t", "\\t"))
