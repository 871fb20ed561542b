"""The settings of pip's user, and what indexes answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer.config.indexes import PrivateIndex
from hatch_lambda_layer.exceptions import DownloadError, LockfileError
from hatch_lambda_layer.index.auth import IndexAccess
from hatch_lambda_layer.wheels.selection import select
from tests.support.index_server import IndexServer, Status
from tests.support.pip_project import CANARY, X86_64, PipProject, spec

if TYPE_CHECKING:
    from pathlib import Path


def test_the_configuration_of_pip_is_in_force(
    project: PipProject, index: IndexServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "pip.conf"
    config.write_text(f"[global]\nindex-url = {index.simple_url}\nuser = true\n")
    monkeypatch.delenv("PIP_INDEX_URL")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    project.write("alpha\n", "limits.txt")
    project.write("alpha<2\n", "limits.txt")
    monkeypatch.setenv("PIP_CONSTRAINT", "limits.txt")
    project.write("alpha\n")
    assert project.filenames() == {"alpha-1.0-py3-none-any.whl"}


def test_settings_that_are_about_installing_do_no_harm(
    project: PipProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = {
        "PIP_REQUIRE_VIRTUALENV": "1",
        "PIP_USER": "1",
        "PIP_PREFIX": str(tmp_path / "prefix"),
        "PIP_TARGET": str(tmp_path / "target"),
        "PIP_ROOT": str(tmp_path / "root"),
        "PIP_PLATFORM": "win_amd64",
        "PIP_ABI": "cp310",
        "PIP_VERBOSE": "3",
        "PIP_LOG": str(tmp_path / "pip.log"),
        "PIP_PYTHON": str(tmp_path / "nowhere"),
        "PIP_REQUIREMENT": str(tmp_path / "nowhere.txt"),
        "PIP_USE_FEATURE": "fast-deps inprocess-build-deps",
        "FORCE_COLOR": "1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    project.write("native\n")
    assert project.names() == {"native"}
    assert not any((tmp_path / name).exists() for name in ("prefix", "target", "root"))


@pytest.mark.fault(15)
def test_a_yanked_release_is_a_warning_with_its_reason(project: PipProject) -> None:
    project.write("taken-back==1.0\n")
    assert "taken-back 1.0 was yanked: it deletes files" in project.lock().warnings


def test_an_extra_that_is_not_there_is_a_warning(project: PipProject) -> None:
    project.write("alpha[nothing]\n")
    assert "alpha 2.0 does not provide the extra 'nothing'" in project.lock().warnings


@pytest.mark.fault(49)
@pytest.mark.parametrize(
    ("status", "said", "hint"),
    [
        (401, "asks for a user name and a password", "put credentials for 127.0.0.1 into ~/.netrc"),
        (403, "forbids it", "check the credentials and what they may read"),
        (404, "private was not found", "check names and versions"),
        (500, "failed at every attempt", "wait a little"),
    ],
)
def test_what_the_index_answered_is_in_the_error(
    project: PipProject, monkeypatch: pytest.MonkeyPatch, status: int, said: str, hint: str
) -> None:
    monkeypatch.setattr("hatch_lambda_layer.index.http.BACKOFF_SECONDS", 0)
    with IndexServer() as server:
        server.always("/simple/private/", Status(status))
        monkeypatch.setenv("PIP_INDEX_URL", server.simple_url.replace("//", f"//user:{CANARY}@"))
        project.write("private==1.0\n")
        error = project.failure()
    assert said in error.message
    assert "private" in error.message
    assert hint in str(error.hint)
    assert CANARY not in str(error)


@pytest.mark.fault(49)
@pytest.mark.parametrize("where", ["index", "extra index", "url"])
def test_what_can_t_be_reached_is_named(
    project: PipProject, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setattr("hatch_lambda_layer.index.http.BACKOFF_SECONDS", 0)
    gone = "http://127.0.0.1:9"
    lines = {
        "index": f"--index-url {gone}/simple\nalpha\n",
        "extra index": f"--extra-index-url {gone}/simple/\nalpha\n",
        "url": f"alpha @ {gone}/alpha-1.0-py3-none-any.whl\n",
    }
    project.write(lines[where])
    error = project.failure()
    page = "alpha-1.0-py3-none-any.whl" if where == "url" else "simple/alpha/"
    assert error.message.startswith(f"{gone}/{page} could not be fetched")
    assert "the connection broke" in error.message
    assert "check the network" in str(error.hint)


@pytest.mark.fault(59)
def test_the_first_index_that_has_a_name_counts(
    project: PipProject, index: IndexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with IndexServer() as extra, IndexServer(hostname="localhost") as private:
        extra.add(spec("alpha", version="0.7"), spec("beta", version="0.7"))
        private.add(spec("alpha", version="0.5"))
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", extra.simple_url)
        project.write("alpha\nbeta\ngamma\n")
        access = IndexAccess([PrivateIndex(name="acme", url=private.simple_url)])
        found = select(project.lock(access=access), X86_64).wheels
        assert {(each.name, each.version) for each in found} == {
            ("alpha", "0.5"),
            ("beta", "0.7"),
            ("gamma", "1.0"),
        }
        # What is locked names no index: the URL has to say it, or the index.
        assert {each.index_url for each in found} == {None}


def test_the_index_that_keeps_others_from_being_asked_is_named_with_the_ways_out(
    project: PipProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    with IndexServer() as extra:
        # Such as a mirror that has a part of all releases.
        extra.add(spec("alpha", version="0.7"))
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", extra.simple_url)
        project.write("alpha==2.0\n")
        with pytest.raises(LockfileError, match="no version of alpha") as raised:
            project.lock()
        hint = str(raised.value.hint)
        assert f"`alpha` is on {extra.simple_url.rstrip('/')}" in hint
        assert "lock with hashes" in hint
        project.write(f"alpha==2.0 --hash=sha256:{spec('alpha', version='2.0').sha256}\n")
        assert project.filenames() == {"alpha-2.0-py3-none-any.whl"}


@pytest.mark.fault(59)
@pytest.mark.parametrize(
    "digest", ["", f" --hash=sha256:{spec('alpha').sha256}"], ids=["without hashes", "with hashes"]
)
def test_a_private_index_that_does_not_answer_for_a_name_is_an_error(
    project: PipProject, digest: str
) -> None:
    project.write(f"alpha==1.0{digest}\n")
    with IndexServer(hostname="localhost", user="user", password=CANARY) as private:
        access = IndexAccess([PrivateIndex(name="acme", url=private.simple_url)])
        with pytest.raises(DownloadError, match="answers 401: index `acme`") as caught:
            project.lock(access=access)
        assert "HATCH_LAMBDA_LAYER_INDEX_ACME_PASSWORD" in str(caught.value.hint)
        # That it does not have the name is an answer.
        private.credentials = None
        assert project.lock(access=access).resolved is not bool(digest)


@pytest.mark.parametrize("where", ["variable", "option"])
def test_prereleases_count_where_pip_would_take_them(
    project: PipProject, index: IndexServer, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    index.add(spec("early", version="1.0"), spec("early", version="2.0rc1"))
    project.write("early\n")
    assert project.filenames() == {"early-1.0-py3-none-any.whl"}
    if where == "option":
        project.write("--pre\nearly\n")
    else:
        monkeypatch.setenv("PIP_PRE", "1")
    assert project.filenames() == {"early-2.0rc1-py3-none-any.whl"}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PIP_IGNORE_REQUIRES_PYTHON", "1", "`ignore-requires-python`"),
        ("PIP_ALL_RELEASES", ":all:", "`all-releases`"),
        ("PIP_NO_BINARY", ":all:", "`no-binary :all:`"),
        ("PIP_UPLOADED_PRIOR_TO", "2020-01-01", "`uploaded-prior-to`"),
    ],
)
def test_a_setting_that_uv_does_not_follow_is_an_error_that_names_it(
    project: PipProject, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    project.write("alpha\n")
    monkeypatch.setenv(name, value)
    assert f"pip's setting {said} is not followed here" in str(project.failure())


def test_no_dependencies_are_resolved_where_pip_is_told_so(
    project: PipProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_DEPS", "1")
    project.write("deep\n")
    assert project.names() == {"deep"}


def test_settings_and_configuration_of_uv_change_nothing(
    project: PipProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "UV_RESOLUTION": "lowest",
        "UV_EXCLUDE_NEWER": "2001-01-01",
        "UV_INDEX_URL": "http://127.0.0.1:9/simple",
        "UV_OFFLINE": "1",
    }.items():
        monkeypatch.setenv(name, value)
    project.write('[pip]\nresolution = "lowest"\nno-index = true\n', "uv.toml")
    project.write("alpha\n")
    assert project.filenames() == {"alpha-2.0-py3-none-any.whl"}


def test_what_the_kernel_decides_is_left_out_with_a_warning(project: PipProject) -> None:
    project.write("alpha ; platform_release >= '5'\nbeta\n")
    lock = project.lock()
    assert {each.name for each in select(lock, X86_64).wheels} == {"beta"}
    assert any(
        "`alpha ; platform_release >= '5'` (requirements.txt, line 1) is left out" in each
        for each in lock.warnings
    )


@pytest.mark.fault(57)
def test_the_password_of_an_index_is_in_nothing_that_is_locked_or_said(
    project: PipProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    with IndexServer(user="user", password=CANARY) as private:
        private.add(spec("alpha"))
        private.add(spec("beta"), yanked="no")
        monkeypatch.setenv("PIP_INDEX_URL", private.simple_url_with_credentials)
        url = private.file_url("alpha-1.0-py3-none-any.whl").replace("//", f"//user:{CANARY}@")
        project.write(f"alpha @ {url}\nbeta==1.0\n")
        lock = project.lock()
        assert {wheel.name for wheel in select(lock, X86_64).wheels} == {"alpha", "beta"}
        assert CANARY not in lock.text.decode()
        assert CANARY not in "".join(lock.warnings)
        project.write(f"gamma\n--extra-index-url {private.simple_url_with_credentials}\n")
        assert CANARY not in str(project.failure())
