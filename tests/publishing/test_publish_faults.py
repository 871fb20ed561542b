"""Whatever call of a publication fails, and however: the next run completes it, once.

Faults are real: answers that never come, connections that are reset, processes that are killed.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from types import SimpleNamespace
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import botocore.endpoint
import pytest

from hatch_lambda_layer.publishing.descriptions import VersionTag
from tests.publishing.runs import Run, warm_session
from tests.publishing.shop import HOME, Shop
from tests.support.aws_server import FAULTS, Aws, Fault, Injected, Proxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hatch_lambda_layer.aws.session import AwsSession

# The calls of a publication, as the first test below finds them.
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
THREADS = 2
Case = TypeVar("Case")
RUNS_WITH_SEVERAL_FAULTS = 200 - len(CALLS) * (len(FAULTS) + 2)


class Bench(NamedTuple):
    """A proxy, with sessions that ask through it: an impatient one and a patient one."""

    aws: Aws
    impatient: AwsSession
    patient: AwsSession


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, server: str) -> Shop:
    """Build a layer that every run publishes, each under a name of its own."""
    root = tmp_path_factory.mktemp("faults")
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


@pytest.fixture(scope="module")
def benches(server: str) -> Iterator[list[Bench]]:
    """Give a bench for each thread; retries come at once."""
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=lambda _seconds: None))
        patch.setenv("AWS_ACCESS_KEY_ID", "k")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "s")
        benches = []
        for _ in range(THREADS):
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
            project=project(shop),
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


def project(shop: Shop) -> str:
    from hatch_lambda_layer.publishing.descriptions import project_mark

    assert shop.root.name == "shop"
    return project_mark("shop")


def recover(layer: Layer, session: AwsSession) -> None:
    """Publish without a fault, and check that everything is there, once."""
    again = Run(layer.shop.root, layer.name)
    versions = again.publish(session)
    assert again.errors == []
    assert [version.arn for version in versions] == [layer.shop.arn(2, name=layer.name)]
    layer.check_whole()


def run_with(faults: Sequence[tuple[int, Fault]], layer: Layer, bench: Bench) -> None:
    with bench.aws.watch():
        bench.aws.faults = [Injected(number, fault) for number, fault in faults]
        first = Run(layer.shop.root, layer.name)
        versions = first.publish(bench.impatient)
        bench.aws.faults = []
    # Either it was done in spite of the fault, or it says what is the matter.
    assert bool(versions) is not bool(first.errors)
    recover(layer, bench.patient)


def side_by_side(
    work: Callable[[Case, Bench], None], cases: Sequence[Case], benches: list[Bench]
) -> None:
    """Do the work on every case, on each bench in a thread."""

    def share(number: int) -> None:
        for case in cases[number::THREADS]:
            try:
                work(case, benches[number])
            except BaseException as error:
                error.add_note(f"in the case {case}")
                raise

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(share, range(THREADS)))


def test_the_calls_of_a_publication_are_those_that_faults_are_tried_at(
    built: Shop, benches: list[Bench]
) -> None:
    layer = Layer(built, f"{built.name}-calls")
    with benches[0].aws.watch() as requests:
        assert Run(built.root, layer.name).publish(benches[0].patient)
    assert tuple(each.call for each in requests) == CALLS
    assert [number for number, each in enumerate(requests) if each.publishes] == [5]
    layer.check_whole()


@pytest.mark.fault(52, 53, 54, 55, 64)
@pytest.mark.parametrize("fault", FAULTS)
def test_after_a_fault_at_any_call_the_next_run_completes_it(
    fault: Fault, built: Shop, benches: list[Bench]
) -> None:
    word = fault.replace(" ", "-")

    def fail_at(call: int, bench: Bench) -> None:
        run_with([(call, fault)], Layer(built, f"{built.name}-{word}-{call}"), bench)

    side_by_side(fail_at, range(len(CALLS)), benches)


@pytest.mark.fault(53, 54)
@pytest.mark.parametrize("half", [0, 1])
def test_after_several_faults_the_next_run_completes_it(
    half: int, built: Shop, benches: list[Bench]
) -> None:

    def fail_at_several(seed: int, bench: Bench) -> None:
        dice = random.Random(seed)  # noqa: S311
        # Retries are calls, too, so that there are more of them than in a publication without.
        calls = dice.sample(range(len(CALLS) + 4), 3)
        faults = [(call, dice.choice(FAULTS)) for call in calls]
        run_with(faults, Layer(built, f"{built.name}-seed-{seed}"), bench)

    side_by_side(fail_at_several, range(half, RUNS_WITH_SEVERAL_FAULTS, 2), benches)


@pytest.mark.fault(41, 55)
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_a_publisher_that_is_killed_at_any_call_is_completed_by_the_next(
    *, before: bool, built: Shop, benches: list[Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    word = "before" if before else "after"

    def kill_at(call: int, bench: Bench) -> None:
        layer = Layer(built, f"{built.name}-killed-{word}-{call}")
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
        recover(layer, bench.patient)

    side_by_side(kill_at, range(len(CALLS)), benches)


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


@pytest.mark.fault(56)
def test_ten_publishers_at_once_agree_on_one_version(built: Shop, benches: list[Bench]) -> None:
    layer = Layer(built, f"{built.name}-race")
    processes = [process_of(layer, benches[0].aws) for _ in range(10)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 10
    _, *new = built.digests(name=layer.name)
    assert set(new) == {built.manifest()["content_digest"]}
    said = [path.read_text("utf-8") for path in built.root.parent.glob(f"{layer.name}-*")]
    assert said == [built.arn(2, name=layer.name)] * 10
    recover_race = Run(built.root, layer.name).publish(benches[0].patient)
    assert [version.arn for version in recover_race] == [built.arn(2, name=layer.name)]
    assert json.loads(built.stored(f"{layer.folder}/last-layer.json")) == built.manifest()
