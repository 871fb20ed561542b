"""Wheels of a selection, from a loopback index into an empty or a warm cache."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import replace
from email.message import Message
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer._internal.console import Console
from hatch_lambda_layer._internal.store import Store
from hatch_lambda_layer.exceptions import DownloadError, WheelError
from hatch_lambda_layer.index import http as transport
from hatch_lambda_layer.wheels.cache import WheelCache
from hatch_lambda_layer.wheels.fetch import collect_wheels
from hatch_lambda_layer.wheels.selection import LockedWheel
from tests.support.displays import Lines
from tests.support.index_server import (
    IndexServer,
    Redirect,
    Request,
    Status,
    WrongBytes,
)
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PASSWORD = "canary-9Zt4"
ALPHA = WheelSpec(name="alpha", version="1.2")
BETA = WheelSpec(name="beta", files={"beta.bin": hashlib.shake_128(b"beta").digest(50_000)})
OTHER = b"another file than was locked"


class HtmlServer(IndexServer):
    """An index that knows no JSON."""

    def content(self, request: Request) -> tuple[str, bytes] | None:
        return super().content(replace(request, headers=Message()))


@pytest.fixture(autouse=True)
def loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no proxy of this machine take part, and make the backoffs short."""
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(transport, "BACKOFF_SECONDS", 0.01)


@pytest.fixture
def server() -> Iterator[IndexServer]:
    with IndexServer() as running:
        running.add(ALPHA, BETA)
        yield running


@pytest.fixture
def cache(cache_dir: Path) -> WheelCache:
    return WheelCache(Store(cache_dir))


def locked(wheel: WheelSpec, location: str, index: str | None = None) -> LockedWheel:
    """Give the entry that a lock of the true wheel has."""
    return LockedWheel(
        name=wheel.name,
        version=wheel.version,
        filename=wheel.filename,
        sha256=wheel.sha256,
        size=len(wheel.data),
        location=location,
        index_url=index,
    )


def from_index(wheel: WheelSpec, server: IndexServer) -> LockedWheel:
    return locked(wheel, server.file_url(wheel.filename), server.simple_url)


def collect(cache: WheelCache, *selection: LockedWheel) -> list[str]:
    """Collect the selection, and give the names of the wheels in the order they came."""
    wheels = collect_wheels(selection, cache, Console(Lines()))
    for wheel, each in zip(wheels, selection, strict=True):
        assert hashlib.sha256(wheel.file.read_bytes()).hexdigest() == each.sha256 == wheel.sha256
    return [wheel.name for wheel in wheels]


def kept(cache: WheelCache) -> list[str]:
    """Give the names of all files below the cache, temporary ones included."""
    return sorted(path.name for path in cache.store.root.rglob("*") if path.is_file())


def test_wheels_come_in_the_order_of_the_selection(server: IndexServer, cache: WheelCache) -> None:
    selection = [from_index(BETA, server), from_index(ALPHA, server)]
    assert collect(cache, *selection) == ["beta", "alpha"]
    assert collect(cache, *reversed(selection)) == ["alpha", "beta"]


def test_a_warm_cache_asks_no_server(server: IndexServer, cache: WheelCache) -> None:
    selection = [from_index(ALPHA, server), from_index(BETA, server)]
    collect(cache, *selection)
    server.requests.clear()
    assert collect(WheelCache(Store(cache.store.root)), *selection) == ["alpha", "beta"]
    assert server.requests == []


def test_only_what_is_missing_is_fetched(server: IndexServer, cache: WheelCache) -> None:
    collect(cache, from_index(ALPHA, server))
    server.requests.clear()
    assert collect(cache, from_index(ALPHA, server), from_index(BETA, server)) == ["alpha", "beta"]
    assert server.requests_for(server.path_of(ALPHA.filename)) == []


def test_an_empty_selection_touches_nothing(cache: WheelCache) -> None:
    assert collect(cache) == []
    assert not cache.store.root.exists()


