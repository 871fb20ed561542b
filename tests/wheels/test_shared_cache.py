"""Machines that share a cache on S3: what one has made, none of the others makes again."""

from __future__ import annotations

import base64
import hashlib
import socket
import sys
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer._internal.console import Console
from hatch_lambda_layer._internal.store import Store
from hatch_lambda_layer.exceptions import ConfigError
from hatch_lambda_layer.wheels import shared_cache
from hatch_lambda_layer.wheels.cache import WheelCache
from hatch_lambda_layer.wheels.fetch import collect_wheels
from hatch_lambda_layer.wheels.selection import LockedWheel
from hatch_lambda_layer.wheels.shared_cache import (
    VARIABLE,
    SharedCacheConfig,
    open_shared_cache,
)
from tests.support.aws_server import Answer, Fault, Injected
from tests.support.displays import Lines
from tests.support.fleet import ACCOUNT, PREFIX, Fleet, Machine
from tests.support.index_server import IndexServer
from tests.support.raw_server import RawServer
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.support.aws_server import Aws

CANARY = "secret-canary"
ALPHA = WheelSpec(name="alpha", version="1.2")
BETA = WheelSpec(name="beta", files={"beta.bin": hashlib.shake_128(b"beta").digest(50_000)})
DENIED = Answer.xml(403, "AccessDenied", "Access Denied")


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[IndexServer]:
    monkeypatch.setenv("NO_PROXY", "*")
    with IndexServer() as running:
        running.add(ALPHA, BETA)
        yield running


@pytest.fixture
def fleet(tmp_path: Path, aws: Aws, server: str) -> Fleet:
    return Fleet(tmp_path / "fleet", aws, server)


def locked(wheel: WheelSpec, location: str) -> LockedWheel:
    return LockedWheel(
        name=wheel.name,
        version=wheel.version,
        filename=wheel.filename,
        sha256=wheel.sha256,
        size=len(wheel.data),
        location=location,
        index_url=None,
    )


def collect(machine: Machine, index: IndexServer, *wheels: WheelSpec) -> list[str]:
    """Collect wheels of the index, and give what the index was asked for."""
    index.requests.clear()
    selection = [locked(each, index.file_url(each.filename)) for each in wheels]
    found = collect_wheels(selection, machine.cache, Console(machine.shown))
    for wheel, spec in zip(found, wheels, strict=True):
        assert wheel.file.read_bytes() == spec.data
    return [each.path.rpartition("/")[2] for each in index.requests]


def key(wheel: WheelSpec) -> str:
    return f"{PREFIX}/v1/wheels/{wheel.sha256}"


def test_a_second_machine_takes_from_the_cache_what_the_first_has_fetched(
    fleet: Fleet, index: IndexServer
) -> None:
    with fleet.aws.watch() as first:
        assert collect(fleet.machine("first"), index, BETA) == [BETA.filename]
    assert [each.call for each in first] == ["POST sts", "GET s3", "PUT s3"]
    asked, put = first[1:]
    assert asked.path == put.path == f"/{fleet.bucket}/{key(BETA)}"
    assert {each.headers["x-amz-expected-bucket-owner"] for each in (asked, put)} == {ACCOUNT}
    assert put.headers["if-none-match"] == "*"
    digest = base64.b64encode(bytes.fromhex(BETA.sha256)).decode()
    assert put.headers["x-amz-checksum-sha256"] == digest
    assert put.headers["x-amz-meta-sha256"] == BETA.sha256
    assert put.body == BETA.data

    second = fleet.machine("second")
    with fleet.aws.watch() as requests:
        assert collect(second, index, BETA) == []
    assert [each.call for each in requests] == ["POST sts", "GET s3"]
    assert second.shown.warnings == []
    assert f"found in s3://{fleet.bucket}/{PREFIX}: wheels/{BETA.sha256}" in second.shown.lines


