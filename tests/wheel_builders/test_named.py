"""Build requirements for which `[tool.uv.sources]` names a source never come from elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer.config.container import ContainerConfig
from hatch_lambda_layer.exceptions import BuildError
from hatch_lambda_layer.lockfiles.build_settings import BuildSettings, ExtraRequirement
from hatch_lambda_layer.wheel_builders import BuildPolicy
from tests.support.index_server import IndexServer
from tests.support.made_with import made_with, making_project
from tests.support.source_factory import locked_source, repository, sdist, write_files
from tests.support.wheel_factory import WheelSpec
from tests.support.workshop import Workshop, content, packed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.container_engine import ContainerEngine

# What the index has of the names is never what is meant.
FOREIGN = ("maker", "core", "unnamed")
WORKSPACE = '[tool.uv.workspace]\nmembers = ["*"]\n'
MAKER = "[tool.uv.sources]\nmaker = {}\n"


@pytest.fixture
def workshop(tmp_path: Path, index: IndexServer, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    index.add(*(WheelSpec(name=name, version="6.6.6") for name in FOREIGN))
    monkeypatch.setenv("UV_DEFAULT_INDEX", index.simple_url)
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "protocol.file.allow")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "always")
    return Workshop(tmp_path)


def make_workspace(root: Path, dynamic: tuple[str, ...] = ()) -> Path:
    """Write a workspace with `made`, `maker` and `core`, of which each needs the next."""
    table = "[tool.uv.sources]\nmaker = { workspace = true }\ncore = { workspace = true }\n"
    write_files(root, {"pyproject.toml": f"{WORKSPACE}{table}".encode()})
    write_files(root / "made", making_project(dynamic=dynamic))
    write_files(root / "maker", making_project("nothing", name="maker", requires=("core",)))
    write_files(root / "core", making_project("nothing", name="core"))
    for name in ("maker", "core"):
        path = root / name / "pyproject.toml"
        path.write_text(path.read_text().replace('["nothing"]', "[]"))
    return root / "made"


@pytest.mark.fault(142)
def test_a_project_of_the_workspace_is_what_another_one_is_built_with(workshop: Workshop) -> None:
    folder = make_workspace(workshop.root / "ws")
    wheel = workshop.build(locked_source("directory", folder, "made"))
    assert made_with(wheel.file) == {"maker": "1.0", "core": "1.0"}
    assert workshop.build(locked_source("directory", folder, "made")) == wheel
    (folder.parent / "core" / "origin.txt").write_text("there")
    source = locked_source("directory", folder, "made")
    digests = workshop.sources(source).inputs()
    (folder.parent / "core" / "origin.txt").write_text("somewhere else")
    assert workshop.sources(source).inputs() != digests
    assert workshop.sources(source).missing


@pytest.mark.fault(142)
def test_a_project_of_the_workspace_builds_another_one_in_a_container(
    workshop: Workshop,
    engine: ContainerEngine,
) -> None:
    workshop.policy = BuildPolicy(build="container", container=ContainerConfig(engine="podman"))
    folder = make_workspace(workshop.root / "ws")
    wheel = workshop.build(locked_source("directory", folder, "made"))
    assert made_with(wheel.file) == {"maker": "1.0", "core": "1.0"}


@pytest.mark.fault(142)
@pytest.mark.parametrize("kind", ["folder", "sdist", "wheel", "git", "direct"])
def test_what_a_source_is_built_with_comes_from_the_place_that_is_named(
    workshop: Workshop, kind: str
) -> None:
    files = making_project(name="maker")
    files["pyproject.toml"] = files["pyproject.toml"].replace(b'["maker"]', b"[]")
    spec = WheelSpec(name="maker", version="1.0")
    requirement = "maker>=1"
    if kind == "folder":
        write_files(workshop.root / "maker", files)
        place = '{ path = "../maker" }'
    elif kind == "direct":
        requirement = f"maker @ {write_files(workshop.root / 'maker', files).as_uri()}"
        place = ""
    elif kind == "git":
        commit = repository(workshop.root / "maker", files)
        uri = (workshop.root / "maker").as_uri()
        place = f'{{ git = "{uri}", rev = "{commit}" }}'
    else:
        name, data = sdist("maker", "1.0", files) if kind == "sdist" else (spec.filename, spec.data)
        (workshop.root / name).write_bytes(data)
        place = f'{{ path = "../{name}" }}'
    more = MAKER.format(place) if place else ""
    folder = write_files(workshop.root / "made", making_project(requirement, more=more))
    wheel = workshop.build(locked_source("directory", folder, "made"))
    assert made_with(wheel.file) == {"maker": "1.0"}


@pytest.mark.fault(142)
def test_what_a_source_is_built_with_comes_from_the_index_that_is_named(
    workshop: Workshop,
    engine: ContainerEngine,
) -> None:
    with IndexServer() as other:
        other.add(WheelSpec(name="maker", version="1.0"))
        index = f'[[tool.uv.index]]\nname = "own"\nurl = "{other.simple_url}"\nexplicit = true\n'
        more = MAKER.format('{ index = "own" }') + index
        folder = write_files(workshop.root / "made", making_project(more=more))
        source = locked_source("directory", folder, "made")
        found = [made_with(workshop.build(source).file)]
        container = ContainerConfig(engine="podman")
        workshop.policy = BuildPolicy(build="container", container=container)
        found.append(made_with(workshop.build(source).file))
        # In an archive as well, whose project nobody sees before it is unpacked.
        workshop.policy = BuildPolicy()
        archive = packed(workshop.root, making_project(more=more), "made")
        found.append(made_with(workshop.build(archive).file))
    assert found == [{"maker": "1.0"}] * 3


@pytest.mark.fault(142)
@pytest.mark.parametrize(
    ("place", "words"),
    [
        ('{ git = "https://example.test/maker", branch = "main" }', "is not followed here"),
        ('{ url = "https://example.test/maker-1.0.tar.gz" }', "is not followed here"),
        ('{ path = "../missing" }', "is not followed here"),
        ("{ workspace = true }", "is not followed here"),
        ('{ index = "unknown" }', "is not followed here"),
        (
            '[{ path = "../a", marker = "os_name == \'posix\'" }, { index = "b" }]',
            "has several sources for `maker`",
        ),
    ],
)
def test_a_place_that_is_not_followed_is_refused_before_anything_runs(
    workshop: Workshop, index: IndexServer, place: str, words: str
) -> None:
    folder = write_files(workshop.root / "made", making_project(more=MAKER.format(place)))
    before = len(index.requests)
    with pytest.raises(BuildError, match=words) as raised:
        workshop.build(locked_source("directory", folder, "made"))
    assert "maker" in str(raised.value)
    assert raised.value.hint
    assert len(index.requests) == before


@pytest.mark.fault(142)
def test_a_project_of_the_workspace_that_is_required_without_a_source_is_refused(
    workshop: Workshop,
) -> None:
    root = workshop.root / "ws"
    make_workspace(root)
    write_files(root / "unnamed", making_project(name="unnamed"))
    folder = write_files(root / "made", making_project("unnamed"))
    with pytest.raises(BuildError, match="is a project of its workspace") as raised:
        workshop.build(locked_source("directory", folder, "made"))
    assert "`unnamed = { workspace = true }`" in str(raised.value)


@pytest.mark.fault(142)
def test_a_project_that_only_the_backend_asks_for_is_refused(workshop: Workshop) -> None:
    root = workshop.root / "ws"
    folder = make_workspace(root, dynamic=("core",))
    text = (root / "maker" / "pyproject.toml").read_text()
    (root / "maker" / "pyproject.toml").write_text(text.replace('["core"]', "[]"))
    backend = (root / "maker" / "backend.py").read_text()
    (root / "maker" / "backend.py").write_text(backend.replace("['core']", "[]"))
    with pytest.raises(BuildError, match=r"requires `core`.* lists it as required"):
        workshop.build(locked_source("directory", folder, "made"))


@pytest.mark.fault(142)
def test_projects_that_are_built_with_each_other_are_refused(workshop: Workshop) -> None:
    root = workshop.root / "ws"
    folder = make_workspace(root)
    write_files(root / "maker", making_project("made", name="maker"))
    table = "[tool.uv.sources]\nmaker = { workspace = true }\nmade = { workspace = true }\n"
    (root / "pyproject.toml").write_text(f"{WORKSPACE}{table}")
    with pytest.raises(BuildError, match="which in turn requires it"):
        workshop.build(locked_source("directory", folder, "made"))


@pytest.mark.fault(142)
def test_a_version_that_is_not_the_required_one_is_refused(workshop: Workshop) -> None:
    folder = make_workspace(workshop.root / "ws")
    write_files(folder, making_project("maker>=2"))
    source = locked_source("directory", folder, "made")
    with pytest.raises(BuildError, match=r"has the version 1\.0"):
        workshop.build(source)


@pytest.mark.fault(142)
def test_an_extra_build_dependency_is_from_the_workspace_of_the_layers_project(
    workshop: Workshop,
) -> None:
    root = workshop.root / "ws"
    make_workspace(root)
    settings = BuildSettings(extra=(ExtraRequirement("made", "core"),), folder=root)
    workshop.policy = BuildPolicy(settings=settings)
    wheel = workshop.build(packed(workshop.root, making_project("unnamed"), "made"))
    assert made_with(wheel.file) == {"unnamed": "6.6.6", "core": "1.0"}
    assert content(wheel, "made_origin.txt") == b"here"
