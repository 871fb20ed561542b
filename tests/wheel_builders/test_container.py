"""What is built in a container is what was asked for, by the user, of the sources alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer.config.container import ContainerConfig
from hatch_lambda_layer.exceptions import BuildError, OutputError
from hatch_lambda_layer.targets.target import Architecture, Target, runtimes
from hatch_lambda_layer.wheel_builders import BuildPolicy
from hatch_lambda_layer.wheel_builders.container import _driver
from hatch_lambda_layer.wheel_builders.container.engine import Engine, find_image
from hatch_lambda_layer.wheel_builders.container.session import IN, OUT
from tests.support.container_engine import (
    RUNTIME,
    ContainerEngine,
    docker_client,
    image_name,
    started,
)
from tests.support.elf_factory import ElfSpec
from tests.support.source_factory import (
    IN_TREE,
    locked_source,
    repository,
    telling_project,
    told,
    write_files,
)
from tests.support.system_parts import require
from tests.support.tools import stand_in
from tests.support.waiting import wait_until
from tests.support.wheel_factory import WheelSpec
from tests.support.workshop import Workshop, content, left_in, of_wheel, packed

if TYPE_CHECKING:
    from pathlib import Path

    from hatch_lambda_layer.wheels.selection import LockedSource

TARGET = Target(runtimes()[RUNTIME], Architecture.X86_64)
IMAGE = image_name("x86_64")
CANARY = "canary-c0de-41"
LIBRARY = WheelSpec(
    name="lib",
    tag="cp311-cp311-linux_x86_64",
    root_is_purelib=False,
    files={"lib.so": ElfSpec().data},
)
# A backend whose `build_wheel` is what a test says.
FAILING = "import os, pathlib, subprocess, sys, time\ndef build_wheel(folder, *args):\n"


@pytest.fixture
def workshop(tmp_path: Path, engine: ContainerEngine) -> Workshop:
    workshop = Workshop(tmp_path)
    configure(workshop)
    return workshop


def configure(workshop: Workshop, **options: object) -> None:
    """Have sources built in containers, by `options` of the table."""
    config = replace(ContainerConfig(engine="podman"), **options)  # type: ignore[arg-type]
    workshop.policy = BuildPolicy(build="container", container=config)


def failing(workshop: Workshop, *lines: str) -> LockedSource:
    """Give a source whose backend runs these lines."""
    backend = FAILING + "".join(f"    {line}\n" for line in lines)
    files = {"pyproject.toml": IN_TREE.encode(), "backend.py": backend.encode()}
    return packed(workshop.root, files)


def facts(workshop: Workshop, source: LockedSource | None = None) -> dict[str, object]:
    """Build a project that tells what its backend saw."""
    source = source or packed(workshop.root, telling_project())
    return told(content(workshop.build(source, TARGET), "teller.py"))


# ---- what a build sees


def test_a_backend_runs_on_the_runtimes_python_as_the_user_and_sees_its_source_alone(
    workshop: Workshop, engine: ContainerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
    monkeypatch.setenv("UV_INDEX_ACME_PASSWORD", CANARY)
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:{CANARY}@127.0.0.1:9")
    monkeypatch.setenv("CFLAGS", "-march=native")
    seen = facts(workshop)
    assert seen["python"] == [3, 11]
    assert seen["files"] == ["PKG-INFO", "backend.py", "pyproject.toml"]
    assert seen["folder"] == "/tmp/teller/teller-1.0"  # noqa: S108  # in the container
    variables = seen["environment"]
    assert isinstance(variables, dict)
    assert CANARY not in str(variables)
    assert "CFLAGS" not in variables
    assert variables["SOURCE_DATE_EPOCH"] == "1580601600"
    assert workshop.shown.lines == [
        f"Building in {IMAGE} with podman",
        "Building package `teller 1.0` (from its sdist)",
    ]
    assert engine.containers(workshop.cache.store.root) == []
    assert left_in(workshop.root / "work") == []


def test_several_packages_share_one_container_and_a_second_build_starts_none(
    workshop: Workshop, asked: Path
) -> None:
    pure = packed(workshop.root, telling_project())
    sources = [of_wheel(workshop.root, LIBRARY), pure]
    wheels = workshop.build_all(sources, TARGET)
    assert [wheel.filename for wheel in wheels] == [LIBRARY.filename, "teller-1.0-py3-none-any.whl"]
    assert started(asked) == 1
    assert workshop.build_all(sources, TARGET) == wheels
    assert started(asked) == 1


def test_nothing_is_mounted_but_sources_to_read_and_an_empty_folder(
    workshop: Workshop, asked: Path
) -> None:
    source = failing(
        workshop,
        f"for name in ('{IN}/_driver.py', '{IN}/x', '/etc/x', '{OUT}/x'):",
        "    try: open(name, 'a').close(); print('wrote', name)",
        "    except OSError as error: print('refused', name, error.strerror)",
        "print(*[line.split()[1] for line in open('/proc/self/mounts')], sep='\\n')",
        "raise SystemExit(1)",
    )
    said = workshop.refusal(source, f"wrote {OUT}/x", target=TARGET)
    assert f"refused {IN}/_driver.py" in said
    assert f"refused {IN}/x" in said
    own = {IN, OUT}
    mounted = {line[2:] for line in said.splitlines() if line.startswith("| /")}
    assert own <= mounted
    system = ("/proc", "/sys", "/dev", "/etc", "/run")
    assert {each for each in mounted - own - {"/"} if not each.startswith(system)} == set()
    (command,) = (each for each in asked.read_text("utf-8").splitlines() if each[:4] == "run ")
    assert command.count("type=bind") == 2
    assert f"{IN},readonly" in command
    assert "--cap-drop ALL" in command


def test_the_project_is_not_there_to_be_changed(workshop: Workshop) -> None:
    folder = write_files(workshop.root / "app", telling_project())
    files = {path: path.read_bytes() for path in folder.iterdir()}
    (folder / "backend.py").write_bytes(
        (folder / "backend.py").read_bytes()
        + b"\n\nopen('backend.py', 'a').write('# changed')\nopen('new', 'w').write('x')\n"
    )
    files = {path: path.read_bytes() for path in folder.iterdir()}
    workshop.build(locked_source("directory", folder), TARGET)
    assert {path: path.read_bytes() for path in folder.iterdir()} == files


def test_a_folder_of_a_repository_has_its_version_and_history(workshop: Workshop) -> None:
    checkout = workshop.root / "repo"
    repository(checkout, {f"deep/{name}": data for name, data in telling_project().items()}, "v7")
    seen = facts(workshop, locked_source("directory", checkout / "deep"))
    assert str(seen["describe"]).startswith("v7-0-g")
    assert not str(seen["describe"]).endswith("dirty")
    assert seen["folder"] == "/tmp/teller/deep"  # noqa: S108  # in the container


def test_what_a_backend_asks_for_is_fetched_outside_and_is_there(workshop: Workshop) -> None:
    backend = (
        b"def get_requires_for_build_wheel(*args): return ['hatchling']\n"
        b"def build_wheel(*args):\n    from hatchling.build import build_wheel\n"
        b"    return build_wheel(*args)\n"
    )
    table = b'[project]\nname = "teller"\nversion = "1.0"\n'
    files = {"pyproject.toml": table + IN_TREE.encode(), "backend.py": backend, "teller.py": b""}
    configure(workshop, network="none")
    wheel = workshop.build(packed(workshop.root, files), TARGET)
    assert "teller.py" in {member.path for member in wheel.members}
    assert any(line.startswith("Fetching") for line in workshop.shown.lines)


def test_a_build_requirement_without_a_wheel_is_an_error(workshop: Workshop) -> None:
    files = {"pyproject.toml": b'[build-system]\nrequires = ["missing-1a2b"]\n'}
    workshop.refusal(packed(workshop.root, files), "`teller 1.0`", "missing-1a2b", target=TARGET)


# ---- what decides the wheel


def test_the_image_and_the_commands_before_a_build_are_part_of_the_key(
    workshop: Workshop, asked: Path, engine: ContainerEngine
) -> None:
    source = packed(workshop.root, telling_project())
    commands = ("id -u > /who", "echo $GREETING > /greeting")
    changes: list[dict[str, object]] = [
        {},
        {"env": (("GREETING", "hi"),)},
        {"before_build": commands},
        {"timeout": 5},
    ]
    for count, options in enumerate(changes, 1):
        configure(workshop, **options)
        workshop.build(source, TARGET)
        assert started(asked) == min(count, 3)
    other = "localhost/other:1"
    if not engine.has(other):
        engine.podman("tag", IMAGE, other)
    configure(workshop, image=other)
    workshop.build(source, TARGET)
    # The same image by another name.
    assert started(asked) == 3


def test_an_image_that_is_named_by_its_digest_needs_no_engine_once_all_is_built(
    workshop: Workshop, engine: ContainerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    (digest,) = json.loads(engine.podman("image", "inspect", IMAGE))[0]["RepoDigests"][:1]
    configure(workshop, image=digest)
    source = packed(workshop.root, telling_project())
    wheel = workshop.build(source, TARGET)
    monkeypatch.setenv("PATH", str(workshop.root))
    assert workshop.build(source, TARGET) == wheel


def test_root_runs_what_comes_before_and_the_user_builds(workshop: Workshop) -> None:
    commands = ("id -u > /who", 'echo "$GREETING" > /greeting')
    configure(workshop, before_build=commands, env=(("GREETING", "hello"),))
    source = failing(
        workshop,
        "said = open('/who').read() + open('/greeting').read()",
        "print(said, os.getuid(), os.environ['GREETING'])",
        "raise SystemExit(1)",
    )
    said = workshop.refusal(source, target=TARGET)
    assert f"| 0\n| hello\n|  {os.getuid()} hello" in said


def test_libraries_of_the_image_are_named_or_put_into_the_wheel(workshop: Workshop) -> None:
    setup = (
        "from setuptools import Extension, setup\n"
        "setup(name='lib', version='1.0', ext_modules=["
        "Extension('lib', ['lib.c'], libraries=['lz4'])])\n"
    )
    code = (
        "#include <Python.h>\n#include <lz4.h>\n"
        'static PyModuleDef module = {PyModuleDef_HEAD_INIT, "lib", "", -1, 0};\n'
        "PyMODINIT_FUNC PyInit_lib(void)"
        " { LZ4_versionNumber(); return PyModule_Create(&module); }\n"
    )
    source = packed(workshop.root, {"setup.py": setup.encode(), "lib.c": code.encode()}, "lib")
    with pytest.raises(BuildError, match=r"needs the library `liblz4\.so\.1`") as caught:
        workshop.build(source, TARGET)
    assert "repair = true" in str(caught.value.hint)
    configure(workshop, repair=True)
    wheel = workshop.build(source, TARGET)
    assert "manylinux_2" in wheel.filename
    assert any("liblz4" in member.path for member in wheel.members)


# ---- builds that fail


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["print('why it fails')", "raise SystemExit(3)"], ["why it fails", "ended with an error"]),
        (["print('half', flush=True); os._exit(0)"], ["returned no result", "half"]),
        (["return 'missing.whl'"], ["'missing.whl', and there is no such wheel"]),
        (
            [
                "os.symlink('/etc/hostname', os.path.join(folder, 'a-1-py3-none-any.whl'))",
                "return 'a-1-py3-none-any.whl'",
            ],
            ["there is no such wheel"],
        ),
        (
            [
                "os.mkfifo(os.path.join(folder, 'a-1-py3-none-any.whl'))",
                "return 'a-1-py3-none-any.whl'",
            ],
            ["there is no such wheel"],
        ),
        (
            [
                "os.rename(folder, folder + '-old'); os.symlink('/etc', folder)",
                "return 'hostname.whl'",
            ],
            ["there is no such wheel"],
        ),
        (["os.write(os.open('/dev/full', os.O_WRONLY), b'x')"], ["No space left on device"]),
    ],
)
def test_a_build_that_fails_says_all_that_was_said(
    workshop: Workshop, engine: ContainerEngine, lines: list[str], words: list[str]
) -> None:
    said = workshop.refusal(failing(workshop, *lines), "`teller 1.0`", *words, target=TARGET)
    assert f"in image {IMAGE} failed" in said
    assert engine.containers(workshop.cache.store.root) == []


def test_a_build_that_hangs_is_ended(workshop: Workshop, engine: ContainerEngine) -> None:
    configure(workshop, timeout=2)
    source = failing(workshop, "print('so far', flush=True)", "time.sleep(600)")
    workshop.refusal(source, "not finished after 2 seconds (`timeout`)", "so far", target=TARGET)
    assert engine.containers(workshop.cache.store.root) == []


def test_what_a_build_leaves_running_ends_with_it(workshop: Workshop) -> None:
    first = failing(workshop, "subprocess.Popen(['sleep', '611'])", "raise SystemExit(1)")
    listing = "print([p.read_text() for p in pathlib.Path('/proc').glob('[0-9]*/cmdline')])"
    second = failing(workshop, listing, "raise SystemExit(1)")
    configure(workshop, before_build=("sleep 612 >/dev/null 2>&1 &",))
    workshop.refusal(first, target=TARGET)
    said = workshop.refusal(second, "_hooks.py", target=TARGET)
    assert "612" not in said


def test_a_command_before_the_build_that_fails_is_reported(
    workshop: Workshop, engine: ContainerEngine
) -> None:
    configure(workshop, before_build=("echo no such package >&2; exit 5",))
    source = packed(workshop.root, telling_project())
    workshop.refusal(
        source, "`before-build`", "ended with exit code 5", "no such package", target=TARGET
    )
    configure(workshop, before_build=("sleep 600",), timeout=1)
    workshop.refusal(source, "not finished after 1 seconds", target=TARGET)
    assert engine.containers(workshop.cache.store.root) == []


@pytest.mark.fault(40)
def test_a_full_disk_is_reported(workshop: Workshop, engine: ContainerEngine) -> None:
    work = workshop.root / "work"
    work.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=900k", "tmpfs", str(work)]
    if subprocess.run(mounting, check=False, capture_output=True).returncode != 0:
        pytest.skip("no file system can be mounted here")
    try:
        source = failing(
            workshop,
            "with open(os.path.join(folder, 'a-1-py3-none-any.whl'), 'wb') as wheel:",
            "    wheel.write(bytes(1_000_000))",
        )
        with pytest.raises((BuildError, OutputError), match=r"(?i)no space left on"):
            workshop.build(source, TARGET)
        assert left_in(work) == []
    finally:
        subprocess.run(["umount", str(work)], check=True)
    assert engine.containers(workshop.cache.store.root) == []


# ---- engines and images that are not as they should be


@pytest.mark.fault(60)
def test_an_engine_that_is_missing_is_named(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = packed(workshop.root, telling_project())
    monkeypatch.setenv("PATH", str(workshop.root))
    workshop.refusal(source, "No container engine: there is no podman on the PATH", target=TARGET)
    configure(workshop, engine=None)
    workshop.refusal(source, "none of docker, podman, finch, nerdctl", target=TARGET)


@pytest.mark.fault(60)
def test_an_engine_that_does_not_answer_is_passed_over_and_named_at_last(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{workshop.root}/nothing.sock")
    source = packed(workshop.root, telling_project())
    configure(workshop, engine="docker")
    require(docker_client)
    workshop.refusal(source, "No container engine answers", "docker: ", target=TARGET)
    configure(workshop, engine=None)
    workshop.build(source, TARGET)
    assert workshop.shown.lines[0] == f"Building in {IMAGE} with podman"


@pytest.mark.fault(60)
def test_an_image_that_can_not_be_pulled_is_named(workshop: Workshop) -> None:
    # Nobody answers there.
    configure(workshop, image="localhost:9/build-{runtime}:{architecture}")
    source = packed(workshop.root, telling_project())
    name = "localhost:9/build-python3.11:x86_64"
    said = workshop.refusal(source, f"Image {name} is not here", "podman login", target=TARGET)
    assert "connection refused" in said
    assert workshop.shown.lines[0] == f"Pulling {name}"


@pytest.mark.fault(60)
def test_an_image_for_another_architecture_is_not_taken(
    workshop: Workshop, engine: ContainerEngine
) -> None:
    name = "localhost:9/only:x86_64"
    if not engine.has(name):
        engine.podman("tag", IMAGE, name)
    configure(workshop, image="localhost:9/only:x86_64")
    source = packed(workshop.root, telling_project())
    arm = Target(runtimes()[RUNTIME], Architecture.ARM64)
    workshop.refusal(source, f"Image {name} is here for amd64, not for arm64", target=arm)


def test_an_image_with_another_python_or_none_is_refused(
    workshop: Workshop, engine: ContainerEngine
) -> None:
    source = packed(workshop.root, telling_project())
    configure(workshop, image=IMAGE)
    newer = Target(runtimes()["python3.13"], Architecture.X86_64)
    workshop.refusal(source, "has no python3.13", "it has Python 3.11", target=newer)
    bare = "localhost/no-python:1"
    if not engine.has(bare):
        name = f"no-python-{os.getpid()}"
        remove = "rm -f /usr/bin/python3*"
        engine.podman("run", "--name", name, "--entrypoint", "/bin/sh", IMAGE, "-c", remove)
        engine.podman("commit", "--quiet", name, bare)
        engine.podman("rm", name)
    configure(workshop, image=bare)
    workshop.refusal(source, "has no python3.11", "no Python at all", target=TARGET)


def test_a_container_that_can_not_be_started_says_why(workshop: Workshop) -> None:
    configure(workshop, network="no-such-network")
    source = packed(workshop.root, telling_project())
    workshop.refusal(source, "could not be started", "no-such-network", target=TARGET)


@pytest.mark.fault(61)
def test_a_container_that_ends_half_way_is_reported(
    workshop: Workshop, engine: ContainerEngine
) -> None:
    source = failing(workshop, "print('begun', flush=True)", "time.sleep(600)")

    def kill() -> None:
        names = wait_until(lambda: engine.containers(workshop.cache.store.root))
        time.sleep(0.5)
        engine.podman("kill", *names)

    killer = threading.Thread(target=kill)
    killer.start()
    workshop.refusal(source, IMAGE, "has ended before its work was done", target=TARGET)
    killer.join()
    assert engine.containers(workshop.cache.store.root) == []


@pytest.mark.fault(61)
def test_a_container_whose_owner_is_dead_is_removed_by_the_next_build(
    workshop: Workshop, engine: ContainerEngine
) -> None:
    with workshop.cache.store.token() as living:
        labels = ("hatch-lambda-layer", f"hatch-lambda-layer.cache={workshop.cache.store.id}")
        options = [part for label in labels for part in ("--label", label)]
        for token in ("dead0123", living):
            name = f"hatch-lambda-layer-{token}"
            engine.podman("create", *options, "--name", name, "--entrypoint", "/bin/sh", IMAGE)
        # Another machine's, or another user's.
        other = [*options[:2], "--label", "hatch-lambda-layer.cache=other"]
        theirs = f"hatch-lambda-layer-dead{os.getpid()}"
        engine.podman("create", *other, "--name", theirs, "--entrypoint", "/bin/sh", IMAGE)
        try:
            facts(workshop)
            assert engine.containers(workshop.cache.store.root) == [f"hatch-lambda-layer-{living}"]
        finally:
            engine.podman("rm", "--force", theirs, *engine.containers(workshop.cache.store.root))


OWN = f"{os.getuid()}:{os.getgid()}"


@pytest.mark.parametrize(
    ("facts", "as_user", "as_root", "demoted"),
    [
        ({"SecurityOptions": ["name=seccomp"]}, f"--user {OWN}", "--user 0:0", OWN),
        ({"SecurityOptions": ["name=rootless"]}, "--user 0:0", "--user 0:0", ""),
        (
            {"SecurityOptions": ["name=userns"]},
            f"--userns=host --user {OWN}",
            "--userns=host --user 0:0",
            OWN,
        ),
        (
            {"host": {"security": {"rootless": True}}},
            f"--userns=keep-id --user {OWN}",
            "--userns=keep-id --user 0:0",
            OWN,
        ),
        ({"host": {"security": {"rootless": False}}}, f"--user {OWN}", "--user 0:0", OWN),
    ],
)
def test_every_kind_of_engine_is_told_who_the_user_is(
    tmp_path: Path, facts: object, as_user: str, as_root: str, demoted: str
) -> None:
    program = stand_in(tmp_path, "docker", f"echo '{json.dumps(facts)}'")
    caller = Engine("docker", str(program)).caller
    assert caller.options == tuple(as_user.split())
    assert caller.root_options == tuple(as_root.split())
    assert ":".join(caller.demoted) == demoted


@pytest.mark.fault(60)
@pytest.mark.parametrize(
    ("said", "word"),
    [
        ('{"ServerErrors": ["Cannot connect to the daemon"]}', "Cannot connect to the daemon"),
        ("not JSON", "not a JSON object"),
    ],
)
def test_an_engine_that_says_nothing_of_use_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, word: str
) -> None:
    stand_in(tmp_path, "nerdctl", f"[ $1 = info ] && echo '{said}'")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(BuildError, match="No container engine answers") as caught:
        find_image(IMAGE, Architecture.X86_64, engine="nerdctl", pulling=nullcontext)
    assert word in str(caught.value)


@pytest.mark.fault(60)
def test_a_machine_without_emulation_is_told_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As runc says it where binfmt_misc has nothing for the image's programs.
    inspected = [{"Architecture": "arm64", "Id": "x"}]
    script = (
        f"case $1 in image) echo '{json.dumps(inspected)}';; info) echo '{{}}';;\n"
        "run) echo 'exec /bin/sh: exec format error' >&2; exit 1;; esac"
    )
    stand_in(tmp_path / "bin", "docker", script)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    workshop = Workshop(tmp_path)
    configure(workshop, engine="docker")
    arm = Target(runtimes()[RUNTIME], Architecture.ARM64)
    source = packed(tmp_path, telling_project())
    said = workshop.refusal(source, "can't run programs for arm64", target=arm)
    assert "qemu-user-static" in said


@pytest.mark.fault(60)
def test_an_engine_of_another_machine_is_recognized(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real = shutil.which("podman")
    # It mounts what is under the same path on its own machine.
    script = (
        'for each; do shift; case "$each" in *target=/build/in*) '
        'each="type=bind,source=/usr/lib,target=/build/in,readonly";; esac; '
        f'set -- "$@" "$each"; done; exec "{real}" "$@"'
    )
    stand_in(tmp_path / "bin", "podman", script)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    source = packed(workshop.root, telling_project())
    workshop.refusal(source, "does not see", "another machine", target=TARGET)


# ---- auto


def test_with_auto_only_native_code_goes_into_a_container(workshop: Workshop, asked: Path) -> None:
    configure(workshop)
    workshop.policy = replace(workshop.policy, build="auto")
    pure = packed(workshop.root, telling_project())
    seen = facts(workshop, pure)
    assert str(seen["folder"]).startswith(str(workshop.root))
    assert asked.read_text("utf-8") == ""
    files = telling_project("native") | {"src/native.c": b"", "tests/x.c": b""}
    native = packed(workshop.root, files, "native")
    wheel = workshop.build(native, TARGET)
    assert told(content(wheel, "native.py"))["folder"] == "/tmp/native/native-1.0"  # noqa: S108
    assert started(asked) == 1
    aside = packed(workshop.root, telling_project("aside") | {"tests/x.c": b""}, "aside")
    workshop.build(aside, TARGET)
    assert started(asked) == 1
    assert workshop.build_all([pure, native, aside], TARGET)[1] == wheel
    assert started(asked) == 1


def test_with_auto_a_wheel_that_turns_out_to_be_native_is_built_again_in_a_container(
    workshop: Workshop, asked: Path
) -> None:
    workshop.policy = replace(workshop.policy, build="auto")
    source = of_wheel(workshop.root, LIBRARY)
    wheel = workshop.build(source, TARGET)
    assert wheel.filename == LIBRARY.filename
    assert started(asked) == 1
    building = "Building package `lib 1.0` (from its sdist)"
    assert workshop.shown.lines == [building, f"Building in {IMAGE} with podman", building]
    # From now on, its first build is in the container.
    shutil.rmtree(workshop.root / "wheel-cache" / "v2" / "built")
    workshop.build(source, TARGET)
    assert workshop.shown.lines[3:] == [f"Building in {IMAGE} with podman", building]


# ---- the first process of a container


def driver(tmp_path: Path, count: int, *requests: object) -> list[dict[str, object]]:
    """Tell the driver all these at once; give what it says `count` times, then it ends."""
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    argv = [sys.executable, _driver.__file__, str(tmp_path)]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(lines)
        process.stdin.flush()
        first, *answers = (json.loads(process.stdout.readline()) for _ in range(count + 1))
        process.stdin.close()
        assert process.wait(timeout=30) == 0
    assert first["python"] == list(sys.version_info[:2])
    return answers


def test_the_driver_runs_what_it_is_told_and_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")

    def request(log: str, *argv: str, seconds: float = 30) -> dict[str, object]:
        environment = {"SAID": "well"}
        return {"argv": argv, "cwd": "/", "env": environment, "log": log, "seconds": seconds}

    answers = driver(
        tmp_path,
        4,
        {},
        request("log", "/bin/sh", "-c", "pwd; echo $SAID; exit 7"),
        request("log", "/no/such/program"),
        request("link", "/bin/sh", "-c", "echo x"),
        request("log", "/bin/sh", "-c", "sleep 60", seconds=0.2),
    )
    assert [answer["code"] for answer in answers] == [7, 127, 127, None]
    assert "/no/such/program" in str(answers[1]["error"])
    assert (tmp_path / "log").read_text("utf-8") == "/\nwell\n"
    assert not (tmp_path / "elsewhere").exists()


def test_what_is_said_last_is_told_now_and_then(tmp_path: Path) -> None:
    command = ["/bin/sh", "-c", "echo first; echo; printf 'the last'; sleep 1.3"]
    request = {"argv": command, "cwd": "/", "env": {}, "log": "log", "seconds": 30}
    assert driver(tmp_path, 1, request)[0] == {"last": "the last"}
