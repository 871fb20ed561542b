"""Reading a layer or function that lies in a folder, whoever has made it, to be audited."""

from __future__ import annotations

import csv
import os
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ...exceptions import LambdaLayerError
from ...targets.elf import MAGIC, examine
from ...wheels.entry_points import console_scripts
from ..dependency_graph import canonical
from .subject import Distribution, Subject

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ...targets.elf import ElfFile
    from ...targets.target import Target

# No layer can hold a larger file.
_LARGEST_FILE = 262_144_000
_LARGEST_METADATA = 32 << 20
_TAG = re.compile(r"^Tag: cp3(\d+)-cp3\1-", re.MULTILINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class FolderContent:
    """The files of a folder: their paths and sizes in bytes, links, and facts about ELF files.

    All paths are relative to it; what a link leads to is among the paths, too. `modes` are those
    that a zip has for files and folders.
    """

    folder: Path
    sizes: Mapping[str, int]
    links: Mapping[str, str]
    native: Mapping[str, ElfFile]
    modes: Mapping[str, int] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """Whether it is a `layer`, which has `python/`, or a `function`."""
        return "layer" if any(path.startswith("python/") for path in self.sizes) else "function"

    @property
    def machine(self) -> str | None:
        """The machine that most of its native code is for; `None` if there is none."""
        found = Counter(elf.machine for elf in self.native.values() if elf.loadable and elf.machine)
        return found.most_common(1)[0][0] if found else None

    @property
    def runtime(self) -> str | None:
        """The runtime that the tags of its wheels name, if they name one."""
        minors = set()
        for path in self.sizes:
            if path.endswith(".dist-info/WHEEL"):
                minors |= {*_TAG.findall(_text(self.folder / path))}
        return f"python3.{minors.pop()}" if len(minors) == 1 else None

    def subject(self, target: Target) -> Subject:
        """Return it as what is audited on a target."""
        plain = Subject(
            target=target,
            paths=tuple(self.sizes),
            native=self.native,
            owners={},
            distributions=(),
            links=self.links,
            kind=self.kind,
        )
        found: dict[str, Distribution] = {}
        owners: dict[str, str] = {}
        for path, rest in plain.importable:
            if rest.endswith(".dist-info/METADATA") and rest.count("/") == 1:
                root = path.removesuffix(rest)
                each = _distribution((self.folder / path).parent)
                if each and each.name not in found:
                    found[each.name] = each
                    owners |= dict.fromkeys(_recorded(self.folder / path, root), each.name)
        return Subject(
            target=target,
            paths=plain.paths,
            native=self.native,
            owners={path: owners[path] for path in self.native if path in owners},
            distributions=tuple(found.values()),
            links=self.links,
            kind=self.kind,
        )


def read_folder(folder: Path) -> FolderContent:
    """Read what is in a folder; raise `LambdaLayerError` where it is not a layer or function."""
    inner = sorted(path.name for path in folder.iterdir() if path.is_dir())
    # `sam build` leaves this file beside the folders of all layers and functions.
    if inner and (folder / "template.yaml").exists():
        raise LambdaLayerError(
            f"{folder} has layers and functions in it: {', '.join(inner)}",
            hint="verify one of them",
        )
    sizes: dict[str, int] = {}
    links: dict[str, str] = {}
    native: dict[str, ElfFile] = {}
    for path, file in _files(folder, folder.resolve()):
        sizes[path] = file.stat().st_size
        real = file.resolve()
        if real != folder.resolve() / path:
            links[path] = real.relative_to(folder.resolve()).as_posix()
        if sizes[path] <= _LARGEST_FILE and (elf := _native(file)) is not None:
            native[path] = elf
    if not sizes:
        raise LambdaLayerError(f"There is no file in {folder}")
    return FolderContent(folder=folder, sizes=sizes, links=links, native=native)


def _files(folder: Path, root: Path) -> Iterator[tuple[str, Path]]:
    """Yield each file, also by way of links that stay in the folder; others lead to nothing."""
    for parent, folders, names in os.walk(folder, followlinks=True):
        above = Path(parent).resolve()
        folders[:] = sorted(name for name in folders if _stays(Path(parent, name), root, above))
        for name in sorted(names):
            file = Path(parent, name)
            if file.is_file() and (not file.is_symlink() or file.resolve().is_relative_to(root)):
                yield file.relative_to(folder).as_posix(), file


def _stays(folder: Path, root: Path, above: Path) -> bool:
    if not folder.is_symlink():
        return True
    real = folder.resolve()
    return real.is_relative_to(root) and not above.is_relative_to(real)


def _native(file: Path) -> ElfFile | None:
    try:
        with file.open("rb") as stream:
            if stream.read(len(MAGIC)) != MAGIC:
                return None
            return examine(MAGIC + stream.read())
    except OSError as error:
        raise LambdaLayerError(f"{file} can't be read: {error.strerror}") from error


def _text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return stream.read(_LARGEST_METADATA).decode("utf-8", "replace")
    except OSError:
        return ""


def _distribution(dist_info: Path) -> Distribution | None:
    from email.parser import HeaderParser

    headers = HeaderParser().parsestr(_text(dist_info / "METADATA"))
    name, version = (str(headers.get(key, "")).strip() for key in ("Name", "Version"))
    if not name or not version:
        return None
    (normal,) = canonical([name])
    scripts = console_scripts(_text(dist_info / "entry_points.txt"))
    return Distribution(
        name=normal,
        version=version,
        requires_dist=tuple(str(each).strip() for each in headers.get_all("Requires-Dist", ())),
        launchers=tuple(script for script, _ in scripts),
    )


def _recorded(metadata: Path, root: str) -> Iterator[str]:
    """Yield the paths in RECORD, which are relative to the folder that it was installed to."""
    try:
        for row in csv.reader(_text(metadata.with_name("RECORD")).splitlines()):
            if row:
                yield os.path.normpath(f"{root}{row[0]}")
    except csv.Error:
        return
