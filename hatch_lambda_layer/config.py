"""`[tool.lambda-layer]` as frozen values: read once, every error in one go."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from .exceptions import ConfigError
from .targets import Architecture, Runtime, Target, runtimes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

T = TypeVar("T")

TABLE = "tool.lambda-layer"
# "250 MB" in AWS's documentation, 262,144,000 bytes in its error text; the layers of a function
# share it with the function's own code.
LAMBDA_UNPACKED_LIMIT = 262_144_000
TOOLS = ("uv", "poetry", "pdm", "pip", "pylock")
BUILD_POLICIES = ("local", "never")

_UNITS = {"": 1, "b": 1}
_UNITS |= {f"{prefix}b": 1000**power for power, prefix in enumerate("kmg", 1)}
_UNITS |= {f"{prefix}ib": 1024**power for power, prefix in enumerate("kmg", 1)}


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerConfig:
    """What `[tool.lambda-layer]` asks for, for one layer.

    `name` is `None` for the layer of the table itself, `tool` is `None` when the lockfile decides.
    `prune` holds presets and patterns in their order. `force_include` pairs a path on disk,
    relative to the project, with its path in the layer. `max_size` is in bytes, unpacked.
    """

    name: str | None
    tool: str | None
    requirements: tuple[str, ...]
    runtimes: tuple[Runtime, ...]
    architectures: tuple[Architecture, ...]
    groups: tuple[str, ...]
    extras: tuple[str, ...]
    include_project: bool
    exclude: tuple[str, ...]
    allow_missing: tuple[str, ...]
    build: str
    prune: tuple[str, ...]
    force_include: tuple[tuple[str, str], ...]
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
    """All layers of a project: each layer on each runtime and architecture."""

    layers: tuple[LayerConfig, ...]

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

        `overrides` are keys of the table that count instead of what it says, for every layer.
        """
        tool = pyproject.get("tool", {})
        table = tool.get("lambda-layer") if isinstance(tool, dict) else None
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
        return cls(_read_layers(table, overrides or {}))


def _read_layers(
    table: Mapping[str, object], overrides: Mapping[str, object]
) -> tuple[LayerConfig, ...]:
    shared = {key: value for key, value in table.items() if key != "layers"}
    named = table.get("layers", {})
    problems: list[str] = []
    layers = [_Reader(None, {**shared, **overrides}, shared, problems).read()]
    if not isinstance(named, dict):
        problems.append(f"Field `{TABLE}.layers` must be a table of tables")
        named = {}
    for name, own in named.items():
        if not isinstance(own, dict):
            problems.append(f"Field `{TABLE}.layers.{name}` must be a table")
        elif re.fullmatch(r"[A-Za-z0-9_-]+", name) is None:
            problems.append(
                f"Field `{TABLE}.layers` has the name {name!r}, which is in a file's name: "
                "letters, digits, `-` and `_` only"
            )
        else:
            layers.append(_Reader(name, {**shared, **own, **overrides}, own, problems).read())
    if problems:
        raise ConfigError(problems)
    return tuple(layers)


