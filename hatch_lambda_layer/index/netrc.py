"""netrc: what the user's file says of hosts, and a file of our own for one child process.

The form of the file is described in GNU's manual of inetutils, "The .netrc file".
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from .._internal.filelock import try_lock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PREFIX = "hatch-lambda-layer-netrc-"
_LOCK = "lock"
# The entry for every host that has none of its own.
_DEFAULT = "default"
# Quoted only where it must be: a netrc reader of Python before 3.11 knows no quotes.
_PLAIN = re.compile(r'[^\s"\\]+')


class Login(NamedTuple):
    """A user name and a password."""

    user: str
    password: str


def read_netrc(environment: Mapping[str, str]) -> dict[str, Login]:
    """Give the logins of the user's netrc by host, `default` for all other hosts.

    The file is `NETRC`, else `~/.netrc` or `~/_netrc`, as for requests, pip and uv. One that can't
    be read counts as none, as it does for them.
    """
    import netrc

    path = _path(environment)
    if path is None:
        return {}
    try:
        hosts = netrc.netrc(str(path)).hosts
    except (netrc.NetrcParseError, OSError, ValueError):
        return {}
    return {
        host: Login(login or account or "", password or "")
        for host, (login, account, password) in hosts.items()
        if login or account or password
    }


def _path(environment: Mapping[str, str]) -> Path | None:
    chosen = environment.get("NETRC")
    names = ["~/.netrc", "~/_netrc"] if chosen is None else [chosen]
    # Unlike pathlib's, it takes a user without a home folder, as containers have them.
    paths = (Path(os.path.expanduser(name)) for name in names)  # noqa: PTH111
    return next(filter(Path.is_file, paths), None)


@contextmanager
def temporary_netrc(logins: Mapping[str, Login], environment: Mapping[str, str]) -> Iterator[Path]:
    """Write a netrc with `logins` and the user's own other entries; remove it at the end.

    Only this user can read it. What a killed process has left of this kind is removed, too.
    """
    _sweep()
    # A file in which a host is twice is read differently by different programs.
    entries = {**read_netrc(environment), **logins}
    default = entries.pop(_DEFAULT, None)
    lines = [f"machine {host} {_login(login)}\n" for host, login in entries.items()]
    if default is not None:
        lines.append(f"default {_login(default)}\n")
    folder, lock = _own_folder()
    try:
        path = folder / "netrc"
        partial = folder / "partial"
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.reconfigure(encoding="utf-8")
            file.writelines(lines)
        os.replace(partial, path)
        yield path
    finally:
        lock.close()  # Windows removes no open files
        shutil.rmtree(folder, ignore_errors=True)


def _login(login: Login) -> str:
    return f"login {_token(login.user)} password {_token(login.password)}"


def _token(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    return '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'


def _own_folder() -> tuple[Path, BinaryIO]:
    """Make a private folder that shows by its lock that its owner lives."""
    import tempfile

    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        # A sweep of another process can come between the steps: then once more.
        with suppress(FileNotFoundError):
            file = (folder / _LOCK).open("xb")
            if try_lock(file) and (folder / _LOCK).exists():
                return folder, file
            file.close()


def _sweep() -> None:
    import tempfile

    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError), (folder / _LOCK).open("r+b") as file:
            if try_lock(file):
                shutil.rmtree(folder, ignore_errors=True)
