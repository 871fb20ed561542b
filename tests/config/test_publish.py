"""`[tool.lambda-layer.publish]` is read once, and whatever is wrong with it is said in one go."""

from __future__ import annotations

import tomllib

import pytest

from hatch_lambda_layer.config.matrix import Matrix
from hatch_lambda_layer.config.publish import Destination, Permissions, PublishConfig
from hatch_lambda_layer.exceptions import ConfigError
from hatch_lambda_layer.layout import LayerS3Layout

PROJECT = '[project]\nname = "Orders_API"\n'
DIGEST = f"sha256:{'ab' * 32}"
CODE = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


def configs(
    table: str, project: str = PROJECT, **overrides: object
) -> dict[str | None, PublishConfig]:
    text = f"{project}[tool.lambda-layer]\nruntimes = ['python3.13']\n{table}"
    return PublishConfig.from_pyproject(tomllib.loads(text), overrides)


def read(keys: str, project: str = PROJECT, **overrides: object) -> PublishConfig:
    (config,) = configs(f"[tool.lambda-layer.publish]\n{keys}", project, **overrides).values()
    return config


def problems(keys: str, project: str = PROJECT) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(keys, project)
    return [
        each.removeprefix("Field `tool.lambda-layer.publish.") for each in caught.value.problems
    ]


def test_nothing_has_to_be_said() -> None:
    assert read("") == PublishConfig(
        project="orders-api",
        layer=None,
        layer_name="orders-api",
        description="",
        license="",
        destinations=(Destination(),),
        permissions=Permissions(),
        retain=None,
        tags=(),
        ssm_parameter=None,
    )


def test_everything_can_be_said() -> None:
    config = read("""
        layer-name = "orders-{runtime}-{architecture}"
        s3-dir = "s3://layers-{region}/{layer-name}/x"
        regions = ["eu-west-1", "us-gov-west-1"]
        description = "What orders need"
        license = "MIT"
        retain = 10
        profile = "ci"
        role-arn = "arn:aws:iam::111122223333:role/a/publish"
        bucket-owner = "444455556666"
        kms = "alias/layers"
        tags = { team = "orders", "cost centre" = "7" }
        ssm-parameter = "/layers/{layer-name}"
        permissions = { accounts = ["111122223333"], organization = "o-a1b2c3d4e5", public = true }
    """)
    first, second = config.destinations
    assert first == Destination(
        region="eu-west-1",
        profile="ci",
        role_arn="arn:aws:iam::111122223333:role/a/publish",
        s3_dir="s3://layers-{region}/{layer-name}/x",
        bucket_owner="444455556666",
        kms="alias/layers",
    )
    assert second.region == "us-gov-west-1"
    assert config.permissions == Permissions(
        accounts=("111122223333",), organization="o-a1b2c3d4e5", public=True
    )
    assert config.tags == (("cost centre", "7"), ("team", "orders"))
    assert config.retain == 10
    assert config.name_for("python3.13", "arm64") == "orders-python313-arm64"


@pytest.mark.fault(3)
def test_everything_that_is_wrong_is_said_with_its_key() -> None:
    found = problems("""
        layer-nam = "x"
        layer-name = "a b"
        s3-dir = "bucket/prefix"
        regions = ["Ireland", "eu-west-1", "eu-west-1"]
        description = "two\\nlines"
        retain = 0
        role-arn = "admin"
        bucket-owner = "12"
        tags = { "a" = "&", b = 1 }
        ssm-parameter = "/layers/{layer-nam}"
        permissions = { accounts = ["1"], organisation = "o-a1b2c3d4e5", public = "yes" }
    """)
    keys = [each.partition("`")[0] for each in found]
    assert sorted(keys) == sorted(
        [
            "layer-nam",
            "layer-name",
            "s3-dir",
            "regions[0]",
            "regions",
            "description",
            "retain",
            "role-arn",
            "bucket-owner",
            "tags.a",
            "tags.b",
            "ssm-parameter",
            "permissions.accounts[0]",
            "permissions.organisation",
            "permissions.public",
        ]
    )
    text = "\n".join(found)
    assert "layer-nam` is unknown (did you mean `layer-name`?)" in text
    assert "permissions.organisation` is unknown (did you mean `organization`?)" in text
    assert (
        "has no placeholder `{layer-nam}`, only `{layer-name}` (did you mean `layer-name`?)" in text
    )


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ('layer-name = "a-{runtime"', "whose braces hold placeholders"),
        ('layer-name = "a-{python}"', "has no placeholder `{python}`"),
        ('s3-dir = "s3://b/{}"', "must be an S3 URI"),
        ('s3-dir = "s3://bucket/{stage}"', "has no placeholder `{stage}`"),
        ("s3-dir = { eu-west-1 = 7 }", "s3-dir.eu-west-1` must be an S3 URI"),
        ('s3-dir = { europe = "s3://b" }', "s3-dir.europe` is not the name of a Region"),
        ("accounts = { prod = 7 }", "accounts.prod` must be a table"),
        ("accounts = { prod = { region = [] } }", "accounts.prod.region` is unknown"),
        ('accounts = { prod = { role-arn = "x" } }', "accounts.prod.role-arn` must be the ARN"),
        ("permissions = 7", "permissions` must be a table"),
        ('s3-bucket = "b"', "s3-bucket` is unknown (did you mean `s3-dir`?)"),
        ('name = "n"', "name` is unknown (did you mean `layer-name`?)"),
        ("tags = {a='',b='',c='',d='',e='',f='',g='',h='',i='',j='',k=''}", "has 11 tags"),
    ],
)
def test_what_is_wrong_within_a_value_is_said(keys: str, said: str) -> None:
    assert [each for each in problems(keys) if said in each]


