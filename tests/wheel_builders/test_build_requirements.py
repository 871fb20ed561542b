"""Sources are built with what the tool that locks them is told to build them with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer.config.container import ContainerConfig
from hatch_lambda_layer.exceptions import BuildError, LockfileError
from hatch_lambda_layer.layout import LayerPathLayout
from hatch_lambda_layer.lockfiles import LOCKFILES, LockRequest
from hatch_lambda_layer.lockfiles.build_settings import BuildConstraint, BuildSettings
from hatch_lambda_layer.wheel_builders import BuildPolicy
from tests.support.layer_project import ALPHA, BETA, Project
from tests.support.lock_factory import LockedFile, LockedPackage, locked, pylock
from tests.support.made_with import made_with, making_project
from tests.support.source_factory import IN_TREE, sdist
from tests.support.wheel_factory import WheelSpec
from tests.support.workshop import Workshop, packed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.container_engine import ContainerEngine
    from tests.support.index_server import IndexServer

MAKERS = [WheelSpec(name="maker", version=version) for version in ("1.0", "2.0")]


@pytest.fixture
def makers(index: IndexServer, monkeypatch: pytest.MonkeyPatch) -> IndexServer:
    """Serve two versions of what sources are built with, to uv."""
    index.add(*MAKERS)
    monkeypatch.setenv("UV_DEFAULT_INDEX", index.simple_url)
    for name in ("PIP_CONFIG_FILE", "PIP_BUILD_CONSTRAINT", "UV_BUILD_CONSTRAINT"):
        monkeypatch.delenv(name, raising=False)
    return index


def lock(project: Project, files: Mapping[str, bytes] | None = None) -> None:
    """Lock two wheels and a source distribution that `maker` is needed for."""
    filename, content = sdist("made", "1.0", files or making_project())
    url = project.index.add_file(filename, content)
    made = LockedPackage(sdist=LockedFile(filename=filename, data=content, url=url))
    wheels = [locked(each, project.index.file_url(each.filename)) for each in (ALPHA, BETA)]
    project.lockfile.write_text(pylock(*wheels, made), encoding="utf-8")


def configure(project: Project, text: str) -> None:
    (project.root / "pyproject.toml").write_text(text, encoding="utf-8")


@pytest.mark.fault(141)
@pytest.mark.usefixtures("makers")
def test_uvs_build_constraints_decide_what_a_source_is_built_with(project: Project) -> None:
    lock(project)
    first = project.build()
    assert made_with(project.zip) == {"maker": "2.0"}
    configure(project, '[tool.uv]\nbuild-constraint-dependencies = ["maker<2"]\n')
    second = project.build()
    assert made_with(project.zip) == {"maker": "1.0"}
    assert second.manifest.input_digest != first.manifest.input_digest
    assert not project.build().rebuilt
    configure(project, "")
    assert project.build().manifest == first.manifest


@pytest.mark.fault(141)
@pytest.mark.usefixtures("makers")
@pytest.mark.parametrize("variable", ["PIP_BUILD_CONSTRAINT", "UV_BUILD_CONSTRAINT"])
def test_a_file_of_build_constraints_that_a_variable_names_counts(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    lock(project)
    file = tmp_path / "constraints.txt"
    file.write_text("# older\nmaker<2  # and why\n", encoding="utf-8")
    monkeypatch.setenv(variable, str(file))
    project.build()
    assert made_with(project.zip) == {"maker": "1.0"}
    file.write_text("maker\n", encoding="utf-8")
    project.build()
    assert made_with(project.zip) == {"maker": "2.0"}
    for text in ("./maker.whl\n", "--index-url http://other.test/\n-r missing.txt\n"):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(LockfileError, match="build constraints"):
            project.build()


@pytest.mark.fault(141)
@pytest.mark.usefixtures("makers")
def test_build_constraints_with_hashes_are_verified(project: Project) -> None:
    lock(project)
    hashed = '{ requirement = "maker==1.0", hashes = ["sha256:%s"] }'
    constraint = f"[tool.uv]\nbuild-constraint-dependencies = [{hashed}]\n"
    configure(project, constraint % MAKERS[0].sha256)
    project.build()
    assert made_with(project.zip) == {"maker": "1.0"}
    configure(project, constraint % ("0" * 64))
    with pytest.raises(BuildError) as raised:
        project.build()
    assert "constrained to maker==1.0 --hash=sha256:000" in str(raised.value)


@pytest.mark.fault(141)
@pytest.mark.usefixtures("makers")
def test_extra_build_dependencies_of_a_package_are_there_for_its_build(
    project: Project, index: IndexServer
) -> None:
    index.add(WheelSpec(name="beta", version="9.0"))
    lock(project)
    table = "[tool.uv.extra-build-dependencies]\n"
    configure(project, f'{table}made = ["alpha"]\nother = ["missing"]\n')
    project.build()
    assert made_with(project.zip) == {"maker": "2.0", "alpha": "1.0"}
    configure(project, f'{table}made = [{{ requirement = "beta", match-runtime = true }}]\n')
    project.build()
    assert made_with(project.zip) == {"maker": "2.0", "beta": "2.1"}
    configure(project, f'{table}made = [{{ requirement = "gamma", match-runtime = true }}]\n')
    with pytest.raises(BuildError, match="is to have the `gamma` of the layer"):
        project.build()


@pytest.mark.fault(141)
def test_build_constraints_count_in_a_container(
    engine: ContainerEngine,
    makers: IndexServer,
    tmp_path: Path,
) -> None:
    workshop = Workshop(tmp_path)
    policy = BuildPolicy(build="container", container=ContainerConfig(engine="podman"))
    found = []
    for text in ("maker", "maker<2"):
        settings = BuildSettings(constraints=(BuildConstraint(text),))
        workshop.policy = replace(policy, settings=settings)
        found.append(made_with(workshop.build(packed(tmp_path, making_project(), "made")).file))
    assert found == [{"maker": "2.0"}, {"maker": "1.0"}]


@pytest.mark.fault(141)
def test_a_build_that_misses_pkg_resources_is_told_how_to_constrain_setuptools(
    tmp_path: Path,
) -> None:
    files = {**making_project(), "pyproject.toml": IN_TREE.encode()}
    files["backend.py"] = b"import pkg_resources\n"
    said = Workshop(tmp_path).refusal(packed(tmp_path, files), "No module named 'pkg_resources'")
    assert 'build-constraint-dependencies = ["setuptools<82"]' in said


def of_poetry(folder: Path, table: str) -> BuildSettings:
    """Read the settings of a project with this table of build constraints."""
    path = folder / "pyproject.toml"
    path.write_text(f"[tool.poetry.build-constraints]\n{table}\n", encoding="utf-8")
    request = LockRequest(layout=LayerPathLayout(path, folder / "dist"))
    return LOCKFILES["poetry"].build_settings(folder / "poetry.lock", request)


@pytest.mark.fault(141)
@pytest.mark.usefixtures("makers")
def test_poetrys_build_constraints_count_for_the_package_that_they_name(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    found = []
    for table in ('Made = { maker = "^1.0" }', 'other = { maker = "^1.0" }'):
        workshop.policy = BuildPolicy(settings=of_poetry(tmp_path, table))
        found.append(made_with(workshop.build(packed(tmp_path, making_project(), "made")).file))
    assert found == [{"maker": "1.0"}, {"maker": "2.0"}]


@pytest.mark.fault(141)
def test_poetrys_build_constraints_are_read_as_poetry_reads_them(tmp_path: Path) -> None:
    settings = of_poetry(
        tmp_path,
        'a = { b = [{ version = "<2", python = "<3.12" }, { version = "<3", markers = "os_name == '
        "'posix'\" }], c = '*' }",
    )
    assert settings.requirements_of("a", {}).constraints == (
        'b<2 ; python_full_version < "3.12"',
        "b<3 ; os_name == 'posix'",
        "c",
    )
    for table in ('a = { b = "<2 || >3" }', 'a = { b = { git = "https://x.test/b" } }'):
        with pytest.raises(LockfileError, match=r"`a\.b` of `\[tool\.poetry\.build-constraints\]`"):
            of_poetry(tmp_path, table)
