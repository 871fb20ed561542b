"""What Lambda would refuse is refused first, after botocore's own model of Lambda."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from itertools import islice

import pytest

from hatch_lambda_layer.aws import needed
from hatch_lambda_layer.aws.service_model import ProposedVersion, problems
from hatch_lambda_layer.exceptions import LambdaLayerError
from hatch_lambda_layer.targets.target import Architecture, runtimes

GOOD = ProposedVersion(
    key="tool.lambda-layer",
    layer_name="orders-api",
    description="What the orders need",
    license="MIT",
    runtimes=("python3.12", "python3.13"),
    architectures=("x86_64", "arm64"),
    bucket=False,
    zipped_size=52_428_800,
    unpacked_size=262_144_000,
)


def names(number: int) -> tuple[str, ...]:
    """Give runtimes that Lambda knows, as many as wanted."""
    dead_or_alive = [f"nodejs{each}.x" for each in (10, 12, 14, 16, 18, 20, 22, 24)]
    dead_or_alive += [f"python3.{each}" for each in range(6, 15)]
    return tuple(islice(dead_or_alive, number))


def test_what_is_within_every_limit_has_no_problems() -> None:
    largest = replace(
        GOOD,
        layer_name="a" * 140,
        description="\u00e9" * 256,
        license="l" * 512,
        runtimes=names(15),
    )

    assert problems(GOOD) == []
    assert problems(largest) == []
    assert problems(replace(GOOD, description="", license="", zipped_size=None)) == []


def test_every_runtime_and_architecture_of_this_tool_is_one_of_lambda() -> None:
    architectures = tuple(each.value for each in Architecture)

    assert problems(replace(GOOD, runtimes=tuple(runtimes()), architectures=architectures)) == []


@pytest.mark.fault(4)
@pytest.mark.parametrize(
    "name",
    [
        "",
        "a" * 141,
        "orders api",
        "orders.api",
        "caf\u00e9",
        "orders/api",
        "orders\n",
        "{runtime}",
        "arn:aws:lambda:eu-west-1:123456789012:layer:orders",
    ],
)
def test_a_name_that_lambda_refuses_is_a_problem(name: str) -> None:
    (problem,) = problems(replace(GOOD, layer_name=name))

    assert problem.startswith(
        "Field `tool.lambda-layer.publish.layer-name` must match [a-zA-Z0-9-_]{1,140}, not "
    )
    assert repr(name)[:30] in problem


@pytest.mark.fault(4)
def test_a_description_that_is_too_long_says_by_how_much() -> None:
    (problem,) = problems(replace(GOOD, description="d" * 271))

    assert problem == (
        "Field `tool.lambda-layer.publish.description` makes a Description of 271 characters with "
        "the digests that are added to it, Lambda allows 256: shorten it by 15"
    )


@pytest.mark.fault(4)
def test_a_license_that_is_too_long_is_shown_in_part() -> None:
    (problem,) = problems(replace(GOOD, license="l" * 513))

    assert problem == (
        "Field `tool.lambda-layer.publish.license` must have at most 512 characters, "
        f"not '{'l' * 80}'\u2026 (513 characters)"
    )


@pytest.mark.parametrize("text", ["one\ntwo", "one\r\ntwo", "tab\there", "nul\0", "line\u2028two"])
@pytest.mark.parametrize("field", ["description", "license"])
def test_a_text_of_several_lines_is_a_problem(field: str, text: str) -> None:
    changed = replace(GOOD, **{field: text})  # type: ignore[arg-type]

    (problem,) = problems(changed)

    assert f"`tool.lambda-layer.publish.{field}` must be one line" in problem
    assert problem.isprintable()


@pytest.mark.fault(4)
def test_more_runtimes_than_lambda_takes_are_a_problem() -> None:
    (problem,) = problems(replace(GOOD, runtimes=names(16)))

    assert "`tool.lambda-layer.runtimes` must name at most 15 for one layer version" in problem
    assert "not 16" in problem
    assert "`{runtime}`" in problem


@pytest.mark.fault(4)
def test_an_unknown_runtime_has_its_nearest() -> None:
    (problem,) = problems(replace(GOOD, runtimes=("python3.13", "pyton3.12")))

    assert "`tool.lambda-layer.runtimes` has 'pyton3.12'" in problem
    assert "did you mean `python3.12`?" in problem


def test_a_runtime_like_no_other_may_need_a_newer_botocore() -> None:
    (problem,) = problems(replace(GOOD, runtimes=("zzz",)))

    assert "a newer one may know it" in problem


@pytest.mark.fault(4)
def test_an_unknown_architecture_is_a_problem() -> None:
    (problem,) = problems(replace(GOOD, architectures=("x86_64", "arm46")))

    assert "`tool.lambda-layer.architectures` has 'arm46'" in problem
    assert "did you mean `arm64`?" in problem


@pytest.mark.fault(37)
def test_a_zip_that_is_too_large_to_send_needs_a_bucket() -> None:
    large = replace(GOOD, zipped_size=52_428_801)

    (problem,) = problems(large)

    assert "`tool.lambda-layer.publish.s3-dir` must name a bucket" in problem
    assert "52,428,801 bytes" in problem
    assert problems(replace(large, bucket=True)) == []


@pytest.mark.fault(36)
def test_a_layer_that_is_too_large_for_lambda_is_a_problem() -> None:
    (problem,) = problems(replace(GOOD, unpacked_size=262_144_001, bucket=True))

    assert "262,144,001 bytes, Lambda takes 262,144,000" in problem


@pytest.mark.fault(3)
def test_all_problems_come_in_one_go_with_the_key_of_their_layer() -> None:
    found = problems(
        ProposedVersion(
            key="tool.lambda-layer.layers.ml",
            layer_name="m l",
            description="d" * 257,
            license="l\n" * 300,
            runtimes=("python2.8",),
            architectures=("sparc",),
            bucket=False,
            zipped_size=10**9,
            unpacked_size=10**9,
        )
    )

    keys = ["publish.layer-name", "publish.description", "publish.license", "publish.license"]
    keys += ["runtimes", "architectures", "max-size", "publish.s3-dir"]
    assert [each.split("`")[1] for each in found] == [
        f"tool.lambda-layer.layers.ml.{key}" for key in keys
    ]


def test_no_credentials_no_region_and_no_network_are_needed() -> None:
    script = (
        "import socket\n"
        "def refuse(*_): raise AssertionError('network')\n"
        "socket.socket.connect = refuse\n"
        "from tests.aws.test_service_model import GOOD, problems\n"
        "assert problems(GOOD) == []\n"
    )
    env = {"PATH": "/usr/bin", "HOME": "/nowhere"}
    done = subprocess.run(
        [sys.executable, "-c", script], check=False, env=env, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("module", ["boto3", "botocore", "s3pathlib"])
def test_a_missing_extra_says_what_to_install(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # What Python does for a module that is not there: the finders know nothing of it.
    for name in [each for each in sys.modules if each.split(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [_Without(module), *sys.meta_path])

    with pytest.raises(LambdaLayerError) as caught, needed():
        __import__(module)

    assert f"`{module}` is missing: publishing needs the extra `aws`" in caught.value.message
    assert "hatch-lambda-layer[aws]" in str(caught.value.hint)
    if module == "botocore":
        with pytest.raises(LambdaLayerError, match="hatch-lambda-layer"):
            problems(GOOD)


def test_another_missing_module_is_a_fault_of_the_program() -> None:
    with pytest.raises(ModuleNotFoundError), needed():
        __import__("hatch_lambda_layer.nothing")


class _Without:
    """Finds that a module is not installed."""

    def __init__(self, module: str) -> None:
        self._module = module

    def find_spec(self, name: str, _path: object, _target: object = None) -> None:
        if name.partition(".")[0] == self._module:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
