"""A pylock that was resolved for one machine, which is not the target, gets a warning."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from hatch_lambda_layer.cli.main import main
from tests.support.lock_factory import UvProject, uv_environment
from tests.support.tools import isolate
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.index_server import IndexServer

HOST = f"python3.{sys.version_info.minor}"
OTHER = "python3.14" if HOST != "python3.14" else "python3.13"


@pytest.fixture
def folder(tmp_path: Path, index: IndexServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    isolate(monkeypatch, tmp_path / "state")
    index.add(
        WheelSpec(name="alpha", requires_dist=["linux; sys_platform == 'linux'"]),
        WheelSpec(name="linux"),
    )
    root = tmp_path / "app"
    root.mkdir()
    (root / "requirements.in").write_text("alpha\n", encoding="utf-8")
    return root


def compile_with_uv(folder: Path, index: IndexServer, *options: str) -> None:
    project = UvProject(folder, uv_environment(folder))
    project.environment["UV_DEFAULT_INDEX"] = index.simple_url
    project.uv("pip", "compile", "-q", "requirements.in", *options, "-o", "pylock.toml")


def build(folder: Path, runtime: str, *options: str) -> str:
    command = ["build", str(folder), "--runtime", runtime, *options]
    done = CliRunner().invoke(main, command, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_lock_of_uv_for_all_machines_gets_no_warning(folder: Path, index: IndexServer) -> None:
    compile_with_uv(folder, index, "--universal", "--python-version", "3.11")
    for runtime in ("python3.11", "python3.14"):
        assert "resolved for" not in build(folder, runtime)
        assert "not listed" not in build(folder, runtime)


def test_a_lock_of_uv_for_this_machine_is_for_its_python(folder: Path, index: IndexServer) -> None:
    compile_with_uv(folder, index)
    assert "resolved for" not in build(folder, HOST)
    python = HOST.replace("python", "Python ")
    said = f"warning: pylock.toml was resolved for {python}, not for {OTHER}-x86_64"
    assert said in build(folder, OTHER)


@pytest.mark.parametrize(
    ("platform", "architecture"),
    [("x86_64-manylinux_2_28", "x86_64"), ("aarch64-manylinux2014", "arm64"), ("linux", "x86_64")],
)
def test_a_lock_of_uv_for_a_platform_that_it_names_is_for_that(
    folder: Path, index: IndexServer, platform: str, architecture: str
) -> None:
    named = ("--python-platform", platform, "--python-version", "3.13")
    compile_with_uv(folder, index, *named)
    other = {"x86_64": "arm64", "arm64": "x86_64"}[architecture]
    assert "resolved for" not in build(folder, "python3.13", "--architecture", architecture)
    said = f"resolved for Python 3.13 on {platform}, not for python3.13-{other}"
    assert said in build(folder, "python3.13", "--architecture", other)


def test_what_a_lock_for_another_system_lacks_is_named(folder: Path, index: IndexServer) -> None:
    compile_with_uv(folder, index, "--python-platform=macos", "--python-version=3.13")
    assert 'name = "linux"' not in (folder / "pylock.toml").read_text(encoding="utf-8")
    output = build(folder, "python3.13")
    assert "resolved for Python 3.13 on macos, not for python3.13-x86_64" in output
    assert "alpha 1.0 requires `linux; sys_platform" in output


def test_a_lock_of_pip_is_for_one_machine_and_what_it_lacks_is_named(
    folder: Path, index: IndexServer
) -> None:
    locking = ["lock", "-r", "requirements.in", "-o", "pylock.toml", "--index-url"]
    subprocess.run(
        [sys.executable, "-m", "pip", *locking, index.simple_url],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    path = folder / "pylock.toml"
    text = path.read_text(encoding="utf-8")
    assert "not listed" not in build(folder, "python3.13")
    # What pip would have locked on a Mac.
    path.write_text(text[: text.index('[[packages]]\nname = "linux"')], encoding="utf-8")
    assert "alpha 1.0 requires `linux; sys_platform" in build(folder, "python3.13")


def test_a_native_wheel_tells_the_python_that_pip_has_locked_for(
    folder: Path, index: IndexServer
) -> None:
    tag = HOST.replace("python", "cp").replace(".", "")
    for each in {tag, OTHER.replace("python", "cp").replace(".", "")}:
        index.add(WheelSpec(name="native", tag=f"{each}-{each}-manylinux_2_17_x86_64"))
    (folder / "requirements.in").write_text("alpha\nnative\n", encoding="utf-8")
    locking = ["lock", "-r", "requirements.in", "-o", "pylock.toml", "--index-url"]
    subprocess.run(
        [sys.executable, "-m", "pip", *locking, index.simple_url],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    assert "resolved for" not in build(folder, HOST)
    done = CliRunner().invoke(main, ["build", str(folder), "--runtime", OTHER])
    # Its one wheel fits no other Python.
    assert done.exit_code == 1
    assert f"pylock.toml was resolved for {HOST.replace('python', 'Python ')}" in done.output
