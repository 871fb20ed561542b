"""Requirements with hashes: they are a lock, read without pip and without any other process."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer.config.indexes import PrivateIndex
from hatch_lambda_layer.exceptions import LockfileError
from hatch_lambda_layer.index.auth import IndexAccess
from hatch_lambda_layer.lockfiles.pip.lockfile import PipLockfile
from hatch_lambda_layer.wheels.selection import select
from tests.support.index_server import IndexServer, Status
from tests.support.pip_project import (
    ARM64,
    CANARY,
    EXPECTED,
    MARKERS,
    OLDER,
    X86_64,
    PipProject,
    hashed,
    spec,
)
from tests.support.source_factory import copying_project, sdist
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from pathlib import Path

TABLE = '[tool.lambda-layer]\nruntimes = ["python3.13"]\n'
ALPHA, BETA = "alpha-1.0-py3-none-any.whl", "beta-1.0-py3-none-any.whl"
# Fails where the process starts another one, or imports pip.
ALONE = """
import sys
def watch(event, arguments):
    if event in ("subprocess.Popen", "os.posix_spawn", "os.exec", "os.fork", "os.system"):
        raise SystemExit(f"a process was started: {arguments}")
sys.addaudithook(watch)
sys.modules["pip"] = None
"""


def build(project: PipProject, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hatch_lambda_layer", "build", str(project.root)],
        env={**os.environ, "NO_COLOR": "1", **environment},
        cwd=project.root,
        text=True,
        capture_output=True,
        check=False,
    )


def test_a_layer_of_hashed_requirements_is_built_without_pip_and_starts_no_process(
    project: PipProject, index: IndexServer, tmp_path: Path
) -> None:
    folder = tmp_path / "alone"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(ALONE)
    cache = str(tmp_path / "cache")
    alone = {
        "PATH": str(folder),
        "PYTHONPATH": os.pathsep.join([str(folder), *filter(None, sys.path)]),
        "HATCH_LAMBDA_LAYER_CACHE_DIR": cache,
    }
    project.write(TABLE, "pyproject.toml")
    project.write(hashed(index, ALPHA, BETA))
    done = build(project, **alone)
    assert done.returncode == 0, done.stdout + done.stderr
    manifest = json.loads((project.root / "dist" / "layer.json").read_text())
    assert [each["name"] for each in manifest["packages"]] == ["alpha", "beta"]
    # The next build asks nobody.
    before = len(index.requests)
    assert build(project, **alone).returncode == 0
    assert len(index.requests) == before


@pytest.mark.parametrize(
    ("target", "filename"),
    [
        (X86_64, "native-1.0-cp313-cp313-manylinux_2_17_x86_64.whl"),
        (ARM64, "native-1.0-cp312-cp312-manylinux2014_aarch64.whl"),
        (OLDER, "native-1.0-cp311-cp311-manylinux_2_17_x86_64.whl"),
    ],
    ids=lambda each: getattr(each, "id", ""),
)
def test_of_the_files_that_have_one_of_the_hashes_the_one_that_fits_best_is_taken(
    project: PipProject, index: IndexServer, target: object, filename: str
) -> None:
    files = [each for each in index.files.values() if each.project == "native"]
    hashes = " ".join(f"--hash=sha256:{each.hashes['sha256']}" for each in files)
    project.write(f"native==1.0 {hashes}\n")
    assert project.filenames(target) == {filename}  # type: ignore[arg-type]


def test_markers_of_hashed_requirements_are_those_of_the_target(
    project: PipProject, index: IndexServer
) -> None:
    lines = []
    for name, marker in MARKERS.items():
        sha256 = index.files[f"{name.replace('-', '_')}-1.0-py3-none-any.whl"].hashes["sha256"]
        lines.append(f"{name}==1.0 ; {marker} --hash=sha256:{sha256}\n")
    # What another target needs has no hash, and is not asked for, as with pip.
    lines.append("nowhere==1.0 ; sys_platform == 'win32'\n")
    project.write("".join(lines))
    for target, names in EXPECTED.items():
        lock = project.lock(target=target)
        selection = select(lock, target)
        assert {wheel.name for wheel in selection.wheels} == names
        (note,) = selection.notes
        assert "`on-this-kernel` is left out" in note
    assert not index.requests_for("/simple/nowhere/")


def test_the_page_of_a_project_is_asked_for_once_for_all_targets_of_a_build(
    project: PipProject,
) -> None:
    with IndexServer() as server:
        server.add(spec("alpha"), spec("beta"))
        project.write(f"--index-url {server.simple_url}\n{hashed(server, ALPHA, BETA)}")
        request = project.request(access=IndexAccess())
        path = project.root / "requirements.txt"
        for target in (X86_64, ARM64, OLDER):
            PipLockfile().read(path, request, target)
        assert sorted(each.path for each in server.requests) == ["/simple/alpha/", "/simple/beta/"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_files_of_every_encoding_with_continuations_variables_and_nested_files_are_read(
    project: PipProject, index: IndexServer, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    monkeypatch.setenv("WHICH", "more")
    text = f"# é\n-r ${{WHICH}}/base.txt\n-climits.txt\n{hashed(index, ALPHA)}"
    (project.root / "requirements.txt").write_text(text, encoding=encoding)
    project.write("-r ../last.txt\n", "more/base.txt")
    project.write(hashed(index, BETA), "last.txt")
    project.write("gamma==7\nalpha<2\n", "limits.txt")
    assert project.names() == {"alpha", "beta"}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("alpha --hash=sha256:{alpha}", "`alpha` (requirements.txt, line 1) is not pinned"),
        ("alpha==1.* --hash=sha256:{alpha}", "is not pinned with `==`"),
        ("alpha==1.0 --hash=md5:{short}", "is not a hash that counts (sha256, sha384, sha512)"),
        ("alpha==1.0 --hash=sha256:00", "is not a hash that counts"),
        ("--sign-it\n{whole}", "pip has no option `--sign-it`"),
        ("-r https://example.com/r.txt\n{whole}", "is at a URL, and is not fetched"),
        ("-r nowhere.txt\n{whole}", "`nowhere.txt` (requirements.txt, line 1) is missing"),
        ("./elsewhere\n{whole}", "is a folder, which has no hash, and is not the project itself"),
        ("{whole}\n-c limits.txt", "is not what the constraint `alpha>1` (limits.txt, line 1)"),
        ("{whole}\nalpha==2.0 --hash=sha256:{beta}", "ask for different things"),
        ("{whole}\nalpha==1.0 --hash=sha256:{beta}", "ask for different hashes"),
        ("{whole}\nhg+https://example.com/x", "only those of git are supported"),
        ("{whole}\nalpha==1.0 ; python_verson > '3'", "(requirements.txt, line 2)"),
    ],
)
def test_a_line_that_can_t_be_followed_is_an_error_that_names_it(
    project: PipProject, index: IndexServer, lines: str, said: str
) -> None:
    project.write("alpha>1\n", "limits.txt")
    (project.root / "elsewhere").mkdir()
    alpha, beta = (index.files[each].hashes["sha256"] for each in (ALPHA, BETA))
    whole = f"alpha==1.0 --hash=sha256:{alpha}"
    project.write(lines.format(alpha=alpha, beta=beta, short="0" * 32, whole=whole) + "\n")
    with pytest.raises(LockfileError) as caught:
        project.lock()
    assert said in caught.value.message


def test_all_lines_that_can_t_be_followed_are_named_at_once(project: PipProject) -> None:
    project.write(f"alpha==1.0 --hash=sha256:{'0' * 64}\nbeta==1.0\ngamma\n")
    said = str(project.failure())
    assert "`beta==1.0` (requirements.txt, line 2)" in said
    assert "`gamma` (requirements.txt, line 3)" in said


COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    "line",
    [
        f"in-git @ git+https://example.com/r.git@{COMMIT}",
        f"in-git @ git+https://user:{CANARY}@example.com/r.git@{COMMIT}#subdirectory=below",
        f"git+https://example.com/r.git@{COMMIT}#egg=in-git",
        f"-e git+https://example.com/r.git@{COMMIT}#egg=in_git[more]&subdirectory=below",
        f"git+ssh://git@example.com/r.git@{COMMIT}#egg=in-git ; ",
    ],
)
def test_a_git_line_that_is_pinned_to_a_full_commit_is_as_good_as_a_hash(
    project: PipProject, index: IndexServer, line: str
) -> None:
    project.write(f"{hashed(index, ALPHA)}{line.removesuffix(' ; ')}\n")
    lock = project.lock()
    (source,) = select(lock, X86_64).sources
    assert (source.name, source.kind, source.commit) == ("in-git", "vcs", COMMIT)
    assert source.location.endswith("example.com/r.git")
    assert source.subdirectory == ("below" if "below" in line else None)
    assert CANARY not in lock.text.decode()
    assert lock.warnings == ()


@pytest.mark.parametrize("revision", ["", "@main", "@v1.0", "@0123456"])
def test_a_git_line_that_can_move_is_an_error_that_names_it(
    project: PipProject, index: IndexServer, revision: str
) -> None:
    line = f"in-git @ git+https://example.com/r.git{revision}"
    project.write(f"{hashed(index, ALPHA)}{line}\n")
    said = str(project.failure())
    assert f"`{line}` (requirements.txt, line 3) has no hash and names no full commit" in said
    assert "git ls-remote" in said


@pytest.mark.parametrize(
    "line",
    ["-e .", ".", "-e .[fast]", "./", "--editable=.", "-e file://{root}", "app @ file://{root}"],
)
def test_a_line_that_stands_for_the_project_needs_no_hash_and_adds_nothing(
    project: PipProject, index: IndexServer, line: str
) -> None:
    project.write('[project]\nname = "app"\nversion = "1"\n', "pyproject.toml")
    project.write(f"{line.format(root=project.root)}\n{hashed(index, ALPHA)}")
    assert project.names() == {"alpha"}
    assert project.backends() == {}


def test_a_wheel_that_requires_what_the_files_lack_is_an_error_with_its_name(
    project: PipProject, index: IndexServer, tmp_path: Path
) -> None:
    cache = {"HATCH_LAMBDA_LAYER_CACHE_DIR": str(tmp_path / "cache")}
    project.write(TABLE, "pyproject.toml")
    project.write(hashed(index, "deep-1.0-py3-none-any.whl"))
    done = build(project, **cache)
    assert done.returncode == 1
    assert "deep 1.0 requires `app`, and `app` is not listed" in " ".join(done.stderr.split())
    # As with pip, that can be allowed; it is still said.
    done = build(project, **cache, PIP_NO_DEPS="1")
    assert done.returncode == 0, done.stderr
    manifest = json.loads((project.root / "dist" / "layer.json").read_text())
    assert [each["code"] for each in manifest["findings"]] == ["HLL034"]
    assert build(project, **cache).returncode == 1
    # What the layer need not have is named.
    project.write(f'{TABLE}allow-missing = ["app"]\n', "pyproject.toml")
    done = build(project, **cache)
    assert done.returncode == 0, done.stderr


def test_what_the_wheels_lack_is_said_before_a_source_is_built(
    project: PipProject, index: IndexServer, tmp_path: Path
) -> None:
    name, data = sdist("built", "1.0", copying_project(WheelSpec(name="built")))
    if name not in index.files:
        index.add_file(name, data)
    project.write(TABLE, "pyproject.toml")
    digest = index.files[name].hashes["sha256"]
    lines = hashed(index, "deep-1.0-py3-none-any.whl")
    project.write(f"{lines}built==1.0 --hash=sha256:{digest}\n")
    done = build(project, HATCH_LAMBDA_LAYER_CACHE_DIR=str(tmp_path / "cache"))
    assert done.returncode == 1
    assert "`app` is not listed" in " ".join(done.stderr.split())
    assert "Building" not in done.stderr
    project.write(f'{TABLE}allow-missing = ["app"]\n', "pyproject.toml")
    done = build(project, HATCH_LAMBDA_LAYER_CACHE_DIR=str(tmp_path / "cache"))
    assert done.returncode == 0, done.stderr
    assert "Building package `built" in done.stderr


@pytest.mark.parametrize("kind", ["with hashes", "without hashes"])
def test_a_requirement_that_the_kernel_decides_is_a_finding_that_names_it(
    project: PipProject, index: IndexServer, tmp_path: Path, kind: str
) -> None:
    marker = "platform_release >= '5'"
    if "kernel-1.0-py3-none-any.whl" not in index.files:
        index.add(spec("kernel", requires_dist=[f"gamma ; {marker}"]))
    project.write(TABLE, "pyproject.toml")
    lines = hashed(index, "kernel-1.0-py3-none-any.whl")
    project.write(lines if kind == "with hashes" else "kernel\n")
    done = build(project, HATCH_LAMBDA_LAYER_CACHE_DIR=str(tmp_path / "cache"))
    assert done.returncode == 0, done.stderr
    manifest = json.loads((project.root / "dist" / "layer.json").read_text())
    (finding,) = manifest["findings"]
    assert finding["code"] == "HLL035"
    assert f"kernel 1.0 requires `gamma ; {marker}`" in finding["message"]
    assert "`gamma` is left out" in finding["message"]
    assert "`gamma` is left out" in " ".join(done.stderr.split())


def test_the_extra_that_a_line_asks_for_must_be_listed_as_well(
    project: PipProject, index: IndexServer, tmp_path: Path
) -> None:
    cache = {"HATCH_LAMBDA_LAYER_CACHE_DIR": str(tmp_path / "cache")}
    project.write(TABLE.replace("3.13", "3.12"), "pyproject.toml")
    line = hashed(index, "extras-1.0-py3-none-any.whl")
    project.write(line)
    assert build(project, **cache).returncode == 0
    project.write(line.replace("extras==", "extras[more]=="))
    (project.root / "dist" / "layer.zip").unlink()
    done = build(project, **cache)
    assert done.returncode == 1
    assert "and `beta` is not listed" in " ".join(done.stderr.split())


def test_a_name_that_a_private_index_claims_is_asked_for_there_only(
    project: PipProject, index: IndexServer
) -> None:
    with IndexServer(hostname="localhost") as private:
        private.add(spec("alpha"))
        project.write(hashed(private, ALPHA))
        claiming = PrivateIndex(name="acme", url=private.simple_url, packages=("alpha",))
        request = project.request(access=IndexAccess([claiming]))
        before = len(index.requests)
        lock = PipLockfile().read(project.root / "requirements.txt", request, X86_64)
        (wheel,) = select(lock, X86_64).wheels
        assert wheel.location == private.file_url(ALPHA)
        assert wheel.index_url == private.simple_url
        assert len(index.requests) == before


def test_an_index_that_fails_is_a_warning_where_another_one_has_the_file(
    project: PipProject, index: IndexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with IndexServer() as other:
        other.always("*", Status(403))
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", other.simple_url)
        project.write(hashed(index, ALPHA))
        (warning,) = project.lock().warnings
        assert f"{other.simple_url}alpha/ answers 403" in warning
        project.write(f"missing==1.0 --hash=sha256:{'0' * 64}\n")
        assert "answers 403" in str(project.failure())


def test_a_yanked_release_with_hashes_is_locked_with_a_warning(
    project: PipProject, index: IndexServer
) -> None:
    project.write(hashed(index, "taken_back-1.0-py3-none-any.whl"))
    assert project.lock().warnings == ("taken-back 1.0 was yanked: it deletes files",)


def test_a_file_for_another_python_does_not_count(
    project: PipProject, index: IndexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write(hashed(index, "for_python4-1.0-py3-none-any.whl"))
    assert "for_python4-1.0-py3-none-any.whl (for Python >=4)" in str(project.failure())
    monkeypatch.setenv("PIP_IGNORE_REQUIRES_PYTHON", "1")
    assert project.names() == {"for-python4"}


def test_a_file_is_known_by_a_stronger_hash_than_the_page_has(
    project: PipProject, index: IndexServer
) -> None:
    digest = hashlib.sha512(spec("alpha").data).hexdigest()
    project.write(f"alpha==1.0 --hash=sha512:{digest}\n")
    (wheel,) = select(project.lock(), X86_64).wheels
    assert wheel.sha256 == spec("alpha").sha256
    project.write(f"alpha==1.0 --hash=sha512:{'0' * 128}\n")
    assert "DO NOT MATCH THE HASHES" in str(project.failure())


def test_a_hashed_url_and_a_hashed_file_of_the_project_are_locked_as_they_are(
    project: PipProject, index: IndexServer
) -> None:
    folder = project.root / "wheels"
    folder.mkdir()
    local = spec("local")
    local.write(folder)
    alpha = index.files[ALPHA].hashes["sha256"]
    project.write(
        f"alpha @ {index.file_url(ALPHA)} --hash=sha256:{alpha}\n"
        f"./wheels/{local.filename} --hash=sha256:{'0' * 64} --hash=sha256:{local.sha256}\n"
    )
    lock = project.lock()
    assert str(project.root) not in lock.text.decode()
    assert {(each.name, each.sha256, each.location) for each in select(lock, X86_64).wheels} == {
        ("alpha", alpha, index.file_url(ALPHA)),
        ("local", local.sha256, str(folder / local.filename)),
    }
