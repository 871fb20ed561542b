"""`run_parallel`: results as they come, and nothing that outlives its caller."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time

import pytest

from hatch_lambda_layer._internal.parallel import begin, run_parallel

_HANGING = """
import sys, threading
from hatch_lambda_layer._internal.parallel import begin, run_parallel

def work(item):
    if item:
        threading.Event().wait()
    return item

results = run_parallel(work, [0, 1, 2], 3)
print(next(results), flush=True)
{then}
"""


def test_each_item_comes_once_with_its_result() -> None:
    items = list(range(200))
    results = dict(run_parallel(lambda item: item * item, items, 7))
    assert results == {item: item * item for item in items}


def test_results_come_as_they_are_ready_not_in_the_order_of_the_items() -> None:
    second_is_done = threading.Event()

    def work(item: str) -> str:
        if item == "first":
            assert second_is_done.wait(10)
        return item

    results = run_parallel(work, ["first", "second"], 2)
    assert next(results) == ("second", "second")
    second_is_done.set()
    assert next(results) == ("first", "first")
    assert list(results) == []


@pytest.mark.parametrize(("items", "workers", "at_once"), [(8, 4, 4), (3, 12, 3), (5, 1, 1)])
def test_as_many_work_at_once_as_there_are_workers(items: int, workers: int, at_once: int) -> None:
    lock = threading.Lock()
    running = 0
    most = 0

    def work(_item: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        deadline = time.monotonic() + 5
        while most < at_once and time.monotonic() < deadline:
            time.sleep(0.001)
        with lock:
            running -= 1

    assert len(list(run_parallel(work, range(items), workers))) == items
    assert most == at_once


def test_without_items_nothing_is_started() -> None:
    before = threading.active_count()
    assert list(run_parallel(lambda item: item, [], 4)) == []
    assert threading.active_count() == before


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt(), SystemExit(3)])
def test_the_first_error_is_raised_and_no_further_item_is_begun(error: BaseException) -> None:
    begun: list[int] = []
    failed = threading.Event()

    def work(item: int) -> int:
        begun.append(item)
        if item == 3:
            failed.set()
            raise error
        if item > 3:
            assert failed.wait(10)
            time.sleep(0.05)
        return item

    with pytest.raises(type(error)) as caught:
        list(run_parallel(work, range(1000), 2))
    assert caught.value is error
    time.sleep(0.1)
    assert len(begun) < 10


def test_what_a_caller_does_not_want_any_more_is_not_begun() -> None:
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        time.sleep(0.01)
        return item

    for _ in run_parallel(work, range(1000), 2):
        break
    time.sleep(0.1)
    assert len(begun) < 20


def test_what_is_begun_goes_on_beside_its_caller_until_it_is_waited_for() -> None:
    caller_went_on = threading.Event()

    def work() -> str:
        assert caller_went_on.wait(10)
        return "result"

    wait = begin(work)
    caller_went_on.set()
    assert wait() == "result"


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt(), SystemExit(3)])
def test_an_error_of_what_is_begun_is_raised_where_it_is_waited_for(error: BaseException) -> None:
    def work() -> None:
        raise error

    wait = begin(work)
    with pytest.raises(type(error)) as caught:
        wait()
    assert caught.value is error


@pytest.mark.fault(42)
@pytest.mark.parametrize(
    ("then", "code"),
    [
        ("", 0),
        ("sys.exit(7)", 7),
        ("raise ValueError('broken')", 1),
        ("begin(threading.Event().wait); sys.exit(7)", 7),
    ],
)
def test_threads_that_hang_do_not_keep_the_process_alive(then: str, code: int) -> None:
    argv = [sys.executable, "-c", _HANGING.format(then=then)]
    done = subprocess.run(argv, capture_output=True, check=False, text=True, timeout=10)
    assert done.stdout == "(0, 0)\n"
    assert done.returncode == code


@pytest.mark.fault(42)
def test_an_interrupt_is_heard_while_all_threads_hang() -> None:
    argv = [sys.executable, "-c", _HANGING.format(then="next(results)")]
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "(0, 0)\n"
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=10)
    assert time.monotonic() - start < 2
    assert "KeyboardInterrupt" in errors
