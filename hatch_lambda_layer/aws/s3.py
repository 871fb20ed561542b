"""The bucket on the way to Lambda: the zip is put once, with the manifests beside it.

Paths and small objects go through s3pathlib. It has neither multipart uploads with a checksum of
our own nor HEAD with the checksum in its response: those go through boto3.
"""

from __future__ import annotations

import base64
import hashlib
import re
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from botocore.exceptions import BotoCoreError, ClientError
from s3pathlib.api import S3Path

from .._internal.parallel import run_parallel
from ..exceptions import PublishError
from .errors import code, explained

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

    from .._internal.console import Progress
    from .session import AwsSession

# Larger zips go in parts: at most 10,000 of 5 MiB or more (S3's page "multipart upload limits").
_PART_SIZE = 16 * 1024 * 1024
_UPLOADS = 4
_TRIES = 10
_ZIP, _JSON = "application/zip", "application/json"
# S3's errors when If-None-Match or If-Match does not hold, or another write is under way.
_TAKEN = {"PreconditionFailed", "412", "ConditionalRequestConflict", "409"}
_MISSING = {"404", "NoSuchKey", "NotFound"}
# A manifest's version, in the metadata of its object.
_VERSION = "layer-version"
_NUMBER = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class StoredZip:
    """A zip on S3, as Lambda takes it; `version_id` is `None` if the bucket keeps no versions.

    With `referenced`, Lambda reads it from there for as long as the layer version exists.
    """

    bucket: str
    key: str
    version_id: str | None
    referenced: bool = False


@dataclass(frozen=True, slots=True)
class _StoredObject:
    """An object as HEAD shows it; `layer_version` is 0 where its metadata have no valid number.

    `checksum` is the SHA-256 (base64) of its bytes, or of its parts' checksums.
    """

    etag: str
    checksum: str | None
    version_id: str | None
    layer_version: int

    @classmethod
    def from_response(cls, response: Mapping[str, Any]) -> _StoredObject:
        """Parse the response to HEAD."""
        number = response.get("Metadata", {}).get(_VERSION, "")
        # S3 adds the number of parts, as in "…=-3"; imitations of S3 may leave it out.
        checksum = response.get("ChecksumSHA256", "").partition("-")[0]
        version_id = response.get("VersionId")
        return cls(
            etag=response["ETag"],
            checksum=checksum or None,
            version_id=version_id if version_id != "null" else None,
            layer_version=int(number) if _NUMBER.fullmatch(number) else 0,
        )


