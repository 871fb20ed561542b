"""A project that publishes a layer, with a name and buckets of its own on moto's server."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from click.testing import CliRunner, Result

from hatch_lambda_layer.cli.main import main
from hatch_lambda_layer.publishing.descriptions import VersionTag
from tests.support.lock_factory import LockedFile, LockedPackage, pylock
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client

    from tests.support.aws_server import Aws

HOME = "eu-west-1"
ACCOUNT = "123456789012"
ALPHA = WheelSpec(name="alpha", files={"alpha/__init__.py": b"A = 1\n", "alpha/a.pyi": b"A: int\n"})
BETA = WheelSpec(name="beta", version="2.1")
X86, ARM = (
    WheelSpec(name="native", tag=f"cp313-cp313-manylinux_2_17_{machine}")
    for machine in ("x86_64", "aarch64")
)


def written(value: object) -> str:
    """Give a value as TOML writes it."""
    if isinstance(value, dict):
        items = ", ".join(f"{json.dumps(key)} = {written(each)}" for key, each in value.items())
        return f"{{ {items} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    return json.dumps(value)


@cache
def _client(service: str, region: str, endpoint: str) -> Any:
    make: Callable[..., Any] = boto3.client
    return make(
        service,
        region_name=region,
        endpoint_url=endpoint,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


@dataclass
class Shop:
    """A project, and what AWS has of it; `server` is moto's address, without the proxy."""

    root: Path
    aws: Aws
    server: str
    name: str = field(default_factory=lambda: f"layer-{secrets.token_hex(6)}")
    layer: dict[str, object] = field(default_factory=lambda: {"runtimes": ["python3.13"]})
    config: dict[str, object] = field(default_factory=dict)
    wheels: tuple[WheelSpec, ...] = (ALPHA, BETA)

    def __post_init__(self) -> None:
        self.root.mkdir(exist_ok=True)
        self.config |= {"regions": [HOME], "s3-dir": f"s3://{self.bucket(HOME)}/layers"}
        self.lock(*self.wheels)

    def bucket(self, region: str) -> str:
        return f"{self.name}-{region}"

    def make_bucket(self, region: str = HOME, **options: Any) -> None:
        self.s3(region).create_bucket(
            Bucket=self.bucket(region),
            CreateBucketConfiguration={"LocationConstraint": region},  # type: ignore[typeddict-item]
            **options,
        )

    def lock(self, *wheels: WheelSpec) -> None:
        """Lock wheels that lie beside the project; those of one name are one package."""
        folder = self.root.with_name(f"{self.root.name}-wheels")
        folder.mkdir(exist_ok=True)
        files: dict[str, list[LockedFile]] = {}
        for wheel in wheels:
            wheel.write(folder)
            path = f"../{folder.name}/{wheel.filename}"
            files.setdefault(wheel.name, []).append(LockedFile.of(wheel, path=path))
        packages = [LockedPackage(wheels=each) for each in files.values()]
        self.lockfile.write_text(pylock(*packages), encoding="utf-8")

    @property
    def lockfile(self) -> Path:
        return self.root / "pylock.toml"

    @property
    def zip(self) -> Path:
        return self.root / "dist" / "layer.zip"

    def manifest(self, name: str = "layer.json") -> dict[str, Any]:
        value: dict[str, Any] = json.loads((self.root / "dist" / name).read_text("utf-8"))
        return value

    def write(self) -> None:
        """Write `pyproject.toml`."""
        publish = {"layer-name": self.name, **self.config}
        layer = {**self.layer, "publish": publish}
        lines = [f"{json.dumps(key)} = {written(value)}" for key, value in layer.items()]
        text = '[project]\nname = "shop"\nversion = "1"\n\n[tool.lambda-layer]\n'
        (self.root / "pyproject.toml").write_text(text + "\n".join(lines) + "\n", "utf-8")

    def run(self, command: str, *arguments: str, code: int = 0, details: bool = False) -> Result:
        """Run a command in this process and check its exit code; only `details` have a trace."""
        result = self.run_any(command, *arguments)
        assert result.exit_code == code, result.output
        assert details or "Traceback" not in result.output
        return result

    def run_any(self, command: str, *arguments: str) -> Result:
        """Run a command in this process, whatever its exit code."""
        self.write()
        whole = [command, *arguments, "--project", str(self.root)]
        if command == "build":
            whole = [command, *arguments, str(self.root)]
        result = CliRunner().invoke(main, whole)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
        return result

    def publish(self, *arguments: str, code: int = 0) -> Result:
        """Publish, with a build; `aws.requests` then has what was asked."""
        with self.aws.watch():
            return self.run("publish", "--build", *arguments, code=code)

    def arn(self, number: int, region: str = HOME, name: str | None = None) -> str:
        return f"arn:aws:lambda:{region}:{ACCOUNT}:layer:{name or self.name}:{number}"

    def client(self, service: str, region: str = HOME) -> Any:
        """Give a client that asks moto's server itself."""
        return _client(service, region, f"http://{self.server}")

    def functions(self, region: str = HOME) -> LambdaClient:
        return self.client("lambda", region)  # type: ignore[no-any-return]

    def s3(self, region: str = HOME) -> S3Client:
        return self.client("s3", region)  # type: ignore[no-any-return]

    def live(self, region: str = HOME, name: str | None = None) -> list[Any]:
        """Give the versions that there are, the oldest first."""
        found = self.functions(region).list_layer_versions(LayerName=name or self.name)
        return sorted(found["LayerVersions"], key=lambda each: each["Version"])

    def digests(self, region: str = HOME, name: str | None = None) -> list[str]:
        """Give the content digest in the Description of each version."""
        tags = [VersionTag.of(each["Description"]) for each in self.live(region, name)]
        return [tag.content_digest if tag else "" for tag in tags]

    def objects(self, region: str = HOME) -> list[str]:
        """Give the keys of the bucket, below its folder."""
        found = self.s3(region).list_objects_v2(Bucket=self.bucket(region)).get("Contents", [])
        return sorted(each["Key"].removeprefix("layers/") for each in found)

    def stored(self, key: str, region: str = HOME) -> bytes:
        found = self.s3(region).get_object(Bucket=self.bucket(region), Key=f"layers/{key}")
        return found["Body"].read()

    def grants(self, number: int = 1, region: str = HOME) -> list[str]:
        """Give the names of the statements in a version's policy."""
        client = self.functions(region)
        policy = client.get_layer_version_policy(LayerName=self.name, VersionNumber=number)
        return [each["Sid"] for each in json.loads(policy["Policy"])["Statement"]]
