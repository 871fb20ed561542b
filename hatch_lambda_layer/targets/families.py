"""Families of distributions that the runtimes have: half of one in a layer breaks the other."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Family(NamedTuple):
    """Distributions that the runtime has, with the facts of `families.toml`.

    `core` are those that are left out together or not at all, `shared` are libraries that others
    may need as well. `oldest` are the oldest releases of some of the core that can be imported with
    the others of the runtime. Names are normalised.
    """

    name: str
    core: frozenset[str]
    shared: frozenset[str]
    oldest: Mapping[str, str]


@cache
def families() -> Mapping[str, Family]:
    """Return the known families by the name that `exclude` takes."""
    with Path(__file__).with_name("families.toml").open("rb") as file:
        table = tomllib.load(file)["families"]
    return {
        name: Family(
            name=name,
            core=frozenset(facts["core"]),
            shared=frozenset(facts["shared"]),
            oldest=facts["oldest"],
        )
        for name, facts in table.items()
    }
