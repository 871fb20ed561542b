"""How much of the room for code an account uses in a Region."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .errors import explained

if TYPE_CHECKING:
    from .session import AwsSession


class CodeStorage(NamedTuple):
    """The bytes of all functions and layers that Lambda keeps in a Region, and their limit."""

    used: int
    limit: int


def read_code_storage(session: AwsSession, region: str) -> CodeStorage:
    """Return the use of the account's quota; raise `PublishError`."""
    with explained("lambda:GetAccountSettings", region):
        settings = session.layers(region).get_account_settings()
        return CodeStorage(
            used=int(settings["AccountUsage"]["TotalCodeSize"]),
            limit=int(settings["AccountLimit"]["TotalCodeSize"]),
        )
