"""One Region or one layer of several: what it does not concern is done, and stays on record."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import botocore.endpoint
import pytest

from tests.publishing.shop import ACCOUNT, ALPHA, HOME
from tests.support.aws_server import Answer, Fault, Injected
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from tests.publishing.shop import Shop

DEAD = "us-east-2"
# The first destination is the one that fails: it must not be asked on behalf of the others.
REGIONS = [DEAD, HOME, "ap-southeast-2"]
DENIED = Answer.json(403, "AccessDeniedException", "no")
EXPIRED = Answer.xml(403, "ExpiredToken", "The token has expired", "sts")


@pytest.fixture
def regional(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A project that publishes to three Regions, through a bucket in one; retries come at once."""
    monkeypatch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=lambda _seconds: None))
    shop.config |= {"regions": REGIONS, "s3-dir": {HOME: f"s3://{shop.bucket(HOME)}/layers"}}
    return shop


def recorded(shop: Shop) -> dict[tuple[str, str], int]:
    """Read `layer-versions.json`: the number of the version by layer and Region."""
    table = json.loads((shop.root / "dist" / "layer-versions.json").read_text("utf-8"))
    return {(each["layer_name"], each["region"]): each["version"] for each in table["versions"]}


@pytest.mark.fault(62)
@pytest.mark.parametrize("role", [None, "222222222222"], ids=["user", "role"])
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("reset", f"error: {DEAD}: {{name}}: {DEAD}"),
        # What the STS of a Region answers that the account has not enabled.
        (
            Answer.xml(403, "InvalidClientTokenId", "The security token is invalid", "sts"),
            "a Region that the account has not enabled",
        ),
    ],
    ids=["unreachable", "not-enabled"],
)
def test_a_region_without_an_endpoint_leaves_the_others_done(
    fault: Fault | Answer, words: str, role: str | None, regional: Shop
) -> None:
    if role:
        regional.config["role-arn"] = f"arn:aws:iam::{role}:role/publish"
    account = role or ACCOUNT
    regional.aws.faults = [Injected(lambda each: each.region == DEAD, fault)]
    result = regional.publish(code=1)
    arns = {region: regional.arn(1, region).replace(ACCOUNT, account) for region in sorted(REGIONS)}
    assert set(result.stdout.split()) == {arns[region] for region in REGIONS if region != DEAD}
    assert "1 of 3 destinations failed" in result.stderr
    assert words.format(name=regional.name) in result.stderr
    regional.aws.faults = []
    assert set(regional.publish().stdout.split()) == set(arns.values())
    assert [each.region for each in regional.aws.publications()] == [DEAD]


@pytest.mark.fault(62)
def test_a_region_that_fails_when_it_is_looked_at_leaves_the_others_done(regional: Shop) -> None:
    first = regional.publish()
    code = f"{regional.name}/versions/1"
    regional.aws.faults = [
        Injected(lambda each: each.region == DEAD and each.path.endswith(code), DENIED)
    ]
    again = regional.publish(code=1)
    assert set(again.stdout.split()) == set(first.stdout.split()) - {regional.arn(1, DEAD)}
    assert "`lambda:GetLayerVersion` is missing" in again.stderr
    planned = regional.publish("--dry-run", code=1).stderr
    for region in REGIONS[1:]:
        assert f"would leave version 1 as it is: {regional.arn(1, region)}" in planned
    assert f"error: {DEAD}: {regional.name}: " in planned


@pytest.mark.fault(62)
def test_the_versions_in_other_regions_are_shown_when_one_fails(regional: Shop) -> None:
    regional.publish()
    regional.aws.faults = [Injected(lambda each: each.region == DEAD, DENIED)]
    result = regional.run("versions", regional.name, code=1)
    assert [line for line in result.stdout.splitlines() if line.endswith(regional.name)] == [
        f"{region}: {regional.name}" for region in REGIONS[1:]
    ]
    assert f"error: {DEAD}, layer `{regional.name}`: " in result.stderr


@pytest.mark.parametrize("form", ["json", "terraform", "cloudformation"])
def test_no_document_is_printed_when_a_region_fails(regional: Shop, form: str) -> None:
    # `> layers.tf.json` would be deployed without that Region, or with nothing in it.
    regional.aws.faults = [Injected(lambda each: each.region == DEAD, DENIED)]
    assert regional.publish("--format", form, code=1).stdout == ""
    assert {region for _, region in recorded(regional)} == set(REGIONS[1:])
    regional.aws.faults = []
    assert DEAD in regional.publish("--format", form).stdout


@pytest.mark.fault(63)
def test_a_region_that_fails_keeps_its_version_on_record(regional: Shop) -> None:
    regional.publish()
    regional.lock(ALPHA, WheelSpec(name="beta", version="2.2"))
    regional.aws.faults = [Injected(lambda each: each.publishes and each.region == DEAD, DENIED)]
    regional.publish(code=1)
    numbers = {region: number for (_, region), number in recorded(regional).items()}
    assert numbers == {DEAD: 1, HOME: 2, "ap-southeast-2": 2}


@pytest.mark.fault(63)
def test_a_layer_that_is_published_alone_leaves_the_other_on_record(shop: Shop) -> None:
    ml = f"{shop.name}-ml"
    shop.layer["layers"] = {"ml": {"prune": ["stubs"], "publish": {"layer-name": ml}}}
    shop.publish()
    assert recorded(shop) == {(shop.name, HOME): 1, (ml, HOME): 1}
    shop.lock(ALPHA, WheelSpec(name="beta", version="2.2"))
    shop.publish("--layer", "ml")
    assert recorded(shop) == {(shop.name, HOME): 1, (ml, HOME): 2}


@pytest.mark.fault(66)
@pytest.mark.parametrize(
    "text",
    [
        b"<<<<<<< ours\n{}\n=======\n{}\n>>>>>>> theirs\n",
        b'{"schema": 7, "versions": []}',
        b'{"schema": 1, "versions": [{"layer_name": "x"}]}',
        b'{"schema": 1, "versions": null}',
        b"null",
        b"\xff",
        b"[" * 100_000,
    ],
    ids=["conflict", "schema", "keys", "null-versions", "null", "binary", "deep"],
)
def test_a_damaged_record_is_reported_before_anything_is_sent(text: bytes, shop: Shop) -> None:
    shop.run("build")
    path = shop.root / "dist" / "layer-versions.json"
    path.write_bytes(text)
    with shop.aws.watch() as requests:
        said = shop.run("publish", code=1).stderr
    assert f"{path} is not a valid `layer-versions.json`" in said
    assert "hint: correct it, or remove it" in said
    assert requests == []
    assert path.read_bytes() == text


def test_the_record_of_a_run_that_published_nothing_is_not_touched(shop: Shop) -> None:
    shop.publish()
    path = shop.root / "dist" / "layer-versions.json"
    before: Any = path.stat()
    shop.aws.faults = [Injected(lambda each: each.service == "sts", EXPIRED)]
    shop.publish(code=1)
    assert path.stat().st_mtime_ns == before.st_mtime_ns
