"""What can't be published is said before it costs anything, and nothing remote is touched."""

from __future__ import annotations

import hashlib
import json
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer.aws.session import AwsSession
from tests.publishing.runs import Run
from tests.publishing.shop import ACCOUNT, ALPHA, HOME, Shop
from tests.support.aws_server import Answer, Injected, Request
from tests.support.wheel_factory import STORED, Member, WheelSpec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LIMIT = 52_428_800


def incompressible(size: int) -> WheelSpec:
    data = hashlib.shake_128(b"data").digest(size)
    return WheelSpec(name="big").with_files(Member("big/data.bin", data, method=STORED))


def call(service: str, method: str, path: str = "") -> Callable[[Request], bool]:
    return lambda each: (each.service, each.method) == (service, method) and path in each.path


def refusal(shop: Shop, *words: str, arguments: tuple[str, ...] = (), built: bool = False) -> str:
    """Give what is said when nothing is published, and prove that nothing was written."""
    said = shop.publish(*arguments, code=1).stderr
    assert [word for word in words if word not in said] == []
    assert "hint: " in said
    assert shop.aws.puts() == []
    assert shop.aws.publications() == []
    assert shop.zip.exists() is built
    return said


@pytest.mark.fault(4)
def test_everything_that_lambda_would_refuse_is_said_at_once_and_offline(shop: Shop) -> None:
    shop.config |= {"layer-name": "n" * 141, "description": "d" * 200, "license": "l" * 513}
    shop.write()
    said = shop.publish(code=1).stderr
    for key in ("layer-name", "description", "license"):
        assert f"Field `tool.lambda-layer.publish.{key}` " in said
    assert shop.aws.requests == []
    assert not shop.zip.exists()


@pytest.mark.fault(37)
def test_a_zip_that_is_too_large_for_lambda_needs_a_bucket(empty_shop: Shop) -> None:
    del empty_shop.config["s3-dir"]
    empty_shop.lock(ALPHA, incompressible(LIMIT))
    empty_shop.run("build")
    with empty_shop.aws.watch() as requests:
        said = empty_shop.run("publish", code=1).stderr
    assert "`tool.lambda-layer.publish.s3-dir` must name a bucket" in said
    assert requests == []


@pytest.mark.fault(37)
def test_a_zip_that_is_too_large_for_one_region_goes_nowhere(shop: Shop) -> None:
    shop.config["regions"] = [HOME, "us-east-2"]
    shop.lock(ALPHA, incompressible(LIMIT))
    said = refusal(shop, f"Lambda takes at most {LIMIT:,} directly", built=True)
    assert "there is no bucket in us-east-2" in said


@pytest.mark.fault(52)
def test_a_large_zip_goes_in_parts_each_with_its_checksum(shop: Shop) -> None:
    shop.lock(ALPHA, incompressible(17 * 1024 * 1024))
    shop.publish()
    parts = [each for each in shop.aws.puts() if "partNumber" in each.query]
    assert sorted(each.query["partNumber"] for each in parts) == [["1"], ["2"]]
    assert all("x-amz-checksum-sha256" in each.headers for each in parts)
    begin, end = (each for each in shop.aws.requests if each.call == "POST s3")
    assert begin.headers["x-amz-checksum-algorithm"] == "SHA256"
    assert end.headers["if-none-match"] == "*"
    assert end.body.count(b"<ChecksumSHA256>") == 2
    assert b"".join(
        each.body for each in sorted(parts, key=lambda each: each.query["partNumber"])
    ) == (shop.zip.read_bytes())
    code = shop.functions().get_layer_version(LayerName=shop.name, VersionNumber=1)["Content"]
    assert code["CodeSha256"] == shop.manifest()["code_sha256"]
    # Put once more, it is found by the checksum of its parts' checksums.
    assert shop.publish("--force").stdout == f"{shop.arn(2)}\n"
    assert not [each for each in shop.aws.puts() if each.path.endswith(".zip")]


@pytest.mark.fault(52)
def test_parts_are_taken_back_when_one_of_them_fails(shop: Shop) -> None:
    shop.lock(ALPHA, incompressible(17 * 1024 * 1024))
    second = call("s3", "PUT", ".zip")
    denied = Answer.xml(403, "AccessDenied", "no")
    shop.aws.faults = [
        Injected(lambda each: second(each) and each.query.get("partNumber") == ["2"], denied)
    ]
    said = shop.publish(code=1).stderr
    assert "the IAM permission `s3:PutObject` is missing" in said
    assert [each.call for each in shop.aws.requests if each.method == "DELETE"] == ["DELETE s3"]
    uploads = shop.s3().list_multipart_uploads(Bucket=shop.bucket(HOME))
    assert uploads.get("Uploads", []) == []
    assert shop.aws.publications() == []


