"""`[tool.lambda-layer]` as frozen values: read once, with all errors reported together."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

from .._internal.tables import value_at
from ..exceptions import ConfigError, backticked
from ..findings import FindingPolicy
from ..layout import layer_filename
from ..targets.target import Architecture, Runtime, Target, runtimes
from .container import ContainerConfig, read_container
from .fields import read_codes, read_force_include, read_libraries
from .hatch import misplaced_keys
from .indexes import TABLE as INDEXES
from .indexes import PrivateIndex, read_indexes
from .misnamed import OTHER_TOOLS, misspelled_table, suggested_runtime
from .reader import TableReader, toml

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

TABLE = "tool.lambda-layer"
# "250 MB" on AWS's page "Lambda quotas", 262,144,000 bytes in its error text; the layers of a
# function share it with the function's own code.
LAMBDA_UNPACKED_LIMIT = 262_144_000
# "50 MB (zipped, for direct upload)" on the same page: larger zips go through S3.
LAMBDA_DIRECT_UPLOAD_LIMIT = 52_428_800
TOOLS = ("uv", "poetry", "pdm", "pip", "pylock")
# For all that is done for one source, which may be compiled for minutes.
DEFAULT_BUILD_TIMEOUT = 600
# What is done to see that a layer works, the default first.
VERIFICATIONS = ("audit", "import", "none")
BUILD_POLICIES = ("local", "container", "auto", "never")
# What no layer has for its own alone, with the tables that have it.
_SHARED = {"indexes": f"[[{INDEXES}]]", "filename": f"[{TABLE}]"}
_OF_THE_PROJECT = ("layers", *_SHARED)
_OF_TARGETS = ("runtimes", "architectures")


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerConfig:
    """The configuration of one layer, as `[tool.lambda-layer]` has it.

    `name` is `None` for the layer of the table itself, `tool` is `None` when the lockfile decides.
    `python_full_version` are patch releases, which the `runtimes` have already.
    `prune` holds presets and patterns in their order, `prefer` the distributions whose files stay
    where another has the same path, the first before the others. `force_include` pairs a path on
    disk, relative to the project, with its path in the layer; with `force_include_outside` it may
    lie outside of the project's repository. `max_size` and `function_size` are in bytes, unpacked,
    `build_timeout` is in seconds, for each source. `ignore` and `error` are codes of findings;
    `verify` is one of `VERIFICATIONS`.
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
    prefer: tuple[str, ...]
    force_include: tuple[tuple[str, str], ...]
    force_include_outside: bool
    scripts: bool
    libraries: tuple[str, ...]
    max_size: int
    function_size: int
    strict: bool
    ignore: tuple[str, ...]
    error: tuple[str, ...]
    verify: str

    @property
    def findings(self) -> FindingPolicy:
        """The findings that the layer is not told of, and those that are errors for it."""
        return FindingPolicy(self.strict, self.ignore, self.error)


# The table `publish` is read only when something is published.
_KEYS = (
    "publish",
    *(field.replace("_", "-") for field in LayerConfig.__dataclass_fields__ if field != "name"),
)


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
        problems = [*misplaced_keys(pyproject, [*_KEYS, *_OF_THE_PROJECT])]
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
        layers = _read_layers(table, overrides or {}, problems)
        indexes = read_indexes(pyproject, problems)
        try:
            filename = layer_filename(pyproject)
        except ConfigError as error:
            problems += error.problems
        if problems:
            raise ConfigError(problems)
        return cls(layers, indexes, filename, _table_layers(table, overrides or {}))


def _members(layers: Iterable[LayerConfig]) -> tuple[Member, ...]:
    return tuple(
        Member(config=layer, target=Target(runtime, architecture))
        for layer in layers
        for runtime in layer.runtimes
        for architecture in layer.architectures
    )


def _table_layers(
    table: Mapping[str, object], overrides: Mapping[str, object]
) -> tuple[LayerConfig, ...] | None:
    """Return the layers of a table that names runtimes, if `overrides` replace their targets."""
    others = {key: value for key, value in overrides.items() if key not in _OF_TARGETS}
    if len(others) == len(overrides) or "runtimes" not in table:
        return None
    # What is wrong with the table is of no interest where it is replaced.
    return _read_layers(table, others, [])


def _read_layers(
    table: Mapping[str, object], overrides: Mapping[str, object], problems: list[str]
) -> tuple[LayerConfig, ...]:
    shared = {key: value for key, value in table.items() if key not in _OF_THE_PROJECT}
    named = table.get("layers", {})
    layers = [_LayerReader(None, {**shared, **overrides}, shared, overrides, problems).read()]
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
            layers.append(_LayerReader(name, table_of_layer, written, (), problems).read())
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
    """A reader of one layer's table.

    `own` are the keys that are written in it, not inherited, and `given` those that a caller has
    replaced.
    """

    def __init__(
        self,
        name: str | None,
        table: Mapping[str, object],
        own: Collection[str],
        given: Collection[str],
        problems: list[str],
    ) -> None:
        super().__init__(
            TABLE if name is None else f"{TABLE}.layers.{name}",
            table,
            problems,
            written=None if name is None else own,
        )
        self._name = name
        self._given = given

    def label(self, top: str, key: str) -> str:
        if top in self._given:
            return f"The `{key}` given for this build"
        return super().label(top, key)

    def read(self) -> LayerConfig:
        self.check_known(_KEYS)
        patches = self._patches()
        return LayerConfig(
            name=self._name,
            tool=self._tool(),
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
            prefer=self.strings("prefer"),
            force_include=read_force_include(self),
            force_include_outside=self.flag("force-include-outside"),
            scripts=self.flag("scripts"),
            libraries=read_libraries(self),
            max_size=self.size("max-size", LAMBDA_UNPACKED_LIMIT),
            function_size=self.size("function-size", LAMBDA_UNPACKED_LIMIT, 0),
            strict=self.flag("strict"),
            ignore=read_codes(self, "ignore"),
            error=read_codes(self, "error"),
            verify=self.choice("verify", VERIFICATIONS) or VERIFICATIONS[0],
        )

    def _tool(self) -> str | None:
        value = self.value("tool")
        if isinstance(value, str) and value in OTHER_TOOLS:
            way = OTHER_TOOLS[value]
            self.say("tool", f"must be one of {backticked(TOOLS)}, not {toml(value)}: {way}")
            return None
        return self.choice("tool", TOOLS)

    def _runtimes(self, patches: Collection[str]) -> tuple[Runtime, ...]:
        known = runtimes()
        if self.value("runtimes", []) == []:
            self.say("runtimes", f"must name at least one of {backticked(known)}")
            return ()
        items = self.items("runtimes")
        found = self.parsed("runtimes", items, known.__getitem__, known, suggested_runtime)
        by_minor = {version.rpartition(".")[0]: version for version in patches}
        return tuple(
            replace(each, python=by_minor.get(each.python.rpartition(".")[0], each.python))
            for each in found
        )

    def _patches(self) -> tuple[str, ...]:
        """Return patch releases of Python; those of runtimes that the layer lacks do no harm."""
        minors = {".".join(map(str, each.python_version)) for each in runtimes().values()}
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
