"""The smallest policy that suffices: each action is there when it is needed, and only then."""

from __future__ import annotations

import fnmatch
import json
import re
from dataclasses import replace
from importlib.resources import files
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from cfnlint import lint_all

from hatch_lambda_layer import aws
from hatch_lambda_layer.publishing.iam_policy import (
    MANAGED_POLICY_LIMIT,
    Grant,
    policy_document,
    policy_size,
)

ACCOUNT = "123456789012"
LAYER = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:layer:orders"
DIRECT = Grant(account=ACCOUNT, region="eu-west-1", layer_name="orders")
S3 = replace(DIRECT, bucket="layers-of-ours", prefix="lambda/layers")
KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ALL = replace(
    S3, kms=KEY, ssm_parameter="/layers/orders", permit=True, retain=True, tag=True, refer=True
)

REVOKING = replace(ALL, revoke=True)


def statements(*grants: Grant) -> list[dict[str, Any]]:
    document = json.loads(policy_document(grants))
    assert document["Version"] == "2012-10-17"
    assert all(each["Effect"] == "Allow" for each in document["Statement"])
    return list(document["Statement"])


def allowed(*grants: Grant) -> dict[str, list[str]]:
    """Give the resources of each action."""
    found: dict[str, list[str]] = {}
    for statement in statements(*grants):
        for action in statement["Action"]:
            found.setdefault(action, []).extend(statement["Resource"])
    return found


def test_a_direct_upload_needs_four_actions_word_for_word() -> None:
    assert statements(DIRECT) == [
        {
            "Effect": "Allow",
            "Action": ["lambda:GetLayerVersion", "lambda:GetLayerVersionPolicy"],
            "Resource": [f"{LAYER}:*"],
        },
        {
            "Effect": "Allow",
            "Action": ["lambda:ListLayerVersions", "lambda:PublishLayerVersion"],
            "Resource": [LAYER],
        },
    ]


def test_taking_permissions_away_needs_three_actions_word_for_word() -> None:
    assert statements(REVOKING) == [
        {
            "Effect": "Allow",
            "Action": ["lambda:GetLayerVersionPolicy", "lambda:RemoveLayerVersionPermission"],
            "Resource": [f"{LAYER}:*"],
        },
        {"Effect": "Allow", "Action": ["lambda:ListLayerVersions"], "Resource": [LAYER]},
    ]


OBJECTS = "arn:aws:s3:::layers-of-ours/lambda/layers/*"


@pytest.mark.parametrize(
    ("grant", "more"),
    [
        (
            replace(DIRECT, permit=True),
            {"lambda:AddLayerVersionPermission": f"{LAYER}:*"},
        ),
        (
            replace(DIRECT, retain=True),
            {
                "lambda:DeleteLayerVersion": f"{LAYER}:*",
                "lambda:ListFunctions": "*",
            },
        ),
        (
            S3,
            {
                "s3:ListBucket": "arn:aws:s3:::layers-of-ours",
                "s3:AbortMultipartUpload": OBJECTS,
                "s3:GetObject": OBJECTS,
                "s3:GetObjectVersion": OBJECTS,
                "s3:PutObject": OBJECTS,
            },
        ),
        (
            replace(DIRECT, ssm_parameter="/layers/orders"),
            {
                "ssm:GetParameter": f"arn:aws:ssm:eu-west-1:{ACCOUNT}:parameter/layers/orders",
                "ssm:PutParameter": f"arn:aws:ssm:eu-west-1:{ACCOUNT}:parameter/layers/orders",
            },
        ),
        # Without a bucket nothing is tagged, and no key is used.
        (replace(DIRECT, tag=True, kms=KEY), {}),
    ],
    ids=["permissions", "retain", "bucket", "parameter", "no-bucket"],
)
def test_each_option_needs_its_actions_and_no_other(grant: Grant, more: dict[str, str]) -> None:
    found = allowed(grant)

    assert {
        action: resource for action, resource in found.items() if action not in allowed(DIRECT)
    } == {action: [resource] for action, resource in more.items()}


def test_tags_need_their_own_action_on_the_objects() -> None:
    assert allowed(replace(S3, tag=True))["s3:PutObjectTagging"] == [OBJECTS]
    assert "s3:PutObjectTagging" not in allowed(S3)


def test_a_parameter_without_a_slash_has_the_same_arn() -> None:
    grant = replace(DIRECT, ssm_parameter="orders")

    assert allowed(grant)["ssm:PutParameter"] == [
        f"arn:aws:ssm:eu-west-1:{ACCOUNT}:parameter/orders"
    ]


def test_a_bucket_without_a_folder_is_open_as_a_whole() -> None:
    assert allowed(replace(S3, prefix=""))["s3:PutObject"] == ["arn:aws:s3:::layers-of-ours/*"]