def start_publishing(shop: Shop) -> subprocess.Popen[str]:
    shop.write()
    return subprocess.Popen(
        [sys.executable, "-m", "hatch_lambda_layer", "publish", "--project", str(shop.root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.fault(78)
def test_an_interruption_before_anything_is_published_says_so(shop: Shop) -> None:
    shop.run("build")
    process = start_publishing(shop)
    sent: list[int] = []

    def terminate() -> None:
        # Once: a slow end may still ask again.
        if not sent:
            sent.append(signal.SIGTERM)
            process.send_signal(signal.SIGTERM)

    shop.aws.faults = [Injected(lambda each: each.service == "sts", terminate)]
    _, said = process.communicate(timeout=60)
    assert process.returncode == 143
    assert said.endswith("error: Interrupted: nothing was published\n")
    assert shop.aws.publications() == []


@pytest.mark.fault(78)
def test_an_interruption_says_what_is_published_and_what_may_be(shop: Shop) -> None:
    shop.config |= {"regions": [HOME, "us-east-2"], "s3-dir": {HOME: shop.config["s3-dir"]}}
    shop.run("build")
    process = start_publishing(shop)
    assert process.stdout is not None
    arns = []

    def interrupt() -> None:
        assert process.stdout is not None
        arns.append(process.stdout.readline().strip())
        process.send_signal(signal.SIGINT)

    there = "us-east-2"
    shop.aws.faults = [Injected(lambda each: each.publishes and each.region == there, interrupt)]
    assert process.wait(60) == 130
    assert process.stderr is not None
    said = process.stderr.read()
    for pipe in (process.stdout, process.stderr):
        pipe.close()
    assert arns == [shop.arn(1)]
    assert f"Interrupted: published: {shop.arn(1)}; what was being published may be live" in said
    assert "publishes nothing twice" in said
    assert "untouched" not in said
    shop.aws.faults = []
    assert set(shop.run("publish").stdout.split()) == {shop.arn(1), shop.arn(1, there)}


@pytest.mark.fault(42, 52)
def test_parts_are_taken_back_when_the_publication_is_interrupted(shop: Shop) -> None:
    shop.lock(ALPHA, incompressible(17 * 1024 * 1024))
    shop.run("build")
    process = start_publishing(shop)

    def interrupt() -> None:
        process.send_signal(signal.SIGINT)
        process.wait(30)

    shop.aws.faults = [Injected(lambda each: each.query.get("partNumber") == ["2"], interrupt)]
    process.communicate()
    assert process.returncode == 130
    uploads = shop.s3().list_multipart_uploads(Bucket=shop.bucket(HOME))
    assert uploads.get("Uploads", []) == []
    assert shop.aws.publications() == []


@pytest.mark.fault(51)
def test_without_credentials_it_says_how_to_give_them(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    refusal(shop, "Unable to locate credentials", "AWS_PROFILE", "AWS_ACCESS_KEY_ID")


@pytest.mark.fault(51)
def test_a_profile_that_is_not_there_is_named(shop: Shop) -> None:
    said = refusal(shop, "nobody", arguments=("--profile", "nobody"))
    assert "could not be found" in said


@pytest.mark.fault(51)
def test_without_a_region_it_says_how_to_name_it(shop: Shop) -> None:
    shop.config["regions"] = []
    refusal(shop, "No Region to publish to", "--region", "AWS_REGION")


@pytest.mark.fault(51)
@pytest.mark.parametrize(
    ("where", "answer", "words"),
    [
        (
            call("sts", "POST"),
            Answer.xml(403, "ExpiredToken", "The token has expired", "sts"),
            ["the credentials have expired", "aws sso login"],
        ),
        (
            call("sts", "POST"),
            Answer.xml(403, "InvalidClientTokenId", "The token is invalid", "sts"),
            ["AWS does not know the credentials", "AWS_PROFILE"],
        ),
        (
            call("sts", "POST"),
            Answer.xml(403, "SignatureDoesNotMatch", "Signature expired: 1 is now earlier", "sts"),
            ["the clock of this machine is not that of AWS", "set the clock"],
        ),
        (
            call("lambda", "GET"),
            Answer.json(403, "InvalidSignatureException", "Signature not yet current: 2 is later"),
            ["the clock of this machine is not that of AWS", "set the clock"],
        ),
        (
            call("sts", "POST"),
            Answer.xml(403, "SignatureDoesNotMatch", "The signature does not match", "sts"),
            ["AWS does not know the credentials", "AWS_PROFILE"],
        ),
        (
            call("lambda", "GET"),
            Answer.json(403, "AccessDeniedException", "User: x is not authorized"),
            [f"{HOME}, layer `", "`lambda:ListLayerVersions` is missing", "--policy"],
        ),
        (
            call("s3", "HEAD"),
            Answer(403),
            [f"{HOME}, bucket `", "(of account 123456789012)", "`s3:ListBucket` is missing"],
        ),
    ],
    ids=[
        "expired",
        "invalid",
        "clock behind",
        "clock ahead",
        "signature",
        "layer denied",
        "bucket denied",
    ],
)
def test_what_aws_refuses_is_said_before_the_build(
    shop: Shop, where: Callable[[Request], bool], answer: Answer, words: list[str]
) -> None:
    shop.aws.faults = [Injected(where, answer)]
    refusal(shop, *words)


@pytest.mark.fault(51)
def test_a_bucket_that_is_not_there_is_named_before_the_build(empty_shop: Shop) -> None:
    refusal(empty_shop, f"bucket `{empty_shop.bucket(HOME)}`", "no such bucket", "`s3-dir`")


@pytest.mark.fault(51)
def test_a_bucket_in_another_region_is_said_before_the_build(shop: Shop) -> None:
    shop.config["regions"] = ["us-east-2"]
    refusal(shop, f"is in {HOME}", "`{region}`")


def test_a_bucket_of_another_account_is_used_only_when_it_is_named(shop: Shop) -> None:
    shop.config["bucket-owner"] = "210987654321"
    shop.publish()
    owners = {
        each.headers["x-amz-expected-bucket-owner"]
        for each in shop.aws.requests
        if each.service == "s3"
    }
    assert owners == {"210987654321"}


@pytest.mark.fault(51)
def test_a_key_that_may_not_be_used_is_the_permission_that_is_named(shop: Shop) -> None:
    shop.config["kms"] = "alias/layers"
    message = "User: x is not authorized to perform: kms:GenerateDataKey on resource: y"
    shop.aws.faults = [
        Injected(call("s3", "PUT"), Answer.xml(403, "AccessDenied", message)),
    ]
    said = shop.publish(code=1).stderr
    assert "the IAM permission `kms:GenerateDataKey` is missing" in said
    assert shop.aws.publications() == []


def test_a_zip_that_was_changed_after_its_manifest_is_refused(shop: Shop) -> None:
    shop.run("build")
    shop.zip.write_bytes(shop.zip.read_bytes() + b"\0")
    with shop.aws.watch() as requests:
        said = shop.run("publish", code=1).stderr
    assert f"{shop.zip} is not the zip that layer.json was written for" in said
    assert requests == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda path: path.write_text(path.read_text().replace('"schema": 2', '"schema": 7')),
            "has schema 7",
        ),
        (lambda path: path.write_text("{}"), "is not a valid `layer.json`"),
        (lambda path: path.write_bytes(b"\xff"), "layer.json: "),
        (lambda path: path.unlink(), "can't be read"),
    ],
    ids=["schema", "other", "binary", "missing"],
)
def test_a_manifest_that_is_none_is_refused(
    shop: Shop, change: Callable[[Path], object], words: str
) -> None:
    shop.run("build")
    change(shop.zip.with_suffix(".json"))
    with shop.aws.watch() as requests:
        said = shop.run("publish", code=1).stderr
    assert words in said
    assert "hint: " in said
    assert requests == []


def test_a_layer_of_somebody_else_is_taken_over_only_when_asked(shop: Shop) -> None:
    shop.functions().publish_layer_version(
        LayerName=shop.name, Description="by hand", Content={"ZipFile": b"x"}
    )
    refusal(shop, "published by something other than this tool", "'by hand'", "--take-over")
    assert shop.publish("--take-over").stdout == f"{shop.arn(2)}\n"
    assert shop.publish().stdout == f"{shop.arn(2)}\n"


def test_a_layer_of_another_project_is_refused(shop: Shop) -> None:
    shop.publish()
    description = shop.live()[0]["Description"]
    other = re.sub(r"\.[0-9a-f]{8}\]$", ".00000000]", description)
    shop.functions().publish_layer_version(
        LayerName=shop.name, Description=other, Content={"ZipFile": b"x"}
    )
    refusal(shop, "version 2 was published by another project", built=True)


def test_a_description_that_was_copied_to_other_bytes_is_not_believed(shop: Shop) -> None:
    shop.publish()
    shop.functions().publish_layer_version(
        LayerName=shop.name,
        Description=shop.live()[0]["Description"],
        Content={"ZipFile": b"other"},
        CompatibleRuntimes=["python3.13"],
        CompatibleArchitectures=["x86_64"],
    )
    # The row of versions with this content begins at the one that has its bytes.
    assert shop.publish().stdout == f"{shop.arn(1)}\n"
    shop.functions().delete_layer_version(LayerName=shop.name, VersionNumber=1)
    assert shop.publish().stdout == f"{shop.arn(3)}\n"


@pytest.mark.fault(52)
def test_an_object_that_is_not_the_zip_is_neither_used_nor_overwritten(shop: Shop) -> None:
    shop.publish()
    (key,) = [each for each in shop.objects() if each.endswith(".zip")]
    shop.s3().put_object(Bucket=shop.bucket(HOME), Key=f"layers/{key}", Body=b"other")
    said = shop.publish("--force", code=1).stderr
    assert f"the object `layers/{key}` is not the zip layer.zip" in said
    assert shop.stored(key) == b"other"
    assert len(shop.live()) == 1


@pytest.mark.fault(52)
def test_other_bytes_at_lambda_than_in_the_zip_are_an_error(shop: Shop) -> None:
    def tamper() -> None:
        (key,) = [each for each in shop.objects() if each.endswith(".zip")]
        shop.s3().put_object(Bucket=shop.bucket(HOME), Key=f"layers/{key}", Body=b"other")

    publishes = Injected(lambda each: each.publishes, tamper, goes_on=True)
    shop.aws.faults = [publishes]
    said = shop.publish(code=1).stderr
    assert "version 1 has other bytes than the zip" in said
    assert shop.manifest()["code_sha256"] in said
    shop.aws.faults = []
    shop.s3().delete_object(
        Bucket=shop.bucket(HOME),
        Key=f"layers/{next(each for each in shop.objects() if each.endswith('.zip'))}",
    )
    assert shop.publish().stdout == f"{shop.arn(2)}\n"


def test_a_region_that_fails_leaves_the_others_done(shop: Shop) -> None:
    regions = [HOME, "us-east-2", "ap-southeast-2"]
    shop.config |= {"regions": regions, "s3-dir": {HOME: f"s3://{shop.bucket(HOME)}/layers"}}
    denied = Answer.json(403, "AccessDeniedException", "no")
    shop.aws.faults = [Injected(lambda each: each.publishes and each.region == "us-east-2", denied)]
    result = shop.publish(code=1)
    done = {shop.arn(1, HOME), shop.arn(1, "ap-southeast-2")}
    assert set(result.stdout.split()) == done
    assert f"error: us-east-2: {shop.name}: us-east-2, layer `{shop.name}`: " in result.stderr
    assert "1 of 3 destinations failed" in result.stderr
    kept = json.loads((shop.root / "dist" / "layer-versions.json").read_text())["versions"]
    assert {each["arn"] for each in kept} == done
    shop.aws.faults = []
    again = shop.publish()
    assert set(again.stdout.split()) == {shop.arn(1, region) for region in regions}
    assert [each.region for each in shop.aws.publications()] == ["us-east-2"]


def test_each_account_is_published_to_with_its_role(shop: Shop) -> None:
    role = "arn:aws:iam::{}:role/publish"
    del shop.config["s3-dir"]
    shop.config["accounts"] = {
        "stage": {"role-arn": role.format("111111111111")},
        "production": {"role-arn": role.format("222222222222"), "regions": ["us-east-2"]},
    }
    result = shop.publish()
    assert set(result.stdout.split()) == {
        shop.arn(1).replace(ACCOUNT, "111111111111"),
        shop.arn(1, "us-east-2").replace(ACCOUNT, "222222222222"),
    }
    assert f"stage, {HOME}: {shop.name} version 1 published" in result.stderr
    assert f"production, us-east-2: {shop.name} version 1 published" in result.stderr


def test_one_place_is_not_published_to_twice(shop: Shop) -> None:
    shop.config["accounts"] = {"one": {"regions": [HOME]}, "two": {"regions": [HOME]}}
    refusal(shop, f"would be published twice in {HOME} of the account {ACCOUNT}")


@pytest.mark.fault(53)
@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [("7", 7, 7), ("9" * 5000, 20, 20), ("\N{SUPERSCRIPT TWO}", 0.5, 2), ("-7", 0.5, 2)],
    ids=["seconds", "for-ever", "no-number", "negative"],
)
def test_a_throttled_publication_waits_as_long_as_aws_asks(
    asked: str, least: float, most: float, shop: Shop
) -> None:
    shop.run("build")
    pauses: list[float] = []
    throttled = Answer.json(429, "TooManyRequestsException", "slow", **{"Retry-After": asked})
    shop.aws.faults = [Injected(lambda each: each.publishes and len(pauses) < 2, throttled)]
    run = Run(shop.root, shop.name, pause=pauses.append)
    with shop.aws.watch():
        (version,) = run.publish(AwsSession())
    assert len(pauses) == 2
    assert all(least <= pause <= most for pause in pauses)
    assert version.arn == shop.arn(1)
    assert len(shop.aws.publications()) == 3


