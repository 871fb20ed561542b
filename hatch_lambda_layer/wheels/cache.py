"""The content-addressed cache: wheels under their sha256, each with its proof.

Several processes may use it at once: files appear whole, under names that their content decides,
and are never changed. A wheel whose size or time is not the one that was proved counts as absent.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import platform
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._internal.filelock import try_lock
from ..exceptions import CacheError
from ..lockfiles.protocol import Lock
from .selection import LockedSource, LockedWheel, Selection
from .wheel import Wheel, WheelMember

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

# Rises when a proof proves more, or is written in another form: older ones are then made again.
_SCHEMA = 1


def default_cache_dir() -> Path:
    """Give `HATCH_LAMBDA_LAYER_CACHE_DIR`, or the usual place for caches on this system."""
    if chosen := os.environ.get("HATCH_LAMBDA_LAYER_CACHE_DIR"):
        return Path(chosen).absolute()
    from platformdirs import user_cache_path

    return user_cache_path("hatch-lambda-layer", appauthor=False)


class TemporaryFile:
    """A file that has an owner as long as it is locked, and no final name yet."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self.file = file

    @classmethod
    def create(cls, folder: Path) -> TemporaryFile:
        """Make an empty file in `folder`, which is made too."""
        folder.mkdir(parents=True, exist_ok=True)
        while True:
            path = folder / os.urandom(8).hex()
            try:
                file = path.open("x+b")
                # A sweep of another process can come between the two steps: then once more.
                if try_lock(file) and path.exists():
                    return cls(path, file)
                file.close()
            except BaseException:
                # A signal may come as soon as the file is there.
                path.unlink(missing_ok=True)
                raise

    def move_to(self, path: Path) -> None:
        """Give the file its final name, in place of what had that name."""
        self.file.flush()
        path.parent.mkdir(parents=True, exist_ok=True)
        if sys.platform == "win32":
            self.file.close()  # Windows renames no open files
        os.replace(self.path, path)

    def discard(self) -> None:
        """Close the file, and remove it if it was not moved."""
        # Closing writes what is pending: on a full disk that fails once more.
        with suppress(OSError):
            self.file.close()
        with suppress(FileNotFoundError):
            self.path.unlink()


