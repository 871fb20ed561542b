"""AWS CodeArtifact: a token, which is the password of its repositories for a limited time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..exceptions import CredentialsError

if TYPE_CHECKING:
    from ..config.indexes import CodeArtifact

# Enough for any build; the API (GetAuthorizationToken) allows up to twelve hours.
_TOKEN_SECONDS = 3600
_PERMISSIONS = (
    "codeartifact:GetAuthorizationToken",
    "sts:GetServiceBearerToken",
    "codeartifact:ReadFromRepository",
)


def authorization_token(place: CodeArtifact) -> str:
    """Return a token for a domain, valid for an hour, by the AWS credentials of the user.

    Raises `CredentialsError` where boto3 is missing, or AWS refuses a token.
    """
    try:
        import boto3  # type: ignore[import-untyped,unused-ignore]
        from botocore.exceptions import (  # type: ignore[import-untyped,unused-ignore]
            BotoCoreError,
            ClientError,
        )

        from .errors import UNREADABLE
    except ImportError as error:
        raise CredentialsError(
            f"CodeArtifact's domain `{place.domain}` needs a token, but boto3 is not installed",
            hint="install `hatch-lambda-layer[aws]`, or set the password of the index in the "
            "environment",
        ) from error
    try:
        client = boto3.client("codeartifact", region_name=place.region)
        answer = client.get_authorization_token(
            domain=place.domain,
            domainOwner=place.domain_owner,
            durationSeconds=_TOKEN_SECONDS,
        )
        return str(answer["authorizationToken"])
    except (BotoCoreError, ClientError) as error:
        raise CredentialsError(
            f"CodeArtifact returned no token for domain `{place.domain}` of {place.domain_owner} "
            f"in {place.region}: {error}",
            hint="check the AWS credentials (`aws sts get-caller-identity`); they need the "
            f"permissions {', '.join(_PERMISSIONS)}",
        ) from error
    except UNREADABLE as error:
        # Not chained: the error may quote the response, and with it the token.
        raise CredentialsError(
            f"CodeArtifact's response for domain `{place.domain}` of {place.domain_owner} in "
            f"{place.region} can't be read ({type(error).__name__})",
            hint="check whether a proxy changes or cuts responses, then run it again",
        ) from None