class LayerBucket:
    """The bucket `name`, as seen from a Region; `owner` is the account that must own it.

    Every call names the owner, so that nothing is ever written to a bucket of somebody else who
    took the name. `kms` is the key to encrypt with, `None` for the bucket's default. All methods
    but `abandon` may raise `PublishError`.
    """

    def __init__(
        self,
        session: AwsSession,
        region: str,
        name: str,
        owner: str,
        *,
        kms: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.owner = owner
        self.region = region
        self._client: S3Client = session.s3(region)
        self._where = f"{region}, bucket `{name}`"
        self._kms = kms
        self._tags = dict(tags or {})
        self._uploads: list[Callable[[], object]] = []

    def abandon(self) -> None:
        """Abort the uploads that are under way: their parts cost money as long as they are kept."""
        while self._uploads:
            with suppress(ClientError, BotoCoreError):
                self._uploads.pop()()

    def find_region(self) -> str:
        """Return the Region of the bucket; raise `PublishError` where it can't be used."""
        with explained("s3:ListBucket", f"{self._where} (of account {self.owner})"):
            answer = self._client.head_bucket(Bucket=self.name, ExpectedBucketOwner=self.owner)
            headers = answer["ResponseMetadata"]["HTTPHeaders"]
            return headers.get("x-amz-bucket-region") or "us-east-1"

    def exists(self, key: str) -> bool:
        """Return whether there is an object under `key`."""
        return self._head(key) is not None

    def first_text(self, prefix: str) -> str | None:
        """Return the text of the first object below a prefix, `None` if there is none."""
        with explained("s3:ListBucket", self._where):
            page = self._client.list_objects_v2(
                Bucket=self.name, Prefix=prefix, MaxKeys=1, ExpectedBucketOwner=self.owner
            )
            keys = [each["Key"] for each in page.get("Contents", [])]
        if not keys:
            return None
        with explained("s3:GetObject", self._where):
            return S3Path(self.name, keys[0]).read_text(
                expected_bucket_owner=self.owner, s3_client=self._client
            )

    def put_zip(self, key: str, path: Path, code_sha256: str, progress: Progress) -> StoredZip:
        """Put the zip, unless it is there already, and check that S3 has the checksum of its bytes.

        `code_sha256` is base64. Raises `PublishError` for another object under that key, and for a
        zip that changes meanwhile.
        """
        size = path.stat().st_size
        parts = [] if size <= _PART_SIZE else _part_checksums(path, code_sha256)
        checksum = _composite(parts) if parts else code_sha256
        found = self._head(key)
        if found is None:
            with self._written():
                if parts:
                    self._put_parts(key, path, parts, progress)
                else:
                    data = path.read_bytes()
                    if _base64(hashlib.sha256(data).digest()) != code_sha256:
                        raise _changed(path)
                    self._put(key, data, _ZIP, if_none_match="*")
                    progress.moved(size)
            found = self._head(key)
        if found is None or found.checksum != checksum:
            there = found.checksum if found else None
            raise PublishError(
                f"{self._where}: the object `{key}` is not the zip {path.name}: its SHA-256 "
                f"is {there or 'missing'}, not {checksum}",
                hint="remove the object, or choose another `s3-dir`",
            )
        return StoredZip(self.name, key, found.version_id)

    def put_manifest(self, key: str, text: str) -> None:
        """Put the manifest of a version, unless one is there: the first to write it is right."""
        with self._written():
            self._put(key, text.encode(), _JSON, if_none_match="*")

    def put_last_manifest(self, key: str, text: str, version: int) -> bool:
        """Put the manifest of a version as the newest; return whether that was needed.

        The manifest of the same or a newer version is left alone, even one that comes meanwhile. An
        object whose metadata don't have the number of a version counts as older than all.
        """
        for _ in range(_TRIES):
            found = self._head(key)
            if found is not None and found.layer_version >= version:
                return False
            held: dict[str, Any] = (
                {"if_match": found.etag} if found is not None else {"if_none_match": "*"}
            )
            with self._written() as written:
                self._put(key, text.encode(), _JSON, metadata={_VERSION: str(version)}, **held)
            if written():
                return True
        raise PublishError(
            f"{self._where}: other publishers keep writing `{key}`",
            hint="run it again when they have ended",
        )

    def _head(self, key: str) -> _StoredObject | None:
        with explained("s3:GetObject", self._where):
            try:
                return _StoredObject.from_response(
                    self._client.head_object(
                        Bucket=self.name,
                        Key=key,
                        ChecksumMode="ENABLED",
                        ExpectedBucketOwner=self.owner,
                    )
                )
            except ClientError as error:
                if code(error) in _MISSING:
                    return None
                raise

    @contextmanager
    def _written(self) -> Iterator[Callable[[], bool]]:
        """Raise `PublishError` for what S3 refuses; yield a test whether the block has written.

        It has not if If-None-Match or If-Match did not hold: another publisher was faster, or an
        earlier attempt of this one has written, and its response was lost.
        """
        done = False
        with explained("s3:PutObject", self._where):
            try:
                yield lambda: done
                done = True
            except ClientError as error:
                if code(error) not in _TAKEN:
                    raise

    def _put(self, key: str, data: bytes, content_type: str, **held: Any) -> None:
        options: dict[str, Any] = {"tags": self._tags} if self._tags else {}
        if self._kms:
            options |= {"server_side_encryption": "aws:kms", "sse_kms_key_id": self._kms}
        S3Path(self.name, key).write_bytes(
            data,
            checksum_algorithm="SHA256",
            checksum_sha256=_base64(hashlib.sha256(data).digest()),
            content_type=content_type,
            expected_bucket_owner=self.owner,
            s3_client=self._client,
            **options,
            **held,
        )

    def _put_parts(self, key: str, path: Path, checksums: list[str], progress: Progress) -> None:
        target: Any = {"Bucket": self.name, "Key": key, "ExpectedBucketOwner": self.owner}
        options: Any = {"Tagging": urlencode(self._tags)} if self._tags else {}
        if self._kms:
            options |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self._kms}
        upload = self._client.create_multipart_upload(
            **target,
            ChecksumAlgorithm="SHA256",
            ChecksumType="COMPOSITE",
            ContentType=_ZIP,
            **options,
        )["UploadId"]

        def put_part(number: int) -> CompletedPartTypeDef:
            with path.open("rb") as file:
                file.seek((number - 1) * _PART_SIZE)
                data = file.read(_PART_SIZE)
            # S3 compares the checksum with what it got: a zip that changes meanwhile is refused.
            checksum = checksums[number - 1]
            answer = self._client.upload_part(
                **target,
                UploadId=upload,
                PartNumber=number,
                Body=data,
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=checksum,
            )
            progress.moved(len(data))
            return {"ETag": answer["ETag"], "PartNumber": number, "ChecksumSHA256": checksum}

        self._uploads.append(lambda: self._client.abort_multipart_upload(**target, UploadId=upload))
        try:
            numbers = range(1, len(checksums) + 1)
            parts = [part for _, part in run_parallel(put_part, numbers, _UPLOADS)]
            parts.sort(key=lambda part: part["PartNumber"])
            self._client.complete_multipart_upload(
                **target, UploadId=upload, MultipartUpload={"Parts": parts}, IfNoneMatch="*"
            )
            self._uploads.clear()
        except BaseException:
            self.abandon()
            raise


def _part_checksums(path: Path, code_sha256: str) -> list[str]:
    """Return the checksum (base64) of each part of a zip; raise `PublishError` if it changed."""
    checksums = []
    whole = hashlib.sha256()
    with path.open("rb") as file:
        while data := file.read(_PART_SIZE):
            checksums.append(_base64(hashlib.sha256(data).digest()))
            whole.update(data)
    if _base64(whole.digest()) != code_sha256:
        raise _changed(path)
    return checksums


def _composite(checksums: list[str]) -> str:
    """Return the checksum (base64) that S3 has for an object in parts: of the parts' checksums.

    So says S3's page "Checking object integrity", without the number of parts that S3 adds.
    """
    joined = b"".join(base64.b64decode(each) for each in checksums)
    return _base64(hashlib.sha256(joined).digest())


def _changed(path: Path) -> PublishError:
    return PublishError(f"{path} has changed since it was checked", hint="build it again")


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
