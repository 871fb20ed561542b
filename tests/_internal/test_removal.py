"""Folders are removed whatever is in them, and nothing outside of them."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer._internal.removal import remove_tree

if TYPE_CHECKING:
    from pathlib import Path

posix = pytest.mark.skipif(sys.platform == "win32", reason="modes and paths of POSIX")


def nest(folder: Path, depth: int, name: str = "deeper") -> None:
    """Make folders in each other, each with a file; the path becomes longer than any may be."""
    folder.mkdir()
    here = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here))
        os.mkdir(name, dir_fd=here)
        inner = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)


@posix
@pytest.mark.fault(81)
@pytest.mark.parametrize("name", ["d", "a-long-name-of-a-folder"])
def test_folders_nested_without_end_are_removed(tmp_path: Path, name: str) -> None:
    nest(tmp_path / "deep", 3000, name)
    remove_tree(tmp_path / "deep")
    assert list(tmp_path.iterdir()) == []


@posix
@pytest.mark.fault(81)
def test_folders_that_may_not_be_written_or_entered_are_removed(tmp_path: Path) -> None:
    # In another process, which becomes a user whom modes stop, as they don't stop root.
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from hatch_lambda_layer._internal.removal import remove_tree\n"
        "os.chdir(sys.argv[1])\n"
        "if os.getuid() == 0:\n"
        "    os.setuid(65534)\n"
        "top = Path('top')\n"
        "(top / 'a' / 'b').mkdir(parents=True)\n"
        "(top / 'a' / 'b' / 'file').touch()\n"
        "(top / 'c').mkdir()\n"
        "for name, mode in (('a/b', 0o500), ('a', 0o555), ('c', 0), ('.', 0)):\n"
        "    (top / name).chmod(mode)\n"
        "remove_tree(top)\n"
    )
    place = tmp_path / "place"
    place.mkdir()
    place.chmod(0o777)
    subprocess.run([sys.executable, "-c", code, str(place)], check=True)
    assert list(place.iterdir()) == []


@posix
def test_links_are_removed_and_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").touch()
    top = tmp_path / "top"
    (top / "inner").mkdir(parents=True)
    (top / "inner" / "link").symlink_to(outside)
    (top / "inner" / "broken").symlink_to("nowhere")
    os.mkfifo(top / "pipe")
    remove_tree(top)
    assert not top.exists()
    assert (outside / "file").exists()
    (tmp_path / "link").symlink_to(outside)
    remove_tree(tmp_path / "link")
    assert (outside / "file").exists()


def test_what_is_not_there_is_removed_already(tmp_path: Path) -> None:
    remove_tree(tmp_path / "missing")
    (tmp_path / "file").touch()
    remove_tree(tmp_path / "file")
    assert (tmp_path / "file").exists()
