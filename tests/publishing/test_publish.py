"""A layer version is published when something has changed, and only then."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer.aws.session import AwsSession
from hatch_lambda_layer.build.lock_selection import Resolver
from hatch_lambda_layer.exceptions import ToolError
from hatch_lambda_layer.publishing.descriptions import VersionTag
from hatch_lambda_layer.wheels.cache import WheelCache
from tests.publishing.runs import Run
from tests.publishing.shop import ACCOUNT, ALPHA, ARM, BETA, HOME, X86
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from pathlib import Path

    from hatch_lambda_layer.wheels.selection import LockedWheel
    from hatch_lambda_layer.wheels.wheel import Wheel
    from tests.publishing.shop import Shop

NEW_BETA = WheelSpec(name="beta", version="2.2")
PERMITTED = {"accounts": ["111122223333"], "organization": "o-a1b2c3d4e5", "public": True}


def zip_key(shop: Shop, architecture: str = "x86_64", name: str = "layer.json") -> str:
    manifest = shop.manifest(name)
    digest = manifest["content_digest"].removeprefix("sha256:")
    code = base64.b64decode(manifest["code_sha256"]).hex()[:12]
    return f"{shop.name}/{architecture}/layer/layer-{digest}-{code}.zip"


def test_the_first_publication_takes_every_step_once_and_in_order(shop: Shop) -> None:
    shop.config["permissions"] = {"accounts": ["111122223333"]}
    shop.config["ssm-parameter"] = "/l/{layer-name}"
    result = shop.publish()
    assert result.stdout == f"{shop.arn(1)}\n"
    folder = f"{shop.name}/x86_64/layer"
    assert shop.objects() == sorted(
        [f"{folder}/000001/layer.json", f"{folder}/last-layer.json", zip_key(shop)]
    )
    writes = [each for each in shop.aws.requests if each.method in ("PUT", "POST")]
    assert [(each.service, each.path.rpartition("/")[2]) for each in writes] == [
        ("sts", ""),
        ("s3", zip_key(shop).rpartition("/")[2]),
        ("lambda", "versions"),
        ("lambda", "policy"),
        ("s3", "layer.json"),
        ("s3", "last-layer.json"),
        ("ssm", ""),
        ("ssm", ""),
    ]


def test_the_zip_is_put_with_its_checksum_and_only_where_nothing_is(shop: Shop) -> None:
    shop.config |= {"kms": "alias/layers", "tags": {"team": "a=b c"}}
    shop.publish()
    put = shop.aws.puts()[0]
    assert put.path == f"/{shop.bucket(HOME)}/layers/{zip_key(shop)}"
    assert put.headers["x-amz-checksum-sha256"] == shop.manifest()["code_sha256"]
    assert put.headers["if-none-match"] == "*"
    assert put.headers["x-amz-expected-bucket-owner"] == ACCOUNT
    assert put.headers["x-amz-server-side-encryption"] == "aws:kms"
    assert put.headers["x-amz-server-side-encryption-aws-kms-key-id"] == "alias/layers"
    assert put.headers["x-amz-tagging"] == "team=a%3Db%20c"
    assert put.headers["content-type"] == "application/zip"
    assert put.body == shop.zip.read_bytes()
    for other in shop.aws.puts()[1:]:
        digest = base64.b64encode(hashlib.sha256(other.body).digest()).decode()
        assert other.headers["x-amz-checksum-sha256"] == digest
        assert other.headers["if-none-match"] == "*"


def test_lambda_is_told_what_the_zip_is_and_for_what(shop: Shop) -> None:
    shop.config |= {"description": "What orders need", "license": "MIT AND Apache-2.0"}
    shop.publish()
    (request,) = shop.aws.publications()
    assert request.region == HOME
    assert request.path.split("/")[-2:] == [shop.name, "versions"]
    body = request.json
    description = str(body.pop("Description"))
    assert body == {
        "Content": {"S3Bucket": shop.bucket(HOME), "S3Key": f"layers/{zip_key(shop)}"},
        "CompatibleRuntimes": ["python3.13"],
        "CompatibleArchitectures": ["x86_64"],
        "LicenseInfo": "MIT AND Apache-2.0",
    }
    manifest = shop.manifest()
    assert description.startswith("What orders need [hatch-lambda-layer 1 ")
    assert manifest["content_digest"] in description
    assert len(description) <= 256
    (live,) = shop.live()
    assert live["Description"] == description
    code = shop.functions().get_layer_version(LayerName=shop.name, VersionNumber=1)["Content"]
    assert code["CodeSha256"] == manifest["code_sha256"]


def test_published_again_nothing_is_written_and_the_same_arn_is_printed(shop: Shop) -> None:
    shop.config |= {"permissions": PERMITTED, "ssm-parameter": "/l/{layer-name}"}
    first = shop.publish()
    for arguments in (["publish"], ["publish", "--build"], ["publish", str(shop.zip)]):
        with shop.aws.watch() as requests:
            again = shop.run(*arguments)
        assert again.stdout == first.stdout
        assert f"{HOME}: {shop.name} version 1 unchanged\n" in again.stderr
        asked = {each.call for each in requests if each.service in ("s3", "lambda")}
        assert asked == {"HEAD s3", "GET lambda"}
        targets = {each.headers["x-amz-target"] for each in requests if each.service == "ssm"}
        assert targets == {"AmazonSSM.GetParameter"}
    assert len(shop.live()) == 1


def test_what_is_live_is_not_built_again_on_another_machine(shop: Shop) -> None:
    first = shop.publish()
    for path in (shop.root / "dist").iterdir():
        path.unlink()
    again = shop.publish()
    assert again.stdout == first.stdout
    assert not shop.zip.exists()
    assert shop.aws.puts() == []


def test_a_changed_package_makes_a_new_version(shop: Shop) -> None:
    shop.publish()
    shop.lock(ALPHA, NEW_BETA)
    assert shop.publish().stdout == f"{shop.arn(2)}\n"
    assert len(set(shop.digests())) == 2
    folder = f"{shop.name}/x86_64/layer"
    assert json.loads(shop.stored(f"{folder}/last-layer.json")) == shop.manifest()
    assert json.loads(shop.stored(f"{folder}/000002/layer.json")) == shop.manifest()
    assert json.loads(shop.stored(f"{folder}/000001/layer.json")) != shop.manifest()


@pytest.mark.fault(95)
def test_what_was_built_from_another_lockfile_is_refused_unless_stale_is_given(
    shop: Shop,
) -> None:
    shop.run("build")
    shop.run("publish")
    shop.lock(ALPHA, NEW_BETA)
    with shop.aws.watch():
        refused = shop.run("publish", code=1)
    assert "layer.zip was built from another lockfile or configuration" in refused.stderr
    assert "`--build`" in refused.stderr
    assert shop.aws.requests == []
    assert shop.run("publish", "--dry-run", code=1).stdout == ""
    assert shop.run("publish", "--stale").stdout == f"{shop.arn(1)}\n"
    # What is named is meant, and what no lockfile fixes can't be stale.
    assert shop.run("publish", str(shop.zip)).stdout == f"{shop.arn(1)}\n"
    shop.lockfile.unlink()
    assert shop.run("publish").stdout == f"{shop.arn(1)}\n"
    shop.lock(ALPHA, NEW_BETA)
    shop.run("publish", "--build")
    assert len(shop.live()) == 2
    shop.run("publish")
    shop.layer["prune"] = ["stubs"]
    shop.run("publish", code=1)


def test_a_lockfile_that_is_not_valid_keeps_a_layer_from_being_published(shop: Shop) -> None:
    shop.run("build")
    shop.lockfile.write_text("lock-version = '9'", "utf-8")
    refused = shop.run("publish", code=1).stderr
    assert "layer.zip can't be compared with the lockfile: " in refused
    assert "`--stale` publishes them as they are" in refused
    shop.run("publish", "--stale")


def test_a_tool_that_is_not_there_to_read_the_lockfile_is_a_warning(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.run("build")

    def missing(*_: object) -> None:
        raise ToolError("poetry", "not found")

    monkeypatch.setattr(Resolver, "lock", missing)
    published = shop.run("publish")
    assert published.stdout == f"{shop.arn(1)}\n"
    assert "warning: layer.zip can't be compared with the lockfile: " in published.stderr


def test_requirements_without_hashes_make_no_layer_stale(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.run("build")
    shop.lock(ALPHA, NEW_BETA)
    read = Resolver.lock
    monkeypatch.setattr(Resolver, "lock", lambda *call: replace(read(*call), resolved=True))
    assert shop.run("publish").stdout == f"{shop.arn(1)}\n"


def test_a_change_of_prune_alone_makes_a_new_version(shop: Shop) -> None:
    shop.publish()
    shop.layer["prune"] = ["stubs"]
    assert shop.publish().stdout == f"{shop.arn(2)}\n"
    assert len(set(shop.digests())) == 2


def test_line_ends_and_order_of_the_lock_change_nothing(shop: Shop) -> None:
    shop.publish()
    shop.lockfile.write_bytes(shop.lockfile.read_bytes().replace(b"\n", b"\r\n"))
    assert shop.publish().stdout == f"{shop.arn(1)}\n"
    assert shop.aws.puts() == []
    shop.lock(BETA, ALPHA)
    assert shop.publish().stdout == f"{shop.arn(1)}\n"
    assert shop.aws.publications() == []


@pytest.mark.parametrize(
    ("changed", "value"), [("license", "MIT"), ("layer", ["python3.12", "python3.13"])]
)
def test_metadata_that_changes_makes_a_new_version_of_the_same_zip(
    shop: Shop, changed: str, value: object
) -> None:
    shop.publish()
    if changed == "layer":
        shop.layer["runtimes"] = value
    else:
        shop.config[changed] = value
    assert shop.publish().stdout == f"{shop.arn(2)}\n"
    assert len(set(shop.digests())) == 1
    assert not [each for each in shop.aws.puts() if each.path.endswith(".zip")]


def test_what_was_live_before_is_published_anew(shop: Shop) -> None:
    shop.publish()
    shop.lock(ALPHA, NEW_BETA)
    shop.publish()
    shop.lock(ALPHA, BETA)
    assert shop.publish().stdout == f"{shop.arn(3)}\n"
    first, _, third = shop.digests()
    assert first == third


def test_force_publishes_what_has_not_changed_and_the_new_version_is_the_one(shop: Shop) -> None:
    shop.publish()
    assert shop.publish("--force").stdout == f"{shop.arn(2)}\n"
    assert shop.publish().stdout == f"{shop.arn(2)}\n"
    assert shop.publish("--force").stdout == f"{shop.arn(3)}\n"
    assert shop.publish().stdout == f"{shop.arn(3)}\n"


def test_members_of_one_content_are_one_version_with_all_they_fit(shop: Shop) -> None:
    shop.layer |= {"runtimes": ["python3.13", "python3.12"], "architectures": ["x86_64", "arm64"]}
    assert shop.publish().stdout == f"{shop.arn(1)}\n"
    (request,) = shop.aws.publications()
    assert request.json["CompatibleRuntimes"] == ["python3.12", "python3.13"]
    assert request.json["CompatibleArchitectures"] == ["arm64", "x86_64"]
    folder = f"{shop.name}/arm64-x86_64/layer"
    names = [f"layer-python3.1{n}-{arch}.json" for n in (2, 3) for arch in ("arm64", "x86_64")]
    manifests = [key for key in shop.objects() if "/000001/" in key]
    assert manifests == [f"{folder}/000001/{name}" for name in names]
    assert shop.publish().stdout == f"{shop.arn(1)}\n"


@pytest.mark.parametrize("named", [[], ["provided.al2023", "python3.14"]])
def test_a_layer_for_a_runtime_that_aws_does_not_list_is_published_for_those_it_names(
    shop: Shop, named: list[str]
) -> None:
    acme = {"python": "3.14", "glibc": "2.34", "compatible-runtimes": named}
    shop.layer |= {"runtimes": ["acme"], "custom-runtimes": {"acme": acme}}
    assert shop.publish().stdout == f"{shop.arn(1)}\n"
    (request,) = shop.aws.publications()
    assert request.json["CompatibleRuntimes"] == named
    assert shop.publish().stdout == f"{shop.arn(1)}\n"
    assert shop.aws.publications() == []


def test_arm64_lies_beside_x86_64(shop: Shop) -> None:
    shop.lock(ALPHA, X86, ARM)
    shop.layer["architectures"] = ["x86_64", "arm64"]
    name = shop.name
    shop.config["layer-name"] = f"{name}-{{architecture}}"
    result = shop.publish()
    arns = {shop.arn(1, name=f"{name}-{arch}") for arch in ("x86_64", "arm64")}
    assert set(result.stdout.split()) == arns
    for architecture in ("x86_64", "arm64"):
        folder = f"{name}-{architecture}/{architecture}/layer"
        mine = [key for key in shop.objects() if key.startswith(folder)]
        assert len(mine) == 3
        (live,) = shop.live(name=f"{name}-{architecture}")
        assert live["CompatibleArchitectures"] == [architecture]
    assert len(shop.objects()) == 6


def test_members_that_differ_are_refused_before_anything_is_built(shop: Shop) -> None:
    shop.lock(X86, ARM)
    shop.layer["architectures"] = ["x86_64", "arm64"]
    result = shop.publish(code=1)
    assert "python3.13-arm64, python3.13-x86_64 differ" in result.stderr
    assert "`{architecture}`" in result.stderr
    assert not (shop.root / "dist").exists()
    assert shop.aws.requests == []


def test_layers_that_differ_are_refused_before_anything_is_uploaded(shop: Shop) -> None:
    # The wheels are the same, so that only the zips tell.
    shop.layer |= {"architectures": ["x86_64", "arm64"]}
    shop.lock(ALPHA, X86, ARM)
    shop.run("build")
    with shop.aws.watch() as requests:
        result = shop.run("publish", code=1)
    assert "differ" in result.stderr
    assert requests == []


def test_three_regions_get_a_version_each(shop: Shop) -> None:
    regions = [HOME, "us-east-2", "ap-southeast-2"]
    for region in regions[1:]:
        shop.make_bucket(region)
    shop.config |= {"regions": regions, "s3-dir": f"s3://{shop.name}-{{region}}/layers"}
    result = shop.publish()
    assert set(result.stdout.split()) == {shop.arn(1, region) for region in regions}
    for region in regions:
        assert f"{region}: {shop.name} version 1 published\n" in result.stderr
        assert len(shop.objects(region)) == 3
        assert len(shop.digests(region)) == 1
    again = shop.publish()
    assert set(again.stdout.split()) == {shop.arn(1, region) for region in regions}
    assert (shop.aws.puts(), shop.aws.publications()) == ([], [])


def test_a_region_without_a_bucket_gets_the_zip_directly(shop: Shop) -> None:
    shop.config |= {
        "regions": [HOME, "us-east-2"],
        "s3-dir": {HOME: f"s3://{shop.bucket(HOME)}/layers"},
    }
    shop.publish()
    contents = {each.region: each.json["Content"] for each in shop.aws.publications()}
    assert contents[HOME].keys() == {"S3Bucket", "S3Key"}  # type: ignore[attr-defined]
    zipped = base64.b64encode(shop.zip.read_bytes()).decode()
    assert contents["us-east-2"] == {"ZipFile": zipped}
    assert {each.region for each in shop.aws.puts()} == {HOME}


def test_one_bucket_serves_its_own_region_and_the_others_go_directly(shop: Shop) -> None:
    shop.config["regions"] = [HOME, "us-east-2"]
    shop.publish()
    through = {each.region: list(each.json["Content"]) for each in shop.aws.publications()}  # type: ignore[call-overload]
    assert through == {HOME: ["S3Bucket", "S3Key"], "us-east-2": ["ZipFile"]}


def test_a_version_of_a_bucket_that_keeps_versions_is_named(shop: Shop) -> None:
    shop.s3().put_bucket_versioning(
        Bucket=shop.bucket(HOME), VersioningConfiguration={"Status": "Enabled"}
    )
    shop.publish()
    (request,) = shop.aws.publications()
    head = shop.s3().head_object(Bucket=shop.bucket(HOME), Key=f"layers/{zip_key(shop)}")
    assert request.json["Content"]["S3ObjectVersion"] == head["VersionId"]  # type: ignore[index]


def test_a_bucket_with_object_lock_works(empty_shop: Shop) -> None:
    empty_shop.make_bucket(ObjectLockEnabledForBucket=True)
    empty_shop.publish()
    # S3 takes no object for such a bucket without a checksum.
    assert all("x-amz-checksum-sha256" in each.headers for each in empty_shop.aws.puts())
    empty_shop.lock(ALPHA, NEW_BETA)
    assert empty_shop.publish().stdout == f"{empty_shop.arn(2)}\n"


def test_without_configuration_the_project_is_published_directly(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    shop.write()
    path = shop.root / "pyproject.toml"
    text = (
        f'[project]\nname = "Plain.{shop.name}"\n[tool.lambda-layer]\nruntimes = ["python3.13"]\n'
    )
    path.write_text(text, encoding="utf-8")
    from click.testing import CliRunner

    from hatch_lambda_layer.cli.main import main

    result = CliRunner().invoke(main, ["publish", "--build", "--project", str(shop.root)])
    assert result.stdout == f"{shop.arn(1, 'eu-central-1', f'plain-{shop.name}')}\n"


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize(
    ("variables", "region"),
    [
        ({"AWS_REGION": "eu-central-1"}, "eu-central-1"),
        ({"AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": ""}, "eu-central-1"),
        ({"AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "us-west-2"}, "us-west-2"),
    ],
)
def test_aws_region_names_the_region_after_aws_default_region(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variables: dict[str, str], region: str
) -> None:
    settings = tmp_path / "config"
    settings.write_text("[default]\nregion = sa-east-1\n", encoding="utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(settings))
    assert AwsSession().region == "sa-east-1"
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert AwsSession().region == region


def test_permissions_are_given_once_each(shop: Shop) -> None:
    shop.config["permissions"] = PERMITTED
    shop.publish()
    asked = [each.json for each in shop.aws.requests if each.call == "POST lambda"][1:]
    action = {"Action": "lambda:GetLayerVersion"}
    assert asked == [
        {"StatementId": "account-111122223333", "Principal": "111122223333", **action},
        {
            "StatementId": "organization-o-a1b2c3d4e5",
            "Principal": "*",
            "OrganizationId": "o-a1b2c3d4e5",
            **action,
        },
        {"StatementId": "public", "Principal": "*", **action},
    ]
    assert len(shop.grants()) == 3


def test_a_permission_that_is_new_is_given_without_a_new_version(shop: Shop) -> None:
    shop.publish()
    shop.config["permissions"] = {"accounts": ["111122223333"]}
    assert shop.publish().stdout == f"{shop.arn(1)}\n"
    assert shop.grants() == ["account-111122223333"]
    assert shop.aws.publications() == []


def test_the_parameter_has_the_arn(shop: Shop) -> None:
    shop.config["ssm-parameter"] = "/layers/{layer-name}"
    shop.publish()
    name = f"/layers/{shop.name}"
    ssm = shop.client("ssm")
    assert ssm.get_parameter(Name=name)["Parameter"]["Value"] == shop.arn(1)
    ssm.put_parameter(Name=name, Value="wrong", Overwrite=True)
    shop.publish()
    assert ssm.get_parameter(Name=name)["Parameter"]["Value"] == shop.arn(1)


def test_a_dry_run_says_everything_and_writes_nothing(shop: Shop) -> None:
    shop.config |= {"permissions": PERMITTED, "ssm-parameter": "/l/{layer-name}"}
    result = shop.publish("--dry-run")
    assert result.stdout == ""
    for words in (
        f"would upload layer.zip to s3://{shop.bucket(HOME)}",
        f"would publish a version of {shop.name}, the first one",
        "would grant its use: public",
        "would put its manifest into",
        f"would set the parameter /l/{shop.name}",
    ):
        assert f"{HOME}: {shop.name}: {words}" in result.stderr
    assert shop.live() == []
    assert shop.objects() == []
    shop.publish()
    assert f"would leave version 1 as it is: {shop.arn(1)}" in shop.publish("-n").stderr


def test_a_dry_run_returns_what_would_be(shop: Shop) -> None:
    shop.run("build")
    dry = Run(shop.root, shop.name, dry_run=True)
    (would_be,) = dry.publish(AwsSession())
    assert would_be.version is None
    assert f"{would_be.arn}:1" == shop.arn(1)
    assert shop.live() == []
    (made,) = Run(shop.root, shop.name).publish(AwsSession())
    assert made == replace(would_be, version=1, arn=shop.arn(1))
    (unchanged,) = dry.publish(AwsSession())
    assert unchanged == replace(made, status="unchanged")
    assert dry.errors == []


def test_what_is_live_is_written_for_other_programs(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "github"))
    result = shop.publish("--format", "json")
    (version,) = json.loads(result.stdout)["versions"]
    assert (version["arn"], version["status"]) == (shop.arn(1), "published")
    (kept,) = json.loads((shop.root / "dist" / "layer-versions.json").read_text())["versions"]
    assert kept["arn"] == shop.arn(1)
    assert f"arn={shop.arn(1)}\n" in (tmp_path / "github").read_text()
    assert "changed=true\n" in (tmp_path / "github").read_text()


def test_the_versions_of_a_layer_are_shown_with_what_uses_them(shop: Shop) -> None:
    shop.publish()
    shop.lock(ALPHA, NEW_BETA)
    shop.publish()
    use(shop, 1)
    lines = shop.run("versions", shop.name).stdout.splitlines()
    assert lines[1].split() == ["version", "date", "digest", "runtimes", "size", "used", "by"]
    digests = [digest.removeprefix("sha256:")[:12] for digest in shop.digests()]
    assert [line.split()[2] for line in lines[2:4]] == digests[::-1]
    assert [line.split()[-1] for line in lines[2:4]] == ["-", f"uses-{shop.name}"]
    assert lines[4].startswith("used by no function of this account and Region: 2; ")
    assert "There is no layer `other`" in shop.run("versions", "other", code=1).stderr


def use(shop: Shop, number: int) -> None:
    """Have a function that uses a version of the layer."""
    iam = shop.client("iam")
    role = iam.create_role(RoleName=f"uses-{shop.name}", AssumeRolePolicyDocument="{}")["Role"]
    shop.functions().create_function(
        FunctionName=f"uses-{shop.name}",
        Runtime="python3.13",
        Role=role["Arn"],
        Handler="a.b",
        Code={"ZipFile": shop.zip.read_bytes()},
        Layers=[shop.arn(number)],
    )


def test_old_versions_go_only_when_asked_and_never_one_that_is_used(shop: Shop) -> None:
    for number in range(1, 5):
        shop.lock(ALPHA, WheelSpec(name="beta", version=f"{number}.0"))
        shop.publish()
    use(shop, 1)
    for kept, deleted, left in ((2, [2], [1, 3, 4]), (1, [3], [1, 4])):
        before = shop.live()
        shop.config["retain"] = kept
        planned = shop.publish("--dry-run").stderr
        assert planned.count("would delete version ") == 1
        assert f"would delete version {deleted[0]} " in planned
        assert shop.live() == before
        assert shop.publish().stdout == f"{shop.arn(4)}\n"
        assert [each["Version"] for each in shop.live()] == left
        requests = shop.aws.requests
        paths = [each.path for each in requests if each.method == "DELETE"]
        assert [int(path.rpartition("/")[2]) for path in paths] == deleted
        (listing,) = [each for each in requests if each.path.endswith("/functions")]
        assert listing.query == {"FunctionVersion": ["ALL"]}


def test_the_tag_of_a_description_reads_as_it_was_written(shop: Shop) -> None:
    shop.config["description"] = "Text [with] brackets"
    shop.publish()
    tag = VersionTag.of(shop.live()[0]["Description"])
    assert tag is not None
    assert tag.content_digest == shop.manifest()["content_digest"]
    assert not tag.forced


@pytest.mark.fault(69)
def test_a_build_to_be_published_hashes_every_wheel_that_it_uses(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    recheck = WheelCache.recheck

    def watched(cache: WheelCache, locked: LockedWheel) -> Wheel | None:
        hashed.append(locked.name)
        return recheck(cache, locked)

    monkeypatch.setattr(WheelCache, "recheck", watched)
    shop.run("build")
    shutil.rmtree(shop.zip.parent)
    shop.run("build")
    assert hashed == []
    shutil.rmtree(shop.zip.parent)
    shop.publish()
    assert sorted(hashed) == sorted(wheel.name for wheel in shop.wheels)
