"""Messages about packages without a wheel for a target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..exceptions import SelectionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from packaging.pylock import Package
    from packaging.tags import Tag

    from ..targets.target import Target
    from .selection import LockedSource

# How many tags an error lists for a package.
_SHOWN = 6


def no_wheels(
    reasons: Iterable[str], target: Target, *, have_sources: bool = False
) -> SelectionError:
    """Return the error for packages that have no wheel for `target`, with the reason for each.

    `have_sources` is true if all of them have a source from which a wheel could be built.
    """
    glibc = ".".join(map(str, target.runtime.glibc))
    interpreter = "cp{}{}".format(*target.runtime.python_version)
    return SelectionError(
        f"These packages have no wheel for {target.id}, which has glibc {glibc} and accepts "
        f"{interpreter}, abi3 or py3, up to {target.platforms()[0]}, or any:\n"
        + "\n".join(f"- {reason}" for reason in sorted(reasons)),
        hint="pin a version that has a wheel for this runtime, or choose a newer runtime"
        + ', or allow sources with `build = "local"`' * have_sources,
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


def absent(package: Package, reason: str) -> LockedSource:
    """Return what stands in a selection for a package that can't be had, and is to be left out."""
    from .selection import LockedSource

    version = str(package.version) if package.version else None
    return LockedSource(package.name, version, "none", "", None, None, None, None, reason)