def test_a_warm_machine_asks_nobody(fleet: Fleet, index: IndexServer) -> None:
    collect(fleet.machine("one"), index, ALPHA, BETA)
    with fleet.aws.watch() as requests:
        assert collect(fleet.machine("one"), index, ALPHA, BETA) == []
    assert requests == []


def test_a_wheel_on_the_disk_of_a_machine_is_not_shared(fleet: Fleet, tmp_path: Path) -> None:
    machine = fleet.machine("one")
    with fleet.aws.watch() as requests:
        path = str(ALPHA.write(tmp_path))
        collect_wheels([locked(ALPHA, path)], machine.cache, Console(machine.shown))
    assert requests == []


def test_with_an_owner_that_is_named_nobody_is_asked_for_the_account(
    fleet: Fleet, index: IndexServer
) -> None:
    machine = fleet.machine("one", **{f"{VARIABLE}_OWNER": "210987654321"})
    with fleet.aws.watch() as requests:
        collect(machine, index, ALPHA)
    assert [each.call for each in requests] == ["GET s3", "PUT s3"]
    owners = {each.headers["x-amz-expected-bucket-owner"] for each in requests}
    assert owners == {"210987654321"}


def test_a_machine_that_only_reads_puts_nothing(fleet: Fleet, index: IndexServer) -> None:
    readonly = {f"{VARIABLE}_READONLY": "1"}
    with fleet.aws.watch() as requests:
        collect(fleet.machine("one", **readonly), index, ALPHA)
    assert [each.call for each in requests] == ["POST sts", "GET s3"]
    collect(fleet.machine("two", **{f"{VARIABLE}_READONLY": "0"}), index, ALPHA)
    assert collect(fleet.machine("three", **readonly), index, ALPHA) == []


@pytest.mark.fault(227)
@pytest.mark.parametrize(
    ("status", "code"), [(412, "PreconditionFailed"), (409, "ConditionalRequestConflict")]
)
def test_of_two_machines_that_put_at_once_neither_fails(
    fleet: Fleet, index: IndexServer, status: int, code: str
) -> None:
    machine = fleet.machine("one")
    fleet.aws.faults = [Injected(lambda each: each.call == "PUT s3", Answer.xml(status, code))]
    assert collect(machine, index, ALPHA) == [ALPHA.filename]
    assert machine.shown.warnings == []
    fleet.aws.faults = []
    assert collect(machine, index, BETA) == [BETA.filename]
    assert fleet.objects() == [key(BETA)]


