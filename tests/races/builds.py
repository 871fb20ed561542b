"""Builds that are killed at seeded moments, and builds that run at once.

After each of them the layer is the old one or the new one, the next build succeeds, and neither a
temporary file nor a process is left.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import signal
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.integration import COMMAND, HATCHLING, LayerProject, big_wheel, make_project
from tests.support.lock_factory import LockedFile, LockedPackage
from tests.support.source_factory import IN_TREE, sdist
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    import random
    import subprocess
    from collections.abc import Sequence

    from tests.support.index_server import IndexServer

# A build that was killed, and how it ends where it had no handler yet, or had ended before.
ENDS = {
    signal.SIGKILL: {-signal.SIGKILL, 0},
    signal.SIGTERM: {143, -signal.SIGTERM, 0},
    signal.SIGINT: {130, -signal.SIGINT, 0},
}
SIDE_BY_SIDE = 8
_SIZE = 300_000
_WHEELS = {
    version: [big_wheel(name, _SIZE, version) for name in ("alpha", "beta", "gamma")]
    for version in ("1.0", "2.0")
}
# A backend whose compiler, a child of a child, takes its time and goes on writing while it lives.
_BACKEND = """\
import pathlib, subprocess, sys

COMPILER = '''
import pathlib, time
pathlib.Path("object").mkdir(exist_ok=True)
for number in range(10):
    pathlib.Path("object", str(number)).write_bytes(b"x")
    time.sleep(0.05)
'''
NINJA = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]], check=True)"

def build_wheel(folder, *args):
    subprocess.run([sys.executable, "-c", NINJA, COMPILER], check=True)
    (wheel,) = pathlib.Path().glob("*.whl")
    pathlib.Path(folder, wheel.name).write_bytes(wheel.read_bytes())
    return wheel.name
