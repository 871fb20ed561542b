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
from pathlib import Path
from typing import TYPE_CHECKING

from uv import find_uv_bin

from tests.support.system_parts import MissingPart

from . import recipes, results, sets
from .by_tool import by_tool
from .in_containers import PEER as SAM
from .in_containers import in_containers
from .in_fleet import PEER as ALONE
from .in_fleet import in_fleet
from .locks import LOCKFILES
from .measure import BenchmarkError, Usage, say
from .peers import PEERS
from .recipes import Caches
from .session import Session, say_differences

if TYPE_CHECKING:
    from collections.abc import Sequence

_COUNTS = (5, 10, 20, 40, 80)


def by_set(session: Session, name: str, *, cold: bool) -> None:
    """Measure one set: warm caches, nothing changed, and empty caches where wanted."""
    say(f"{name}: locking")
    ours, theirs = sets.make_set(session.folder / name.lower(), name)
    warm = Caches(session.folder / "caches")
    tool, recipe = recipes.tool(ours, warm), recipes.recipe(theirs, warm)
    say(f"{name}: filling the caches")
    for contender in (tool, recipe):
        contender.run()
    session.compare(results.WARM, name, tool, recipe)
    say_differences(name, tool, recipe)
    sizes = (recipes.layer_of(contender).stat().st_size for contender in (tool, recipe))
    session.rows.append(results.size(name, *sizes))
    session.unchanged(name, recipes.tool(ours, warm, keep=True))
    if cold:
        fresh = Caches(session.folder / "caches-emptied")
        tool = recipes.tool(ours, fresh, cold=True)
        recipe = recipes.recipe(theirs, fresh, cold=True)
        session.compare(results.COLD, name, tool, recipe)
        fresh.clear()


def growth(session: Session) -> None:
    """Measure how time and memory grow with the number of wheels, without any network."""
    say("growth: making the wheels")
    projects = {
        count: sets.make_local(session.folder / f"growth-{count}", count) for count in _COUNTS
    }
    # Python keeps what it compiles: the first run of all pays for that.
    recipes.tool(projects[_COUNTS[0]], Caches(session.folder / "caches-first")).run()
    for state, cold in ((results.GROWTH_COLD, True), (results.GROWTH_WARM, False)):
        found: dict[int, list[Usage]] = {count: [] for count in _COUNTS}
        contenders = {
            count: recipes.tool(project, Caches(session.folder / f"caches-{count}"), cold=cold)
            for count, project in projects.items()
        }
        for number in range(session.runs):
            for count, contender in contenders.items():
                found[count].append(contender.run())
            walls = ", ".join(f"{count}: {runs[-1].wall:.2f} s" for count, runs in found.items())
            say(f"{state}: run {number + 1} of {session.runs}: {walls}")
        session.keep(state, "", {f"{count} wheels": runs for count, runs in found.items()})
        session.rows += results.growth(state, _COUNTS, found)


def main() -> None:
    """Run what the command line asks for, and print the table."""
    options = _options()
    names = [name.upper() for name in options.set or ()]
    if not names and not (options.growth or options.containers or options.fleet):
        names = list(sets.SETS)
    load = os.getloadavg()[0]
    with ExitStack() as stack:
        folder = options.work
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
        folder = folder.absolute()
        folder.mkdir(parents=True, exist_ok=True)
        session = Session(folder, options.runs)
        try:
            for name in names:
                if options.tools is None:
                    by_set(session, name, cold=options.cold)
                else:
                    by_tool(session, name, options.tools or list(LOCKFILES), cold=options.cold)
            if options.growth:
                growth(session)
            if options.containers:
                in_containers(session)
            if options.fleet:
                in_fleet(session)
        except (BenchmarkError, MissingPart) as error:
            sys.exit(f"error: {error}")
    machine = {**_machine(), "load": [load, os.getloadavg()[0]], "runs": options.runs}
    print(_heading(machine, by_tool=options.tools is not None))
    print()
    print(results.table(session.rows))
    print()
    print(results.NOT_MEASURED)
    if options.json is not None:
        rows = [row.as_json() for row in session.rows]
        document = {"machine": machine, "rows": rows, "measured": session.raw}
        options.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description="Measures builds of three sets of packages against the uv recipe. The caches "
        "are filled from the package index first; --growth and --fleet need no network.",
    )
    parser.add_argument(
        "--set",
        action="append",
        choices=[name.lower() for name in sets.SETS],
        help="a set of packages; may be repeated [all of them, or none with --growth]",
    )
    parser.add_argument("--runs", type=_positive, default=5, metavar="N", help="rounds [5]")
    parser.add_argument(
        "--tools",
        nargs="*",
        choices=list(LOCKFILES),
        metavar="TOOL",
        help="the sets as each tool locks them, against its peers; all tools unless some are named",
    )
    parser.add_argument(
        "--containers",
        action="store_true",
        help="MEDIUM with one package that has only a native sdist, against `sam build`",
    )
    parser.add_argument(
        "--fleet",
        action="store_true",
        help="the first build of a runner with the fleet's cache and without; needs no network",
    )
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


def _heading(machine: dict[str, object], *, by_tool: bool) -> str:
    load: Sequence[float] = machine["load"]  # type: ignore[assignment]
    usual = f"  warm and empty caches: {PEERS['uv'].format(zip=machine['zip'])}"
    peers = [f"  {tool}: {peer.format(zip=machine['zip'])}" for tool, peer in PEERS.items()]
    listed = "\n".join(peers if by_tool else [usual])
    return f"""\
{machine["system"]}, {machine["cores"]} cores, load {load[0]:.1f} before and {load[1]:.1f} after;
Python {machine["python"]}, uv {machine["uv"]}; {machine["runs"]} runs each, in turn.
`tool` is `python -m hatchling build -t lambda-layer`. It stands against
{listed}
  in a container: {SAM}
  a runner's first build: {ALONE}
  nothing changed: `python -m hatchling build -t wheel` of an empty project
  growth: the row with half as many wheels
Times are medians, ratios are medians of the ratios in a round, peak is the largest process."""


if __name__ == "__main__":
    main()
