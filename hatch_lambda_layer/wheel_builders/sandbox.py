"""A sandbox for build backends on this machine, by bubblewrap where a trial run of it works.

Foreign code has no secret in its variables anyway. In the sandbox it also sees no process but its
own, whose variables it could read, and of the home folder only programs, and the repository around
a folder that it builds: no keys, no cache of this package, no sockets. What it may write is the
folder of its build. The network is the user's, or none.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from .._internal.bubblewrap import working_bwrap

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

# Where sockets of the user's and the system's services lie, and temporary files of everybody.
_EMPTIED = ("/run", "/var/run", "/tmp", "/var/tmp", "/dev/shm")  # noqa: S108
# Name resolution, which the network needs, is often a link into `/run`.
_RESOLVER = Path("/etc/resolv.conf")
# Programs in a home folder, without the credentials that lie beside some of them.
_TOOLCHAINS = (
    *(".cargo/bin", ".rustup", ".pyenv", ".nvm/versions", ".asdf/installs", ".local/lib"),
    *(".local/share/uv/python", ".local/share/uv/tools", ".local/share/pipx", ".local/pipx/venvs"),
    ".local/share/mise/installs",
)
# Beside the folder of a program, what it may need of its prefix.
_OF_A_PREFIX = ("lib", "lib64", "libexec", "include", "versions", "installs", "toolchains")
_NAMESPACES = ("--unshare-pid", "--unshare-ipc")
_PATHS = re.compile(r"(?<![\w.])/[^\s:;,'\"]+")


def sandboxed(
    argv: Sequence[str],
    *,
    writable: Path,
    readable: Iterable[Path],
    env: Mapping[str, str],
    network: bool = True,
) -> list[str]:
    """Return `argv` to be run in the sandbox, or as it is where there is none.

    `writable` is the folder of the build. With `network`, it has the user's. `readable` are files
    and folders that it needs, wherever they lie; what the variables `env` name is added to them.
    """
    switched_off = os.environ.get("HATCH_LAMBDA_LAYER_SANDBOX") == "0"
    namespaces = _NAMESPACES if network else (*_NAMESPACES, "--unshare-net")
    bwrap = None if switched_off else working_bwrap(*namespaces)
    if bwrap is None:
        return list(argv)
    hidden = list(_hidden())
    needed = {
        *readable,
        *_named(env),
        _RESOLVER.resolve(),
        *_alternates(writable / "tree" / ".git" / "objects"),
    }
    command = [bwrap, *namespaces, "--die-with-parent", "--ro-bind", "/", "/"]
    command += ["--dev", "/dev", "--proc", "/proc"]
    for folder in hidden:
        command += ["--tmpfs", str(folder)]
    bound: list[Path] = []
    for path in sorted({*needed, *(path.resolve() for path in needed)}):
        if path.exists() and _is_below(path, hidden) and not _is_below(path, bound):
            bound.append(path)
            command += ["--ro-bind", str(path), str(path)]
    command += ["--bind", str(writable), str(writable), "--", *argv]
    return command


def _is_below(path: Path, folders: Iterable[Path]) -> bool:
    return any(path != each and path.is_relative_to(each) for each in folders)


def _hidden() -> Iterator[Path]:
    """Yield the folders that are empty in the sandbox, but for what a build needs of them."""
    yield from (path for path in map(Path, _EMPTIED) if path.is_dir() and not path.is_symlink())
    yield from sorted(_homes())


def _homes() -> set[Path]:
    from .._internal.store import default_cache_dir

    found = {Path.home(), default_cache_dir()}
    if sys.platform != "win32":
        import pwd

        with suppress(KeyError):
            # A build script can look it up, whatever its HOME is.
            found.add(Path(pwd.getpwuid(os.getuid()).pw_dir))
    return {path.resolve() for path in found if path.is_dir() and path.resolve() != Path("/")}


def _named(env: Mapping[str, str]) -> Iterator[Path]:
    """Yield what the variables of a build name: programs with their prefixes, and other paths."""
    home = Path.home()
    for folder in map(Path, env.get("PATH", "").split(os.pathsep)):
        if folder.is_absolute():
            yield folder
            # Never more of the home folder than this, if it is the prefix itself.
            if folder.parent != home:
                yield from (folder.parent / each for each in _OF_A_PREFIX)
    for name, value in env.items():
        if name != "PATH":
            yield from map(Path, _PATHS.findall(value))
    yield from (home / each for each in _TOOLCHAINS)


def _alternates(objects: Path) -> Iterator[Path]:
    """Yield the folders of other repositories whose objects a git repository shares."""
    path = objects / "info" / "alternates"
    if path.is_file():
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
        for each in map(Path, text.splitlines()):
            yield each
            yield from _alternates(each)