@pytest.mark.fault(227)
def test_many_machines_at_once_get_the_same_wheels(fleet: Fleet, index: IndexServer) -> None:
    machines = [fleet.machine(str(number)) for number in range(6)]
    threads = [
        threading.Thread(target=collect, args=(each, index, ALPHA, BETA)) for each in machines
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for machine in machines:
        assert machine.shown.warnings == []
        assert machine.cache.holds(locked(ALPHA, ""))
        assert machine.cache.holds(locked(BETA, ""))
    assert sorted(fleet.objects()) == sorted([key(ALPHA), key(BETA)])


# ---- whatever fails, the build goes on


def goes_on_alone(machine: Machine, fleet: Fleet, index: IndexServer, *words: str) -> None:
    """Prove that a machine says once why it no longer uses the cache, and does without it."""
    assert collect(machine, index, ALPHA) == [ALPHA.filename]
    (warning,) = machine.shown.warnings
    assert [each for each in words if each not in warning] == [], warning
    assert f"s3://{fleet.bucket}/{PREFIX}" in warning
    assert VARIABLE in warning
    with fleet.aws.watch() as requests:
        assert collect(machine, index, BETA) == [BETA.filename]
    assert requests == []
    assert machine.shown.warnings == [warning]
    assert CANARY not in machine.shown.text
    left = machine.cache.store.root / "v2" / "tmp"
    assert [each for each in left.rglob("*") if each.is_file()] == []


REFUSED = {
    "denied": (DENIED, ("`s3:GetObject`", "`s3:ListBucket`", ACCOUNT)),
    "no bucket": (Answer.xml(404, "NoSuchBucket"), ("no such bucket",)),
    "throttled": ("throttle", ("too many calls",)),
    "broken": ("error", ("500",)),
    "reset": ("reset", ("can't be reached",)),
    "cut": ("cut after", ("checksum",)),
    "expired": (Answer.xml(400, "ExpiredToken", "It is over"), ("expired",)),
}


@pytest.mark.fault(220)
@pytest.mark.parametrize("name", REFUSED)
def test_a_read_that_fails_is_said_once(fleet: Fleet, index: IndexServer, name: str) -> None:
    fleet.s3.put_object(Bucket=fleet.bucket, Key=key(ALPHA), Body=ALPHA.data)
    fault, words = REFUSED[name]
    machine = fleet.machine("one")
    fleet.aws.faults = [Injected(lambda each: each.call == "GET s3", fault)]  # type: ignore[arg-type]
    goes_on_alone(machine, fleet, index, *words)


@pytest.mark.fault(220)
@pytest.mark.parametrize(
    ("fault", "words"),
    [(DENIED, ("`s3:PutObject`", ACCOUNT)), ("error", ("500",)), ("reset", ("reached",))],
)
def test_a_put_that_fails_is_said_once(
    fleet: Fleet, index: IndexServer, fault: Fault | Answer, words: Sequence[str]
) -> None:
    machine = fleet.machine("one")
    fleet.aws.faults = [Injected(lambda each: each.call == "PUT s3", fault)]
    goes_on_alone(machine, fleet, index, *words)


@pytest.mark.fault(220)
def test_of_many_reads_that_fail_at_once_one_is_told(fleet: Fleet, index: IndexServer) -> None:
    more = [WheelSpec(name=f"more{number}") for number in range(10)]
    index.add(*more)
    machine = fleet.machine("one")
    fleet.aws.faults = [Injected(lambda each: each.service == "s3", DENIED)]
    assert len(collect(machine, index, *more)) == len(more)
    assert len(machine.shown.warnings) == 1


@pytest.mark.fault(221)
def test_a_bucket_that_is_not_there_and_one_of_another_account_are_not_used(
    fleet: Fleet, index: IndexServer
) -> None:
    fleet.s3.delete_bucket(Bucket=fleet.bucket)
    goes_on_alone(fleet.machine("one"), fleet, index, "no such bucket")
    other = fleet.machine("two", **{f"{VARIABLE}_OWNER": "210987654321"})
    # moto compares no owners; S3 answers 403 where it is another one.
    fleet.aws.faults = [
        Injected(
            lambda each: each.headers.get("x-amz-expected-bucket-owner") == "210987654321", DENIED
        )
    ]
    goes_on_alone(other, fleet, index, "not that of account 210987654321")


@pytest.mark.fault(220)
def test_without_credentials_or_an_account_it_is_not_used(
    fleet: Fleet, index: IndexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    denied = Answer.xml(403, "InvalidClientTokenId", "unknown", "sts")
    fleet.aws.faults = [Injected(lambda each: each.service == "sts", denied)]
    goes_on_alone(fleet.machine("one"), fleet, index, "does not know the credentials")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    goes_on_alone(fleet.machine("two"), fleet, index, "Unable to locate credentials")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    goes_on_alone(fleet.machine("three"), fleet, index, "nobody")


@pytest.mark.fault(220)
def test_without_boto3_it_is_not_used(
    fleet: Fleet, index: IndexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("aws.objects", "aws.session"):
        monkeypatch.delitem(sys.modules, f"hatch_lambda_layer.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "boto3", None)
    goes_on_alone(fleet.machine("one"), fleet, index, "`boto3`", "needs the extra `aws`")


@pytest.mark.fault(222)
@pytest.mark.parametrize("data", [b"something else", BETA.data, ALPHA.data + b"!", b""])
def test_an_object_with_other_bytes_than_are_locked_is_not_used(
    fleet: Fleet, index: IndexServer, data: bytes
) -> None:
    # Whoever writes it can write fitting metadata, too.
    fleet.replace(key(ALPHA), data, sha256=hashlib.sha256(data).hexdigest())
    goes_on_alone(fleet.machine("one"), fleet, index, "object")


@pytest.mark.fault(57, 228)
def test_secrets_are_in_no_message(
    fleet: Fleet, index: IndexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", f"token-{CANARY}")
    machine = fleet.machine("one")
    collect(machine, index, ALPHA)
    fleet.aws.faults = [
        Injected(lambda _: True, Answer.xml(400, "Odd", f"https://me:{CANARY}@host/?q={CANARY}"))
    ]
    collect(machine, index, BETA)
    (warning,) = machine.shown.warnings
    assert "Odd" in warning
    assert CANARY not in machine.shown.text


# ---- time


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait a tenth as long as usual."""
    monkeypatch.setattr(shared_cache, "_SECONDS_FOR_ANSWER", 0.4)
    monkeypatch.setattr(shared_cache, "_SECONDS_WATCHED", 1.0)


@pytest.mark.fault(223)
def test_a_server_that_hangs_is_given_up(fleet: Fleet, index: IndexServer, hasty: None) -> None:
    machine = fleet.machine("one")
    fleet.aws.faults = [Injected(lambda each: each.service == "s3", "timeout after")]
    started = time.monotonic()
    goes_on_alone(machine, fleet, index)
    assert time.monotonic() - started < 5


@pytest.mark.fault(223)
def test_the_time_to_connect_is_a_second_at_each_attempt(
    fleet: Fleet, index: IndexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as stack:
        # A server whose queue is full answers no further connection, as a firewall does.
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{full.getsockname()[1]}")
        started = time.monotonic()
        goes_on_alone(fleet.machine("one"), fleet, index, "Connect timeout")
        seconds = time.monotonic() - started
    assert 1 < seconds < 6


def head(length: int) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nETag: x\r\n".encode()


def drops(data: bytes) -> Iterator[bytes]:
    yield from (data[start : start + 1] for start in range(len(data)))


SLOW = {
    "body": ([head(len(ALPHA.data)), b"\r\n"], ALPHA.data),
    "header": ([head(len(ALPHA.data))], b"X-A: b\r\n" * 1000),
    "chunks": (
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"],
        b"1\r\na\r\n" * 1000,
    ),
}


@pytest.mark.fault(224)
@pytest.mark.parametrize("name", SLOW)
def test_what_comes_drop_by_drop_is_given_up(
    fleet: Fleet, index: IndexServer, monkeypatch: pytest.MonkeyPatch, hasty: None, name: str
) -> None:
    whole, slow = SLOW[name]
    path = f"/{fleet.bucket}/{key(ALPHA)}"
    with RawServer({path: lambda: [*whole, *drops(slow)]}, pause=0.05) as raw:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{raw.address}")
        machine = fleet.machine("one", **{f"{VARIABLE}_OWNER": ACCOUNT})
        started = time.monotonic()
        goes_on_alone(machine, fleet, index, "it moved less than 16 KB a second")
        assert time.monotonic() - started < 5


def test_what_comes_slowly_but_steadily_is_taken(
    fleet: Fleet, index: IndexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Three times as long as the span that is watched, five times as fast as the smallest rate.
    monkeypatch.setattr(shared_cache, "_SECONDS_WATCHED", 1.0)
    large = WheelSpec(name="large", files={"a.bin": hashlib.shake_128(b"a").digest(250_000)})
    index.add(large)
    data, step = large.data, 8192
    pieces = [head(len(data)), b"\r\n", *(data[at : at + step] for at in range(0, len(data), step))]
    with RawServer({f"/{fleet.bucket}/{key(large)}": lambda: pieces}, pause=0.1) as raw:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{raw.address}")
        machine = fleet.machine("one", **{f"{VARIABLE}_OWNER": ACCOUNT})
        # On a busy machine, boto3 alone would take that long.
        machine.cache.shared._open()._client  # type: ignore[attr-defined]  # noqa: B018
        assert collect(machine, index, large) == []
    assert machine.shown.warnings == []


@pytest.mark.fault(225)
@pytest.mark.parametrize(
    ("length", "word"), [(len(ALPHA.data), "read, but total"), (len(ALPHA.data) // 2, "sha256")]
)
def test_a_body_that_is_cut_is_not_used(
    fleet: Fleet, index: IndexServer, monkeypatch: pytest.MonkeyPatch, length: int, word: str
) -> None:
    half = ALPHA.data[: len(ALPHA.data) // 2]
    path = f"/{fleet.bucket}/{key(ALPHA)}"
    with RawServer({path: lambda: [head(length), b"\r\n", half]}) as raw:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{raw.address}")
        machine = fleet.machine("one", **{f"{VARIABLE}_OWNER": ACCOUNT})
        goes_on_alone(machine, fleet, index, word)


@pytest.mark.fault(224)
def test_a_server_that_reads_too_slowly_is_given_up(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hasty: None
) -> None:
    path = tmp_path / "large"
    path.write_bytes(bytes(32 << 20))  # more than the buffers of both sockets
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{deaf.getsockname()[1]}")
        machine = fleet.machine("one", **{f"{VARIABLE}_OWNER": ACCOUNT})
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        started = time.monotonic()
        machine.cache.shared.put("wheels/large", path, sha256, {})
        assert time.monotonic() - started < 10
    assert len(machine.shown.warnings) == 1


# ---- the variables


@pytest.mark.fault(226)
@pytest.mark.parametrize(
    "url",
    [
        "bucket",
        "s3:/bucket",
        "https://bucket.s3.amazonaws.com",
        "s3://",
        "s3://b",
        "s3://UPPER",
        f"s3://me:{CANARY}@bucket/prefix",
        f"s3://bucket/prefix?X-Amz-Signature={CANARY}",
        "s3://bucket/a//b",
        "s3://bucket/../b",
        "s3://bucket/a b",
        "s3://bucket\n",
    ],
)
def test_a_url_that_is_none_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_shared_cache({VARIABLE: url}, Console(Lines()))
    assert str(caught.value) == f"{VARIABLE} must be s3://BUCKET or s3://BUCKET/PREFIX"


@pytest.mark.fault(226)
def test_all_variables_that_are_wrong_are_named_in_one_go() -> None:
    variables = {VARIABLE: "x", f"{VARIABLE}_OWNER": "me", f"{VARIABLE}_READONLY": "yes"}
    with pytest.raises(ConfigError) as caught:
        SharedCacheConfig.from_environment(variables)
    assert len(caught.value.problems) == 3


def test_without_a_url_nothing_is_shared(tmp_path: Path, aws: Aws, index: IndexServer) -> None:
    shown = Lines()
    shared = open_shared_cache({VARIABLE: "", f"{VARIABLE}_OWNER": "me"}, Console(shown))
    machine = Machine(WheelCache(Store(tmp_path / "one"), shared=shared), shown)
    with aws.watch() as requests:
        assert collect(machine, index, ALPHA) == [ALPHA.filename]
    assert requests == []


@pytest.mark.parametrize(
    ("url", "bucket", "prefix"),
    [
        ("s3://my-bucket", "my-bucket", ""),
        ("s3://my.bucket/", "my.bucket", ""),
        ("s3://my-bucket/a/b/", "my-bucket", "a/b"),
    ],
)
def test_a_url_is_a_bucket_and_a_prefix(url: str, bucket: str, prefix: str) -> None:
    config = SharedCacheConfig.from_environment({VARIABLE: url})
    assert config == SharedCacheConfig(bucket=bucket, prefix=prefix)
    assert str(config) == url.rstrip("/")
