"""Several projects with one output folder: none replaces or removes the layer of another."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer._internal.filelock import locked
from hatch_lambda_layer.build.project import BuildFailures
from hatch_lambda_layer.exceptions import ConfigError, OutputError
from tests.support.displays import Lines
from tests.support.layer_project import Project, stamps
from tests.support.projects import layer_files
from tests.support.waiting import wait_until
from tests.support.wheel_factory import WheelSpec

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


TWO = {"architectures": ["x86_64", "arm64"]}


def build_whole(project: Project) -> Lines:
    display = Lines()
    build = project.project_build(display)
    list(build.build_all(build.matrix.members, lambda *_: None))
    return display


def files(project: Project) -> list[str]:
    return sorted(path.name for path in project.zip.parent.iterdir())


@pytest.mark.fault(94)
@pytest.mark.parametrize("named", [True, False])
def test_layer_zip_does_not_stay_when_a_second_architecture_is_added(
    project: Project, *, named: bool
) -> None:
    if named:
        project.make_package("")
    build_whole(project)
    assert files(project) == ["layer.json", "layer.zip"]
    project.configure(**TWO)
    assert "layer.zip is removed: this project no longer makes it" in build_whole(project).text
    two = layer_files("python3.13-arm64", "python3.13-x86_64")
    assert files(project) == two
    # The other way round, too.
    project.configure(architectures=["arm64"], filename="other")
    assert "layer-python3.13-x86_64.zip is removed" in build_whole(project).text
    assert files(project) == ["other.json", "other.zip"]


@pytest.mark.fault(94)
def test_what_was_not_made_here_or_has_another_name_is_not_removed(project: Project) -> None:
    project.make_package("")
    build_whole(project)
    folder = project.zip.parent
    for suffix in (".zip", ".json"):
        kept = project.zip.with_suffix(suffix).read_bytes()
        (folder / f"layer-1.2.3{suffix}").write_bytes(kept)
        (folder / f"layer-python3.12-arm64{suffix}").write_bytes(kept)
    (folder / "other-python3.13-x86_64.json").write_text("[]")
    project.zip.write_bytes(b"not what was built")
    before = files(project)
    project.configure(**TWO)
    build_whole(project)
    assert set(before) < set(files(project))


def test_what_is_not_built_whole_removes_nothing(project: Project) -> None:
    build_whole(project)
    project.configure(**TWO)
    build = project.project_build(Lines())
    list(build.build_all(build.matrix.members[:1], lambda *_: None))
    assert project.zip.exists()
    native = WheelSpec(name="native", tag="cp313-cp313-manylinux_2_17_x86_64")
    project.lock(native)
    with pytest.raises(BuildFailures):
        build_whole(project)
    assert project.zip.exists()


@pytest.mark.fault(43)
def test_a_build_that_waits_again_says_so_once(project: Project) -> None:
    """After the last layer, what is no longer made is removed: another build may be at work."""
    shown = Lines()
    build = project.project_build(shown)
    with ThreadPoolExecutor(1) as pool:
        for _ in range(2):
            with locked([project.root], project.root / "locks", lambda: None):
                done = pool.submit(build.clean)
                wait_until(lambda: "Waiting for another build" in shown.text)
                time.sleep(0.2)
                assert not done.done()
            done.result(timeout=60)
    assert shown.text.count("Waiting for another build") == 1
