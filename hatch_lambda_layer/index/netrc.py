"""The logins in the user's netrc.

The format is described in the manual of GNU inetutils, "The .netrc file".
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# The name of the entry for every host without an entry of its own.
_DEFAULT = "default"
_KEYS = ("login", "user", "account", "password")
# As `netrc` of the standard library reads them: in quotes or not, a backslash before a character.
_TOKEN = re.compile(r'"((?:\\.|[^"\\])*)"?|((?:\\[^\r\n]|\\|[^\s\\])+)', re.DOTALL)
_LINE = re.compile(r"\n")
_MACRO = re.compile(r"\n[ \t\r]*\n")


class Login(NamedTuple):
    """A user name and a password."""

    user: str
    password: str


def read_netrc(environment: Mapping[str, str]) -> dict[str, Login]:
    """Return the logins of the user's netrc by host; `default` stands for all other hosts.

    The file is the one that `NETRC` names, else `~/.netrc` or `~/_netrc`, as for requests, pip and
    uv. A file that can't be read counts as empty, as it does for them. What is odd in it is passed
    over: the other entries count.
    """
    path = _path(environment)
    if path is None:
        return {}
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    logins: dict[str, Login] = {}
    for host, values in _entries(text):
        login = Login(
            values.get("login") or values.get("user") or values.get("account") or "",
            values.get("password") or "",
        )
        if any(login):
            logins[host] = login
    return logins


def _entries(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the host and the values of each entry that is as it should be.

    Nothing of another entry is taken for a value: an odd word ends its entry, which is dropped.
    """
    position = 0
    host: str | None = None
    values: dict[str, str] = {}
    while True:
        key, position = _word(text, position)
        if key in (None, "machine", _DEFAULT, "macdef"):
            if host:
                yield host, values
            host, values = None, {}
        if key is None:
            return
        if key.startswith("#"):
            position = _after(_LINE, text, position)
        elif key == "macdef":
            position = _after(_MACRO, text, position)
        elif key == "machine":
            host, position = _word(text, position)
        elif key == _DEFAULT:
            host = key
        elif host and key in _KEYS:
            value, position = _word(text, position)
            values[key] = value or ""
        else:
            host = None


def _word(text: str, position: int) -> tuple[str | None, int]:
    """Return the next word without its quotes, and where it ends; `None` at the end of the file."""
    match = _TOKEN.search(text, position)
    if match is None:
        return None, len(text)
    return re.sub(r"\\(.)", r"\1", match[1] or match[2] or "", flags=re.DOTALL), match.end()


def _after(end: re.Pattern[str], text: str, position: int) -> int:
    match = end.search(text, position)
    return match.end() if match else len(text)


def _path(environment: Mapping[str, str]) -> Path | None:
    chosen = environment.get("NETRC")
    names = ["~/.netrc", "~/_netrc"] if chosen is None else [chosen]
    # Unlike pathlib's, it accepts a user without a home folder, as there are in containers.
    paths = (Path(os.path.expanduser(name)) for name in names)  # noqa: PTH111
    return next(filter(Path.is_file, paths), None)
