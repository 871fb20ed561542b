"""`[tool.lambda-layer.custom-runtimes]` as frozen values: runtimes that AWS does not list."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .._internal.tables import value_at
from ..targets.target import Runtime, runtimes
from .reader import TableReader

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY = "custom-runtimes"
KEYS = ("python", "glibc", "compatible-runtimes")
_TABLE = f"tool.lambda-layer.{KEY}"
# It becomes part of file names, which not every file system distinguishes by case.
NAME = r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?"
PYTHON = (r"3\.[0-9]{1,2}(\.[0-9]{1,3})?", "a version of Python, such as '3.14' or '3.14.2'")
# PEP 599 is the oldest profile for which `ceilings.toml` knows what native code may need.
_OLDEST_GLIBC = (2, 17)
GLIBC = (r"2\.[0-9]{1,2}", "the version of its glibc, '2.17' or newer, such as '2.34'")
COMPATIBLE = (r"[a-z0-9.]+", "the name of a runtime of Lambda, such as 'provided.al2023'")


def read_custom_runtimes(pyproject: object, problems: list[str]) -> Mapping[str, Runtime]:
    """Read the runtimes that a parsed `pyproject.toml` describes, by name; collect `problems`."""
    table = value_at(pyproject, "tool", "lambda-layer", KEY)
    if table is None:
        return {}
    if not isinstance(table, dict):
        problems.append(f"Field `{_TABLE}` must be a table of tables")
        return {}
    found = (_read(name, own, problems) for name, own in table.items())
    return {runtime.id: runtime for runtime in found if runtime}


def _read(name: str, table: object, problems: list[str]) -> Runtime | None:
    if name in runtimes():
        problems.append(f"Field `{_TABLE}` describes {name!r}, which is a runtime of Lambda's own")
    elif re.fullmatch(NAME, name) is None:
        problems.append(
            f"Field `{_TABLE}` has the name {name!r}, which becomes part of a file name: use "
            "lower-case letters, digits, `.`, `_` and `-` only, with a letter or digit at its ends"
        )
    elif not isinstance(table, dict):
        problems.append(f"Field `{_TABLE}.{name}` must be a table")
    else:
        return _RuntimeReader(f"{_TABLE}.{name}", table, problems).read(name)
    return None


class _RuntimeReader(TableReader):
    """A reader of the table of one runtime."""

    def read(self, name: str) -> Runtime | None:
        """Return the runtime; `None` where a key is missing or wrong."""
        self.check_known(KEYS)
        for key, example in (("python", "3.14"), ("glibc", "2.34")):
            if self.value(key) is None:
                self.say(key, f"is missing: a layer is built for one, such as '{example}'")
        python, glibc = self.text("python", *PYTHON), self._glibc()
        compatible = self.texts("compatible-runtimes", *COMPATIBLE)
        if python is None or glibc is None:
            return None
        return Runtime(
            id=name,
            # Without a patch release, the oldest: what markers say of it is true of all others.
            python=python if python.count(".") > 1 else f"{python}.0",
            glibc=glibc,
            compatible=compatible,
        )

    def _glibc(self) -> tuple[int, int] | None:
        text = self.text("glibc", *GLIBC)
        if text is None:
            return None
        major, minor = map(int, text.split("."))
        if (major, minor) < _OLDEST_GLIBC:
            self.wrong("glibc", GLIBC[1], text)
            return None
        return major, minor
