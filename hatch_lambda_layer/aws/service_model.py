"""What Lambda takes for a layer version, checked before anything is built or sent.

botocore checks hardly any of it, and Lambda says one thing at a time, after the upload. The limits
are those of the service model that the installed botocore carries, so that they go with it; sizes
are not in the model.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from ..config.layer import LAMBDA_DIRECT_UPLOAD_LIMIT, LAMBDA_UNPACKED_LIMIT
from ..config.reader import nearest
from . import needed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from botocore.model import StructureShape

_SERVICE = "lambda"
_OPERATION = "PublishLayerVersion"
# More are never meant to be read by a person.
_MOST_SHOWN = 80


@dataclass(frozen=True, kw_only=True, slots=True)
class ProposedVersion:
    """A layer version that may be published.

    `key` is the table it is configured in, such as `tool.lambda-layer` or
    `tool.lambda-layer.layers.ml`. `description` is the whole text that is sent. The sizes are in
    bytes, `None` before the layer is built; `bucket` says whether the zip goes through S3.
    """

    key: str
    layer_name: str
    description: str
    license: str
    runtimes: tuple[str, ...]
    architectures: tuple[str, ...]
    bucket: bool
    zipped_size: int | None = None
    unpacked_size: int | None = None


def problems(proposed: ProposedVersion) -> list[str]:
    """Give everything that Lambda would refuse, each with its key in the configuration.

    Raises `LambdaLayerError` where the extra `aws` is missing.
    """
    members = _request().members
    publish = f"{proposed.key}.publish"
    found = [
        *_name_problems(members["LayerName"], f"{publish}.layer-name", proposed.layer_name),
        *_description_problems(
            members["Description"], f"{publish}.description", proposed.description
        ),
        *_text_problems(members["LicenseInfo"], f"{publish}.license", proposed.license),
        *_list_problems(
            members["CompatibleRuntimes"], f"{proposed.key}.runtimes", proposed.runtimes
        ),
        *_list_problems(
            members["CompatibleArchitectures"],
            f"{proposed.key}.architectures",
            proposed.architectures,
        ),
    ]
    return found + list(_size_problems(proposed))


def _request() -> StructureShape:
    """Give the shape of the request, from botocore's data alone: no session, no settings."""
    with needed():
        from botocore.loaders import create_loader
        from botocore.model import ServiceModel

    model = ServiceModel(create_loader().load_service_model(_SERVICE, "service-2"), _SERVICE)
    return cast("StructureShape", model.operation_model(_OPERATION).input_shape)


def _name_problems(shape: Any, key: str, value: str) -> Iterator[str]:
    """Check a name. The model allows a layer's ARN, too, which would tie it to one Region."""
    whole = str(shape.metadata.get("pattern", ".*"))
    # Two patterns in parentheses: that of an ARN, then that of a name.
    match = re.fullmatch(r"\(arn:.*\|([^|()]+)\)", whole)
    pattern = match[1] if match else whole
    if re.fullmatch(pattern, value) is None:
        yield f"Field `{key}` must match {pattern}, {_not(value)}"


def _description_problems(shape: Any, key: str, value: str) -> Iterator[str]:
    if (most := shape.metadata.get("max")) and len(value) > most:
        yield (
            f"Field `{key}` makes a Description of {len(value)} characters with what is added to "
            f"tell the content, Lambda takes {most}: shorten it by {len(value) - most}"
        )
    yield from _line_problem(key, value)


def _text_problems(shape: Any, key: str, value: str) -> Iterator[str]:
    if (most := shape.metadata.get("max")) and len(value) > most:
        yield f"Field `{key}` must have at most {most} characters, {_not(value)}"
    yield from _line_problem(key, value)


def _line_problem(key: str, value: str) -> Iterator[str]:
    # The model's pattern is `.*` where it has one, in which a dot is no line break.
    if len(value.splitlines()) > 1 or not value.isprintable():
        yield f"Field `{key}` must be one line without control characters, {_not(value)}"


def _list_problems(shape: Any, key: str, values: Sequence[str]) -> Iterator[str]:
    if (most := shape.metadata.get("max")) and len(values) > most:
        yield (
            f"Field `{key}` must name at most {most} for one layer version, not {len(values)}: "
            "put a placeholder such as `{runtime}` in `layer-name`"
        )
    known = shape.member.enum
    for value in values:
        if known and value not in known:
            yield (
                f"Field `{key}` has {value!r}, which Lambda does not take according to the "
                f"botocore that is installed{nearest(value, known) or ': a newer one may know it'}"
            )


def _size_problems(proposed: ProposedVersion) -> Iterator[str]:
    """Check the sizes, after AWS's page "Lambda quotas"."""
    unpacked, zipped = proposed.unpacked_size, proposed.zipped_size
    if unpacked is not None and unpacked > LAMBDA_UNPACKED_LIMIT:
        yield (
            f"Field `{proposed.key}.max-size` allowed a layer that unpacks to {unpacked:,} bytes, "
            f"Lambda takes {LAMBDA_UNPACKED_LIMIT:,}"
        )
    if zipped is not None and zipped > LAMBDA_DIRECT_UPLOAD_LIMIT and not proposed.bucket:
        yield (
            f"Field `{proposed.key}.publish.s3-dir` must name a bucket in every Region: the zip "
            f"has {zipped:,} bytes, and Lambda takes {LAMBDA_DIRECT_UPLOAD_LIMIT:,} directly"
        )


def _not(value: str) -> str:
    """Say what a value is instead, in a line of bounded length."""
    if len(value) <= _MOST_SHOWN:
        return f"not {value!r}"
    return f"not {value[:_MOST_SHOWN]!r}… ({len(value)} characters)"