class _Reader:
    """Takes the keys of a layer's table one by one and gathers what is wrong with them.

    `table` is what counts, `own` the part of it that is written in this layer's own table: what
    is wrong with the rest has been said where it is written.
    """

    def __init__(
        self,
        name: str | None,
        table: Mapping[str, object],
        own: Mapping[str, object],
        problems: list[str],
    ) -> None:
        self._name = name
        self._prefix = TABLE if name is None else f"{TABLE}.layers.{name}"
        self._rest = dict(table)
        self._own = own
        self._problems = problems

    def read(self) -> LayerConfig:
        known = sorted(
            field.replace("_", "-")
            for field in LayerConfig.__dataclass_fields__  # the fields are the keys
            if field != "name"
        )
        for key in self._rest:
            if key not in known:
                self._say(key, f"is unknown{_nearest(key, known)}")
        return LayerConfig(
            name=self._name,
            tool=self._choice("tool", TOOLS),
            requirements=self._strings("requirements"),
            runtimes=self._runtimes(),
            architectures=self._architectures(),
            groups=self._strings("groups"),
            extras=self._strings("extras"),
            include_project=self._flag("include-project"),
            exclude=self._strings("exclude"),
            allow_missing=self._strings("allow-missing"),
            build=self._choice("build", BUILD_POLICIES) or BUILD_POLICIES[0],
            prune=self._strings("prune"),
            force_include=self._force_include(),
            max_size=self._size("max-size", LAMBDA_UNPACKED_LIMIT),
        )

    def _say(self, key: str, problem: str) -> None:
        """Gather a problem with a key, unless it is inherited and has been gathered there."""
        top = re.split(r"[.\[]", key)[0]
        if self._name is None or top in self._own:
            self._problems.append(f"Field `{self._prefix}.{key}` {problem}")

    def _wrong(self, key: str, must: str, value: object, near: Collection[str] = ()) -> None:
        suggestion = _nearest(value, near) if isinstance(value, str) else ""
        self._say(key, f"must be {must}, not {_toml(value)}{suggestion}")

    def _choice(self, key: str, allowed: Collection[str]) -> str | None:
        value = self._rest.pop(key, None)
        if value is None or (isinstance(value, str) and value in allowed):
            return value
        self._wrong(key, f"one of {_listed(allowed)}", value, near=allowed)
        return None

    def _flag(self, key: str) -> bool:
        value = self._rest.pop(key, False)
        if not isinstance(value, bool):
            self._wrong(key, "true or false", value)
            return False
        return value

    def _strings(self, key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        return tuple(self._items(key, default).values())

    def _items(self, key: str, default: tuple[str, ...] = ()) -> dict[int, str]:
        """Give the strings of an array by their number, without those that are wrong."""
        value = self._rest.pop(key, None)
        if value is None:
            return dict(enumerate(default))
        if not isinstance(value, list):
            self._wrong(key, "an array of strings", value)
            return {}
        for number, item in enumerate(value):
            if not isinstance(item, str) or not item.strip():
                self._wrong(f"{key}[{number}]", "a string that is not empty", item)
        items = {n: item for n, item in enumerate(value) if isinstance(item, str) and item.strip()}
        strings = list(items.values())
        for item in sorted({item for item in strings if strings.count(item) > 1}):
            self._say(key, f"has {_toml(item)} more than once")
        return items

    def _parsed(
        self,
        key: str,
        items: Mapping[int, str],
        parse: Callable[[str], T],
        allowed: Collection[str],
    ) -> tuple[T, ...]:
        parsed = []
        for number, value in items.items():
            try:
                parsed.append(parse(value))
            except (KeyError, ValueError):
                self._wrong(f"{key}[{number}]", f"one of {_listed(allowed)}", value, near=allowed)
        return tuple(parsed)

    def _runtimes(self) -> tuple[Runtime, ...]:
        known = runtimes()
        if self._rest.get("runtimes", []) == []:
            self._rest.pop("runtimes", None)
            self._say("runtimes", f"must name at least one of {_listed(known)}")
            return ()
        return self._parsed("runtimes", self._items("runtimes"), known.__getitem__, known)

    def _architectures(self) -> tuple[Architecture, ...]:
        names = [architecture.value for architecture in Architecture]
        if self._rest.get("architectures") == []:
            self._rest.pop("architectures")
            self._say("architectures", f"must name at least one of {_listed(names)}")
            return ()
        items = self._items("architectures", ("x86_64",))
        found = self._parsed("architectures", items, Architecture.parse, names)
        if len(set(found)) < len(found) and len(set(items.values())) == len(items):
            self._say("architectures", "names one architecture twice")
        return found

    def _size(self, key: str, largest: int) -> int:
        value = self._rest.pop(key, largest)
        must = f"a size of at most {largest:,} bytes (Lambda's limit), such as '250 MiB'"
        if isinstance(value, int) and not isinstance(value, bool):
            size = value
        else:
            match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", str(value).lower())
            if match is None or match[2] not in _UNITS or not isinstance(value, str):
                self._wrong(key, must, value)
                return largest
            # Not above the limit, because infinity is no integer.
            size = int(min(float(match[1]) * _UNITS[match[2]], largest + 1))
        if not 0 < size <= largest:
            self._wrong(key, must, value)
        return size

    def _force_include(self) -> tuple[tuple[str, str], ...]:
        value = self._rest.pop("force-include", {})
        if not isinstance(value, dict):
            self._wrong("force-include", "a table of source = path in the layer", value)
            return ()
        pairs = []
        for source, path in value.items():
            key = f"force-include.{_toml(source)}"
            if not source:
                self._say(key, "names no file of the project")
            elif not isinstance(path, str) or not path.strip("/"):
                self._wrong(key, "a path in the layer, such as 'python/config'", path)
            elif _unsafe(path):
                self._wrong(key, "a path that stays in the layer, with `/` between its parts", path)
            else:
                pairs.append((source, path.strip("/")))
        return tuple(sorted(pairs))


def _unsafe(path: str) -> bool:
    parts = path.strip("/").split("/")
    bad_part = any(part in ("", ".", "..") for part in parts)
    return bad_part or "\\" in path or ":" in parts[0] or not path.isprintable()


def _nearest(text: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(text, list(known), n=1, cutoff=0.5)
    return f" (did you mean `{near[0]}`?)" if near else ""


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, (str, int, float)) else f"`{value}`"
