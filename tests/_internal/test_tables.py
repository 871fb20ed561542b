"""Values of parsed TOML are found by their keys; what has another type counts as missing."""

from __future__ import annotations

import pytest

from hatch_lambda_layer._internal.tables import (
    array_at,
    strings_at,
    table_at,
    tables_at,
    value_at,
)

PARSED = {"a": {"table": {"x": 1}, "array": ["one", 2, {"y": 3}], "text": "abc"}}


def test_a_value_is_found_below_its_keys() -> None:
    assert value_at(PARSED, "a", "text") == "abc"
    assert table_at(PARSED, "a", "table") == {"x": 1}
    assert array_at(PARSED, "a", "array") == ["one", 2, {"y": 3}]
    assert tables_at(PARSED, "a", "array") == [{"y": 3}]
    assert strings_at(PARSED, "a", "array") == ["one"]


@pytest.mark.parametrize(
    "keys", [("b",), ("a", "b"), ("a", "text", "b"), ("a", "array", "y"), ("a", "text")]
)
def test_what_is_missing_or_has_another_type_is_empty(keys: tuple[str, ...]) -> None:
    assert table_at(PARSED, *keys) == {}
    assert array_at(PARSED, *keys) == []
    assert tables_at(PARSED, *keys) == []
    assert strings_at(PARSED, *keys) == []


def test_there_is_no_value_below_what_is_not_a_table() -> None:
    assert value_at(PARSED, "a", "text", "b") is None
    assert value_at([PARSED], "a") is None
    assert table_at(None) == {}
