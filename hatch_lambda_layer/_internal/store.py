"""The store of the cache: bytes by kind and key, which appear whole or not at all.

Several processes may use one store at once: what appears under a name is complete, and is replaced
in one step. What the bytes mean is known by those who put them in.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
import threading
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..exceptions import CacheError
from .ownership import disown, is_owned, oldest_owner, owned, sweep, unique_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Raised when anything in the store has another form: older versions are neither read nor removed.
_SCHEMA = 2
# The variable of the limit of its size.
CACHE_SIZE = "HATCH_LAMBDA_LAYER_CACHE_SIZE"
# What decoding raises for bytes that are not what they should be.
UNREADABLE = (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError)
# The names of a file that was moved into the store, and of what is known of it.
_FILE = "file"
_NOTE = "note"


def default_cache_dir() -> Path:
    """Return `HATCH_LAMBDA_LAYER_CACHE_DIR`, or the usual place for caches on this system."""
    if chosen := os.environ.get("HATCH_LAMBDA_LAYER_CACHE_DIR"):
        return Path(chosen).absolute()
    from platformdirs import user_cache_path

    return user_cache_path("hatch-lambda-layer", appauthor=False)


class StoredEntry(NamedTuple):
    """An entry under one key of a `kind`: its `size` in bytes, and the time of its last use."""

    kind: str
    path: Path
    size: int
    used: float


class TemporaryFile:
    """A file that has no final name yet, alone in a `folder` that it can be moved with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / _FILE
        folder.mkdir(mode=0o700)
        self.file = self.path.open("x+b")

    def finish(self) -> None:
        """Write what is still buffered, before the file is moved."""
        if not self.file.closed:
            self.file.flush()
        if sys.platform == "win32":
            self.file.close()  # Windows moves no open files

    def close(self) -> None:
        """Close the file, whether or not what is still buffered can be written."""
        with suppress(OSError):
            self.file.close()


