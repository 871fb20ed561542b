"""What a process makes for itself alone: its death is found out, and its things are removed."""

from __future__ import annotations

import errno
import fcntl
import os
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer._internal.ownership import is_owned, owned, sweep, unique_name

if TYPE_CHECKING:
    from pathlib import Path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_is_owned_is_removed_with_its_lock(tmp_path: Path) -> None:
    folder, file = tmp_path / unique_name(), tmp_path / unique_name()
    with owned(folder), owned(file), owned(tmp_path / unique_name()):
        (folder / "below").mkdir(parents=True)
        file.write_bytes(b"")
        assert is_owned(folder)
    assert names(tmp_path) == []
    assert not is_owned(folder)


@pytest.mark.fault(41)
def test_a_sweep_removes_what_the_dead_have_left_and_nothing_else(tmp_path: Path) -> None:
    for name in ("dead", "without a lock"):
        (tmp_path / name / "below").mkdir(parents=True)
    (tmp_path / "half").write_bytes(b"half")
    for name in ("dead", "half", "nothing"):
        (tmp_path / f"{name}.lock").touch()
    alive = tmp_path / "alive"
    with owned(alive):
        alive.mkdir()
        sweep(tmp_path)
        assert names(tmp_path) == ["alive", "alive.lock"]
    sweep(tmp_path / "missing")


@pytest.mark.fault(72)
@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL])
def test_where_locks_are_unsupported_nothing_of_another_process_is_swept(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    path = tmp_path / unique_name()
    with owned(path):
        path.write_bytes(b"a download of another process")
        assert is_owned(path)
        sweep(tmp_path)
        assert path.exists()
    assert names(tmp_path) == []
