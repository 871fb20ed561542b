"""The command's first moments: signals are handled before anything else is imported."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.integration import COMMAND
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MODULE = (sys.executable, "-m", "hatch_lambda_layer")
# In the place of the library that the command imports first.
SLOW = "import pathlib, time\npathlib.Path({!r}).touch()\ntime.sleep(60)\n"


@pytest.mark.skipif(sys.platform == "win32", reason="signals are of POSIX")
@pytest.mark.fault(77)
@pytest.mark.parametrize("command", [COMMAND[:1], MODULE], ids=["script", "module"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_during_the_imports_ends_the_command_without_a_traceback(
    tmp_path: Path, command: Sequence[str], number: signal.Signals, code: int
) -> None:
    (tmp_path / "click.py").write_text(SLOW.format(str(tmp_path / "importing")), encoding="utf-8")
    process = subprocess.Popen(
        [*command, "--version"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until((tmp_path / "importing").exists)
    process.send_signal(number)
    _, said = process.communicate(timeout=20)
    assert process.returncode == code
    assert said == "error: Interrupted\n"


def test_the_module_is_the_command() -> None:
    done = subprocess.run([*MODULE, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("hatch-lambda-layer, version ")
