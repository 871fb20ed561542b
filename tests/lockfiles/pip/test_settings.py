"""pip's settings, as they count where requirements have hashes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer.exceptions import DownloadError, LockfileError
from hatch_lambda_layer.index.auth import IndexAccess
from hatch_lambda_layer.index.download import Downloader
from hatch_lambda_layer.lockfiles.pip.formats import Formats
from hatch_lambda_layer.lockfiles.pip.lockfile import PipLockfile
from hatch_lambda_layer.lockfiles.pip.settings import (
    HONOURED,
    IGNORED,
    REFUSED,
    UNRESOLVABLE,
    read_settings,
)
from hatch_lambda_layer.wheels.selection import select
from tests.support.certificates import make_ca
from tests.support.index_server import IndexServer
from tests.support.pip_project import CANARY, X86_64, PipProject, hashed, spec

if TYPE_CHECKING:
    from pathlib import Path

ALPHA, BETA = "alpha-1.0-py3-none-any.whl", "beta-1.0-py3-none-any.whl"
# What pip takes an option for that nobody names.
DEFAULTS = """
import json
from pip._internal.commands.install import InstallCommand
from pip._internal.models.index import PyPI
found = InstallCommand("install", "").parser.get_default_values()
print(json.dumps({
    "index_url": None if found.index_url == PyPI.simple_url else found.index_url,
    "extra_index_urls": found.extra_index_urls,
    "find_links": found.find_links,
    "no_binary": sorted(found.format_control.no_binary),
}))
"""
CONTENTS = {
    "general": "[global]\nindex-url = https://a.test\nextra-index-url = https://b.test\n"
    "[install]\nfind_links = ../general\n",
    "legacy": "[global]\nindex-url = https://c.test\n--no-binary = x\n",
    "user": "[global]\nextra-index-url = https://d.test\n    https://e.test\nretries = 9\n",
    "chosen": "[install]\nindex-url = https://f.test\n[freeze]\nindex-url = https://g.test\n",
}


@pytest.mark.parametrize("chosen", ["", "chosen", "missing", os.devnull])
@pytest.mark.parametrize("variable", ["", "https://h.test"])
def test_settings_are_those_that_pip_itself_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chosen: str, variable: str
) -> None:
    for name in [name for name in os.environ if name.startswith(("PIP_", "XDG_"))]:
        monkeypatch.delenv(name)
    places = {
        "general": tmp_path / "xdg/pip/pip.conf",
        "legacy": tmp_path / "home/.pip/pip.conf",
        "user": tmp_path / "home/.config/pip/pip.conf",
        "chosen": tmp_path / "chosen",
    }
    for name, path in places.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(CONTENTS[name])
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "xdg"))
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    if chosen:
        place = chosen if chosen == os.devnull else str(tmp_path / chosen)
        monkeypatch.setenv("PIP_CONFIG_FILE", place)
    if variable:
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", variable)
    ours = read_settings(os.environ)
    said = subprocess.run([sys.executable, "-c", DEFAULTS], check=True, capture_output=True)
    theirs = json.loads(said.stdout)
    assert ours.index_url == theirs["index_url"]
    assert list(ours.extra_index_urls) == theirs["extra_index_urls"]
    assert list(ours.find_links) == theirs["find_links"]
    assert {*filter(None, [ours.no_binary])} == {*theirs["no_binary"]}
    assert (ours.index_url is None) == (chosen == os.devnull)


def test_the_configuration_of_an_active_environment_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pip.conf").write_text("[global]\nno-index = yes\n")
    monkeypatch.delenv("PIP_CONFIG_FILE", raising=False)
    assert read_settings({**os.environ, "VIRTUAL_ENV": str(tmp_path)}).no_index


def test_a_configuration_file_that_pip_can_t_read_is_an_error_that_names_it(
    tmp_path: Path,
) -> None:
    (tmp_path / "pip.conf").write_text("index-url = https://a.test\n")
    with pytest.raises(LockfileError, match=r"pip\.conf can't be read"):
        read_settings({"PIP_CONFIG_FILE": str(tmp_path / "pip.conf")})


def test_every_option_of_pip_is_followed_refused_or_known_to_make_no_difference() -> None:
    code = (
        "from pip._internal.commands.install import InstallCommand\n"
        "options = InstallCommand('install', '', isolated=True).parser.option_list_all\n"
        "print(*(name for option in options for name in option._long_opts))\n"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    options = {name.removeprefix("--") for name in said.stdout.split()}
    assert len(options) > 60
    assert options - HONOURED - REFUSED - UNRESOLVABLE - IGNORED == set()
    assert not HONOURED & IGNORED
    assert not (REFUSED | UNRESOLVABLE) & IGNORED
    assert not REFUSED & HONOURED


def test_a_setting_that_could_change_the_file_and_is_not_followed_is_an_error_that_names_it(
    project: PipProject, index: IndexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write(hashed(index, ALPHA))
    monkeypatch.setenv("PIP_ROOT_USER_ACTION", "ignore")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    assert project.names() == {"alpha"}
    monkeypatch.setenv("PIP_UPLOADED_PRIOR_TO", "2020-01-01")
    assert "pip's setting `uploaded-prior-to` is not followed here" in str(project.failure())


def test_hashes_that_the_configuration_requires_are_required(
    project: PipProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("alpha==1.0\n")
    monkeypatch.setenv("PIP_REQUIRE_HASHES", "1")
    assert "`alpha==1.0` (requirements.txt, line 1) has no hash" in str(project.failure())


def test_requirements_without_hashes_among_others_are_resolved_where_that_is_asked_for(
    project: PipProject, index: IndexServer
) -> None:
    project.write(f"--no-require-hashes\n{hashed(index, ALPHA)}beta==1.0\n")
    lock = project.lock()
    assert {each.name for each in select(lock, X86_64).wheels} == {"alpha", "beta"}
    assert lock.resolved


def test_constraints_of_the_configuration_count(
    project: PipProject, index: IndexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write(hashed(index, ALPHA))
    project.write("alpha>=2\n", "limits.txt")
    monkeypatch.setenv("PIP_CONSTRAINT", "limits.txt")
    assert "the constraint `alpha>=2` (limits.txt, line 1)" in str(project.failure())


@pytest.mark.parametrize("where", ["option", "variable", "relative to its file"])
def test_files_in_a_folder_of_find_links_are_found_by_their_hash(
    project: PipProject, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    folder = project.root / "files/wheels"
    folder.mkdir(parents=True)
    local = spec("local")
    local.write(folder)
    (folder / "notes.txt").touch()
    line = f"local==1.0 --hash=sha256:{local.sha256}\n"
    if where == "variable":
        monkeypatch.setenv("PIP_FIND_LINKS", "files/wheels")
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        project.write(line)
    elif where == "option":
        project.write(f"--no-index\n-f files/wheels\n{line}")
    else:
        project.write("-r files/more.txt\n")
        project.write(f"--no-index --find-links wheels\n{line}", "files/more.txt")
    lock = project.lock()
    assert str(project.root) not in lock.text.decode()
    (wheel,) = select(lock, X86_64).wheels
    assert wheel.location == str(folder / local.filename)
    (folder / local.filename).unlink()
    assert "`local==1.0`" in str(project.failure())


@pytest.mark.parametrize("kind", ["page", "index"])
def test_a_page_that_lies_on_this_machine_is_read(
    project: PipProject, index: IndexServer, kind: str
) -> None:
    sha256 = index.files[ALPHA].hashes["sha256"]
    page = f'<a href="{index.file_url(ALPHA)}#sha256={sha256}">{ALPHA}</a>'
    path = project.write(page, "simple/alpha/index.html")
    option = f"--find-links {path.as_uri()}"
    if kind == "index":
        option = f"--index-url {(project.root / 'simple').as_uri()}"
    project.write(f"{'--no-index' if kind == 'page' else ''} {option}\n{hashed(index, ALPHA)}")
    before = len(index.requests)
    (wheel,) = select(project.lock(), X86_64).wheels
    assert wheel.location == index.file_url(ALPHA)
    assert len(index.requests) == before


def test_a_package_that_no_place_has_is_an_error_that_names_the_places(
    project: PipProject, index: IndexServer
) -> None:
    project.write(f"missing==1.0 --hash=sha256:{'0' * 64}\n")
    said = str(project.failure())
    assert f"`missing==1.0` (requirements.txt, line 1) is not on {index.simple_url}" in said
    project.write(f"--no-index\nmissing==1.0 --hash=sha256:{'0' * 64}\n")
    assert "no index is asked (`no-index`), and there is no `find-links`" in str(project.failure())


def test_wheels_or_sources_alone_are_locked_where_pip_would_take_them(
    project: PipProject, index: IndexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.add(spec("both"))
    index.add_file("both-1.0.tar.gz", project.sdist("both"))
    files = [each for each in index.files.values() if each.project == "both"]
    hashes = " ".join(f"--hash=sha256:{each.hashes['sha256']}" for each in files)
    line = f"both==1.0 {hashes}\n"

    def kinds() -> tuple[int, int]:
        selection = select(project.lock(sources=True), X86_64)
        return len(selection.wheels), len(selection.sources)

    for options, expected in (
        ("", (1, 0)),
        ("--no-binary both\n", (0, 1)),
        ("--no-binary :all:\n", (0, 1)),
        ("--no-binary :all: --only-binary both\n", (1, 0)),
        ("--no-binary both\n--no-binary :none:\n", (1, 0)),
    ):
        project.write(options + line)
        assert kinds() == expected, options
    project.write(line)
    monkeypatch.setenv("PIP_NO_BINARY", "both,other")
    assert kinds() == (0, 1)
    monkeypatch.setenv("PIP_ONLY_BINARY", ":all:")
    project.write(hashed(index, ALPHA) + f"both==1.0 --hash=sha256:{files[1].hashes['sha256']}\n")
    monkeypatch.delenv("PIP_NO_BINARY")
    said = str(project.failure(sources=True))
    assert "no file in a format" in said
    assert "the variable `PIP_ONLY_BINARY` forbids building one" in said
    monkeypatch.delenv("PIP_ONLY_BINARY")
    project.write("--only-binary both\n" + f"both==1.0 --hash=sha256:{files[1].hashes['sha256']}\n")
    said = str(project.failure(sources=True))
    assert "`--only-binary` in the requirements forbids building one" in said


@pytest.mark.fault(140)
def test_a_source_that_pip_must_not_build_is_not_resolved_either(
    project: PipProject, index: IndexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.add_file("onlysource-1.0.tar.gz", project.sdist("onlysource"))
    project.write("onlysource\n")
    monkeypatch.setenv("PIP_ONLY_BINARY", "onlysource")
    said = str(project.failure(sources=True))
    assert "the variable `PIP_ONLY_BINARY` forbids building one" in said


def test_a_later_option_about_formats_takes_a_name_away_from_the_other() -> None:
    formats = Formats(
        [("--only-binary", "A_b,c"), ("--no-binary", "a-b"), ("--only-binary", ":none:")]
    )
    assert not formats.allow("a-b", is_wheel=True)
    assert formats.allow("c", is_wheel=False)


@pytest.mark.fault(57)
def test_credentials_in_the_configuration_of_pip_are_used_and_in_no_lock(
    project: PipProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with IndexServer(hostname="localhost", user="user", password=CANARY) as private:
        private.add(spec("alpha"))
        config = tmp_path / "pip.conf"
        config.write_text(f"[global]\nindex-url = {private.simple_url_with_credentials}\n")
        monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
        monkeypatch.delenv("PIP_INDEX_URL")
        project.write(hashed(private, ALPHA))
        access = IndexAccess()
        request = project.request(access=access)
        lock = PipLockfile().read(project.root / "requirements.txt", request, X86_64)
        assert CANARY not in lock.text.decode()
        (wheel,) = select(lock, X86_64).wheels
        # A later build has the lock from the cache; it fetches with the same credentials.
        access = IndexAccess()
        request = project.request(access=access)
        assert PipLockfile().key(project.root / "requirements.txt", request, X86_64)
        with (tmp_path / "fetched").open("w+b") as file:
            Downloader(access).fetch(
                wheel.location, file, largest=1 << 20, index=None, moved=lambda _: None
            )
            assert file.tell() == len(spec("alpha").data)


@pytest.mark.parametrize("where", ["variable", "file"])
def test_the_certificate_of_pip_s_configuration_is_trusted_and_trusted_host_trusts_nobody(
    project: PipProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, where: str
) -> None:
    authority = make_ca(tmp_path)
    with IndexServer(tls=authority.server_context) as server:
        server.add(spec("alpha"))
        project.write(f"-i {server.simple_url}\n--trusted-host 127.0.0.1\n{hashed(server, ALPHA)}")
        with pytest.raises(DownloadError) as caught:
            project.lock()
        assert "certificate is not trusted" in caught.value.message
        assert "pip's setting `trusted-host` is not followed here" in str(caught.value.hint)
        if where == "variable":
            monkeypatch.setenv("PIP_CERT", str(authority.certificate))
        else:
            config = tmp_path / "pip.conf"
            config.write_text(f"[global]\ncert = {authority.certificate}\n")
            monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
        assert project.names() == {"alpha"}
        monkeypatch.setenv("PIP_CERT", str(tmp_path / "missing.pem"))
        assert "pip's setting `cert` names" in str(project.failure())
