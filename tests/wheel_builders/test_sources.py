"""Folders, repositories and archives: what identifies them, and how they are brought in."""

from __future__ import annotations

import io
import os
import shutil
import socket
import stat
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer.exceptions import BuildError
from hatch_lambda_layer.wheel_builders import BuildPolicy, source_digest, unpacking
from tests.support.index_server import IndexServer, Status
from tests.support.source_factory import (
    commit,
    copying_project,
    git,
    locked_source,
    repository,
    tar_gz,
    telling_project,
    write_files,
    zipped,
)
from tests.support.tools import snapshot
from tests.support.wheel_factory import Member, WheelSpec, zip_bytes
from tests.support.workshop import (
    Workshop,
    archive,
    packed,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


CANARY = "canary-93bd"


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


# ---- what identifies a source


def test_archives_and_commits_identify_themselves() -> None:
    sha256, head = "a" * 64, "b" * 40
    one = locked_source("sdist", "https://one.test/x.tar.gz", sha256=sha256)
    two = locked_source("archive", "https://user:pw@two.test/y.zip", sha256=sha256)
    three = locked_source("vcs", "https://one.test/x", commit=head)
    assert source_digest(one) == source_digest(two) == sha256
    assert source_digest(three) == head
    below = source_digest(two._replace(subdirectory="lib"))
    assert len({sha256, below, source_digest(three._replace(subdirectory="lib"))}) == 3


def folder_digest(folder: Path) -> str:
    return source_digest(locked_source("directory", folder))


def test_a_folder_is_identified_by_names_contents_and_x_bits_alone(tmp_path: Path) -> None:
    files = {"pyproject.toml": b"[project]\n", "pkg/a.py": b"a", "pkg/b/c.py": b"c"}
    first = write_files(tmp_path / "first", files)
    second = write_files(tmp_path / "elsewhere" / "second", dict(reversed(files.items())))
    os.utime(second / "pkg" / "a.py", (0, 0))
    (second / "empty").mkdir()
    assert folder_digest(first) == folder_digest(second)
    assert str(tmp_path) not in folder_digest(first)
    seen = {folder_digest(first)}
    changes: list[Callable[[], object]] = [
        lambda: (second / "pkg" / "a.py").write_bytes(b"A"),
        lambda: (second / "pkg" / "a.py").rename(second / "pkg" / "A.py"),
        lambda: (second / "pkg" / "b" / "c.py").chmod(0o755),
        lambda: (second / "new").write_bytes(b""),
    ]
    for change in changes:
        change()
        assert folder_digest(second) not in seen
        seen.add(folder_digest(second))


LITTER = {
    ".git/HEAD": b"x",
    ".venv/pyvenv.cfg": b"x",
    "env with any name/pyvenv.cfg": b"x",
    "target/CACHEDIR.TAG": b"Signature: 8a477f597d28d172789f06886806bc55",
    "pkg/__pycache__/a.pyc": b"x",
    "pkg/loose.pyc": b"x",
    "src/lib.egg-info/PKG-INFO": b"x",
    "dist/lib-1.0.tar.gz": b"x",
    "build/lib/a.py": b"x",
    "web/node_modules/x/index.js": b"x",
    ".tox/log": b"x",
    ".nox/log": b"x",
    ".mypy_cache/x": b"x",
    ".DS_Store": b"x",
}


@pytest.mark.parametrize("name", LITTER)
def test_what_tools_leave_in_a_folder_does_not_count(tmp_path: Path, name: str) -> None:
    folder = write_files(tmp_path / "x", {"pkg/a.py": b"a"})
    before = folder_digest(folder)
    write_files(folder, {name: LITTER[name]})
    assert folder_digest(folder) == before


@pytest.mark.parametrize(
    "name", ["src/build/__init__.py", "build/__init__.py", "dist/__init__.py", "venv/a.py", ".env"]
)
def test_a_package_that_is_only_named_like_litter_counts(tmp_path: Path, name: str) -> None:
    folder = write_files(tmp_path / "x", {"pkg/a.py": b"a"})
    before = folder_digest(folder)
    write_files(folder, {name: b"x"})
    assert folder_digest(folder) != before


def test_links_count_as_what_they_lead_to(tmp_path: Path) -> None:
    shared = write_files(tmp_path / "shared", {"data/a": b"1"})
    folder = write_files(tmp_path / "x", {"pkg/a.py": b"a"})
    (folder / "pkg" / "data").symlink_to(shared / "data")
    (folder / "pkg" / "one").symlink_to(shared / "data" / "a")
    (folder / "pkg" / "nowhere").symlink_to(tmp_path / "nowhere")
    (folder / "pkg" / "self").symlink_to(folder)
    before = folder_digest(folder)
    (shared / "data" / "a").write_bytes(b"2")
    assert folder_digest(folder) != before


@pytest.mark.skipif(sys.platform == "win32", reason="a name of bytes is of POSIX")
def test_any_name_that_a_file_can_have_counts(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "x", {"a": b"a"})
    seen = {folder_digest(folder)}
    for name in (b"caf\xe9", b"new\nline", "ünï".encode()):
        with open(os.path.join(os.fsencode(folder), name), "wb"):  # noqa: PTH118
            pass
        assert folder_digest(folder) not in seen
        seen.add(folder_digest(folder))


def test_the_ignore_files_of_the_repository_around_a_folder_count(tmp_path: Path) -> None:
    repository(tmp_path / "repo", {"lib/a.py": b"a"})
    before = folder_digest(tmp_path / "repo" / "lib")
    write_files(tmp_path / "repo", {".gitignore": b"*.log\n"})
    after = folder_digest(tmp_path / "repo" / "lib")
    assert after != before
    # Above the repository, nobody looks.
    write_files(tmp_path, {".gitignore": b"*.txt\n"})
    assert folder_digest(tmp_path / "repo" / "lib") == after


_OPENED = """
import sys
from pathlib import Path
from hatch_lambda_layer.wheel_builders.folders import digest_folder

folder, opened = sys.argv[1], []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
digest_folder(Path(folder))
print(*(each for each in opened if each.startswith(folder)), sep="\\n")
"""


def test_every_file_of_a_folder_is_read_once(tmp_path: Path) -> None:
    files = {f"p{n % 50}/m{n}.py": b"x" * n for n in range(500)}
    folder = write_files(tmp_path / "x", files)
    argv = [sys.executable, "-c", _OPENED, str(folder)]
    done = subprocess.run(argv, check=True, capture_output=True, encoding="utf-8")
    assert sorted(done.stdout.splitlines()) == sorted(str(folder / name) for name in files)


def test_a_folder_that_is_not_there_is_named(workshop: Workshop) -> None:
    missing = workshop.root / "gone"
    workshop.refusal(
        locked_source("directory", missing),
        f"The folder `{missing}` of package `teller` (from its folder)",
        "no such folder",
        "lock again",
    )


# ---- folders


def test_the_wheel_of_a_folder_is_built_again_when_its_content_changes(workshop: Workshop) -> None:
    folder = write_files(workshop.root / "lib", telling_project())
    source = locked_source("directory", folder)
    first = workshop.build(source)
    assert workshop.build(source) == first
    write_files(folder, telling_project(version="2.0"))
    assert workshop.build(source).version == "2.0"
    write_files(folder, telling_project(version="1.0"))
    assert workshop.build(source) == first
    assert len(workshop.shown.lines) == 2


def test_a_folder_is_not_touched_and_its_litter_does_not_reach_the_backend(
    workshop: Workshop,
) -> None:
    litter = {name: data for name, data in LITTER.items() if not name.startswith(".git/")}
    folder = write_files(workshop.root / "lib", {**telling_project(), **litter, "pkg/x.sh": b"#!"})
    (folder / "pkg" / "x.sh").chmod(0o700)
    before = snapshot(folder)
    facts = workshop.facts(locked_source("directory", folder))
    assert snapshot(folder) == before
    assert facts["files"] == ["backend.py", "pkg", "pkg/x.sh", "pyproject.toml"]
    assert facts["folder"] != str(folder)


def test_a_folder_that_changes_while_it_is_built_is_not_kept(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In the sandbox a backend can't do it; somebody else still can.
    monkeypatch.setenv("HATCH_LAMBDA_LAYER_SANDBOX", "0")
    folder = write_files(workshop.root / "lib", telling_project())
    changing = f"import pathlib\npathlib.Path({str(folder)!r}, 'new').touch()\n".encode()
    backend = folder / "backend.py"
    backend.write_bytes(changing + backend.read_bytes())
    source = locked_source("directory", folder)
    workshop.refusal(source, "changed while it was built", "build again")
    assert workshop.build(source).name == "teller"


def test_the_backend_of_a_folder_finds_the_history_of_its_repository(workshop: Workshop) -> None:
    folder = workshop.root / "repo"
    head = repository(folder, telling_project(), tag="v1.2")
    facts = workshop.facts(locked_source("directory", folder))
    assert (facts["describe"], facts["status"]) == (f"v1.2-0-g{head[:7]}", "")
    write_files(folder, {"backend.py": (folder / "backend.py").read_bytes() + b"#\n"})
    before = snapshot(folder)
    facts = workshop.facts(locked_source("directory", folder))
    assert (facts["describe"], facts["status"]) == (f"v1.2-0-g{head[:7]}-dirty", "M backend.py")
    assert snapshot(folder) == before


def test_a_folder_deep_in_a_repository_is_as_clean_as_it_is_there(workshop: Workshop) -> None:
    prefix = "packages/a lib [1]"
    files = {f"{prefix}/{name}": data for name, data in telling_project().items()}
    others = {"packages/other/big.bin": b"x", ".gitignore": b"*.log\n", f"{prefix}/old.py": b"x"}
    root = workshop.root / "repo"
    head = repository(root, {**files, **others}, tag="v3")
    facts = workshop.facts(locked_source("directory", root / prefix))
    assert (facts["describe"], facts["status"]) == (f"v3-0-g{head[:7]}", "")
    assert facts["above"] == ["a lib [1]", "other"]
    (root / prefix / "old.py").unlink()
    facts = workshop.facts(locked_source("directory", root / prefix))
    assert facts["status"] == f'D "{prefix}/old.py"'
    assert "old.py" not in str(facts["files"])


@pytest.mark.fault(58)
def test_the_configuration_of_a_repository_does_not_reach_the_backend(workshop: Workshop) -> None:
    folder = workshop.root / "repo"
    repository(folder, telling_project())
    # Where the checkout of a CI service keeps its token.
    git(folder, "config", "http.https://example.test/.extraheader", f"AUTHORIZATION: {CANARY}")
    git(folder, "remote", "add", "origin", f"https://me:{CANARY}@example.test/x.git")
    facts = workshop.facts(locked_source("directory", folder))
    assert "core.bare" in str(facts["git"])
    assert CANARY not in str(facts)


def test_a_folder_in_a_worktree_or_without_a_commit_is_built_too(workshop: Workshop) -> None:
    root = workshop.root / "repo"
    head = repository(root, telling_project(), tag="v1")
    git(root, "worktree", "add", "--quiet", "--detach", "../tree")
    facts = workshop.facts(locked_source("directory", workshop.root / "tree"))
    assert facts["describe"] == f"v1-0-g{head[:7]}"
    unborn = write_files(workshop.root / "unborn", telling_project(version="2"))
    git(unborn, "init", "--quiet")
    assert workshop.build(locked_source("directory", unborn)).version == "2"


def test_a_folder_is_built_where_there_is_no_git(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = workshop.root / "repo"
    repository(folder, copying_project(WheelSpec(name="lib")))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    assert shutil.which("git") is None
    assert workshop.build(locked_source("directory", folder, "lib")).name == "lib"


def test_the_work_folder_may_lie_in_a_repository_that_ignores_it(workshop: Workshop) -> None:
    repository(workshop.root, {".gitignore": b"*\n"})
    facts = workshop.facts(packed(workshop.root, telling_project()))
    # hatchling would leave out what the nearest `.gitignore` says, and others what git says.
    assert "not a git repository" in str(facts["describe"])
    assert ".gitignore" not in str(facts["above"])


@pytest.mark.skipif(sys.platform != "linux", reason="a file that nobody can read, not even root")
def test_a_file_that_can_not_be_read_is_named(workshop: Workshop) -> None:
    folder = write_files(workshop.root / "lib", telling_project())
    (folder / "memory").symlink_to("/proc/self/mem")
    workshop.refusal(locked_source("directory", folder), str(folder), "can't be read", "error")


# ---- git


def test_a_commit_comes_with_its_tags_and_without_what_came_later(workshop: Workshop) -> None:
    root = workshop.root / "repo"
    repository(root, {"first": b"1"}, tag="v1")
    head = commit(root, telling_project())
    commit(root, {"later.py": b"x"}, tag="v2")
    facts = workshop.facts(locked_source("vcs", root.as_uri(), commit=head))
    assert (facts["describe"], facts["status"]) == (f"v1-1-g{head[:7]}", "")
    assert "later.py" not in str(facts["files"])


def test_submodules_come_too(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = workshop.root / "inner"
    repository(inner, {"data.txt": b"inner"})
    root = workshop.root / "repo"
    repository(root, telling_project())
    git(root, "submodule", "--quiet", "add", "../inner", "third/inner")
    head = commit(root, {})
    # git itself forbids submodules from local folders, unless the user allows them.
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "protocol.file.allow")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "always")
    facts = workshop.facts(locked_source("vcs", root.as_uri(), commit=head))
    assert "third/inner/data.txt" in str(facts["files"])


def test_a_commit_that_is_gone_is_named(workshop: Workshop) -> None:
    repository(workshop.root / "repo", telling_project())
    url = (workshop.root / "repo").as_uri()
    gone = locked_source("vcs", url, commit="0123456789" * 4)
    workshop.refusal(gone, url, "does not have commit 0123456789", "lock again")


def test_a_commit_that_no_branch_leads_to_any_more_is_still_fetched(workshop: Workshop) -> None:
    root = workshop.root / "repo"
    repository(root, {"first": b"1"})
    head = commit(root, telling_project())
    git(root, "reset", "--quiet", "--hard", "HEAD~1")
    assert workshop.build(locked_source("vcs", root.as_uri(), commit=head)).name == "teller"


def test_a_server_that_gives_no_commit_by_its_name_is_asked_for_all(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = workshop.root / "repo"
    head = repository(root, telling_project())
    commit(root, {"later.py": b"x"})
    # As servers do that know only git's first protocol.
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "protocol.version")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "0")
    facts = workshop.facts(locked_source("vcs", root.as_uri(), commit=head))
    assert "later.py" not in str(facts["files"])
    gone = locked_source("vcs", root.as_uri(), "other", commit="0123456789" * 4)
    with pytest.raises(BuildError, match="does not have commit"):
        workshop.build(gone)


def test_a_repository_that_is_not_there_is_named_with_what_git_said(workshop: Workshop) -> None:
    url = (workshop.root / "gone").as_uri()
    said = workshop.refusal(locked_source("vcs", url, commit="a" * 40), url, "git ls-remote")
    assert "does not exist" in said or "not appear to be a git repository" in said


@pytest.mark.skipif(sys.platform == "win32", reason="shell commands of POSIX")
@pytest.mark.fault(79)
@pytest.mark.parametrize(
    "url", ["ext::sh -c touch% {}", "fd::7", "git+ext::sh -c touch% {}", "rsync://host.test/x"]
)
def test_a_transport_that_is_no_transport_of_sources_is_refused(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    # Also where the user allows it.
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "ext:fd:rsync")
    source = locked_source("vcs", url.format(workshop.root / "run"), commit="a" * 40)
    workshop.refusal(source, "`teller`", "is refused", "`https://`")
    assert not (workshop.root / "run").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="shell commands of POSIX")
