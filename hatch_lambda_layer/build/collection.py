"""The wheels of a layer: what its lock selects, fetched or built, less what `exclude` names."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ..exceptions import BuildError
from .inputs import build_sources, check_sources, layer_sources, read_direct

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ..config.matrix import Member
    from ..findings import Finding
    from ..layer.exclusion import Exclusion
    from ..wheel_builders import LayerSources
    from ..wheels.selection import Selection
    from ..wheels.wheel import Wheel
    from .inputs import BuildContext, BuildInputs


def collect(
    context: BuildContext,
    inputs: BuildInputs,
    selection: Selection,
    sources: LayerSources | None,
) -> list[Wheel]:
    """Return the wheels of a selection, and the wheels that are built of its `sources`.

    Raises `DownloadError`, `WheelError` and `BuildError`, and what `check_listed` raises.
    """
    from ..wheels.fetch import collect_wheels
    from ..wheels.native_files import check_plain_linux
    from .limits import check_wheels, forecast

    member = inputs.member
    if sources:
        sources.check()
    direct = partial(read_direct, context, member)
    early = forecast(direct, member)
    locked = collect_wheels(
        selection.wheels, context.cache, context.console, context.access, early.check
    )
    check_plain_linux(locked, member.target)
    if sources and sources.missing:
        check_wheels(selection.wheels, locked, direct, member)
    if selection.sources:
        # What the wheels lack need not wait for a compiler.
        unseen = {each.name for each in inputs.selection.all} - {each.name for each in locked}
        check_listed(context, inputs, locked, unseen)
    try:
        return [*locked, *build_sources(sources, context)]
    except BuildError as error:
        raise _with_ways_out(error, context, inputs.member, selection) from error


def check_listed(
    context: BuildContext,
    inputs: BuildInputs,
    wheels: Sequence[Wheel],
    unseen: Collection[str] = (),
) -> Sequence[Finding]:
    """Return findings about requirements that are not locked; raise `LockfileError` for them.

    `unseen` are the names of those that are in the lock, and not here yet.
    """
    config, target = inputs.member.config, inputs.member.target
    lock = context.resolver.lock(config, target)
    if lock.unlisted is None:
        return ()
    from ..layer import unlisted

    own = {inputs.project.name} if inputs.project else set()
    allowed = {*config.exclude, *config.allow_missing, *unseen}
    return unlisted.check_listed(lock, wheels, own, allowed, target)


def leave_out(
    context: BuildContext, inputs: BuildInputs, wheels: Sequence[Wheel]
) -> tuple[Sequence[Wheel], Exclusion]:
    """Return all wheels that are there, and what the layer leaves out of the lock.

    `wheels` are those that were not put off; whatever turns out to stay is fetched or built, too.
    Raises `ExclusionError`, and what `collect` raises.
    """
    from ..layer.exclusion import exclude

    config, target = inputs.member.config, inputs.member.target
    project = [inputs.project] if inputs.project else []
    here, deferral = list(wheels), inputs.deferral
    while True:
        every = [*_ordered(here, inputs.selection), *project]
        exclusion = exclude(
            every, config.exclude, config.allow_missing, inputs.direct, target, deferral.absent
        )
        if not exclusion.wanted:
            return every, exclusion
        more, deferral = deferral.parted(exclusion.wanted)
        check_sources(context, inputs.member, more.sources)
        sources = layer_sources(context, inputs.member, inputs.selection, more.sources)
        here += collect(context, inputs, more, sources)


def _with_ways_out(
    error: BuildError, context: BuildContext, member: Member, selection: Selection
) -> BuildError:
    """Return the error of a failed build with what helps without a build of that source."""
    source = next((each for each in selection.sources if each.name == error.package), None)
    if source is None:
        return error
    ways = [error.hint] if error.hint else []
    if source.kind == "sdist":
        update = context.resolver.find(member.config).lockfile.update
        ways.append(f"lock another version of it, as with `{update} {source.name}`")
    ways.append(
        f'leave it out with `exclude = ["{source.name}"]`, if the runtime or another layer has it, '
        "or the functions do without it"
    )
    return BuildError(error.message, hint="; or ".join(ways))


def _ordered(wheels: Sequence[Wheel], selection: Selection) -> Sequence[Wheel]:
    """Return wheels in the order of the lock: those that it has, then those of its sources."""
    order = {each.name: number for number, each in enumerate(selection.all)}
    return sorted(wheels, key=lambda wheel: order.get(wheel.name, len(order)))
