"""Sources in requirements files: locked where they are allowed, and no backend sees a secret."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from hatch_lambda_layer.config.indexes import PrivateIndex
from hatch_lambda_layer.index.auth import IndexAccess
from hatch_lambda_layer.lockfiles.pip.lockfile import PipLockfile
from hatch_lambda_layer.wheels.selection import select
from tests.support.index_server import IndexServer
from tests.support.pip_project import CANARY, EXPECTED, X86_64, PipProject, spec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def sourced(
    index: IndexServer, project: PipProject
) -> Mapping[str, tuple[str, str, dict[str, Any]]]:
    """Give, by kind, a requirement that is a source, its name and what it is locked as."""
    index.add_file(
        "only_source-1.0.tar.gz", content := project.sdist("only-source", requires=["deep"])
    )
    project.source("below", folder="repository/deeper/still", requires=["deep"])
    commit = project.repository("in-git", folder="repository", requires=["deep"])
    project.source("in-folder", folder="folder", requires=["deep"])
    repository = (project.root / "repository").as_uri()
    sha256 = index.files["only_source-1.0.tar.gz"].hashes["sha256"]
    assert content
    url = index.file_url("only_source-1.0.tar.gz")
    below = {"commit": commit, "location": repository, "subdirectory": "deeper/still"}
    archive = {"sha256": sha256, "location": url}
    folder = {"location": str(project.root / "folder")}
    deeper = "#egg=below&subdirectory=deeper/still"
    vcs = {"commit": commit, "location": repository}
    return {
        "sdist": ("only-source==1.0", "only-source", archive),
        "archive": (f"only-source @ {url}", "only-source", archive),
        "directory": ("./folder", "in-folder", folder),
        "directory, editable": ("-e ./folder", "in-folder", folder),
        "vcs": (f"git+{repository}@v1#egg=in-git", "in-git", vcs),
        "vcs, editable": (f"-e git+{repository}@v1#egg=in-git", "in-git", vcs),
        "vcs, below": (f"git+{repository}@v1{deeper}", "below", below),
        "vcs, below, editable": (f"-e git+{repository}@v1{deeper}", "below", below),
    }


KINDS = ["sdist", "archive", "directory", "directory, editable", "vcs", "vcs, editable"]
# Those of each list are locked by one call of pip.
TOGETHER = [
    ["sdist", "directory", "vcs", "vcs, below"],
    ["archive", "directory, editable", "vcs, editable", "vcs, below, editable"],
]


@pytest.mark.fault(19, 21, 58)
@pytest.mark.parametrize("kinds", TOGETHER, ids=["usual", "editable or archive"])
def test_a_source_is_locked_and_its_backend_sees_no_secret(
    project: PipProject, index: IndexServer, monkeypatch: pytest.MonkeyPatch, kinds: list[str]
) -> None:
    by_kind = sourced(index, project)
    monkeypatch.setenv("PIP_INDEX_URL", index.simple_url.replace("//", f"//user:{CANARY}@"))
    monkeypatch.setenv("SETUPTOOLS_SCM_PRETEND_VERSION", "1.0")
    project.write("".join(f"{by_kind[kind][0]}\n" for kind in kinds))
    selection = select(project.lock(sources=True), X86_64)
    sources = {source.name: source for source in selection.sources}
    assert len(sources) == len(selection.sources) == len(kinds)
    for kind in kinds:
        _, name, expected = by_kind[kind]
        assert sources[name].kind == kind.partition(",")[0]
        assert {key: getattr(sources[name], key) for key in expected} == expected
    assert {wheel.name for wheel in selection.wheels} == {"deep", "app"} | EXPECTED[X86_64]
    assert project.backends().keys() == sources.keys()
    for told in project.backends().values():
        assert CANARY not in told
        assert os.environ["HOME"] not in told
        assert "SETUPTOOLS_SCM_PRETEND_VERSION" in told


@pytest.mark.fault(21)
@pytest.mark.parametrize("kind", KINDS)
def test_no_backend_is_run_where_sources_are_not_allowed(
    project: PipProject, index: IndexServer, kind: str
) -> None:
    requirement, *_ = sourced(index, project)[kind]
    project.write(f"alpha\n{requirement}\n")
    said = str(project.failure())
    assert project.backends() == {}
    name = {"s": "only-source", "a": "only-source", "d": "folder", "v": "in-git"}[kind[0]]
    assert name in said
    assert 'build = "local"' in said
    if kind == "sdist":
        assert "the index has\n- only_source-1.0.tar.gz, a source\n" in said
    else:
        assert "(requirements.txt (line 2)) is a source, not a wheel" in said


def test_a_file_that_asks_for_sources_does_not_get_them_either(
    project: PipProject, index: IndexServer
) -> None:
    sourced(index, project)
    project.write("--no-binary only-source\nonly-source\n")
    assert "is a source, not a wheel" in str(project.failure())
    assert project.backends() == {}


def test_an_older_wheel_goes_before_a_newer_source(project: PipProject, index: IndexServer) -> None:
    index.add(spec("mixed", version="0.9"))
    index.add_file("mixed-1.0.tar.gz", project.sdist("mixed"))
    project.write("mixed\n")
    assert [each.version for each in select(project.lock(sources=True), X86_64).wheels] == ["0.9"]
    assert project.backends() == {}


@pytest.mark.fault(58)
def test_what_a_source_requires_to_be_built_is_never_built_itself(
    project: PipProject, index: IndexServer
) -> None:
    index.add_file("backend_source-1.0.tar.gz", project.sdist("backend-source"))
    project.write("[build-system]\nrequires = ['backend-source']\n", "folder/pyproject.toml")
    project.write("./folder\n")
    said = str(project.failure(sources=True))
    assert "No matching distribution found for backend-source" in said
    assert project.backends() == {}


def test_what_a_backend_says_when_it_fails_is_in_the_error(project: PipProject) -> None:
    project.source("in-folder", folder="folder")
    project.write("raise RuntimeError('I want a compiler')\n", "folder/backend.py")
    project.write("./folder\n")
    said = str(project.failure(sources=True))
    assert "RuntimeError: I want a compiler" in said
    assert "hint: to read what a source requires" in said


@pytest.mark.fault(57)
@pytest.mark.fault(58)
def test_what_a_private_source_requires_is_from_there_and_its_backend_sees_no_password(
    project: PipProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HATCH_LAMBDA_LAYER_INDEX_ACME_USERNAME", "user")
    monkeypatch.setenv("HATCH_LAMBDA_LAYER_INDEX_ACME_PASSWORD", CANARY)
    with IndexServer(hostname="localhost", user="user", password=CANARY) as private:
        private.add(spec("helper"))
        sdist = project.sdist("secret-source", requires=["beta"])
        private.add_file("secret_source-1.0.tar.gz", sdist)
        # Its own index, which ends what was said of others before.
        public = os.environ["PIP_INDEX_URL"]
        project.write(f"--index-url {public}\nsecret-source\n./folder\n")
        project.source("in-folder", folder="folder")
        pyproject = project.root / "folder" / "pyproject.toml"
        text = pyproject.read_text(encoding="utf-8")
        text = text.replace("requires = []", 'requires = ["helper"]')
        pyproject.write_text(text, encoding="utf-8")
        access = IndexAccess([PrivateIndex(name="acme", url=private.simple_url)])
        request = project.request(access=access, build=True)
        (path,) = PipLockfile().find(request)
        selection = select(PipLockfile().read(path, request, X86_64), X86_64)
        assert private.requests_for(private.path_of("helper-1.0-py3-none-any.whl"))
    assert {each.name for each in selection.all} == {"secret-source", "in-folder", "beta"}
    assert project.backends().keys() == {"secret-source", "in-folder"}
    for told in project.backends().values():
        assert CANARY not in told
        assert "NETRC" not in told


@pytest.mark.fault(57)
def test_pip_starts_pip_without_the_password_of_an_index_among_its_arguments(
    project: PipProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # A backend from the index: every process that pip starts notes its arguments.
    arguments = tmp_path / "arguments"
    (tmp_path / "note").mkdir()
    (tmp_path / "note" / "sitecustomize.py").write_text(
        "import os, sys\n"
        f"with open({str(arguments)!r}, 'a') as file: print(*sys.orig_argv, file=file)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "note"))
    with IndexServer(user="user", password=CANARY) as private:
        files = project.source("in-folder", folder="folder")
        private.add(spec("a-backend", files={"a_backend.py": files["backend.py"]}))
        project.write(
            '[build-system]\nrequires = ["a-backend"]\nbuild-backend = "a_backend"\n',
            "folder/pyproject.toml",
        )
        monkeypatch.setenv("PIP_INDEX_URL", private.simple_url_with_credentials)
        project.write("./folder\n")
        (source,) = select(project.lock(sources=True), X86_64).sources
    assert source.name == "in-folder"
    assert CANARY not in project.backends()["in-folder"]
    noted = arguments.read_text()
    assert "a-backend" in noted
    assert CANARY not in noted
