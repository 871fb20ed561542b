"""The cache that the machines of a fleet share: what is expensive and the same on each of them.

It saves time and decides nothing: a build that can't use it, or no longer, makes everything itself.
S3 has no lock and needs none here, since an object is put once under a key that says what it is.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

from .._internal.parallel import begin
from .._internal.text import safe
from ..exceptions import CacheError, ConfigError, DownloadError, LambdaLayerError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import BinaryIO

    from .._internal.console import Console
    from ..aws.objects import S3Objects

_Result = TypeVar("_Result")

VARIABLE = "HATCH_LAMBDA_LAYER_CACHE_S3"
# Keys begin with it, so that another version of the tool can keep something else there.
FOLDER = "v1"
_URL = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:/[A-Za-z0-9!_.*'()=+-]+)*)/?")
_ACCOUNT = re.compile(r"[0-9]{12}")
# The fact that every file has: its own sha256, in hexadecimal digits.
SHA256 = "sha256"
# A cache that is far away or ill must cost less than what it saves.
_SECONDS_TO_CONNECT = 1
_SECONDS_FOR_ANSWER = 5
_ATTEMPTS = 2
# In each of these spans a transfer has to end, or to move as many bytes a second as this.
_SECONDS_WATCHED = 10.0
_SMALLEST_RATE = 16 * 1024


class SharedCache(Protocol):
    """Files by keys that say all that decides them; threads may share it, and nothing is raised."""

    def fetch(
        self, key: str, file: BinaryIO, *, largest: int, sha256: str | None = None
    ) -> Mapping[str, str] | None:
        """Write what was put under a key to the empty `file`, and return the facts about it.

        Its bytes have the `sha256` (hexadecimal) that is given, or else the one that was put with
        them. After `None` the file is of no use: another thread may still write to it.
        """
        ...

    def put(self, key: str, path: Path, sha256: str, facts: Mapping[str, str]) -> None:
        """Put a file and the facts about it, unless another machine has put it already."""
        ...

    def distrust(self, key: str, reason: str) -> None:
        """End the use of the cache because of what it has under `key`."""
        ...


class NoSharedCache:
    """The cache of a machine that shares nothing."""

    def fetch(
        self, key: str, file: BinaryIO, *, largest: int, sha256: str | None = None
    ) -> Mapping[str, str] | None:
        """Return `None`."""

    def put(self, key: str, path: Path, sha256: str, facts: Mapping[str, str]) -> None:
        """Put nothing."""

    def distrust(self, key: str, reason: str) -> None:
        """End nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SharedCacheConfig:
    """Where the cache is, which account has to own the bucket, and whether files are put there.

    Without an `owner` it is the account of the credentials.
    """

    bucket: str
    prefix: str
    owner: str | None = None
    readonly: bool = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> SharedCacheConfig | None:
        """Parse the variables of the cache; `None` without one. Raises `ConfigError`."""
        if not (url := environment.get(VARIABLE)):
            return None
        # What is wrong is not shown: it may be a URL with credentials or a signature.
        problems = []
        if (match := _URL.fullmatch(url)) is None or {".", ".."} & set(url.split("/")):
            problems.append(f"{VARIABLE} must be s3://BUCKET or s3://BUCKET/PREFIX")
        owner = environment.get(f"{VARIABLE}_OWNER") or None
        if owner and not _ACCOUNT.fullmatch(owner):
            problems.append(f"{VARIABLE}_OWNER must be the 12 digits of an AWS account")
        readonly = environment.get(f"{VARIABLE}_READONLY") or "0"
        if readonly not in ("0", "1"):
            problems.append(f"{VARIABLE}_READONLY must be 1 or 0")
        if problems or match is None:
            raise ConfigError(problems)
        return cls(
            bucket=match[1], prefix=match[2].strip("/"), owner=owner, readonly=readonly == "1"
        )

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")


def open_shared_cache(environment: Mapping[str, str], console: Console) -> SharedCache:
    """Return the cache that the variables name; nothing is sent before it is used.

    Raises `ConfigError`.
    """
    config = SharedCacheConfig.from_environment(environment)
    return S3SharedCache(config, console) if config else NoSharedCache()


