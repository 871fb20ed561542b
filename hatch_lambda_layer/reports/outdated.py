"""The packages of a lock that are yanked or outdated, as text and as JSON.

Reasons and messages are written by strangers: nothing in them may control a terminal or a CI
runner.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from .._internal.console import aligned
from .._internal.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..wheels.outdated import Checked, LayerStatus

SCHEMA = 1
# Characters of a reason or message that the text shows; the JSON has all of it.
_SHOWN = 300


def as_text(statuses: Sequence[LayerStatus], *, verbose: bool) -> str:
    """Return a table for each layer, one for all that have the same packages.

    With `verbose`, the packages that are from no index are listed as well.
    """
    alike: dict[LayerStatus, list[str]] = {}
    for status in statuses:
        content = _without_member(status)
        alike.setdefault(content, []).append(status.member)
    return "".join(
        f"{line}\n"
        for status, members in alike.items()
        for line in _lines(status, members, verbose=verbose)
    )


def as_json(statuses: Sequence[LayerStatus], *, verbose: bool) -> str:  # noqa: ARG001
    """Return everything as JSON, schema 1, in ASCII."""
    layers = [
        {
            "member": status.member,
            "outdated": any(each.outdated for each in status.checked),
            "packages": [asdict(each) for each in status.checked],
            "unanswered": [asdict(each) for each in status.unanswered],
            "not_asked": [asdict(each) for each in status.not_asked],
        }
        for status in statuses
    ]
    text = json.dumps({"schema": SCHEMA, "layers": layers}, indent=2) + "\n"
    # For JSON the same, but no command to the runner of a CI service.
    return text.replace("##", "#\\u0023")


FORMATS = {"text": as_text, "json": as_json}


def _without_member(status: LayerStatus) -> LayerStatus:
    from dataclasses import replace

    return replace(status, member="")


def _lines(status: LayerStatus, members: Sequence[str], *, verbose: bool) -> Iterator[str]:
    yield f"{', '.join(members)}: {_summary(status)}"
    rows = [_row(each) for each in status.checked if each.outdated or each.unfitting]
    if rows:
        yield from aligned(("package", "locked", "newest", ""), rows, text_columns=4)
    for failed in status.unanswered:
        yield f"could not be asked: {failed.name} {failed.version}: {_shown(failed.reason)}"
    if verbose:
        for each in status.not_asked:
            title = f"{each.name} {each.version or ''}".rstrip()
            yield f"not asked: {title}, which is {each.reason}"


def _summary(status: LayerStatus) -> str:
    packages = len(status.checked)
    named = f"{packages} package{'s' * (packages != 1)}"
    counts = {
        "yanked": sum(each.yanked is not None for each in status.checked),
        "not listed": sum(not each.listed for each in status.checked),
        "outdated": sum(each.newest is not None for each in status.checked),
    }
    found = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    return f"{found} of {named}" if found else f"nothing is yanked or outdated in {named}"


def _row(package: Checked) -> tuple[str, ...]:
    notes = []
    if package.yanked is not None:
        notes.append(f"{package.version} is yanked: {_shown(package.yanked) or 'no reason given'}")
    if not package.listed:
        notes.append(f"the index does not list {package.version} (any more)")
    if package.source_only:
        notes.append(f"{package.newest} has only a source for this layer")
    if package.unfitting:
        notes.append(f"{package.unfitting} has no file for this layer")
    return package.name, package.version, package.newest or "", "; ".join(notes)


def _shown(said: str) -> str:
    text = one_line(said)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
