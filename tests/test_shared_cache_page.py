"""The page on the shared cache is true, and its policies allow what is asked and no more."""

from __future__ import annotations

import json
import re
from pathlib import Path

from hatch_lambda_layer.wheels import shared_cache
from hatch_lambda_layer.wheels.shared_cache import VARIABLE, SharedCacheConfig

PAGE = (Path(__file__).parent.parent / "docs" / "shared-cache.md").read_text(encoding="utf-8")
READ, PUT, ONCE = (json.loads(each) for each in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL))


def test_every_variable_of_the_shared_cache_is_described() -> None:
    for name in (VARIABLE, f"{VARIABLE}_OWNER", f"{VARIABLE}_READONLY"):
        assert f"| `{name}` |" in PAGE


def test_the_example_is_accepted_and_is_the_prefix_of_the_policies() -> None:
    (url,) = re.findall(rf"^export {VARIABLE}=(\S+)$", PAGE, re.MULTILINE)
    config = SharedCacheConfig.from_environment({VARIABLE: url})
    assert config is not None
    objects = f"arn:aws:s3:::{config.bucket}/{config.prefix}/{shared_cache.FOLDER}/*"
    read, listed = READ["Statement"]
    assert {each["Resource"] for each in (read, PUT, ONCE)} == {objects}
    assert listed["Resource"] == f"arn:aws:s3:::{config.bucket}"


def test_the_policy_for_pull_requests_writes_nothing() -> None:
    assert [each["Action"] for each in READ["Statement"]] == ["s3:GetObject", "s3:ListBucket"]
    assert PUT["Action"] == ONCE["Action"] == "s3:PutObject"
    assert ONCE["Effect"] == "Deny"


def test_the_limits_are_those_that_are_kept() -> None:
    text = " ".join(PAGE.split())
    assert shared_cache._SECONDS_TO_CONNECT == 1
    assert "one second to come about" in text
    assert shared_cache._SECONDS_FOR_ANSWER == 5
    assert "an answer five" in text
    assert f"move {shared_cache._SMALLEST_RATE // 1024} KB a second" in text
    assert shared_cache._ATTEMPTS == 2
    assert "tried twice at most" in text
