"""AWS answers with the status of success, and with a body that is cut or is something else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer.aws.session import AwsSession
from tests.publishing.runs import Run
from tests.publishing.shop import ACCOUNT, ALPHA, HOME
from tests.support.aws_server import Answer, Fault, Injected
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from tests.publishing.shop import Shop

DEEP = b'{"a":' * 100_000
# The beginning of what STS answers to AssumeRole.
CUT_ROLE = (
    b"<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIACANARY</AccessKeyId>"
    b"<SecretAccessKey>canary-of-the-role</SecretAccessKey><Sess"
)


@pytest.mark.fault(64)
@pytest.mark.parametrize(
    "body",
    [
        None,
        b"",
        b"null",
        b"[]",
        b"\xff",
        b'{"Version": 1}',
        b'{"Version": "x", "LayerVersionArn": "y", "Content": {}}',
        b'{"Version": 1, "LayerVersionArn": "y", "Content": 5}',
        DEEP,
    ],
    ids=["cut", "empty", "null", "list", "binary", "keys", "text", "number", "deep"],
)
def test_a_version_whose_response_can_not_be_read_is_adopted(
    body: bytes | None, shop: Shop
) -> None:
    shop.run("build")
    kind = (("Content-Type", "application/json"),)
    fault: Fault | Answer = "cut after" if body is None else Answer(201, body, kind)
    shop.aws.faults = [Injected(lambda each: each.publishes, fault, before=False)]
    run = Run(shop.root, shop.name)
    with shop.aws.watch():
        (version,) = run.publish(AwsSession())
    assert run.errors == []
    assert (version.arn, version.status) == (shop.arn(1), "adopted")
    assert version.code_sha256 == shop.manifest()["code_sha256"]
    assert len(shop.aws.publications()) == 1
    assert len(shop.live()) == 1


@pytest.mark.fault(64)
@pytest.mark.parametrize(
    ("call", "path", "body", "action"),
    [
        ("POST sts", "", b"<GetCallerIdentityRes", "sts:GetCallerIdentity"),
        ("POST sts", "", b"<GetCallerIdentityResponse/>", "sts:GetCallerIdentity"),
        ("GET lambda", "/versions", b'{"LayerVersions": [{"Ver', "lambda:ListLayerVersions"),
        ("GET lambda", "/versions", b'{"LayerVersions": [5]}', "lambda:ListLayerVersions"),
        ("GET lambda", "/versions", DEEP, "lambda:ListLayerVersions"),
        ("GET lambda", "/versions/1", b'{"Content": {"CodeSha256"', "lambda:GetLayerVersion"),
        ("GET lambda", "/policy", b'{"Policy": "{\\"Statement', "lambda:GetLayerVersionPolicy"),
        ("GET lambda", "/policy", b'{"Policy": "[]"}', "lambda:GetLayerVersionPolicy"),
        ("POST ssm", "", b'{"Parameter": {"Na', "ssm:GetParameter"),
    ],
    ids=[
        "account-cut",
        "account-missing",
        "versions-cut",
        "versions-other",
        "versions-deep",
        "code-cut",
        "policy-cut",
        "policy-other",
        "parameter-cut",
    ],
)
def test_a_response_that_can_not_be_read_is_an_error_that_names_the_call(
    call: str, path: str, body: bytes, action: str, shop: Shop
) -> None:
    shop.config |= {
        "permissions": {"accounts": ["111122223333"]},
        "ssm-parameter": "/l/{layer-name}",
    }
    shop.publish()
    shop.aws.faults = [
        Injected(lambda each: each.call == call and each.path.endswith(path), Answer(200, body))
    ]
    said = shop.run("publish", code=1).stderr
    assert f"AWS's response to `{action}` can't be read" in said
    assert HOME in said
    assert "hint: " in said
    shop.aws.faults = []
    assert shop.publish().stdout == f"{shop.arn(1)}\n"


@pytest.mark.fault(57, 64)
def test_the_credentials_in_a_response_that_is_cut_are_never_shown(shop: Shop) -> None:
    shop.config["role-arn"] = f"arn:aws:iam::{ACCOUNT}:role/publish"
    shop.run("build")
    shop.aws.faults = [Injected(lambda each: each.service == "sts", Answer(200, CUT_ROLE))]
    said = shop.run("publish", "-vv", code=1, details=True).output
    assert "AWS's response to `sts:AssumeRole` can't be read (ResponseParserError)" in said
    assert "canary-of-the-role" not in said


@pytest.mark.fault(65)
@pytest.mark.parametrize("number", ["abc", "", "-1", "1.5", "9" * 30, "0x7"])
def test_a_newest_manifest_without_a_valid_version_is_replaced(number: str, shop: Shop) -> None:
    shop.publish()
    key = f"{shop.name}/x86_64/layer/last-layer.json"
    shop.s3().put_object(
        Bucket=shop.bucket(HOME),
        Key=f"layers/{key}",
        Body=b"other",
        Metadata={"layer-version": number},
    )
    shop.lock(ALPHA, WheelSpec(name="beta", version="2.2"))
    assert shop.publish().stdout == f"{shop.arn(2)}\n"
    assert json.loads(shop.stored(key)) == shop.manifest()
    head = shop.s3().head_object(Bucket=shop.bucket(HOME), Key=f"layers/{key}")
    assert head["Metadata"] == {"layer-version": "2"}