class Store:
    """The store below one folder, which is made when something is first put in.

    A method that moves a file into it raises `CacheError` where that fails. What is put in as bytes
    is kept if it can be: a cache that can't be written is slower, and nothing else. From a store
    that is not `trusted` no bytes are read.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._version = root / f"v{_SCHEMA}"
        self._temporary_dir = self._version / "tmp"
        self._owned: set[Path] = set()
        self._abandoned = False
        self._opening = threading.Lock()

    def get(self, kind: str, key: str) -> bytes | None:
        """Return the bytes that were put in; `None` if there are none, or they were changed."""
        return self._read(self._path(kind, key), f"{kind}/{key}")

    def put(self, kind: str, key: str, content: bytes) -> None:
        """Put bytes in, in place of what was there, if the store can be written."""
        self._write(self._path(kind, key), f"{kind}/{key}", content)

    def file(self, kind: str, key: str) -> Path:
        """Return the path of a file that was moved into the store, whether or not it is there."""
        return self._path(kind, f"{key}/{_FILE}")

    def note(self, kind: str, key: str) -> bytes | None:
        """Return what is known of a file; `None` if that is nothing, or it was changed."""
        return self._read(self._path(kind, f"{key}/{_NOTE}"), f"{kind}/{key}")

    def put_note(self, kind: str, key: str, content: bytes) -> None:
        """Replace what is known of a file, if the store can be written."""
        self._write(self._path(kind, key) / _NOTE, f"{kind}/{key}", content)

    def insert(
        self,
        kind: str,
        key: str,
        temporary: TemporaryFile,
        describe: Callable[[os.stat_result], bytes],
    ) -> bool:
        """Move a file into the store, together with what `describe` makes of its status.

        Both appear in one step. Return false, and move nothing, where a file is already.
        """
        path = self._path(kind, key)
        with _reported(path):
            temporary.finish()
            # Of this file, and not of one that another process moves to the same place.
            note = _sealed(f"{kind}/{key}", describe(temporary.path.stat()))
            (temporary.folder / _NOTE).write_bytes(note)
            _make_private(path.parent)
            try:
                temporary.folder.rename(path)
            except OSError:
                if path.is_dir():
                    return False
                raise
        return True

    def discard(self, kind: str, key: str) -> None:
        """Remove a file and what is known of it, in one step."""
        path = self._path(kind, key)
        with self._owned_path() as aside, _reported(path), suppress(FileNotFoundError):
            path.rename(aside)

    @contextmanager
    def temporary(self) -> Iterator[TemporaryFile]:
        """Yield a new file, and remove it at the end unless it was moved into the store."""
        with self._owned_path() as folder, _reported(folder):
            with self._unless_abandoned():
                temporary = TemporaryFile(folder)
            try:
                yield temporary
            finally:
                temporary.close()

    @contextmanager
    def for_threads(self) -> Iterator[Store]:
        """Yield the store for threads that may be abandoned; their temporary files are removed."""
        store = Store(self.root)
        try:
            yield store
        finally:
            with store._opening:  # another object of this class
                store._abandoned = True
                for path in list(store._owned):
                    disown(path)

    @cached_property
    def trusted(self) -> bool:
        """Whether only this user, or root, can have written what is in the store."""
        if sys.platform == "win32":
            return True  # its modes say nothing of other users
        for folder in (self.root, self._version):
            # What can't be found can't be read, either.
            with suppress(OSError):
                status = folder.stat()
                if status.st_mode & 0o022 or status.st_uid not in (0, os.geteuid()):
                    return False
        return True

    @property
    def id(self) -> str:
        """A name that stores of other users and machines do not have; it reveals no path."""
        place = f"{platform.node()}\0{self.root.absolute()}"
        return hashlib.sha256(place.encode("utf-8", "surrogateescape")).hexdigest()[:16]

    @property
    def locks(self) -> Path:
        """The folder for locks of what can't be locked itself."""
        return self._version / "locks"

    @contextmanager
    def token(self) -> Iterator[str]:
        """Yield a unique name for a thing outside the store that must not outlive this process."""
        with self._owned_path() as path:
            yield path.name

    def has_owner(self, token: str) -> bool:
        """Return whether the process that was given `token` still holds it."""
        return is_owned(self._temporary_dir / token)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep what is used inside the context from being pruned by others, for its length."""
        with ExitStack() as stack:
            # Where nothing can be written, nothing can be removed.
            with suppress(CacheError):
                stack.enter_context(self.token())
            yield

    def touch(self, kind: str, key: str) -> None:
        """Note that a file is used now, as reading what is known of it does."""
        with suppress(OSError):
            os.utime(self._path(kind, key) / _NOTE)

    @property
    def users_since(self) -> float | None:
        """The time since which processes use the store, `None` where none does."""
        return oldest_owner(self._temporary_dir)

    def entries(self) -> Iterator[StoredEntry]:
        """Yield what is kept, of each kind; what another process removes meanwhile is left out."""
        for kind in _listed(self._version):
            if kind not in (self._temporary_dir, self.locks):
                for path in (each for folder in _listed(kind) for each in _listed(folder)):
                    with suppress(OSError):
                        yield _entry(path)

    def remove(self, entry: StoredEntry) -> bool:
        """Remove an entry unless it was used since it was listed; return whether it is gone.

        A build that comes to use it meanwhile finds it as it was, or finds nothing.
        """
        with suppress(CacheError, OSError), self._owned_path() as aside:
            entry.path.rename(aside)
            if _used(aside) <= entry.used:
                return True
            if not entry.path.exists():
                aside.rename(entry.path)
        return False

    def sweep(self) -> None:
        """Remove the temporary files of processes that have died."""
        sweep(self._temporary_dir)

    def _path(self, kind: str, key: str) -> Path:
        return self._version / f"{kind}/{key[:2]}/{key}"

    @contextmanager
    def _owned_path(self) -> Iterator[Path]:
        path = self._temporary_dir / unique_name()
        try:
            with ExitStack() as stack:
                with _reported(path):
                    _make_private(self._temporary_dir)
                    with self._unless_abandoned():
                        self._owned.add(path)
                        stack.enter_context(owned(path))
                yield path
        finally:
            self._owned.discard(path)

    @contextmanager
    def _unless_abandoned(self) -> Iterator[None]:
        """Lock what `for_threads` looks at: it either finds what is made, or keeps it from that."""
        with self._opening:
            if self._abandoned:
                raise CacheError("The build has ended")
            yield

    def _read(self, path: Path, name: str) -> bytes | None:
        if not self.trusted:
            return None
        try:
            with open(path, "rb", buffering=0) as file:
                sealed = file.read()
        except (OSError, ValueError):
            return None
        try:
            # What is used is not pruned, see `remove`.
            os.utime(path)
        except FileNotFoundError:
            return None
        except OSError:
            pass  # it can't be written, hence not be removed
        seal, _, content = sealed.partition(b"\n")
        return content if seal == _seal(name, content) else None

    def _write(self, path: Path, name: str, content: bytes) -> None:
        with suppress(CacheError), self.temporary() as temporary:
            temporary.file.write(_sealed(name, content))
            temporary.finish()
            _make_private(path.parent)
            os.replace(temporary.path, path)


def _listed(folder: Path) -> list[Path]:
    """Return what is in a folder, nothing where it is none or is gone."""
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _entry(path: Path) -> StoredEntry:
    files = list(path.iterdir()) if path.is_dir() else [path]
    size = sum(each.stat().st_size for each in files)
    return StoredEntry(path.parent.parent.name, path, size, _used(path))


def _used(path: Path) -> float:
    note = path / _NOTE
    return (note if note.exists() else path).stat().st_mtime


def _sealed(name: str, content: bytes) -> bytes:
    return _seal(name, content) + b"\n" + content


def _seal(name: str, content: bytes) -> bytes:
    """Return a checksum of `content` which also says what it is the content of."""
    digest = hashlib.sha256(f"{name}\n".encode())
    digest.update(content)
    return digest.hexdigest().encode()


def _make_private(folder: Path) -> None:
    """Make a folder, and those above it that are missing, which only this user can enter."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except FileNotFoundError:
        _make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CacheError(
            f"The cache can't be written at {path}: {error.strerror}",
            hint="free the space, or name another folder in HATCH_LAMBDA_LAYER_CACHE_DIR",
        ) from error
