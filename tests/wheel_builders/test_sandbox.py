"""Backends on this machine: what they can reach in the sandbox, and that wheels are the same."""

from __future__ import annotations

import ast
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer._internal.bubblewrap import working_bwrap
from hatch_lambda_layer.wheel_builders import sandbox
from tests.support.source_factory import IN_TREE, copying_project, locked_source, repository
from tests.support.system_parts import require
from tests.support.wheel_factory import WheelSpec
from tests.support.workshop import Workshop, content, packed

if TYPE_CHECKING:
    from collections.abc import Iterator

LIB = WheelSpec(name="lib", version="1.0", files={"lib.py": b"LIB = 1\n"})
CANARY = "canary-3Jw8"
# Writes what it could reach into the module of the wheel.
_BACKEND = """
import os, pathlib

def build_wheel(folder, settings=None, metadata=None):
    seen = {{}}
    for number in filter(str.isdigit, os.listdir("/proc")):
        try:
            environ = pathlib.Path("/proc", number, "environ").read_bytes()
            seen[number] = {canary!r}.encode() in environ
        except OSError:
            pass
    import pwd
    wrote = []
    for path in {paths!r}:
        try:
            pathlib.Path(path).mkdir(parents=True, exist_ok=True)
            pathlib.Path(path, "written").write_text("x")
            wrote.append(path)
        except OSError:
            pass
    found = {{
        "secrets": any(seen.values()),
        "processes": len(seen),
        "home": os.listdir(pwd.getpwuid(os.getuid()).pw_dir),
        "wrote": wrote,
        "run": os.listdir("/run"),
        "key": os.path.exists({key!r}),
    }}
    raise SystemExit("FOUND " + repr(found))
"""


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


@pytest.fixture
def working() -> None:
    """Skip where bubblewrap can't do its work; in CI that is a failure."""
    require(_bubblewrap)


def _bubblewrap() -> str:
    from tests.support.system_parts import MissingPart

    found = working_bwrap(*sandbox._NAMESPACES)
    if found is None:
        raise MissingPart("a bubblewrap that works")
    return found


@pytest.fixture
def switched() -> Iterator[None]:
    """Try bubblewrap anew, before and after a test that changes the answer."""
    working_bwrap.cache_clear()
    yield
    working_bwrap.cache_clear()


def spying(paths: list[str], key: str) -> dict[str, bytes]:
    backend = _BACKEND.format(canary=CANARY, paths=paths, key=key)
    return {"pyproject.toml": IN_TREE.encode(), "backend.py": backend.encode()}


@pytest.mark.fault(92)
@pytest.mark.usefixtures("working")
def test_a_backend_reaches_no_secret_and_writes_only_where_it_builds(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
    home, project = tmp_path / "home", tmp_path / "project"
    key = home / ".aws" / "credentials"
    key.parent.mkdir(parents=True)
    key.write_text(CANARY)
    project.mkdir()
    monkeypatch.setenv("HOME", str(home))
    paths = [str(project), str(home), str(workshop.root / "wheel-cache"), "/usr/local/lib"]
    said = workshop.refusal(packed(tmp_path, spying(paths, str(key))))
    found = ast.literal_eval(said.partition("FOUND ")[2].splitlines()[0])
    assert found["secrets"] is False
    # The sandbox's own first process, and the backend's.
    assert found["processes"] <= 4
    assert found["key"] is False
    assert not {".aws", ".ssh", ".netrc", ".config"} & set(found["home"])
    # Name resolution may need a file there; nothing else is left of it.
    assert {*found["run"]} <= {"systemd", "resolvconf", "NetworkManager", "connman"}
    left = [path for path in paths if Path(path, "written").exists()]
    assert left == []


@pytest.mark.usefixtures("working")
def test_a_wheel_is_the_same_with_and_without_the_sandbox(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = []
    for number, switch in enumerate(("1", "0")):
        monkeypatch.setenv("HATCH_LAMBDA_LAYER_SANDBOX", switch)
        argv = sandbox.sandboxed(["x"], writable=tmp_path, readable=[], env={})
        assert (argv == ["x"]) is (switch == "0")
        place = replace(workshop, root=tmp_path / str(number))
        place.root.mkdir()
        wheels.append(place.build(packed(tmp_path, copying_project(LIB), "lib")))
    assert wheels[0].sha256 == wheels[1].sha256
    assert content(wheels[0], "lib.py") == b"LIB = 1\n"


@pytest.mark.usefixtures("working")
def test_a_backend_finds_the_history_of_a_repository_that_it_is_built_beside(
    workshop: Workshop, tmp_path: Path
) -> None:
    folder = tmp_path / "repository"
    repository(folder, _asking_git())
    source = locked_source("directory", folder, "lib")
    assert content(workshop.build(source), "lib.py") == b"LIB = 1\n"


def _asking_git() -> dict[str, bytes]:
    files = copying_project(LIB)
    (name,) = [each for each in files if each.endswith("backend.py")]
    ask = b"import subprocess\nsubprocess.run(['git', 'show', '--stat', 'HEAD'], check=True)\n"
    return files | {name: ask + files[name]}


@pytest.mark.usefixtures("switched")
def test_where_bubblewrap_fails_a_backend_is_run_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "bin" / "bwrap"
    broken.parent.mkdir()
    broken.write_text(
        "#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n"
    )
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{broken.parent}{os.pathsep}{os.environ['PATH']}")
    argv = ["python", "x"]
    assert sandbox.sandboxed(argv, writable=tmp_path, readable=[], env={}) == argv
