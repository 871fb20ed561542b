"""`python -m tests.fuzz`: feed the readers for a while, and keep every input that is a crash."""

from __future__ import annotations

import argparse
import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from .engine import MEMORY, Session, memory_limit
from .readers import TARGETS

if TYPE_CHECKING:
    from collections.abc import Sequence

_GUIDED = importlib.util.find_spec("atheris") is not None
# Time for a process to start and to end, beside the time that it feeds a reader.
_GRACE = 120


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 where nothing crashed, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300, help="for all targets together")
    parser.add_argument("--target", action="append", choices=TARGETS, help="may be repeated")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--crashes", type=Path, default=Path("build/fuzz"), help="their folder")
    parser.add_argument("--input", type=Path, help="feed this file only, as a crash was")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    names: list[str] = options.target or list(TARGETS)
    options.crashes.mkdir(parents=True, exist_ok=True)
    if options.input:
        return max(_feed(name, options.input) for name in names)
    if options.alone:
        _run(names[0], options.seconds, options.seed, options.crashes)
        return 0
    print("guided by coverage (atheris)" if _GUIDED else "seeded mutations", flush=True)
    seconds = options.seconds / len(names)
    crashed = [_in_process(each, seconds, options.seed, options.crashes) for each in names]
    return int(any(crashed))


def _in_process(name: str, seconds: float, seed: int, crashes: Path) -> bool:
    """Feed one reader in a process of its own; return whether anything crashed, the process too."""
    before = set(crashes.iterdir())
    argv = ["tests.fuzz.guided"] if _GUIDED else ["tests.fuzz", "--alone"]
    argv += ["--target", name, "--seconds", str(seconds), "--seed", str(seed)]
    log = crashes / f"{name}.log"
    with log.open("wb") as stream:
        try:
            code: int | None = subprocess.run(
                [sys.executable, "-m", *argv, "--crashes", str(crashes)],
                stdout=stream,
                stderr=subprocess.STDOUT,
                timeout=seconds + _GRACE,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            code = None
    found = set(crashes.iterdir()) - before
    for folder in found:
        if folder.is_dir():
            shutil.rmtree(folder)
    said = log.read_text("utf-8", "replace")
    count = re.search(r"^(?:inputs:|stat::number_of_executed_units:) *(\d+)", said, re.MULTILINE)
    print(f"{name}: {int(count[1]) if count else 0:,} inputs", flush=True)
    traces = sorted(each for each in found if each.suffix == ".txt")
    for each in traces:
        last = each.read_text("utf-8").splitlines()[-1]
        print(f"  {each.with_suffix('')}: {last:.150}", flush=True)
    if code != 0:
        print(f"  the process ended with {code}: see {log}", flush=True)
    return bool(traces) or code != 0


def _run(name: str, seconds: float, seed: int, crashes: Path) -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        session = Session(TARGETS[name], Path(folder))
        for crash in session.run(seed, seconds=seconds):
            crash.write(crashes)
        print(f"inputs: {session.inputs}")


def _feed(name: str, path: Path) -> int:
    with tempfile.TemporaryDirectory() as folder, memory_limit(MEMORY):
        session = Session(TARGETS[name], Path(folder))
        session.feed(path.read_bytes())
    for crash in session.crashes:
        print(crash.trace)
    return len(session.crashes)


if __name__ == "__main__":
    sys.exit(main())
