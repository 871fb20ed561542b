"""What is said of sources that are built for want of a wheel: why, what they lack, what to do."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result
from uv import find_uv_bin

from hatch_lambda_layer.cli.main import main
from hatch_lambda_layer.exceptions import BuildError
from hatch_lambda_layer.targets.target import Architecture, Target, runtimes
from hatch_lambda_layer.wheel_builders import BuildPolicy, Relocking
from hatch_lambda_layer.wheels.unavailable import why_built
from tests.support.lock_factory import uv_project
from tests.support.source_factory import IN_TREE, copying_project, sdist
from tests.support.wheel_factory import WheelSpec
from tests.support.workshop import RUNTIME, Workshop, packed

if TYPE_CHECKING:
    from hatch_lambda_layer.wheels.selection import LockedSource
    from tests.support.index_server import IndexServer

AL2 = Target(runtimes()["python3.11"], Architecture.X86_64)
FOREIGN = Target(
    runtimes()[RUNTIME],
    next(
        each
        for each in Architecture
        if sys.platform != "linux" or each.machine != os.uname().machine
    ),
)
NEWER_GLIBC = tuple(
    f"lib-1.0-cp3{minor}-cp3{minor}-manylinux_2_28_x86_64.whl" for minor in (11, 12, 13)
)
posix = pytest.mark.skipif(sys.platform == "win32", reason="programs of POSIX")


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


def backend(folder: Path, code: str, *wheels: str) -> LockedSource:
    """Give a source with this backend, of which the lock also has `wheels`."""
    files = {"pyproject.toml": IN_TREE.encode(), "backend.py": code.encode()}
    reason = "lib 1.0 has wheels for others" if wheels else "lib 1.0 has only a source distribution"
    return packed(folder, files, "lib")._replace(wheels=wheels, reason=reason)


FAILING = "def build_wheel(*args): raise SystemExit('error: it can not be compiled')\n"


@pytest.mark.fault(20)
def test_why_a_source_is_built_comes_before_the_words_of_its_backend(workshop: Workshop) -> None:
    said = workshop.refusal(
        backend(workshop.root, FAILING, *NEWER_GLIBC), "it can not be compiled", target=AL2
    )
    assert said.startswith(
        "lib 1.0 has wheels for others; it is built, since python3.11-x86_64 has glibc 2.26 and "
        "accepts cp311, abi3 or py3, up to manylinux_2_26_x86_64, or any\n\nThe build of "
    )
    assert said.index("\nhint: ") > said.index("it can not be compiled")
    assert "choose a newer runtime: for `python3.12` (glibc 2.34) there are wheels" in said


def test_a_source_of_which_there_is_no_wheel_says_that_and_no_runtime_is_a_way_out(
    workshop: Workshop,
) -> None:
    said = workshop.refusal(backend(workshop.root, FAILING), target=AL2)
    assert said.startswith("It is built, since lib 1.0 has only a source distribution\n\n")
    assert "newer runtime" not in said


@pytest.mark.fault(79)
@posix
def test_a_build_that_never_ends_names_the_ways_to_a_wheel(workshop: Workshop) -> None:
    workshop.policy = BuildPolicy(timeout=3)
    code = "import time\ndef build_wheel(*args): time.sleep(60)\n"
    source = backend(workshop.root, code, *NEWER_GLIBC)
    workshop.refusal(source, "`build-timeout`", "`python3.12`", "uv lock $(", target=AL2)


@pytest.mark.fault(20)
@pytest.mark.parametrize(
    ("said", "lacking"),
    [
        ("src/x.c:5:10: fatal error: lber.h: No such file or directory", "lber.h"),
        ("./y.h:2:10: fatal error: 'openssl/ssl.h' file not found", "openssl/ssl.h"),
        ("Exception: Can not find valid pkg-config name.", "pkg-config"),
        ("/bin/sh: 1: pkg-config: not found", "pkg-config"),
        ("No package 'libvirt' found", "libvirt"),
        ("Package libffi was not found in the pkg-config search path.", "libffi"),
        ("Error: pg_config executable not found.", "pg_config"),
        ("gdal-config: command not found", "gdal-config"),
        ("/usr/bin/ld: cannot find -lldap", "ldap"),
        ("Could NOT find OpenSSL (missing: OPENSSL_INCLUDE_DIR)", "OpenSSL"),
        ('meson.build:4:6: ERROR: Dependency "openblas" not found', "openblas"),
        ("error: command 'gcc' failed: No such file or directory", "gcc"),
        ("error: can't find Rust compiler", "Rust compiler"),
    ],
)
def test_what_a_native_source_lacks_is_named_and_the_build_image_offered(
    workshop: Workshop, said: str, lacking: str
) -> None:
    code = f"def build_wheel(*args):\n    print({said!r})\n    raise SystemExit(1)\n"
    shown = workshop.refusal(backend(workshop.root, code))
    hint = shown.partition("\nhint: ")[2]
    assert f"the build lacks `{lacking}`" in hint
    for word in ('`build = "container"`', "`before-build`", "has a wheel"):
        assert word in hint


def test_a_native_source_that_fails_in_other_words_is_offered_the_build_image(
    workshop: Workshop,
) -> None:
    files = {"pyproject.toml": IN_TREE.encode(), "backend.py": FAILING.encode(), "x.c": b""}
    said = workshop.refusal(packed(workshop.root, files, "lib"), "it has native code")
    assert "`before-build`" in said
    pure = workshop.refusal(backend(workshop.root, FAILING))
    assert "before-build" not in pure


# ---- for another machine


def test_native_code_for_another_machine_is_refused_before_anything_is_fetched(
    workshop: Workshop,
) -> None:
    native = (f"x-1.0-cp39-abi3-manylinux_2_39_{FOREIGN.architecture.machine}.whl",)
    sources = [
        backend(workshop.root, FAILING)._replace(name=name, location="gone", wheels=native)
        for name in ("one", "two")
    ]
    pure = backend(workshop.root, FAILING, "pure-1.0-py2-none-any.whl", *native)
    with pytest.raises(BuildError) as caught:
        workshop.sources(*sources, pure, target=FOREIGN).check()
    head, *lines = caught.value.message.splitlines()
    assert head == (
        f"These packages have native code, which this machine can't compile for {FOREIGN.id}:"
    )
    assert lines == [f"- {why_built(each, FOREIGN)}" for each in sources]
    assert '`build = "container"`' in str(caught.value.hint)
    workshop.policy = BuildPolicy(build="container")
    workshop.sources(*sources, target=FOREIGN).check()


CALLING = """\
import os, pathlib, shutil, subprocess, sys

