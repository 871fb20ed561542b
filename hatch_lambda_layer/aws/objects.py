"""Objects below a prefix of a bucket, each of which is put once and never changed.

They are read in a stream, which s3pathlib does not do: these calls go through boto3.
"""

from __future__ import annotations

import base64
from contextlib import closing, contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from botocore.exceptions import ClientError

from ..exceptions import PublishError
from .errors import DENIED, code, explained
from .session import STS_REGION, AwsSession

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_s3 import S3Client

_CHUNK = 1 << 14
# The bucket exists, and this object does not. Without `s3:ListBucket`, S3 answers 403 instead.
_MISSING = "NoSuchKey"
# If-None-Match does not hold, or another put of the same object is under way.
_TAKEN = {"PreconditionFailed", "412", "ConditionalRequestConflict", "409"}


class ReadableFile(Protocol):
    """The part of a file that is read here."""

    def read(self, size: int = -1) -> bytes:
        """Return at most `size` bytes, all that there are where it is negative."""
        ...

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move to an offset, and return it."""
        ...

    def tell(self) -> int:
        """Return the offset."""
        ...


class WritableFile(Protocol):
    """The part of a file that is written here."""

    def write(self, data: bytes) -> int:
        """Write all of `data`."""
        ...


class S3Objects:
    """The objects of the bucket `bucket` whose keys begin with `prefix`.

    Every request names the account that has to own the bucket: `owner`, or that of the credentials.
    The methods raise `PublishError` for what AWS refuses and where it can't be reached.
    """

    def __init__(self, session: AwsSession, bucket: str, prefix: str, owner: str | None) -> None:
        self._session = session
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._given_owner = owner
        self._region = session.region or STS_REGION
        self._where = f"bucket `{bucket}`"

    def get(self, key: str, file: WritableFile, largest: int) -> Mapping[str, str] | None:
        """Write an object to `file`, and return its metadata; `None` if there is no such object."""
        with self._explained("s3:GetObject` or `s3:ListBucket"):
            try:
                found = self._client.get_object(
                    Bucket=self._bucket, Key=self._prefix + key, ExpectedBucketOwner=self._owner
                )
            except ClientError as error:
                if code(error) == _MISSING:
                    return None
                raise
            count = 0
            with closing(found["Body"]) as body:
                while chunk := body.read(_CHUNK):
                    count += len(chunk)
                    if count > largest:
                        raise PublishError(
                            f"{self._where}: the object `{self._prefix}{key}` has more than "
                            f"{largest:,} bytes"
                        )
                    file.write(chunk)
            return found["Metadata"]

    def put(self, key: str, file: ReadableFile, sha256: str, metadata: Mapping[str, str]) -> bool:
        """Put an object unless there is one; return whether it was put.

        S3 refuses other bytes than those of `sha256` (hexadecimal).
        """
        with self._explained("s3:PutObject"):
            try:
                # From a file, botocore sends small pieces, each of which has its own time limit.
                self._client.put_object(
                    Bucket=self._bucket,
                    Key=self._prefix + key,
                    Body=file,  # type: ignore[arg-type]
                    Metadata=metadata,
                    ContentType="application/zip",
                    ChecksumSHA256=base64.b64encode(bytes.fromhex(sha256)).decode(),
                    IfNoneMatch="*",
                    ExpectedBucketOwner=self._owner,
                )
            except ClientError as error:
                if code(error) in _TAKEN:
                    return False
                raise
        return True

    @contextmanager
    def _explained(self, actions: str) -> Iterator[None]:
        """Raise `PublishError` for every failure; S3 has one answer for several causes of 403."""
        with explained(actions.partition("`")[0], self._where):
            try:
                yield
            except ClientError as error:
                if code(error) not in DENIED:
                    raise
                raise PublishError(
                    f"{self._where}: access is denied: the permission `{actions}` is missing, or "
                    f"the bucket is not that of account {self._owner}"
                ) from error

    @cached_property
    def _client(self) -> S3Client:
        return self._session.s3(self._region)

    @cached_property
    def _owner(self) -> str:
        return self._given_owner or self._session.find_account(self._region)