@dataclass
class S3SharedCache:
    """The cache below a prefix of a bucket on S3: used until the first failure, with one warning.

    A file's sha256 is in the metadata of its object, beside its facts.
    """

    config: SharedCacheConfig
    console: Console
    _ended: bool = False
    _objects: S3Objects | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _opening: threading.Lock = field(default_factory=threading.Lock)

    def fetch(
        self, key: str, file: BinaryIO, *, largest: int, sha256: str | None = None
    ) -> Mapping[str, str] | None:
        """Write what was put under a key to the empty `file`, and return the facts about it."""
        if self._ended:
            return None
        watched = _Watched(file)
        try:
            facts = watched.wait_for(lambda: self._open().get(f"{FOLDER}/{key}", watched, largest))
            if facts is None:
                return None
            self._check(key, file, sha256 or facts.get(SHA256))
        except Exception as error:  # noqa: BLE001  # no failure of it may end a build
            self._end(_reason(error))
            return None
        self.console.detail(f"found in {self.config}: {key}")
        return facts

    def put(self, key: str, path: Path, sha256: str, facts: Mapping[str, str]) -> None:
        """Put a file and the facts about it, unless another machine has put it already."""
        if self._ended or self.config.readonly:
            return
        metadata = {**facts, SHA256: sha256}
        try:
            with path.open("rb") as file:
                watched = _Watched(file)
                done = watched.wait_for(
                    lambda: self._open().put(f"{FOLDER}/{key}", watched, sha256, metadata)
                )
        except Exception as error:  # noqa: BLE001  # no failure of it may end a build
            self._end(_reason(error))
        else:
            self.console.detail(f"{'put into' if done else 'already in'} {self.config}: {key}")

    def distrust(self, key: str, reason: str) -> None:
        """End the use of the cache because of what it has under `key`."""
        self._end(f"its object `{FOLDER}/{key}` {reason}; remove it there")

    def _check(self, key: str, file: BinaryIO, sha256: str | None) -> None:
        file.flush()
        file.seek(0)
        got = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
        if got != sha256:
            wanted = safe(sha256 or "one in its metadata")
            raise CacheError(
                f"its object `{FOLDER}/{key}` has the sha256 {got}, and should have {wanted}; "
                "remove it there"
            )

    def _open(self) -> S3Objects:
        with self._opening:
            if self._objects is None:
                from ..aws import needed

                with needed(f"the cache {self.config}"):
                    from ..aws.objects import S3Objects
                    from ..aws.session import AwsSession

                session = AwsSession(
                    timeout=_SECONDS_FOR_ANSWER,
                    connect_timeout=_SECONDS_TO_CONNECT,
                    attempts=_ATTEMPTS,
                )
                config = self.config
                self._objects = S3Objects(session, config.bucket, config.prefix, config.owner)
            return self._objects

    def _end(self, reason: str) -> None:
        with self._lock:
            first, self._ended = not self._ended, True
        if first:
            self.console.warning(
                f"The shared cache {self.config} ({VARIABLE}) is not used any more in this build: "
                f"{reason}"
            )


class _Watched:
    """A file that another thread reads or writes, and the count of the bytes that it moved."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.count = 0

    def wait_for(self, work: Callable[[], _Result]) -> _Result:
        """Return the result of `work`; raise `DownloadError` where it is too slow.

        Names that are looked up, credentials that are asked for, headers and bodies: each may come
        so slowly that no timeout of a socket ends it. The thread is left to itself, with a file
        that is closed.
        """
        wait = begin(work)
        before = 0
        while True:
            try:
                return wait(_SECONDS_WATCHED)
            except TimeoutError:
                if self.count - before < _SMALLEST_RATE * _SECONDS_WATCHED:
                    rate = f"{_SMALLEST_RATE // 1024} KB a second for {_SECONDS_WATCHED:g} seconds"
                    raise DownloadError(f"it moved less than {rate}") from None
                before = self.count

    def write(self, data: bytes) -> int:
        count = self._file.write(data)
        self.count += count
        return count

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.count += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def _reason(error: Exception) -> str:
    if isinstance(error, LambdaLayerError):
        return error.message
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    # Its text may quote a request or a response.
    return type(error).__name__
