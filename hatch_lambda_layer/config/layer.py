"""`[tool.lambda-layer]` as frozen values: read once, with all errors reported together."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

from .._internal.tables import value_at
from ..exceptions import ConfigError, backticked
from ..targets.target import Architecture, Runtime, Target, runtimes
from .container import ContainerConfig, read_container
from .custom_runtimes import KEY as CUSTOM_RUNTIMES
from .custom_runtimes import read_custom_runtimes
from .indexes import TABLE as INDEXES
from .indexes import PrivateIndex, read_indexes
from .reader import TableReader, toml

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

TABLE = "tool.lambda-layer"
# "250 MB" on AWS's page "Lambda quotas", 262,144,000 bytes in its error text; the layers of a
# function share it with the function's own code.
LAMBDA_UNPACKED_LIMIT = 262_144_000
# "50 MB (zipped, for direct upload)" on the same page: larger zips go through S3.
LAMBDA_DIRECT_UPLOAD_LIMIT = 52_428_800
TOOLS = ("uv", "poetry", "pdm", "pip", "pylock")
# For all that is done for one source, which may be compiled for minutes.
DEFAULT_BUILD_TIMEOUT = 600
BUILD_POLICIES = ("local", "container", "auto", "never")
# What no layer has for its own alone, with the tables that have it.
_SHARED = {"indexes": f"[[{INDEXES}]]", CUSTOM_RUNTIMES: f"[{TABLE}.{CUSTOM_RUNTIMES}]"}
_OF_THE_PROJECT = ("layers", *_SHARED)


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerConfig:
    """The configuration of one layer, as `[tool.lambda-layer]` has it.

    `name` is `None` for the layer of the table itself, `tool` is `None` when the lockfile decides.
    `python_full_version` are patch releases, which the `runtimes` have already.
    `prune` holds presets and patterns in their order. `force_include` pairs a path on disk,
    relative to the project, with its path in the layer; with `force_include_outside` it may lie
    outside of the project's repository. `max_size` is in bytes, unpacked,
    `build_timeout` in seconds, for each source.
    """

    name: str | None
    tool: str | None
    requirements: tuple[str, ...]
    runtimes: tuple[Runtime, ...]
    python_full_version: tuple[str, ...]
    architectures: tuple[Architecture, ...]
    groups: tuple[str, ...]
    extras: tuple[str, ...]
    include_project: bool
    exclude: tuple[str, ...]
    allow_missing: tuple[str, ...]
    build: str
    build_timeout: int
    container: ContainerConfig
    prune: tuple[str, ...]
    force_include: tuple[tuple[str, str], ...]
    force_include_outside: bool
    max_size: int


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

    `indexes` are those that the project names, for all layers.
    """

    layers: tuple[LayerConfig, ...]
    indexes: tuple[PrivateIndex, ...] = ()

    @property
    def members(self) -> tuple[Member, ...]:
        """Each layer on each runtime and architecture."""
        return tuple(
            Member(config=layer, target=Target(runtime, architecture))
            for layer in self.layers
            for runtime in layer.runtimes
            for architecture in layer.architectures
        )

    @classmethod
    def from_pyproject(
        cls, pyproject: Mapping[str, object], overrides: Mapping[str, object] | None = None
    ) -> Matrix:
        """Read the table of a parsed `pyproject.toml`; raise `ConfigError` with every error.

        `overrides` are keys of the table with the values that replace its own, for every layer.
        """
        table = value_at(pyproject, "tool", "lambda-layer")
        if table is None and not overrides:
            raise ConfigError(
                [
                    (
                        f"Table `{TABLE}` is missing in pyproject.toml: it names the Lambda "
                        f"runtime, for example\n\n[{TABLE}]\n"
                        f'runtimes = ["{next(iter(runtimes()))}"]'
                    )
                ]
            )
        table = {} if table is None else table
        if not isinstance(table, dict):
            raise ConfigError([f"Field `{TABLE}` must be a table"])
        problems: list[str] = []
        known = {**runtimes(), **read_custom_runtimes(pyproject, problems)}
        layers = _read_layers(table, overrides or {}, known, problems)
        indexes = read_indexes(pyproject, problems)
        if problems:
            raise ConfigError(problems)
        return cls(layers, indexes)


def _read_layers(
    table: Mapping[str, object],
    overrides: Mapping[str, object],
    known: Mapping[str, Runtime],
    problems: list[str],
) -> tuple[LayerConfig, ...]:
    shared = {key: value for key, value in table.items() if key not in _OF_THE_PROJECT}
    named = table.get("layers", {})
    layers = [_LayerReader(None, {**shared, **overrides}, shared, known, problems).read()]
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
            table_of_layer = {**shared, **own, **overrides}
            written = own.keys() - overrides.keys()
            layers.append(_LayerReader(name, table_of_layer, written, known, problems).read())
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