def build_wheel(folder, *args):
    if subprocess.run({program}, stdout=sys.stderr, check=False).returncode:
        {otherwise}
    shutil.copy("{native}", folder)
    return "{native}"
"""
PURE = WheelSpec(name="lib")
NATIVE = WheelSpec(
    name="lib",
    tag=f"py3-none-linux_{os.uname().machine if sys.platform == 'linux' else 'x86_64'}",
    root_is_purelib=False,
)
OPTIONAL = f'shutil.copy("{PURE.filename}", folder); return "{PURE.filename}"'


def calling(folder: Path, program: str, otherwise: str = "raise SystemExit(1)") -> LockedSource:
    """Give a source whose backend runs a compiler, and what it does when that fails."""
    code = CALLING.format(program=program, otherwise=otherwise, native=NATIVE.filename)
    files = {"pyproject.toml": IN_TREE.encode(), "backend.py": code.encode()}
    return packed(folder, {**files, **wheel_files(PURE, NATIVE)}, "lib")


def wheel_files(*specs: WheelSpec) -> dict[str, bytes]:
    return {
        name: data
        for spec in specs
        for name, data in copying_project(spec).items()
        if name.endswith(".whl")
    }


@posix
@pytest.mark.fault(20)
@pytest.mark.parametrize("program", ['[os.environ["CC"]]', '["cargo", "-V"]', '["gcc", "-v"]'])
def test_a_compiler_of_this_machine_is_not_run_for_another(
    workshop: Workshop, program: str
) -> None:
    source = calling(workshop.root, program)
    said = workshop.refusal(
        source,
        f"needs a compiler for {FOREIGN.id}",
        "is not run",
        "Lambda's build image",
        target=FOREIGN,
    )
    assert "choose a version" not in said


@posix
@pytest.mark.skipif(sys.platform != "linux", reason="no compiler of another system fits Lambda")
def test_what_is_built_without_its_optional_code_is_for_that_target_alone(
    workshop: Workshop,
) -> None:
    source = calling(workshop.root, '["cc", "--version"]', OPTIONAL)
    own = next(each for each in Architecture if each is not FOREIGN.architecture)
    assert workshop.build(source, FOREIGN).filename == PURE.filename
    built = workshop.build(source, Target(FOREIGN.runtime, own))
    assert built.filename == NATIVE.filename, "the order of the targets must not matter"
    assert workshop.build(source, FOREIGN).filename == PURE.filename
    assert len([line for line in workshop.shown.lines if line.startswith("Building")]) == 2


@posix
def test_a_source_that_calls_a_compiler_goes_to_the_container_under_auto(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop.policy = BuildPolicy(build="auto")
    source = calling(workshop.root, '["cc"]')
    monkeypatch.setenv("PATH", "/nowhere")
    workshop.refusal(source, "No container engine", target=FOREIGN)


# ---- for an older glibc


@pytest.mark.fault(20)
def test_all_that_is_compiled_for_want_of_an_older_glibc_is_in_one_warning(
    workshop: Workshop,
) -> None:
    sources = [
        backend(workshop.root, FAILING, *NEWER_GLIBC)._replace(name=name)
        for name in ("numpy", "pillow")
    ]
    only_sdist = backend(workshop.root, FAILING)
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        pytest.skip("this machine can't compile for the target")
    workshop.sources(*sources, only_sdist, target=AL2).check()
    (warning,) = workshop.shown.lines
    head, *lines = warning.splitlines()
    assert head.startswith("warning: These packages are compiled on this machine")
    assert lines[:2] == [f"- {why_built(each, AL2)}" for each in sources]
    assert "for `python3.12` (glibc 2.34) there are wheels" in lines[2]
    assert "--only-binary numpy --only-binary pillow" in lines[2]


def old_and_new(index: IndexServer) -> None:
    """Serve a package whose newest version has only wheels for a newer glibc."""
    tags = {"1.0": "manylinux_2_17", "2.0": "manylinux_2_28"}
    for version, platform in tags.items():
        index.add(WheelSpec(name="demo", version=version, tag=f"cp311-cp311-{platform}_x86_64"))
    files = {"pyproject.toml": IN_TREE.encode(), "backend.py": FAILING.encode()}
    index.add_file(*sdist("demo", "2.0", files))


def build(folder: Path, code: int = 0) -> Result:
    done = CliRunner().invoke(main, ["build", str(folder)], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done


@posix
@pytest.mark.skipif(sys.platform != "linux", reason="another system is refused at once")
def test_the_command_for_uv_locks_versions_that_have_wheels(
    tmp_path: Path, index: IndexServer
) -> None:
    old_and_new(index)
    table = '[tool.lambda-layer]\nruntimes = ["python3.11"]\ngroups = ["more"]\n'
    project = uv_project(
        tmp_path / "app",
        index.simple_url,
        dependency_groups={"more": ["demo>=0.5"]},
        extra_toml=table,
    )
    failed = build(project.directory, code=1)
    (command,) = set(re.findall(r"`(uv lock .+)` locks versions that have wheels", failed.stderr))
    run(command, project.directory, project.environment)
    assert 'version = "1.0"' in project.lockfile.read_text("utf-8").partition('name = "demo"')[2]
    assert build(project.directory).exit_code == 0


@posix
def test_the_command_for_other_tools_lists_versions_that_have_wheels(
    tmp_path: Path, index: IndexServer
) -> None:
    old_and_new(index)
    hint = Relocking("poetry lock").hint(["demo"], AL2)
    command = hint.partition("`")[2].partition("`")[0]
    assert hint.endswith("lists versions that have wheels: lock these, with `poetry lock`")
    environment = uv_project(tmp_path / "app", index.simple_url).environment
    listed = run(command, tmp_path, {**environment, "UV_DEFAULT_INDEX": index.simple_url})
    assert listed.splitlines() == ["demo==1.0"]


def run(command: str, folder: Path, environment: dict[str, str]) -> str:
    """Run a command as a person who pastes it into a shell."""
    path = f"{Path(find_uv_bin()).parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=folder,
        env={**environment, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
