"""The options of `[tool.lambda-layer.publish]`."""

from __future__ import annotations

from ..publish import (
    ACCOUNT_ID,
    LAYER_NAME,
    OF_ACCOUNT,
    ORGANIZATION,
    PARAMETER,
    REGION,
    ROLE,
    S3_DIR,
    STORAGES,
)
from ..publish_limits import LAYER_VERSION
from .forms import FLAG, LINE, TEXT, Option, choice, either, number, table, tables, text, texts

PERMISSIONS = (
    Option(
        key="accounts",
        form=texts(ACCOUNT_ID[0]),
        default="`[]`",
        description="the numbers of the accounts that may use it",
    ),
    Option(
        key="organization",
        form=text(ORGANIZATION[0]),
        default="none",
        description="the ID of the organization whose accounts may use it",
    ),
    Option(
        key="public",
        form=FLAG,
        default="`false`",
        description="everyone may use it",
    ),
)
_COMMON = (
    Option(
        key="regions",
        form=texts(REGION[0]),
        default="`AWS_DEFAULT_REGION`, `AWS_REGION`, the profile's",
        description="each gets a version; one that fails leaves the others done",
    ),
    Option(
        key="s3-dir",
        form=either(text(S3_DIR[0]), tables(text(S3_DIR[0]), names=REGION[0])),
        default="none: directly, up to 50 MB",
        description=(
            "where zip and manifests go, may have `{region}`, `{layer-name}` and `{architecture}` "
            'in it; or one for each Region, `{ eu-west-1 = "s3://…" }`'
        ),
        page="publishing.md#on-s3",
    ),
    Option(
        key="bucket-owner",
        form=text(ACCOUNT_ID[0]),
        default="the account itself",
        description="the account that owns the bucket",
    ),
    Option(
        key="kms",
        form=LINE,
        default="the bucket's own",
        description="the key that objects are encrypted with",
    ),
    Option(
        key="profile",
        form=LINE,
        default="none",
        description="a profile of AWS's configuration",
    ),
    Option(
        key="role-arn",
        form=text(ROLE[0]),
        default="none",
        description="a role to take on, with the profile if there is one",
    ),
)
# Those of them that an account may have for itself.
ACCOUNT = tuple(option for option in _COMMON if option.key in OF_ACCOUNT)
PUBLISH = (
    Option(
        key="layer-name",
        form=text(LAYER_NAME[0]),
        default="the project's name, then `-` and the layer's",
        description=(
            "the name of the layer on Lambda; may have `{layer}`, `{runtime}` (as `python313`) and "
            "`{architecture}` in it"
        ),
    ),
    *_COMMON,
    Option(
        key="license",
        form=LINE,
        default="none",
        description="`LicenseInfo` of the version",
    ),
    Option(
        key="description",
        form=LINE,
        default="none",
        description="text before what tells the content, about 115 characters",
        page="publishing.md",
    ),
    Option(
        key="permissions",
        form=table(PERMISSIONS),
        default="none",
        description="who else may use it: `accounts`, `organization`, `public`",
    ),
    Option(
        key="retain",
        form=number(1),
        default="all",
        description=(
            "how many versions to keep; never deletes the newest, nor one that a function of the "
            "account uses"
        ),
    ),
    Option(
        key="ssm-parameter",
        form=text(PARAMETER[0]),
        default="none",
        description="a parameter that has the ARN, such as `/layers/{layer-name}`",
    ),
    Option(
        key="tags",
        form=tables(TEXT),
        default="none",
        description="tags of the objects on S3",
    ),
    Option(
        key="max-growth",
        form=text(r"\s*\d{1,9}(?:\.\d{1,6})?\s*(?:%|[bB]|[kKmMgG][iI]?[bB])\s*"),
        default="none",
        description=(
            'how much larger than the live version it may be, unpacked: `"10 MiB"`, `"5 %"`'
        ),
        page="publishing.md#how-much-room-it-takes",
    ),
    Option(
        key="alongside",
        form=texts(LAYER_VERSION),
        default="`[]`",
        description=(
            "layer versions of others that the same functions use, by ARN (with `{region}` and "
            '`{account}`) or `"name:3"`: the sum is checked'
        ),
        page="publishing.md#how-much-room-it-takes",
    ),
    Option(
        key="storage",
        form=choice(STORAGES),
        default=f'`"{STORAGES[0]}"`',
        description="whether Lambda copies the zip from the bucket, or reads it there",
        page="publishing.md#zips-that-lambda-refers-to",
    ),
    Option(
        key="accounts",
        form=tables(table(ACCOUNT)),
        default="none",
        description="several accounts, each a table with keys of its own",
        page="options.md#accounts",
    ),
)
