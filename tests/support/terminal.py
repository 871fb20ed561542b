"""Programs that tests run on a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys


def on_a_terminal(code: str, term: str = "xterm") -> tuple[str, int]:
    """Run Python with standard error on a terminal; give what came there, and the exit code."""
    main, end = pty.openpty()
    env = {**os.environ, "TERM": term, "COLUMNS": "100", "LINES": "24"}
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        env.pop(name, None)
    with subprocess.Popen([sys.executable, "-c", code], stderr=end, env=env) as process:
        os.close(end)
        output = b""
        try:
            while data := os.read(main, 65_536):
                output += data
        except OSError:  # how Linux says that nobody holds the other end any more
            pass
        finally:
            os.close(main)
    return output.decode(), process.returncode
