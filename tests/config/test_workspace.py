"""The root of a workspace of uv is known by its table, however that is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer.config.workspace import is_workspace_root

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[tool.uv.workspace]\nmembers = ["x"]', True),
        ('[tool.uv]\nworkspace = { members = ["x"] }', True),
        ('tool = { uv.workspace.members = ["x"] }', True),
        ('# [tool.uv.workspace]\n[project]\nname = "x"', False),
        ("tool = 1", False),
        ("[tool.uv.workspace", False),
    ],
)
def test_a_workspace_is_a_table_of_uv(tmp_path: Path, text: str, *, expected: bool) -> None:
    assert is_workspace_root(tmp_path) is False
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    assert is_workspace_root(tmp_path) is expected
