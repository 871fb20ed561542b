"""Waiting for what another process or thread does."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Value = TypeVar("Value")
# Far more than anything takes; a test that passes never waits for so long.
_SECONDS = 60.0


def wait_until(condition: Callable[[], Value]) -> Value:
    """Return the first true value of `condition`."""
    deadline = time.monotonic() + _SECONDS
    while not (value := condition()):
        assert time.monotonic() < deadline, "what was waited for did not happen"
        time.sleep(0.02)
    return value
