"""The matrix of a project: each layer of `[tool.lambda-layer]` on each of its targets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from .._internal.tables import value_at
from ..exceptions import ConfigError
from ..layout import layer_filename
from ..targets.target import Target, runtimes
from .custom_runtimes import KEY as CUSTOM_RUNTIMES
from .custom_runtimes import read_custom_runtimes
from .hatch import misplaced_keys
from .indexes import TABLE as INDEXES
from .indexes import PrivateIndex, read_indexes
from .layer import KEYS, TABLE, LayerConfig, LayerReader, overridden
from .misnamed import misspelled_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..targets.target import Runtime

# What no layer has for its own alone, with the tables that have it.
_SHARED = {
    "indexes": f"[[{INDEXES}]]",
    CUSTOM_RUNTIMES: f"[{TABLE}.{CUSTOM_RUNTIMES}]",
    "filename": f"[{TABLE}]",
}
_OF_THE_PROJECT = ("layers", *_SHARED)
_OF_TARGETS = ("runtimes", "architectures")


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """A member of the matrix: one layer for one target."""

    config: LayerConfig
    target: Target

    @property
    def id(self) -> str:
        """The name of the member, such as `python3.13-x86_64` or `ml-python3.13-x86_64`."""
        name = self.config.name
        return f"{name}-{self.target.id}" if name else self.target.id


@dataclass(frozen=True, slots=True)
class Matrix:
    """All layers of a project: each layer on each runtime and architecture.

    `indexes` are those that the project names, for all layers, and `filename` begins the names of
    the files of all. `table_layers` are the layers as the table has them, where a caller has
    replaced their runtimes or architectures.
    """

    layers: tuple[LayerConfig, ...]
    indexes: tuple[PrivateIndex, ...] = ()
    filename: str = "layer"
    table_layers: tuple[LayerConfig, ...] | None = None

    @property
    def members(self) -> tuple[Member, ...]:
        """Each layer on each runtime and architecture."""
        return _members(self.layers)

    @property
    def table_ids(self) -> frozenset[str]:
        """The ids of the members that the table has: the names of the files depend on them."""
        layers = self.layers if self.table_layers is None else self.table_layers
        return frozenset(each.id for each in _members(layers))

    @classmethod
    def from_pyproject(
        cls, pyproject: Mapping[str, object], overrides: Mapping[str, object] | None = None
    ) -> Matrix:
        """Read the table of a parsed `pyproject.toml`; raise `ConfigError` with every error.

        `overrides` are keys of the table with the values that replace its own, for every layer.
        """
        problems = [*misplaced_keys(pyproject, [*KEYS, *_OF_THE_PROJECT])]
        table = value_at(pyproject, "tool", "lambda-layer")
        if table is None and (other := misspelled_table(pyproject)):
            raise ConfigError([*problems, f"Table `{other}` is not read: name it `[{TABLE}]`"])
        if table is None and not overrides:
            raise ConfigError(
                [
                    *problems,
                    (
                        f"Table `{TABLE}` is missing in pyproject.toml: it names the Lambda "
                        f"runtime, for example\n\n[{TABLE}]\n"
                        f'runtimes = ["{next(iter(runtimes()))}"]'
                    ),
                ]
            )
        table = {} if table is None else table
        if not isinstance(table, dict):
            raise ConfigError([*problems, f"Field `{TABLE}` must be a table"])
        known = {**runtimes(), **read_custom_runtimes(pyproject, problems)}
        layers = _read_layers(table, overrides or {}, known, problems)
        indexes = read_indexes(pyproject, problems)
        try:
            filename = layer_filename(pyproject)
        except ConfigError as error:
            problems += error.problems
        if problems:
            raise ConfigError(problems)
        return cls(layers, indexes, filename, _table_layers(table, overrides or {}, known))


def _members(layers: Iterable[LayerConfig]) -> tuple[Member, ...]:
    return tuple(
        Member(config=layer, target=Target(runtime, architecture))
        for layer in layers
        for runtime in layer.runtimes
        for architecture in layer.architectures
    )


def _table_layers(
    table: Mapping[str, object], overrides: Mapping[str, object], known: Mapping[str, Runtime]
) -> tuple[LayerConfig, ...] | None:
    """Return the layers of a table that names runtimes, if `overrides` replace their targets."""
    others = {key: value for key, value in overrides.items() if key not in _OF_TARGETS}
    if len(others) == len(overrides) or "runtimes" not in table:
        return None
    # What is wrong with the table is of no interest where it is replaced.
    return _read_layers(table, others, known, [])


def _read_layers(
    table: Mapping[str, object],
    overrides: Mapping[str, object],
    known: Mapping[str, Runtime],
    problems: list[str],
) -> tuple[LayerConfig, ...]:
    shared = {key: value for key, value in table.items() if key not in _OF_THE_PROJECT}
    named = table.get("layers", {})
    first = LayerReader(None, overridden(shared, overrides), shared, overrides, known, problems)
    layers = [first.read()]
    if not isinstance(named, dict):
        problems.append(f"Field `{TABLE}.layers` must be a table of tables")
        named = {}
    for name, own in named.items():
        if not isinstance(own, dict):
            problems.append(f"Field `{TABLE}.layers.{name}` must be a table")
        elif re.fullmatch(r"[A-Za-z0-9_-]+", name) is None:
            problems.append(
                f"Field `{TABLE}.layers` has the name {name!r}, which becomes part of a "
                "file name: use letters, digits, `-` and `_` only"
            )
        else:
            _refuse_shared(name, own, problems)
            own = {key: each for key, each in own.items() if key not in _SHARED}  # noqa: PLW2901
            table_of_layer = overridden(overridden(shared, own), overrides)
            written = own.keys() - overrides.keys()
            layers.append(LayerReader(name, table_of_layer, written, (), known, problems).read())
    # On a file system that ignores case, two such layers would be one file.
    for _, others in groupby(sorted(named, key=str.lower), key=str.lower):
        if len(alike := list(others)) > 1:
            names = " and ".join(f"`{each}`" for each in alike)
            problems.append(f"Field `{TABLE}.layers` has {names}, which differ only in case")
    return tuple(layers)


def _refuse_shared(layer: str, table: Mapping[str, object], problems: list[str]) -> None:
    for key, place in _SHARED.items():
        if key in table:
            problems.append(
                f"Field `{TABLE}.layers.{layer}.{key}` must be in `{place}`: it counts for the "
                "whole project"
            )
