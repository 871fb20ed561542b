"""The files in the zip of a layer version, without fetching the zip."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from .._internal.zip_listing import EndReader, list_files
from .._internal.zip_reader import ArchiveError
from ..aws.layer_content import find_content, read_stored
from ..exceptions import DownloadError, PublishError
from ..index.ranges import ExpiredUrlError, SignedFile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..aws.layer_content import LayerContent
    from ..aws.session import AwsSession

# A URL that was good for ten minutes when it was asked for may have expired; a new one has not.
_TRIES = 2


def list_version(session: AwsSession, region: str, arn: str) -> Mapping[str, int]:
    """Return the size in bytes of each file of a layer version, by its path in the zip.

    Only the end of the zip is read: from the object that Lambda refers to where it keeps no copy,
    else from the URL that it gives. Raises `PublishError` where that is refused, or fails.
    """
    error: DownloadError | None = None
    for _ in range(_TRIES):
        content = find_content(session, region, arn)
        end = EndReader(_ranges(session, region, content), content.size)
        try:
            return list_files(io.BufferedReader(end))
        except ArchiveError as problem:
            raise PublishError(
                f"{region}: the zip of {arn} can't be read: {problem.reason}",
                hint="Lambda takes only zip archives: look at what that version has",
            ) from problem
        except ExpiredUrlError as refused:
            error = refused
        except DownloadError as failed:
            raise _failed(region, arn, failed) from failed
    raise _failed(region, arn, error) from error


def _ranges(session: AwsSession, region: str, content: LayerContent) -> Callable[[int, int], bytes]:
    if (stored := content.stored) is not None:
        return lambda start, stop: read_stored(session, region, stored, start, stop)
    return SignedFile(content.location, content.size).fetch


def _failed(region: str, arn: str, error: DownloadError | None) -> PublishError:
    reason = error.message if error else "its URL is refused"
    return PublishError(
        f"{region}: the zip of {arn} can't be read: {reason}",
        hint=(error and error.hint)
        or "it was asked for anew and is still refused: check the clock "
        "of this machine, the proxy, and whether a policy of a VPC endpoint denies it",
    )
