"""Runs a program, and ends it with all that it has started when nobody waits for it any more.

`python -I -S _supervisor.py CONTROL STATUS UNSET PROGRAM ARGUMENTS…`, on POSIX. CONTROL and STATUS
are file descriptors of pipes. When the last writer of CONTROL closes it, however that process
ended, everything that the program has started is killed. Into STATUS goes the program's exit code,
as `subprocess` has it, or `errno` and a number if it could not be started. UNSET is the name of a
variable that the program must not have, since this Python has set it (PEP 538), or empty.

What the program leaves running when it ends is killed as well: it would write into folders that
are removed. Only modules that are quick to import are used.
"""

# ruff: noqa: PTH208, SIM105  # quicker than to import pathlib and contextlib

import _thread
import os
import sys
import time

if sys.platform == "win32":
    sys.exit("a job object does this on Windows")

_SIGKILL = 9
# Ignored by every Python, which its children would inherit.
_SIGPIPE, _SIGXFSZ = 13, 25
# Linux, prctl(2): orphans become children of this process instead of the system's first one.
_PR_SET_CHILD_SUBREAPER = 36
_PAUSE_SECONDS = 0.005
# A process that waits for a device that does not answer can't be killed.
_SECONDS_TO_END = 10.0


def main() -> None:
    control, status = int(sys.argv[1]), int(sys.argv[2])
    for descriptor in (control, status):
        os.set_inheritable(descriptor, False)
    adopts = _adopt_orphans()
    os.environ.pop(sys.argv[3], None)
    argv = sys.argv[4:]
    try:
        child = os.posix_spawnp(argv[0], argv, os.environ, setsigdef=(_SIGPIPE, _SIGXFSZ))
    except OSError as error:
        os.write(status, b"errno %d" % (error.errno or 0))
        return
    _thread.start_new_thread(_watch, (control, adopts))
    code = _wait(child)
    _end(adopts)
    os.write(status, b"%d" % code)


def _adopt_orphans() -> bool:
    """Make orphans children of this process; return whether they will be."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        import ctypes

        return bool(ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)
    except (ImportError, OSError, AttributeError):
        return False


def _watch(control: int, adopts: bool) -> None:  # noqa: FBT001
    """Wait until nobody can write to `control`, then end everything."""
    try:
        os.read(control, 1)
    except OSError:
        pass
    _end(adopts)
    os._exit(1)


def _wait(child: int) -> int:
    """Wait for the program, and for each orphan that ends meanwhile; return its exit code."""
    while True:
        try:
            pid, status = os.waitpid(-1, 0)
        except ChildProcessError:
            # The other thread has reaped it, and ends this process next.
            time.sleep(_SECONDS_TO_END)
            continue
        if pid == child:
            return os.waitstatus_to_exitcode(status)


def _end(adopts: bool) -> None:  # noqa: FBT001
    """Kill all processes that the program has started, until there are none.

    A look at all processes can miss one that has just been started by one that has just ended.
    Where orphans become children, there are none only when there are no children.
    """
    deadline = time.monotonic() + _SECONDS_TO_END
    while (_reap() or not adopts) and time.monotonic() < deadline:
        if not sum(map(_kill, _members())) and not adopts:
            return
        time.sleep(_PAUSE_SECONDS)


def _kill(pid: int) -> bool:
    """Kill a process; return whether it was there and could be killed."""
    try:
        os.kill(pid, _SIGKILL)
    except OSError:
        return False
    return True


def _reap() -> bool:
    """Take note of all children that have ended; return whether there are others."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _members() -> "list[int]":
    """Return the processes of this one's session, and all that descend from this one."""
    own = os.getpid()
    parents = _parents()
    found = []
    for pid in parents:
        above = pid
        while above in parents and above != own:
            above = parents[above]
        if pid != own and (above == own or _session(pid) == own):
            found.append(pid)
    return found


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return 0


def _parents() -> "dict[int, int]":
    """Return all processes, each with its parent."""
    if not sys.platform.startswith("linux"):
        return _parents_by_ps()
    parents = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                # After the program's name, which may hold anything: the state, then the parent.
                parents[int(name)] = int(file.read().rpartition(b")")[2].split()[1])
        except OSError:
            # It has ended meanwhile.
            continue
    return parents


def _parents_by_ps() -> "dict[int, int]":
    with os.popen("ps -A -o pid= -o ppid=") as lines:  # noqa: S605, S607
        return {int(pid): int(parent) for pid, parent in map(str.split, lines)}


if __name__ == "__main__":
    main()
