"""What AWS answers, as errors that say which permission, Region or bucket is meant."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from botocore import exceptions as aws

from .._internal.process import redact
from ..exceptions import PublishError

if TYPE_CHECKING:
    from collections.abc import Iterator

CREDENTIALS_HINT = (
    "give credentials as for the AWS command line: AWS_PROFILE, `profile` in "
    "`[tool.lambda-layer.publish]`, AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY, or a role of "
    "the machine"
)
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_INVALID = {
    "AuthFailure",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
# HEAD has no body, so that its errors have no name but the status.
_DENIED = {"AccessDenied", "AccessDeniedException", "AllAccessDisabled", "Forbidden", "403"}
_OTHER_REGION = {"301", "PermanentRedirect", "AuthorizationHeaderMalformed"}
_THROTTLED = {
    "429",
    "RequestLimitExceeded",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}
_NO_ANSWER = (
    aws.ConnectionClosedError,
    aws.ConnectionError,
    aws.HTTPClientError,
    aws.ResponseStreamingError,
)
_NO_CREDENTIALS = (
    aws.CredentialRetrievalError,
    aws.NoCredentialsError,
    aws.PartialCredentialsError,
    aws.SSOError,
    aws.TokenRetrievalError,
)
_SERVER_ERROR = 500


def code(error: Exception) -> str:
    """Give the name that AWS gives an error, or its status; empty for what is no answer."""
    if not isinstance(error, aws.ClientError):
        return ""
    return str(error.response.get("Error", {}).get("Code", ""))


def throttled(error: Exception) -> bool:
    """Say whether AWS got too many calls to take this one: nothing has happened."""
    return code(error) in _THROTTLED


def answer_lost(error: Exception) -> bool:
    """Say whether the call may have succeeded though nothing or a server's error came back."""
    if isinstance(error, aws.ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= _SERVER_ERROR
    return isinstance(error, _NO_ANSWER)


@contextmanager
def explained(action: str, where: str) -> Iterator[None]:
    """Raise `PublishError` for what AWS refuses; `action` is the IAM action of the call.

    `where` names the Region, and the bucket or the layer.
    """
    try:
        yield
    except aws.ClientError as error:
        raise _refused(error, action, where) from error
    except _NO_CREDENTIALS as error:
        raise PublishError(f"{where}: {_plain(error)}", hint=CREDENTIALS_HINT) from error
    except aws.ProfileNotFound as error:
        raise PublishError(
            f"{_plain(error)}, in AWS's configuration", hint=CREDENTIALS_HINT
        ) from error
    except (aws.NoRegionError, aws.InvalidRegionError) as error:
        raise PublishError(
            f"{_plain(error)}",
            hint="name it: `regions` in `[tool.lambda-layer.publish]`, `--region`, or AWS_REGION",
        ) from error
    except _NO_ANSWER as error:
        raise PublishError(
            f"{where}: AWS can't be reached for `{action}`: {_plain(error)}",
            hint="check the network, the proxy and the Region, then run it again",
        ) from error
    except aws.BotoCoreError as error:
        raise PublishError(f"{where}: `{action}` failed: {_plain(error)}") from error


def _refused(  # noqa: PLR0911  # a return for each kind of refusal
    error: aws.ClientError, action: str, where: str
) -> PublishError:
    name, message = code(error), _plain(error)
    if name in _DENIED:
        # A denial may be about another action than the one called, such as that of a key.
        meant = re.search(r"perform: ([\w-]+:\w+)", message)
        missing = meant[1] if meant else action
        return PublishError(
            f"{where}: the IAM permission `{missing}` is missing: {message}",
            hint="`hatch-lambda-layer publish --policy` prints the smallest policy that suffices",
        )
    if name in _EXPIRED:
        return PublishError(
            f"{where}: the credentials have expired: {message}",
            hint="sign in again, for example with `aws sso login`",
        )
    if name in _INVALID:
        return PublishError(
            f"{where}: AWS knows no such credentials: {message}", hint=CREDENTIALS_HINT
        )
    if name in {"NoSuchBucket", "404"}:
        return PublishError(
            f"{where}: there is no such bucket",
            hint="create it, or correct `s3-dir` in `[tool.lambda-layer.publish]`",
        )
    if name in _OTHER_REGION:
        return PublishError(
            f"{where}: the bucket is in another Region",
            hint="Lambda takes a zip only from a bucket in its own Region: put `{region}` in the "
            "bucket's name in `s3-dir`, or give `s3-dir` by Region",
        )
    if throttled(error):
        return PublishError(
            f"{where}: AWS is still refusing `{action}` because of too many calls: {message}",
            hint="run it again later; what is done already is not done twice",
        )
    if name == "CodeStorageExceededException":
        return PublishError(
            f"{where}: Lambda's storage for code is full in this Region: {message}",
            hint="delete old versions, for example with `retain`, or ask AWS for more",
        )
    return PublishError(f"{where}: AWS refused `{action}` ({name}): {message}")


def _plain(error: Exception) -> str:
    if isinstance(error, aws.ClientError):
        message = error.response.get("Error", {}).get("Message") or str(error)
    else:
        message = str(error)
    return redact(" ".join(str(message).split())).rstrip(".")
