"""The user's netrc is read as others read it."""

from __future__ import annotations

import netrc
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer.index.netrc import Login, read_netrc

if TYPE_CHECKING:
    from pathlib import Path

CANARY = "canary-77e0"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a home without files."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()


def named(tmp_path: Path, text: str) -> dict[str, str]:
    path = tmp_path / "netrc"
    path.write_text(text, encoding="utf-8")
    return {"NETRC": str(path)}


def hosts(path: Path) -> dict[str, tuple[str, str, str]]:
    return dict(netrc.netrc(str(path)).hosts)


def test_the_file_is_that_of_the_variable_or_one_of_two_in_the_home(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert read_netrc({}) == {}
    (home / "_netrc").write_text("machine a login b password c\n", encoding="utf-8")
    assert read_netrc({}) == {"a": Login("b", "c")}
    (home / ".netrc").write_text("machine a login x password y\n", encoding="utf-8")
    assert read_netrc({}) == {"a": Login("x", "y")}
    text = "machine m account acc password z\ndefault login d password e\nmachine n login o\n"
    assert read_netrc(named(tmp_path, text)) == {
        "m": Login("acc", "z"),
        "default": Login("d", "e"),
        "n": Login("o", ""),
    }
    assert read_netrc({"NETRC": str(tmp_path / "missing")}) == {}


@pytest.mark.parametrize("text", ["machine", f"password {CANARY}", "\0", "machine a"])
def test_a_file_that_is_broken_counts_as_none(tmp_path: Path, text: str) -> None:
    assert read_netrc(named(tmp_path, text)) == {}
    (tmp_path / "netrc").write_bytes(b"machine \xff\xfe login a password b")
    assert isinstance(read_netrc({"NETRC": str(tmp_path / "netrc")}), dict)


ODD = [
    'machine "" login b password c',
    "machine a.test",
    "machine a.test login b passwrod c password d",
    "machine login b password c",
    "machine [::1 login b password c",
    'machine "a b" login b password c',
    "machine #a login b password c",
    "machine münchen.test login ü password ß",
    "machine http://a.test/simple login b password c",
    "macdef init\ncd /pub\nmachine x.test login y password z\n",
    "# machine x.test login y password z",
    "#",
    "machine a.test login b password c stray",
    "machine machine login b password c",
]


@pytest.mark.fault(89)
@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("before", [False, True])
def test_an_odd_entry_does_not_lose_the_others(tmp_path: Path, odd: str, *, before: bool) -> None:
    good = "machine good.test\n  login u # mine\n  password p#w\n"
    environment = named(tmp_path, f"{good}\n{odd}\n" if before else f"{odd}\n{good}")
    assert read_netrc(environment)["good.test"] == Login("u", "p#w")
    assert "x.test" not in read_netrc(environment)


@pytest.mark.fault(89)
def test_no_login_goes_to_the_host_of_an_entry_that_is_cut_off(tmp_path: Path) -> None:
    text = (
        "machine a.test login\nmachine b.test login u password p\n"
        "machine c.test login v password w\n"
    )
    assert read_netrc(named(tmp_path, text)) == {"c.test": Login("v", "w")}


@pytest.mark.fault(89)
def test_bytes_that_are_not_utf_8_do_not_lose_the_others(tmp_path: Path) -> None:
    text = b"machine m\xfcnchen.test login a password b\nmachine good.test login u password p\n"
    (tmp_path / "netrc").write_bytes(text)
    environment = {"NETRC": str(tmp_path / "netrc")}
    assert read_netrc(environment)["good.test"] == Login("u", "p")


@pytest.mark.parametrize(
    "text",
    [
        'machine a login "b \\" c" password d\\ e',
        "machine a\tlogin b\r\npassword c\r\nmachine d login e password f",
        "machine a account b password c default login d password e",
        "machine a user b password # machine c login d password e",
        'machine a login "" password b',
        "machine a login machine password default",
        "macdef x\ny\n\nmachine a login b password c",
        "machine a login b password c\nmacdef x\ny\n\nmachine d login e password f",
        "machine a login b password c # login x\n# machine y login z password z\n",
    ],
)
def test_the_file_is_read_as_by_the_standard_library(tmp_path: Path, text: str) -> None:
    found = hosts(tmp_path / "netrc") if named(tmp_path, text) else {}
    assert read_netrc({"NETRC": str(tmp_path / "netrc")}) == {
        host: Login(login or account, password)
        for host, (login, account, password) in found.items()
    }