def test_a_table_that_is_none_is_said() -> None:
    with pytest.raises(ConfigError, match=r"tool\.lambda-layer\.publish` must be a table"):
        configs("publish = 7")
    with pytest.raises(ConfigError, match=r"layers\.ml\.publish` must be a table"):
        configs("[tool.lambda-layer.layers.ml]\npublish = 7")


def test_without_a_project_the_layer_needs_a_name() -> None:
    assert problems("", project="") == ["layer-name` is required, as there is no `project.name`"]
    assert read('layer-name = "x"', project="").layer_name == "x"


def test_a_layer_inherits_what_it_does_not_say() -> None:
    found = configs("""
        [tool.lambda-layer.publish]
        license = "MIT"
        regions = ["eu-west-1"]
        permissions = { public = true }
        [tool.lambda-layer.layers.ml.publish]
        license = "BSD-3-Clause"
        [tool.lambda-layer.layers.web]
    """)
    assert [config.layer_name for config in found.values()] == [
        "orders-api",
        "orders-api-ml",
        "orders-api-web",
    ]
    assert [config.license for config in found.values()] == ["MIT", "BSD-3-Clause", "MIT"]
    assert {config.destinations[0].region for config in found.values()} == {"eu-west-1"}
    assert all(config.permissions.public for config in found.values())


def test_one_name_for_several_layers_is_refused() -> None:
    layers = "[tool.lambda-layer.layers.ml]\n[tool.lambda-layer.publish]\n"
    with pytest.raises(ConfigError, match=r"`\{layer\}`"):
        configs(f'{layers}layer-name = "shared"')
    found = configs(f'{layers}layer-name = "shared-{{layer}}"')
    assert found["ml"].name_for("python3.13", "arm64") == "shared-ml"


def test_what_is_wrong_is_said_where_it_is_written_only() -> None:
    with pytest.raises(ConfigError) as caught:
        configs("[tool.lambda-layer.layers.ml]\n[tool.lambda-layer.publish]\nretain = 0\nx = 1")
    assert len(caught.value.problems) == 2


def test_accounts_inherit_and_override() -> None:
    config = read("""
        regions = ["eu-west-1", "us-east-2"]
        s3-dir = { eu-west-1 = "s3://here/x" }
        [tool.lambda-layer.publish.accounts.stage]
        [tool.lambda-layer.publish.accounts.production]
        regions = ["eu-west-1"]
        profile = "prod"
        s3-dir = "s3://there"
    """)
    assert [(each.account, each.region, each.s3_dir) for each in config.destinations] == [
        ("stage", "eu-west-1", "s3://here/x"),
        ("stage", "us-east-2", None),
        ("production", "eu-west-1", "s3://there"),
    ]
    assert [each.label for each in config.destinations][2] == "production, eu-west-1"


def test_the_command_line_counts_instead() -> None:
    config = read('regions = ["eu-west-1"]\nprofile = "ci"', regions=["us-east-2"], profile="me")
    assert config.destinations == (Destination(region="us-east-2", profile="me"),)


@pytest.mark.parametrize(
    ("s3_dir", "bucket", "folder"),
    [
        ("s3://bucket", "bucket", "web/arm64-x86_64"),
        ("s3://bucket/a/b/", "bucket", "a/b/web/arm64-x86_64"),
        ("s3://bucket-{region}/a", "bucket-eu-west-1", "a/web/arm64-x86_64"),
        ("s3://bucket/{layer-name}/a", "bucket", "web/a/arm64-x86_64"),
        ("s3://bucket/{architecture}/{layer-name}", "bucket", "arm64-x86_64/web"),
    ],
)
def test_two_layers_never_share_a_folder(s3_dir: str, bucket: str, folder: str) -> None:
    place = Destination(s3_dir=s3_dir).storage("web", ["x86_64", "arm64"], "eu-west-1")
    assert place == (bucket, LayerS3Layout(folder))


def test_keys_tell_content_and_version() -> None:
    layout = LayerS3Layout("a/web/arm64")
    assert layout.key_layer_zip(DIGEST, CODE) == (
        f"a/web/arm64/layer/layer-{'ab' * 32}-000102030405.zip"
    )
    assert layout.key_manifest(7, "layer.json") == "a/web/arm64/layer/000007/layer.json"
    assert layout.key_manifest(1234567, "x") == "a/web/arm64/layer/1234567/x"
    assert layout.key_last_manifest("layer.json") == "a/web/arm64/layer/last-layer.json"


def test_a_build_takes_no_notice_of_what_is_wrong_with_publishing() -> None:
    text = "[tool.lambda-layer]\nruntimes = ['python3.13']\n[tool.lambda-layer.publish]\nx = 1\n"
    matrix = Matrix.from_pyproject(tomllib.loads(text))
    assert [member.id for member in matrix.members] == ["python3.13-x86_64"]
