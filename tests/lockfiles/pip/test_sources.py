"""Sources in requirements files: built for what they require, and no backend sees a secret."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hatch_lambda_layer.config.indexes import PrivateIndex
from hatch_lambda_layer.index.auth import IndexAccess
from hatch_lambda_layer.wheels.selection import select
from tests.support.index_server import IndexServer
from tests.support.pip_project import CANARY, EXPECTED, X86_64, PipProject, hashed, spec

if TYPE_CHECKING:
    from collections.abc import Mapping


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
TOGETHER = [
    ["sdist", "directory", "vcs", "vcs, below"],
    ["archive", "directory, editable", "vcs, editable", "vcs, below, editable"],
]


def files_of(project: PipProject) -> set[str]:
    """Give the paths in the project's folder, without those of git and of the layer."""
    found = (path.relative_to(project.root) for path in project.root.rglob("*"))
    return {path.as_posix() for path in found if not {".git", "build"} & {*path.parts}}


@pytest.mark.fault(19, 21, 58)
@pytest.mark.parametrize("kinds", TOGETHER, ids=["usual", "editable or archive"])
def test_a_source_is_locked_and_its_backend_sees_no_secret_and_leaves_nothing(
    project: PipProject, index: IndexServer, monkeypatch: pytest.MonkeyPatch, kinds: list[str]
) -> None:
    by_kind = sourced(index, project)
    canary_everywhere(monkeypatch)
    monkeypatch.setenv("PIP_INDEX_URL", index.simple_url.replace("//", f"//user:{CANARY}@"))
    monkeypatch.setenv("SETUPTOOLS_SCM_PRETEND_VERSION", "1.0")
    project.write("".join(f"{by_kind[kind][0]}\n" for kind in kinds))
    before = files_of(project)
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
    assert files_of(project) == before


