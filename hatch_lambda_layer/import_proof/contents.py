"""The modules of a layer or function on disk, found as Python finds them."""

from __future__ import annotations

import keyword
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..exceptions import LambdaLayerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..targets.target import Target

Kind = Literal["layer", "function"]
# More than any layer can hold of them.
_MOST_MODULES = 5_000
# Folders of programs, as `pip install --target` leaves them: nobody imports what is in them.
_PROGRAMS = frozenset({"bin", "scripts", "Scripts"})
_EXTENSION = ".so"
_SOURCES = (".py", ".pyc")
_NO_MODULES = frozenset({"__init__", "__main__", "__pycache__"})


@dataclass(frozen=True, slots=True)
class Module:
    """A module to import in a process of its own, and extension modules that lie in it.

    `is_top` is true for what no other package holds, apart from namespace packages.
    """

    name: str
    extensions: tuple[str, ...]
    is_top: bool


@dataclass(frozen=True, slots=True)
class Contents:
    """The modules to import; `roots` are the folders that Lambda imports from, in their order.

    They are relative to the folder of the layer or function; `.` is that folder.
    """

    kind: Kind
    roots: tuple[str, ...]
    modules: tuple[Module, ...]
    notes: tuple[str, ...]


def read_contents(folder: Path, target: Target) -> Contents:
    """Return what can be imported from an unpacked layer, or function, on a target.

    A folder that has `python/` is a layer. Raises `LambdaLayerError` where there is nothing.
    """
    inner = sorted(path.parent.name for path in folder.glob("*/python"))
    # `sam build` leaves this file beside the folders of all layers and functions.
    if inner and (folder / "template.yaml").exists():
        raise LambdaLayerError(
            f"{folder} is not a layer, but has some in it: {', '.join(inner)}",
            hint="verify one of them",
        )
    major, minor = target.runtime.python_version
    kind: Kind = "layer" if (folder / "python").is_dir() else "function"
    site = f"python/lib/python{major}.{minor}/site-packages"
    wanted = (site, "python") if kind == "layer" else (".",)
    roots = tuple(root for root in wanted if (folder / root).is_dir())
    notes = [*_unread(folder, site, target), *_nested(folder, roots)]
    finder = _Finder(folder, target)
    modules: dict[str, Module] = {}
    for root in roots:
        for module in finder.modules(folder / root):
            # Of two, Python takes the one that it finds first.
            modules.setdefault(module.name, module)
    if not modules:
        raise _nothing(target, notes)
    return Contents(kind, roots, tuple(modules.values()), (*notes, *finder.notes))


def _unread(folder: Path, site: str, target: Target) -> Iterator[str]:
    for path in sorted(folder.glob("python/lib/python*/site-packages")):
        name = path.relative_to(folder).as_posix()
        if name != site:
            yield f"{target.runtime.id} does not read {name}"


def _nested(folder: Path, roots: tuple[str, ...]) -> Iterator[str]:
    for root in dict.fromkeys((".", *roots)):
        for path in sorted((folder / root).glob("*.zip")):
            name = path.relative_to(folder).as_posix()
            yield f"{name} is a zip in it, which Python does not read"


def _nothing(target: Target, notes: list[str]) -> LambdaLayerError:
    found = "".join(f"\n- {note}" for note in notes)
    if any("is a zip" in note for note in notes):
        hint = "unpack it, and verify the zip in it"
    else:
        hint = "a layer has its modules in `python/`, a function at the top"
    return LambdaLayerError(
        f"There is no module that {target.runtime.id} would find{found and ':'}{found}", hint=hint
    )


class _Finder:
    """Finds the modules below one folder; links that lead out of it are not followed."""

    def __init__(self, folder: Path, target: Target) -> None:
        major, minor = target.runtime.python_version
        self._folder = folder.resolve()
        machine = target.architecture.machine
        self._suffixes = (f".cpython-{major}{minor}-{machine}-linux-gnu.so", ".abi3.so", _EXTENSION)
        self._count = 0
        self.notes: list[str] = []

    def modules(self, root: Path) -> Iterator[Module]:
        """Yield the modules of a folder on the path, sorted."""
        waiting = [(root, "")]
        while waiting:
            folder, prefix = waiting.pop()
            for name, path, is_folder in self._entries(folder):
                full = f"{prefix}{name}"
                if not is_folder:
                    yield self._counted(Module(full, (), is_top=True))
                elif self._is_package(path):
                    yield from self._package(path, full)
                elif prefix or name not in _PROGRAMS:
                    # A namespace package, or a folder of other things: what is below it decides.
                    waiting.append((path, f"{full}."))

    def _package(self, folder: Path, name: str) -> Iterator[Module]:
        """Yield a package, and each package in it that has extension modules."""
        waiting = [(folder, name)]
        while waiting:
            current, package = waiting.pop()
            extensions = []
            for inner, path, is_folder in self._entries(current):
                if is_folder:
                    waiting.append((path, f"{package}.{inner}"))
                elif path.name.endswith(_EXTENSION):
                    extensions.append(f"{package}.{inner}")
            if extensions or package == name:
                module = Module(package, tuple(extensions), is_top=package == name)
                yield self._counted(module)

    def _entries(self, folder: Path) -> Iterator[tuple[str, Path, bool]]:
        """Yield name, path and kind of what Python could import from a folder, once each."""
        seen: set[str] = set()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            return
        for entry in entries:
            path = Path(entry.path)
            if entry.is_symlink() and not self._is_inside(path):
                continue
            is_folder = entry.is_dir()
            name = entry.name if is_folder else self._module_name(path)
            if name and name not in seen and name not in _NO_MODULES and _is_importable(name):
                seen.add(name)
                yield name, path, is_folder

    def _is_inside(self, link: Path) -> bool:
        target = link.resolve()
        above = target == self._folder or link.parent.resolve().is_relative_to(target)
        if target.exists() and target.is_relative_to(self._folder) and not above:
            return True
        self.notes.append(f"{link.relative_to(self._folder)} is a link that leads out of it")
        return False

    def _module_name(self, path: Path) -> str | None:
        if path.suffix in _SOURCES:
            return path.stem
        if path.suffix != _EXTENSION:
            return None
        name, _, rest = path.name.partition(".")
        # Other libraries have such names as well: Python calls this function of a module.
        return name if rest != "so" or _has(path, f"PyInit_{name}\0".encode()) else None

    def _is_package(self, folder: Path) -> bool:
        names = (*(f"__init__{each}" for each in (*_SOURCES, *self._suffixes)),)
        return any((folder / name).exists() for name in names)

    def _counted(self, module: Module) -> Module:
        self._count += 1
        if self._count > _MOST_MODULES:
            raise LambdaLayerError(f"It has more than {_MOST_MODULES:,} modules to import")
        return module


def _is_importable(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name)


def _has(path: Path, wanted: bytes) -> bool:
    try:
        return wanted in path.read_bytes()
    except OSError:
        return False
