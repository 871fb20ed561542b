"""The short form of the fuzzing that `hatch run fuzz` does: the same inputs in every run."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from .__main__ import main
from .engine import Crash, Session, Target, TooSlow
from .readers import TARGETS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

INPUTS = 300
_SHA = b"0" * 64
_TOO_MANY_DIGITS = b"9" * 5000

# Inputs that a reader did not survive once.
FOUND = [
    ("html", b"<![foo["),
    ("json", b'{"files": [{"filename": "a", "url": "b", "hashes": {"sha256": []}}]}'),
    ("pylock", b'lock-version = "1.0"\npackages = []\nrequires-python = ">=%s"' % _TOO_MANY_DIGITS),
    (
        "pylock",
        b'lock-version = "1.0"\n[[packages]]\nname = "a"\n'
        b'archive = { path = "a\\u0000.whl", hashes = { sha256 = "%s" } }' % _SHA,
    ),
    ("uv", b'version = 1\nrequires-python = ">=%s"' % _TOO_MANY_DIGITS),
    ("metadata", b"Name: demo\nVersion: %s\n" % _TOO_MANY_DIGITS),
    ("requires-dist", b"other; python_version > '%s'" % _TOO_MANY_DIGITS),
    ("requires-dist", b"other; '' == 'linux'"),
    ("requirements", b"-r " + b"n" * 300),
    ("requirements", b"a" + b" " * 60_000 + b"b"),
    ("message", b"https://" * 8_000),
]


@pytest.mark.parametrize("name", TARGETS)
def test_a_reader_returns_or_refuses_whatever_it_is_given(name: str, tmp_path: Path) -> None:
    session = Session(TARGETS[name], tmp_path)
    crashes = session.run(seed=1, count=INPUTS)
    assert [each.trace for each in crashes] == []
    assert session.inputs >= INPUTS


@pytest.mark.parametrize(("name", "data"), FOUND)
def test_what_was_found_is_found_no_more(name: str, data: bytes, tmp_path: Path) -> None:
    session = Session(TARGETS[name], tmp_path)
    session.feed(data)
    assert [each.trace for each in session.crashes] == []


def _raise(data: bytes, _folder: Path) -> None:
    if b"\xff" in data:
        raise KeyError(data)


def _loop(_data: bytes, _folder: Path) -> None:
    while True:
        pass


def _allocate(_data: bytes, _folder: Path) -> bytes:
    return b"x" * (1 << 30)


@pytest.mark.skipif(sys.platform != "linux", reason="the limits are of Linux")
@pytest.mark.parametrize(
    ("read", "error"), [(_raise, KeyError), (_loop, TooSlow), (_allocate, MemoryError)]
)
def test_a_fault_of_a_reader_is_found_once(
    read: Callable[[bytes, Path], object], error: type[BaseException], tmp_path: Path
) -> None:
    target = Target("faulty", read, lambda: [b"seed"])
    session = Session(target, tmp_path, seconds=0.05)
    (crash,) = session.run(seed=1, count=2 if error is TooSlow else 500)
    assert error.__name__ in crash.trace
    assert crash.write(tmp_path).read_bytes() == crash.data


def test_the_same_seed_gives_the_same_inputs(tmp_path: Path) -> None:
    fed: list[bytes] = []
    target = Target("kept", lambda data, _: fed.append(data), lambda: [b"a = 1\n"])
    for seed in (3, 3, 4):
        Session(target, tmp_path).run(seed, count=50)
    assert fed[:50] == fed[50:100]
    assert fed[:50] != fed[100:]
    assert len(set(fed[:50])) > 30


def test_an_input_that_was_kept_is_fed_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Crash("elf", b"\x7fELF", "").write(tmp_path)
    arguments = ["--target", "elf", "--input", str(path), "--crashes", str(tmp_path)]
    assert main(arguments) == 0
    monkeypatch.setitem(TARGETS, "elf", Target("elf", _raise, list))
    path.write_bytes(b"\xff")
    assert main(arguments) == 1
    assert "KeyError" in capsys.readouterr().out
