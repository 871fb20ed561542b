"""Where credentials are looked for, and in which order; and that they show nowhere."""

from __future__ import annotations

import base64
import sys
from typing import TYPE_CHECKING

import keyring
import keyring.backend
import pytest

from hatch_lambda_layer.config.indexes import CodeArtifact, PrivateIndex
from hatch_lambda_layer.exceptions import CredentialsError
from hatch_lambda_layer.index.credentials import (
    Credentials,
    find_credentials,
    url_credentials,
    variables,
)
from hatch_lambda_layer.index.netrc import Login
from tests.support.tools import stand_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CANARY = "canary-9a2b"
URL = "https://pypi.acme.test:8443/simple/"
ACME = PrivateIndex(name="ac-me.x", url=URL)
PLACE = CodeArtifact(domain="d", domain_owner="1" * 12, repository="rr", region="eu-west-1")
NETRC = {"pypi.acme.test": Login("of-netrc", CANARY)}
PAIRS = {
    "HATCH_LAMBDA_LAYER_INDEX_AC_ME_X_": "_",
    "UV_INDEX_AC_ME_X_": "_",
    "POETRY_HTTP_BASIC_AC_ME.X_": "_",
}


class Ring(keyring.backend.KeyringBackend):
    """A keyring in memory that notes what it was asked."""

    priority = 1.0

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.passwords: dict[tuple[str, str], str] = {}
        self.asked: list[tuple[str, str | None]] = []

    def get_password(self, service: str, username: str) -> str | None:
        return self.passwords.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.passwords[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.passwords[service, username]

    def get_credential(
        self, service: str, username: str | None
    ) -> keyring.credentials.Credential | None:
        self.asked.append((service, username))
        for (known, user), password in self.passwords.items():
            if known == service and username in (None, user):
                return keyring.credentials.SimpleCredential(user, password)
        return None


@pytest.fixture(autouse=True)
def ring() -> Iterator[Ring]:
    before = keyring.get_keyring()
    ring = Ring()
    keyring.set_keyring(ring)
    yield ring
    keyring.set_keyring(before)


def no_token(place: CodeArtifact) -> str:
    raise AssertionError(f"CodeArtifact is asked for {place}")


def find(
    index: PrivateIndex = ACME, netrc: dict[str, Login] | None = None, token: str | None = None
) -> tuple[str, str, str] | None:
    """Give user, password and source, after a look at what shows of them."""
    found = find_credentials(index, netrc or {}, no_token if token is None else lambda _: token)
    if found is None:
        return None
    assert CANARY not in repr(found)
    assert (found.index_name, found.index_url) == (index.name, index.url)
    return found.username, found.password, found.source


def failure(index: PrivateIndex = ACME, netrc: dict[str, Login] | None = None) -> str:
    with pytest.raises(CredentialsError) as caught:
        find_credentials(index, netrc or {}, no_token)
    assert CANARY not in str(caught.value)
    assert CANARY not in repr(caught.value)
    assert caught.value.hint
    return str(caught.value)


def give(monkeypatch: pytest.MonkeyPatch, prefix: str, user: str = "me") -> None:
    monkeypatch.setenv(f"{prefix}USERNAME", user)
    monkeypatch.setenv(f"{prefix}PASSWORD", CANARY)


def test_there_may_be_none() -> None:
    assert find() is None


def test_the_first_place_that_has_them_counts(monkeypatch: pytest.MonkeyPatch, ring: Ring) -> None:
    index = PrivateIndex(name=ACME.name, url=URL, codeartifact=PLACE)
    assert find(index, token=CANARY) == ("aws", CANARY, "AWS CodeArtifact")
    ring.set_password(URL, "of-keyring", CANARY)
    assert find(index) == ("of-keyring", CANARY, "the keyring")
    assert find(index, NETRC) == ("of-netrc", CANARY, "netrc")
    for prefix in reversed(PAIRS):
        give(monkeypatch, prefix, prefix)
        source = f"{prefix}USERNAME and {prefix}PASSWORD"
        assert find(index, NETRC) == (prefix, CANARY, source)


@pytest.mark.parametrize("tool", ["uv", "poetry", "pdm"])
def test_an_index_of_a_tool_has_the_variables_of_that_tool_and_ours(
    monkeypatch: pytest.MonkeyPatch, tool: str
) -> None:
    index = PrivateIndex(name=ACME.name, url=URL, tool=tool)
    own, uv, poetry = PAIRS
    give(monkeypatch, uv)
    give(monkeypatch, poetry)
    found = find(index)
    expected = {"uv": uv, "poetry": poetry}.get(tool)
    assert (found and found[2].partition("USERNAME")[0]) == expected
    give(monkeypatch, own)
    assert find(index) == ("me", CANARY, f"{own}USERNAME and {own}PASSWORD")


def test_pdm_has_variables_for_its_default_index_and_those_that_its_urls_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    give(monkeypatch, "PDM_PYPI_")
    assert find(PrivateIndex(name="other", url=URL, tool="pdm")) is None
    assert find(PrivateIndex(name="pypi", url=URL)) is None
    source = "PDM_PYPI_USERNAME and PDM_PYPI_PASSWORD"
    assert find(PrivateIndex(name="pypi", url=URL, tool="pdm")) == ("me", CANARY, source)
    monkeypatch.setenv("READER", "reader")
    monkeypatch.setenv("SECRET", CANARY)
    index = PrivateIndex(name="x", url=URL, tool="pdm", userinfo="${READER}:${SECRET}")
    assert find(index) == ("reader", CANARY, "READER and SECRET")
    fixed = PrivateIndex(name="x", url=URL, tool="pdm", userinfo="build%40ci:${SECRET}")
    assert find(fixed) == ("build@ci", CANARY, "SECRET")
    alone = PrivateIndex(name="x", url=URL, tool="pdm", userinfo="${SECRET}")
    assert find(alone) == (CANARY, "", "SECRET")
    monkeypatch.delenv("SECRET")
    assert "SECRET is not set" in failure(index)


# ---- halves


@pytest.mark.parametrize("prefix", PAIRS)
def test_half_of_them_is_an_error_that_names_the_other_half(
    monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    give(monkeypatch, prefix)
    monkeypatch.setenv(f"{prefix}PASSWORD", "")
    assert f"no password: {prefix}PASSWORD is not set" in failure()
    # The login of another user does not complete it.
    assert f"no password: {prefix}PASSWORD is not set" in failure(netrc=NETRC)
    give(monkeypatch, prefix)
    monkeypatch.delenv(f"{prefix}USERNAME")
    assert f"no user name: {prefix}USERNAME is not set" in failure(netrc=NETRC)


def test_the_password_of_a_user_that_a_variable_names_may_be_elsewhere(
    monkeypatch: pytest.MonkeyPatch, ring: Ring
) -> None:
    monkeypatch.setenv("UV_INDEX_AC_ME_X_USERNAME", "of-netrc")
    assert find(netrc=NETRC) == ("of-netrc", CANARY, "netrc")
    ring.set_password("pypi.acme.test:8443", "of-netrc", CANARY)
    of_uv = PrivateIndex(name=ACME.name, url=URL, tool="uv")
    assert find(of_uv) == ("of-netrc", CANARY, "the keyring")
    assert ring.asked[-1] == ("pypi.acme.test:8443", "of-netrc")
    monkeypatch.setenv("UV_INDEX_AC_ME_X_USERNAME", "aws")
    place = PrivateIndex(name=ACME.name, url=URL, codeartifact=PLACE)
    assert find(place, token=CANARY) == ("aws", CANARY, "AWS CodeArtifact")


@pytest.mark.parametrize("value", ["a\nb", f"{CANARY}\n", "\t", "\x7f"])
def test_control_characters_are_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    prefix, *_ = PAIRS
    give(monkeypatch, prefix)
    monkeypatch.setenv(f"{prefix}PASSWORD", value)
    said = failure()
    assert f"The password of index `ac-me.x` from {prefix}USERNAME and {prefix}PASSWORD" in said
    give(monkeypatch, prefix, value)
    assert "The user name of index `ac-me.x`" in failure()


# ---- netrc and keyring


def test_netrc_has_an_entry_for_all_other_hosts() -> None:
    assert find(netrc={"x": Login("a", "b"), "default": Login("c", "d")}) == ("c", "d", "netrc")
    assert find(netrc={"x": Login("a", "b")}) is None


def test_the_keyring_is_asked_for_the_url_and_then_for_the_host(ring: Ring) -> None:
    assert find() is None
    assert ring.asked == [(URL, None), (URL.rstrip("/"), None), ("pypi.acme.test:8443", None)]


def test_the_keyring_is_not_asked_about_an_index_that_may_be_a_public_one(ring: Ring) -> None:
    ring.set_password(URL, "me", CANARY)
    assert find(PrivateIndex(name="x", url=URL, tool="uv")) is None
    assert ring.asked == []


def test_a_keyring_that_fails_has_nothing(monkeypatch: pytest.MonkeyPatch, ring: Ring) -> None:
    def fail(*_: object) -> None:
        raise KeyError(CANARY)

    monkeypatch.setattr(ring, "get_credential", fail)
    assert find() is None


def test_the_program_keyring_is_asked_where_the_library_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # As Python has it for a module that is not there.
    monkeypatch.setitem(sys.modules, "keyring", None)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert find() is None
    script = f'[ "$*" = "--mode creds get {URL}" ] && printf "me\\n{CANARY}\\n" && exit\n'
    script += f'[ "$*" = "get {URL} you" ] && echo {CANARY} && exit\n'
    stand_in(tmp_path / "bin", "keyring", f"{script}echo {CANARY}; exit 1")
    assert find() == ("me", CANARY, "the keyring")
    monkeypatch.setenv("UV_INDEX_AC_ME_X_USERNAME", "you")
    assert find() == ("you", CANARY, "the keyring")
    monkeypatch.setenv("UV_INDEX_AC_ME_X_USERNAME", "another")
    assert "UV_INDEX_AC_ME_X_PASSWORD is not set" in failure()


# ---- the value


def test_credentials_have_the_names_and_forms_that_tools_want() -> None:
    found = Credentials(
        index_name="my.index-1",
        index_url="HTTPS://Host.test:443/simple/",
        username="me",
        password="pass:wörd",
    )
    assert found.uppercase_index_name == "MY_INDEX_1"
    assert found.normalized_index_url == "https://host.test/simple"
    assert base64.b64decode(found.authorization.removeprefix("Basic ")).decode() == "me:pass:wörd"
    assert found.environment("uv") == {
        "UV_INDEX_MY_INDEX_1_USERNAME": "me",
        "UV_INDEX_MY_INDEX_1_PASSWORD": "pass:wörd",
    }
    assert set(found.environment("poetry")) == {
        "POETRY_HTTP_BASIC_MY.INDEX_1_USERNAME",
        "POETRY_HTTP_BASIC_MY.INDEX_1_PASSWORD",
    }
    assert found.environment("pip") == found.environment("pdm") == {}
    assert found.source == "the program"
    assert "wörd" not in repr(found)
    assert "'me'" not in repr(found)
    assert variables(None, "x").password == "HATCH_LAMBDA_LAYER_INDEX_X_PASSWORD"


def test_what_pips_and_uvs_variables_have_in_their_urls_is_found() -> None:
    environment = {
        "PIP_INDEX_URL": "https://plain/simple",
        "PIP_EXTRA_INDEX_URL": f"https://a:{CANARY}@h/a  https://t%40ken@h/b",
        "UV_INDEX": f"named=https://u:{CANARY}@i/simple https://x/?a=b",
    }
    found = [
        (each.source, each.index_url, each.username, each.password)
        for each in url_credentials(environment)
    ]
    assert found == [
        ("PIP_EXTRA_INDEX_URL", "https://h/a", "a", CANARY),
        ("PIP_EXTRA_INDEX_URL", "https://h/b", "t@ken", ""),
        ("UV_INDEX", "https://i/simple", "u", CANARY),
    ]
