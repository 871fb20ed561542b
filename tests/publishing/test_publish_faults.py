"""Whatever call of a publication fails, and however: the next run completes it, once.

Faults are real: answers that never come, connections that are reset, processes that are killed.
"""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import pytest

from tests.publishing.killing import (
    CALLS,
    Bench,
    Layer,
    built_shop,
    kill_at_call,
    open_benches,
    recover,
    ten_at_once,
)
from tests.publishing.runs import Run
from tests.support.aws_server import FAULTS, Fault, Injected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.publishing.shop import Shop

PUBLISHES = 5
THREADS = 2
Case = TypeVar("Case")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, server: str) -> Shop:
    """Build a layer that every run publishes, each under a name of its own."""
    return built_shop(tmp_path_factory.mktemp("faults"), server)


@pytest.fixture(scope="module")
def benches(server: str) -> Iterator[list[Bench]]:
    """Give a bench for each thread."""
    with open_benches(server, THREADS) as benches:
        yield benches


def run_with(faults: Sequence[tuple[int, Fault]], layer: Layer, bench: Bench) -> None:
    with bench.aws.watch():
        bench.aws.faults = [Injected(number, fault) for number, fault in faults]
        first = Run(layer.shop.root, layer.name)
        versions = first.publish(bench.impatient)
        bench.aws.faults = []
    # Either it was done in spite of the fault, or it says what is the matter.
    assert bool(versions) is not bool(first.errors)
    recover(layer, bench.patient)


def side_by_side(
    work: Callable[[Case, Bench], None], cases: Sequence[Case], benches: list[Bench]
) -> None:
    """Do the work on every case, on each bench in a thread."""

    def share(number: int) -> None:
        for case in cases[number::THREADS]:
            try:
                work(case, benches[number])
            except BaseException as error:
                error.add_note(f"in the case {case}")
                raise

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(share, range(THREADS)))


def test_the_calls_of_a_publication_are_those_that_faults_are_tried_at(
    built: Shop, benches: list[Bench]
) -> None:
    layer = Layer(built, f"{built.name}-calls")
    with benches[0].aws.watch() as requests:
        assert Run(built.root, layer.name).publish(benches[0].patient)
    assert tuple(each.call for each in requests) == CALLS
    assert [number for number, each in enumerate(requests) if each.publishes] == [PUBLISHES]
    layer.check_whole()


def calls_at(turn: int, turns: int, *, all_moments: bool) -> list[int]:
    """Return the calls at which a fault is tried: all, or those of its turn and the publishing one.

    Of `turns` faults with a turn each, every call so has one.
    """
    calls = range(len(CALLS))
    return [each for each in calls if all_moments or each % turns == turn or each == PUBLISHES]


@pytest.mark.moments
@pytest.mark.fault(52, 53, 54, 55, 64)
@pytest.mark.parametrize("fault", FAULTS)
def test_after_a_fault_at_any_call_the_next_run_completes_it(
    fault: Fault, built: Shop, benches: list[Bench], *, all_moments: bool
) -> None:
    word = fault.replace(" ", "-")

    def fail_at(call: int, bench: Bench) -> None:
        run_with([(call, fault)], Layer(built, f"{built.name}-{word}-{call}"), bench)

    # Every call has a fault before AWS gets it, and one after.
    after = fault.endswith(" after")
    kind = [each for each in FAULTS if each.endswith(" after") is after]
    calls = calls_at(kind.index(fault), len(kind), all_moments=all_moments)
    side_by_side(fail_at, calls, benches)


@pytest.mark.moments
@pytest.mark.fault(53, 54)
def test_after_several_faults_the_next_run_completes_it(
    built: Shop, benches: list[Bench], *, all_moments: bool
) -> None:

    def fail_at_several(seed: int, bench: Bench) -> None:
        dice = random.Random(seed)  # noqa: S311
        # Retries are calls, too, so that there are more of them than in a publication without.
        calls = dice.sample(range(len(CALLS) + 4), 3)
        faults = [(call, dice.choice(FAULTS)) for call in calls]
        run_with(faults, Layer(built, f"{built.name}-seed-{seed}"), bench)

    side_by_side(fail_at_several, range(80 if all_moments else 16), benches)


@pytest.mark.moments
@pytest.mark.fault(41, 55)
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_a_publisher_that_is_killed_at_any_call_is_completed_by_the_next(
    *, before: bool, built: Shop, benches: list[Bench], all_moments: bool
) -> None:
    word = "before" if before else "after"

    def kill(call: int, bench: Bench) -> None:
        layer = Layer(built, f"{built.name}-killed-{word}-{call}")
        kill_at_call(layer, bench, call, before=before)
        recover(layer, bench.patient)

    side_by_side(kill, calls_at(int(before), 2, all_moments=all_moments), benches)


@pytest.mark.fault(56)
def test_ten_publishers_at_once_agree_on_one_version(built: Shop, benches: list[Bench]) -> None:
    layer = Layer(built, f"{built.name}-race")
    ten_at_once(layer, benches[0])
