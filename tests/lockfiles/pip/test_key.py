"""The key under which the result of pip is kept, and the files that decide on it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer.exceptions import LockfileError
from hatch_lambda_layer.layout import LayerPathLayout
from hatch_lambda_layer.lockfiles import LOCKFILES, LockRequest
from hatch_lambda_layer.lockfiles.pip.lockfile import PipLockfile
from hatch_lambda_layer.lockfiles.pip.requirements import RequirementsFiles, _lines
from tests.support.pip_project import ARM64, CANARY, X86_64, PipProject, hashed

if TYPE_CHECKING:
    from pathlib import Path

    from hatch_lambda_layer.targets.target import Target
    from tests.support.index_server import IndexServer


def test_the_key_is_the_same_as_long_as_nothing_that_decides_has_changed(
    project: PipProject, index: IndexServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    project.write("-r base.txt\n-c limits.txt\n")
    project.write(hashed(index, "alpha-1.0-py3-none-any.whl"), "base.txt")
    project.write("alpha<2\n", "limits.txt")
    config = tmp_path / "pip.conf"
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))

    def key(target: Target = X86_64, *, sources: bool = False) -> str:
        path = project.root / "requirements.txt"
        found = PipLockfile().key(path, project.request(build=sources), target)
        assert found is not None
        return found

    first = key()
    monkeypatch.setenv("UNRELATED", "x")
    project.write("unrelated\n", "other.txt")
    # A password that changes every few hours must not make every build resolve anew.
    monkeypatch.setenv("PIP_INDEX_URL", index.simple_url.replace("//", f"//user:{CANARY}@"))
    with_password = key()
    monkeypatch.setenv("PIP_INDEX_URL", index.simple_url.replace("//", "//user:another@"))
    assert key() == with_password
    monkeypatch.setenv("PIP_INDEX_URL", index.simple_url)
    assert key() == first
    assert key(sources=True) == first
    changed = {key(ARM64)}
    project.write("--find-links ${FOLDER}\n-c limits.txt\n-r base.txt\n")
    for folder in ("wheels", "others"):
        monkeypatch.setenv("FOLDER", folder)
        changed.add(key())
    project.write("-r base.txt\n-c limits.txt\n")
    assert key() == first
    project.write("alpha<3\n", "limits.txt")
    changed.add(key())
    config.write_text("[global]\nextra-index-url = http://127.0.0.1:9/simple\n")
    changed.add(key())
    last = key()
    # How long pip waits decides nothing.
    monkeypatch.setenv("PIP_TIMEOUT", "1")
    assert key() == last
    monkeypatch.setenv("PIP_NO_BINARY", "alpha")
    changed.add(key())
    # What a folder has that pip searches counts, too.
    links = project.root / "wheels"
    links.mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    changed.add(key())
    (links / "alpha-1.0-py3-none-any.whl").touch()
    changed.add(key())
    assert len(changed | {first}) == 9


@pytest.mark.parametrize(
    ("text", "settled"),
    [
        ("alpha==1.0 --hash=sha256:00\n", True),
        ("alpha==1.0 \\\n  # ends it\n  --hash=sha256:00\n", False),
        ("alpha==1.0 ; python_version > '3' \\\n --hash sha256:00 \\\n --hash=sha256:11", True),
        ("--index-url http://127.0.0.1/simple\n--require-hashes\n# nothing\n", True),
        ("-rother.txt\n", True),
        ("-r other.txt # --hash=sha256:00\n", True),
        ("--constraint=free.txt\nalpha==1.0 --hash=sha256:00\n", True),
        ("alpha==1.0\n", False),
        ("alpha==1.0 # --hash=sha256:00\n", False),
        ("alpha==1.0 --hash=sha256:00\nbeta==1.0\n", False),
        ("-r free.txt\n", False),
        ("-r http://127.0.0.1/other.txt\n", False),
        ("-r missing.txt\n", False),
        ("-e ./folder\n", False),
        ("--something-new\n", False),
        ("-r 'unclosed\n", False),
        ("-r ${NAME}.txt\n", True),
        ("-r ${NOTHING}.txt\n", False),
        ("-r requirements.txt\nalpha==1.0 --hash=sha256:00\n", True),
    ],
)
def test_only_files_that_leave_nothing_open_have_a_key(
    project: PipProject, monkeypatch: pytest.MonkeyPatch, text: str, *, settled: bool
) -> None:
    monkeypatch.setenv("NAME", "other")
    project.write(text)
    project.write("beta==1.0 --hash=sha256:00\n", "other.txt")
    project.write("gamma\n", "free.txt")
    assert (PipLockfile().key(project.root, project.request(), X86_64) is not None) is settled


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_requirements_files_are_read_in_the_encodings_that_pip_knows(
    tmp_path: Path, encoding: str
) -> None:
    text = "-r nested.txt\nalpha==1.0 --hash=sha256:00\n"
    (tmp_path / "requirements.txt").write_text(text, encoding=encoding)
    (tmp_path / "nested.txt").write_text("# é\n", encoding=encoding)
    files = RequirementsFiles(tmp_path, ["requirements.txt"], [], {})
    assert [path.name for path in files.texts] == ["requirements.txt", "nested.txt"]
    assert files.has_hashes
    assert files.is_settled


def test_the_files_are_those_that_pip_itself_reads(project: PipProject, index: IndexServer) -> None:
    project.write("-r a/one.txt\n--constraint 'a/two words.txt'\n-ra/three.txt\n")
    project.write("-r ../four.txt\n", "a/one.txt")
    for name in ("a/two words.txt", "a/three.txt", "four.txt"):
        project.write("alpha\n", name)
    ours = RequirementsFiles(project.root, ["requirements.txt"], [], {}).texts
    for path in ours:
        text = path.read_text()
        # Each is read by pip: what it can't understand in there is named with the file.
        path.write_text("=broken=\n")
        assert re.search(rf"{re.escape(path.name)}\W", str(project.failure())), path
        path.write_text(text)
    assert len(ours) == 5


def test_a_file_whose_name_is_too_long_is_missing(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text(f"-r {'n' * 300}\n", encoding="utf-8")
    assert not RequirementsFiles(tmp_path, ["requirements.txt"], [], {}).is_settled
    (tmp_path / "pyproject.toml").touch()
    layout = LayerPathLayout(tmp_path / "pyproject.toml", tmp_path / "dist")
    request = LockRequest(layout=layout, requirements=("n" * 300,))
    with pytest.raises(LockfileError, match="is missing"):
        LOCKFILES["pip"].find(request)


def test_a_comment_ends_a_line_whatever_is_before_it(tmp_path: Path) -> None:
    lines = ["alpha \t# c", "beta#no", "  # c \\", "gamma \\", "# c \\", "delta\\", "-r x # c"]
    (tmp_path / "requirements.txt").write_text("\n".join(lines), encoding="utf-8")
    assert list(_lines((tmp_path / "requirements.txt").read_bytes())) == [
        (1, "alpha"),
        (2, "beta#no"),
        (4, "gamma"),
        (6, "delta-r x"),
    ]
