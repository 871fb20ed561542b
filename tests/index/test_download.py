"""`Downloader` against a loopback index whose every answer is scripted."""

from __future__ import annotations

import hashlib
import io
import socket
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer._internal.parallel import run_parallel
from hatch_lambda_layer.config.indexes import PrivateIndex
from hatch_lambda_layer.exceptions import DownloadError
from hatch_lambda_layer.index import http as transport
from hatch_lambda_layer.index.auth import IndexAccess
from hatch_lambda_layer.index.download import Downloader
from tests.support.index_server import (
    Answer,
    Close,
    Hang,
    IndexServer,
    Redirect,
    Request,
    Status,
    Truncate,
)
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Bytes that no deflate makes smaller.
WHEEL = WheelSpec(name="alpha", files={"alpha.bin": hashlib.shake_128(b"alpha").digest(128_000)})
PATH = f"/files/{WHEEL.filename}"
PASSWORD = "canary-7Hq2"


class TimedServer(IndexServer):
    """A server that also knows when each request came, on the monotonic clock."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    def take(self, request: Request) -> Answer | None:
        self.times.append(time.monotonic())
        return super().take(request)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the backoffs short, and let no proxy or CA of this machine take part."""
    monkeypatch.setattr(transport, "BACKOFF_SECONDS", 0.01)
    monkeypatch.setenv("NO_PROXY", "*")
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[TimedServer]:
    with TimedServer() as running:
        running.add(WHEEL)
        yield running


@pytest.fixture
def other_host() -> Iterator[IndexServer]:
    with IndexServer(hostname="localhost") as running:
        running.add(WHEEL)
        yield running


def fetch(url: str, *, largest: int = 1_000_000, index: str | None = None) -> bytes:
    """Fetch with a fresh downloader, and check that the progress shown is that of the body."""
    file = io.BytesIO()
    advances: list[int] = []
    Downloader().fetch(url, file, largest=largest, index=index, moved=advances.append)
    assert sum(advances) == len(file.getvalue())
    return file.getvalue()


def test_a_file_is_fetched_as_it_is_without_content_coding(server: TimedServer) -> None:
    assert fetch(server.file_url(WHEEL.filename)) == WHEEL.data
    (request,) = server.requests
    assert request.headers["Accept-Encoding"] == "identity"
    assert request.headers["User-Agent"].startswith("hatch-lambda-layer/")


@pytest.mark.fault(49)
@pytest.mark.parametrize(
    ("code", "words"),
    [
        (401, ["asks for a user name and a password", ".netrc", "127.0.0.1"]),
        (403, ["forbids it", "credentials"]),
        (404, ["does not have it", "lock again"]),
        (410, ["410"]),
    ],
)
def test_a_refusal_names_the_index_and_is_not_tried_again(
    server: TimedServer, code: int, words: list[str]
) -> None:
    server.always(PATH, Status(code))
    with pytest.raises(DownloadError) as caught:
        fetch(server.file_url(WHEEL.filename), index=server.simple_url)
    for word in [*words, f"answers {code}", f"index {server.simple_url}", WHEEL.filename]:
        assert word in str(caught.value)
    assert len(server.requests) == 1


@pytest.mark.fault(49)
@pytest.mark.parametrize("code", [400, 410])
def test_a_refusal_that_was_not_repeated_is_not_said_to_go_on(
    server: TimedServer, code: int
) -> None:
    server.always(PATH, Status(code))
    with pytest.raises(DownloadError, match=f"answers {code}") as caught:
        fetch(server.file_url(WHEEL.filename))
    assert "at every attempt" not in str(caught.value)


@pytest.mark.fault(49)
def test_without_an_index_the_host_is_named(server: TimedServer) -> None:
    server.always(PATH, Status(403))
    with pytest.raises(DownloadError, match=r"host 127\.0\.0\.1 forbids it"):
        fetch(server.file_url(WHEEL.filename))


@pytest.mark.fault(49)
@pytest.mark.parametrize("code", [408, 425, 429, 500, 502, 503, 504])
def test_a_passing_failure_is_tried_again(server: TimedServer, code: int) -> None:
    server.script(PATH, Status(code), Status(code))
    assert fetch(server.file_url(WHEEL.filename)) == WHEEL.data
    assert len(server.requests) == 3


