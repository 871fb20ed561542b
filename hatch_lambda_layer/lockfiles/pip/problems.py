"""Lines of requirements files that can't be used: all of them are told in one error."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ..._internal.process import redact
from ...exceptions import LockfileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .requirements import Line

T = TypeVar("T")


def attempt(read: Callable[[Line], T], line: Line, problems: list[str]) -> T | None:
    """Return what `read` makes of a line; a `ValueError` is one more of the problems."""
    try:
        return read(line)
    except (ValueError, LookupError) as error:
        said = str(error)
    except RecursionError:
        said = "is nested too deeply"
    problems.append(f"`{redact(line.text)}` ({line.where}) {said}")
    return None


def unusable(problems: Iterable[str], hint: str | None = None) -> LockfileError:
    """Return the error that lists problems."""
    items = (f"- {each}" for each in problems)
    return LockfileError(
        "\n".join(("The requirements can't be used as they are:", *items)), hint=hint
    )
