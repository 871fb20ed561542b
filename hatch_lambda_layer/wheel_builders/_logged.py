"""Runs a Python script with its output, and that of its children, in a file.

`python _logged.py LOG SCRIPT ARGUMENTS…`, for any version of Python. Unlike a pipe, a file takes no
memory of the process that waits, keeps the order of the output, and has no end to wait for where a
child lives on.
"""

import os
import runpy
import sys

if __name__ == "__main__":  # pragma: no cover  # runs in interpreters that are not measured
    log, script = sys.argv[1:3]
    # Instead of this script's folder, whose modules must not be importable.
    sys.path[0] = os.path.dirname(script)  # noqa: PTH120  # quicker than to import pathlib
    del sys.argv[:2]
    # bubblewrap sets it; a wheel must not depend on whether there is a sandbox.
    os.environ.pop("PWD", None)
    # Nor on the modes that the user gives to new files: some backends put them into it.
    os.umask(0o022)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(file)
    runpy.run_path(script, run_name="__main__")
