"""The command `doctor`: what is there, what is missing, and that no credential is shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from hatch_lambda_layer.cli.main import main
from hatch_lambda_layer.index import http as transport
from tests.support.index_server import IndexServer
from tests.support.lock_factory import LockedFile, LockedPackage, pylock, uv_project
from tests.support.tools import stand_in
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from pathlib import Path

CANARY = "canary-51cd"
TABLE = '[tool.lambda-layer]\nruntimes = ["python3.13"]\n'


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "BACKOFF_SECONDS", 0.01)


def project(tmp_path: Path, index: IndexServer, extra: str = "") -> Path:
    index.add(WheelSpec(name="alpha"))
    made = uv_project(tmp_path / "app", index.simple_url, ["alpha"], extra_toml=TABLE + extra)
    return made.directory


def checks(root: Path, *arguments: str, code: int = 0) -> dict[str, tuple[str, str]]:
    found = CliRunner().invoke(main, ["doctor", str(root), "--format", "json", *arguments])
    assert found.exit_code == code, found.output
    assert CANARY not in found.output
    return {
        each["name"]: (each["state"], each["text"]) for each in json.loads(found.stdout)["checks"]
    }


def test_a_project_that_lacks_nothing(tmp_path: Path, index: IndexServer) -> None:
    root = project(tmp_path, index)
    found = checks(root)
    assert found["uv"][0] == "ok"
    assert found["python3.13-x86_64"] == ("ok", "1 wheels and 0 sources in uv.lock")
    assert found["index of the lockfile"] == ("ok", f"{index.simple_url} answers, with alpha")
    assert found["writing"][0] == "ok"
    assert "missing" not in {state for state, _ in found.values()}


def test_a_person_reads_it_without_colour_in_80_columns(tmp_path: Path, index: IndexServer) -> None:
    root = project(tmp_path, index)
    found = CliRunner().invoke(main, ["doctor", str(root), "--offline"], color=True)
    assert found.exit_code == 0
    lines = found.stdout.splitlines()
    assert lines[-1] == "Nothing is missing that this project needs"
    assert "\x1b" not in found.stdout
    # A path may be longer than a line, and is not broken.
    assert [each for each in lines if len(each) > 80 and " " in each.strip()] == []
    assert [each for each in lines if each and each[0] != " "][:2] == ["Tools", "Project"]


@pytest.mark.fault(244)
def test_without_a_lockfile_the_rest_is_looked_at(tmp_path: Path, index: IndexServer) -> None:
    root = project(tmp_path, index)
    (root / "uv.lock").unlink()
    found = checks(root, "--offline", code=1)
    state, text = found["python3.13-x86_64"]
    assert state == "missing"
    assert "No lockfile" in text
    assert found["writing"][0] == "ok"


@pytest.mark.fault(245)
def test_an_index_that_is_out_of_reach(tmp_path: Path, index: IndexServer) -> None:
    with IndexServer() as gone:
        root = project(tmp_path, gone)
        assert CliRunner().invoke(main, ["doctor", str(root)]).exit_code == 0
    state, text = checks(root, code=1)["index of the lockfile"]
    assert (state, "can't be asked" in text) == ("missing", True)


@pytest.mark.fault(245)
def test_an_index_that_nothing_is_needed_of_is_a_note(tmp_path: Path) -> None:
    with IndexServer() as gone:
        root = project(tmp_path, gone)
        assert CliRunner().invoke(main, ["build", str(root)]).exit_code == 0
    assert checks(root)["index of the lockfile"][0] == "note"


def test_where_credentials_come_from_is_told_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, index: IndexServer
) -> None:
    with IndexServer(user="reader", password=CANARY) as private:
        private.add(WheelSpec(name="alpha"))
        own = f'[[tool.lambda-layer.indexes]]\nname = "acme"\nurl = "{private.simple_url}"\n'
        root = project(tmp_path, index, own)
        assert checks(root)["credentials of `acme`"] == ("note", "none were found")
        monkeypatch.setenv("HATCH_LAMBDA_LAYER_INDEX_ACME_USERNAME", "reader")
        monkeypatch.setenv("HATCH_LAMBDA_LAYER_INDEX_ACME_PASSWORD", CANARY)
        found = checks(root)
        names = "HATCH_LAMBDA_LAYER_INDEX_ACME_USERNAME and HATCH_LAMBDA_LAYER_INDEX_ACME_PASSWORD"
        assert found["credentials of `acme`"] == ("ok", f"from {names}")
        assert found["index `acme`"] == ("ok", f"{private.simple_url} answers, with alpha")
        monkeypatch.delenv("HATCH_LAMBDA_LAYER_INDEX_ACME_USERNAME")
        assert checks(root, code=1)["credentials of `acme`"][0] == "missing"


@pytest.mark.fault(246)
def test_no_engine_where_only_a_container_builds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    stand_in(tools, "docker", "echo no daemon >&2\nexit 1\n")
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    monkeypatch.setattr("hatch_lambda_layer.build.diagnosis.ENGINES", ("docker",))
    sdist = LockedFile(filename="made-1.0.tar.gz", data=b"", url="http://127.0.0.1:9/made.tar.gz")
    root = tmp_path / "app"
    root.mkdir()
    (root / "pylock.toml").write_text(pylock(LockedPackage(sdist=sdist)), encoding="utf-8")
    for build, state, code in (("container", "missing", 1), ("local", "note", 0)):
        (root / "pyproject.toml").write_text(f'{TABLE}build = "{build}"\n', encoding="utf-8")
        found = checks(root, "--offline", code=code)
        assert found["docker"] == ("note", "does not answer: no daemon")
        assert found["container engine"] == (state, "none of docker answers")
