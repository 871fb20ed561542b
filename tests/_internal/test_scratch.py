"""Temporary folders are private, and go with their owner, or with the next one."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer._internal.scratch import scratch_folder

if TYPE_CHECKING:
    from pathlib import Path

OWNER = (
    "import sys, time\n"
    "from hatch_lambda_layer._internal.scratch import scratch_folder\n"
    "with scratch_folder() as folder:\n"
    "    (folder / 'secret').touch()\n"
    "    print(folder, flush=True)\n"
    "    time.sleep(60)\n"
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def test_a_folder_is_private_and_removed_at_the_end(place: Path) -> None:
    with scratch_folder() as folder:
        assert folder.parent == place.resolve()
        if sys.platform != "win32":
            assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "inner").mkdir()
    assert list(place.iterdir()) == []


@pytest.mark.fault(80)
def test_the_folder_of_a_killed_process_is_removed_and_that_of_a_living_one_is_not(
    place: Path,
) -> None:
    command = [sys.executable, "-c", OWNER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        left = owner.stdout.readline().strip()
        with scratch_folder():
            assert sorted(place.glob("*/secret"))
        owner.kill()
        owner.wait()
    assert [str(each) for each in place.iterdir()] == [left]
    with scratch_folder():
        assert not list(place.glob("*/secret"))
    assert list(place.iterdir()) == []
