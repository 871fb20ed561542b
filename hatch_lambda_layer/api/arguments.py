"""The arguments that functions and commands share: what is chosen, and what is replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ..exceptions import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..config.matrix import Matrix, Member

Item = TypeVar("Item")


def choose_members(
    matrix: Matrix, layers: Sequence[str] = (), members: Sequence[str] = ()
) -> tuple[Member, ...]:
    """Return the members of the matrix that are named, or all of them where no name is given.

    `layers` are names of `[tool.lambda-layer.layers]`, `members` ids such as
    `reports-python3.13-arm64`; of layers that are named, a runtime and an architecture suffice:
    `python3.13-arm64`. Raises `ConfigError` for names that the matrix does not have.
    """
    layers, members = several(layers), several(members)
    of_layers = [each for each in matrix.members if not layers or each.config.name in layers]
    known_layers = [layer.name for layer in matrix.layers if layer.name]
    known_members = [name for each in matrix.members for name in _names(each, layers)]
    problems = [
        f"{kind} `{name}` is not in `[tool.lambda-layer]`, which has: {', '.join(there) or 'none'}"
        for kind, names, known, there in (
            ("Layer", layers, known_layers, known_layers),
            ("Member", members, known_members, [member.id for member in matrix.members]),
        )
        for name in names
        if name not in known
    ]
    found = tuple(
        member for member in of_layers if not members or _names(member, layers) & {*members}
    )
    if not found and not problems:
        problems.append(f"No member of layer {', '.join(layers)} is {' or '.join(members)}")
    if problems:
        raise ConfigError(problems)
    return found


def _names(member: Member, layers: Sequence[str]) -> set[str]:
    """Return what a member may be called where `layers` are chosen."""
    return {member.id, member.target.id} if member.config.name in layers else {member.id}


def publish_overrides(regions: Sequence[str], profile: str | None) -> Mapping[str, object]:
    """Return the keys of `[tool.lambda-layer.publish]` that a caller replaces."""
    given = {"regions": list(several(regions)), "profile": profile}
    return {key: value for key, value in given.items() if value}


def several(given: Sequence[Item]) -> Sequence[Item]:
    """Return what a caller gave; a text stands for itself, not for its letters."""
    return (given,) if isinstance(given, str) else given  # type: ignore[return-value]
