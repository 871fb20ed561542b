"""The permissions that a layer version should have, and those that it has beside them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..aws.layers import LayerPermission

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..config.publish import Permissions

# The ids of the statements that `wanted_permissions` makes, for whatever table.
_OWN = re.compile(r"account-\d{12}|organization-o-[a-z0-9]+|public")


def wanted_permissions(wanted: Permissions) -> list[LayerPermission]:
    """Return the permissions that a table asks for; their ids tell who is meant."""
    found = [
        LayerPermission(statement=f"account-{each}", principal=each) for each in wanted.accounts
    ]
    if wanted.organization:
        found.append(
            LayerPermission(
                statement=f"organization-{wanted.organization}",
                principal="*",
                organization=wanted.organization,
            )
        )
    if wanted.public:
        found.append(LayerPermission(statement="public", principal="*"))
    return found


def unlisted(there: Iterable[str], wanted: Permissions) -> list[str]:
    """Return the ids of statements that a table does not ask for, sorted."""
    listed = {each.statement for each in wanted_permissions(wanted)}
    return sorted(set(there) - listed)


def is_own(statement: str) -> bool:
    """Return whether a statement has an id that this tool gives."""
    return _OWN.fullmatch(statement) is not None


def describe_unlisted(version: int, statement: str) -> str:
    """Return the sentence about a statement that a version has and the table has not."""
    option = "" if is_own(statement) else f" --statement {statement}"
    return (
        f"version {version} has the permission `{statement}`, which `permissions` does not have: "
        f"`hatch-lambda-layer publish --revoke{option}` takes it away"
    )
