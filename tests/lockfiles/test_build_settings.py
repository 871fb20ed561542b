"""Settings of the tools that forbid building sources: they hold here as in the tool itself."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
import uv

from hatch_lambda_layer.exceptions import SelectionError
from hatch_lambda_layer.layout import LayerPathLayout
from hatch_lambda_layer.lockfiles import LOCKFILES, LockRequest
from hatch_lambda_layer.lockfiles.build_settings import ALL, NoBuild
from tests.support.layer_project import ALPHA, Project
from tests.support.lock_factory import LockedFile, LockedPackage, locked, pylock, uv_project
from tests.support.source_factory import IN_TREE, sdist, write_files
from tests.support.system_parts import require
from tests.support.tools import tool_path

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hatch_lambda_layer.lockfiles.build_settings import BuildSettings
    from tests.support.index_server import IndexServer

TRAP = {
    "pyproject.toml": IN_TREE.encode(),
    "backend.py": b"raise SystemExit('it was run')\n",
}


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "config").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(home / "system"))
    for name in ("PIP_CONFIG_FILE", "PIP_ONLY_BINARY", "UV_NO_BUILD", "UV_NO_BUILD_PACKAGE"):
        monkeypatch.delenv(name, raising=False)


def lock_trap(project: Project) -> None:
    """Lock a wheel, and a source distribution and a folder whose backends must not run."""
    write_files(project.root / "folder", TRAP)
    filename, content = sdist("teller", "1.0", TRAP)
    url = project.index.add_file(filename, content)
    teller = LockedPackage(sdist=LockedFile(filename=filename, data=content, url=url))
    folder = LockedPackage(name="folder", directory={"path": "folder"})
    alpha = locked(ALPHA, project.index.file_url(ALPHA.filename))
    project.lockfile.write_text(pylock(alpha, teller, folder), encoding="utf-8")


def refused(project: Project, *words: str) -> list[str]:
    """Return the lines about packages of the error of a build."""
    with pytest.raises(SelectionError) as raised:
        project.build()
    said = str(raised.value)
    assert "it was run" not in said
    assert "change the setting that forbids it" in said
    assert [word for word in words if word not in said] == [], said
    return [line.split()[1] for line in said.splitlines() if line.startswith("- ")]


@pytest.mark.fault(140)
@pytest.mark.parametrize(
    ("table", "place", "names"),
    [
        ("no-build = true", "`no-build` in `[tool.uv]` of", ["folder", "teller"]),
        ('no-build-package = ["Teller"]', "`no-build-package` in `[tool.uv]` of", ["teller"]),
        ("pip.no-build = true", "`pip.no-build` in", ["folder", "teller"]),
        ('pip.only-binary = ["teller"]', "`pip.only-binary` in", ["teller"]),
    ],
)
def test_a_source_that_the_projects_settings_of_uv_forbid_to_build_is_refused(
    project: Project, table: str, place: str, names: Sequence[str]
) -> None:
    lock_trap(project)
    pyproject = project.root / "pyproject.toml"
    pyproject.write_text(f"[tool.uv]\n{table}\n", encoding="utf-8")
    assert refused(project, place, f"`{pyproject}` forbids building it") == names


@pytest.mark.fault(140)
@pytest.mark.parametrize(
    ("variable", "value", "names"),
    [
        ("UV_NO_BUILD", "true", ["folder", "teller"]),
        ("UV_NO_BUILD_PACKAGE", "other teller", ["teller"]),
        # pip builds a folder that is named all the same.
        ("PIP_ONLY_BINARY", ":all:", ["teller"]),
        ("PIP_ONLY_BINARY", "other,teller", ["teller"]),
    ],
)
def test_a_source_that_a_variable_forbids_to_build_is_refused(
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    names: Sequence[str],
) -> None:
    lock_trap(project)
    monkeypatch.setenv(variable, value)
    assert refused(project, f"the variable `{variable}` forbids building it") == names


@pytest.mark.fault(140)
def test_a_source_that_a_file_of_the_user_forbids_to_build_is_refused(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock_trap(project)
    of_uv = tmp_path / "home" / "config" / "uv" / "uv.toml"
    of_uv.parent.mkdir()
    of_uv.write_text("no-build = true\n", encoding="utf-8")
    assert refused(project, f"`no-build` in `{of_uv}`") == ["folder", "teller"]
    # What the project says comes first.
    (project.root / "uv.toml").write_text("no-build = false\n", encoding="utf-8")
    of_pip = tmp_path / "pip.conf"
    of_pip.write_text("[install]\nonly-binary = teller\n", encoding="utf-8")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(of_pip))
    assert refused(project, "`only-binary` in pip's configuration forbids") == ["teller"]


@pytest.mark.fault(140)
def test_no_build_of_uv_spares_the_projects_of_the_workspace_as_in_uv(
    index: IndexServer, tmp_path: Path
) -> None:
    root = tmp_path / "app"
    for path, name in ((root / "member", "member"), (tmp_path / "beside", "beside")):
        text = f'{IN_TREE}[project]\nname = "{name}"\nversion = "1"\n'
        write_files(path, {**TRAP, "pyproject.toml": text.encode()})
    project = uv_project(
        root,
        index.simple_url,
        ["member", "beside"],
        sources={"member": {"workspace": True}, "beside": {"path": "../beside"}},
        extra_toml='[tool.uv]\nno-build = true\nworkspace.members = ["member"]\n',
    )
    said = subprocess.run(
        [uv.find_uv_bin(), "sync", "--frozen", "--no-install-package", "beside"],
        cwd=root,
        env=project.environment,
        capture_output=True,
        check=False,
        text=True,
    ).stderr
    assert "it was run" in said
    settings = of_tool("uv", root)
    assert settings.forbidden("member", "directory", str((root / "member").resolve())) is None
    place = f"`no-build` in `[tool.uv]` of `{root / 'pyproject.toml'}`"
    beside = str((tmp_path / "beside").resolve())
    assert settings.forbidden("beside", "directory", beside) == place


def of_tool(tool: str, root: Path) -> BuildSettings:
    layout = LayerPathLayout(root / "pyproject.toml", root / "dist")
    lockfile = LOCKFILES[tool]
    return lockfile.build_settings(root / lockfile.filename, LockRequest(layout=layout))


@pytest.mark.fault(140)
def test_poetrys_only_binary_is_read_where_poetry_writes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (root / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "1"\n')
    poetry = require(tool_path, "poetry")
    monkeypatch.setenv("POETRY_CONFIG_DIR", str(tmp_path / "home" / "poetry"))
    assert of_tool("poetry", root).no_build == ()

    def configure(*arguments: str) -> None:
        subprocess.run([poetry, "config", *arguments], cwd=root, check=True)

    configure("installer.only-binary", "true")
    of_user = tmp_path / "home" / "poetry" / "config.toml"
    settings = of_tool("poetry", root)
    assert settings.forbidden("any", "sdist", "") == f"`installer.only-binary` in `{of_user}`"
    assert settings.forbidden("any", "directory", "") is None
    configure("--local", "installer.only-binary", "Some_Name,other")
    settings = of_tool("poetry", root)
    assert settings.forbidden("some-name", "sdist", "")
    assert settings.forbidden("any", "sdist", "") is None
    monkeypatch.setenv("POETRY_INSTALLER_ONLY_BINARY", ":all:")
    monkeypatch.setenv("POETRY_INSTALLER_NO_BINARY", "any")
    settings = of_tool("poetry", root)
    where = "the variable `POETRY_INSTALLER_ONLY_BINARY`"
    assert settings.forbidden("some-name", "sdist", "") == where
    assert settings.forbidden("any", "sdist", "") is None


@pytest.mark.fault(140)
def test_pdms_only_binary_is_read_from_its_table_and_its_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pyproject = tmp_path / "pyproject.toml"
    pyproject.write_text('[tool.pdm.resolution]\nonly-binary = ["some.name"]\n')
    monkeypatch.delenv("PDM_ONLY_BINARY", raising=False)
    settings = of_tool("pdm", tmp_path)
    place = f"`only-binary` in `[tool.pdm.resolution]` of `{pyproject}`"
    assert settings.forbidden("some-name", "sdist", "") == place
    assert settings.forbidden("other", "sdist", "") is None
    monkeypatch.setenv("PDM_ONLY_BINARY", ":all:")
    monkeypatch.setenv("PDM_NO_BINARY", "other")
    settings = of_tool("pdm", tmp_path)
    assert settings.forbidden("some-name", "sdist", "") == "the variable `PDM_ONLY_BINARY`"
    assert settings.forbidden("other", "sdist", "") is None
    assert settings.forbidden("some-name", "vcs", "") is None


def test_names_are_compared_as_indexes_compare_them() -> None:
    found = NoBuild.read("here", ["A_b.C"])
    assert found.forbids("a-b-c", "sdist", "")
    assert not NoBuild.read("here", [":none:"]).forbids("a", "sdist", "")
    assert NoBuild.read("here", [ALL], allowed=["B"]).forbids("a", "sdist", "")
