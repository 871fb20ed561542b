"""Publications that are killed or that race, and what has to be there after the next one."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, NamedTuple

import botocore.endpoint
import pytest

from hatch_lambda_layer.publishing.descriptions import VersionTag, project_mark
from tests.publishing.runs import Run, warm_session
from tests.publishing.shop import HOME, Shop
from tests.support.aws_server import Aws, Injected, Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hatch_lambda_layer.aws.session import AwsSession

# The calls of a publication, as a test finds them.
CALLS = (
    "HEAD s3",  # the bucket
    "GET lambda",  # the versions
    "HEAD s3",  # the zip
    "PUT s3",
    "HEAD s3",  # its checksum
    "POST lambda",  # the new version
    "GET lambda",  # the versions
    "GET lambda",  # the policy
    "POST lambda",  # the permission
    "HEAD s3",  # the manifest
    "PUT s3",
    "HEAD s3",  # the last manifest
    "PUT s3",
    "POST ssm",  # the parameter
    "POST ssm",
)


class Bench(NamedTuple):
    """A proxy, with sessions that ask through it: an impatient one and a patient one."""

    aws: Aws
    impatient: AwsSession
    patient: AwsSession


def built_shop(root: Path, server: str) -> Shop:
    """Build a layer that every run publishes, each under a name of its own."""
    shop = Shop(root / "shop", Aws(""), server)
    shop.config |= {
        "permissions": {"accounts": ["111122223333"]},
        "ssm-parameter": "/layers/{layer-name}",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "k")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "s")
        patch.setenv("HATCH_LAMBDA_LAYER_CACHE_DIR", str(root / "cache"))
        shop.make_bucket(HOME)
        shop.run("build")
    return shop


@contextmanager
def open_benches(server: str, count: int) -> Iterator[list[Bench]]:
    """Yield as many benches; retries come at once."""
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        # What is killed or ends at once has nothing to tell coverage.
        patch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        patch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=lambda _seconds: None))
        patch.setenv("AWS_ACCESS_KEY_ID", "k")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "s")
        benches = []
        for _ in range(count):
            aws = stack.enter_context(Proxy(server)).aws
            patch.setenv("AWS_ENDPOINT_URL", aws.endpoint)
            benches.append(Bench(aws, warm_session(HOME), warm_session(HOME, timeout=None)))
        yield benches


class Layer:
    """A layer with an older version, under a name of its own."""

    def __init__(self, shop: Shop, name: str) -> None:
        self.shop = shop
        self.name = name
        self.folder = f"{name}/x86_64/layer"
        tag = VersionTag(
            content_digest=f"sha256:{'0' * 64}",
            code="0" * 12,
            inputs="0" * 16,
            project=project_mark("shop"),
        )
        shop.functions().publish_layer_version(
            LayerName=name, Description=tag.describe(""), Content={"ZipFile": b"old"}
        )
        shop.s3().put_object(
            Bucket=shop.bucket(HOME),
            Key=f"layers/{self.folder}/last-layer.json",
            Body=b"old",
            Metadata={"layer-version": "1"},
        )

    def check_whole(self) -> None:
        """Check that the content is there once, with all that belongs to it."""
        old, new = self.shop.digests(name=self.name)
        assert old == f"sha256:{'0' * 64}"
        manifest = self.shop.manifest()
        assert new == manifest["content_digest"]
        for key in ("000002/layer.json", "last-layer.json"):
            assert json.loads(self.shop.stored(f"{self.folder}/{key}")) == manifest
        policy = self.shop.functions().get_layer_version_policy(
            LayerName=self.name, VersionNumber=2
        )
        # moto takes a statement twice, where AWS refuses the second one.
        statements = {each["Sid"] for each in json.loads(policy["Policy"])["Statement"]}
        assert statements == {"account-111122223333"}
        parameter = self.shop.client("ssm").get_parameter(Name=f"/layers/{self.name}")
        assert parameter["Parameter"]["Value"] == self.shop.arn(2, name=self.name)


def recover(layer: Layer, session: AwsSession) -> None:
    """Publish without a fault, and check that everything is there, once."""
    again = Run(layer.shop.root, layer.name)
    versions = again.publish(session)
    assert again.errors == []
    assert [version.arn for version in versions] == [layer.shop.arn(2, name=layer.name)]
    layer.check_whole()


def kill_at_call(layer: Layer, bench: Bench, call: int, *, before: bool) -> None:
    """Publish in a process that is killed before or after one of its calls is answered."""
    process = process_of(layer, bench.aws)

    def kill() -> None:
        assert process.pid
        os.kill(process.pid, signal.SIGKILL)

    with bench.aws.watch():
        # The first call of a process asks who it is.
        bench.aws.faults = [Injected(call + 1, kill, before=before)]
        process.start()
        process.join(60)
        bench.aws.faults = []
    assert process.exitcode == -signal.SIGKILL


def process_of(layer: Layer, aws: Aws) -> multiprocessing.process.BaseProcess:
    environment = {
        "AWS_ENDPOINT_URL": aws.endpoint,
        "AWS_ACCESS_KEY_ID": "k",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_EC2_METADATA_DISABLED": "true",
        "HATCH_LAMBDA_LAYER_CACHE_DIR": str(layer.shop.root.parent / "cache"),
    }
    from tests.publishing.forked import publish_alone

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([publish_alone.__module__])
    return context.Process(target=publish_alone, args=(layer.shop.root, layer.name, environment))


def ten_at_once(layer: Layer, bench: Bench) -> None:
    """Publish ten times at once, and check that all agree on one version."""
    processes = [process_of(layer, bench.aws) for _ in range(10)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 10
    _, *new = layer.shop.digests(name=layer.name)
    assert set(new) == {layer.shop.manifest()["content_digest"]}
    said = [path.read_text("utf-8") for path in layer.shop.root.parent.glob(f"{layer.name}-*")]
    assert said == [layer.shop.arn(2, name=layer.name)] * 10
    recover_race = Run(layer.shop.root, layer.name).publish(bench.patient)
    assert [version.arn for version in recover_race] == [layer.shop.arn(2, name=layer.name)]
    assert json.loads(layer.shop.stored(f"{layer.folder}/last-layer.json")) == layer.shop.manifest()