@pytest.mark.fault(79)
@pytest.mark.parametrize("allowed", [None, "https:ext", "ext"])
def test_no_setting_of_git_leads_to_a_program(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, allowed: str | None
) -> None:
    if allowed is not None:
        monkeypatch.setenv("GIT_ALLOW_PROTOCOL", allowed)
    program = f"ext::sh -c touch% {workshop.root / 'run'}"
    settings = {"protocol.ext.allow": "always", f"url.{program}.insteadOf": "https://host.test/"}
    monkeypatch.setenv("GIT_CONFIG_COUNT", str(len(settings)))
    for number, (key, value) in enumerate(settings.items()):
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", key)
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", value)
    source = locked_source("vcs", "https://host.test/", commit="a" * 40)
    workshop.refusal(source, "can't be fetched with git", "transport 'ext' not allowed")
    assert not (workshop.root / "run").exists()


@pytest.mark.fault(79)
@pytest.mark.parametrize("scheme", ["http", "git"])
def test_a_git_server_that_says_nothing_is_left_after_the_time_of_a_build(
    workshop: Workshop, scheme: str
) -> None:
    workshop.policy = BuildPolicy(timeout=3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"{scheme}://127.0.0.1:{silent.getsockname()[1]}/x.git"
        start = time.monotonic()
        workshop.refusal(
            locked_source("vcs", url, commit="a" * 40),
            "`teller`",
            "not done after 3 seconds (`build-timeout`)",
            "`git fetch",
            f"check that `git ls-remote {url}` answers",
        )
        assert time.monotonic() - start < 15


@pytest.mark.parametrize("bad", ["main", "a" * 39, "--upload-pack=touch x", "", "A" * 40])
def test_only_a_whole_commit_is_fetched(workshop: Workshop, bad: str) -> None:
    repository(workshop.root / "repo", telling_project())
    source = locked_source("vcs", (workshop.root / "repo").as_uri(), commit=bad)
    workshop.refusal(source, ascii(bad), "is not a git commit", "lock again")


def test_a_missing_git_is_named(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(workshop.root))
    source = locked_source("vcs", "https://example.test/x", commit="a" * 40)
    workshop.refusal(source, "`git` was not found", "install git")


@pytest.mark.fault(57)
def test_git_asks_nobody_and_shows_no_password(workshop: Workshop, index: IndexServer) -> None:
    index.always("*", Status(401, {"WWW-Authenticate": 'Basic realm="git"'}))
    url = index.url.replace("://", f"://me:{CANARY}%2F@") + "/x.git"
    said = workshop.refusal(locked_source("vcs", f"git+{url}", commit="a" * 40), "git ls-remote")
    assert CANARY not in said
    # It was sent where it belongs, as git itself would have after being refused once.
    sent = {request.headers.get("Authorization") for request in index.requests}
    assert sent == {"Basic bWU6Y2FuYXJ5LTkzYmQv"}


@pytest.mark.fault(58)
def test_the_repository_of_a_commit_holds_no_password(workshop: Workshop) -> None:
    root = workshop.root / "repo"
    head = repository(root, telling_project())
    facts = workshop.facts(locked_source("vcs", root.as_uri(), commit=head))
    assert f"remote.origin.url={root.as_uri()}" in str(facts["git"])
    # The configuration of the user and of the machine is where credential helpers are.
    assert {line.split("\t")[0] for line in str(facts["git"]).splitlines()} == {"file:.git/config"}


def test_git_is_not_led_to_the_repository_whose_hook_has_called_us(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    outer = workshop.root / "outer"
    repository(outer, {"a": b"a"})
    head = repository(workshop.root / "repo", telling_project())
    before = snapshot(outer)
    monkeypatch.setenv("GIT_DIR", str(outer / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(outer / ".git" / "index"))
    url = (workshop.root / "repo").as_uri()
    assert workshop.build(locked_source("vcs", url, commit=head)).name == "teller"
    assert snapshot(outer) == before


# ---- archives that are not what they should be


@pytest.mark.fault(13)
def test_an_archive_that_is_not_the_locked_one_is_not_even_unpacked(
    workshop: Workshop, index: IndexServer
) -> None:
    url = index.add_file("x.tar.gz", b"\x1f\x8b neither is this an archive")
    with_password = url.replace("://", f"://me:{CANARY}@")
    for location in (with_password, str(archive(workshop.root, "x.tar.gz", b"another"))):
        source = locked_source("archive", location, sha256="0" * 64)
        said = workshop.refusal(source, "not the file that was locked", "0" * 64, "`teller`")
        assert CANARY not in said


def test_an_archive_that_is_not_there_is_named(workshop: Workshop, index: IndexServer) -> None:
    missing = workshop.root / "gone.tar.gz"
    for location in (str(missing), missing.as_uri()):
        source = locked_source("archive", location, sha256="0" * 64)
        workshop.refusal(source, "can't be copied", str(missing), "lock again")
    source = locked_source("archive", f"{index.url}/gone.tar.gz", sha256="0" * 64)
    workshop.refusal(source, "404")


def test_a_file_url_is_read_from_disk(workshop: Workshop) -> None:
    source = packed(workshop.root, telling_project())
    url = Path(source.location).as_uri()
    assert workshop.build(source._replace(kind="archive", location=url)).name == "teller"


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def device(name: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = tarfile.CHRTYPE
    return info


HOSTILE_TARS = {
    "a member above": [("../evil", b"x")],
    "an absolute member": [("/evil-hatch-lambda-layer", b"x")],
    "a link above": [link("t/link", "../../evil")],
    "an absolute link": [link("t/link", "/etc/passwd")],
    "a hard link above": [link("t/link", "../evil", tarfile.LNKTYPE)],
    "a member below a link": [("t/real/a", b"x"), link("t/link", "real"), ("t/link/evil", b"x")],
    "a member over a link": [("t/real", b"x"), link("t/link", "real"), ("t/link", b"x")],
    "a link over a member": [("t/real", b"x"), ("t/a", b"x"), link("t/a", "real")],
    "a device": [device("t/null")],
}


@pytest.mark.fault(22)
@pytest.mark.fault(24)
@pytest.mark.parametrize("members", HOSTILE_TARS.values(), ids=HOSTILE_TARS)
def test_a_tar_that_reaches_out_of_its_folder_is_refused(
    workshop: Workshop, members: list[tarfile.TarInfo | tuple[str, bytes]]
) -> None:
    project = [(f"t/{name}", data) for name, data in telling_project().items()]
    path = archive(workshop.root, "x.tar.gz", tar_gz([*project, *members]))
    workshop.refusal(locked_source("archive", path), "The source of package `teller`", "refused")
    assert not list(workshop.root.rglob("evil*"))
    assert not Path("/evil-hatch-lambda-layer").exists()


def zip_link() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("t/link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.fault(22)
@pytest.mark.fault(23)
@pytest.mark.parametrize("name", ["../evil", "/evil", "t/../../evil", "t\\..\\evil", "C:/evil"])
def test_a_zip_that_reaches_out_of_its_folder_is_refused(workshop: Workshop, name: str) -> None:
    project = [(f"t/{name}", data) for name, data in telling_project().items()]
    path = archive(workshop.root, "x.zip", zipped([*project, (name, b"x")]))
    workshop.refusal(locked_source("archive", path), "refused", "leads out of it")
    assert not list(workshop.root.rglob("*evil*"))


def test_a_member_of_a_zip_without_a_name_is_refused(workshop: Workshop) -> None:
    path = archive(workshop.root, "x.zip", zip_bytes([Member("t/setup.py"), Member("")]))
    workshop.refusal(locked_source("archive", path), "refused", "without a name")


def test_a_link_in_a_zip_is_a_file_with_the_name_of_its_target(workshop: Workshop) -> None:
    project = [(f"t/{name}", data) for name, data in telling_project().items()]
    path = archive(workshop.root, "x.zip", zipped([*project, (zip_link(), b"/etc/passwd")]))
    assert "link" in str(workshop.facts(locked_source("archive", path))["files"])


@pytest.mark.fault(27)
@pytest.mark.parametrize("kind", ["tar", "zip", "many in a tar", "many in a zip"])
def test_an_archive_bomb_is_stopped(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(unpacking, "MAX_UNPACKED_SIZE", 1_000_000)
    monkeypatch.setattr(unpacking, "_MAX_MEMBERS", 100)
    bombs = {
        "tar": tar_gz([("t/zeros", bytes(2_000_000))]),
        "zip": zipped([("t/zeros", bytes(2_000_000))]),
        "many in a tar": tar_gz([(f"t/{number}", b"") for number in range(101)]),
        "many in a zip": zipped([(f"t/{number}", b"") for number in range(101)]),
    }
    path = archive(workshop.root, "x", bombs[kind])
    workshop.refusal(locked_source("archive", path), "more than")


@pytest.mark.fault(28)
@pytest.mark.parametrize("keep", [0, 1, 20, 200, -5])
@pytest.mark.parametrize("form", ["tar.gz", "tar.xz", "tar.bz2", "zip"])
def test_a_damaged_archive_is_refused(workshop: Workshop, form: str, keep: int) -> None:
    data = packing(form, telling_project())
    path = archive(workshop.root, f"x.{form}", data[:keep])
    said = workshop.refusal(locked_source("archive", path), "refused")
    assert "damaged" in said or "neither a tar nor a zip" in said


@pytest.mark.fault(28)
@pytest.mark.parametrize("form", ["tar", "tar.gz", "tar.xz", "tar.bz2", "zip"])
def test_a_wrong_byte_in_an_archive_ends_nowhere_else_than_in_a_refusal(
    tmp_path: Path, form: str
) -> None:
    data = packing(form, telling_project())
    outcomes = set()
    for at in range(0, len(data), max(len(data) // 150, 1)):
        wrong = data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]
        try:
            unpacking.unpack(archive(tmp_path, "x", wrong), tmp_path / f"{at}", "the package")
        except BuildError as error:
            outcomes.add(str(error).partition(":")[0])
    assert outcomes == {"The source of the package is refused"}
    assert all(path.is_relative_to(tmp_path) for path in tmp_path.rglob("*"))


def packing(form: str, files: Mapping[str, bytes]) -> bytes:
    members = [(f"t/{name}", data) for name, data in files.items()]
    if form == "zip":
        return zipped(members)
    data = io.BytesIO()
    mode = {"tar": "w", "tar.gz": "w:gz", "tar.xz": "w:xz", "tar.bz2": "w:bz2"}[form]
    with tarfile.open(fileobj=data, mode=mode) as tar:  # type: ignore[call-overload]
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.uid = len(content), 0o755, 12345
            tar.addfile(info, io.BytesIO(content))
    return data.getvalue()


@pytest.mark.parametrize("form", ["tar", "tar.gz", "tar.xz", "tar.bz2", "zip"])
def test_every_usual_form_of_an_archive_is_unpacked_whatever_its_name(
    workshop: Workshop, form: str
) -> None:
    path = archive(workshop.root, "download", packing(form, telling_project()))
    facts = workshop.facts(locked_source("archive", path))
    assert facts["files"] == ["backend.py", "pyproject.toml"]


def test_an_archive_without_a_folder_at_its_top_is_a_project_itself(workshop: Workshop) -> None:
    path = archive(workshop.root, "x.zip", zipped(list(telling_project().items())))
    assert workshop.build(locked_source("archive", path)).name == "teller"


@pytest.mark.parametrize("bad", ["../x", "/etc", "lib/../..", "missing", "a\\b", "n" * 300])
def test_a_subdirectory_must_be_in_its_source(workshop: Workshop, bad: str) -> None:
    files = {f"lib/{name}": data for name, data in telling_project().items()}
    source = packed(workshop.root, files)
    workshop.refusal(source._replace(subdirectory=bad), "subdirectory", "`teller 1.0`")
    assert workshop.build(source._replace(subdirectory="lib")).name == "teller"


def test_a_python_that_can_not_unpack_safely_is_told_which_can(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As Python 3.11.2 is.
    monkeypatch.delattr(tarfile, "data_filter")
    with pytest.raises(BuildError, match=r"unpack the source of package `teller 1\.0`") as caught:
        workshop.build(packed(workshop.root, telling_project()))
    assert "3.11.4" in str(caught.value.hint)