def test_the_number_of_wheels_is_shown_once(server: IndexServer, cache: WheelCache) -> None:
    display = Lines()
    selection = [from_index(ALPHA, server), from_index(BETA, server)]
    collect_wheels(selection[:1], cache, Console(display))
    collect_wheels(selection, WheelCache(Store(cache.store.root / "another")), Console(display))
    collect_wheels(selection, WheelCache(Store(cache.store.root / "another")), Console(display))
    assert display.lines == ["Fetching 1 wheel", "Fetching 2 wheels"]


def test_a_hundred_wheels_need_few_connections(server: IndexServer, cache: WheelCache) -> None:
    wheels = [WheelSpec(name=f"pkg{number}") for number in range(100)]
    server.add(*wheels)
    names = collect(cache, *(from_index(wheel, server) for wheel in wheels))
    assert names == [wheel.name for wheel in wheels]
    # No page of the index is asked for what the lockfile says already.
    assert len(server.requests) == 100
    assert server.connections <= 12


@pytest.mark.fault(13)
def test_a_hash_mismatch_shows_both_hashes_and_keeps_nothing(
    server: IndexServer, cache: WheelCache
) -> None:
    server.always(server.path_of(ALPHA.filename), WrongBytes(OTHER))
    url = server.file_url(ALPHA.filename)
    secret = url.replace("://", f"://someone:{PASSWORD}@")
    with pytest.raises(DownloadError, match="not the file that was locked") as caught:
        collect(cache, locked(ALPHA, secret))
    message = str(caught.value)
    assert f"expected sha256: {ALPHA.sha256}" in message
    assert f"got sha256:      {hashlib.sha256(OTHER).hexdigest()}" in message
    assert url.removeprefix("http://") in message
    assert ALPHA.filename in message
    assert PASSWORD not in message
    assert "someone" not in message
    assert kept(cache) == []


@pytest.mark.fault(13)
def test_after_a_hash_mismatch_the_right_file_is_taken(
    server: IndexServer, cache: WheelCache
) -> None:
    server.script(server.path_of(ALPHA.filename), WrongBytes(OTHER))
    with pytest.raises(DownloadError):
        collect(cache, from_index(ALPHA, server))
    assert collect(cache, from_index(ALPHA, server)) == ["alpha"]


@pytest.mark.fault(14)
@pytest.mark.parametrize("served", [ALPHA.data, OTHER], ids=["true file", "false file"])
def test_the_hash_of_the_lock_wins_over_the_index(cache: WheelCache, served: bytes) -> None:
    false = hashlib.sha256(OTHER).hexdigest()
    with IndexServer() as server:
        server.add_file(ALPHA.filename, served, advertised={"sha256": false})
        fragment = locked(ALPHA, f"{server.file_url(ALPHA.filename)}#sha256={false}")
        if served is ALPHA.data:
            assert collect(cache, fragment) == ["alpha"]
        else:
            with pytest.raises(DownloadError, match=f"expected sha256: {ALPHA.sha256}"):
                collect(cache, fragment)
            assert kept(cache) == []


@pytest.mark.fault(50)
def test_the_hash_is_checked_behind_a_redirect(server: IndexServer, cache: WheelCache) -> None:
    with IndexServer(hostname="localhost") as elsewhere:
        elsewhere.add_file(ALPHA.filename, OTHER)
        path = server.path_of(ALPHA.filename)
        server.script(path, Redirect(elsewhere.file_url(ALPHA.filename)))
        with pytest.raises(DownloadError, match=hashlib.sha256(OTHER).hexdigest()):
            collect(cache, from_index(ALPHA, server))
        assert kept(cache) == []


@pytest.mark.fault(49)
def test_a_file_larger_than_locked_is_not_kept(server: IndexServer, cache: WheelCache) -> None:
    server.always(server.path_of(ALPHA.filename), WrongBytes(ALPHA.data + b"more"))
    with pytest.raises(DownloadError, match="more than"):
        collect(cache, from_index(ALPHA, server))
    assert kept(cache) == []


def test_a_wheel_whose_size_is_not_locked_is_fetched(
    server: IndexServer, cache: WheelCache
) -> None:
    assert collect(cache, from_index(ALPHA, server)._replace(size=None)) == ["alpha"]


def test_a_wheel_that_is_no_sound_one_is_not_kept(server: IndexServer, cache: WheelCache) -> None:
    broken = replace(ALPHA, record=b"alpha/__init__.py,sha256=AAAA,1\n")
    server.add(broken)
    with pytest.raises(WheelError, match="RECORD is wrong"):
        collect(cache, from_index(broken, server))
    assert kept(cache) == []


