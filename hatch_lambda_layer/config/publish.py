"""`[tool.lambda-layer.publish]` as frozen values: read once, every error in one go."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .._internal.tables import table_at, value_at
from ..exceptions import ConfigError, backticked
from ..layout import LayerS3Layout
from .custom_runtimes import read_custom_runtimes
from .layer import LAMBDA_UNPACKED_LIMIT, TABLE
from .publish_limits import Growth, read_beside, read_growth
from .reader import TableReader, nearest
from .tags import read_tags

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
ACCOUNT_ID = (r"\d{12}", "an AWS account ID of 12 digits")
_ARN = r"arn:aws[a-z-]*:"
ROLE = (_ARN + r"iam::\d{12}:role/\S+", "the ARN of a role")
ORGANIZATION = (r"o-[a-z0-9]{10,32}", "an organization ID, such as 'o-a1b2c3d4e5'")
REGION = (r"[a-z]{2,}(-[a-z]+)+-\d+", "a Region, such as 'eu-west-1'")
# The name of the bucket may hold the placeholder `{region}`.
S3_DIR = (r"s3://[a-z0-9.{}-]{3,}(/\S*)?", "an S3 URI, such as 's3://bucket/prefix'")
_NOT_EMPTY = (r"[^\r\n]*\S[^\r\n]*", "a line of text")
# Lambda's own limits for these are checked by `aws.service_model`.
LAYER_NAME = (r"[A-Za-z0-9_{}-]+", "letters, digits, `-`, `_` and placeholders")
PARAMETER = (r"[A-Za-z0-9_./{}-]+", "a parameter's name, such as '/layers/{layer-name}'")
# What other tools call these keys.
_MEANT = {"bucket": "s3-dir", "name": "layer-name"}
_MEANT |= dict.fromkeys(("s3-bucket", "s3-prefix", "s3-uri", "s3"), "s3-dir")

COPY, REFERENCE = STORAGES = ("copy", "reference")
_IN_NAME = ("layer", "runtime", "architecture")
_IN_S3_DIR = ("layer-name", "architecture", "region")
_IN_PARAMETER = ("layer-name",)


@dataclass(frozen=True, kw_only=True, slots=True)
class Permissions:
    """Who else may use a layer: accounts and one organization by their ids, or everyone."""

    accounts: tuple[str, ...] = ()
    organization: str | None = None
    public: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Destination:
    """One Region of one account: where a layer version is published.

    `account` is the account's name in the configuration, `None` if it has none there. `region` is
    `None` for the one in AWS's own settings. `s3_dir` may hold placeholders; `None` means that the
    zip is uploaded to Lambda directly. `bucket_owner` is the id of the account that owns the
    bucket, `None` if it is the account to which is published.
    """

    account: str | None = None
    region: str | None = None
    profile: str | None = None
    role_arn: str | None = None
    s3_dir: str | None = None
    bucket_owner: str | None = None
    kms: str | None = None

    @property
    def label(self) -> str:
        """The name in messages, such as `eu-west-1` or `production, eu-west-1`."""
        return ", ".join(filter(None, [self.account, self.region])) or "default Region"

    def storage(
        self, layer_name: str, architectures: Iterable[str], region: str
    ) -> tuple[str, LayerS3Layout] | None:
        """Return the bucket's name and the keys of a layer's objects; `None` without `s3_dir`."""
        if self.s3_dir is None:
            return None
        architecture = "-".join(sorted(architectures))
        values = {"layer-name": layer_name, "architecture": architecture, "region": region}
        named = placeholders(self.s3_dir)
        bucket, _, prefix = fill(self.s3_dir, values).removeprefix("s3://").partition("/")
        rest = [values[part] for part in ("layer-name", "architecture") if part not in named]
        return bucket, LayerS3Layout("/".join(filter(None, [prefix.strip("/"), *rest])))

    @property
    def regional_bucket(self) -> bool:
        """Whether `s3_dir` has a placeholder for the Region."""
        return "region" in placeholders(self.s3_dir or "")


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishConfig:
    """The configuration for publishing one layer of the matrix.

    `layer_name` may hold placeholders; `project` is the project's normalised name, empty if it has
    none. `retain` is the number of versions to keep, `None` for all. `tags` are those of objects on
    S3. `alongside` are the layer versions of others that functions use together with this one, as
    they are written; `function_size` is what such a function brings itself, in bytes, unpacked.
    `storage` is whether Lambda copies the zip from the bucket, or refers to it there.
    `custom_runtimes` are the project's own, each with Lambda's runtimes that it stands for.
    """

    project: str
    layer: str | None
    layer_name: str
    description: str
    license: str
    destinations: tuple[Destination, ...]
    permissions: Permissions
    retain: int | None
    tags: tuple[tuple[str, str], ...]
    ssm_parameter: str | None
    max_growth: Growth | None = None
    alongside: tuple[str, ...] = ()
    function_size: int = 0
    storage: str = COPY
    custom_runtimes: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @classmethod
    def from_pyproject(
        cls, pyproject: Mapping[str, object], overrides: Mapping[str, object] | None = None
    ) -> dict[str | None, PublishConfig]:
        """Read the tables of a parsed `pyproject.toml`, by layer; `None` is the unnamed one.

        `overrides` are keys that replace those in the tables. Raises `ConfigError` with every
        problem.
        """
        from packaging.utils import canonicalize_name

        tool = table_at(pyproject, "tool", "lambda-layer")
        project = value_at(pyproject, "project", "name")
        name = canonicalize_name(project) if isinstance(project, str) else ""
        problems: list[str] = []
        shared = tool.get("publish", {})
        if not isinstance(shared, dict):
            raise ConfigError([f"Field `{TABLE}.publish` must be a table"])
        own: dict[str | None, object] = {None: shared}
        own |= {
            layer: table.get("publish", {}) if isinstance(table, dict) else {}
            for layer, table in table_at(tool, "layers").items()
        }
        # What is wrong with them is said where they are read for a build.
        own_runtimes = read_custom_runtimes(pyproject, [])
        custom = tuple((each, runtime.compatible or ()) for each, runtime in own_runtimes.items())
        configs = {}
        for layer, table in own.items():
            if not isinstance(table, dict):
                problems.append(f"Field `{TABLE}.layers.{layer}.publish` must be a table")
                continue
            merged = {**shared, **table, **(overrides or {})}
            reader = _PublishReader(layer, merged, table.keys(), problems)
            inherited = {**tool, **table_at(tool, "layers", layer or "")}
            function = TableReader(TABLE, inherited, []).size(
                "function-size", LAMBDA_UNPACKED_LIMIT, 0
            )
            configs[layer] = replace(
                reader.read(name), custom_runtimes=custom, function_size=function
            )
        if problems:
            raise ConfigError(problems)
        return configs

    def compatible_with(self, runtime: str) -> Collection[str]:
        """Return the runtimes of Lambda's that a layer for `runtime` is published with."""
        return dict(self.custom_runtimes).get(runtime, (runtime,))

    def name_for(self, runtime: str, architecture: str) -> str:
        """Return the name of the layer for a member of the matrix.

        The dot of a runtime is left out, since Lambda allows none: `python3.13` gives `python313`.
        """
        runtime = runtime.replace(".", "")
        values = {"layer": self.layer or "", "runtime": runtime, "architecture": architecture}
        return fill(self.layer_name, values)


