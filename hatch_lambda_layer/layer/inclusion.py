"""`force-include`: files and folders of the project that go into the layer as they are."""

from __future__ import annotations

import hashlib
import os
import sys
import unicodedata
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, NoReturn

from .._internal.zip_format import DEFLATED
from ..exceptions import ConfigError
from ..wheels.wheel import UNPRINTABLE
from .tree import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

OWNER = "force-include"
_CHUNK = 1 << 20
# What Hatch leaves out of every folder.
_SKIPPED_FOLDERS = frozenset({"__pycache__", ".git", ".hg", ".svn"})
_SKIPPED_FILES = frozenset({".DS_Store"})


class IncludedFile(NamedTuple):
    """A file on disk with its path in the layer; `sha256` (hexadecimal) is that of its content."""

    file: Path
    path: str
    executable: bool
    sha256: str


def find_included(root: Path, pairs: Sequence[tuple[str, str]]) -> list[IncludedFile]:
    """Give the files that the pairs of source and layer path name, sorted by layer path.

    Raises `ConfigError` for sources that are not there.
    """
    problems = []
    found = []
    for source, path in pairs:
        origin = root / Path(_on_disk(source)).expanduser()
        if origin.is_dir():
            found += [(file, f"{path}/{below}") for file, below in _below(origin)]
        elif origin.is_file():
            found.append((origin, path))
        else:
            problems.append(
                f"Field `tool.lambda-layer.force-include.{source!r}` names {origin}, "
                "which is missing"
            )
    if problems:
        raise ConfigError(problems)
    return sorted((_hashed(file, path) for file, path in found), key=lambda each: each.path)


def pack(files: Sequence[IncludedFile], pack_path: Path, file: BinaryIO) -> list[Entry]:
    """Compress `files` one behind the other into `file`, which lies at `pack_path`."""
    entries = []
    for included in files:
        offset = file.tell()
        size = crc = 0
        digest = hashlib.sha256()
        deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        for chunk in _chunks(included.file):
            size += len(chunk)
            crc = zlib.crc32(chunk, crc)
            digest.update(chunk)
            file.write(deflate.compress(chunk))
        file.write(deflate.flush())
        if digest.hexdigest() != included.sha256:
            raise ConfigError([f"{included.file} changed while the layer was built"])
        entries.append(
            Entry(
                path=included.path,
                owner=OWNER,
                executable=included.executable,
                method=DEFLATED,
                source=pack_path,
                offset=offset,
                compressed_size=file.tell() - offset,
                size=size,
                crc=crc,
                sha256=included.sha256,
            )
        )
    file.flush()
    return entries


def _below(folder: Path) -> Iterator[tuple[Path, str]]:
    for parent, folders, files in os.walk(folder, onerror=_refuse, followlinks=True):
        folders[:] = sorted(set(folders) - _SKIPPED_FOLDERS)
        above = Path(parent).resolve()
        for name in folders:
            if (below := Path(parent, name)).is_symlink() and above.is_relative_to(below.resolve()):
                raise ConfigError([f"{below} leads back to a folder that it is in"])
        for name in sorted(set(files) - _SKIPPED_FILES):
            file = Path(parent, name)
            yield file, _in_layer(file.relative_to(folder).as_posix())


def _on_disk(name: str) -> str:
    """Give the name of a file as this system's locale has it; on disk, names are UTF-8."""
    return name if sys.platform == "win32" else os.fsdecode(name.encode())


def _in_layer(name: str) -> str:
    if sys.platform == "win32":
        return name
    return os.fsencode(name).decode("utf-8", "surrogateescape")


def _refuse(error: OSError) -> NoReturn:
    raise ConfigError([f"{error.filename} can't be read: {error.strerror}"]) from error


def _hashed(file: Path, path: str) -> IncludedFile:
    if not path.isascii() or not path.isprintable() or "\\" in path:
        categories = {unicodedata.category(character) for character in path}
        if "\\" in path or not categories.isdisjoint(UNPRINTABLE):
            raise ConfigError([f"{str(file)!r} has a name that no layer can have"])
    digest = hashlib.sha256()
    for chunk in _chunks(file):
        digest.update(chunk)
    # The owner's bit is the one that git keeps; what the umask does to the others is no matter.
    executable = bool(file.stat().st_mode & 0o100)
    return IncludedFile(file, path, executable, digest.hexdigest())


def _chunks(file: Path) -> Iterator[bytes]:
    try:
        if not file.is_file() and file.exists():
            raise ConfigError([f"{file} is neither a file nor a folder"])
        with file.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                yield chunk
    except OSError as error:
        raise ConfigError([f"{file} can't be read: {error.strerror}"]) from error
