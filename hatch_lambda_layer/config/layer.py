"""`[tool.lambda-layer]` as frozen values: read once, with all errors reported together."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

from .._internal.tables import value_at
from ..exceptions import ConfigError, backticked
from ..findings import FindingPolicy
from ..targets.target import Architecture, Runtime, Target, runtimes
from .container import ContainerConfig, read_container
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
# What is done to see that a layer works, the default first.
VERIFICATIONS = ("audit", "import", "none")
BUILD_POLICIES = ("local", "container", "auto", "never")
_OF_THE_PROJECT = ("layers", "indexes")


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerConfig:
    """The configuration of one layer, as `[tool.lambda-layer]` has it.

    `name` is `None` for the layer of the table itself, `tool` is `None` when the lockfile decides.
    `python_full_version` are patch releases, which the `runtimes` have already.
    `prune` holds presets and patterns in their order. `force_include` pairs a path on disk,
    relative to the project, with its path in the layer; with `force_include_outside` it may lie
    outside of the project's repository. `max_size` and `function_size` are in bytes, unpacked,
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
        layers = _read_layers(table, overrides or {}, problems)
        indexes = read_indexes(pyproject, problems)
        if problems:
            raise ConfigError(problems)
        return cls(layers, indexes)


def _read_layers(
    table: Mapping[str, object], overrides: Mapping[str, object], problems: list[str]
) -> tuple[LayerConfig, ...]:
    shared = {key: value for key, value in table.items() if key not in _OF_THE_PROJECT}
    named = table.get("layers", {})
    layers = [_LayerReader(None, {**shared, **overrides}, shared, problems).read()]
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
            if "indexes" in own:
                problems.append(
                    f"Field `{TABLE}.layers.{name}.indexes` must be in `[[{INDEXES}]]`: the "
                    "indexes are those of the whole project"
                )
            own = {key: value for key, value in own.items() if key != "indexes"}  # noqa: PLW2901
            table_of_layer = {**shared, **own, **overrides}
            written = own.keys() - overrides.keys()
            layers.append(_LayerReader(name, table_of_layer, written, problems).read())
    # On a file system that ignores case, two such layers would be one file.
    for _, others in groupby(sorted(named, key=str.lower), key=str.lower):
        if len(alike := list(others)) > 1:
            names = " and ".join(f"`{each}`" for each in alike)
            problems.append(f"Field `{TABLE}.layers` has {names}, which differ only in case")
    return tuple(layers)


class _LayerReader(TableReader):
    """Reads the table of one layer; `own` are the keys that are written in it, not inherited."""

    def __init__(
        self,
        name: str | None,
        table: Mapping[str, object],
        own: Collection[str],
        problems: list[str],
    ) -> None:
        super().__init__(
            TABLE if name is None else f"{TABLE}.layers.{name}",
            table,
            problems,
            written=None if name is None else own,
        )
        self._name = name

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
            scripts=self.flag("scripts"),
            libraries=self._libraries(),
            max_size=self.size("max-size", LAMBDA_UNPACKED_LIMIT),
            function_size=self.size("function-size", LAMBDA_UNPACKED_LIMIT, 0),
            strict=self.flag("strict"),
            ignore=self._codes("ignore"),
            error=self._codes("error"),
            verify=self.choice("verify", VERIFICATIONS) or VERIFICATIONS[0],
        )

    def _runtimes(self, patches: Collection[str]) -> tuple[Runtime, ...]:
        known = runtimes()
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

    def _libraries(self) -> tuple[str, ...]:
        items = self.items("libraries")
        for number, name in items.items():
            if re.fullmatch(r"[\w.+-]+\.so(?:\.[\w.]+)?", name) is None:
                must = "the file name of a shared library, such as 'libgomp.so.1'"
                self.wrong(f"libraries[{number}]", must, name)
        return tuple(items.values())

    def _codes(self, key: str) -> tuple[str, ...]:
        items = self.items(key)
        if not items:
            return ()
        from ..findings.codes import CODES

        for number, code in items.items():
            if code not in CODES:
                must = f"the code of a finding, such as {next(iter(CODES))!r}"
                self.wrong(f"{key}[{number}]", must, code, near=CODES)
        if key == "error" and (both := {*items.values()} & {*self.items("ignore").values()}):
            self.say(key, f"has {backticked(sorted(both))}, which `ignore` has as well")
        return tuple(items.values())

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