def test_sound_wheels_stay_when_another_one_fails(server: IndexServer, cache: WheelCache) -> None:
    collect(cache, from_index(BETA, server))
    server.always(server.path_of(ALPHA.filename), Status(404))
    with pytest.raises(DownloadError, match="404"):
        collect(cache, from_index(ALPHA, server), from_index(BETA, server))
    server.requests.clear()
    assert collect(cache, from_index(BETA, server)) == ["beta"]
    assert server.requests == []


def test_a_wheel_on_disk_is_copied_and_left_alone(tmp_path: Path, cache: WheelCache) -> None:
    path = ALPHA.write(tmp_path)
    before = path.stat()
    assert collect(cache, locked(ALPHA, str(path))) == ["alpha"]
    assert path.read_bytes() == ALPHA.data
    assert path.stat().st_mtime_ns == before.st_mtime_ns


def test_a_wheel_on_disk_may_be_named_by_a_url(tmp_path: Path, cache: WheelCache) -> None:
    folder = tmp_path / "a folder, caf\u00e9"
    folder.mkdir()
    assert collect(cache, locked(ALPHA, ALPHA.write(folder).as_uri())) == ["alpha"]


@pytest.mark.fault(13)
def test_a_wheel_on_disk_is_checked_like_any_other(tmp_path: Path, cache: WheelCache) -> None:
    path = tmp_path / ALPHA.filename
    path.write_bytes(OTHER)
    with pytest.raises(DownloadError, match=hashlib.sha256(OTHER).hexdigest()) as caught:
        collect(cache, locked(ALPHA, str(path)))
    assert str(path) in str(caught.value)
    assert kept(cache) == []


def test_a_wheel_on_disk_that_is_gone_is_named(tmp_path: Path, cache: WheelCache) -> None:
    path = tmp_path / ALPHA.filename
    with pytest.raises(DownloadError, match="No such file") as caught:
        collect(cache, locked(ALPHA, str(path)))
    assert str(path) in str(caught.value)
    assert "lock again" in str(caught.value)


@pytest.mark.fault(40)
def test_a_disk_that_fills_while_a_wheel_is_copied_is_not_taken_for_a_fault_of_the_wheel(
    tmp_path: Path, cache_dir: Path
) -> None:
    path = BETA.write(tmp_path)
    # Its own process: the limit holds for every file that this one writes.
    code = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from hatch_lambda_layer._internal.console import Console\n"
        "from hatch_lambda_layer._internal.store import Store\n"
        "from hatch_lambda_layer.exceptions import LambdaLayerError\n"
        "from hatch_lambda_layer.wheels.cache import WheelCache\n"
        "from hatch_lambda_layer.wheels.fetch import collect_wheels\n"
        "from hatch_lambda_layer.wheels.selection import LockedWheel\n"
        "from tests.support.displays import Lines\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))\n"
        f"locked = LockedWheel(*{tuple(locked(BETA, str(path)))!r})\n"
        "try:\n"
        f"    cache = WheelCache(Store(Path({str(cache_dir)!r})))\n"
        "    collect_wheels([locked], cache, Console(Lines()))\n"
        "except LambdaLayerError as error:\n"
        "    print(type(error).__name__, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("CacheError The cache can't be written")
    assert "HATCH_LAMBDA_LAYER_CACHE_DIR" in done.stdout
    assert "lock again" not in done.stdout


@pytest.mark.parametrize("kind", [IndexServer, HtmlServer])
def test_a_wheel_without_a_url_is_found_on_its_page(
    kind: type[IndexServer], cache: WheelCache
) -> None:
    local = WheelSpec(name="alpha", version="1.2+cpu")
    with kind() as server:
        server.add(local)
        assert "%2B" in server.file_url(local.filename)
        page = f"{server.simple_url}alpha/"
        wheel = locked(local, f"index+{page}#{local.filename}", server.simple_url.rstrip("/"))
        assert collect(cache, wheel) == ["alpha"]
        assert len(server.requests_for("/simple/alpha/")) == 1
