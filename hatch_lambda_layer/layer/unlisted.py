"""Requirements of a layer's wheels that its lockfile does not have.

A tool that resolves has seen to them. In requirements with hashes, a person may have left out some.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..exceptions import LockfileError
from ..findings.codes import UNDECIDED, UNLISTED
from ..lockfiles.markers import is_undecided
from ..targets.families import families
from .dependency_graph import canonical

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from packaging.requirements import Requirement

    from ..findings import Finding
    from ..lockfiles.protocol import Lock
    from ..targets.target import Target
    from ..wheels.wheel import Wheel


def check_listed(
    lock: Lock,
    wheels: Sequence[Wheel],
    own: Collection[str],
    allowed: Collection[str],
    target: Target,
) -> list[Finding]:
    """Return a finding for each requirement that `lock` does not have, in that version.

    And for each of which only the kernel decides.

    `own` are wheels that the lock is not about, `allowed` names and families that may be missing.
    Raises `LockfileError` where such requirements are an error to `lock`.
    """
    by_name = {wheel.name: wheel for wheel in wheels}
    allowed = canonical(allowed).union(
        *(each.core | each.shared for each in families().values() if each.name in allowed)
    )
    lines = []
    for wheel, requirement in _needed(lock, by_name, own, target):
        (name,) = canonical([requirement.name])
        needs = f"{wheel.name} {wheel.version} requires `{requirement}`"
        if name in by_name:
            lines.append(f"{needs}, and version {by_name[name].version} is listed")
        elif name not in allowed:
            lines.append(f"{needs}, and `{name}` is not listed")
    lines = sorted(dict.fromkeys(lines))
    undecided = sorted(dict.fromkeys(_undecided(by_name, own, allowed, target)))
    if lines and lock.unlisted == "error":
        raise LockfileError(
            f"Lockfile `{lock.path}` lacks what its packages require on {target.id}:\n"
            + "\n".join(f"- {line}" for line in lines),
            hint=f"lock all of it, as with `{lock.command}`; what the layer need not have can be "
            "named in `allow-missing`, and PIP_NO_DEPS=1 takes the files as they are",
        )
    return [
        *(UNLISTED.finding(_title(line), line) for line in lines),
        *(UNDECIDED.finding(_title(line), line) for line in undecided),
    ]


def _title(line: str) -> str:
    return line.partition(" requires ")[0]


def _undecided(
    by_name: Mapping[str, Wheel], own: Collection[str], allowed: Collection[str], target: Target
) -> Iterator[str]:
    """Yield a sentence for each requirement that only the kernel decides, and that is left out."""
    from packaging.requirements import InvalidRequirement, Requirement

    environment = {key: str(value) for key, value in target.marker_environment().items()}
    environment["extra"] = ""
    for wheel in (wheel for name, wheel in by_name.items() if name not in own):
        for text in (each for each in wheel.requires_dist if "platform_" in each):
            try:
                requirement = Requirement(text)
                is_open = is_undecided(str(requirement.marker or ""), environment)
            except (InvalidRequirement, ValueError, LookupError):
                continue
            (name,) = canonical([requirement.name])
            if is_open and name not in by_name and name not in allowed:
                yield (
                    f"{wheel.name} {wheel.version} requires `{text}`, and the kernel decides that, "
                    f"which AWS chooses and changes: `{name}` is left out"
                )


def _needed(
    lock: Lock, by_name: Mapping[str, Wheel], own: Collection[str], target: Target
) -> Iterator[tuple[Wheel, Requirement]]:
    """Yield the requirements that hold on the target and are not met, with who has them."""
    from packaging.requirements import Requirement

    waiting = [(name, "") for name in by_name if name not in own]
    for text in lock.required:
        requirement = Requirement(text)
        waiting += [(requirement.name, extra) for extra in canonical(requirement.extras)]
    seen: set[tuple[str, str]] = set()
    while waiting:
        name, extra = node = waiting.pop()
        if node in seen or name not in by_name:
            continue
        seen.add(node)
        for requirement in _of(by_name[name], extra, target):
            (needed,) = canonical([requirement.name])
            found = by_name.get(needed)
            if found is None or not requirement.specifier.contains(found.version, prereleases=True):
                yield by_name[name], requirement
            waiting += [(needed, each) for each in canonical(requirement.extras)]


def _of(wheel: Wheel, extra: str, target: Target) -> Iterator[Requirement]:
    """Yield what a wheel requires on the target, with one of its extras or without."""
    from packaging.requirements import InvalidRequirement, Requirement

    environment = {key: str(value) for key, value in target.marker_environment().items()}
    environment["extra"] = extra
    for text in wheel.requires_dist:
        # To parse is most of the work, and most requirements are for extras.
        if not extra and "extra ==" in text and " or " not in text:
            continue
        try:
            requirement = Requirement(text)
            marker = requirement.marker
            if marker and is_undecided(str(marker), environment):
                continue
            if marker is None or marker.evaluate(environment):
                yield requirement
        except (InvalidRequirement, ValueError, LookupError):
            continue  # what can't be read is no requirement to anybody
