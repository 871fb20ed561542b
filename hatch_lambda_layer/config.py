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
TOOLS = ("uv", "pylock")

_UNITS = {"": 1, "b": 1}
_UNITS |= {f"{prefix}b": 1000**power for power, prefix in enumerate("kmg", 1)}
_UNITS |= {f"{prefix}ib": 1024**power for power, prefix in enumerate("kmg", 1)}


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerConfig:
    """What `[tool.lambda-layer]` asks for.

    `tool` is `None` when the lockfile decides. `prune` holds presets and patterns in their order.
    `force_include` pairs a path on disk, relative to the project, with its path in the layer.
    `max_size` is in bytes, unpacked.
    """

    tool: str | None
    runtimes: tuple[Runtime, ...]
    architectures: tuple[Architecture, ...]
    groups: tuple[str, ...]
    extras: tuple[str, ...]
    include_project: bool
    prune: tuple[str, ...]
    force_include: tuple[tuple[str, str], ...]
    max_size: int

    @property
    def targets(self) -> tuple[Target, ...]:
        """The matrix: each runtime on each architecture."""
        return tuple(Target(r, a) for r in self.runtimes for a in self.architectures)

    @classmethod
    def from_pyproject(cls, pyproject: Mapping[str, object]) -> LayerConfig:
        """Read the table of a parsed `pyproject.toml`; raise `ConfigError` with every error."""
        tool = pyproject.get("tool", {})
        table = tool.get("lambda-layer") if isinstance(tool, dict) else None
        if table is None:
            raise ConfigError(
                [
                    (
                        f"Table `{TABLE}` is missing in pyproject.toml: it names the Lambda "
                        f"runtime, for example\n\n[{TABLE}]\n"
                        f'runtimes = ["{next(iter(runtimes()))}"]'
                    )
                ]
            )
        if not isinstance(table, dict):
            raise ConfigError([f"Field `{TABLE}` must be a table"])
        return _Reader(table).read()


class _Reader:
    """Takes the keys of the table one by one and gathers what is wrong with them."""

    def __init__(self, table: Mapping[str, object]) -> None:
        self._rest = dict(table)
        self._problems: list[str] = []

    def read(self) -> LayerConfig:
        known = sorted(
            field.replace("_", "-")
            for field in LayerConfig.__dataclass_fields__  # the fields are the keys
        )
        unknown = [key for key in self._rest if key not in known]
        self._problems += [
            f"Field `{TABLE}.{key}` is unknown{_nearest(key, known)}" for key in unknown
        ]
        config = LayerConfig(
            tool=self._choice("tool", TOOLS),
            runtimes=self._runtimes(),
            architectures=self._architectures(),
            groups=self._strings("groups"),
            extras=self._strings("extras"),
            include_project=self._flag("include-project"),
            prune=self._strings("prune"),
            force_include=self._force_include(),
            max_size=self._size("max-size", LAMBDA_UNPACKED_LIMIT),
        )
        if self._problems:
            raise ConfigError(self._problems)
        return config

    def _wrong(self, key: str, must: str, value: object, near: Collection[str] = ()) -> None:
        suggestion = _nearest(value, near) if isinstance(value, str) else ""
        self._problems.append(
            f"Field `{TABLE}.{key}` must be {must}, not {_toml(value)}{suggestion}"
        )

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
            self._problems.append(f"Field `{TABLE}.{key}` has {_toml(item)} more than once")
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
            self._problems.append(
                f"Field `{TABLE}.runtimes` must name at least one of {_listed(known)}"
            )
            return ()
        return self._parsed("runtimes", self._items("runtimes"), known.__getitem__, known)

    def _architectures(self) -> tuple[Architecture, ...]:
        names = [architecture.value for architecture in Architecture]
        if self._rest.get("architectures") == []:
            self._rest.pop("architectures")
            self._problems.append(
                f"Field `{TABLE}.architectures` must name at least one of {_listed(names)}"
            )
            return ()
        items = self._items("architectures", ("x86_64",))
        found = self._parsed("architectures", items, Architecture.parse, names)
        if len(set(found)) < len(found) and len(set(items.values())) == len(items):
            self._problems.append(f"Field `{TABLE}.architectures` names one architecture twice")
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
                self._problems.append(f"Field `{TABLE}.{key}` names no file of the project")
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
