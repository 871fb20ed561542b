"""Reading a table of `pyproject.toml` key by key; problems are collected, not raised."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

from ..exceptions import backticked

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

T = TypeVar("T")

_UNITS = {"": 1, "b": 1}
_UNITS |= {f"{prefix}b": 1000**power for power, prefix in enumerate("kmg", 1)}
_UNITS |= {f"{prefix}ib": 1024**power for power, prefix in enumerate("kmg", 1)}


class TableReader:
    """A reader of one table, which collects what is wrong with its keys in `problems`.

    `name` is the table's full name, with which every problem begins. `written` are the keys that
    are not inherited, `None` if none is: a problem with an inherited key is reported only for the
    table in which it is written.
    """

    def __init__(
        self,
        name: str,
        table: Mapping[str, object],
        problems: list[str],
        written: Collection[str] | None = None,
    ) -> None:
        self._prefix = name
        self._table = table
        self._problems = problems
        self._written = written

    def check_known(self, known: Iterable[str], meant: Mapping[str, str] | None = None) -> None:
        """Collect a problem for every unknown key, with the nearest known one.

        `meant` has the known key for names that others use for the same thing.
        """
        known, meant = sorted(known), meant or {}
        for key in self._table:
            if key not in known:
                # A quoted key may have a dot in it, which then separates nothing.
                suggestion = _suggested(meant[key]) if key in meant else nearest(key, known)
                self._collect(key, key, f"is unknown{suggestion}")

    def value(self, key: str, default: object = None) -> Any:
        """Return the value of a key, unchecked."""
        return self._table.get(key, default)

    def say(self, key: str, problem: str) -> None:
        """Collect a problem with a key, unless the key is inherited."""
        self._collect(re.split(r"[.\[]", key)[0], key, problem)

    def _collect(self, top: str, key: str, problem: str) -> None:
        if self._written is None or top in self._written:
            self._problems.append(f"{self.label(top, key)} {problem}")

    def label(self, top: str, key: str) -> str:  # noqa: ARG002  # it may decide for another reader
        """Return the name of a key in messages; `top` is the key of the table that it is below."""
        return f"Field `{self._prefix}.{key}`"

    def wrong(self, key: str, must: str, value: object, near: Collection[str] = ()) -> None:
        """Collect a problem with a value, and suggest the nearest of the names in `near`."""
        suggestion = nearest(value, near) if isinstance(value, str) else ""
        self.say(key, f"must be {must}, not {toml(value)}{suggestion}")

    def choice(self, key: str, allowed: Collection[str]) -> str | None:
        """Return a value that is one of `allowed`; `None` if it is missing or wrong."""
        value = self.value(key, None)
        if value is None or (isinstance(value, str) and value in allowed):
            return value
        self.wrong(key, f"one of {backticked(allowed)}", value, near=allowed)
        return None

    def flag(self, key: str) -> bool:
        """Return a boolean; false if it is missing or wrong."""
        value = self.value(key, False)
        if not isinstance(value, bool):
            self.wrong(key, "true or false", value)
            return False
        return value

    def text(self, key: str, pattern: str, must: str) -> str | None:
        """Return a string that matches all of `pattern`; `None` if it is missing or wrong."""
        value = self.value(key, None)
        if value is None:
            return None
        if not isinstance(value, str) or re.fullmatch(pattern, value) is None:
            self.wrong(key, must, value)
            return None
        return value

    def texts(self, key: str, pattern: str, must: str) -> tuple[str, ...]:
        """Return the strings of an array; each should match all of `pattern`."""
        items = self.items(key)
        for number, item in items.items():
            if re.fullmatch(pattern, item) is None:
                self.wrong(f"{key}[{number}]", must, item)
        return tuple(items.values())

    def number(self, key: str, least: int) -> int | None:
        """Return a whole number of at least `least`; `None` if it is missing or wrong."""
        value = self.value(key, None)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            self.wrong(key, f"a whole number of at least {least}", value)
            return None
        return value

    def table(self, key: str) -> dict[str, object]:
        """Return a table; an empty one if it is missing or wrong."""
        value = self.value(key, {})
        if not isinstance(value, dict):
            self.wrong(key, "a table", value)
            return {}
        return value

    def strings(self, key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Return the strings of an array, without items that are wrong."""
        return tuple(self.items(key, default).values())

    def items(self, key: str, default: tuple[str, ...] = ()) -> dict[int, str]:
        """Return the strings of an array by their index, without items that are wrong."""
        value = self.value(key, None)
        if value is None:
            return dict(enumerate(default))
        if not isinstance(value, list):
            self.wrong(key, "an array of strings", value)
            return {}
        for number, item in enumerate(value):
            if not isinstance(item, str) or not item.strip():
                self.wrong(f"{key}[{number}]", "a string that is not empty", item)
        items = {n: item for n, item in enumerate(value) if isinstance(item, str) and item.strip()}
        strings = list(items.values())
        for item in sorted({item for item in strings if strings.count(item) > 1}):
            self.say(key, f"has {toml(item)} more than once")
        return items

    def parsed(
        self,
        key: str,
        items: Mapping[int, str],
        parse: Callable[[str], T],
        allowed: Collection[str],
        suggest: Callable[[str, Collection[str]], str] | None = None,
    ) -> tuple[T, ...]:
        """Return `items`, parsed; `parse` raises `KeyError` or `ValueError` for a wrong one.

        `suggest` returns what to add about a wrong one, by default the nearest in `allowed`.
        """
        parsed = []
        for number, value in items.items():
            try:
                parsed.append(parse(value))
            except (KeyError, ValueError):
                must = f"must be one of {backticked(allowed)}, not {toml(value)}"
                self.say(f"{key}[{number}]", must + (suggest or nearest)(value, allowed))
        return tuple(parsed)

    def size(self, key: str, largest: int, default: int | None = None) -> int:
        """Return a size in bytes, written as a number or as a string with a unit.

        It is `default` if it is missing, by default `largest`; `largest` if it is malformed.
        """
        if key not in self._table and default is not None:
            return default
        value = self.value(key, largest)
        must = f"a size of at most {largest:,} bytes (Lambda's limit), such as '250 MiB'"
        if isinstance(value, int) and not isinstance(value, bool):
            size = value
        else:
            match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", str(value).lower())
            if match is None or match[2] not in _UNITS or not isinstance(value, str):
                self.wrong(key, must, value)
                return largest
            # Just above the limit at most: infinity can't be converted to an integer.
            size = int(min(float(match[1]) * _UNITS[match[2]], largest + 1))
        if not 0 < size <= largest:
            self.wrong(key, must, value)
        return size


def nearest(text: str, known: Iterable[str]) -> str:
    """Return a suggestion of the nearest known name; an empty string if none is near."""
    import difflib

    near = difflib.get_close_matches(text, list(known), n=1, cutoff=0.5)
    return _suggested(near[0]) if near else ""


def _suggested(name: str) -> str:
    return f" (did you mean `{name}`?)"


def toml(value: object) -> str:
    """Return a value nearly as TOML writes it, for messages."""
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, (str, int, float)) else f"`{value}`"