class _LayerReader(TableReader):
    """Reads the table of one layer; `own` are the keys that are written in it, not inherited.

    `known` are the runtimes, by name.
    """

    def __init__(
        self,
        name: str | None,
        table: Mapping[str, object],
        own: Collection[str],
        known: Mapping[str, Runtime],
        problems: list[str],
    ) -> None:
        super().__init__(
            TABLE if name is None else f"{TABLE}.layers.{name}",
            table,
            problems,
            written=None if name is None else own,
        )
        self._name = name
        self._known = known

    def read(self) -> LayerConfig:
        fields = LayerConfig.__dataclass_fields__
        # The table `publish` is read only when something is published.
        self.check_known(
            ["publish", *(field.replace("_", "-") for field in fields if field != "name")]
        )
        patches = self._patches()
        return LayerConfig(
            name=self._name,
            tool=self.choice("tool", TOOLS),
            requirements=self.strings("requirements"),
            runtimes=self._runtimes(patches),
            python_full_version=patches,
            architectures=self._architectures(),
            groups=self.strings("groups"),
            extras=self.strings("extras"),
            include_project=self.flag("include-project"),
            exclude=self.strings("exclude"),
            allow_missing=self.strings("allow-missing"),
            build=self.choice("build", BUILD_POLICIES) or BUILD_POLICIES[0],
            build_timeout=self.number("build-timeout", 1) or DEFAULT_BUILD_TIMEOUT,
            container=self._container(),
            prune=self.strings("prune"),
            force_include=self._force_include(),
            force_include_outside=self.flag("force-include-outside"),
            max_size=self.size("max-size", LAMBDA_UNPACKED_LIMIT),
        )

    def _runtimes(self, patches: Collection[str]) -> tuple[Runtime, ...]:
        known = self._known
        if self.value("runtimes", []) == []:
            self.say("runtimes", f"must name at least one of {backticked(known)}")
            return ()
        found = self.parsed("runtimes", self.items("runtimes"), known.__getitem__, known)
        by_minor = {version.rpartition(".")[0]: version for version in patches}
        return tuple(
            replace(each, python=by_minor.get(each.python.rpartition(".")[0], each.python))
            for each in found
        )

    def _patches(self) -> tuple[str, ...]:
        """Return patch releases of Python; those of runtimes that the layer lacks do no harm."""
        minors = {".".join(map(str, each.python_version)) for each in self._known.values()}
        key, found = "python-full-version", {}
        for number, version in self.items(key).items():
            minor, _, patch = version.rpartition(".")
            if minor not in minors or not re.fullmatch("[0-9]{1,3}", patch):
                self.wrong(f"{key}[{number}]", "a patch release of a runtime's Python", version)
            elif minor in found:
                self.say(key, f"has two patch releases of Python {minor}")
            else:
                found[minor] = version
        return tuple(found.values())

    def _architectures(self) -> tuple[Architecture, ...]:
        names = [architecture.value for architecture in Architecture]
        if self.value("architectures") == []:
            self.say("architectures", f"must name at least one of {backticked(names)}")
            return ()
        items = self.items("architectures", ("x86_64",))
        found = self.parsed("architectures", items, Architecture.parse, names)
        if len(set(found)) < len(found) and len(set(items.values())) == len(items):
            self.say("architectures", "names one architecture twice")
        return found

    def _container(self) -> ContainerConfig:
        # The errors of an inherited table are reported once, for the table that has them.
        own = self._written is None or "container" in self._written
        problems = self._problems if own else []
        return read_container(f"{self._prefix}.container", self.table("container"), problems)

    def _force_include(self) -> tuple[tuple[str, str], ...]:
        value = self.value("force-include", {})
        if not isinstance(value, dict):
            self.wrong("force-include", "a table of source = path in the layer", value)
            return ()
        pairs = []
        for source, path in value.items():
            key = f"force-include.{toml(source)}"
            if not source:
                self.say(key, "must name a file or folder of the project")
            elif not isinstance(path, str) or not path.strip("/"):
                self.wrong(key, "a path in the layer, such as 'python/config'", path)
            elif _unsafe(path):
                self.wrong(key, "a path that stays in the layer, with `/` between its parts", path)
            else:
                pairs.append((source, path.strip("/")))
        return tuple(sorted(pairs))


def _unsafe(path: str) -> bool:
    parts = path.strip("/").split("/")
    bad_part = any(part in ("", ".", "..") for part in parts)
    return bad_part or "\\" in path or ":" in parts[0] or not path.isprintable()
