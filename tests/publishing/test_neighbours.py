"""What two layers of one function both have is found by the paths of their files."""

from __future__ import annotations

import pytest

from hatch_lambda_layer.publishing.neighbours import neighbour_arns, overlap

SITE = "python/lib/python3.13/site-packages"


@pytest.mark.parametrize(
    ("written", "arns"),
    [
        ("shared:3", ["arn:aws:lambda:eu-west-1:111122223333:layer:shared:3"]),
        (
            "arn:aws:lambda:{region}:999999999999:layer:x:1",
            ["arn:aws:lambda:eu-west-1:999999999999:layer:x:1"],
        ),
        (
            "arn:aws:lambda:eu-west-1:{account}:layer:x:1",
            ["arn:aws:lambda:eu-west-1:111122223333:layer:x:1"],
        ),
        ("arn:aws:lambda:us-east-1:999999999999:layer:x:1", []),
    ],
)
def test_region_and_account_are_filled_in(written: str, arns: list[str]) -> None:
    assert neighbour_arns([written], "eu-west-1", "111122223333") == arns


def test_what_is_not_known_is_a_star() -> None:
    written = ["arn:aws:lambda:us-east-1:9:layer:x:1", "shared:3"]
    assert neighbour_arns(written, "*", "*") == [
        "arn:aws:lambda:us-east-1:9:layer:x:1",
        "arn:aws:lambda:*:*:layer:shared:3",
    ]


@pytest.mark.parametrize(
    ("mine", "theirs", "said"),
    [
        (["python/a/__init__.py"], ["python/a/__init__.py"], ["the top-level names `a`"]),
        (["python/a/__init__.py"], [f"{SITE}/a/b.py"], ["the top-level names `a`"]),
        (["python/a.py"], ["python/a/__init__.py"], ["the top-level names `a`"]),
        (
            ["python/a.cpython-313-x86_64-linux-gnu.so"],
            ["python/a.py"],
            ["the top-level names `a`"],
        ),
        # A namespace is shared on purpose, unless its files are the same.
        (["python/google/cloud/x.py"], [f"{SITE}/google/auth/y.py"], []),
        (["python/google/x.py"], [f"{SITE}/google/x.py"], ["the top-level names `google`"]),
        (
            ["python/Foo_Bar-1.0.dist-info/RECORD", "python/foo_bar/__init__.py"],
            [f"{SITE}/foo.bar-2.0.dist-info/METADATA", f"{SITE}/foo_bar/__init__.py"],
            ["the distributions foo-bar 2.0 (here 1.0)"],
        ),
        (["python/bin/x", "python/LICENSE"], ["python/bin/x", "python/LICENSE"], []),
        (["bin/x", "lib/y.so"], ["bin/x", "lib/y.so"], []),
    ],
)
def test_both_have(mine: list[str], theirs: list[str], said: list[str]) -> None:
    assert list(overlap(mine, theirs)) == said


def test_of_many_names_the_first_ten_are_named() -> None:
    paths = [f"python/n{number:02}.py" for number in range(12)]
    (said,) = overlap(paths, paths)
    assert said.endswith("`n08`, `n09` and 2 more")
