"""Following a page as a reader would: its files are written, its commands are typed.

- A block of `console` has commands, each after `$ `, and below each what it prints. `…` stands for
  anything: alone in a line, for any lines.
- A block of any kind that begins with `# NAME` is added to the file of that name, in the folder
  where the last command was typed.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_FILE = re.compile(r"# ([\w./-]+\.(?:toml|txt|py))\n")
# Numbers, sizes and times differ between the reader's packages and the small ones of the tests.
_TOKEN = re.compile(r"(?P<any>…)|(?P<size>[\d.]*\d [KM]?B\b)|(?P<number>\d+)|(?P<gap> +)|.")
_PATTERNS = {"any": r"[^\n]*", "size": r"[\d.]+ [KM]?B", "number": r"\d+", "gap": r" +"}
# What uvx would fetch is what is tested.
_SHELL = 'uvx() { case "$1" in --from|--with) shift 2;; esac; "$@"; }\n'


@dataclass(frozen=True)
class Command:
    """A line that is typed, and what it prints."""

    line: str
    expected: str


@dataclass(frozen=True)
class Addition:
    """Text that is added to a file."""

    name: str
    text: str


def steps(page: str) -> Iterator[Command | Addition]:
    """Yield what a reader of the page does, in its order."""
    for kind, text in _BLOCK.findall(page):
        if kind == "console":
            for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                line, _, expected = part.partition("\n")
                yield Command(line, expected)
        elif match := _FILE.match(text):
            yield Addition(match[1], text)


def pattern_of(expected: str) -> re.Pattern[str]:
    """Return the pattern of what a command may print, for what the page shows."""
    lines = []
    for line in expected.splitlines():
        tokens = (
            _PATTERNS.get(each.lastgroup or "") or re.escape(each[0])
            for each in _TOKEN.finditer(line)
        )
        lines.append(r"(?:[^\n]*\n)*" if line.strip() == "…" else rf"{''.join(tokens)} *\n")
    return re.compile("".join(lines))


def _for(line: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a line: uv takes not both of these."""
    return {
        name: value
        for name, value in environment.items()
        if name != "UV_NO_SYNC" or "--frozen" not in line
    }


def follow(page: str, folder: Path, environment: Mapping[str, str]) -> list[str]:
    """Do what the page says, in `folder`; return what printed something else than it shows."""
    wrong = []
    for step in steps(page):
        if isinstance(step, Addition):
            path = folder / step.name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as file:
                file.write(f"\n{step.text}")
            continue
        if step.line.startswith("cd "):
            folder = folder / shlex.split(step.line)[1]
            continue
        done = subprocess.run(
            ["/bin/sh", "-c", _SHELL + step.line],
            cwd=folder,
            env=_for(step.line, environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        fails = re.search(r"^error: ", step.expected, re.MULTILINE) is not None
        if (done.returncode != 0) is not fails or (
            step.expected and not pattern_of(step.expected).fullmatch(done.stdout)
        ):
            wrong.append(f"$ {step.line}\n{done.stdout}(exit code {done.returncode})")
    return wrong
