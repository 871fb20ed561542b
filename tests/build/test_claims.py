"""Several projects with one output folder: none replaces or removes the layer of another."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer.exceptions import ConfigError, OutputError
from tests.support.displays import Lines
from tests.support.layer_project import Project, stamps

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def other(project: Project) -> Path:
    """Return the layer that another project has put where that of `project` would be."""
    project.make_package("")
    project.build()
    table = json.loads(project.json.read_text("utf-8"))
    assert table["project"] == "app"
    project.json.write_text(json.dumps({**table, "project": "other"}), encoding="utf-8")
    return project.zip


@pytest.mark.fault(93)
def test_the_layer_of_another_project_is_not_replaced(project: Project, other: Path) -> None:
    before = stamps(project.zip, project.json)
    with pytest.raises(OutputError) as caught:
        project.build()
    assert caught.value.message == (
        f"{other} is the layer of the project `other`, so it is not replaced"
    )
    assert '`filename = "{project}-layer"`' in str(caught.value)
    assert stamps(project.zip, project.json) == before
    project.configure(filename="{project}-layer")
    assert project.build_all()[0].zip_path.name == "app-layer.zip"
    assert stamps(project.zip, project.json) == before


@pytest.mark.usefixtures("other")
def test_the_layer_of_another_project_is_not_cleaned_away(project: Project) -> None:
    before = stamps(project.zip, project.json)
    project.json.with_name("layer-python3.12-arm64.zip").write_bytes(b"of an older matrix")
    build = project.project_build(Lines())
    build.clean()
    assert stamps(project.zip, project.json) == before
    assert sorted(path.name for path in project.zip.parent.iterdir()) == ["layer.json", "layer.zip"]


@pytest.mark.usefixtures("other")
@pytest.mark.parametrize(("member", "ours"), [("python3.13-x86_64", True), ("web-3", False)])
def test_a_manifest_without_a_project_is_ours_where_the_member_fits(
    project: Project, member: str, *, ours: bool
) -> None:
    table = json.loads(project.json.read_text("utf-8"))
    del table["project"]
    project.json.write_text(json.dumps({**table, "member": member}), encoding="utf-8")
    if ours:
        assert not project.build().rebuilt
        assert json.loads(project.json.read_text("utf-8"))["project"] == "app"
    else:
        with pytest.raises(OutputError, match="is the layer of another project"):
            project.build()


def test_a_project_without_a_name_may_change_its_runtime(project: Project) -> None:
    project.build()
    project.configure(runtimes=["python3.12"])
    assert project.build().manifest.project is None


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("{project}-layer", "there is no `project.name`"),
        ("a/b", "not 'a/b'"),
        ("", "not ''"),
        (".hidden", "not '.hidden'"),
        (7, "not 7"),
        ("{name}", "not '{name}'"),
    ],
)
def test_a_filename_that_can_be_none_is_an_error(
    project: Project, value: object, said: str
) -> None:
    project.configure(filename=value)
    with pytest.raises(ConfigError) as caught:
        project.build()
    assert said in str(caught.value)
