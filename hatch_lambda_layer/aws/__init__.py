"""AWS: the only modules that import boto3 and s3pathlib, which the extra `aws` installs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..exceptions import LambdaLayerError

if TYPE_CHECKING:
    from collections.abc import Iterator

# The modules that the extra installs, by the names that are imported.
_OF_THE_EXTRA = {"boto3", "botocore", "s3pathlib", "s3transfer", "jmespath"}


@contextmanager
def needed(purpose: str = "publishing") -> Iterator[None]:
    """Raise `LambdaLayerError` where the block imports what only the extra `aws` installs.

    `purpose` is what the extra is needed for.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _OF_THE_EXTRA:
            raise
        raise LambdaLayerError(
            f"The module `{error.name}` is missing: {purpose} needs the extra `aws`",
            hint="install it where this program is: `uv tool install 'hatch-lambda-layer[aws]'`, "
            "`pip install 'hatch-lambda-layer[aws]'`, or, for `hatch publish`, "
            "`pipx inject hatch 'hatch-lambda-layer[aws]'`",
        ) from error