@pytest.mark.fault(49)
@pytest.mark.parametrize("code", [429, 500, 502, 503])
def test_a_lasting_failure_ends_after_a_bounded_number_of_requests(
    server: TimedServer, code: int
) -> None:
    server.always(PATH, Status(code))
    with pytest.raises(DownloadError, match=f"answers {code}.*\n\nhint: wait a little"):
        fetch(server.file_url(WHEEL.filename))
    assert 3 <= len(server.requests) <= 6


@pytest.mark.fault(49)
@pytest.mark.parametrize("as_date", [False, True])
def test_a_retry_after_is_waited_for(server: TimedServer, *, as_date: bool) -> None:
    # A date has whole seconds, and a busy machine takes its time for the first request.
    wanted = format_datetime(datetime.now(UTC) + timedelta(seconds=4), usegmt=True)
    server.script(PATH, Status(429, {"Retry-After": wanted if as_date else "1"}))
    assert fetch(server.file_url(WHEEL.filename)) == WHEEL.data
    first, second = server.times
    assert 0.9 < second - first < 10


@pytest.mark.fault(49)
@pytest.mark.parametrize("code", [429, 503])
def test_a_retry_after_of_an_hour_is_reported_instead_of_waited_for(
    server: TimedServer, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Should it wait nevertheless, then not for the minutes that it would really take.
    monkeypatch.setattr(transport, "_LONGEST_RETRY_AFTER_SECONDS", 1)
    server.always(PATH, Status(code, {"Retry-After": "3600"}))
    with pytest.raises(DownloadError, match=f"answers {code}"):
        fetch(server.file_url(WHEEL.filename))
    assert len(server.requests) == 1


@pytest.mark.fault(49)
@pytest.mark.parametrize("value", ["soon", "-5", ""])
def test_a_retry_after_that_says_nothing_is_no_reason_to_give_up(
    server: TimedServer, value: str
) -> None:
    server.script(PATH, Status(503, {"Retry-After": value}))
    assert fetch(server.file_url(WHEEL.filename)) == WHEEL.data


@pytest.mark.fault(49)
def test_a_connection_refused_names_the_host_and_the_cause() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    url = f"http://someone:{PASSWORD}@127.0.0.1:{port}/files/{WHEEL.filename}"
    with pytest.raises(DownloadError, match="Connection refused") as caught:
        fetch(url)
    assert "the connection broke" in str(caught.value)
    assert "127.0.0.1" in str(caught.value)
    assert PASSWORD not in str(caught.value)
    assert "someone" not in str(caught.value)
    where = f"http://127.0.0.1:{port}/files/{WHEEL.filename}"
    assert caught.value.hint == f"check the network: `curl -I {where}` has to answer"


@pytest.mark.fault(49)
def test_the_page_or_the_host_that_does_not_answer_is_named(server: TimedServer) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        gone = f"http://127.0.0.1:{unused.getsockname()[1]}"
    server.always("/simple/demo/", Status(404))
    with pytest.raises(DownloadError, match="Connection refused") as caught:
        fetch(f"index+{server.simple_url}demo/ {gone}/demo/#{WHEEL.filename}")
    assert caught.value.message.startswith(f"{gone}/demo/ could not be fetched from ")
    server.always(PATH, Redirect(f"{gone}/file?signature={PASSWORD}"))
    with pytest.raises(DownloadError, match="Connection refused") as caught:
        fetch(server.file_url(WHEEL.filename))
    assert caught.value.message.startswith(f"{gone}/file?**** could not be fetched from ")
    assert PASSWORD not in str(caught.value)
    assert caught.value.hint == f"check the network: `curl -I {gone}/file` has to answer"


@pytest.mark.fault(49)
def test_a_name_that_is_not_found_is_said_to_be_that() -> None:
    with pytest.raises(DownloadError, match="its name is not found") as caught:
        fetch(f"http://no-such-index.invalid/files/{WHEEL.filename}")
    assert "host no-such-index.invalid" in str(caught.value)


@pytest.mark.fault(49)
@pytest.mark.parametrize("answer", [Hang(), Hang(after=1000)], ids=["silent", "mid-body"])
def test_a_server_that_hangs_runs_into_the_timeout(
    server: TimedServer, answer: Hang, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HATCH_LAMBDA_LAYER_HTTP_TIMEOUT", "0.2")
    server.always(PATH, answer)
    with pytest.raises(DownloadError, match="does not answer in time") as caught:
        fetch(server.file_url(WHEEL.filename))
    assert "HATCH_LAMBDA_LAYER_HTTP_TIMEOUT" in str(caught.value)
    assert 1 < len(server.requests) <= 5


@pytest.mark.fault(49)
def test_a_server_that_hangs_once_costs_one_timeout(
    server: TimedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HATCH_LAMBDA_LAYER_HTTP_TIMEOUT", "0.2")
    server.script(PATH, Hang(), Hang(after=1000))
    assert fetch(server.file_url(WHEEL.filename)) == WHEEL.data


@pytest.mark.parametrize("value", ["soon", "0", "-1", "nan", "inf"])
def test_a_timeout_that_is_none_is_refused_by_its_name(
    server: TimedServer, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HATCH_LAMBDA_LAYER_HTTP_TIMEOUT", value)
    with pytest.raises(DownloadError, match="HATCH_LAMBDA_LAYER_HTTP_TIMEOUT"):
        fetch(server.file_url(WHEEL.filename))


@pytest.mark.fault(49)
@pytest.mark.parametrize("answer", [Close(), Truncate(keep=5000)], ids=["no answer", "truncated"])
def test_a_broken_transfer_is_tried_again(server: TimedServer, answer: Answer) -> None:
    server.script(PATH, answer, answer)
    assert fetch(server.file_url(WHEEL.filename)) == WHEEL.data
    assert len(server.requests) == 3


@pytest.mark.fault(49)
@pytest.mark.parametrize("answer", [Close(), Truncate(keep=5000)], ids=["no answer", "truncated"])
def test_a_transfer_that_goes_on_breaking_is_reported(server: TimedServer, answer: Answer) -> None:
    server.always(PATH, answer)
    with pytest.raises(DownloadError, match="the connection broke") as caught:
        fetch(server.file_url(WHEEL.filename), index=server.simple_url)
    assert f"index {server.simple_url}" in str(caught.value)
    assert 1 < len(server.requests) <= 5


@pytest.mark.fault(49)
def test_a_body_larger_than_locked_ends_at_once(server: TimedServer) -> None:
    largest = len(WHEEL.data) - 1
    with pytest.raises(DownloadError, match=f"serves more than the {largest:,} bytes"):
        fetch(server.file_url(WHEEL.filename), largest=largest)
    assert len(server.requests) == 1
    assert fetch(server.file_url(WHEEL.filename), largest=largest + 1) == WHEEL.data


@pytest.mark.fault(50)
def test_a_redirect_to_another_host_is_followed_without_authorization(
    server: TimedServer, other_host: IndexServer
) -> None:
    server.always(PATH, Redirect(other_host.file_url(WHEEL.filename)))
    url = server.file_url(WHEEL.filename).replace("://", f"://someone:{PASSWORD}@")
    assert fetch(url) == WHEEL.data
    assert server.requests[0].headers["Authorization"].startswith("Basic ")
    (elsewhere,) = other_host.requests
    assert elsewhere.headers["Authorization"] is None


@pytest.mark.fault(50)
def test_a_redirect_on_the_same_host_keeps_the_authorization(server: TimedServer) -> None:
    server.always("/old", Redirect(PATH))
    url = f"{server.url}/old".replace("://", f"://someone:{PASSWORD}@")
    assert fetch(url) == WHEEL.data
    first, second = (request.headers["Authorization"] for request in server.requests)
    assert first == second


@pytest.mark.fault(49)
def test_redirects_in_a_circle_end(server: TimedServer) -> None:
    server.always(PATH, Redirect(PATH))
    with pytest.raises(DownloadError, match=r"(?i)redirects"):
        fetch(server.file_url(WHEEL.filename))
    assert len(server.requests) < 50


@pytest.mark.fault(50)
def test_netrc_credentials_go_to_their_host_only(
    server: TimedServer, other_host: IndexServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine localhost login someone password {PASSWORD}\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    other_host.credentials = f"someone:{PASSWORD}"
    other_host.always("/moved", Redirect(server.file_url(WHEEL.filename)))
    assert fetch(other_host.file_url(WHEEL.filename)) == WHEEL.data
    assert fetch(f"{other_host.url}/moved") == WHEEL.data
    assert fetch(server.file_url(WHEEL.filename)) == WHEEL.data
    assert {request.headers["Authorization"] for request in server.requests} == {None}


# ---- the credentials of indexes


@pytest.fixture
def access(server: TimedServer, monkeypatch: pytest.MonkeyPatch) -> IndexAccess:
    server.credentials = f"reader:{PASSWORD}"
    monkeypatch.setenv("HATCH_LAMBDA_LAYER_INDEX_ACME_USERNAME", "reader")
    monkeypatch.setenv("HATCH_LAMBDA_LAYER_INDEX_ACME_PASSWORD", PASSWORD)
    return IndexAccess([PrivateIndex(name="acme", url=server.simple_url)])


def fetch_with(access: IndexAccess, url: str) -> bytes:
    file = io.BytesIO()
    Downloader(access).fetch(url, file, largest=1_000_000, index=None, moved=lambda _: None)
    return file.getvalue()


@pytest.mark.fault(50)
def test_the_credentials_of_an_index_do_not_go_with_a_redirect_to_elsewhere(
    server: TimedServer, other_host: IndexServer, access: IndexAccess
) -> None:
    # The same machine under another name, another port of it, and back again.
    with IndexServer() as other_port:
        other_port.add(WHEEL)
        for other in (other_host, other_port):
            server.script(PATH, Redirect(f"{other.url}/hop"))
            other.script("/hop", Redirect(server.file_url(WHEEL.filename)))
            assert fetch_with(access, server.file_url(WHEEL.filename)) == WHEEL.data
            assert fetch_with(access, other.file_url(WHEEL.filename)) == WHEEL.data
            assert len(other.requests) == 2
            assert {each.headers["Authorization"] for each in other.requests} == {None}
    assert len(server.requests) == 4
    assert all(server.is_authorized(request) for request in server.requests)


def test_pages_are_asked_for_with_the_credentials(server: TimedServer, access: IndexAccess) -> None:
    server.add(WHEEL)
    listed = f"index+{server.simple_url}alpha/#{WHEEL.filename}"
    assert fetch_with(access, listed) == WHEEL.data
    (link,) = Downloader(access).links(server.simple_url, "alpha") or []
    assert (link.filename, link.sha256) == (WHEEL.filename, WHEEL.sha256)
    assert Downloader(access).links(server.simple_url, "nothing") is None


@pytest.mark.fault(49)
@pytest.mark.parametrize("code", [401, 403])
def test_a_refusal_names_the_private_index_and_its_variables(
    server: TimedServer, access: IndexAccess, code: int
) -> None:
    server.always("*", Status(code))
    for ask in (
        lambda: fetch_with(access, server.file_url(WHEEL.filename)),
        lambda: Downloader(access).links(server.simple_url, "alpha"),
        lambda: fetch_with(access, f"index+{server.simple_url}alpha/#{WHEEL.filename}"),
    ):
        with pytest.raises(DownloadError) as caught:
            ask()
        said = str(caught.value)
        assert f"index `acme` ({server.simple_url})" in said
        assert "HATCH_LAMBDA_LAYER_INDEX_ACME_PASSWORD" in said
        assert PASSWORD not in said


def test_an_index_that_is_not_there_is_named(access: IndexAccess) -> None:
    with pytest.raises(DownloadError, match=r"from index http://127\.0\.0\.1:9/simple"):
        Downloader(access).links("http://127.0.0.1:9/simple", "alpha")


def test_connections_are_used_again(server: TimedServer) -> None:
    downloader = Downloader()

    def work(number: int) -> bytes:
        file = io.BytesIO()
        url = f"{server.file_url(WHEEL.filename)}?{number}"
        downloader.fetch(url, file, largest=1_000_000, index=None, moved=lambda _count: None)
        return file.getvalue()

    results = [result for _, result in run_parallel(work, range(30), 3)]
    assert results == [WHEEL.data] * 30
    assert len(server.requests) == 30
    assert server.connections <= 3


@pytest.mark.fault(49)
@pytest.mark.parametrize("answer", [Status(503), Truncate()], ids=["status", "broken"])
def test_backoffs_grow_and_differ_between_runs(
    answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "BACKOFF_SECONDS", 0.1)
    with ExitStack() as stack:
        servers = [stack.enter_context(TimedServer()) for _ in range(8)]

        def gaps(server: TimedServer) -> list[float]:
            server.add(WHEEL)
            server.script(PATH, *[answer] * 3)
            assert fetch(server.file_url(WHEEL.filename)) == WHEEL.data
            return [later - earlier for earlier, later in pairwise(server.times)]

        runs = [result for _, result in run_parallel(gaps, servers, len(servers))]
    assert all(waits[0] < waits[-1] for waits in runs)
    last = [waits[-1] for waits in runs]
    assert max(last) - min(last) > 0.015


# Files that a lockfile names without a URL: by the page of their project.


def listed(*servers: IndexServer, filename: str = WHEEL.filename) -> str:
    pages = " ".join(f"{server.simple_url}alpha/" for server in servers)
    return f"index+{pages}#{filename}"


def test_a_file_without_a_url_is_found_on_the_page_of_its_project(server: TimedServer) -> None:
    assert fetch(listed(server), index=server.simple_url) == WHEEL.data
    assert [request.path for request in server.requests] == ["/simple/alpha/", PATH]


@pytest.mark.parametrize("href", ["../../files/{}#sha256=0", "/files/{}", "{origin}/files/{}?x=1"])
def test_links_of_a_page_may_be_relative_and_have_more_in_them(
    server: TimedServer, href: str
) -> None:
    filename = WHEEL.filename.replace("-", "%2D")
    link = href.replace("{}", filename).replace("{origin}", server.url)
    body = f'<!DOCTYPE html><a>no link</a><a href="{link}">alpha</a>'.encode()
    server.script("/simple/alpha/", Status(200, {"Content-Type": "text/html"}, body))
    assert fetch(listed(server), index=server.simple_url) == WHEEL.data


def test_the_first_page_that_has_the_file_counts(
    server: TimedServer, other_host: IndexServer
) -> None:
    with IndexServer() as empty:
        assert fetch(listed(empty, other_host, server)) == WHEEL.data
        assert [request.path for request in empty.requests] == ["/simple/alpha/"]
    assert server.requests == []


@pytest.mark.fault(59)
def test_the_next_index_is_not_asked_where_one_does_not_answer(
    server: TimedServer, other_host: IndexServer
) -> None:
    server.always("/simple/alpha/", Status(401))
    with pytest.raises(DownloadError, match=r"answers 401: host 127\.0\.0\.1 asks for"):
        fetch(listed(server, other_host))
    assert other_host.requests == []


@pytest.mark.fault(49)
def test_a_file_that_no_page_lists_is_named_with_its_index(server: TimedServer) -> None:
    url = listed(server, filename="alpha-9-py3-none-any.whl")
    with pytest.raises(DownloadError) as raised:
        fetch(url, index=server.simple_url)
    assert raised.value.message == (
        f"index {server.simple_url} does not list `alpha-9-py3-none-any.whl` (any more)"
    )


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"files": [{"filename": "alpha"}]}'])
def test_what_is_no_page_of_an_index_is_reported(server: TimedServer, body: bytes) -> None:
    answer = Status(200, {"Content-Type": "application/vnd.pypi.simple.v1+json"}, body)
    server.always("/simple/alpha/", answer)
    with pytest.raises(DownloadError, match="is not a valid page of an index"):
        fetch(listed(server))


@pytest.mark.parametrize("answer", [Truncate(), Status(503), Close()])
def test_a_page_that_breaks_is_asked_for_again(server: TimedServer, answer: Answer) -> None:
    server.script("/simple/alpha/", answer)
    assert fetch(listed(server)) == WHEEL.data
