"""A root file system with what the runtime's image has, and what the interpreter itself needs."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .._internal.process import run
from ..exceptions import ToolError, backticked
from ..targets.families import families
from .places import HOME, RUNTIME, USER, PlaceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..targets.target import Target
    from .interpreter import Interpreter

_FOLDERS = ("dev", "etc", "opt", "proc", "tmp", "usr/bin", "usr/lib64", "usr/sbin")
_MORE_FOLDERS = ("var/lang/bin", "var/lang/lib", "var/lang/lib64", "var/runtime", "var/task")
# As the image has them; the loader is looked for in `lib` on arm64, in `lib64` on x86_64.
_LINKS = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib64", "lib64": "usr/lib64"}
_LOADER = "ld-linux"
# The runtime's client with what it needs; the C extension is a module of its own.
_CLIENT = ("awslambdaric", "simplejson", "snapshot-restore-py")
_ETC = {
    "passwd": f"sbx_user1051:x:{USER[0]}:{USER[1]}::{HOME}:/sbin/nologin\n",
    "group": f"sbx_user1051:x:{USER[1]}:\n",
    "hosts": "127.0.0.1 localhost\n",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Root:
    """A root: a folder, and what is bound into it, from this machine's path to that in the root.

    `hidden` are folders that have to look empty. `python` is the interpreter's path, `extra` are
    the libraries in it that the runtime's image lacks, `runtime` are the distributions that stand
    for those of the runtime.
    """

    folder: Path
    python: str
    bound: tuple[tuple[Path, str], ...] = ()
    hidden: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    runtime: tuple[str, ...] = ()


def make_root(
    folder: Path, interpreter: Interpreter, image: Iterable[str], sites: Iterable[Path]
) -> Root:
    """Make a root in the new `folder`; `image` are the libraries of the runtime's image.

    The image's files are not on this machine: libraries of the same names stand for them, and the
    client and the SDK of the first of `sites` that has them.
    """
    for name in (*_FOLDERS, *_MORE_FOLDERS, HOME[1:]):
        (folder / name).mkdir(parents=True)
    for link, target in _LINKS.items():
        (folder / link).symlink_to(target)
    for name, text in _ETC.items():
        (folder / "etc" / name).write_text(text, encoding="utf-8")
    for name, path in interpreter.libraries.items():
        _copy(path, folder / "usr/lib64" / name)
    _copy(Path("/bin/sh"), folder / "usr/bin/sh")
    python = f"/var/lang/bin/{interpreter.executable.name}"
    _copy(interpreter.executable, folder / python[1:])
    bound, hidden = _standard_library(folder, interpreter)
    installed = dict(_runtime(folder, sites))
    # The umask of whoever runs this must not decide what the function's user can read.
    for each in (folder, *folder.rglob("*")):
        if each.is_dir() and not each.is_symlink():
            each.chmod(0o755)
    _cache_libraries(folder)
    known = frozenset(image)
    return Root(
        folder=folder,
        python=python,
        bound=(*bound, *(pair for pairs in installed.values() for pair in pairs)),
        hidden=tuple(hidden),
        extra=tuple(
            sorted(
                name
                for name in interpreter.libraries
                if name not in known and not name.startswith(_LOADER)
            )
        ),
        runtime=tuple(installed),
    )


def existing_root(folder: Path, target: Target) -> Root:
    """Return a root that the user has: the runtime's image, unpacked.

    Raises `PlaceError` where something in it is missing.
    """
    major, minor = target.runtime.python_version
    for place in ("var/lang/bin", "usr/local/bin", "usr/bin"):
        if (folder / place / f"python{major}.{minor}").exists():
            python = f"/{place}/python{major}.{minor}"
            break
    else:
        raise PlaceError(
            f"{folder} has no python{major}.{minor}",
            hint="it has to be the file system of the runtime's image: `docker create` a container "
            "of it, and unpack what `docker export` writes",
        )
    missing = [name for name in ("dev", "opt", "proc", "tmp", "var/task") if not _is(folder / name)]
    if missing:
        raise PlaceError(f"{folder} has no folder {backticked(missing)}", hint="make it there")
    return Root(folder=folder, python=python)


def _is(folder: Path) -> bool:
    return folder.is_dir() and not folder.is_symlink()


def _copy(source: Path, target: Path) -> None:
    with suppress(OSError):
        shutil.copyfile(source, target)
        target.chmod(0o755)


def _standard_library(
    root: Path, interpreter: Interpreter
) -> tuple[list[tuple[Path, str]], list[str]]:
    """Return where the standard library goes, and what of it has to look empty."""
    bound, hidden = [], []
    for folder in interpreter.folders:
        # On some systems, extension modules are in `lib64`.
        lib = "lib64" if folder.parent.name == "lib64" else "lib"
        place = f"var/lang/{lib}/{folder.name}"
        (root / place).mkdir()
        bound.append((folder, f"/{place}"))
        hidden += [
            f"/{place}/{name}"
            for name in ("site-packages", "dist-packages")
            if (folder / name).is_dir()
        ]
    return bound, hidden


def _runtime(root: Path, sites: Iterable[Path]) -> Iterator[tuple[str, list[tuple[Path, str]]]]:
    """Yield the runtime's own distributions that are installed here, and where their parts go."""
    sdk = families()["aws-sdk"]
    sites = list(sites)
    for names in (_CLIENT, (*sdk.core, *sdk.shared)):
        found = next(filter(None, (_installed(site, names) for site in sites)), {})
        for name, parts in found.items():
            pairs = []
            for part in parts:
                place = root / RUNTIME[1:] / part.name
                if place.exists():
                    continue
                if part.is_dir():
                    place.mkdir()
                else:
                    place.touch()
                pairs.append((part, f"{RUNTIME}/{part.name}"))
            yield name, pairs


def _installed(site: Path, names: Iterable[str]) -> dict[str, list[Path]]:
    """Return the parts of distributions in `site-packages`; empty where the first is not there."""
    parts = {}
    for name in names:
        for info in site.glob(f"{name.replace('-', '_')}-*.dist-info"):
            with suppress(OSError):
                rows = (info / "RECORD").read_text(encoding="utf-8").splitlines()
                tops = {row.partition(",")[0].partition("/")[0] for row in rows}
                wanted = sorted(tops - {"..", "__pycache__", ""})
                parts[name] = [site / top for top in wanted if (site / top).exists()]
    return parts if next(iter(names)) in parts else {}


def _cache_libraries(root: Path) -> None:
    """Write the loader's cache, in which `ctypes.util.find_library` looks as well."""
    for name in ("ldconfig.real", "ldconfig"):
        program = Path("/sbin", name)
        if program.exists():
            _copy(program, root / "usr/sbin/ldconfig")
            argv = [str(program), "-r", str(root), "-X", "-f", "/etc/ld.so.conf"]
            (root / "etc/ld.so.conf").write_text("/usr/lib64\n", encoding="utf-8")
            with suppress(ToolError):
                run(argv, cwd=root, env={}, supervised=False)
            return
