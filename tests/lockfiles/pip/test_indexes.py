"""The settings of pip's user, and what indexes answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer.config.indexes import PrivateIndex
from hatch_lambda_layer.exceptions import DownloadError, LambdaLayerError, LockfileError
from hatch_lambda_layer.index.auth import IndexAccess
from hatch_lambda_layer.lockfiles import Lock
from hatch_lambda_layer.lockfiles.pip.failures import explained
from hatch_lambda_layer.lockfiles.pip.lockfile import PipLockfile
from hatch_lambda_layer.lockfiles.pip.report import pylock_text
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
        "PIP_NO_BINARY": ":all:",
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
    ("status", "hint"),
    [
        (401, "set the right credentials of the index"),
        (404, "check its name and version"),
        (500, "check the network"),
    ],
)
def test_what_the_index_answered_is_in_the_error(
    project: PipProject, monkeypatch: pytest.MonkeyPatch, status: int, hint: str
) -> None:
    with IndexServer() as server:
        server.always("/simple/private/", Status(status))
        monkeypatch.setenv("PIP_INDEX_URL", server.simple_url.replace("//", f"//user:{CANARY}@"))
        project.write("private==1.0\n")
        said = str(project.failure())
        page = f"{server.url}/simple/private/"
    assert "No matching distribution found for private==1.0" in said
    assert f"What the indexes answered:\n| - {page}: " in said
    assert str(status) in said
    assert hint in said
    assert CANARY not in said


@pytest.mark.fault(49)
@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        ("403 Client Error: Forbidden", "set the right credentials of the index"),
        ("429 Client Error: Too Many Requests", "check the network"),
    ],
)
def test_other_answers_of_an_index_have_the_advice_of_their_kind(answer: str, hint: str) -> None:
    page = "https://index.test/simple/private/"
    said = "ERROR: No matching distribution found for private==1.0\n"
    error = explained(said, {page: answer}, "", ["requirements.txt"], X86_64)
    assert f"What the indexes answered:\n| - {page}: {answer}" in str(error)
    assert hint in str(error)


@pytest.mark.fault(59)
def test_an_index_that_does_not_answer_for_a_name_is_a_warning(
    project: PipProject, index: IndexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with IndexServer(user="user", password=CANARY) as private:
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", private.simple_url)
        project.write("alpha\n")
        warnings = project.lock().warnings
        page = f"{private.simple_url}alpha/"
    assert any(each.startswith(f"pip could not read {page} (401") for each in warnings)


@pytest.mark.fault(59)
@pytest.mark.parametrize(
    ("digest", "error", "said"),
    [
        ("", LockfileError, r"^pip could not read .* of the private index `acme`: 401"),
        (f" --hash=sha256:{spec('alpha').sha256}", DownloadError, "answers 401: index `acme`"),
    ],
    ids=["without hashes", "with hashes"],
)
def test_a_private_index_that_does_not_answer_for_a_name_is_an_error(
    project: PipProject, digest: str, error: type[LambdaLayerError], said: str
) -> None:
    project.write(f"alpha==1.0{digest}\n")
    with IndexServer(hostname="localhost", user="user", password=CANARY) as private:
        access = IndexAccess([PrivateIndex(name="acme", url=private.simple_url)])
        request = project.request(access=access)
        (path,) = PipLockfile().find(request)
        with pytest.raises(error, match=said) as caught:
            PipLockfile().read(path, request, X86_64)
        assert "HATCH_LAMBDA_LAYER_INDEX_ACME_PASSWORD" in str(caught.value.hint)
        # That it does not have the name is an answer.
        private.credentials = None
        assert PipLockfile().read(path, request, X86_64).resolved is not bool(digest)


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


@pytest.mark.parametrize(
    ("url", "locked"),
    [
        (f"https://user:{CANARY}@example.com/r", "https://example.com/r"),
        (f"https://{CANARY}@example.com/r", "https://example.com/r"),
        ("ssh://git@example.com/r", "ssh://git@example.com/r"),
    ],
)
def test_credentials_in_a_report_are_not_locked(tmp_path: Path, url: str, locked: str) -> None:
    info = {"url": url, "vcs_info": {"vcs": "git", "commit_id": "0" * 40}}
    report = {"install": [{"metadata": {"name": "A_b"}, "download_info": info}]}
    (package,) = (
        Lock(
            path=tmp_path / "requirements.txt",
            command="",
            text=pylock_text(report, tmp_path, tmp_path / "src"),
        )
        .parse()
        .packages
    )
    assert package.name == "a-b"
    assert package.vcs is not None
    assert package.vcs.url == locked
