"""The Description of a layer version tells programs what is in it, and people what they wrote."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hatch_lambda_layer.publishing.descriptions import (
    VersionTag,
    code_mark,
    inputs_mark,
    project_mark,
)

TAG = VersionTag(
    content_digest=f"sha256:{'ab' * 32}",
    code="AB-_efghijkl",
    inputs="abcdefghijklmn-_",
    project="0123abcd",
)


@pytest.mark.parametrize("text", ["", "What orders need", "[with] brackets", "Grüße"])
@pytest.mark.parametrize("forced", [False, True])
def test_a_description_reads_as_it_was_written(text: str, *, forced: bool) -> None:
    tag = replace(TAG, forced=forced)
    description = tag.describe(text)
    assert VersionTag.of(description) == tag
    assert description.startswith(text)
    assert len(description) - len(text) < 150


@pytest.mark.parametrize(
    "description",
    [
        "",
        "by hand",
        TAG.describe("x") + " and more",
        TAG.describe("x") + "\n",
        TAG.describe("x").replace(" 1 ", " 2 "),
        TAG.describe("x")[:-2] + "]",
        TAG.describe("x").replace("abab", "ABAB"),
    ],
)
def test_any_other_description_is_somebody_elses(description: str) -> None:
    assert VersionTag.of(description) is None


def test_marks_depend_on_what_they_mark_alone() -> None:
    assert code_mark("AB+/efghijklmnop") == "AB-_efghijkl"
    assert inputs_mark(["b", "a"]) == inputs_mark(["a", "b"]) != inputs_mark(["a"])
    assert project_mark("a") != project_mark("b")
    marked = replace(
        TAG, code=code_mark("+" * 44), inputs=inputs_mark([]), project=project_mark("")
    )
    assert VersionTag.of(marked.describe("")) == marked
