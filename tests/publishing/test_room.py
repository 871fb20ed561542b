"""A layer that has grown too much, or has no room beside the others, is not published."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from tests.publishing.shop import ACCOUNT, ALPHA, BETA, HOME
from tests.support.aws_server import Answer, Injected
from tests.support.iam_actions import needed, unused
from tests.support.layer_archives import SECRET, LayerArchives, zipped
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from tests.publishing.shop import Shop

SECOND = "us-east-2"
OTHER = f"arn:aws:lambda:{HOME}:999999999999:layer:tracing:18"
LIMIT = 262_144_000


def grown(size: int) -> WheelSpec:
    data = hashlib.shake_128(b"grown").digest(size)
    return WheelSpec(name="beta", version="2.2", files={"beta/data.bin": data})


def refused(shop: Shop, *arguments: str) -> str:
    """Publish, prove that nothing was written anywhere, and give what was said."""
    said = shop.publish(*arguments, code=1)
    assert said.stdout == ""
    assert shop.aws.puts() == []
    assert shop.aws.publications() == []
    return said.stderr


@pytest.mark.fault(200)
@pytest.mark.parametrize("limit", ["10 KiB", "1 %"])
def test_a_layer_that_grows_by_more_is_not_published_and_what_grew_is_shown(
    shop: Shop, limit: str
) -> None:
    shop.publish()
    shop.config["max-growth"] = limit
    shop.lock(ALPHA, grown(20_000))
    said = refused(shop)
    assert f"{HOME}: {shop.name}: layer.zip unpacks to " in said
    assert f"more than version 1; `max-growth` allows {limit}:" in said
    assert f"--- {shop.name}:1 (python3.13-x86_64)" in said
    assert "~  beta     2.1   2.2    +20 KB" in said
    assert "`--allow-growth`" in said
    # Without --build the same holds, and a dry run says so.
    assert "`max-growth` allows" in shop.run("publish", code=1).stderr
    assert "`max-growth` allows" in shop.run("publish", "--dry-run", code=1).stderr
    assert shop.publish("--allow-growth").stdout == f"{shop.arn(2)}\n"
    assert shop.publish().stdout == f"{shop.arn(2)}\n"


@pytest.mark.parametrize("limit", ["50 KiB", "99999 %"])
def test_a_layer_that_grows_by_less_is_published(shop: Shop, limit: str) -> None:
    shop.config["max-growth"] = limit
    # There is no version yet, so that nothing has grown.
    shop.publish()
    shop.lock(ALPHA, grown(20_000))
    assert shop.publish().stdout == f"{shop.arn(2)}\n"
    shop.lock(ALPHA, BETA)
    assert shop.publish().stdout == f"{shop.arn(3)}\n"


@pytest.mark.fault(200)
def test_growth_in_one_region_keeps_the_layer_from_all(shop: Shop) -> None:
    shop.make_bucket(SECOND)
    shop.config |= {
        "regions": [HOME, SECOND],
        "s3-dir": f"s3://{shop.name}-{{region}}/layers",
        "max-growth": "1 KiB",
    }
    shop.publish("--region", HOME)
    shop.lock(ALPHA, grown(20_000))
    said = refused(shop)
    assert f"{HOME}: {shop.name}: layer.zip unpacks to " in said
    assert shop.live(SECOND) == []


@pytest.mark.fault(200)
@pytest.mark.parametrize("damage", ["no bucket", "not a manifest", "another manifest"])
def test_without_its_manifest_the_zip_of_the_live_version_tells(shop: Shop, damage: str) -> None:
    if damage == "no bucket":
        del shop.config["s3-dir"]
    shop.publish()
    archives = LayerArchives(shop.aws, {shop.arn(1): shop.zip.read_bytes()})
    if damage != "no bucket":
        text = b"{}"
        if damage == "another manifest":
            digest = f"sha256:{'0' * 64}"
            text = json.dumps({**shop.manifest(), "content_digest": digest}).encode()
        shop.s3().put_object(
            Bucket=shop.bucket(HOME),
            Key=f"layers/{shop.name}/x86_64/layer/000001/layer.json",
            Body=text,
        )
    shop.config["max-growth"] = "1 KiB"
    shop.lock(ALPHA, grown(20_000))
    said = refused(shop)
    assert archives.given == [shop.arn(1)]
    assert "python/beta" in said
    assert "+20 KB" in said
    assert SECRET not in said


def test_nothing_is_asked_where_nothing_has_changed(shop: Shop) -> None:
    shop.publish()
    with shop.aws.watch() as plain:
        shop.run("publish")
    before = {each.path for each in plain}
    shop.config |= {"max-growth": "0 %", "alongside": [OTHER]}
    archives = LayerArchives(shop.aws)
    for arguments in (["publish"], ["publish", "--build"]):
        with shop.aws.watch() as requests:
            assert shop.run(*arguments).stdout == f"{shop.arn(1)}\n"
        assert {each.method for each in requests if each.service in ("s3", "lambda")} == {
            "GET",
            "HEAD",
        }
        assert {each.path for each in requests} <= before
    assert archives.given == []


def test_the_layers_beside_it_are_read_from_the_ends_of_their_zips(shop: Shop) -> None:
    own = shop.arn(3, name="shared")
    data = {f"python/tracing/m{number}.py": b"x" * 1000 for number in range(20)}
    padding = {"python/tracing/big.bin": hashlib.shake_128(b"big").digest(3 << 20)}
    archives = LayerArchives(shop.aws, {OTHER: zipped(padding | data), own: zipped(data)})
    written = "arn:aws:lambda:{region}:999999999999:layer:tracing:18"
    shop.config["alongside"] = [written, "shared:3"]
    result = shop.publish()
    assert result.stdout == f"{shop.arn(1)}\n"
    assert "warning" not in result.stderr
    assert sorted(archives.given) == sorted([OTHER, own])
    parts = [each for each in shop.aws.requests if each.path.startswith("/awslambda-layers/")]
    assert len(parts) == 2
    size = len(archives.zips[OTHER])
    assert {each.headers["range"] for each in parts} == {
        f"bytes={size - (1 << 18)}-{size - 1}",
        f"bytes=0-{len(archives.zips[own]) - 1}",
    }
    assert {each.service for each in parts} == {""}
    # The version is made after that.
    calls = [each.path for each in shop.aws.requests]
    (put,) = [
        n
        for n, each in enumerate(shop.aws.requests)
        if each.path.endswith(".zip") and each.method == "PUT"
    ]
    assert max(calls.index(each.path) for each in parts) < put


@pytest.mark.fault(201)
def test_layers_that_don_t_fit_together_are_refused_with_the_size_of_each(shop: Shop) -> None:
    archives = LayerArchives(shop.aws)
    size = LIMIT - 100
    archives.zips[OTHER] = zipped({"python/tracing/data.bin": bytes(size)})
    shop.config["alongside"] = [OTHER]
    said = refused(shop)
    total = size + unpacked(shop)
    assert f"a function would unpack to {total:,} bytes, Lambda takes {LIMIT:,}" in said
    assert f"{OTHER}  250.0 MB" in said
    assert "layer.zip" in said
    archives.zips[OTHER] = zipped({"python/tracing/data.bin": bytes(LIMIT - unpacked(shop))})
    assert shop.publish().stdout == f"{shop.arn(1)}\n"


@pytest.mark.fault(201)
def test_what_the_function_brings_counts_too(shop: Shop) -> None:
    LayerArchives(shop.aws, {OTHER: zipped({"python/x/a.py": b"1"})})
    shop.config["alongside"] = [OTHER]
    shop.layer["function-size"] = LIMIT
    said = refused(shop)
    assert "the function" in said
    assert "250.0 MB" in said


def unpacked(shop: Shop) -> int:
    return int(shop.manifest()["unpacked_size"])


def test_what_both_layers_have_is_a_warning(shop: Shop) -> None:
    archives = LayerArchives(shop.aws)
    archives.zips[OTHER] = zipped(
        {
            "python/lib/python3.13/site-packages/Beta/__init__.py": b"",
            "python/lib/python3.13/site-packages/Beta-1.0.dist-info/METADATA": b"",
            "python/alpha/other.py": b"",
            "python/alpha/__init__.py": b"",
        }
    )
    shop.config["alongside"] = [OTHER]
    said = shop.publish().stderr
    assert (
        f"warning: {HOME}: {shop.name}: {OTHER} has the distributions beta 1.0 (here 2.1)" in said
    )
    assert f"{OTHER} has the top-level names `alpha`, too" in said


@pytest.mark.fault(202)
def test_a_url_that_has_expired_is_asked_for_anew(shop: Shop) -> None:
    archives = LayerArchives(shop.aws, {OTHER: zipped({"python/x/a.py": b""})}, expired=1)
    shop.config["alongside"] = [OTHER]
    assert shop.publish().stdout == f"{shop.arn(1)}\n"
    assert archives.given == [OTHER, OTHER]


@pytest.mark.fault(202)
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("throttle", "its server fails, or its answer is cut"),
        ("error", "its server fails, or its answer is cut"),
        ("cut after", "its server fails, or its answer is cut"),
        (
            Answer.json(403, "AccessDeniedException", "not authorized to perform: x"),
            "the IAM permission `lambda:GetLayerVersion` is missing",
        ),
        (Answer.xml(403, "AccessDenied", "Request has expired"), "answers 403"),
        (Answer(200, b"x" * 1000), "answers 200 with no range instead of bytes 0-"),
        (Answer(206, b"x", (("Content-Range", "bytes 0-0/1"),)), "with bytes 0-0/1"),
        ("reset", "could not be read"),
    ],
    ids=[
        "throttle",
        "error",
        "cut",
        "denied",
        "expired",
        "no range",
        "another size",
        "reset",
    ],
)
def test_a_layer_that_can_t_be_read_is_an_error_that_says_why(
    shop: Shop,
    fault: Answer | str,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("hatch_lambda_layer.index.http.BACKOFF_SECONDS", 0)
    LayerArchives(shop.aws, {OTHER: zipped({"python/x/a.py": b""})})
    shop.config["alongside"] = [OTHER]
    denied = isinstance(fault, Answer) and b"AccessDeniedException" in fault.body
    place = "/layers" if denied else "/awslambda-layers/"
    shop.aws.faults = [
        Injected(
            lambda each: each.path.startswith(place) or ("find" in each.query and denied),
            fault,  # type: ignore[arg-type]
        )
    ]
    said = refused(shop)
    assert words in said
    assert OTHER in said
    assert "hint: " in said
    assert SECRET not in said
    # Nor in what a program that logs warnings would have.
    assert SECRET not in caplog.text


@pytest.mark.fault(202)
@pytest.mark.parametrize("data", [b"", b"not a zip at all", b"PK\x05\x06" + b"\xff" * 18])
def test_what_is_not_a_zip_beside_it_is_named(shop: Shop, data: bytes) -> None:
    LayerArchives(shop.aws, {OTHER: data})
    shop.config["alongside"] = [OTHER]
    assert f"the zip of {OTHER} can't be read: " in refused(shop)


@pytest.mark.fault(202)
def test_one_region_whose_neighbour_can_t_be_read_leaves_the_others_done(shop: Shop) -> None:
    del shop.config["s3-dir"]
    shop.config |= {
        "regions": [HOME, SECOND],
        "alongside": ["arn:aws:lambda:{region}:999999999999:layer:tracing:18"],
    }
    LayerArchives(shop.aws, {OTHER: zipped({"python/x/a.py": b""})})
    result = shop.publish(code=1)
    assert result.stdout == f"{shop.arn(1)}\n"
    assert f"error: {SECOND}: {shop.name}: {SECOND}, arn:aws:lambda:{SECOND}:9" in result.stderr
    assert shop.live(SECOND) == []


def test_a_layer_that_lambda_only_refers_to_is_read_from_its_bucket(shop: Shop) -> None:
    bucket = shop.bucket(HOME)
    shop.s3().put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    data = zipped({"python/alpha/__init__.py": b""})
    version = shop.s3().put_object(Bucket=bucket, Key="theirs.zip", Body=data)["VersionId"]
    shop.s3().put_object(Bucket=bucket, Key="theirs.zip", Body=b"newer")
    place = {"S3Bucket": bucket, "S3Key": "theirs.zip", "S3ObjectVersion": version}
    LayerArchives(shop.aws, {OTHER: data}, referenced={OTHER: place})
    shop.config["alongside"] = [OTHER]
    assert "has the top-level names `alpha`, too" in shop.publish().stderr
    (read,) = [each for each in shop.aws.requests if each.path.endswith("theirs.zip")]
    assert (read.method, read.query["versionId"]) == ("GET", [version])
    assert read.headers["range"] == f"bytes=0-{len(data) - 1}"
    denied = Answer.xml(403, "AccessDenied", "no")
    shop.aws.faults = [Injected(lambda each: each.path.endswith("theirs.zip"), denied)]
    shop.lock(ALPHA, grown(20_000))
    assert "`s3:GetObjectVersion` is missing" in refused(shop)


def test_a_fixed_region_counts_there_only(shop: Shop) -> None:
    del shop.config["s3-dir"]
    shop.config |= {"regions": [HOME, SECOND], "alongside": [OTHER]}
    archives = LayerArchives(shop.aws, {OTHER: zipped({"python/x/a.py": b""})})
    shop.publish()
    assert archives.given == [OTHER]


def test_the_policy_has_the_layers_beside_it_and_no_more(shop: Shop) -> None:
    del shop.config["s3-dir"]
    shop.config |= {"alongside": [OTHER, "shared:3"], "max-growth": "1 %"}
    own = shop.arn(3, name="shared")
    data = zipped({"python/x/a.py": b""})
    LayerArchives(shop.aws, {OTHER: data, own: data})
    policy = shop.run("publish", "--policy").stdout
    requests = []
    for number in range(2):
        for _ in range(2):
            shop.publish()
            requests += shop.aws.requests
        LayerArchives(shop.aws, {OTHER: data, own: data, shop.arn(1): shop.zip.read_bytes()})
        shop.aws.stands_in = shop.aws.stands_in[-1:]
        shop.lock(ALPHA, WheelSpec(name="beta", version=f"2.{number + 2}"))
    assert ("lambda:GetLayerVersion", OTHER) in needed(requests, ACCOUNT)
    assert unused(policy, requests, ACCOUNT) == set()
