"""`python -m tests.benchmarks`: the states in which a layer is built, each against its peer."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from uv import find_uv_bin

from . import recipes, results, sets
from .measure import BenchmarkError, Contender, Usage, in_turn, say
from .recipes import Caches

if TYPE_CHECKING:
    from collections.abc import Sequence

_COUNTS = (5, 10, 20, 40, 80)


class Benchmark:
    """One run of the benchmark: measures, and keeps every number."""

    def __init__(self, folder: Path, runs: int) -> None:
        self._folder = folder
        self._runs = runs
        self.rows: list[results.Row] = []
        self.raw: list[dict[str, object]] = []

    def build(self, name: str, *, cold: bool) -> None:
        """Measure one set: warm caches, nothing changed, and empty caches where wanted."""
        say(f"{name}: locking")
        ours, theirs = sets.make_set(self._folder / name.lower(), name)
        warm = Caches(self._folder / "caches")
        tool, recipe = recipes.tool(ours, warm), recipes.recipe(theirs, warm)
        say(f"{name}: filling the caches")
        for contender in (tool, recipe):
            contender.run()
        self._compare(results.WARM, name, tool, recipe)
        layers = recipes.layer_of(tool), recipes.layer_of(recipe)
        if only := recipes.differences(*layers):
            say(f"{name}: warning: {len(only)} files are in one layer only, such as {only[0]}")
        self.rows.append(results.size(name, *(layer.stat().st_size for layer in layers)))
        self._unchanged(name, recipes.tool(ours, warm, keep=True))
        if cold:
            fresh = Caches(self._folder / "caches-emptied")
            tool, recipe = (
                recipes.tool(ours, fresh, cold=True),
                recipes.recipe(theirs, fresh, cold=True),
            )
            self._compare(results.COLD, name, tool, recipe)
            fresh.clear()

    def grow(self) -> None:
        """Measure how time and memory grow with the number of wheels, without any network."""
        say("growth: making the wheels")
        projects = {
            count: sets.make_local(self._folder / f"growth-{count}", count) for count in _COUNTS
        }
        # Python keeps what it compiles: the first run of all pays for that.
        recipes.tool(projects[_COUNTS[0]], Caches(self._folder / "caches-first")).run()
        for state, cold in ((results.GROWTH_COLD, True), (results.GROWTH_WARM, False)):
            found: dict[int, list[Usage]] = {count: [] for count in _COUNTS}
            contenders = {
                count: recipes.tool(project, Caches(self._folder / f"caches-{count}"), cold=cold)
                for count, project in projects.items()
            }
            for number in range(self._runs):
                for count, contender in contenders.items():
                    found[count].append(contender.run())
                walls = ", ".join(
                    f"{count}: {runs[-1].wall:.2f} s" for count, runs in found.items()
                )
                say(f"{state}: run {number + 1} of {self._runs}: {walls}")
            self._keep(state, "", {f"{count} wheels": runs for count, runs in found.items()})
            self.rows += results.growth(state, _COUNTS, found)

    def _unchanged(self, name: str, tool: Contender) -> None:
        layer = recipes.layer_of(tool)
        before = layer.stat()
        floor = recipes.floor(sets.make_empty(self._folder / "empty"))
        floor.run()
        self._compare(results.UNCHANGED, name, tool, floor)
        after = layer.stat()
        if (before.st_ino, before.st_mtime_ns) != (after.st_ino, after.st_mtime_ns):
            raise BenchmarkError(f"{name}: nothing has changed, yet {layer} was written again")

    def _compare(self, state: str, name: str, tool: Contender, other: Contender) -> None:
        found: dict[str, list[Usage]] = {tool.name: [], other.name: []}
        for number, used in enumerate(in_turn((tool, other), self._runs), 1):
            for who, usage in used.items():
                found[who].append(usage)
            walls = ", ".join(f"{who} {usage.wall:.2f} s" for who, usage in sorted(used.items()))
            say(f"{name}: {state}: run {number} of {self._runs}: {walls}")
        self._keep(state, name, found)
        self.rows += results.compared(state, name, found[tool.name], found[other.name])

    def _keep(self, state: str, name: str, found: dict[str, list[Usage]]) -> None:
        for who, runs in found.items():
            values = [asdict(usage) for usage in runs]
            self.raw.append({"state": state, "case": name, "contender": who, "runs": values})


def main() -> None:
    """Run what the command line asks for, and print the table."""
    options = _options()
    names = [name.upper() for name in options.set or ()]
    if not names and not options.growth:
        names = list(sets.SETS)
    load = os.getloadavg()[0]
    with ExitStack() as stack:
        folder = options.work
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
        folder = folder.absolute()
        folder.mkdir(parents=True, exist_ok=True)
        benchmark = Benchmark(folder, options.runs)
        try:
            for name in names:
                benchmark.build(name, cold=options.cold)
            if options.growth:
                benchmark.grow()
        except BenchmarkError as error:
            sys.exit(f"error: {error}")
    machine = {**_machine(), "load": [load, os.getloadavg()[0]], "runs": options.runs}
    print(_heading(machine))
    print()
    print(results.table(benchmark.rows))
    print()
    print(results.NOT_MEASURED)
    if options.json is not None:
        rows = [row.as_json() for row in benchmark.rows]
        document = {"machine": machine, "rows": rows, "measured": benchmark.raw}
        options.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description="Measures builds of three sets of packages against the uv recipe. The caches "
        "are filled from the package index first; --growth alone needs no network.",
    )
    parser.add_argument(
        "--set",
        action="append",
        choices=[name.lower() for name in sets.SETS],
        help="a set of packages; may be repeated [all of them, or none with --growth]",
    )
    parser.add_argument("--runs", type=_positive, default=5, metavar="N", help="rounds [5]")
    parser.add_argument("--growth", action="store_true", help="5 to 80 local wheels")
    parser.add_argument("--cold", action="store_true", help="with empty caches, too")
    parser.add_argument("--work", type=Path, metavar="DIR", help="keep the projects and caches")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number")
    return parser.parse_args()


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise ValueError(text)
    return number


def _machine() -> dict[str, object]:
    version = subprocess.run(
        [find_uv_bin(), "--version"], capture_output=True, text=True, check=True
    ).stdout.split()[1]
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "uv": version,
        "zip": recipes.ZIP_PROGRAM,
    }


def _heading(machine: dict[str, object]) -> str:
    load: Sequence[float] = machine["load"]  # type: ignore[assignment]
    return f"""\
{machine["system"]}, {machine["cores"]} cores, load {load[0]:.1f} before and {load[1]:.1f} after;
Python {machine["python"]}, uv {machine["uv"]}; {machine["runs"]} runs each, in turn.
`tool` is `python -m hatchling build -t lambda-layer`. It stands against
  warm and empty caches: `uv export`, `uv pip install --target` and {machine["zip"]}
  nothing changed: `python -m hatchling build -t wheel` of an empty project
  growth: the row with half as many wheels
Times are medians, ratios are medians of the ratios in a round, peak is the largest process."""


if __name__ == "__main__":
    main()
