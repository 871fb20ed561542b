"""The surroundings of a folder that is a source: the rest of its repository or workspace.

Some builds read it: a README or a version of the whole repository, files that `force-include`
names, a web interface that a hook copies. The copy of the folder therefore has a view around it.
What the folder's configuration and build scripts name is copied, and part of the source; all else
is there as links, for whoever finds it, and decides nothing.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from .._internal.tables import strings_at, table_at
from .._internal.toml import parse_toml
from ..config.workspace import is_workspace_root
from . import folders

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

BUILD_SCRIPTS = ("setup.py", "hatch_build.py", "pdm_build.py", "build.py")
_CONFIGURATION = (
    *("hatch.toml", "setup.cfg", "MANIFEST.in", "Cargo.toml", "CMakeLists.txt", "meson.build"),
)
# Tables of pyproject.toml that no build reads, or only for the names of dependencies.
_NOT_FOR_BUILDS = {
    "": {"dependency-groups"},
    "project": {"dependencies", "optional-dependencies", "urls"},
    "tool": {
        *("basedpyright", "black", "coverage", "isort", "lambda-layer", "mypy", "pixi", "poe"),
        *("pylint", "pyright", "pytest", "ruff", "tox", "towncrier"),
    },
    "tool.hatch": {"envs"},
    "tool.hatch.build": {"directory"},
    "tool.hatch.build.targets": {"lambda-layer"},
    "tool.pdm": {"dev-dependencies", "resolution", "scripts", "source", "workspace"},
    "tool.poetry": {"dependencies", "dev-dependencies", "group", "source"},
}
_RELATIVE = re.compile(r"(?<![\w.])(?:\.\./+)+[\w.@+/-]*")
# How Python finds what is above a script or its folder: `dirname(dirname(x))`, `x.parent.parent`,
# `x.parents[1]`, with the names that follow. Of other paths, the one above is no matter.
_START = r"(?:(?P<file>__file__)|\b(?P<folder>self\.root|(?:get)?cwd\(\))|\b(?P<name>{}))"
# No repetition is unbounded where its parts can be read in two ways.
_DIRNAMES = r"(?:\bdirname\((?:os\.path\.)?){1,9}(?:[\w.]{1,50}\(){0,3}" + _START
_PARENTS = (
    _START + r"\)?(?:\.(?:resolve|absolute)\(\))?"
    r"(?:\.parents\[(?P<number>\d+)\]|(?P<all>(?:\.parent\b)+))"
    r"""(?P<names>(?:\s*/\s*["'][\w.@+/ -]+["'])*)"""
)
_OF_FILE = re.compile(r"^[ \t]*(\w+)[ \t]*=.*__file__", re.MULTILINE)
_ABOVE = re.compile(r"""\bpardir\b|["']\.\.["']""")
_INHERITS = re.compile(r"^[ \t]*(?:[\w-]+\.)?workspace\s*=\s*true", re.MULTILINE)
_LITERAL = re.compile(r"""["']([^"']+)["']""")


def root_around(folder: Path) -> Path | None:
    """Return the repository around a folder, else its workspace; `None` if nothing is around it."""
    root = folders.repository_root(folder)
    root = root or next((each for each in folder.parents if is_workspace_root(each)), None)
    return None if root == folder else root


def named_beside(folder: Path, root: Path) -> list[Path]:
    """Return the paths outside of `folder` that its configuration and build scripts name.

    They are there, below `root`; one that contains the folder stands for all that it has beside.
    """
    found = {
        path
        for each in _mentioned(folder)
        if not (path := Path(os.path.normpath(each))).is_relative_to(folder)
        # Of what is above the root, the root is what can be seen.
        and (path := root if root.is_relative_to(path) else path).is_relative_to(root)
        # No error for a long name, as Path.exists() has it.
        and os.path.exists(path)  # noqa: PTH110
    }
    return sorted(path for path in found if found.isdisjoint(path.parents))


def digest_beside(folder: Path, root: Path, named: Iterable[Path]) -> str:
    """Return the sha256, in hex, of what `named_beside` has found; raise `BuildError`."""
    return folders.digest_files(root, lambda: _files(folder, root, named))


def lay_beside(folder: Path, root: Path, named: Iterable[Path], view: Path) -> list[str]:
    """Copy what `named_beside` has found to its place in `view`, where `root` is copied to.

    All else is linked. Returns the paths of the links in the view. Raises `BuildError`.
    """
    folders.copy_files(root, lambda: _files(folder, root, named), view)
    links: list[str] = []
    _link(root, view, folder, links)
    return [os.path.relpath(link, view) for link in links]


def build_scripts(folder: Path, pyproject: Mapping[str, object]) -> Iterator[Path]:
    """Yield the scripts of a project that take part in its build, as far as their names tell."""
    paths = [folder / name for name in BUILD_SCRIPTS]
    for each in strings_at(table_at(pyproject, "build-system"), "backend-path"):
        if os.path.isdir(place := folder / each):  # noqa: PTH112
            paths += sorted(place.glob("*.py"))
    named = (text for text in _strings(pyproject) if text.endswith(".py"))
    paths += [path for text in named if (path := folder / text).is_relative_to(folder)]
    yield from (path for path in dict.fromkeys(paths) if os.path.isfile(path))  # noqa: PTH113


def _mentioned(folder: Path) -> Iterator[Path]:
    """Yield all paths that a folder's files name, in it or not, there or not."""
    pyproject = _pyproject(folder)
    for text in _strings(pyproject):
        yield from _relative(text, folder)
        if text.strip("/") == "..":
            yield folder.parent
    for path in (folder / name for name in _CONFIGURATION):
        if path.is_file():
            text = _text(path)
            yield from _relative(text, folder)
            if path.name == "Cargo.toml" and _INHERITS.search(text) and "[workspace" not in text:
                yield from folder.parents
    for path in build_scripts(folder, pyproject):
        yield from _mentioned_by_script(path, folder)


def _mentioned_by_script(path: Path, folder: Path) -> Iterator[Path]:
    text = _text(path)
    for start in {folder, path.parent}:
        yield from _relative(text, start)
    if _ABOVE.search(text):
        yield folder.parent
    names = "|".join(_OF_FILE.findall(text)) or "(?!)"
    for match in re.finditer(_DIRNAMES.replace("{}", names), text):
        yield _start(match, path, folder).joinpath(*[".."] * match[0].count("dirname("))
    for match in re.finditer(_PARENTS.replace("{}", names), text):
        count = match["all"].count(".parent") if match["all"] else int(match["number"]) + 1
        above = _start(match, path, folder).joinpath(*[".."] * count)
        yield above.joinpath(*_LITERAL.findall(match["names"]))


def _relative(text: str, start: Path) -> Iterator[Path]:
    return (start / each for each in _RELATIVE.findall(text.replace("\\", "/")))


def _start(match: re.Match[str], script: Path, folder: Path) -> Path:
    if match["file"]:
        return script
    # A name for where the script is: nearly always its folder.
    return script.parent if match["name"] else folder


def _strings(value: object, name: str = "") -> Iterator[str]:
    """Yield the keys and strings of a table of pyproject.toml that a build may read."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each, name)
    elif isinstance(value, dict):
        for key, each in value.items():
            if key == "uv" and name == "tool":
                yield from _strings(table_at(value, "uv", "build-backend"), "tool.uv")
            elif key not in _NOT_FOR_BUILDS.get(name, ()):
                yield key
                yield from _strings(each, f"{name}.{key}".lstrip("."))


def _pyproject(folder: Path) -> dict[str, object]:
    try:
        return parse_toml((folder / "pyproject.toml").read_bytes())
    except (OSError, ValueError):
        return {}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _files(folder: Path, root: Path, named: Iterable[Path]) -> Iterator[folders.FolderFile]:
    """Yield the files of `named` outside of the folder, by their paths in the root."""
    own = folder.relative_to(root).as_posix() + "/"
    for path in named:
        prefix = path.relative_to(root).as_posix()
        if path.is_file():
            yield folders.file_at(path, prefix)
            continue
        below = "" if prefix == "." else f"{prefix}/"
        for file in folders.files_of(path):
            name = below + file.name
            if not name.startswith(own) and not _is_layer(file):
                yield file._replace(name=name)


def _is_layer(file: folders.FolderFile) -> bool:
    """Return whether it is a layer, or the manifest beside one: results of builds like this."""
    path = Path(file.path)
    return path.suffix in (".zip", ".json") and all(
        path.with_suffix(suffix).is_file() for suffix in (".zip", ".json")
    )


def _link(real: Path, view: Path, folder: Path, links: list[str]) -> None:
    """Link what is in `real` and not in `view`; folders on the way to `folder` are made."""
    with os.scandir(real) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        path, copy = Path(entry.path), view / entry.name
        if path == folder or folders.is_skipped(entry):
            continue
        if folder.is_relative_to(path) or (copy.is_dir() and not copy.is_symlink()):
            copy.mkdir(exist_ok=True)
            _link(path, copy, folder, links)
        elif not os.path.lexists(copy):
            copy.symlink_to(path, target_is_directory=entry.is_dir())
            links.append(str(copy))
