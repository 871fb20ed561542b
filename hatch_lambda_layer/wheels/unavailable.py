"""Messages about packages without a wheel for a target, and about the ways to get one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..exceptions import SelectionError
from ..targets.target import Target, runtimes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from packaging.pylock import Package
    from packaging.tags import Tag

    from ..targets.target import Runtime
    from .selection import LockedSource

# How many tags an error lists for a package.
_SHOWN = 6
_MANYLINUX = re.compile(r"manylinux_(\d+)_(\d+)_(\w+)")


def no_wheels(
    reasons: Iterable[str],
    target: Target,
    wheels: Iterable[Sequence[str]] = (),
    another_way: str | None = None,
) -> SelectionError:
    """Return the error for packages that have no wheel for `target`, with the reason for each.

    `wheels` has the filenames of the wheels of each, `another_way` is a clause for the hint.
    """
    ways = ["pin a version that has a wheel for this runtime"]
    if newer := newer_runtime([*wheels], target):
        ways.append(f"choose a newer runtime: {has_wheels(newer)}")
    if another_way:
        ways.append(another_way)
    return SelectionError(
        f"These packages have no wheel for {target.id}, which {_takes(target)}:\n"
        + "\n".join(f"- {reason}" for reason in sorted(reasons)),
        hint=", or ".join(ways),
    )


def unfitting_wheels(package: Package, title: str, tags: Sequence[Tag]) -> str:
    """Describe the wheels there are: their platforms where the Python fits, else their Pythons."""
    from packaging.utils import parse_wheel_filename

    if not package.wheels:
        return f"{title} has only a source distribution, which would have to be built"
    pythons = {(tag.interpreter, tag.abi) for tag in tags}
    # The platforms that are nearest to the target first: those of its machine.
    machine = tags[0].platform.removeprefix("manylinux_").split("_", 2)[-1]
    found = {tag for wheel in package.wheels for tag in parse_wheel_filename(wheel.filename)[-1]}
    fitting = {tag.platform for tag in found if (tag.interpreter, tag.abi) in pythons}
    names = sorted(
        fitting or {f"{tag.interpreter}-{tag.abi}" for tag in found},
        key=lambda name: (not (name.startswith("manylinux") and name.endswith(machine)), name),
    )
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{title} has wheels for {', '.join(names[:_SHOWN])}{more}"


def why_built(source: LockedSource, target: Target) -> str:
    """Return, in a sentence, why a package is built: the wheels there are, and what would fit."""
    if source.wheels:
        return f"{source.reason}; it is built, since {target.id} {_takes(target)}"
    return f"It is built, since {source.reason}"


def newer_runtime(wheels: Sequence[Sequence[str]], target: Target) -> Runtime | None:
    """Return the nearest newer runtime of Lambda's for which each package has a wheel.

    `wheels` has the filenames of the wheels of each package. For a runtime of the user's own there
    is none: nobody else knows what could replace it.
    """
    if not wheels or target.runtime.compatible is not None:
        return None
    tags = [_tags(names) for names in wheels]
    for runtime in sorted(runtimes().values(), key=lambda each: each.python_version):
        if runtime.python_version > target.runtime.python_version and not runtime.preview:
            fitting = set(Target(runtime, target.architecture).tags())
            if not any(fitting.isdisjoint(each) for each in tags):
                return runtime
    return None


def needed_glibc(source: LockedSource, target: Target) -> tuple[int, int] | None:
    """Return the oldest glibc with which the target could take a wheel; `None` if there is none."""
    pythons = {(tag.interpreter, tag.abi) for tag in target.tags()}
    found = [
        (int(match[1]), int(match[2]))
        for tag in _tags(source.wheels)
        if (tag.interpreter, tag.abi) in pythons
        and (match := _MANYLINUX.fullmatch(tag.platform))
        and match[3] == target.architecture.machine
    ]
    return min(found, default=None)


def is_native(source: LockedSource) -> bool:
    """Return whether all the wheels there are have native code, so that the source has, too."""
    tags = _tags(source.wheels)
    return bool(tags) and not any(tag.platform == "any" for tag in tags)


def has_wheels(runtime: Runtime) -> str:
    """Return, as a clause, that a runtime has wheels; with its glibc, on which that depends."""
    glibc = ".".join(map(str, runtime.glibc))
    return f"for `{runtime.id}` (glibc {glibc}) there are wheels"


def _takes(target: Target) -> str:
    glibc = ".".join(map(str, target.runtime.glibc))
    interpreter = "cp{}{}".format(*target.runtime.python_version)
    return (
        f"has glibc {glibc} and accepts {interpreter}, abi3 or py3, up to "
        f"{target.platforms()[0]}, or any"
    )


def _tags(filenames: Iterable[str]) -> frozenset[Tag]:
    from packaging.utils import parse_wheel_filename

    return frozenset().union(*(parse_wheel_filename(name)[-1] for name in filenames))
