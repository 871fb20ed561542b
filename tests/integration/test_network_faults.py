"""What the real command does on a bad network: a message, and the old layer as it was."""

from __future__ import annotations

import base64
import hashlib
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.integration import LayerProject, Proxy, make_project
from tests.support.certificates import CertificateAuthority, make_ca
from tests.support.index_server import (
    Answer,
    Close,
    Hang,
    IndexServer,
    Redirect,
    Status,
    Truncate,
    WrongBytes,
)
from tests.support.lock_factory import LockedFile, LockedPackage
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OLD = WheelSpec(name="old")
NEW = WheelSpec(name="new", files={"new/data.bin": hashlib.shake_128(b"new").digest(50_000)})
WRONG = b"not the file that was locked"
SECRET = "canary-5Kx8"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What is wrong with the download of the new wheel, and the words that must say it."""

    words: tuple[str, ...]
    answer: Answer | None = None
    url: str = "{origin}/files/{filename}"
    environment: dict[str, str] = field(default_factory=dict)


FAULTS = {
    "hash mismatch": Fault(
        answer=WrongBytes(WRONG),
        words=(NEW.sha256, hashlib.sha256(WRONG).hexdigest(), "expected", "got", "hint: "),
    ),
    "hash mismatch behind a redirect": Fault(
        answer=Redirect("/elsewhere"), words=("404", "hint: lock again")
    ),
    "larger than locked": Fault(answer=WrongBytes(NEW.data + b"!"), words=("serves more than",)),
    "no credentials": Fault(
        answer=Status(401), words=("401", "index http://127.0.0.1", "user name", "netrc")
    ),
    "forbidden": Fault(answer=Status(403), words=("403", "forbids", "hint: check the credentials")),
    "gone": Fault(answer=Status(404), words=("404", "does not have it", "hint: lock again")),
    "asked too often": Fault(answer=Status(429), words=("429", "too often", "hint: wait")),
    "server error": Fault(answer=Status(503), words=("503", "failed", "hint: wait")),
    "closed": Fault(answer=Close(), words=("the connection broke", "hint: check the network")),
    "truncated": Fault(answer=Truncate(), words=("the connection broke", "hint: check the net")),
    "silent": Fault(
        answer=Hang(20),
        environment={"HATCH_LAMBDA_LAYER_HTTP_TIMEOUT": "0.3"},
        words=("does not answer in time", "hint: ", "HATCH_LAMBDA_LAYER_HTTP_TIMEOUT"),
    ),
    "silent in the body": Fault(
        answer=Hang(20, after=2000),
        environment={"HATCH_LAMBDA_LAYER_HTTP_TIMEOUT": "0.3"},
        words=("does not answer in time", "hint: ", "HATCH_LAMBDA_LAYER_HTTP_TIMEOUT"),
    ),
    "no such host": Fault(
        url=f"http://someone:{SECRET}@no-such-index.invalid/{{filename}}",
        words=("its name is not found", "no-such-index.invalid", "hint: check the network"),
    ),
    "nobody listens": Fault(
        url=f"http://someone:{SECRET}@127.0.0.1:1/{{filename}}",
        words=("Connection refused", "hint: check the network"),
    ),
    "dead proxy": Fault(
        environment={
            "HTTP_PROXY": f"http://someone:{SECRET}@127.0.0.1:1",
            "NO_PROXY": "",
            "no_proxy": "",
        },
        words=("the proxy does not answer", "hint: check HTTPS_PROXY, HTTP_PROXY and NO_PROXY"),
    ),
}


@dataclass(frozen=True)
class Outcome:
    """What a build said that met a fault, and what was there before and after it."""

    said: str
    before: bytes
    after: bytes
    cached: list[str]
    packages_after_repair: list[str]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """Meet every fault, all at once: most of the time goes by between two attempts."""
    folder = tmp_path_factory.mktemp("faults")
    old = make_project(folder / "old")
    with IndexServer() as server:
        server.add(OLD)
        old.lock(server, OLD)
        old.build()
    with ThreadPoolExecutor(len(FAULTS)) as pool:
        found = pool.map(lambda name: meet(FAULTS[name], folder / name, old), FAULTS)
        return dict(zip(FAULTS, found, strict=True))


def meet(fault: Fault, directory: Path, old: LayerProject) -> Outcome:
    project = make_project(directory)
    shutil.copytree(old.zip.parent, project.zip.parent)
    with IndexServer() as server:
        server.add(NEW)
        before = project.zip.read_bytes() + project.manifest.read_bytes()
        if fault.answer is not None:
            server.always(server.path_of(NEW.filename), fault.answer)
        url = fault.url.format(origin=server.url, filename=NEW.filename)
        wheel = LockedPackage(wheels=[LockedFile.of(NEW, url)], index=server.simple_url)
        project.write_lock(wheel)
        bad = LayerProject(project.directory, project.cache, fault.environment)
        _, said = bad.build(code=1)
        after = project.zip.read_bytes() + project.manifest.read_bytes()
        # Nothing of the new wheel: no file under its hash, no temporary one.
        cached = [path.name for path in project.cache.rglob(f"{NEW.sha256}*")]
        cached += [path.name for path in project.leftovers()]
        server._always.clear()
        project.lock(server, NEW)
        project.build()
    return Outcome(said, before, after, cached, project.packages())


@pytest.mark.fault(13, 49, 50)
@pytest.mark.parametrize("name", FAULTS)
def test_a_failed_download_is_explained_and_changes_nothing(
    outcomes: dict[str, Outcome], name: str
) -> None:
    outcome = outcomes[name]
    for word in (*FAULTS[name].words, NEW.filename):
        assert word in outcome.said
    assert "error: " in outcome.said
    assert SECRET not in outcome.said
    assert outcome.before == outcome.after
    assert outcome.cached == []
    assert outcome.packages_after_repair == ["new"]


@pytest.fixture
def project(tmp_path: Path) -> LayerProject:
    return make_project(tmp_path / "project")


def with_environment(project: LayerProject, **environment: str) -> LayerProject:
    return LayerProject(project.directory, project.cache, environment)


@pytest.mark.fault(57)
def test_the_password_of_a_url_is_nowhere_but_in_the_lockfile(project: LayerProject) -> None:
    with IndexServer(user="someone", password=SECRET) as server:
        server.add(NEW)
        secret = f"//someone:{SECRET}@"
        project.write_lock(
            LockedPackage(
                wheels=[LockedFile.of(NEW, server.file_url(NEW.filename).replace("//", secret, 1))],
                index=server.simple_url_with_credentials,
            )
        )
        out, said = project.build("-v", "-v")
    assert SECRET not in out + said
    assert project.packages() == ["new"]
    made = [*project.zip.parent.rglob("*"), *project.cache.rglob("*")]
    leaks = [path for path in made if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert [path for path in leaks if path.parent == project.zip.parent] == []
    assert leaks == []


@pytest.mark.fault(57)
@pytest.mark.parametrize("options", [(), ("-v",)], ids=["plain", "verbose"])
@pytest.mark.parametrize(
    "url",
    [
        f"http://someone:{SECRET}@{{netloc}}{{path}}",
        f"http://someone:p@{SECRET}@{{netloc}}{{path}}",
        f"http://{{netloc}}{{path}}?token={SECRET}",
        f"http://someone:{SECRET}@127.0.0.1:99999{{path}}",
        f"gopher://someone:{SECRET}@{{netloc}}{{path}}",
    ],
)
def test_no_message_holds_the_password_of_a_url(
    project: LayerProject, url: str, options: tuple[str, ...]
) -> None:
    with IndexServer() as server:
        server.always("*", Status(404))
        path = server.path_of(NEW.filename)
        location = url.format(netloc=server.url.removeprefix("http://"), path=path)
        project.write_lock(LockedPackage(wheels=[LockedFile.of(NEW, location)]))
        with project.start(*options) as process:
            out, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert NEW.filename in said
    assert SECRET not in out + said


@pytest.mark.fault(49)
def test_credentials_come_from_the_netrc_that_the_variable_names(
    project: LayerProject, tmp_path: Path
) -> None:
    netrc = tmp_path / "my netrc"
    netrc.write_text(f"machine 127.0.0.1 login someone password {SECRET}\n", encoding="utf-8")
    netrc.chmod(0o600)
    with IndexServer(user="someone", password=SECRET) as server:
        server.add(NEW)
        project.lock(server, NEW)
        _, refused = project.build(code=1)
        assert f"index {server.simple_url} asks for a user name and a password" in refused
        _, said = with_environment(project, NETRC=str(netrc)).build("-v")
    assert project.packages() == ["new"]
    assert SECRET not in refused + said


@pytest.mark.fault(49)
@pytest.mark.parametrize("bypassed", [False, True], ids=["proxied", "NO_PROXY"])
def test_a_proxy_is_used_unless_the_host_is_excepted(
    project: LayerProject, *, bypassed: bool
) -> None:
    with IndexServer() as server, Proxy() as proxy:
        server.add(NEW)
        project.lock(server, NEW)
        url = f"http://someone:{SECRET}@{proxy.address}"
        excepted = "127.0.0.1,localhost" if bypassed else ""
        proxied = with_environment(project, HTTP_PROXY=url, NO_PROXY=excepted, no_proxy=excepted)
        proxied.build()
        if bypassed:
            assert proxy.targets == []
        else:
            assert server.file_url(NEW.filename) in proxy.targets
            expected = base64.b64encode(f"someone:{SECRET}".encode()).decode()
            assert set(proxy.authorizations) == {f"Basic {expected}"}
        assert all("Proxy-Authorization" not in request.headers for request in server.requests)
    assert project.packages() == ["new"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    return make_ca(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def tls_server(authority: CertificateAuthority) -> Iterator[IndexServer]:
    with IndexServer(tls=authority.server_context) as running:
        running.add(NEW)
        yield running


@pytest.mark.fault(49)
@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
@pytest.mark.parametrize("proxied", [False, True], ids=["direct", "through a proxy"])
def test_the_authority_that_a_variable_names_is_trusted(
    project: LayerProject,
    authority: CertificateAuthority,
    tls_server: IndexServer,
    variable: str,
    *,
    proxied: bool,
) -> None:
    project.lock(tls_server, NEW)
    environment = {variable: str(authority.certificate)}
    with ExitStack() as stack:
        if proxied:
            proxy = stack.enter_context(Proxy())
            environment |= {
                "HTTPS_PROXY": f"http://{proxy.address}",
                "NO_PROXY": "",
                "no_proxy": "",
            }
        with_environment(project, **environment).build()
        if proxied:
            assert tls_server.url.removeprefix("https://") in proxy.targets
    assert project.packages() == ["new"]


@pytest.mark.fault(49)
def test_an_authority_that_nobody_trusts_is_refused_with_a_hint(
    project: LayerProject, tls_server: IndexServer
) -> None:
    project.lock(tls_server, NEW)
    _, said = project.build(code=1)
    assert "its certificate is not trusted" in said
    assert "SSL_CERT_FILE" in said
    assert f"index {tls_server.simple_url}" in said
    assert not project.zip.exists()


@pytest.mark.fault(49)
@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
@pytest.mark.parametrize("content", [None, b"no certificate"], ids=["missing", "garbage"])
def test_a_bundle_that_can_not_be_read_is_named(
    project: LayerProject,
    tls_server: IndexServer,
    tmp_path: Path,
    variable: str,
    content: bytes | None,
) -> None:
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_bytes(content)
    project.lock(tls_server, NEW)
    _, said = with_environment(project, **{variable: str(bundle)}).build(code=1)
    assert str(bundle) in said
    assert "check the network" not in said, "a file of this machine is at fault"
