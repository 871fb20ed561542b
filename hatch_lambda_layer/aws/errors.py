"""The errors of AWS, as errors that name the permission, Region or bucket that is meant."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from botocore import exceptions as aws
from botocore.parsers import ResponseParserError

from .._internal.process import redact
from ..exceptions import PublishError

if TYPE_CHECKING:
    from collections.abc import Iterator

CREDENTIALS_HINT = (
    "provide credentials as for the AWS command line: AWS_PROFILE, `profile` in "
    "`[tool.lambda-layer.publish]`, AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY, or a role of "
    "the machine"
)
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
# Signatures are good for a few minutes. S3 has a code for it, the others say it in the message.
_SKEWED = re.compile("RequestTimeTooSkewed: |: Signature (expired|not yet current)")
_INVALID = {
    "AuthFailure",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
# The response to HEAD has no body: its errors have only the status for a name.
DENIED = {"AccessDenied", "AccessDeniedException", "AllAccessDisabled", "Forbidden", "403"}
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
# What botocore, and whoever reads a response of it, raise where its body is cut or something else.
# A response with the status of success is read without a check: what does not parse is left out.
UNREADABLE = (
    AttributeError,
    LookupError,
    RecursionError,
    ResponseParserError,
    TypeError,
    ValueError,
)
_SERVER_ERROR = 500


def code(error: Exception) -> str:
    """Return AWS's name for an error, or its HTTP status; empty if it is not from a response."""
    if not isinstance(error, aws.ClientError):
        return ""
    return str(error.response.get("Error", {}).get("Code", ""))


def throttled(error: Exception) -> bool:
    """Return whether AWS refused the call because of too many: it had no effect."""
    return code(error) in _THROTTLED


def answer_lost(error: Exception) -> bool:
    """Return whether the call may have succeeded.

    That is so if no response came, one that can't be read, or a server's error.
    """
    if isinstance(error, aws.ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= _SERVER_ERROR
    if isinstance(error, aws.BotoCoreError):
        return isinstance(error, _NO_ANSWER)
    return isinstance(error, UNREADABLE)


@contextmanager
def explained(action: str, where: str) -> Iterator[None]:
    """Raise `PublishError` for every failure of an AWS call in the block.

    `action` is the IAM action of the call, such as `s3:PutObject`. `where` names the Region, and
    the bucket or the layer. The response is to be read in the block as well, since it may be cut.
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
    except UNREADABLE as error:
        # Not chained: the error quotes the response, which may hold the credentials of a role.
        raise PublishError(
            f"{where}: AWS's response to `{action}` can't be read ({type(error).__name__})",
            hint="check whether a proxy changes or cuts responses, then run it again",
        ) from None


def bucket_elsewhere(where: str, region: str | None = None) -> PublishError:
    """Return the error for a bucket in another Region than the layer; `region`, if it is known."""
    return PublishError(
        f"{where}: the bucket is in {region or 'another Region'}",
        hint="Lambda takes a zip only from a bucket in its own Region: put `{region}` in the "
        "bucket's name in `s3-dir`, or set `s3-dir` by Region",
    )


def _refused(  # noqa: PLR0911  # a return for each kind of refusal
    error: aws.ClientError, action: str, where: str
) -> PublishError:
    name, message = code(error), _plain(error)
    if name in DENIED:
        # A denial may be about another action than the one called, such as that of a key.
        meant = re.search(r"perform: ([\w-]+:\w+)", message)
        missing = meant[1] if meant else action
        return PublishError(
            f"{where}: the IAM permission `{missing}` is missing: {message}",
            hint="`hatch-lambda-layer publish --policy` prints the smallest policy that suffices",
        )
    if _SKEWED.search(f"{name}: {message}"):
        return PublishError(
            f"{where}: the clock of this machine is not that of AWS: {message}",
            hint="set the clock, for example by NTP, then run it again",
        )
    if name in _EXPIRED:
        return PublishError(
            f"{where}: the credentials have expired: {message}",
            hint="sign in again, for example with `aws sso login`",
        )
    if name in _INVALID:
        return PublishError(
            f"{where}: AWS does not know the credentials: {message}",
            hint=f"{CREDENTIALS_HINT}; a Region that the account has not enabled knows none",
        )
    if name in {"NoSuchBucket", "404"}:
        return PublishError(
            f"{where}: there is no such bucket",
            hint="create it, or correct `s3-dir` in `[tool.lambda-layer.publish]`",
        )
    if name in _OTHER_REGION:
        return bucket_elsewhere(where)
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
