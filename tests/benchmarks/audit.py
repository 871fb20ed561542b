"""`python -m tests.benchmarks.audit`: the CPU time that the audit adds to a warm build.

Each round is a process of its own, which builds the layer anew from a warm cache. What is counted
is the CPU time of the process in all that the audit does, with the modules that it loads for it.
Half of the rounds build what has been built before, half find another lockfile: it is read, and the
layer is audited as if it was new.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from . import sets
from .measure import Spread, clean_environment, say

_CHILD = """
import json, sys, time
from pathlib import Path

from hatch_lambda_layer._internal.console import Console
from hatch_lambda_layer.build.opening import open_project
from hatch_lambda_layer.cli.options import Terminal
from hatch_lambda_layer.build import pipeline
from hatch_lambda_layer.targets import elf

spent = []

def timed(function):
    def call(*arguments):
        begun = time.process_time()
        result = function(*arguments)
        spent.append(time.process_time() - begun)
        return result
    return call


opened = []
read_elf = elf.read_elf
elf.read_elf = lambda data: opened.append(len(data)) or read_elf(data)
pipeline.audited_layer = timed(pipeline.audited_layer)
project = open_project(Path(sys.argv[1]), Console(Terminal(-1)))
project.anew = True
(member,) = project.matrix.members
built = project.build(member)
total = time.process_time()
facts = {
    "milliseconds": sum(spent) * 1000,
    "of": total * 1000,
    "opened": len(opened),
    "files": built.manifest.files,
    "findings": [str(each) for each in built.manifest.findings],
}
print(json.dumps(facts))
"""


def measure(name: str, runs: int) -> None:
    """Print what the audit of a set costs, and how many shared objects warm builds opened."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        ours, _ = sets.make_set(Path(folder), name)
        cache = Path(folder, "cache")
        environment = clean_environment(HATCH_LAMBDA_LAYER_CACHE_DIR=str(cache))
        rounds = []
        for number in range(2 * runs + 1):
            if number > runs:
                _change_lock(ours, cache)
            done = subprocess.run(
                [sys.executable, "-c", _CHILD, str(ours)],
                env=environment,
                stdout=subprocess.PIPE,
                check=True,
            )
            rounds.append(json.loads(done.stdout.splitlines()[-1]))
            say(f"{name}: run {number} of {2 * runs}: {rounds[-1]['milliseconds']:.1f} ms")
    # The first round fills the cache.
    for title, part in (("warm", rounds[1 : runs + 1]), ("another lock", rounds[runs + 1 :])):
        cost = Spread.of([each["milliseconds"] for each in part])
        build = Spread.of([each["of"] for each in part])
        opened = sum(each["opened"] for each in part)
        print(
            f"{name}, {title}: {rounds[0]['files']} files, the audit took {cost.median:.1f} ms of "
            f"CPU ({cost.low:.1f} to {cost.high:.1f}), the whole build {build.median:.0f} ms; "
            f"{opened} shared objects opened, {rounds[0]['opened']} with an empty cache"
        )
    print(*rounds[-1]["findings"], sep="\n")


def _change_lock(project: Path, cache: Path) -> None:
    """Make the next build read the lock, and audit the layer."""
    with (project / "uv.lock").open("a", encoding="utf-8") as lock:
        lock.write("# another\n")
    for kept in cache.rglob("audits"):
        shutil.rmtree(kept)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.audit", description=__doc__)
    names = [name.lower() for name in sets.SETS]
    parser.add_argument("--set", action="append", choices=names, help="a set [medium]")
    parser.add_argument("--runs", type=int, default=10, metavar="N", help="rounds [10]")
    options = parser.parse_args()
    for each in options.set or ["medium"]:
        measure(each.upper(), options.runs)
