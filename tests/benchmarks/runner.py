"""Runs commands one after the other and prints what they used, as JSON.

A process of its own for every run, because the system only tells the largest child that a process
has ever had; and one that imports little, because a child counts as large as its parent was when
it was started.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time


def main() -> None:
    """Run the commands of the JSON object in `argv[1]`, until one fails."""
    task = json.loads(sys.argv[1])
    os.chdir(task["cwd"])
    files = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, task["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    status = 0
    start = time.perf_counter()
    for command in task["commands"]:
        child = os.posix_spawnp(command[0], command, os.environ, file_actions=files)
        status = os.waitpid(child, 0)[1]
        if status:
            break
    wall = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    unit = 1 if sys.platform == "darwin" else 1024
    found = {"wall": wall, "cpu": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss * unit}
    json.dump({"status": status, "usage": found}, sys.stdout)


if __name__ == "__main__":
    main()