class Cache:
    """The cache below one folder, which is made when something is first put in."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._version = root / f"v{_SCHEMA}"
        self._open: set[TemporaryFile] = set()
        self._abandoned = False
        self._opening = threading.Lock()

    def wheel(self, locked: LockedWheel) -> Wheel | None:
        """Give the wheel with its proof, or `None` when it is not in the cache as proved."""
        path = self._wheel_path(locked.sha256)
        try:
            proof = json.loads(path.with_suffix(".json").read_bytes())
            found = path.stat()
            if (found.st_size, found.st_mtime_ns) != (proof["size"], proof["mtime_ns"]):
                return None
            return _from_proof(proof, path, locked)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def insert(self, temporary: TemporaryFile, wheel: Wheel) -> Wheel:
        """Move a proved wheel into the cache, and keep its proof beside it."""
        path = self._wheel_path(wheel.sha256)
        with _reported(path):
            temporary.move_to(path)
            found = path.stat()
        self._put(path.with_suffix(".json"), _as_proof(wheel, found.st_size, found.st_mtime_ns))
        return dataclasses.replace(wheel, file=path)

    def built_wheel(self, key: str) -> Wheel | None:
        """Give the wheel that was built and kept under `key`, with its proof."""
        try:
            name, version, filename, sha256 = json.loads(self._built_path(key).read_bytes())
        except (OSError, ValueError, TypeError):
            return None
        return self.wheel(LockedWheel(name, version, filename, sha256, None, "", None))

    def insert_built(self, key: str, temporary: TemporaryFile, wheel: Wheel) -> Wheel:
        """Move a proved wheel that was built here into the cache, and keep it under `key`."""
        inserted = self.insert(temporary, wheel)
        facts = (wheel.name, wheel.version, wheel.filename, wheel.sha256)
        self._put(self._built_path(key), json.dumps(facts).encode())
        return inserted

    def selection(self, key: str) -> Selection | None:
        """Give the selection that was kept under `key`."""
        try:
            wheels, sources = json.loads(self._selection_path(key).read_bytes())
            return Selection(
                wheels=tuple(LockedWheel(*row) for row in wheels),
                sources=tuple(LockedSource(*row) for row in sources),
            )
        except (OSError, ValueError, TypeError):
            return None

    def keep_selection(self, key: str, selection: Selection) -> None:
        """Keep a selection: parsing and selecting takes longer than everything after it."""
        self._put(self._selection_path(key), json.dumps(selection).encode())

    def lock(self, key: str, path: Path) -> Lock | None:
        """Give the lock of the lockfile `path` that was kept under `key`."""
        try:
            command, text, warnings = json.loads(self._lock_path(key).read_bytes())
            return Lock(path=path, command=command, text=text.encode(), warnings=tuple(warnings))
        except (OSError, ValueError, TypeError, AttributeError):
            return None

    def keep_lock(self, key: str, lock: Lock) -> None:
        """Keep what a slow tool has made of a lockfile."""
        facts = (lock.command, lock.text.decode(), lock.warnings)
        self._put(self._lock_path(key), json.dumps(facts).encode())

    @contextmanager
    def temporary(self) -> Iterator[TemporaryFile]:
        """Give a new file, and remove it at the end unless it was moved into the cache."""
        # Whoever abandons the threads sees either the file or that there will be none.
        with self._opening, _reported(self._temporary_dir):
            if self._abandoned:
                raise CacheError("The build has ended")
            temporary = TemporaryFile.create(self._temporary_dir)
            self._open.add(temporary)
        try:
            with _reported(self._temporary_dir):
                yield temporary
        finally:
            temporary.discard()
            self._open.discard(temporary)

    @contextmanager
    def for_threads(self) -> Iterator[Cache]:
        """Give the cache to threads that may be left alone; no temporary file of theirs stays."""
        cache = Cache(self.root)
        try:
            yield cache
        finally:
            with cache._opening:  # it is a cache like this one
                cache._abandoned = True
                for temporary in list(cache._open):
                    with suppress(OSError):
                        temporary.path.unlink()

    @property
    def id(self) -> str:
        """What tells this cache from those of other users and machines; no secret, no path."""
        place = f"{platform.node()}\0{self.root.absolute()}"
        return hashlib.sha256(place.encode("utf-8", "surrogateescape")).hexdigest()[:16]

    @contextmanager
    def token(self) -> Iterator[str]:
        """Give a unique name for what is elsewhere and must not outlive this process."""
        with _reported(self._temporary_dir):
            temporary = TemporaryFile.create(self._temporary_dir)
        try:
            yield temporary.path.name
        finally:
            temporary.discard()

    def has_owner(self, token: str) -> bool:
        """Say whether the process that was given this token still has it."""
        try:
            with (self._temporary_dir / token).open("r+b") as file:
                return not try_lock(file)
        except OSError:
            return False

    def is_native(self, key: str) -> bool | None:
        """Say what was found out about the source that was kept under `key`."""
        try:
            return bool(json.loads(self._native_path(key).read_bytes()))
        except (OSError, ValueError):
            return None

    def keep_native(self, key: str, *, native: bool) -> None:
        """Keep whether a source has native code."""
        self._put(self._native_path(key), json.dumps(native).encode())

    def sweep(self) -> None:
        """Remove temporary files whose process has died."""
        with suppress(OSError):
            for path in self._temporary_dir.iterdir():
                with suppress(OSError), path.open("r+b") as file:
                    if try_lock(file):
                        path.unlink()

    @property
    def _temporary_dir(self) -> Path:
        return self._version / "tmp"

    def _wheel_path(self, sha256: str) -> Path:
        return self._version / "wheels" / sha256[:2] / f"{sha256}.whl"

    def _built_path(self, key: str) -> Path:
        return self._version / "built" / f"{key}.json"

    def _selection_path(self, key: str) -> Path:
        return self._version / "selections" / f"{key}.json"

    def _native_path(self, key: str) -> Path:
        return self._version / "native" / f"{key}.json"

    def _lock_path(self, key: str) -> Path:
        return self._version / "lockfiles" / f"{key}.json"

    def _put(self, path: Path, content: bytes) -> None:
        with self.temporary() as temporary, _reported(path):
            temporary.file.write(content)
            temporary.move_to(path)


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CacheError(
            f"The cache can't be written at {path}: {error.strerror}",
            hint="free the space, or name another folder in HATCH_LAMBDA_LAYER_CACHE_DIR",
        ) from error


def _as_proof(wheel: Wheel, size: int, mtime_ns: int) -> bytes:
    proof = {
        "size": size,
        "mtime_ns": mtime_ns,
        "filename": wheel.filename,
        "name": wheel.name,
        "version": wheel.version,
        "dist_info": wheel.dist_info,
        "requires_dist": wheel.requires_dist,
        "members": wheel.members,
    }
    return json.dumps(proof, separators=(",", ":")).encode()


def _from_proof(proof: dict[str, Any], path: Path, locked: LockedWheel) -> Wheel | None:
    if proof["filename"] != locked.filename:
        return None
    return Wheel(
        file=path,
        filename=locked.filename,
        name=proof["name"],
        version=proof["version"],
        sha256=locked.sha256,
        dist_info=proof["dist_info"],
        requires_dist=tuple(proof["requires_dist"]),
        members=tuple(map(WheelMember._make, proof["members"])),
    )
