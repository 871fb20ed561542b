"""`storage = "reference"`: Lambda keeps no copy of the zip, and reads it from the bucket."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import botocore.endpoint
import pytest

from hatch_lambda_layer.aws.bucket_settings import removing_rules
from hatch_lambda_layer.aws.session import AwsSession
from tests.config.test_publish import problems, read
from tests.publishing.shop import ACCOUNT, ALPHA, HOME
from tests.publishing.test_iam_policy import ALL, S3, allowed
from tests.support.aws_server import FAULTS, Answer, Injected
from tests.support.iam_actions import unused
from tests.support.layer_archives import LayerArchives, zipped
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from tests.publishing.shop import Shop

SECOND = "us-east-2"
DENIED = Answer.json(403, "AccessDeniedException", "Lambda can't read the object")


def keep_versions(shop: Shop, region: str = HOME) -> None:
    shop.s3(region).put_bucket_versioning(
        Bucket=shop.bucket(region), VersioningConfiguration={"Status": "Enabled"}
    )


@pytest.fixture
def referring(shop: Shop) -> Shop:
    """Give a project whose layer Lambda is to refer to, with a bucket that keeps versions."""
    keep_versions(shop)
    shop.config["storage"] = "reference"
    return shop


def refused(shop: Shop, code: int = 1) -> str:
    said = shop.publish(code=code).stderr
    assert shop.aws.publications() == []
    assert "hint: " in said
    return said


def zip_keys(shop: Shop) -> list[str]:
    return [f"layers/{each}" for each in shop.objects() if each.endswith(".zip")]


def test_lambda_is_told_to_refer_to_a_version_of_the_object(referring: Shop) -> None:
    result = referring.publish()
    assert result.stdout == f"{referring.arn(1)}\n"
    assert "warning" not in result.stderr
    (key,) = zip_keys(referring)
    head = referring.s3().head_object(Bucket=referring.bucket(HOME), Key=key)
    (request,) = referring.aws.publications()
    assert request.json["Content"] == {
        "S3Bucket": referring.bucket(HOME),
        "S3Key": key,
        "S3ObjectVersion": head["VersionId"],
        "S3ObjectStorageMode": "REFERENCE",
    }
    owners = {
        each.headers["x-amz-expected-bucket-owner"]
        for each in referring.aws.requests
        if each.service == "s3"
    }
    assert owners == {ACCOUNT}


def test_a_dry_run_says_so(referring: Shop) -> None:
    said = referring.publish("--dry-run").stderr
    assert "would publish a version of" in said
    assert ", the first one, which refers to it there\n" in said


def test_without_it_lambda_copies(shop: Shop) -> None:
    keep_versions(shop)
    for storage in (None, "copy"):
        if storage:
            shop.config["storage"] = storage
        shop.publish("--force")
        (request,) = shop.aws.publications()
        assert "S3ObjectStorageMode" not in request.json["Content"]  # type: ignore[operator]
        assert not [
            each for each in shop.aws.requests if {"versioning", "lifecycle"} & {*each.query}
        ]


def test_a_change_of_it_alone_makes_no_version(shop: Shop) -> None:
    keep_versions(shop)
    shop.publish()
    for storage in ("reference", "copy"):
        shop.config["storage"] = storage
        for arguments in (["publish"], ["publish", "--build"]):
            with shop.aws.watch() as requests:
                assert shop.run(*arguments).stdout == f"{shop.arn(1)}\n"
            asked = {each.call for each in requests if each.service in ("s3", "lambda")}
            assert asked <= {"HEAD s3", "GET s3", "GET lambda"}
    shop.config["storage"] = "reference"
    assert shop.publish("--force").stdout == f"{shop.arn(2)}\n"
    (request,) = shop.aws.publications()
    # The object of the copy is the one that is referred to.
    assert request.json["Content"]["S3ObjectStorageMode"] == "REFERENCE"  # type: ignore[index]
    assert len(zip_keys(shop)) == 1


def test_retention_deletes_no_object(referring: Shop) -> None:
    for number in range(1, 4):
        referring.lock(ALPHA, WheelSpec(name="beta", version=f"{number}.0"))
        referring.publish()
    referring.config["retain"] = 1
    referring.publish()
    assert [each.call for each in referring.aws.requests if each.method == "DELETE"] == [
        "DELETE lambda",
        "DELETE lambda",
    ]
    assert len(zip_keys(referring)) == 3


@pytest.mark.fault(205)
@pytest.mark.parametrize("status", [None, "Suspended"])
def test_a_bucket_without_versions_is_refused_before_the_build(
    shop: Shop, status: str | None
) -> None:
    shop.config["storage"] = "reference"
    if status:
        keep_versions(shop)
        shop.s3().put_bucket_versioning(
            Bucket=shop.bucket(HOME),
            VersioningConfiguration={"Status": status},  # type: ignore[typeddict-item]
        )
    said = refused(shop)
    assert f"bucket `{shop.bucket(HOME)}`: it keeps no versions" in said
    assert not shop.zip.exists()


@pytest.mark.fault(205)
def test_an_object_that_is_older_than_the_versions_is_refused(shop: Shop) -> None:
    shop.publish()
    keep_versions(shop)
    shop.config["storage"] = "reference"
    said = shop.publish("--force", code=1).stderr
    (key,) = zip_keys(shop)
    assert f"s3://{shop.bucket(HOME)}/{key} has no version" in said
    shop.s3().delete_object(Bucket=shop.bucket(HOME), Key=key)
    assert shop.publish("--force").stdout == f"{shop.arn(2)}\n"


@pytest.mark.fault(205)
def test_what_lambda_may_not_read_is_said_with_the_policy_that_is_missing(referring: Shop) -> None:
    referring.aws.faults = [Injected(lambda each: each.publishes, DENIED)]
    said = referring.publish(code=1).stderr
    assert "Lambda itself has to read the object" in said
    assert (
        f"--bucket-policy` prints what the policy of the bucket `{referring.bucket(HOME)}`" in said
    )
    referring.config["storage"] = "copy"
    assert "--bucket-policy" not in referring.publish(code=1).stderr


@pytest.mark.fault(205)
@pytest.mark.parametrize(
    ("query", "action"),
    [("versioning", "s3:GetBucketVersioning"), ("lifecycle", "s3:GetLifecycleConfiguration")],
)
def test_a_setting_that_may_not_be_read_is_the_permission_that_is_named(
    referring: Shop, query: str, action: str
) -> None:
    denied = Answer.xml(403, "AccessDenied", "no")
    referring.aws.faults = [Injected(lambda each: query in each.query, denied)]
    assert f"`{action}` is missing" in refused(referring)


RULES: list[tuple[dict[str, Any], str | None]] = [
    ({"Expiration": {"Days": 30}}, "expires current versions"),
    ({"NoncurrentVersionExpiration": {"NoncurrentDays": 1}}, "expires noncurrent versions"),
    (
        {"Transitions": [{"Days": 1, "StorageClass": "GLACIER"}]},
        "moves current versions to GLACIER",
    ),
    (
        {"NoncurrentVersionTransitions": [{"NoncurrentDays": 1, "StorageClass": "DEEP_ARCHIVE"}]},
        "moves noncurrent versions to DEEP_ARCHIVE",
    ),
    ({"Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}]}, None),
    ({"Expiration": {"ExpiredObjectDeleteMarker": True}}, None),
    ({"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}}, None),
    ({"Expiration": {"Days": 30}, "Status": "Disabled"}, None),
    ({"Expiration": {"Days": 30}, "Filter": {"Prefix": "logs/"}}, None),
    ({"Expiration": {"Days": 30}, "Filter": {"Prefix": "layers/"}}, "expires current versions"),
    ({"Expiration": {"Days": 30}, "Filter": {"Tag": {"Key": "a", "Value": "b"}}}, None),
    (
        {"Expiration": {"Days": 30}, "Filter": {"Tag": {"Key": "team", "Value": "orders"}}},
        "expires current versions",
    ),
    (
        {
            "Expiration": {"Days": 30},
            "Filter": {
                "And": {
                    "Prefix": "layers/",
                    "Tags": [
                        {"Key": "team", "Value": "orders"},
                        {"Key": "team", "Value": "other"},
                    ],
                }
            },
        },
        None,
    ),
]


def put_rule(shop: Shop, rule: dict[str, Any]) -> None:
    whole = {"ID": "tidy-up", "Status": "Enabled", "Filter": {"Prefix": ""}, **rule}
    shop.s3().put_bucket_lifecycle_configuration(
        Bucket=shop.bucket(HOME),
        LifecycleConfiguration={"Rules": [whole]},  # type: ignore[list-item]
    )


@pytest.mark.fault(206)
def test_a_rule_is_told_by_what_it_does_to_the_objects(shop: Shop) -> None:
    place = (HOME, shop.bucket(HOME), ACCOUNT)
    tags = {"team": "orders"}
    session = AwsSession()
    assert removing_rules(session, *place, "layers/x/layer/layer-", tags) == []
    for rule, effect in RULES:
        put_rule(shop, rule)
        found = removing_rules(session, *place, "layers/x/layer/layer-", tags)
        assert found == ([("tidy-up", effect)] if effect else []), rule


@pytest.mark.fault(206)
def test_a_rule_that_would_take_the_object_away_is_a_warning_each_time(referring: Shop) -> None:
    put_rule(referring, RULES[1][0])
    for arguments in (["--build"], [], ["--dry-run"]):
        said = referring.run("publish", *arguments).stderr
        assert (
            f"warning: {HOME}: {referring.name}: the lifecycle rule `tidy-up` of the bucket "
            f"`{referring.bucket(HOME)}` expires noncurrent versions: a layer version whose zip is "
            "gone can't be attached any more; leave the objects that begin with "
            f"layers/{referring.name}/x86_64/layer/layer- out of it\n"
        ) in said
    referring.config["storage"] = "copy"
    assert "lifecycle" not in referring.run("publish").stderr


def test_the_bucket_may_be_in_another_region_than_the_layer(referring: Shop) -> None:
    referring.config["regions"] = [HOME, SECOND]
    result = referring.publish()
    assert set(result.stdout.split()) == {referring.arn(1), referring.arn(1, SECOND)}
    contents = [each.json["Content"] for each in referring.aws.publications()]
    assert contents[0] == contents[1]
    # The bucket is asked in its own Region.
    assert {each.region for each in referring.aws.puts()} == {HOME}
    # Manifests of another Region's versions would have the keys of those that are there.
    manifests = [each for each in referring.objects() if each.endswith("000001/layer.json")]
    assert len(manifests) == 1
    with referring.aws.watch() as requests:
        referring.run("publish")
    writes = [each for each in requests if each.method in ("PUT", "DELETE") or each.publishes]
    assert writes == []
    referring.config["storage"] = "copy"
    referring.lock(ALPHA, WheelSpec(name="beta", version="7.0"))
    referring.publish()
    through = {each.region: [*each.json["Content"]] for each in referring.aws.publications()}  # type: ignore[misc]
    assert through[SECOND] == ["ZipFile"]


def test_a_project_with_one_region_may_use_a_bucket_of_another(referring: Shop) -> None:
    referring.config["regions"] = [SECOND]
    assert referring.publish().stdout == f"{referring.arn(1, SECOND)}\n"
    assert referring.publish().stdout == f"{referring.arn(1, SECOND)}\n"


def test_growth_is_seen_where_the_bucket_of_another_region_has_no_manifest(
    referring: Shop,
) -> None:
    # The manifest there is that of the version with this number in the other Region.
    referring.config |= {"regions": [HOME, SECOND], "max-growth": "1 KiB"}
    referring.publish()
    (key,) = zip_keys(referring)
    data = referring.zip.read_bytes()
    head = referring.s3().head_object(Bucket=referring.bucket(HOME), Key=key)
    place = {
        "S3Bucket": referring.bucket(HOME),
        "S3Key": key,
        "S3ObjectVersion": head["VersionId"],
    }
    arn = referring.arn(1, SECOND)
    LayerArchives(referring.aws, {arn: data}, referenced={arn: place})
    files = {"beta/data.bin": bytes(20_000)}
    referring.lock(ALPHA, WheelSpec(name="beta", version="2.2", files=files))
    said = referring.publish(code=1).stderr
    assert f"{HOME}: {referring.name}: layer.zip unpacks to" in said
    assert f"{SECOND}: {referring.name}: layer.zip unpacks to" in said
    assert "python/beta" in said


def test_the_policy_of_whoever_publishes_is_exact(referring: Shop) -> None:
    result = referring.run("publish", "--policy")
    assert "--bucket-policy prints it" in result.stderr
    referring.publish()
    requests = referring.aws.requests
    referring.publish()
    requests += referring.aws.requests
    left = unused(result.stdout, requests, ACCOUNT)
    # Only large zips go in parts, and it is Lambda that reads the version of the object.
    assert {action for action, _ in left} == {"s3:AbortMultipartUpload", "s3:GetObjectVersion"}


def test_the_key_of_a_bucket_in_any_region_is_allowed() -> None:
    grant = replace(S3, kms="alias/layers", refer=True)
    assert allowed(grant)["kms:Decrypt"] == [f"arn:aws:kms:*:{ACCOUNT}:key/*"]
    assert "s3:GetBucketVersioning" in allowed(ALL)
    assert "s3:GetBucketVersioning" not in allowed(S3)


@pytest.mark.parametrize(
    ("permissions", "conditions"),
    [
        ({}, [{"ArnLike": {"aws:SourceArn": [f"arn:aws:lambda:{HOME}:{ACCOUNT}:*"]}}]),
        (
            {"accounts": ["111122223333"], "organization": "o-a1b2c3d4e5"},
            [
                {
                    "ArnLike": {
                        "aws:SourceArn": [
                            f"arn:aws:lambda:{HOME}:{ACCOUNT}:*",
                            f"arn:aws:lambda:{HOME}:111122223333:*",
                        ]
                    }
                },
                {"StringEquals": {"aws:SourceOrgID": ["o-a1b2c3d4e5"]}},
            ],
        ),
        (
            {"public": True, "organization": "o-a1b2c3d4e5"},
            [{"ArnLike": {"aws:SourceArn": [f"arn:aws:lambda:{HOME}:*:*"]}}],
        ),
    ],
    ids=["own", "shared", "public"],
)
def test_the_policy_of_the_bucket_lets_lambda_read_the_zips_and_nothing_else(
    referring: Shop, permissions: dict[str, object], conditions: list[object]
) -> None:
    referring.config["permissions"] = permissions
    result = referring.run("publish", "--bucket-policy")
    assert result.stderr == f"The bucket `{referring.bucket(HOME)}` needs in its policy:\n"
    resource = f"arn:aws:s3:::{referring.bucket(HOME)}/layers/{referring.name}/x86_64/layer/layer-*"
    assert json.loads(result.stdout) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": ["s3:GetObject", "s3:GetObjectVersion"],
                "Resource": resource,
                "Condition": condition,
            }
            for condition in conditions
        ],
    }
    # S3 takes it, and the zip is what it is about.
    referring.s3().put_bucket_policy(Bucket=referring.bucket(HOME), Policy=result.stdout)
    referring.publish()
    (key,) = zip_keys(referring)
    pattern = re.escape(resource).replace(r"\*", ".*")
    assert re.fullmatch(pattern, f"arn:aws:s3:::{referring.bucket(HOME)}/{key}")


def test_each_bucket_has_a_policy_of_its_own_and_a_copy_needs_none(referring: Shop) -> None:
    referring.config |= {
        "regions": [HOME, SECOND],
        "s3-dir": f"s3://{referring.name}-{{region}}/layers",
    }
    result = referring.run("publish", "--bucket-policy")
    assert [line.split("`")[1] for line in result.stderr.splitlines()] == [
        referring.bucket(HOME),
        referring.bucket(SECOND),
    ]
    referring.config["storage"] = "copy"
    result = referring.run("publish", "--bucket-policy")
    assert result.stdout == ""
    assert "No bucket needs a policy for Lambda" in result.stderr


@pytest.mark.fault(205)
def test_without_a_bucket_in_every_region_it_is_wrong() -> None:
    assert read("s3-dir = 's3://bucket'\nstorage = 'reference'").storage == "reference"
    assert read("").storage == "copy"
    needs = "storage` is 'reference', which needs an `s3-dir` for every Region"
    assert problems("storage = 'reference'") == [needs]
    one = "regions = ['eu-west-1', 'us-east-2']\ns3-dir = { eu-west-1 = 's3://bucket' }"
    assert problems(f"{one}\nstorage = 'reference'") == [needs]
    assert problems("storage = 'link'") == [
        "storage` must be one of `copy`, `reference`, not 'link'"
    ]


@pytest.mark.moments
@pytest.mark.fault(53, 54, 202, 205)
def test_after_faults_at_any_calls_the_next_run_completes_it(
    referring: Shop, monkeypatch: pytest.MonkeyPatch, *, all_moments: bool
) -> None:
    monkeypatch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=lambda _seconds: None))
    monkeypatch.setattr("hatch_lambda_layer.aws.layers.random.uniform", lambda *_: 0)
    monkeypatch.setattr("hatch_lambda_layer.index.http.BACKOFF_SECONDS", 0)
    other = f"arn:aws:lambda:{HOME}:999999999999:layer:tracing:18"
    LayerArchives(referring.aws, {other: zipped({"python/x/a.py": b""})})
    referring.config |= {"alongside": [other], "max-growth": "100 KiB"}
    referring.publish()
    calls = len(referring.aws.requests)
    kinds = [each for each in FAULTS if not each.startswith("timeout")]
    for seed in range(40 if all_moments else 4):
        dice = random.Random(seed)  # noqa: S311
        referring.lock(ALPHA, WheelSpec(name="beta", version=f"{seed + 3}.0"))
        numbers = dice.sample(range(calls + 4), 2)
        referring.aws.faults = [Injected(number, dice.choice(kinds)) for number in numbers]
        with referring.aws.watch():
            referring.run_any("publish", "--build")
        referring.aws.faults = []
        assert referring.publish().stdout == f"{referring.arn(seed + 2)}\n", seed
        assert len(set(referring.digests())) == seed + 2
        with referring.aws.watch() as requests:
            referring.run("publish")
        assert {each.method for each in requests if each.service in ("s3", "lambda")} <= {
            "GET",
            "HEAD",
        }
