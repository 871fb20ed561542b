"""The reasons why a wheel of a locked package is the one for a target, or is not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from packaging.tags import Tag

    from ..targets.target import Target

_MANYLINUX = re.compile(r"manylinux_(\d+)_(\d+)_(\w+)")
# The names before PEP 600, with the glibc that each stands for.
_LEGACY = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
_SYSTEMS = {
    "macosx": "macOS",
    "win": "Windows",
    "musllinux": "Linux with musl, and Lambda's has glibc",
    "android": "Android",
    "ios": "iOS",
    "pyodide": "WebAssembly",
    "wasi": "WebAssembly",
    "emscripten": "WebAssembly",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgedWheel:
    """A wheel that is locked; `fits` is whether the target can load it.

    `reasons` are phrases on why it is not the chosen one, each about a part of its tags.
    """

    filename: str
    chosen: bool
    fits: bool
    reasons: tuple[str, ...]


def judge_wheels(
    filenames: Iterable[str], chosen: str | None, target: Target
) -> tuple[JudgedWheel, ...]:
    """Return all wheels of a package: the `chosen` one, the others that fit, then the nearest."""
    from packaging.tags import Tag
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    ranks = {tag: rank for rank, tag in enumerate(target.tags())}
    found = []
    for filename in filenames:
        reasons: Sequence[str] = ()
        try:
            tags = parse_wheel_filename(filename)[-1]
        except InvalidWheelFilename as error:
            tags, reasons = frozenset[Tag](), [str(error)]
        rank = min((ranks.get(tag, len(ranks)) for tag in tags), default=len(ranks))
        fits = rank < len(ranks)
        if fits and filename != chosen:
            reasons = [_outranked(tags, ranks, chosen)]
        elif not fits and not reasons:
            reasons = _unfitting(tags, target)
        judged = JudgedWheel(
            filename=filename, chosen=filename == chosen, fits=fits, reasons=tuple(reasons)
        )
        found.append((not judged.chosen, rank, len(judged.reasons), filename, judged))
    return tuple(each[-1] for each in sorted(found, key=lambda each: each[:-1]))


def _outranked(tags: Iterable[Tag], ranks: dict[Tag, int], chosen: str | None) -> str:
    from packaging.utils import parse_wheel_filename

    own = min((tag for tag in tags if tag in ranks), key=ranks.__getitem__)
    if chosen is None:
        return f"{own} would fit"
    best = min((tag for tag in parse_wheel_filename(chosen)[-1] if tag in ranks), key=ranks.get)  # type: ignore[arg-type]
    if best == own:
        return f"{own} fits as well: of equal tags, the higher build number is taken"
    return f"{own} fits, but {best} is nearer to the target"


def _unfitting(tags: Iterable[Tag], target: Target) -> list[str]:
    """Return what does not fit: the Python, the platform, or each of them only with another."""
    fitting = {(tag.interpreter, tag.abi) for tag in target.tags()}
    platforms = {*target.platforms(), "any"}
    pythons = {(tag.interpreter, tag.abi): _python(tag, target) for tag in sorted(tags, key=str)}
    machines = {tag.platform: _platform(tag.platform, target) for tag in sorted(tags, key=str)}
    reasons: list[str] = []
    if fitting.isdisjoint(pythons):
        reasons += dict.fromkeys(pythons.values())
    if platforms.isdisjoint(machines):
        for why in dict.fromkeys(machines.values()):
            names = [platform for platform, each in machines.items() if each == why]
            reasons.append(f"{' and '.join(names)}: {why}")
    return reasons or ["no Python and platform of its tags fit together"]


def _python(tag: Tag, target: Target) -> str:
    major, minor = target.runtime.python_version
    own = f"cp{major}{minor}"
    if tag.abi == "abi3":
        return f"{tag.interpreter}-abi3 is for that Python or newer, not for {own}"
    if tag.abi.endswith("t") and tag.abi.startswith("cp"):
        return f"{tag.abi} is for Python without the GIL"
    if tag.interpreter.startswith("pp"):
        return f"{tag.interpreter} is PyPy, and Lambda has CPython"
    return f"{tag.interpreter}-{tag.abi} is not {own}, abi3 or py3"


def _platform(platform: str, target: Target) -> str:
    machine = target.architecture.machine
    for prefix, system in _SYSTEMS.items():
        if platform.startswith(prefix):
            return f"for {system}"
    if not platform.endswith(f"_{machine}"):
        return f"for another machine than {machine}"
    if glibc := _glibc(platform):
        have = ".".join(map(str, target.runtime.glibc))
        return f"for glibc {'.'.join(map(str, glibc))} or newer, and {target.runtime.id} has {have}"
    return "not a platform of Lambda's"


def _glibc(platform: str) -> Sequence[int] | None:
    if match := _MANYLINUX.fullmatch(platform):
        return int(match[1]), int(match[2])
    return _LEGACY.get(platform.partition("_")[0])
