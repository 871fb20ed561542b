"""The one door for subprocesses, and the redaction of what they print."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

from .exceptions import ToolError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_CREDENTIALS_IN_URL = re.compile(r"(?<=://)[^/?#\s]+@")
# Signed URLs and the like carry a secret behind the question mark.
_QUERY_OF_URL = re.compile(r"(://[^\s?#'\"]+\?)[^\s#'\"]+")


def redact(text: str) -> str:
    """Give `text` without the user names and passwords of the URLs in it."""
    return _QUERY_OF_URL.sub(r"\1****", _CREDENTIALS_IN_URL.sub("****@", text))


def run(argv: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> bytes:
    """Run `argv` without a shell and give its standard output.

    The program gets no standard input, so that it can never wait for an answer. When this process
    is interrupted, the program is killed before the exception goes on.

    Raises `ToolError` with everything the program said when it fails or can't be started.
    """
    name = re.split(r"[/\\]", argv[0])[-1]
    command = redact(" ".join([name, *argv[1:]]))
    try:
        done = subprocess.run(
            list(argv),
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except OSError as error:
        raise ToolError(command, f"it could not be started: {error.strerror}") from error
    if done.returncode == 0:
        return done.stdout
    said = done.stderr.decode("utf-8", "replace") or done.stdout.decode("utf-8", "replace")
    if done.returncode < 0:
        said = f"{said}\nit was ended by signal {-done.returncode}"
    raise ToolError(command, redact(said) or f"exit code {done.returncode}")
