"""The table of one layer as frozen values: read once, with all errors reported together."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..exceptions import backticked
from ..findings import FindingPolicy
from ..targets.target import Architecture, Runtime
from .container import ContainerConfig, read_container
from .fields import read_codes, read_force_include, read_libraries
from .misnamed import OTHER_TOOLS, suggested_runtime
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
# Keys that say the same thing in two ways: who writes one has replaced what is inherited.
_ALTERNATIVES = (("lockfile", ("requirements",)), ("only-groups", ("groups", "extras")))


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerConfig:
    """The configuration of one layer, as `[tool.lambda-layer]` has it.

    `name` is `None` for the layer of the table itself, `tool` is `None` when the lockfile decides.
    `lockfile` is a path relative to the project, `None` where a lockfile is looked for. With
    `only_groups`, the layer has these groups alone, not the project's own dependencies.
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
    lockfile: str | None
    requirements: tuple[str, ...]
    runtimes: tuple[Runtime, ...]
    python_full_version: tuple[str, ...]
    architectures: tuple[Architecture, ...]
    groups: tuple[str, ...]
    extras: tuple[str, ...]
    only_groups: tuple[str, ...]
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
KEYS = (
    "publish",
    *(field.replace("_", "-") for field in LayerConfig.__dataclass_fields__ if field != "name"),
)


def overridden(table: Mapping[str, object], own: Mapping[str, object]) -> dict[str, object]:
    """Return a table with the keys of `own`, without what these are alternatives to."""
    replaced = {
        key
        for one, others in _ALTERNATIVES
        for key in [*(others if one in own else ()), *([one] if own.keys() & {*others} else ())]
    }
    return {key: value for key, value in table.items() if key not in replaced} | {**own}


class LayerReader(TableReader):
    """A reader of one layer's table.

    `own` are the keys that are written in it, not inherited, and `given` those that a caller has
    replaced. `known` are the runtimes, by name.
    """

    def __init__(
        self,
        name: str | None,
        table: Mapping[str, object],
        own: Collection[str],
        given: Collection[str],
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
        self._given = given
        self._known = known

    def label(self, top: str, key: str) -> str:
        """Return how an error names a key, which a caller may have given."""
        if top in self._given:
            return f"The `{key}` given for this build"
        return super().label(top, key)

    def read(self) -> LayerConfig:
        """Return the configuration; what is wrong with it is added to the problems."""
        self.check_known(KEYS)
        self._check_alternatives()
        patches = self._patches()
        return LayerConfig(
            name=self._name,
            tool=self._tool(),
            lockfile=self.text("lockfile", r"(?s).*\S.*", "the path of a lockfile"),
            requirements=self.strings("requirements"),
            runtimes=self._runtimes(patches),
            python_full_version=patches,
            architectures=self._architectures(),
            groups=self.strings("groups"),
            extras=self.strings("extras"),
            only_groups=self.strings("only-groups"),
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

    def _check_alternatives(self) -> None:
        for one, others in _ALTERNATIVES:
            for other in others:
                if self.value(one) and self.value(other):
                    self.say(one, f"can't be combined with `{other}`")

    def _runtimes(self, patches: Collection[str]) -> tuple[Runtime, ...]:
        known = self._known
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