"""


@dataclass(frozen=True)
class Stage:
    """Where builds happen: an index, and a folder for projects, caches and temporary files."""

    root: Path
    server: IndexServer

    @classmethod
    def make(cls, root: Path, server: IndexServer) -> Stage:
        """Make a stage; the index gets all files."""
        server.add(*_WHEELS["1.0"], *_WHEELS["2.0"])
        (root / "tmp").mkdir()
        return cls(root, server)

    def project(self, name: str, cache: str) -> LayerProject:
        """Make a project whose builds use the stage's folder for temporary files."""
        environment = {"TMPDIR": str(self.root / "tmp"), "NO_COLOR": "1"}
        made = make_project(self.root / name, environment=environment)
        return replace(made, cache=self.root / cache)

    def lock(self, project: LayerProject, version: str, *, source: bool) -> None:
        """Lock the wheels of a version, and a source that takes long to build."""
        packages = [
            LockedPackage(
                wheels=[LockedFile.of(wheel, self.server.file_url(wheel.filename))],
                index=self.server.simple_url,
            )
            for wheel in _WHEELS[version]
        ]
        if source:
            wheel = big_wheel("slow", 1000, version)
            files = {
                "pyproject.toml": IN_TREE.encode(),
                "backend.py": _BACKEND.encode(),
                wheel.filename: wheel.data,
            }
            filename, data = sdist("slow", version, files)
            path = project.directory.with_name(filename)
            path.write_bytes(data)
            file = LockedFile(filename=filename, data=data, path=f"../{filename}")
            packages.append(LockedPackage(sdist=file))
        project.write_lock(*packages)

    def check_clean(self, *projects: LayerProject) -> None:
        """Check that neither a temporary file nor a process is left."""
        # A supervisor may need a moment to see that its build was killed.
        wait_until(lambda: not self.processes())
        assert [each for project in projects for each in _temporary(project)] == []
        assert list((self.root / "tmp").iterdir()) == []

    def processes(self) -> list[str]:
        """Give the command lines of the processes that work in the stage's folder."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                command = (process / "cmdline").read_bytes()
                place = os.readlink(process / "cwd")  # noqa: PTH115  # it may be deleted
            except OSError:
                continue
            if int(process.name) != os.getpid() and (
                place.startswith(str(self.root)) or str(self.root).encode() in command
            ):
                found.append(f"{process.name} {command!r} in {place}")
        return found


@dataclass
class KilledBuilds:
    """Builds of one project, each killed and followed by one that is not."""

    stage: Stage
    dice: random.Random
    source: bool
    ends: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        name = "with-source" if self.source else "wheels"
        self.project = self.stage.project(name, f"{name}-cache")
        self.layers = {}
        for version in ("1.0", "2.0"):
            self.stage.lock(self.project, version, source=self.source)
            shutil.rmtree(self.project.cache, ignore_errors=True)
            start = time.monotonic()
            self.project.build()
            self.duration = time.monotonic() - start
            self.layers[version] = self._layer()
        self.version = "2.0"

    def kill_one(self) -> None:
        """Kill a build of the other version, check what is there, and build again."""
        before, self.version = self.version, "1.0" if self.version == "2.0" else "2.0"
        self.stage.lock(self.project, self.version, source=self.source)
        if self.dice.random() < 0.7:
            shutil.rmtree(self.project.cache)
        number = self.dice.choice(list(ENDS))
        entrance = self.dice.choice((COMMAND, HATCHLING))
        moment = self.dice.random() * self.duration * 1.1
        case = f"{number.name} after {moment:.3f} s of {self.duration:.3f} s, {entrance[-1]}"
        try:
            with self.project.start(entrance=entrance) as process:
                time.sleep(moment)
                process.send_signal(number)
                _, said = process.communicate(timeout=60)
            self._check_end(process, number, said)
            mixed = self._check_layer(before)
            self.ends[
                f"{number.name}: {process.returncode}{' (zip without manifest)' * mixed}"
            ] += 1
            self.project.build()
            assert self._layer() == self.layers[self.version]
            self.stage.check_clean(self.project)
        except BaseException as error:
            error.add_note(f"in the case {case}")
            raise

    def _check_end(self, process: subprocess.Popen[str], number: int, said: str) -> None:
        if "init_import_site" in said:
            # Python itself was not there yet.
            return
        assert process.returncode in ENDS[signal.Signals(number)], said
        # Before our first line, Python says itself, and in its way, that it was interrupted.
        assert "Traceback" not in said or process.returncode == -signal.SIGINT, said
        # The machine is quicker or slower than when it was measured.
        self.duration *= 0.85 if process.returncode == 0 else 1.02

    def _check_layer(self, before: str) -> bool:
        """Check that both files are of a version; return whether they are of two."""
        zip_bytes, manifest = self._layer()
        zips = [each for each, layer in self.layers.items() if layer[0] == zip_bytes]
        manifests = [each for each, layer in self.layers.items() if layer[1] == manifest]
        assert zips, "the layer is neither the old one nor the new one"
        assert manifests, "the manifest is neither the old one nor the new one"
        # The zip comes first: a manifest never speaks of a zip that is not there yet.
        assert zips == manifests or (zips, manifests) == ([self.version], [before])
        return zips != manifests

    def _layer(self) -> tuple[bytes, bytes]:
        return self.project.zip.read_bytes(), self.project.manifest.read_bytes()


def build_together(stage: Stage, name: str, dice: random.Random, *, caches: int) -> None:
    """Build one project eight times at once, with so many caches, and kill one of the builds."""
    shared = stage.project(name, f"{name}-cache-0")
    stage.lock(shared, "1.0", source=False)
    views = [
        replace(shared, cache=stage.root / f"{name}-cache-{number % caches}")
        for number in range(SIDE_BY_SIDE)
    ]
    builds = [each.start(entrance=dice.choice((COMMAND, HATCHLING))) for each in views]
    time.sleep(dice.random() * 3)
    killed = dice.choice(builds)
    killed.kill()
    _finish(builds, killed)
    _, said = shared.build()
    assert "up to date" in said
    check_whole(shared)
    stage.check_clean(*views)


def share_cache(stage: Stage, name: str) -> None:
    """Build eight projects at once with one cold cache, then each again without the index."""
    projects = [
        stage.project(f"{name}-{number}", f"{name}-cache") for number in range(SIDE_BY_SIDE)
    ]
    for each in projects:
        stage.lock(each, "1.0", source=False)
    _finish([each.start() for each in projects])
    assert len({each.zip.read_bytes() for each in projects}) == 1
    asked = len(stage.server.requests)
    for each in projects:
        each.build("--clean")
        check_whole(each)
    assert len(stage.server.requests) == asked, "a wheel of the cache was fetched again"
    stage.check_clean(*projects)


def check_whole(project: LayerProject) -> None:
    """Check every byte of a layer, and that its manifest speaks of it."""
    assert project.packages() == ["alpha", "beta", "gamma"]
    digest = hashlib.sha256(project.zip.read_bytes()).digest()
    manifest = json.loads(project.manifest.read_text(encoding="utf-8"))
    assert manifest["code_sha256"] == base64.b64encode(digest).decode()


def _temporary(project: LayerProject) -> list[Path]:
    # These two tell other programs that a folder is not of the project.
    return [each for each in project.leftovers() if each.name not in (".gitignore", "CACHEDIR.TAG")]


def _finish(
    builds: Sequence[subprocess.Popen[str]], killed: subprocess.Popen[str] | None = None
) -> None:
    for build in builds:
        with build:
            _, said = build.communicate(timeout=120)
        assert build.returncode in ((0, -signal.SIGKILL) if build is killed else (0,)), said
        assert "Traceback" not in said
