"""`python -m tests.races`: kill and race builds and publications, and check what is left."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tests.publishing.killing import (
    CALLS,
    Layer,
    built_shop,
    kill_at_call,
    open_benches,
    recover,
    ten_at_once,
)
from tests.support.aws_server import moto_server
from tests.support.index_server import IndexServer

from .builds import KilledBuilds, Stage, build_together, share_cache

if TYPE_CHECKING:
    from collections.abc import Sequence

# Of the killed builds, one in so many has a source to build; of the killed publications, one in so
# many is followed by ten at once.
_SOURCES = 3
_KILLED_FOR_ONE_RACE = 50


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0; whatever is not as it should be is an `AssertionError`."""
    parser = argparse.ArgumentParser(prog="python -m tests.races", description=__doc__)
    parser.add_argument("--builds", type=int, default=500, help="that are killed")
    parser.add_argument("--publishes", type=int, default=200, help="that are killed")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="races-") as folder:
        root = Path(folder).resolve()
        if options.builds:
            _builds(root, options.builds, options.seed)
        if options.publishes:
            _publishes(root, options.publishes, options.seed)
    return 0


def _builds(root: Path, count: int, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311
    with IndexServer() as server:
        stage = Stage.make(root, server)
        kinds = [KilledBuilds(stage, dice, source=source) for source in (False, True)]
        start = time.monotonic()
        for number in range(count):
            kinds[number % _SOURCES == 0].kill_one()
        ends = sum((each.ends for each in kinds), Counter[str]())
        _say(f"{count} killed builds", start)
        for end, times in sorted(ends.items()):
            print(f"  {times:4} {end}")
        start, rounds = time.monotonic(), max(1, count // 100)
        for number in range(rounds):
            build_together(stage, f"one-cache-{number}", dice, caches=1)
            build_together(stage, f"caches-{number}", dice, caches=8)
            share_cache(stage, f"shared-{number}")
        _say(f"{rounds} times 8 builds with one cache, with 8 caches, of 8 projects", start)


def _publishes(root: Path, count: int, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311
    start = time.monotonic()
    with moto_server() as server, open_benches(server, 1) as (bench,):
        shop = built_shop(root, server)
        for number in range(count):
            layer = Layer(shop, f"{shop.name}-{number}")
            kill_at_call(layer, bench, dice.randrange(len(CALLS)), before=dice.random() < 0.5)
            recover(layer, bench.patient)
        _say(f"{count} killed publications", start)
        start, rounds = time.monotonic(), max(1, count // _KILLED_FOR_ONE_RACE)
        for number in range(rounds):
            ten_at_once(Layer(shop, f"{shop.name}-race-{number}"), bench)
        _say(f"{rounds} times 10 publications at once", start)


def _say(what: str, start: float) -> None:
    print(f"{what}: as it should be, {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
