"""How long the build of a source may take, whatever of it is running."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..exceptions import BuildError, quoted

if TYPE_CHECKING:
    from ..exceptions import ToolTimeoutError

_LONGER = (
    "set `build-timeout` in [tool.lambda-layer] to more seconds if it needs them, or "
    "lock a version that has a wheel"
)


@dataclass(frozen=True, slots=True)
class Deadline:
    """`end` is the moment, on the monotonic clock, at which `seconds` are over."""

    seconds: int
    end: float

    @classmethod
    def after(cls, seconds: int) -> Deadline:
        """Return the deadline that is `seconds` from now."""
        return cls(seconds, time.monotonic() + seconds)

    def left(self) -> float:
        """Return how many seconds are left."""
        return max(0.0, self.end - time.monotonic())

    def missed(self, title: str, running: str, said: str = "", hint: str = _LONGER) -> BuildError:
        """Return the error for a source whose time was up while `running` was going on."""
        return BuildError(
            f"The build of {title} was ended, since it was not done after {self.seconds} seconds "
            f"(`build-timeout`): {running} was still running\n\n{said}".rstrip(),
            hint=hint,
        )

    def missed_by(self, title: str, error: ToolTimeoutError, hint: str = _LONGER) -> BuildError:
        """Return the same for a program, with what it has said."""
        return self.missed(title, f"`{error.program}`", quoted(error.said), hint)
