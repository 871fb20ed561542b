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
from ..config.workspace import is_workspace_root
from ..exceptions import ConfigError
from ..targets.elf import MAGIC, ElfFile, examine
from ..wheels.wheel import UNPRINTABLE
from .tree import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_OWNER = "force-include"
_CHUNK = 1 << 20
# Hatch leaves these out of every folder, too.
_SKIPPED_FOLDERS = frozenset({"__pycache__", ".git", ".hg", ".svn"})
_SKIPPED_FILES = frozenset({".DS_Store"})


class IncludedFile(NamedTuple):
    """A file on disk with its path in the layer, and the sha256 (hexadecimal) of its content."""

    file: Path
    path: str
    executable: bool
    sha256: str


def find_included(
    root: Path, pairs: Sequence[tuple[str, str]], *, outside: bool = False
) -> list[IncludedFile]:
    """Return the files that the pairs of source and layer path name, sorted by layer path.

    Raises `ConfigError` for sources that are missing, and unless `outside` for files that lie
    outside of the project's repository or workspace, also where a link leads there.
    """
    problems = []
    found = []
    for source, path in pairs:
        # pathlib fails for the home of an unknown user, and for a name that is too long.
        origin = root / os.path.expanduser(_on_disk(source))  # noqa: PTH111
        if os.path.isdir(origin):  # noqa: PTH112
            found += [(source, file, f"{path}/{below}") for file, below in _below(origin)]
        elif os.path.isfile(origin):  # noqa: PTH113
            found.append((source, origin, path))
        else:
            problems.append(f"Field {_field(source)} names {origin}, which is missing")
    if not outside:
        problems += _strangers(root, [(source, file) for source, file, _ in found])
    if problems:
        raise ConfigError(problems)
    return sorted((_hashed(file, path) for _, file, path in found), key=lambda each: each.path)


def _strangers(root: Path, files: Sequence[tuple[str, Path]]) -> list[str]:
    """Return a problem for each source with a file that lies outside of what is the project's."""
    limit = _enclosing(root).resolve()
    outside: dict[str, Path] = {}
    for source, file in files:
        real = file.resolve()
        if not real.is_relative_to(limit):
            outside.setdefault(source, real)
    return [
        f"Field {_field(source)} leads to {real}, which is outside of {limit}: copy it into the "
        "project, or set `force-include-outside = true`"
        for source, real in outside.items()
    ]


def _enclosing(root: Path) -> Path:
    """Return the git repository or else the workspace of uv around a project, or its own folder."""
    around = [root, *root.absolute().parents]
    repository = next((each for each in around if (each / ".git").exists()), None)
    return repository or next((each for each in around if is_workspace_root(each)), root)


def _field(source: str) -> str:
    return f"`tool.lambda-layer.force-include.{source!r}`"


def pack(
    files: Sequence[IncludedFile], pack_path: Path, file: BinaryIO, native: dict[str, ElfFile]
) -> list[Entry]:
    """Compress `files` one after another into `file`, which lies at `pack_path`.

    The facts about ELF files among them are added to `native`, by the sha256 of their content.

    Raises `ConfigError` for a file that has changed since it was found.
    """
    entries = [_packed(included, pack_path, file, native) for included in files]
    file.flush()
    return entries


def _packed(
    included: IncludedFile, pack_path: Path, file: BinaryIO, native: dict[str, ElfFile]
) -> Entry:
    offset = file.tell()
    size = crc = packed_crc = 0
    digest = hashlib.sha256()
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    elf = bytearray()
    for chunk in _chunks(included.file):
        size += len(chunk)
        crc = zlib.crc32(chunk, crc)
        digest.update(chunk)
        if elf.startswith(MAGIC[: len(elf)]):
            elf += chunk
        packed = deflate.compress(chunk)
        packed_crc = zlib.crc32(packed, packed_crc)
        file.write(packed)
    packed = deflate.flush()
    packed_crc = zlib.crc32(packed, packed_crc)
    file.write(packed)
    if digest.hexdigest() != included.sha256:
        raise ConfigError([f"{included.file} changed while the layer was built"])
    if elf.startswith(MAGIC):
        native[included.sha256] = examine(elf)
    return Entry(
        path=included.path,
        owner=_OWNER,
        executable=included.executable,
        method=DEFLATED,
        source=pack_path,
        offset=offset,
        compressed_size=file.tell() - offset,
        size=size,
        crc=crc,
        sha256=included.sha256,
        packed_crc=packed_crc,
    )


def _below(folder: Path) -> Iterator[tuple[Path, str]]:
    for parent, folders, files in os.walk(folder, onerror=_refuse, followlinks=True):
        folders[:] = sorted(set(folders) - _SKIPPED_FOLDERS)
        above = Path(parent).resolve()
        for name in folders:
            if (below := Path(parent, name)).is_symlink() and above.is_relative_to(below.resolve()):
                raise ConfigError([f"{below} is a link to a folder that contains it"])
        for name in sorted(set(files) - _SKIPPED_FILES):
            file = Path(parent, name)
            yield file, _in_layer(file.relative_to(folder).as_posix())


def _on_disk(name: str) -> str:
    """Return the name of a file as Python opens it: on disk, names are UTF-8 in any locale."""
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
            raise ConfigError([f"{str(file)!r} has a name that is not valid in a layer"])
    digest = hashlib.sha256()
    for chunk in _chunks(file):
        digest.update(chunk)
    # git keeps the owner's bit; the others depend on the umask, and do not count.
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
