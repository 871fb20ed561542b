"""uv is found where it is installed, else on the search path, else the user is told."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import uv

from hatch_lambda_layer._internal.uv import find_uv
from hatch_lambda_layer.exceptions import LambdaLayerError
from tests.support.tools import stand_in


def nowhere() -> str:
    raise FileNotFoundError


def test_the_uv_beside_the_interpreter_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = stand_in(tmp_path / "bin", "uv", "exit 0")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    assert find_uv() == str(beside)


def test_the_uv_that_this_package_depends_on_is_found_wherever_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert Path(find_uv()).samefile(uv.find_uv_bin())


def test_the_search_path_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = stand_in(tmp_path / "path", "uv", "exit 0")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(uv, "find_uv_bin", nowhere)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{found.parent}")
    assert find_uv() == str(found)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LambdaLayerError, match="uv is needed") as caught:
        find_uv()
    assert caught.value.hint
