"""`max-growth` and `alongside` of `[tool.lambda-layer.publish]`."""

from __future__ import annotations

import pytest

from hatch_lambda_layer.config.publish_limits import Growth
from tests.config.test_publish import configs, problems, read

ARN = "arn:aws:lambda:{region}:{account}:layer:tracing:18"


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("10 MiB", 10_485_760),
        ("10MB", 10_000_000),
        ("0.5 KiB", 512),
        ("7 b", 7),
        ("5 %", 50),
        ("5%", 50),
        ("2.5 %", 25),
        ("0 %", 0),
        ("200 %", 2000),
    ],
)
def test_growth_is_a_size_or_a_share_of_the_live_version(text: str, allowed: int) -> None:
    growth = read(f"max-growth = '{text}'").max_growth
    assert growth is not None
    assert growth.allowed(1000) == allowed
    assert growth.text == text


@pytest.mark.parametrize(
    "value",
    ["10", "'10'", "'-5 %'", "'5 percent'", "'much'", "'5 mi'", "true", "['5 %']", "'nan %'"],
)
def test_another_growth_is_wrong(value: str) -> None:
    (problem,) = problems(f"max-growth = {value}")
    assert problem.startswith("max-growth` must be a size or a share of the live version, such as")


def test_without_both_there_is_no_limit() -> None:
    config = read("")
    assert (config.max_growth, config.alongside, config.function_size) == (None, (), 0)


def test_layers_alongside_are_arns_or_names_with_their_versions() -> None:
    written = [ARN, "arn:aws-cn:lambda:cn-north-1:111122223333:layer:a_b-c:7", "shared:3"]
    assert read(f"alongside = {written}").alongside == tuple(written)


@pytest.mark.parametrize(
    "value",
    [
        "shared",
        "shared:latest",
        "arn:aws:lambda:eu-west-1:1:layer:x:1",
        ARN[:-3],
        "{layer}:3",
        "a b:1",
    ],
)
def test_a_layer_without_a_version_is_wrong(value: str) -> None:
    (problem,) = problems(f"alongside = ['ok:1', '{value}']")
    assert problem.startswith("alongside[1]` must be a layer version: its ARN")


def test_more_layers_than_a_function_can_have_are_wrong() -> None:
    names = [f"n:{number}" for number in range(5)]
    assert problems(f"alongside = {names}") == [
        "alongside` has 5 layers: a function has at most 5 in all"
    ]
    assert problems("alongside = 'n:1'") == ["alongside` must be an array of strings, not 'n:1'"]


def test_a_layer_of_its_own_inherits_and_overrides_both() -> None:
    found = configs("""
        [tool.lambda-layer.publish]
        max-growth = "5 %"
        alongside = ["shared:3"]
        [tool.lambda-layer.layers.ml.publish]
        max-growth = "10 MiB"
        alongside = []
    """)
    assert found["ml"].max_growth == Growth(text="10 MiB", size=10_485_760)
    assert found["ml"].alongside == ()
    assert found[None].alongside == ("shared:3",)
