"""What one run uses, and how two contenders are run in turn."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_RUNNER = Path(__file__).with_name("runner.py")
# Settings of the person who runs the benchmark that would change what is measured.
_PERSONAL = ("PYTHON", "HATCH", "COVERAGE", "VIRTUAL_ENV", "SOURCE_DATE_EPOCH")
_PERSONAL_UV = ("COMPILE_BYTECODE", "FROZEN", "LINK_MODE", "LOCKED", "OFFLINE", "PYTHON", "TARGET")


class BenchmarkError(Exception):
    """A command failed, or did something else than what was to be measured."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What one run used: seconds, CPU seconds of all its processes, bytes of the largest one."""

    wall: float
    cpu: float
    peak: int


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of several values, and how far they spread."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Give the spread of at least one value."""
        return cls(statistics.median(values), min(values), max(values))

    @classmethod
    def of_ratios(cls, first: Sequence[float], second: Sequence[float]) -> Spread:
        """Give the spread of the ratios of paired values."""
        return cls.of([one / other for one, other in zip(first, second, strict=True)])


@dataclass(frozen=True, kw_only=True, slots=True)
class Contender:
    """Commands that are measured as one; `reset` makes ready for them, unmeasured.

    `layer` is the zip that they make, where they make one.
    """

    name: str
    commands: Sequence[Sequence[str]]
    cwd: Path
    env: Mapping[str, str]
    reset: Callable[[], None]
    layer: Path | None = None

    def run(self) -> Usage:
        """Reset, run the commands and give what they used; raise `BenchmarkError` if one fails."""
        self.reset()
        # What was written before must not be paid for by the one who calls fsync next.
        os.sync()
        log = self.cwd.parent / f"{self.cwd.name}.log"
        task = {"cwd": str(self.cwd), "log": str(log), "commands": self.commands}
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(_RUNNER), json.dumps(task)],
            env=dict(self.env),
            stdout=subprocess.PIPE,
            check=True,
        )
        answer = json.loads(done.stdout)
        if answer["status"]:
            said = log.read_text(encoding="utf-8", errors="replace")
            raise BenchmarkError(f"{self.name} failed in {self.cwd}:\n{said}")
        return Usage(**answer["usage"])


def in_turn(contenders: Sequence[Contender], runs: int) -> Iterator[dict[str, Usage]]:
    """Run each contender once a round, in a round's order or the other way round, by turns."""
    for number in range(runs):
        ordered = contenders if number % 2 == 0 else contenders[::-1]
        yield {contender.name: contender.run() for contender in ordered}


def clean_environment(**more: str) -> dict[str, str]:
    """Give this process's environment without the settings that would change what is measured."""
    uv = tuple(f"UV_{name}" for name in _PERSONAL_UV)
    kept = {key: value for key, value in os.environ.items() if not key.startswith(_PERSONAL + uv)}
    return kept | more


def say(message: str) -> None:
    """Show progress, on standard error."""
    print(message, file=sys.stderr, flush=True)
