"""Each request and each child gets the credentials of its own index, and no others."""

from __future__ import annotations

import base64
import os
import tempfile
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer.config.indexes import CodeArtifact, PrivateIndex
from hatch_lambda_layer.exceptions import CredentialsError
from hatch_lambda_layer.index.auth import IndexAccess

if TYPE_CHECKING:
    from pathlib import Path

CANARY = "canary-3d0f"
A = PrivateIndex(name="a", url="https://host.test/a/simple/")
B = PrivateIndex(name="b", url="https://host.test/b/simple/")
PORT = PrivateIndex(name="port", url="https://host.test:444/simple/")


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be a person without a netrc, whose temporary files can be seen."""
    monkeypatch.setenv("HOME", str(tmp_path))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    for name in list(os.environ):
        if name.startswith(("UV_", "PIP_", "POETRY_")):
            monkeypatch.delenv(name)
    return scratch


def give(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    for name in names:
        monkeypatch.setenv(f"HATCH_LAMBDA_LAYER_INDEX_{name}_USERNAME", f"user-{name}")
        monkeypatch.setenv(f"HATCH_LAMBDA_LAYER_INDEX_{name}_PASSWORD", CANARY)


def user(access: IndexAccess, url: str) -> str | None:
    """Give the user whose credentials a request would carry."""
    value = access.authorization(url)
    if value is None:
        return None
    return base64.b64decode(value.removeprefix("Basic ")).decode().partition(":")[0]


# ---- our own requests


@pytest.mark.fault(50)
def test_a_request_carries_the_credentials_of_the_index_that_it_goes_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    give(monkeypatch, "A", "B", "PORT")
    access = IndexAccess([A, B, PORT])
    found = {
        "https://host.test/a/simple/x/": "user-A",
        "https://host.test/b/files/x.whl": "user-B",
        # What lies beside both is asked for as one of them.
        "https://HOST.test:443/elsewhere/x.whl": "user-A",
        "https://host.test:444/a/simple/x/": "user-PORT",
        "http://host.test/a/simple/x/": None,
        "https://host.test:445/a/simple/x/": None,
        "https://host.test.evil.test/a/simple/": None,
        "https://evil.test/https://host.test/a/simple/": None,
        "https://own%40x:pw@host.test/a/simple/": "own@x",
        "not a url": None,
    }
    assert {url: user(access, url) for url in found} == found


def test_netrc_is_for_every_host_that_has_no_other_credentials(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = f"machine files.test login f password {CANARY}\nmachine host.test login n password x\n"
    (tmp_path / ".netrc").write_text(text, encoding="utf-8")
    give(monkeypatch, "A")
    access = IndexAccess([A])
    assert user(access, "https://files.test:99/x.whl") == "f"
    assert user(access, "https://host.test/a/x.whl") == "user-A"
    assert user(access, "https://host.test:99/a/x.whl") == "n"
    assert user(access, "https://other.test/") is None


def test_credentials_in_the_urls_of_pips_variables_are_for_the_same_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    urls = f"https://x:{CANARY}@host.test/a/simple https://y:{CANARY}@host.test/c/simple"
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", urls)
    access = IndexAccess()
    assert user(access, "https://host.test/c/files/x.whl") == "y"
    assert user(access, "http://host.test/c/files/x.whl") is None
    found = IndexAccess([A]).credentials(A)
    assert found is not None
    assert (found.username, found.source) == ("x", "PIP_EXTRA_INDEX_URL")


def test_one_index_under_two_names_has_the_credentials_of_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("POETRY_HTTP_BASIC_LEGACY_USERNAME", "p")
    monkeypatch.setenv("POETRY_HTTP_BASIC_LEGACY_PASSWORD", CANARY)
    legacy = PrivateIndex(name="legacy", url="https://HOST.test/a/simple", tool="poetry")
    assert user(IndexAccess([A, legacy]), A.url) == "p"


def test_credentials_are_looked_for_when_needed_and_once() -> None:
    asked = []

    def token(place: CodeArtifact) -> str:
        asked.append(place)
        return CANARY

    place = CodeArtifact(domain="d", domain_owner="1" * 12, repository="rr", region="eu-west-1")
    access = IndexAccess([A, PrivateIndex(name="ca", url=place.url, codeartifact=place)], token)
    assert user(access, A.url) is None
    assert asked == []
    assert [user(access, place.url) for _ in range(3)] == ["aws"] * 3
    assert asked == [place]


@pytest.mark.fault(49)
def test_the_advice_names_the_variables_and_what_was_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    variables = "HATCH_LAMBDA_LAYER_INDEX_A_USERNAME and HATCH_LAMBDA_LAYER_INDEX_A_PASSWORD"
    said = IndexAccess([A]).advice(A.url)
    assert said == (
        f"no credentials were found for index `a`: set {variables}, or put them into ~/.netrc"
    )
    give(monkeypatch, "A")
    said = IndexAccess([A]).advice(A.url)
    assert said.startswith(f"the credentials from {variables} were sent to index `a`")
    assert CANARY not in said
    elsewhere = IndexAccess([A]).advice("https://x.test/")
    assert elsewhere == "put credentials for x.test into ~/.netrc (or the file that NETRC names)"


# ---- children


@pytest.mark.fault(57)
def test_uv_is_told_by_variables_and_offered_what_it_does_not_know(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    give(monkeypatch, "A", "B", "P")
    monkeypatch.setenv("UV_INDEX", "mine=https://mine.test/simple")
    known = PrivateIndex(name="known", url="https://host.test/b/simple", tool="uv")
    poetry = PrivateIndex(name="p", url="https://p.test/simple", tool="poetry")
    before = dict(os.environ)
    with IndexAccess([A, B, known, poetry]).environment("uv") as environment:
        assert dict(os.environ) == before
        own = {name: value for name, value in environment.items() if name not in before}
        assert environment["UV_INDEX"] == f"a={A.url} mine=https://mine.test/simple"
    assert own == {
        "UV_INDEX_A_USERNAME": "user-A",
        "UV_INDEX_A_PASSWORD": CANARY,
        "UV_INDEX_B_USERNAME": "user-B",
        "UV_INDEX_B_PASSWORD": CANARY,
        # Another name of an index that is ours.
        "UV_INDEX_KNOWN_USERNAME": "user-B",
        "UV_INDEX_KNOWN_PASSWORD": CANARY,
    }


def test_poetry_is_told_by_variables_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, "A")
    with IndexAccess([A]).environment("poetry") as environment:
        added = environment.keys() - os.environ.keys()
    assert added == {"POETRY_HTTP_BASIC_A_USERNAME", "POETRY_HTTP_BASIC_A_PASSWORD"}


@pytest.mark.parametrize("tool", ["poetry", "pdm", "uv"])
def test_without_credentials_a_child_has_the_environment_of_this_process(tool: str) -> None:
    with IndexAccess().environment(tool) as environment:
        assert environment == dict(os.environ)


def test_codeartifact_is_not_asked_by_whom_has_no_way_to() -> None:
    place = CodeArtifact(domain="d", domain_owner="1" * 12, repository="rr", region="eu-west-1")
    index = PrivateIndex(name="ca", url=place.url, codeartifact=place)
    with pytest.raises(CredentialsError, match="domain `d`"):
        IndexAccess([index]).authorization(place.url)
