"""Work side by side in threads that never keep the process alive."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Item = TypeVar("Item")
Result = TypeVar("Result")


def begin(work: Callable[[], Result]) -> Callable[..., Result]:
    """Begin `work` in a thread, and give the function that waits for its result or exception.

    That function takes the longest time to wait, in seconds; it raises `TimeoutError` then.
    """
    done: queue.SimpleQueue[tuple[Result | None, BaseException | None]] = queue.SimpleQueue()

    def worker() -> None:
        try:
            done.put((work(), None))
        except BaseException as error:  # noqa: BLE001  # it is raised again where it is waited for
            done.put((None, error))

    def wait(seconds: float | None = None) -> Result:
        try:
            result, error = done.get(timeout=seconds)
        except queue.Empty:
            raise TimeoutError from None
        if error is not None:
            raise error
        return result  # type: ignore[return-value]  # without an error there is a result

    threading.Thread(target=worker, daemon=True).start()
    return wait


def run_parallel(
    work: Callable[[Item], Result], items: Sequence[Item], workers: int
) -> Iterator[tuple[Item, Result]]:
    """Give each item with `work(item)`, as they come.

    The first exception ends the iteration and is raised; no further item is begun. The threads
    are daemons (those of `concurrent.futures` are not): Ctrl-C must not wait for a server that
    does not answer.
    """
    waiting: queue.SimpleQueue[Item] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[Item, Result | None, BaseException | None]] = queue.SimpleQueue()
    stop = threading.Event()
    for item in items:
        waiting.put(item)

    def worker() -> None:
        while not stop.is_set():
            try:
                item = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                done.put((item, work(item), None))
            except BaseException as error:  # noqa: BLE001  # it is raised again by the caller's thread
                done.put((item, None, error))

    for _ in range(min(workers, len(items))):
        threading.Thread(target=worker, daemon=True).start()
    try:
        for _ in items:
            item, result, error = done.get()
            if error is not None:
                raise error
            yield item, result  # type: ignore[misc]  # without an error there is a result
    finally:
        stop.set()