@pytest.mark.fault(53)
def test_throttled_for_ever_it_gives_up(shop: Shop) -> None:
    shop.run("build")
    shop.aws.faults = [Injected(lambda each: each.publishes, "throttle")]
    run = Run(shop.root, shop.name)
    with shop.aws.watch():
        assert run.publish(AwsSession()) == []
    assert "AWS is still refusing `lambda:PublishLayerVersion`" in run.errors[0]
    assert len(shop.aws.publications()) == 8


@pytest.mark.fault(54)
def test_an_answer_that_is_lost_is_looked_up_and_never_asked_for_twice(shop: Shop) -> None:
    shop.run("build")
    shop.aws.faults = [Injected(lambda each: each.publishes, "reset after")]
    with shop.aws.watch():
        (version,) = Run(shop.root, shop.name).publish(AwsSession())
    assert (version.arn, version.status) == (shop.arn(1), "adopted")
    assert len(shop.aws.publications()) == 1
    assert len(shop.live()) == 1


@pytest.mark.fault(57)
def test_credentials_are_in_nothing_that_is_said_sent_or_written(shop: Shop) -> None:
    shop.config["s3-dir"] = f"s3://{shop.bucket(HOME)}/layers"
    said = shop.publish("-v").output + shop.run("publish", "-v").output
    shop.aws.faults = [Injected(call("lambda", "GET"), Answer.json(403, "AccessDeniedException"))]
    failed = shop.run("publish", "-vv", code=1, details=True).output
    assert "Traceback" in failed
    said += failed
    written = b"".join(path.read_bytes() for path in shop.root.parent.rglob("*") if path.is_file())
    sent = b"".join(each.body for each in shop.aws.requests)
    for secret in (b"secret-canary", b"AKIACANARY"):
        assert secret not in said.encode()
        assert secret not in written
        assert secret not in sent


