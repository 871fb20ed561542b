"""Who uses which version of a layer, what nobody needs, and what may be deleted of it."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import botocore.endpoint
import pytest

from hatch_lambda_layer.publishing.descriptions import VersionTag
from tests.publishing.shop import ACCOUNT, ALPHA, HOME
from tests.support.aws_server import Answer, Injected, Request
from tests.support.iam_actions import needed
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from tests.publishing.shop import Shop

SECOND = "us-east-2"
DENIED = Answer.json(403, "AccessDeniedException", "no")
GIGABYTE = 1024**3


def settings(request: Request) -> Answer | None:
    """Answer as Lambda does to a question that moto does not know."""
    if "/account-settings" not in request.path:
        return None
    table = {
        "AccountLimit": {"TotalCodeSize": 300 * GIGABYTE},
        "AccountUsage": {"TotalCodeSize": 62 * GIGABYTE + GIGABYTE // 10},
    }
    return Answer(200, json.dumps(table).encode(), (("Content-Type", "application/json"),))


def publish_versions(shop: Shop, count: int) -> None:
    for number in range(1, count + 1):
        shop.lock(ALPHA, WheelSpec(name="beta", version=f"{number}.0"))
        shop.publish()


def use(shop: Shop, number: int, region: str = HOME) -> None:
    """Have a function that uses a version of the layer."""
    iam = shop.client("iam")
    name = f"uses-{shop.name}-{number}"
    role = iam.create_role(RoleName=f"{name}-{region}", AssumeRolePolicyDocument="{}")["Role"]
    shop.functions(region).create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=role["Arn"],
        Handler="a.b",
        Code={"ZipFile": shop.zip.read_bytes()},
        Layers=[shop.arn(number, region)],
    )


def numbers(shop: Shop, region: str = HOME) -> list[int]:
    return [each["Version"] for each in shop.live(region)]


def sizes(shop: Shop) -> dict[int, int]:
    client = shop.functions()
    return {
        number: client.get_layer_version(LayerName=shop.name, VersionNumber=number)["Content"][
            "CodeSize"
        ]
        for number in numbers(shop)
    }


def test_which_versions_nobody_uses_and_what_they_take_is_shown(shop: Shop) -> None:
    publish_versions(shop, 3)
    use(shop, 2)
    shop.aws.stands_in = [settings]
    lines = shop.run("versions", shop.name).stdout.splitlines()
    assert lines[0] == f"{HOME}: {shop.name}"
    assert [line.split()[0] for line in lines[2:5]] == ["3", "2", "1"]
    taken = -(-(sizes(shop)[1] + sizes(shop)[3]) // 1024)
    (line,) = lines[5:]
    assert line == (
        f"used by no function of this account and Region: 3, 1; they take {taken} KB of the "
        "300.0 GB that the account has for code here (62.1 GB are used)"
    )
    newest = shop.run("versions", shop.name, "--count", "1").stdout.splitlines()
    assert newest[-1] == "older versions that are not shown: 2"


def test_the_same_as_json(shop: Shop) -> None:
    publish_versions(shop, 2)
    use(shop, 2)
    shop.aws.stands_in = [settings]
    table = json.loads(shop.run("versions", shop.name, "--format", "json").stdout)
    (layer,) = table["layers"]
    newest, oldest = layer.pop("versions")
    assert table["schema"] == 1
    assert layer == {
        "layer_name": shop.name,
        "account": ACCOUNT,
        "region": HOME,
        "older": 0,
        "unused": [1],
        "unused_size": sizes(shop)[1],
        "code_storage": {"used": 62 * GIGABYTE + GIGABYTE // 10, "limit": 300 * GIGABYTE},
    }
    created = newest.pop("created")
    assert created.startswith("20")
    assert newest == {
        "version": 2,
        "arn": shop.arn(2),
        "content_digest": shop.digests()[1],
        "runtimes": ["python3.13"],
        "architectures": ["x86_64"],
        "size": sizes(shop)[2],
        "referenced": False,
        "used_by": [f"uses-{shop.name}-2"],
    }
    assert oldest["used_by"] == []


def test_what_may_not_be_asked_is_shown_as_unknown(shop: Shop) -> None:
    publish_versions(shop, 1)
    shop.aws.faults = [
        Injected(lambda each: each.path.endswith(("/functions", "/functions/")), DENIED),
        Injected(lambda each: "account-settings" in each.path, DENIED),
    ]
    lines = shop.run("versions", shop.name).stdout.splitlines()
    assert lines[2].endswith(" ?")
    assert lines[3] == "the functions can't be listed: `lambda:ListFunctions` is missing"
    (layer,) = json.loads(shop.run("versions", shop.name, "--format", "json").stdout)["layers"]
    assert (layer["unused"], layer["code_storage"]) == ([], None)
    assert layer["versions"][0]["used_by"] is None
    assert (
        "`lambda:ListFunctions` is missing"
        in shop.run("versions", shop.name, "--delete-unused", code=1).stderr
    )


def test_what_lambda_only_refers_to_takes_none_of_the_quota(shop: Shop) -> None:
    publish_versions(shop, 1)
    content: dict[str, Any] = {
        "CodeSize": 7_000_000,
        "CodeSha256": "x",
        "ResolvedS3Object": {"S3Bucket": "b", "S3Key": "k", "S3ObjectVersion": "v"},
    }
    answer = Answer(200, json.dumps({"Content": content, "Version": 1}).encode())
    shop.aws.faults = [Injected(lambda each: each.path.endswith("/versions/1"), answer)]
    shop.aws.stands_in = [settings]
    assert "they take 0 KB of the" in shop.run("versions", shop.name).stdout
    (layer,) = json.loads(shop.run("versions", shop.name, "--format", "json").stdout)["layers"]
    assert layer["versions"][0]["referenced"] is True
    assert (layer["unused"], layer["unused_size"]) == ([1], 0)


def test_unused_versions_are_listed_and_deleted_only_with_yes(shop: Shop) -> None:
    publish_versions(shop, 6)
    use(shop, 2)
    shop.functions().add_layer_version_permission(
        LayerName=shop.name,
        VersionNumber=3,
        StatementId="by-hand",
        Action="lambda:GetLayerVersion",
        Principal="444455556666",
    )
    with shop.aws.watch() as requests:
        result = shop.run("versions", shop.name, "--delete-unused", "--keep", "2")
    assert result.stdout.splitlines() == [shop.arn(4), shop.arn(1)]
    assert f"{shop.arn(3)} stays: it is shared by by-hand\n" in result.stderr
    assert "Nothing is deleted: `--yes`" in result.stderr
    assert {each.method for each in requests} == {"GET"}
    (listing,) = [each for each in requests if each.path.endswith("/functions")]
    assert listing.query == {"FunctionVersion": ["ALL"]}
    with shop.aws.watch() as requests:
        result = shop.run("versions", shop.name, "--delete-unused", "--keep", "2", "--yes")
    assert result.stdout.splitlines() == [shop.arn(4), shop.arn(1)]
    assert "Nothing is deleted" not in result.stderr
    root = f"/2018-10-31/layers/{shop.name}/versions"
    assert [each.path for each in requests if each.method == "DELETE"] == [
        f"{root}/4",
        f"{root}/1",
    ]
    assert numbers(shop) == [2, 3, 5, 6]
    again = shop.run("versions", shop.name, "--delete-unused", "--keep", "2", "--yes")
    assert again.stdout == ""
    assert "No version can be deleted" in again.stderr
    assert needed(requests, ACCOUNT) == {
        ("lambda:ListFunctions", "*"),
        ("lambda:ListLayerVersions", f"arn:aws:lambda:{HOME}:{ACCOUNT}:layer:{shop.name}"),
        *(("lambda:GetLayerVersionPolicy", shop.arn(number)) for number in (1, 3, 4)),
        *(("lambda:DeleteLayerVersion", shop.arn(number)) for number in (1, 4)),
    }


def test_three_of_the_newest_stay_where_nothing_else_is_said(shop: Shop) -> None:
    publish_versions(shop, 5)
    shop.run("versions", shop.name, "--delete-unused", "--yes")
    assert numbers(shop) == [3, 4, 5]


def test_the_document_of_what_is_deleted(shop: Shop) -> None:
    publish_versions(shop, 2)
    arguments = ("versions", shop.name, "--delete-unused", "--keep", "1", "--format", "json")
    created = shop.live()[0]["CreatedDate"]
    facts = {"arn": shop.arn(1), "version": 1, "created": created, "shared_by": []}
    for options, deleted in (([], False), (["--yes"], True)):
        table = json.loads(shop.run(*arguments, *options).stdout)
        assert table == {"schema": 1, "versions": [{**facts, "deleted": deleted}]}
    assert numbers(shop) == [2]


def test_versions_of_others_and_the_newest_are_never_deleted(shop: Shop) -> None:
    publish_versions(shop, 2)
    description = shop.live()[0]["Description"]
    tag = VersionTag.of(description)
    assert tag is not None
    client = shop.functions()
    for text in ("by hand", replace(tag, project="0" * 8).describe("")):
        client.publish_layer_version(
            LayerName=shop.name, Description=text, Content={"ZipFile": b"x"}
        )
    # The newest version is another's; of the project's own, one is kept.
    shop.run("versions", shop.name, "--delete-unused", "--keep", "1", "--yes")
    assert numbers(shop) == [2, 3, 4]


def test_the_live_version_stays_where_racing_publishers_made_several(shop: Shop) -> None:
    publish_versions(shop, 2)
    newest = shop.live()[1]
    shop.functions().publish_layer_version(
        LayerName=shop.name,
        Description=newest["Description"],
        Content={"ZipFile": shop.zip.read_bytes()},
        CompatibleRuntimes=newest["CompatibleRuntimes"],
        CompatibleArchitectures=newest["CompatibleArchitectures"],
    )
    shop.run("versions", shop.name, "--delete-unused", "--keep", "1", "--yes")
    assert numbers(shop) == [2, 3]
    assert shop.run("publish").stdout == f"{shop.arn(2)}\n"


@pytest.mark.fault(204)
def test_a_region_that_fails_leaves_the_others_done(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=lambda _seconds: None))
    del shop.config["s3-dir"]
    shop.config["regions"] = [SECOND, HOME]
    publish_versions(shop, 3)
    deletes = Injected(lambda each: each.method == "DELETE" and each.region == SECOND, DENIED)
    shop.aws.faults = [deletes]
    arguments = ("versions", shop.name, "--delete-unused", "--keep", "1", "--yes")
    result = shop.run(*arguments, code=1)
    assert result.stdout.splitlines() == [shop.arn(2), shop.arn(1)]
    assert "`lambda:DeleteLayerVersion` is missing" in result.stderr
    assert (numbers(shop), numbers(shop, SECOND)) == ([3], [1, 2, 3])
    # A response that is lost leads to a second request, for what is gone already.
    shop.aws.faults = [replace_fault(deletes)]
    assert set(shop.run(*arguments).stdout.split()) == {shop.arn(2, SECOND), shop.arn(1, SECOND)}
    assert numbers(shop, SECOND) == [3]


def replace_fault(injected: Injected) -> Injected:
    """Give the same for the first request, whose answer is lost."""
    seen: list[Request] = []

    def first(request: Request) -> bool:
        assert callable(injected.number)
        if seen or not injected.number(request):
            return False
        seen.append(request)
        return True

    return Injected(first, "reset after")


@pytest.mark.parametrize("arguments", [["--yes"], ["--keep", "2"]])
def test_options_without_delete_unused_are_wrong(shop: Shop, arguments: list[str]) -> None:
    said = shop.run("versions", shop.name, *arguments, code=2).stderr
    assert "need --delete-unused" in said
    assert shop.aws.requests == []