@pytest.mark.parametrize(
    ("kms", "resource", "alias"),
    [
        (KEY, KEY, None),
        (KEY.rpartition("/")[2], KEY, None),
        ("alias/layers", f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/*", "alias/layers"),
        (
            "arn:aws:kms:eu-west-1:999999999999:alias/layers",
            "arn:aws:kms:eu-west-1:999999999999:key/*",
            "alias/layers",
        ),
    ],
    ids=["arn", "id", "alias", "arn-of-an-alias"],
)
def test_a_key_may_be_used_through_s3_only(kms: str, resource: str, alias: str | None) -> None:
    (statement,) = (
        each for each in statements(replace(S3, kms=kms)) if "kms:Decrypt" in each["Action"]
    )

    assert statement["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]
    assert statement["Resource"] == [resource]
    condition = {"StringLike": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}}
    if alias:
        condition["ForAnyValue:StringEquals"] = {"kms:ResourceAliases": alias}
    assert statement["Condition"] == condition


def test_functions_are_listed_in_the_regions_where_something_is_retained() -> None:
    there = replace(DIRECT, region="us-east-1", retain=True)

    (statement,) = (
        each
        for each in statements(DIRECT, there, replace(there, region="eu-north-1"))
        if "lambda:ListFunctions" in each["Action"]
    )

    assert statement["Condition"] == {
        "StringLike": {"aws:RequestedRegion": ["eu-north-1", "us-east-1"]}
    }


def test_an_account_and_a_region_that_are_not_known_are_open() -> None:
    grant = replace(ALL, account="*", region="*", bucket="layers-*", kms="1234abcd")

    assert allowed(grant)["lambda:PublishLayerVersion"] == ["arn:aws:lambda:*:*:layer:orders"]
    assert allowed(grant)["s3:ListBucket"] == ["arn:aws:s3:::layers-*"]
    # In the other operators an asterisk is nothing but itself.
    conditions = [each["Condition"] for each in statements(grant) if "Condition" in each]
    assert [
        {operator: "*" in str(keys)} for each in conditions for operator, keys in each.items()
    ] == [
        {"StringLike": True},
        {"StringLike": True},
    ]


def test_another_partition_is_in_every_arn() -> None:
    grant = replace(ALL, partition="aws-cn", region="cn-north-1", kms="1234abcd")

    resources = [each for found in allowed(grant).values() for each in found if each != "*"]

    assert len(resources) > 10
    assert all(each.startswith("arn:aws-cn:") for each in resources)
    assert "ViaService" not in policy_document([grant])


def test_layers_and_regions_are_gathered_in_few_statements() -> None:
    grants = [
        replace(ALL, region=region, layer_name=name, kms=None, ssm_parameter=None)
        for region in ("eu-west-1", "us-east-1", "ap-south-1")
        for name in ("a", "b")
    ]

    assert len(statements(*grants)) == 5
    assert len(allowed(*grants)["lambda:PublishLayerVersion"]) == 6
    for one in permutations(grants[:3]):
        assert policy_document(one) == policy_document(grants[:3])


def test_a_layer_gets_no_more_because_of_another() -> None:
    other = replace(DIRECT, layer_name="web", retain=True, permit=True)

    found = allowed(DIRECT, other)

    assert found["lambda:DeleteLayerVersion"] == [f"{LAYER[:-6]}web:*"]
    assert found["lambda:AddLayerVersionPermission"] == [f"{LAYER[:-6]}web:*"]
    assert sorted(found["lambda:GetLayerVersion"]) == [f"{LAYER}:*", f"{LAYER[:-6]}web:*"]


def test_every_call_that_is_made_is_allowed() -> None:
    # The action stands with each call, for the message when it is denied.
    modules = set(Path(aws.__file__).parent.glob("*.py"))
    # That one is for builds.
    modules -= {each for each in modules if each.name == "codeartifact.py"}
    sources = [each.read_text("utf-8") for each in modules]
    called = {name for text in sources for name in re.findall(r'"([a-z0-9]+:[A-Z]\w+)"', text)}
    # Neither is in the policy, see iam_policy.py.
    called -= {"sts:GetCallerIdentity", "sts:AssumeRole"}
    # Of `versions`, which publishes nothing.
    called -= {"lambda:GetAccountSettings"}

    assert len(called) > 8
    assert called - set(allowed(ALL, REVOKING)) == set()


def test_the_size_is_counted_as_iam_counts_it() -> None:
    assert policy_size('{"a":\n  [1, 2]\t}') == len('{"a":[1,2]}')
    assert policy_size(policy_document([ALL])) < MANAGED_POLICY_LIMIT / 3


def test_every_action_and_its_resource_are_in_the_service_authorization_reference() -> None:
    # cfn-lint carries the reference as data, refreshed with its releases.
    path = files("cfnlint").joinpath("data", "AdditionalSpecs", "Policies.json")
    services = json.loads(path.read_text(encoding="utf-8"))

    for action, resources in allowed(ALL, REVOKING).items():
        service, _, name = action.partition(":")
        reference = services[service]["Actions"][name.lower()]
        kinds = [each.lower() for each in reference.get("Resources", [])]
        if not kinds:
            # See iam_policy.py for the one that can be restricted though the reference denies it.
            assert resources == ["*"] or name == "ListLayerVersions"
            continue
        forms = [
            form.replace("${Partition}", "aws")
            .replace("${Region}", "eu-west-1")
            .replace("${Account}", ACCOUNT)
            .replace(".*", "*")
            for kind in kinds
            for form in services[service]["Resources"][kind]["ARNFormats"]
        ]
        for resource in resources:
            assert any(fnmatch.fnmatchcase(resource, form) for form in forms), action


@pytest.mark.parametrize("grant", [DIRECT, S3, ALL, REVOKING, replace(ALL, kms="alias/layers")])
def test_a_linter_of_policies_finds_no_fault_with_it(grant: Grant) -> None:
    properties = {"PolicyDocument": json.loads(policy_document([grant]))}
    template = {"Resources": {"P": {"Type": "AWS::IAM::ManagedPolicy", "Properties": properties}}}

    matches = lint_all(json.dumps(template))

    assert [str(each) for each in matches if each.rule.severity != "informational"] == []
