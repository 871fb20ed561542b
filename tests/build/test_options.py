"""Each option of `[tool.lambda-layer]` in a whole build: one test an option, named after it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest

from hatch_lambda_layer.exceptions import (
    AuditError,
    BuildError,
    ConfigError,
    LambdaLayerError,
    LockfileError,
    OriginError,
    SelectionError,
)
from tests.support.container_engine import ContainerEngine, image_name
from tests.support.displays import Lines
from tests.support.elf_factory import ElfSpec
from tests.support.layer_project import ALPHA, BETA, Project, names, stamps
from tests.support.lock_factory import LockedPackage, locked, pylock
from tests.support.source_factory import IN_TREE, copying_project, write_files
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from tests.support.index_server import IndexServer

NATIVE = [
    WheelSpec(name="native", tag=f"{python}-{python}-manylinux_2_17_{machine}")
    for python in ("cp312", "cp313")
    for machine in ("x86_64", "aarch64")
]


def lock_native(project: Project) -> None:
    """Lock one package with a wheel for each of four targets."""
    project.index.add(*NATIVE)
    files = [locked(each, project.index.file_url(each.filename)).wheels[0] for each in NATIVE]
    project.lockfile.write_text(pylock(LockedPackage(wheels=files)), encoding="utf-8")


def wheels(project: Project) -> list[str]:
    """Give the wheels in each layer of the project, in the order of the matrix."""
    return [built.manifest.packages[0].wheel for built in project.build_all()]


def packages(project: Project, display: Lines | None = None) -> list[str]:
    return [package.name for package in project.build(display).manifest.packages]


def test_option_runtimes_gives_each_runtime_its_own_wheel(project: Project) -> None:
    lock_native(project)
    project.configure(runtimes=["python3.12", "python3.13"])
    assert wheels(project) == [NATIVE[0].filename, NATIVE[2].filename]


def test_option_architectures_gives_each_architecture_its_own_wheel(project: Project) -> None:
    lock_native(project)
    project.configure(architectures=["x86_64", "arm64"])
    assert wheels(project) == [NATIVE[2].filename, NATIVE[3].filename]


def test_option_python_full_version_names_the_patch_release_of_a_runtime(project: Project) -> None:
    project.index.add(BETA)
    alpha, beta = (locked(each, project.index.file_url(each.filename)) for each in (ALPHA, BETA))
    chosen = LockedPackage(wheels=beta.wheels, marker="python_full_version < '3.13.99'")
    text = pylock(alpha, chosen, requires_python=">=3.13.98")
    project.lockfile.write_text(text, encoding="utf-8")
    project.configure(runtimes=["python3.13"])
    with pytest.raises(LockfileError, match="that patch release is a floor"):
        project.build()
    project.configure(python_full_version=["3.12.1", "3.13.98"])
    assert packages(project) == ["alpha", "beta"]
    project.configure(python_full_version=["3.13.99"])
    assert packages(project) == ["alpha"]


def test_option_custom_runtimes_describes_a_runtime_that_aws_does_not_list(
    project: Project,
) -> None:
    tags = ("cp313-cp313-manylinux_2_28_x86_64", "cp313-cp313-manylinux_2_17_x86_64")
    specs = [WheelSpec(name="native", tag=tag) for tag in tags]
    project.index.add(*specs)
    files = [locked(each, project.index.file_url(each.filename)).wheels[0] for each in specs]
    late = locked(BETA, project.index.file_url(BETA.filename))
    project.index.add(BETA)
    chosen = LockedPackage(wheels=late.wheels, marker="python_full_version >= '3.13.5'")
    text = pylock(LockedPackage(wheels=files), chosen)
    project.lockfile.write_text(text, encoding="utf-8")
    project.configure(runtimes=["acme"])
    for glibc, python, expected in (
        ("2.28", "3.13", [specs[0].filename]),
        ("2.27", "3.13", [specs[1].filename]),
        ("2.27", "3.13.5", [BETA.filename, specs[1].filename]),
    ):
        project.configure(custom_runtimes={"acme": {"python": python, "glibc": glibc}})
        built = project.build()
        assert built.rebuilt
        assert (built.manifest.member, built.manifest.runtime) == ("acme-x86_64", "acme")
        assert [each.wheel for each in built.manifest.packages] == expected


def test_option_tool_decides_between_two_lockfiles(project: Project) -> None:
    project.root.joinpath("requirements.txt").write_text("nothing-that-is-there\n", "utf-8")
    with pytest.raises(LambdaLayerError, match="more than one lockfile"):
        project.build()
    project.configure(tool="pylock")
    assert packages(project) == ["alpha", "beta"]


def test_option_lockfile_names_a_lockfile_that_is_elsewhere(project: Project) -> None:
    project.lockfile.rename(project.root.parent / "pylock.orders.toml")
    with pytest.raises(LockfileError, match="No lockfile"):
        project.build()
    project.configure(lockfile="../pylock.orders.toml")
    assert packages(project) == ["alpha", "beta"]


def test_option_requirements_names_the_files_that_pip_reads(
    project: Project, index: IndexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", index.simple_url)
    (project.root / "deploy").mkdir()
    project.root.joinpath("deploy", "lambda.txt").write_text("beta\n", encoding="utf-8")
    project.configure(tool="pip", requirements=["deploy/lambda.txt"])
    assert packages(project) == ["beta"]


def test_option_groups_adds_a_group(project: Project) -> None:
    lock_choices(project, "'more' in dependency_groups")
    assert packages(project) == ["alpha"]
    project.configure(groups=["more"])
    assert packages(project) == ["alpha", "beta"]


def test_option_extras_adds_an_extra(project: Project) -> None:
    lock_choices(project, "'more' in extras")
    assert packages(project) == ["alpha"]
    project.configure(extras=["more"])
    assert packages(project) == ["alpha", "beta"]


def test_option_only_groups_leaves_out_the_dependencies_of_the_project(project: Project) -> None:
    lock_choices(project, "'more' in dependency_groups")
    project.configure(only_groups=["more"])
    with pytest.raises(LockfileError, match="has no default groups"):
        project.build()
    text = project.lockfile.read_text(encoding="utf-8")
    text = text.replace(
        'name = "alpha"', 'name = "alpha"\nmarker = "\'own\' in dependency_groups"', 1
    )
    text = text.replace('dependency-groups = ["more"]', 'dependency-groups = ["more", "own"]')
    text = text.replace("created-by", 'default-groups = ["own"]\ncreated-by', 1)
    project.lockfile.write_text(text, encoding="utf-8")
    assert packages(project) == ["beta"]
    project.configure(only_groups=[], groups=["more"])
    assert packages(project) == ["alpha", "beta"]


def lock_choices(project: Project, marker: str) -> None:
    """Lock `beta` for a group or an extra only."""
    project.index.add(BETA)
    alpha, beta = (locked(each, project.index.file_url(each.filename)) for each in (ALPHA, BETA))
    chosen = LockedPackage(wheels=beta.wheels, marker=marker)
    text = pylock(alpha, chosen, extras=["more"], dependency_groups=["more"])
    project.lockfile.write_text(text, encoding="utf-8")


def test_option_build_decides_whether_a_source_is_built(project: Project) -> None:
    write_files(project.root / "lib", copying_project(WheelSpec(name="lib")))
    folder = LockedPackage(name="lib", directory={"path": "lib"})
    project.lockfile.write_text(pylock(folder), encoding="utf-8")
    project.configure(build="never")
    with pytest.raises(SelectionError, match="the folder `lib`"):
        project.build()
    project.configure(build="local")
    assert packages(project) == ["lib"]


def test_option_build_timeout_ends_a_build_that_takes_longer(project: Project) -> None:
    slow = b"import time\ndef build_wheel(*args): time.sleep(300)\n"
    write_files(project.root / "lib", {"pyproject.toml": IN_TREE.encode(), "backend.py": slow})
    folder = LockedPackage(name="lib", directory={"path": "lib"})
    project.lockfile.write_text(pylock(folder), encoding="utf-8")
    project.configure(build_timeout=3)
    with pytest.raises(BuildError, match=r"not done after 3 seconds \(`build-timeout`\)"):
        project.build()
    project.configure(build_timeout=0)
    with pytest.raises(ConfigError, match="build-timeout"):
        project.build()


def test_option_container_says_where_what_is_native_is_built(
    project: Project, engine: ContainerEngine
) -> None:
    source = copying_project(WheelSpec(name="lib")) | {"lib.c": b""}
    write_files(project.root / "lib", source)
    folder = LockedPackage(name="lib", directory={"path": "lib"})
    project.lockfile.write_text(pylock(folder), encoding="utf-8")
    project.configure(runtimes=["python3.11"], build="auto", container={"engine": "podman"})
    display = Lines()
    assert packages(project, display) == ["lib"]
    assert (
        "Building in public.ecr.aws/sam/build-python3.11:latest-x86_64 with podman" in display.lines
    )
    first = project.build().manifest
    assert project.build().rebuilt is False
    image = "localhost/renamed:{architecture}"
    if not engine.has("localhost/renamed:x86_64"):
        engine.podman("tag", image_name("x86_64"), "localhost/renamed:x86_64")
    project.configure(container={"image": image, "engine": "podman"})
    # The same image by another name makes the same layer, other settings another.
    assert project.build().rebuilt is False
    project.configure(container={"engine": "podman", "before-build": ["true"]})
    again = project.build()
    assert again.rebuilt
    assert again.manifest.input_digest != first.input_digest


def test_option_exclude_leaves_a_distribution_out(project: Project) -> None:
    project.configure(exclude=["Beta"])
    assert packages(project) == ["alpha"]
    assert not [name for name in names(project.zip) if "beta" in name]


def test_option_allow_missing_permits_what_exclude_alone_refuses(project: Project) -> None:
    project.lock(WheelSpec(name="needy", requires_dist=["beta"]), BETA)
    project.configure(exclude=["beta"])
    with pytest.raises(LambdaLayerError, match="`needy` needs it"):
        project.build()
    project.configure(allow_missing=["beta"])
    assert packages(project) == ["needy"]


def test_option_include_project_adds_the_project_itself(project: Project) -> None:
    project.make_package("APP = 1\n")
    project.configure(include_project=True)
    assert packages(project) == ["alpha", "app", "beta"]
    assert "python/app/__init__.py" in names(project.zip)


def test_option_prune_leaves_files_out(project: Project) -> None:
    project.configure(prune=["stubs", "python/alpha/__init__.py"])
    project.build()
    assert not [name for name in names(project.zip) if name.startswith("python/alpha/")]


def test_option_prefer_says_whose_file_stays(project: Project) -> None:
    specs = [WheelSpec(name=name, files={"same.py": name.encode()}) for name in ("one", "two")]
    project.lock(*specs)
    project.configure(prefer=["two"])
    project.build()
    with ZipFile(project.zip) as archive:
        assert archive.read("python/same.py") == b"two"


def test_option_force_include_adds_a_file_of_the_project(project: Project) -> None:
    project.root.joinpath("settings.toml").write_text("a = 1\n", encoding="utf-8")
    project.configure(force_include={"settings.toml": "python/config/settings.toml"})
    project.build()
    assert "python/config/settings.toml" in names(project.zip)


def test_option_force_include_outside_allows_what_is_not_of_the_project(project: Project) -> None:
    elsewhere = project.root.parent / "elsewhere.toml"
    elsewhere.write_text("a = 1\n", encoding="utf-8")
    project.configure(force_include={"../elsewhere.toml": "python/elsewhere.toml"})
    with pytest.raises(ConfigError, match="force-include-outside = true"):
        project.build()
    project.configure(force_include_outside=True)
    project.build()
    assert "python/elsewhere.toml" in names(project.zip)


def test_option_max_size_limits_what_is_unpacked(project: Project) -> None:
    project.configure(max_size=100)
    with pytest.raises(LambdaLayerError, match="100"):
        project.build()
    project.configure(max_size="300 MiB")
    with pytest.raises(ConfigError, match="max-size"):
        project.build()
    project.configure(max_size="1 MiB")
    assert packages(project) == ["alpha", "beta"]


def test_option_function_size_leaves_room_for_the_function(project: Project) -> None:
    size = project.build().manifest.unpacked_size
    limit = size * 5
    project.configure(max_size=limit, function_size=limit - size - 1)
    display = Lines()
    again = project.build(display)
    assert not again.rebuilt
    assert [each.code for each in again.manifest.findings] == ["HLL020"]
    project.configure(function_size="1 GiB")
    with pytest.raises(ConfigError, match="function-size"):
        project.build()


USELESS = ["python/nothing"]


def test_option_strict_makes_warnings_errors(project: Project) -> None:
    project.configure(prune=USELESS)
    project.build()
    before = stamps(project.zip, project.json)
    project.configure(strict=True)
    with pytest.raises(
        AuditError, match=r"'python/nothing' matches nothing .*\(HLL030\)"
    ) as caught:
        project.build()
    assert [each.code for each in caught.value.findings] == ["HLL030"]
    assert stamps(project.zip, project.json) == before


def test_option_ignore_leaves_a_finding_out(project: Project) -> None:
    project.configure(prune=USELESS, strict=True, ignore=["HLL030"])
    display = Lines()
    assert project.build(display).manifest.findings == ()
    assert not [line for line in display.lines if "HLL030" in line]
    project.configure(ignore=["HLL30"])
    with pytest.raises(ConfigError, match=r"`tool.lambda-layer.ignore\[0\]` must .* not 'HLL30'"):
        project.build()


def test_option_error_makes_one_finding_an_error(project: Project) -> None:
    project.configure(prune=USELESS, error=["HLL020"])
    project.build()
    project.configure(error=["HLL030"])
    with pytest.raises(AuditError, match="HLL030"):
        project.build()
    project.configure(ignore=["HLL030"])
    with pytest.raises(ConfigError, match="has `HLL030`, which `ignore` has as well"):
        project.build()


TOOL = WheelSpec(
    name="tool",
    files={"tool/__init__.py": b"class App:\n    @staticmethod\n    def run():\n        ...\n"},
    entry_points="[console_scripts]\ntool-run = tool:App.run\n../evil = tool:App.run\n",
)


def test_option_scripts_writes_launchers(project: Project) -> None:
    project.lock(TOOL)
    assert [each.code for each in project.build().manifest.findings] == ["HLL018"]
    assert "python/bin/tool-run" not in names(project.zip)
    project.configure(scripts=True)
    assert project.build().manifest.findings == ()
    with ZipFile(project.zip) as archive:
        info = archive.getinfo("python/bin/tool-run")
        lines = archive.read(info).decode().splitlines()
    assert info.external_attr >> 16 == 0o100755
    assert lines[0] == "#!/var/lang/bin/python3.13"
    assert "from tool import App" in lines
    assert lines[-1].strip() == "sys.exit(App.run())"
    assert not [name for name in names(project.zip) if "evil" in name]


MANYLINUX = "cp313-cp313-manylinux_2_17_x86_64"
OPENMP = ElfSpec(soname="libgomp-a34b3233.so.1.0.0", libraries=["libmath-0a1b2c3d.so.2"])
BRINGS = WheelSpec(
    name="brings",
    tag=MANYLINUX,
    files={
        "brings.libs/libgomp-a34b3233.so.1.0.0": OPENMP.data,
        "brings.libs/libmath-0a1b2c3d.so.2": ElfSpec().data,
        "brings/__init__.py": b"",
    },
)
NEEDS = WheelSpec(
    name="needs",
    tag=MANYLINUX,
    files={
        "needs/lib_needs.so": ElfSpec(libraries=["libgomp.so.1"]).data,
        "needs/__init__.py": b"",
    },
)


def test_option_libraries_takes_them_from_a_wheel_with_their_needs(project: Project) -> None:
    project.lock(BRINGS, NEEDS)
    built = project.build()
    assert [each.code for each in built.manifest.findings if not each.is_note] == ["HLL007"]
    project.configure(libraries=["libgomp.so.1"])
    found = project.build().manifest.findings
    assert {"HLL011"} <= {each.code for each in found}
    assert not [each for each in found if not each.is_note]
    with ZipFile(project.zip) as archive:
        assert archive.read("lib/libgomp.so.1") == OPENMP.data
    assert "lib/libmath-0a1b2c3d.so.2" in names(project.zip)
    # Also of what is left out: then there is one copy alone.
    project.configure(exclude=["brings"])
    assert project.build().manifest.findings == ()
    project.configure(libraries=["libomp.so"])
    with pytest.raises(ConfigError, match=r"'libomp.so', which no wheel has.*libgomp-a34b3233"):
        project.build()
    project.configure(libraries=["../lib.so"])
    with pytest.raises(ConfigError, match=r"libraries\[0\]"):
        project.build()


def test_option_verify_says_what_has_to_succeed_first(project: Project) -> None:
    # What `import` does is in tests/import_proof.
    project.lock(WheelSpec(name="needy", requires_dist=["absent"]))
    assert [each.code for each in project.build().manifest.findings] == ["HLL013"]
    project.configure(verify="none")
    assert project.build().manifest.findings == ()
    project.configure(verify="all")
    with pytest.raises(ConfigError, match="must be one of `audit`, `import`, `none`"):
        project.build()


def test_option_filename_begins_the_names_of_all_files(project: Project) -> None:
    project.make_package("")
    project.configure(filename="{project}-layer")
    assert project.build_all()[0].zip_path == project.root / "dist" / "app-layer.zip"
    project.configure(layers={"web": {}})
    assert [each.zip_path.name for each in project.build_all()] == [
        "app-layer-python3.13-x86_64.zip",
        "app-layer-web-python3.13-x86_64.zip",
    ]


def test_option_indexes_gives_the_credentials_and_binds_names_to_their_index(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HATCH_LAMBDA_LAYER_INDEX_ACME_USERNAME", "reader")
    monkeypatch.setenv("HATCH_LAMBDA_LAYER_INDEX_ACME_PASSWORD", "canary-6a1c")
    project.index.credentials = "reader:canary-6a1c"
    with pytest.raises(LambdaLayerError, match="user name and a password"):
        project.build()
    project.configure(indexes=[{"name": "acme", "url": project.index.simple_url}])
    assert packages(project) == ["alpha", "beta"]
    elsewhere = {"name": "acme", "url": "http://127.0.0.1:9/simple", "packages": ["alp*"]}
    project.configure(indexes=[elsewhere])
    with pytest.raises(OriginError, match=r"`alpha 1\.0` comes from .* not from .* `acme`"):
        project.build()
