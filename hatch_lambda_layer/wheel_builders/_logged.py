"""Runs a script of Python with all that it and its children say in a file.

`python _logged.py LOG SCRIPT ARGUMENTS…`, for any version of Python. In a file, what they say
takes no memory of the process that waits, has its order, and a child that lives on keeps nobody
waiting for the end of a pipe.
"""

import os
import runpy
import sys

if __name__ == "__main__":  # pragma: no cover  # in interpreters that nobody watches
    log, script = sys.argv[1:3]
    # The first entry is this script's folder, whose modules are not for others.
    sys.path[0] = os.path.dirname(script)  # noqa: PTH120  # quicker than to import pathlib
    del sys.argv[:2]
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(file)
    runpy.run_path(script, run_name="__main__")