def fill(template: str, values: Mapping[str, str]) -> str:
    """Return a template with each name in braces replaced by its value."""
    return _PLACEHOLDER.sub(lambda match: values[match[1]], template)


def placeholders(template: str) -> set[str]:
    """Return the names that a template has in braces."""
    return set(_PLACEHOLDER.findall(template))


class _PublishReader(TableReader):
    """A reader of one layer's table; `own` are the keys that are written in it, not inherited."""

    def __init__(
        self,
        layer: str | None,
        table: Mapping[str, object],
        own: Collection[str],
        problems: list[str],
    ) -> None:
        prefix = f"{TABLE}.publish" if layer is None else f"{TABLE}.layers.{layer}.publish"
        super().__init__(prefix, table, problems, written=None if layer is None else own)
        self._layer = layer
        self._all_problems = problems

    def read(self, project: str) -> PublishConfig:
        """Read the whole table; problems are collected."""
        self.check_known(KEYS, _MEANT)
        destinations = self._destinations()
        if self.value("storage") == REFERENCE and not all(each.s3_dir for each in destinations):
            self.say("storage", "is 'reference', which needs an `s3-dir` for every Region")
        return PublishConfig(
            project=project,
            layer=self._layer,
            layer_name=self._layer_name(project),
            description=self.text("description", *_NOT_EMPTY) or "",
            license=self.text("license", *_NOT_EMPTY) or "",
            destinations=destinations,
            permissions=self._permissions(),
            retain=self.number("retain", 1),
            tags=read_tags(self),
            ssm_parameter=self._template("ssm-parameter", PARAMETER, _IN_PARAMETER),
            max_growth=read_growth(self),
            alongside=read_beside(self),
            storage=self.choice("storage", STORAGES) or COPY,
        )

    def _template(self, key: str, form: tuple[str, str], allowed: Collection[str]) -> str | None:
        value = self.text(key, *form)
        unknown = sorted(placeholders(value or "") - set(allowed))
        for name in unknown:
            known = backticked(f"{{{each}}}" for each in allowed)
            self.say(key, f"has no placeholder `{{{name}}}`, only {known}{nearest(name, allowed)}")
        if value is not None and not unknown and re.search(r"[{}]", _PLACEHOLDER.sub("", value)):
            self.wrong(key, "a text whose braces hold placeholders", value)
        return None if unknown else value

    def _layer_name(self, project: str) -> str:
        name = self._template("layer-name", LAYER_NAME, _IN_NAME)
        if name is None and self.value("layer-name") is None:
            if not project:
                self.say("layer-name", "is required, as there is no `project.name`")
            return f"{project}-{self._layer}" if self._layer else project
        # Only an inherited name can be that of two layers by mistake.
        inherited = self._written is not None and "layer-name" not in self._written
        if inherited and name and "layer" not in placeholders(name):
            self._all_problems.append(
                f"Field `{TABLE}.publish.layer-name` is {name!r} for the layer `{self._layer}`, "
                "too: put `{layer}` in it, or set "
                f"`{TABLE}.layers.{self._layer}.publish.layer-name`"
            )
        return name or ""

    def _permissions(self) -> Permissions:
        table = self.table("permissions")
        reader = self._inner("permissions", table)
        reader.check_known(("accounts", "organization", "public"))
        return Permissions(
            accounts=reader.texts("accounts", *ACCOUNT_ID),
            organization=reader.text("organization", *ORGANIZATION),
            public=reader.flag("public"),
        )

    def _destinations(self) -> tuple[Destination, ...]:
        accounts = self.table("accounts")
        if not accounts:
            return self._destinations_in(None)
        found: list[Destination] = []
        for name, table in accounts.items():
            if not isinstance(table, dict):
                self.wrong(f"accounts.{name}", "a table", table)
                continue
            inherited = {key: self.value(key) for key in OF_ACCOUNT if self.value(key) is not None}
            reader = self._inner(f"accounts.{name}", {**inherited, **table}, table.keys())
            reader.check_known(OF_ACCOUNT)
            found += reader._destinations_in(name)  # noqa: SLF001  # it is of this very class
        return tuple(found)

    def _destinations_in(self, account: str | None) -> tuple[Destination, ...]:
        regions = self.texts("regions", *REGION)
        s3_dirs = self._s3_dirs()
        profile = self.text("profile", *_NOT_EMPTY)
        role_arn = self.text("role-arn", *ROLE)
        bucket_owner = self.text("bucket-owner", *ACCOUNT_ID)
        kms = self.text("kms", *_NOT_EMPTY)
        return tuple(
            Destination(
                account=account,
                region=region,
                profile=profile,
                role_arn=role_arn,
                s3_dir=s3_dirs.get(region, s3_dirs.get(None)),
                bucket_owner=bucket_owner,
                kms=kms,
            )
            for region in (regions or (None,))
        )

    def _s3_dirs(self) -> dict[str | None, str]:
        """Return the S3 URIs by Region; that of `None` is for every other Region."""
        value = self.value("s3-dir")
        if not isinstance(value, dict):
            folder = self._template("s3-dir", S3_DIR, _IN_S3_DIR)
            return {None: folder} if folder else {}
        reader = self._inner("s3-dir", value)
        for region in value:
            if re.fullmatch(REGION[0], region) is None:
                reader.say(region, f"is not the name of {REGION[1]}")
        folders = {
            region: reader._template(region, S3_DIR, _IN_S3_DIR)  # noqa: SLF001  # its own class
            for region in value
        }
        return {region: folder for region, folder in folders.items() if folder}

    def _inner(
        self, key: str, table: Mapping[str, object], own: Collection[str] | None = None
    ) -> _PublishReader:
        """Return a reader of a table in this one; it collects nothing if the table is inherited."""
        inner = _PublishReader(self._layer, table, (), self._all_problems)
        inner._prefix = f"{self._prefix}.{key}"
        inherited = self._written is not None and key.split(".", maxsplit=1)[0] not in self._written
        inner._written = () if inherited else own
        return inner


OF_ACCOUNT = ("regions", "s3-dir", "profile", "role-arn", "bucket-owner", "kms")
KEYS = (
    "layer-name",
    "description",
    "license",
    "permissions",
    "retain",
    "tags",
    "ssm-parameter",
    "accounts",
    "max-growth",
    "alongside",
    "storage",
    *OF_ACCOUNT,
)