def canary_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a secret into netrc, and into the variables of uv and pip that can have one."""
    netrc = Path(os.environ["HOME"], ".netrc")
    netrc.parent.mkdir(exist_ok=True)
    netrc.write_text(f"machine canary.test login user password {CANARY}\n", encoding="utf-8")
    for name in (
        *("UV_INDEX_ACME_PASSWORD", "UV_PUBLISH_TOKEN", "UV_PUBLISH_PASSWORD", "UV_FIND_LINKS"),
        *("UV_EXTRA_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_HF_TOKEN"),
        *("PIP_PASSWORD", "PIP_PROXY", "PIP_CLIENT_CERT", "PIP_LOG", "PIP_TARGET"),
    ):
        monkeypatch.setenv(name, f"https://user:{CANARY}@canary.test/{name}")


@pytest.mark.fault(58)
def test_a_setup_py_deep_in_the_chain_sees_no_secret(
    project: PipProject, index: IndexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, requires in (("outer-source", "inner-source<2"), ("inner-source", "beta")):
        index.add_file(
            f"{name.replace('-', '_')}-1.0.tar.gz", project.sdist(name, requires=[requires])
        )
    index.add(spec("begins", requires_dist=["outer-source"]))
    canary_everywhere(monkeypatch)
    project.write("begins\n")
    selection = select(project.lock(sources=True), X86_64)
    assert {each.name for each in selection.wheels} == {"begins", "beta"}
    assert [(each.name, each.version) for each in selection.sources] == [
        ("inner-source", "1.0"),
        ("outer-source", "1.0"),
    ]
    assert project.backends().keys() == {"inner-source", "outer-source"}
    assert not any(CANARY in told for told in project.backends().values())


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
        assert "(requirements.txt, line 2) is a source, not a wheel" in said


@pytest.mark.parametrize("sources", [False, True])
def test_a_file_that_asks_for_sources_gets_them_where_they_are_allowed(
    project: PipProject, index: IndexServer, *, sources: bool
) -> None:
    sourced(index, project)
    index.add(spec("both", requires_dist=["beta"]))
    index.add_file("both-1.0.tar.gz", project.sdist("both", requires=["gamma"]))
    project.write("--no-binary both\nboth\n")
    if not sources:
        assert "is a source, not a wheel" in str(project.failure())
        assert project.backends() == {}
        return
    selection = select(project.lock(sources=True), X86_64)
    assert [each.name for each in selection.sources] == ["both"]
    assert [each.name for each in selection.wheels] == ["gamma"]


def test_sources_of_all_packages_are_an_error_that_names_the_option(project: PipProject) -> None:
    project.write("--no-binary :all:\nalpha\n")
    assert "`--no-binary :all:` is not followed" in str(project.failure(sources=True))


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
    assert "What `./folder` (requirements.txt, line 1) requires could not be read" in said
    assert "backend-source" in said
    assert project.backends() == {}


def test_what_a_backend_says_when_it_fails_is_in_the_error_with_the_line(
    project: PipProject,
) -> None:
    project.source("in-folder", folder="folder")
    project.write("raise RuntimeError('I want a compiler')\n", "folder/backend.py")
    project.write("alpha\n./folder\n")
    said = str(project.failure(sources=True))
    assert "What `./folder` (requirements.txt, line 2) requires could not be read" in said
    assert "RuntimeError: I want a compiler" in said


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
        selection = select(project.lock(sources=True, access=access), X86_64)
        assert private.requests_for(private.path_of("helper-1.0-py3-none-any.whl"))
    assert {each.name for each in selection.all} == {"secret-source", "in-folder", "beta"}
    assert project.backends().keys() == {"secret-source", "in-folder"}
    for told in project.backends().values():
        assert CANARY not in told
        assert "NETRC" not in told


def test_what_a_source_needs_to_be_built_is_from_the_index_of_pip_s_configuration(
    project: PipProject, index: IndexServer
) -> None:
    index.add(spec("build-helper"))
    files = project.source("in-folder", folder="folder")
    text = files["pyproject.toml"].decode().replace("requires = []", 'requires = ["build-helper"]')
    project.write(text, "folder/pyproject.toml")
    project.write("./folder\n")
    assert [each.name for each in select(project.lock(sources=True), X86_64).sources]
    assert index.requests_for(index.path_of("build_helper-1.0-py3-none-any.whl"))


@pytest.mark.fault(57)
def test_the_credentials_of_a_repository_are_for_its_url_alone_and_in_no_lock(
    project: PipProject, index: IndexServer
) -> None:
    access = IndexAccess()
    url = "https://example.com/r.git"
    line = f"x @ git+https://user:{CANARY}@example.com/r.git@{'0' * 40}"
    project.write(f"{line}\n{hashed(index, 'alpha-1.0-py3-none-any.whl')}")
    lock = project.lock(access=access)
    assert CANARY not in lock.text.decode()
    (source,) = select(lock, X86_64).sources
    assert source.location == url
    assert access.url_with_credentials(url) == f"https://user:{CANARY}@example.com/r.git"
    assert access.url_with_credentials("https://example.com/other.git").count("@") == 0


@pytest.mark.parametrize(
    ("line", "names"),
    [("-e .", {"alpha"}), (".", {"alpha"}), ("-e .[more]", {"alpha", "beta", "gamma"})],
)
def test_a_line_that_stands_for_the_project_brings_what_it_requires(
    project: PipProject, line: str, names: set[str]
) -> None:
    optional = 'more = ["app[other]", "beta"]\nother = ["gamma"]\n'
    project.write(
        '[project]\nname = "app"\nversion = "1"\ndependencies = ["alpha"]\n'
        f"[project.optional-dependencies]\n{optional}",
        "pyproject.toml",
    )
    project.write(f"{line}\n")
    assert project.names() == names
    assert project.backends() == {}


def test_a_project_that_only_its_backend_knows_is_built_for_what_it_requires(
    project: PipProject,
) -> None:
    project.source("app", folder=".", requires=["alpha", "beta; extra == 'more'"])
    project.write("-e .[more]\n")
    selection = select(project.lock(sources=True), X86_64)
    assert {each.name for each in selection.all} == {"alpha", "beta"}
    assert project.backends().keys() == {"app"}


@pytest.mark.parametrize("revision", ["", "@main", "@v1"])
def test_a_branch_or_a_tag_is_locked_at_its_commit(project: PipProject, revision: str) -> None:
    commit = project.repository("in-git", folder="repository")
    subprocess.run(["git", "branch", "-M", "main"], cwd=project.root / "repository", check=True)
    url = (project.root / "repository").as_uri()
    # It says no name: only its build knows it.
    project.write(f"git+{url}{revision}\n")
    (source,) = select(project.lock(sources=True), X86_64).sources
    assert (source.name, source.commit, source.location) == ("in-git", commit, url)


@pytest.mark.parametrize(
    ("line", "said", "hint"),
    [
        ("git+{gone}@main#egg=x", "The repository {gone} of `", "`git ls-remote {gone}` works"),
        ("git+{here}@no-branch#egg=x", "has no branch and no tag `no-branch`", "git ls-remote"),
        ("git+{here}@0123456#egg=x", "(a short commit has to be written in full)", "git ls-remote"),
        ("x @ git+ext::sh", "is refused: `ext::` is not one of", ""),
        ("hg+https://example.com/x#egg=x", "is a repository of hg; only those of git", ""),
        ("x @ file:///croot/x_1/work", "is not on this machine", "pip list --format=freeze"),
        ("./x-1.0.tar.gz", "is not on this machine", "name a version instead"),
        ("-r https://example.com/r.txt", "is at a URL, and is not fetched", ""),
        ("alpha ==", "(requirements.txt, line 1)", ""),
    ],
)
def test_a_line_that_leads_nowhere_is_an_error_that_names_it(
    project: PipProject, line: str, said: str, hint: str
) -> None:
    project.repository("in-git", folder="repository")
    here, gone = ((project.root / name).as_uri() for name in ("repository", "gone"))
    project.write(f"{line.format(here=here, gone=gone)}\n")
    error = project.failure(sources=True)
    assert said.format(gone=gone) in error.message
    assert "requirements.txt, line 1" in error.message
    assert hint.format(gone=gone) in (error.hint or "")
