"""The command `outdated`: what it asks, whom, with which credentials, and what it prints."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from hatch_lambda_layer.build import outdated as asking
from hatch_lambda_layer.cli.main import main
from hatch_lambda_layer.index import http as transport
from hatch_lambda_layer.lockfiles import default_index as defaults
from tests.support.index_server import Close, IndexServer, Status
from tests.support.lock_factory import LockedFile, LockedPackage, locked, pylock, uv_project
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

USER, CANARY = "reader", "canary-77ab"
HEAD = "python3.13-x86_64"
TABLE = '[tool.lambda-layer]\nruntimes = ["python3.13"]\n'
MATRIX = '[tool.lambda-layer]\nruntimes = ["python3.12", "python3.13"]\n'


def spec(name: str, version: str = "1.0", **facts: Any) -> WheelSpec:
    return WheelSpec(name=name, version=version, **facts)


@dataclass(frozen=True)
class Locked:
    """A project whose `pylock.toml` names the index of each package."""

    root: Path
    index: IndexServer

    def write(self, table: str, *packages: LockedPackage) -> None:
        self.root.mkdir(exist_ok=True)
        (self.root / "pyproject.toml").write_text(table, encoding="utf-8")
        (self.root / "pylock.toml").write_text(pylock(*packages), encoding="utf-8")

    def package(self, wheel: WheelSpec, index: IndexServer | None = None) -> LockedPackage:
        server = index or self.index
        url = server.file_url(wheel.filename)
        return replace(locked(wheel, url), index=server.simple_url)

    def run(self, *arguments: str, code: int = 0) -> Result:
        found = CliRunner().invoke(main, ["outdated", str(self.root), *arguments])
        assert found.exit_code == code, found.output
        assert "Traceback" not in found.stdout
        return found

    def lines(self, *arguments: str, code: int = 0) -> list[str]:
        return self.run(*arguments, code=code).stdout.splitlines()


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "BACKOFF_SECONDS", 0.01)


@pytest.fixture
def locks(tmp_path: Path, index: IndexServer) -> Locked:
    return Locked(tmp_path / "app", index)


@pytest.fixture
def other() -> Iterator[IndexServer]:
    with IndexServer(hostname="localhost", user=USER, password=CANARY) as server:
        yield server


@pytest.mark.fault(15)
def test_a_yanked_release_and_a_newer_one_are_named(locks: Locked) -> None:
    bad = spec("bad")
    locks.index.add(bad, yanked="it deletes files")
    locks.index.add(spec("bad", "1.1"), spec("old"), spec("old", "2.0"), spec("old", "3.0rc1"))
    locks.index.add(spec("current"))
    locks.write(TABLE, *map(locks.package, (bad, spec("old"), spec("current"))))
    result = locks.run()
    assert result.stdout.splitlines() == [
        f"{HEAD}: 1 yanked, 2 outdated of 3 packages",
        "package  locked  newest",
        "bad      1.0     1.1     1.0 is yanked: it deletes files",
        "old      1.0     2.0",
    ]
    assert result.stderr == "Asking about 3 packages\n"
    # The pages alone are asked for, each once.
    paths = sorted(request.path for request in locks.index.requests)
    assert paths == ["/simple/bad/", "/simple/current/", "/simple/old/"]
    assert sorted(path.name for path in locks.root.iterdir()) == ["pylock.toml", "pyproject.toml"]


def test_a_layer_without_anything_outdated_says_so(locks: Locked) -> None:
    locks.index.add(spec("alpha"), spec("alpha", "0.9"))
    locks.write(TABLE, locks.package(spec("alpha")))
    assert locks.lines("--exit-code") == [f"{HEAD}: nothing is yanked or outdated in 1 package"]


def test_the_exit_code_tells_when_it_is_asked_for(locks: Locked) -> None:
    locks.index.add(spec("alpha"), spec("alpha", "2.0"))
    locks.write(TABLE, locks.package(spec("alpha")))
    assert locks.lines() == locks.lines("--exit-code", code=3)
    # A release that does not fit is shown, but there is nothing to do about it.
    locks.index.files.clear()
    locks.index.add(spec("alpha"), spec("alpha", "2.0", tag="cp312-cp312-win_amd64"))
    assert locks.lines("--exit-code") == [
        f"{HEAD}: nothing is yanked or outdated in 1 package",
        "package  locked  newest",
        "alpha    1.0             2.0 has no file for this layer",
    ]


def test_each_member_of_the_matrix_has_what_fits_it_and_is_asked_about_once(locks: Locked) -> None:
    locks.index.add(spec("both"), spec("both", "2.0"), spec("new"))
    locks.index.add(spec("new", "2.0", requires_python=">=3.13"))
    locks.write(MATRIX, locks.package(spec("both")), locks.package(spec("new")))
    assert locks.lines() == [
        "python3.12-x86_64: 1 outdated of 2 packages",
        "package  locked  newest",
        "both     1.0     2.0",
        "new      1.0             2.0 has no file for this layer",
        f"{HEAD}: 2 outdated of 2 packages",
        "package  locked  newest",
        "both     1.0     2.0",
        "new      1.0     2.0",
    ]
    assert len(locks.index.requests) == 2
    assert locks.lines("-m", HEAD)[0] == f"{HEAD}: 2 outdated of 2 packages"
    arm = locks.lines("--runtime", "python3.13", "--architecture", "arm64", "--tool", "pylock")
    assert arm[0] == "python3.13-arm64: 2 outdated of 2 packages"
    alone = locks.run("--member", HEAD, "--tool", "uv", code=1)
    assert alone.stderr.startswith("error: No lockfile: `uv.lock`")


def test_a_lock_of_uv_is_asked_about_at_the_index_that_it_names(
    tmp_path: Path, index: IndexServer
) -> None:
    index.add(spec("alpha"), yanked=True)
    index.add(spec("alpha", "1.2"))
    made = uv_project(tmp_path / "app", index.simple_url, ["alpha==1.0"], extra_toml=TABLE)
    index.requests.clear()
    assert Locked(made.directory, index).lines() == [
        f"{HEAD}: 1 yanked, 1 outdated of 1 package",
        "package  locked  newest",
        "alpha    1.0     1.2     1.0 is yanked: no reason given",
    ]
    assert [request.path for request in index.requests] == ["/simple/alpha/"]


def private_table(server: IndexServer) -> str:
    own = f'[[tool.lambda-layer.indexes]]\nname = "acme"\nurl = "{server.simple_url}"\n'
    return f'{TABLE}{own}packages = ["acme-*"]\n'


def test_each_index_is_asked_about_its_own_packages_with_its_own_credentials(
    locks: Locked, other: IndexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = spec("acme-core")
    locks.index.add(spec("alpha"), spec("alpha", "2.0"), spec("acme-core", "9.0"))
    other.add(core, spec("acme-core", "1.5"))
    table = private_table(other)
    locks.write(table, locks.package(spec("alpha")), locks.package(core, other))
    refused = locks.run(code=1)
    assert "could not be asked: acme-core 1.0: " in refused.stdout
    assert "asks for a user name and a password" in refused.stdout
    assert "alpha    1.0     2.0" in refused.stdout
    assert refused.stderr.endswith(
        "error: No index could be asked about acme-core 1.0\n\n"
        "hint: no credentials were found for index `acme`: set "
        "HATCH_LAMBDA_LAYER_INDEX_ACME_USERNAME and HATCH_LAMBDA_LAYER_INDEX_ACME_PASSWORD, or "
        "put them into ~/.netrc\n"
    )
    monkeypatch.setenv("HATCH_LAMBDA_LAYER_INDEX_ACME_USERNAME", USER)
    monkeypatch.setenv("HATCH_LAMBDA_LAYER_INDEX_ACME_PASSWORD", CANARY)
    locks.index.requests.clear()
    result = locks.run("-v")
    assert "acme-core  1.0     1.5" in result.stdout
    assert CANARY not in result.output
    assert [request.path for request in locks.index.requests] == ["/simple/alpha/"]
    assert not any(request.headers.get("Authorization") for request in locks.index.requests)


def test_without_a_named_index_the_private_one_comes_before_the_default(
    locks: Locked, monkeypatch: pytest.MonkeyPatch
) -> None:
    with IndexServer(hostname="localhost") as private:
        core, held = spec("acme-core"), spec("held")
        private.add(core, spec("acme-core", "1.5"), held, spec("held", "1.6"))
        locks.index.add(spec("alpha"), spec("alpha", "2.0"))
        private.add(spec("unclaimed"), spec("unclaimed", "1.7"))
        monkeypatch.setattr(defaults, "default_index", lambda _: locks.index.simple_url)
        cdn = locked(spec("unclaimed"), "http://127.0.0.1:9/unclaimed-1.0-py3-none-any.whl")
        packages = [
            locked(core, private.file_url(core.filename)),
            locked(held, private.file_url(held.filename)),
            locked(spec("alpha"), locks.index.file_url(spec("alpha").filename)),
            cdn,
        ]
        locks.write(private_table(private), *packages)
        assert locks.lines()[2:] == [
            "acme-core  1.0     1.5",
            "alpha      1.0     2.0",
            "held       1.0     1.6",
            "unclaimed  1.0     1.7",
        ]
        # No private name that can be told from the lock is asked for at the default index.
        paths = {request.path for request in locks.index.requests}
        assert paths == {"/simple/alpha/", "/simple/unclaimed/"}


def test_the_index_that_lists_the_locked_version_comes_before_one_that_does_not(
    locks: Locked, other: IndexServer
) -> None:
    # As pdm locks: with all the indexes that may have the file.
    other.credentials = None  # anybody may read it
    locks.index.add(spec("alpha", "9.0"))
    other.add(spec("alpha"), spec("alpha", "1.1"))
    pages = f"{locks.index.simple_url}alpha/ {other.simple_url}alpha/"
    entry = LockedFile.of(spec("alpha"), f"index+{pages}#{spec('alpha').filename}")
    locks.write(TABLE, LockedPackage(wheels=[entry], index=locks.index.simple_url))
    assert locks.lines()[2:] == ["alpha    1.0     1.1"]


def test_what_is_from_no_index_is_not_asked_about(locks: Locked, tmp_path: Path) -> None:
    near, direct, folder = spec("near"), spec("direct"), tmp_path / "app" / "lib"
    near.write(tmp_path)
    locks.index.add(direct)
    url = locks.index.file_url(direct.filename)
    git = {"type": "git", "url": "https://git.test/x.git", "commit-id": "a" * 40}
    flat = replace(locks.package(spec("flat")), index=f"{locks.index.url}/links.html")
    locks.write(
        TABLE,
        LockedPackage(wheels=[LockedFile.of(near, path=f"../{near.filename}")]),
        LockedPackage(name="direct", version="1.0", archive=LockedFile.of(direct, url)),
        LockedPackage(name="lib", directory={"path": folder.name}),
        LockedPackage(name="vcs", vcs=git),
        flat,
    )
    lines = locks.lines()
    assert lines == [f"{HEAD}: nothing is yanked or outdated in 0 packages"]
    assert locks.lines("-v") == [
        *lines,
        "not asked: direct 1.0, which is from a URL or a file of its own",
        "not asked: flat 1.0, which is from a folder or a page of links",
        "not asked: lib, which is from a folder",
        "not asked: near 1.0, which is from a folder or a page of links",
        "not asked: vcs, which is from a repository",
    ]
    assert locks.index.requests == []


@pytest.mark.fault(49)
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Status(404), "The project is not on "),
        (Status(500), "answers 500: host"),
        (Close(), "could not be fetched from"),
        (Status(200, body=b"\xff", headers={"Content-Type": "application/json"}), "not a valid"),
    ],
)
def test_a_page_that_fails_leaves_the_other_packages(
    locks: Locked, answer: Status | Close, said: str
) -> None:
    locks.index.add(spec("alpha"), spec("alpha", "2.0"), spec("broken"))
    locks.index.always("/simple/broken/", answer)
    locks.write(TABLE, locks.package(spec("alpha")), locks.package(spec("broken")))
    result = locks.run("--exit-code", code=1)
    *lines, last = result.stdout.splitlines()
    assert lines[2:] == ["alpha    1.0     2.0"]
    assert last.startswith("could not be asked: broken 1.0: ")
    assert said.replace("host", "index") in last
    assert "\nerror: No index could be asked about broken 1.0\n" in result.stderr


def test_an_index_that_is_down_is_not_asked_about_every_package(
    locks: Locked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "_WORKERS", 1)
    wheels = [spec(f"pkg{number}") for number in range(9)]
    locks.index.add(*wheels)
    locks.index.always("*", Status(403))
    locks.write(TABLE, *map(locks.package, wheels))
    lines = locks.lines(code=1)
    assert len(locks.index.requests) == 3
    assert sum("403" in line for line in lines) == 3
    assert sum(line.endswith("so it was not asked again") for line in lines) == 6


def test_few_connections_are_enough_for_many_packages(locks: Locked) -> None:
    wheels = [spec(f"pkg{number}") for number in range(60)]
    locks.index.add(*wheels)
    locks.write(TABLE, *map(locks.package, wheels))
    assert locks.lines() == [f"{HEAD}: nothing is yanked or outdated in 60 packages"]
    assert len(locks.index.requests) == 60
    assert locks.index.connections <= 6


def test_hostile_text_of_an_index_does_not_reach_the_terminal(locks: Locked) -> None:
    locks.index.add(spec("alpha"), yanked="\x1b[2Jgone\x9b\u202e\nerror: \x07")
    locks.write(TABLE, locks.package(spec("alpha")))
    text, table = locks.run("-v").stdout, locks.run("--format", "json").stdout
    assert "1.0 is yanked: \\x1b[2Jgone\\x9b\\u202e\\nerror: \\x07\n" in text
    assert all(each.isprintable() or each == "\n" for each in text + table)
    (layer,) = json.loads(table)["layers"]
    assert layer["packages"][0]["yanked"] == "\x1b[2Jgone\x9b\u202e\nerror: \x07"


def test_a_layer_whose_lock_fails_leaves_the_others(locks: Locked) -> None:
    only = spec("nat", tag="cp313-cp313-manylinux_2_17_x86_64")
    locks.index.add(only)
    locks.write(MATRIX, locks.package(only))
    result = locks.run(code=1)
    assert result.stdout == f"{HEAD}: nothing is yanked or outdated in 1 package\n"
    assert "error: python3.12-x86_64: These packages have no wheel for" in result.stderr
    assert result.stderr.endswith("error: 1 of 2 layers could not be checked: python3.12-x86_64\n")


def test_a_document_without_one_of_the_layers_is_not_printed(locks: Locked) -> None:
    only = spec("nat", tag="cp313-cp313-manylinux_2_17_x86_64")
    locks.index.add(only)
    locks.write(MATRIX, locks.package(only))
    assert locks.run("--format", "json", code=1).stdout == ""


def test_quiet_shows_the_answer_alone(locks: Locked) -> None:
    locks.index.add(spec("alpha"))
    locks.write(TABLE, locks.package(spec("alpha")))
    assert locks.run("-q").output == f"{HEAD}: nothing is yanked or outdated in 1 package\n"


@pytest.mark.fault(15)
def test_a_first_build_asks_no_page_of_an_index(tmp_path: Path, index: IndexServer) -> None:
    wheels = [spec(f"pkg{number}") for number in range(12)]
    index.add(*wheels, yanked="asked of nobody")
    names = [f"{wheel.name}==1.0" for wheel in wheels]
    made = uv_project(tmp_path / "app", index.simple_url, names, extra_toml=TABLE)
    index.requests.clear()
    built = CliRunner().invoke(main, ["build", str(made.directory)])
    assert built.exit_code == 0, built.output
    paths = sorted(request.path for request in index.requests)
    assert paths == sorted(index.path_of(wheel.filename) for wheel in wheels)
    assert "asked of nobody" not in built.output
