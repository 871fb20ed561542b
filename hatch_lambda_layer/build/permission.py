"""Whether sources may be built: `build = "never"`, and what the tool that locks says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wheels.unavailable import no_wheels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..config.layer import LayerConfig
    from ..lockfiles.build_settings import BuildSettings
    from ..targets.target import Target
    from ..wheels.selection import LockedSource


def check_permitted(
    sources: Sequence[LockedSource],
    config: LayerConfig,
    settings: BuildSettings,
    target: Target,
) -> None:
    """Raise `SelectionError`, which names every source that must not be built."""
    if not sources:
        return
    if config.build == "never":
        reasons = {each.reason: each.wheels for each in sources}
        way = 'allow sources with `build = "local"`'
        raise no_wheels(reasons, target, reasons.values(), way)
    reasons = {
        f"{each.reason}; {where} forbids building it": each.wheels
        for each in sources
        if (where := settings.forbidden(each.name, each.kind, each.location))
    }
    if reasons:
        raise no_wheels(reasons, target, reasons.values(), "change the setting that forbids it")