def test_the_extra_is_named_where_it_is_missing(shop: Shop) -> None:
    shop.write()
    code = (
        "import sys; sys.modules['botocore'] = sys.modules['boto3'] = None\n"
        "from hatch_lambda_layer.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "publish", "--build", "--project", str(shop.root)],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 1
    assert "publishing needs the extra `aws`" in done.stderr
    assert "hatch-lambda-layer[aws]" in done.stderr


def test_the_policy_names_what_the_configuration_needs(shop: Shop) -> None:
    shop.config |= {"retain": 3, "ssm-parameter": "/l/{layer-name}", "tags": {"a": "b"}}
    policy = json.loads(shop.run("publish", "--policy").stdout)
    actions = {action for each in policy["Statement"] for action in each["Action"]}
    assert {"lambda:DeleteLayerVersion", "ssm:PutParameter", "s3:PutObjectTagging"} <= actions
    resources = {each for statement in policy["Statement"] for each in statement["Resource"]}
    assert f"arn:aws:lambda:{HOME}:{ACCOUNT}:layer:{shop.name}" in resources
    assert f"arn:aws:s3:::{shop.bucket(HOME)}/layers/{shop.name}/x86_64/*" in resources
    # The account stands in the role; who asks need not be allowed to take it on.
    shop.config["role-arn"] = "arn:aws:iam::333333333333:role/publish"
    with shop.aws.watch() as requests:
        assert ":333333333333:layer:" in shop.run("publish", "--policy").stdout
    assert requests == []


def test_a_published_version_is_compared_by_its_manifest(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.publish()
    shop.lock(ALPHA, WheelSpec(name="beta", version="2.2"))
    shop.publish()
    monkeypatch.chdir(shop.root)
    from click.testing import CliRunner

    from hatch_lambda_layer.cli.main import main

    result = CliRunner().invoke(main, ["diff", f"{shop.name}:1", shop.arn(2)])
    assert result.exit_code == 0, result.output
    assert re.search(r"beta +2\.1 +2\.2", result.stdout)
    missing = CliRunner().invoke(main, ["diff", f"{shop.name}:9", shop.arn(2)])
    assert missing.exit_code == 1
    assert f"There is no manifest of {shop.name}:9" in missing.stderr
