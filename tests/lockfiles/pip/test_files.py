"""Requirements files: which are read, with which hashes, and what is locked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer.exceptions import LockfileError
from hatch_lambda_layer.lockfiles import find_lockfile
from hatch_lambda_layer.lockfiles.pip.lockfile import PipLockfile
from hatch_lambda_layer.wheels.selection import select
from tests.support.pip_project import X86_64, PipProject, hashed, spec

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.index_server import IndexServer


def test_hashes_in_the_file_are_locked_without_a_warning(
    project: PipProject, index: IndexServer
) -> None:
    filename = "alpha-1.0-py3-none-any.whl"
    project.write(hashed(index, filename))
    lock = project.lock()
    assert lock.warnings == ()
    (wheel,) = select(lock, X86_64).wheels
    assert wheel.sha256 == index.files[filename].hashes["sha256"]
    assert wheel.location == index.file_url(filename)


@pytest.mark.fault(13)
def test_a_wrong_hash_is_an_error(project: PipProject) -> None:
    project.write(f"alpha==1.0 --hash=sha256:{'0' * 64}\n")
    said = str(project.failure())
    assert "DO NOT MATCH THE HASHES" in said
    assert "0" * 64 in said
    assert "update the hashes only if you know why" in said


@pytest.mark.fault(10)
def test_one_hash_asks_for_all_of_them(project: PipProject, index: IndexServer) -> None:
    project.write(hashed(index, "alpha-1.0-py3-none-any.whl") + "beta==1.0\n")
    failure = str(project.failure())
    assert "`beta==1.0` (requirements.txt, line 3) has no hash" in failure
    assert "--require-hashes" in failure
    assert "the files have hashes for some of what python3.13-x86_64 needs, not for all" in failure
    assert "--universal --python-version 3.13 --generate-hashes" in failure


def test_without_hashes_those_of_the_index_are_locked_with_a_warning(
    project: PipProject, index: IndexServer
) -> None:
    project.write("alpha<2\n")
    lock = project.lock()
    (wheel,) = select(lock, X86_64).wheels
    assert wheel.sha256 == index.files["alpha-1.0-py3-none-any.whl"].hashes["sha256"]
    (warning,) = lock.warnings
    assert warning == (
        "There are no hashes in `requirements.txt`: the layer can change although the project "
        f"does not; lock with hashes, as with `{PipLockfile.command}`"
    )


@pytest.mark.fault(10)
def test_what_nobody_gives_a_hash_of_is_locked_by_its_bytes(project: PipProject) -> None:
    for line in ("unhashed", f"unhashed==1.0 --hash=sha256:{spec('unhashed').sha256}"):
        project.write(f"{line}\n")
        (wheel,) = select(project.lock(), X86_64).wheels
        assert wheel.sha256 == spec("unhashed").sha256


@pytest.mark.fault(13)
def test_a_hash_counts_where_not_all_lines_need_one(project: PipProject) -> None:
    for digest, is_right in ((spec("alpha").sha256, True), ("0" * 64, False)):
        project.write(f"--no-require-hashes\nalpha==1.0 --hash=sha256:{digest}\nbeta\n")
        if is_right:
            assert project.names() == {"alpha", "beta"}
        else:
            assert "DO NOT MATCH THE HASHES" in str(project.failure())


def test_nested_files_and_constraints_are_read_relative_to_their_file(project: PipProject) -> None:
    project.write("-r requirements/base.txt\n")
    project.write("--requirement more/extra.txt\n-climits.txt\nalpha\n", "requirements/base.txt")
    project.write("beta\n", "requirements/more/extra.txt")
    project.write("alpha<2\ngamma==1.0\n", "requirements/limits.txt")
    assert project.filenames() == {"alpha-1.0-py3-none-any.whl", "beta-1.0-py3-none-any.whl"}


def test_all_files_that_requirements_names_are_read(project: PipProject) -> None:
    project.write("alpha\n", "requirements/base.txt")
    project.write("beta\n", "requirements/prod.txt")
    project.write("gamma\n")
    names = ("requirements/base.txt", "requirements/prod.txt")
    lockfile, path, _ = find_lockfile("pip", project.request(*names))
    assert lockfile.tool == "pip"
    assert path == project.root / "requirements/base.txt"
    assert project.names(*names) == {"alpha", "beta"}


@pytest.mark.fault(7)
def test_a_file_that_is_missing_is_an_error_that_names_it(project: PipProject) -> None:
    with pytest.raises(LockfileError, match=r"`requirements\.txt` is missing"):
        find_lockfile("pip", project.request())
    project.write("alpha\n")
    with pytest.raises(LockfileError, match=r"`prod\.txt` is missing .* `requirements` names it"):
        find_lockfile("pip", project.request("requirements.txt", "prod.txt"))
    project.write("-r nowhere.txt\n")
    assert "nowhere.txt" in str(project.failure())


@pytest.mark.fault(11)
def test_the_markers_of_a_merge_conflict_are_an_error(project: PipProject) -> None:
    project.write("-r base.txt\n")
    project.write("<<<<<<< ours\nalpha==1.0\n=======\nalpha==2.0\n>>>>>>> theirs\n", "base.txt")
    assert "base.txt` has the markers of a merge conflict in line 1" in str(project.failure())


@pytest.mark.fault(12)
def test_order_line_ends_and_a_byte_order_mark_change_nothing(project: PipProject) -> None:
    path = project.write("beta\nalpha\n")
    plain = project.lock()
    path.write_bytes(b"\xef\xbb\xbf# sorted\r\nalpha\r\nbeta\r\n")
    assert project.lock().text == plain.text


def test_a_wheel_named_by_its_url_is_locked_by_its_url(
    project: PipProject, index: IndexServer
) -> None:
    url = index.file_url("deep-1.0-py3-none-any.whl")
    project.write(f"deep @ {url} ; python_version >= '3'\n")
    found = {wheel.name: wheel.location for wheel in select(project.lock(), X86_64).wheels}
    assert found["deep"] == url
    assert "on-linux" in found


def test_a_local_wheel_is_locked_by_its_path(project: PipProject) -> None:
    folder = project.root / "wheels"
    folder.mkdir()
    direct = spec("local", requires_dist=["other"])
    direct.write(folder)
    spec("other").write(folder)
    project.write(f"./wheels/{direct.filename}\n--find-links wheels\n")
    lock = project.lock()
    assert str(project.root) not in lock.text.decode()
    assert {
        (wheel.name, wheel.sha256, wheel.location) for wheel in select(lock, X86_64).wheels
    } == {(each.name, each.sha256, str(folder / each.filename)) for each in (direct, spec("other"))}


def test_a_file_without_requirements_locks_nothing(project: PipProject) -> None:
    project.write("# nothing yet\n")
    assert project.names() == set()


@pytest.mark.fault(45)
def test_any_path_will_do_and_nothing_is_written_there(
    index: IndexServer, project: PipProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr("tempfile.tempdir", None)
    odd = PipProject(tmp_path / "-a b'ü" / "c", tmp_path / "told")
    odd.write("-r 'mör e.txt'\n")
    odd.write(hashed(index, "alpha-1.0-py3-none-any.whl"), "mör e.txt")
    before = sorted(odd.root.rglob("*"))
    assert odd.names() == {"alpha"}
    assert sorted(odd.root.rglob("*")) == before
    assert list(temporary.iterdir()) == []


def test_modules_of_the_project_do_not_stand_in_for_others(project: PipProject) -> None:
    for name in ("pip", "json", "subprocess", "packaging", "typing"):
        project.write("raise SystemExit('hijacked')\n", f"{name}.py")
    project.write("alpha\n")
    assert project.names() == {"alpha"}


def test_groups_and_extras_are_an_error_that_says_what_pip_has_instead(project: PipProject) -> None:
    path = project.write("alpha\n")
    for asked in ({"groups": ("dev",)}, {"extras": ("fast",)}):
        with pytest.raises(LockfileError, match="has no groups and no extras") as raised:
            PipLockfile().read(path, project.request(**asked), X86_64)
        assert "name a file for each in `requirements`" in str(raised.value)
