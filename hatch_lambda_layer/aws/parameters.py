"""The parameter of Systems Manager that holds the ARN of a layer's newest version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from .errors import code, explained

if TYPE_CHECKING:
    from .session import AwsSession


def read_parameter(session: AwsSession, region: str, name: str) -> str | None:
    """Return the value of a parameter, `None` if it does not exist; raise `PublishError`."""
    with explained("ssm:GetParameter", f"{region}, parameter `{name}`"):
        try:
            return session.ssm(region).get_parameter(Name=name)["Parameter"]["Value"]
        except ClientError as error:
            if code(error) == "ParameterNotFound":
                return None
            raise


def write_parameter(session: AwsSession, region: str, name: str, value: str) -> None:
    """Write the value of a parameter, whatever it was before; raise `PublishError`."""
    with explained("ssm:PutParameter", f"{region}, parameter `{name}`"):
        session.ssm(region).put_parameter(Name=name, Value=value, Type="String", Overwrite=True)
