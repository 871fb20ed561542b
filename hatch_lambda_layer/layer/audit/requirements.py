"""Requirements that nothing meets on Lambda, and halves of what belongs together."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from ...findings import codes
from ...targets.families import families
from ..dependency_graph import counts, parse_requirement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.requirements import Requirement

    from ...findings import Finding, Severity
    from .subject import Subject


def requirement_findings(subject: Subject) -> Iterator[Finding]:
    """Yield what packages require and do not get, or get in parts."""
    yield from _halves(subject)
    versions = {each.name: each.version for each in subject.distributions}
    of_runtime = {name for each in families().values() for name in each.core | each.shared}
    unmet: dict[str, dict[str, None]] = defaultdict(dict)
    for title, requirement in _asked(subject):
        name = _normal(requirement.name)
        wanted = str(requirement.specifier)
        if name in versions:
            if not _fits(requirement, versions[name]):
                message = (
                    f"{title} requires `{name}{wanted}`, the layer has `{name} {versions[name]}`"
                )
                yield codes.UNMET_REQUIREMENT.finding(
                    title, message, hint="lock again", severity="note"
                )
        elif name not in of_runtime:
            unmet[name][title] = None
        elif wanted:
            message = f"{title} requires `{name}{wanted}`, of which the runtime has its own version"
            yield codes.RUNTIMES_VERSION.finding(title, message)
    for name, titles in sorted(unmet.items()):
        yield _unmet(name, [*titles], allowed=name in subject.allowed)


def _unmet(name: str, titles: list[str], *, allowed: bool) -> Finding:
    more = f" and {len(titles) - 1} more" if len(titles) > 1 else ""
    verb = "require" if more else "requires"
    message = f"{titles[0]}{more} {verb} `{name}`, which neither the layer nor the runtime has"
    if allowed:
        return codes.UNMET_REQUIREMENT.finding(titles[0], message, severity="note")
    hint = f'lock it, or say that another layer has it: `allow-missing = ["{name}"]`'
    return codes.UNMET_REQUIREMENT.finding(titles[0], message, hint=hint)


def _halves(subject: Subject) -> Iterator[Finding]:
    versions = {each.name: each.version for each in subject.distributions}
    names = versions.keys()
    for family in families().values():
        there, gone = sorted(family.core & names), sorted(family.core - names)
        if there and gone:
            message = (
                f"the layer has {_listed(there)} of `{family.name}`, and not {_listed(gone)}: the "
                "runtime's are of another release"
            )
            hint = f'`exclude = ["{family.name}"]` leaves out all of them; or lock the others, too'
            is_old = any(
                _is_older(versions[name], family.oldest[name])
                for name in there
                if name in family.oldest
            )
            severity: Severity | None = "warning" if is_old else None
            yield codes.HALF_SDK.finding(there[0], message, hint=hint, severity=severity)


def _asked(subject: Subject) -> Iterator[tuple[str, Requirement]]:
    """Yield each requirement that counts on the target, with the title of who has it."""
    environment = {key: str(each) for key, each in subject.target.marker_environment().items()}
    texts = {each.name: each.requires_dist for each in subject.distributions}
    done: set[tuple[str, str]] = set()
    waiting = [(name, "") for name in reversed(texts)]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in done:
            continue
        done.add((name, extra))
        for text in texts[name]:
            # Most requirements are for extras that nobody asked for: they need no parsing.
            if _is_extra(text) != bool(extra) or (requirement := parse_requirement(text)) is None:
                continue
            if counts(requirement, environment, extra):
                other = _normal(requirement.name)
                if other in texts:
                    waiting += [(other, _normal(each)) for each in requirement.extras]
                if other != name:
                    yield subject.titles[name], requirement


def _is_extra(text: str) -> bool:
    return "extra" in text.partition(";")[2]


def _fits(requirement: Requirement, version: str) -> bool:
    from packaging.version import InvalidVersion

    try:
        return requirement.specifier.contains(version, prereleases=True)
    except (InvalidVersion, ValueError):
        return True


def _is_older(version: str, oldest: str) -> bool:
    from packaging.version import InvalidVersion, Version

    try:
        return Version(version) < Version(oldest)
    except InvalidVersion:
        return False


def _normal(name: str) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(name)


def _listed(names: list[str]) -> str:
    quoted = [f"`{name}`" for name in names]
    return " and ".join(filter(None, [", ".join(quoted[:-1]), quoted[-1]]))
