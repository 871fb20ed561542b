"""Importing in a sandbox of bubblewrap's, on a root that has what the runtime's image has."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._internal.bubblewrap import working_bwrap
from .._internal.process import run
from ..exceptions import ToolError, ToolTimeoutError
from .interpreter import check_version, is_native
from .places import MOUNTS, USER, PlaceError, after, command, mounted, parsed, script, variables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..targets.target import Target
    from .contents import Contents
    from .root import Root

NAMESPACES = ("--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts")
# Lambda's own default for `/tmp`.
_TEMPORARY = 512 << 20
# Others may list a folder, and enter it.
_ENTERED = 0o5


def sandbox() -> str | None:
    """Return bubblewrap, if it can do here what is asked of it."""
    return working_bwrap(*NAMESPACES)


class Bubblewrap:
    """A sandbox for each request: nothing can be written but `/tmp`, and there is no network."""

    name = "bubblewrap"
    bytecode = "/tmp/.bytecode"  # noqa: S108  # of the sandbox

    def __init__(
        self,
        bwrap: str,
        root: Root,
        folder: Path,
        contents: Contents,
        target: Target,
        bytecode: Path,
    ) -> None:
        bytecode.mkdir()
        # Functions run as a user of their own.
        bytecode.chmod(0o777)
        shared = ["--bind", str(bytecode), self.bytecode]
        self._command = [bwrap, *_options(root, folder, contents, target), *shared, "--"]
        self._python = root.python
        self.path = mounted(contents)
        self.after = after(target)
        self.user = USER if _is_root() else None
        self.notes = tuple(_notes(root, target))
        facts = self._started(target)
        self.has_client = facts.get("client") is True
        self.has_sdk = facts.get("sdk") is True
        self.python = f"Python {check_version(self._python, facts, target)}"

    def ask(self, request: Mapping[str, object], seconds: float) -> list[dict[str, Any]]:
        """Return the answer of an importer in a new sandbox; see `Place`."""
        return parsed(self._run(list(command(self._python, request)), seconds))

    def _run(self, argv: list[str], seconds: float) -> bytes:
        try:
            # bubblewrap ends with this process, and everything in it with bubblewrap.
            return run(
                [*self._command, *argv], cwd=Path("/"), env={}, timeout=seconds, supervised=False
            )
        except ToolTimeoutError:
            return b""
        except ToolError as error:
            if error.output.startswith("bwrap: ") and "execvp" not in error.output:
                raise PlaceError(f"The sandbox can't be made: {error.output.strip()}") from error
            return b""

    def _started(self, target: Target) -> dict[str, Any]:
        """Return the facts of the interpreter, when it has been seen to start there."""
        argv = [self._python, "-I", "-S", "-c", script("_probe.py")]
        found = parsed(self._run(argv, 60))
        if not found:
            raise PlaceError(
                f"{self._python} does not start in the sandbox",
                hint="name another interpreter with `--python`, or the root of the runtime's image "
                "with `--root`",
            )
        machine, wanted = found[0].get("machine"), target.architecture.machine
        if machine != wanted:
            raise PlaceError(f"{self._python} is for {machine}, not for {wanted}")
        return found[0]


def _is_root() -> bool:
    return sys.platform != "win32" and os.geteuid() == 0


def _options(root: Root, folder: Path, contents: Contents, target: Target) -> list[str]:
    options = [*NAMESPACES, "--die-with-parent", "--new-session", "--clearenv"]
    options += ["--ro-bind", str(root.folder), "/", "--proc", "/proc", "--dev", "/dev"]
    # Lambda has no shared memory.
    options += ["--tmpfs", "/dev/shm", "--remount-ro", "/dev/shm"]  # noqa: S108
    for source, place in root.bound:
        options += ["--ro-bind", str(source), place]
    for place in root.hidden:
        options += ["--tmpfs", place, "--remount-ro", place]
    options += ["--perms", "1777", "--size", str(_TEMPORARY), "--tmpfs", "/tmp"]  # noqa: S108
    options += [*_mounted(folder, MOUNTS[contents.kind]), "--chdir", "/var/task"]
    for name, value in variables(target).items():
        options += ["--setenv", name, value]
    if _is_root():
        # The importer gives up root's rights itself: bubblewrap maps users, but becomes none.
        return [*options, "--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    return [*options, "--unshare-user", "--uid", str(USER[0]), "--gid", str(USER[1])]


def _mounted(folder: Path, place: str) -> list[str]:
    """Return the options that put a folder in a place; its own mode is nothing that a zip has."""
    if folder.stat().st_mode & _ENTERED == _ENTERED:
        return ["--ro-bind", str(folder), place]
    options = ["--tmpfs", place]
    for path in sorted(folder.iterdir()):
        if path.is_symlink():
            options += ["--symlink", str(path.readlink()), f"{place}/{path.name}"]
        else:
            options += ["--ro-bind", str(path), f"{place}/{path.name}"]
    return [*options, "--remount-ro", place]


def _notes(root: Root, target: Target) -> list[str]:
    notes = []
    if root.extra:
        notes.append(
            "these libraries are needed by the interpreter here, and are not in the runtime's "
            f"image: {', '.join(root.extra)}"
        )
    if root.runtime:
        notes.append(f"of this machine, not of the runtime: {', '.join(root.runtime)}")
    libc, version = platform.libc_ver()
    if root.bound and libc == "glibc" and _numbers(version) > target.runtime.glibc:
        notes.append(
            f"glibc {version} is this machine's, and newer than the runtime's: what needs a newer "
            "one fails on Lambda only, and the audit finds it"
        )
    if not is_native(target):
        notes.append("emulated: times and memory are not those of the target")
    return notes


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
