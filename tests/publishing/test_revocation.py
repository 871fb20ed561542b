"""What the table no longer has is said, and taken away when it is asked for."""

from __future__ import annotations

import json
import random
from types import SimpleNamespace
from typing import TYPE_CHECKING

import botocore.endpoint
import pytest

from tests.publishing.shop import ACCOUNT, ALPHA, HOME
from tests.support.aws_server import FAULTS, Answer, Injected
from tests.support.iam_actions import unused
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from tests.publishing.shop import Shop

SECOND = "us-east-2"
ONE, TWO = "111122223333", "444455556666"
DENIED = Answer.json(403, "AccessDeniedException", "no")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have retries come at once."""
    monkeypatch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=lambda _seconds: None))


def permit(shop: Shop, number: int, statement: str, principal: str = TWO) -> None:
    """Give a permission by hand."""
    shop.functions().add_layer_version_permission(
        LayerName=shop.name,
        VersionNumber=number,
        StatementId=statement,
        Action="lambda:GetLayerVersion",
        Principal=principal,
    )


def grants(shop: Shop, number: int) -> list[str]:
    """Give the names of the statements of a version; none if it has no policy."""
    client = shop.functions()
    try:
        return sorted(set(shop.grants(number)))
    except client.exceptions.ResourceNotFoundException:
        return []


def publish_twice(shop: Shop) -> None:
    """Have two versions that both accounts may use, and a table that names the first of them."""
    shop.config["permissions"] = {"accounts": [ONE, TWO], "public": True}
    shop.publish()
    shop.lock(ALPHA, WheelSpec(name="beta", version="2.2"))
    shop.publish()
    shop.config["permissions"] = {"accounts": [ONE]}


@pytest.mark.parametrize("table", [{"accounts": [ONE]}, {}, None], ids=["one", "none", "no table"])
def test_what_is_there_and_not_in_the_table_is_said_and_stays(
    shop: Shop, table: dict[str, list[str]] | None
) -> None:
    shop.config["permissions"] = {"accounts": [ONE, TWO]}
    shop.publish()
    permit(shop, 1, "by-hand")
    shop.config["permissions"] = table
    if table is None:
        del shop.config["permissions"]
    there = {f"account-{ONE}", f"account-{TWO}", "by-hand"}
    for arguments in ([], ["--build"], ["--dry-run"]):
        with shop.aws.watch() as requests:
            said = shop.run("publish", *arguments).stderr
        assert [each.call for each in requests if each.service == "lambda"] == ["GET lambda"] * 3
        for statement in there - {f"account-{each}" for each in (table or {}).get("accounts", [])}:
            option = " --statement by-hand" if statement == "by-hand" else ""
            assert (
                f"warning: {HOME}: {shop.name}: version 1 has the permission `{statement}`, which "
                "`permissions` does not have: "
                f"`hatch-lambda-layer publish --revoke{option}` takes it away\n"
            ) in said
    assert set(grants(shop, 1)) == there


def test_what_may_not_be_asked_is_said_where_nothing_is_to_be_given(shop: Shop) -> None:
    shop.publish()
    shop.aws.faults = [Injected(lambda each: each.path.endswith("/policy"), DENIED)]
    said = shop.run("publish")
    assert said.stdout == f"{shop.arn(1)}\n"
    assert "its permissions can't be read: " in said.stderr
    assert "`lambda:GetLayerVersionPolicy` is missing" in said.stderr
    shop.config["permissions"] = {"accounts": [ONE]}
    assert shop.run("publish", code=1).stdout == ""


def test_revoke_takes_away_on_every_version_what_the_table_no_longer_has(shop: Shop) -> None:
    publish_twice(shop)
    permit(shop, 1, "by-hand")
    permit(shop, 1, "account-of-somebody")
    dry = shop.run("publish", "--revoke", "--dry-run")
    assert dry.stdout == ""
    assert f"would take `public` away from {shop.arn(1)}\n" in dry.stderr
    with shop.aws.watch() as requests:
        result = shop.run("publish", "--revoke")
    assert result.stdout.splitlines() == [
        f"{shop.arn(number)} {statement}"
        for number in (2, 1)
        for statement in (f"account-{TWO}", "public")
    ]
    sent = [each for each in requests if each.method != "GET" and each.service != "sts"]
    root = f"/2018-10-31/layers/{shop.name}/versions"
    assert [(each.method, each.path) for each in sent] == [
        ("DELETE", f"{root}/{number}/policy/{statement}")
        for number in (2, 1)
        for statement in (f"account-{TWO}", "public")
    ]
    assert grants(shop, 2) == [f"account-{ONE}"]
    assert grants(shop, 1) == [f"account-{ONE}", "account-of-somebody", "by-hand"]
    again = shop.run("publish", "--revoke")
    assert again.stdout == ""
    assert "No version has a permission that is to be taken away" in again.stderr


def test_another_statement_goes_only_when_it_is_named(shop: Shop) -> None:
    publish_twice(shop)
    permit(shop, 1, "by-hand")
    permit(shop, 1, "other")
    result = shop.run("publish", "--revoke", "--statement", "by-hand")
    assert f"{shop.arn(1)} by-hand\n" in result.stdout
    assert grants(shop, 1) == [f"account-{ONE}", "other"]
    assert len(shop.live()) == 2


def test_versions_that_are_not_of_this_project_stay_as_they_are(shop: Shop) -> None:
    publish_twice(shop)
    shop.functions().publish_layer_version(
        LayerName=shop.name, Description="by hand", Content={"ZipFile": b"x"}
    )
    permit(shop, 3, "public", "*")
    said = shop.run("publish", "--revoke").stdout
    assert shop.arn(3) not in said
    assert grants(shop, 3) == ["public"]


@pytest.mark.fault(203)
def test_a_statement_of_the_table_and_one_that_nothing_has_are_errors(shop: Shop) -> None:
    publish_twice(shop)
    with shop.aws.watch() as requests:
        said = shop.run("publish", "--revoke", "--statement", f"account-{ONE}", code=1).stderr
    assert f"The permission `account-{ONE}` is in `permissions`" in said
    assert requests == []
    said = shop.run("publish", "--revoke", "--statement", "typo", code=1).stderr
    assert "No version of this project has the permission typo" in said


@pytest.mark.parametrize(
    "arguments",
    [["--revoke", "--build"], ["--revoke", "x.zip"], ["--statement", "x"]],
    ids=["build", "zip", "alone"],
)
def test_options_that_contradict_it_are_wrong(shop: Shop, arguments: list[str]) -> None:
    assert "revoke" in shop.run("publish", *arguments, code=2).stderr
    assert shop.aws.requests == []


@pytest.mark.fault(203)
def test_a_region_that_fails_leaves_the_others_done(shop: Shop) -> None:
    del shop.config["s3-dir"]
    shop.config |= {"regions": [SECOND, HOME], "permissions": {"accounts": [ONE]}}
    shop.publish()
    shop.config["permissions"] = {}
    shop.aws.faults = [
        Injected(lambda each: each.method == "DELETE" and each.region == SECOND, DENIED)
    ]
    result = shop.run("publish", "--revoke", code=1)
    assert result.stdout == f"{shop.arn(1)} account-{ONE}\n"
    assert f"error: {SECOND}: {shop.name}: " in result.stderr
    assert "`lambda:RemoveLayerVersionPermission` is missing" in result.stderr
    assert "1 of 2 destinations failed" in result.stderr
    shop.aws.faults = []
    assert shop.run("publish", "--revoke").stdout == f"{shop.arn(1, SECOND)} account-{ONE}\n"


@pytest.mark.moments
@pytest.mark.fault(203)
def test_after_faults_at_any_calls_the_next_run_takes_all_away(
    shop: Shop, *, all_moments: bool
) -> None:
    shop.publish()
    for seed in range(60 if all_moments else 12):
        dice = random.Random(seed)  # noqa: S311
        for statement in ("public", f"account-{TWO}", f"account-{ONE}"):
            permit(shop, 1, statement)
        # STS, the versions, the policy, three statements; retries are calls, too.
        kinds = [each for each in FAULTS if not each.startswith("timeout")]
        shop.aws.faults = [
            Injected(number, dice.choice(kinds)) for number in dice.sample(range(8), 2)
        ]
        with shop.aws.watch():
            shop.run_any("publish", "--revoke")
        shop.aws.faults = []
        shop.run("publish", "--revoke")
        assert grants(shop, 1) == [], seed


def test_the_policy_for_it_is_exact(shop: Shop) -> None:
    publish_twice(shop)
    policy = shop.run("publish", "--policy", "--revoke").stdout
    with shop.aws.watch() as requests:
        shop.run("publish", "--revoke")
    assert unused(policy, requests, ACCOUNT) == set()
    assert "Publish" not in json.dumps(policy)


@pytest.mark.parametrize("permissions", [None, {"accounts": [ONE]}])
@pytest.mark.parametrize("bucket", [True, False])
def test_the_policy_for_publishing_is_exact(
    shop: Shop, permissions: dict[str, list[str]] | None, *, bucket: bool
) -> None:
    if permissions:
        shop.config["permissions"] = permissions
    if not bucket:
        del shop.config["s3-dir"]
    policy = shop.run("publish", "--policy").stdout
    shop.publish()
    requests = shop.aws.requests
    shop.publish()
    requests += shop.aws.requests
    # Only large zips go in parts, and only a bucket that keeps versions has them.
    late = {"s3:AbortMultipartUpload", "s3:GetObjectVersion"}
    assert {action for action, _ in unused(policy, requests, ACCOUNT)} == (
        late if bucket else set()
    )
