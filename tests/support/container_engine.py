"""A real container engine for the tests: podman with a storage of its own, and images made here.

Nothing is pulled. The images go by the default names of Lambda's build images, and are Debian with
Python 3.11, gcc and git: as large as a build needs, and made in seconds, because mmdebstrap only
extracts their packages. The engine is used as `podman`, and through the socket on which podman
answers like Docker.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shlex
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from hatch_lambda_layer._internal.store import Store
from hatch_lambda_layer.targets.target import Architecture
from tests.support.system_parts import (
    MissingPart,
    cache_folder,
    fetch,
    find_interpreters,
    runs_arm64,
    tool,
)
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNTIME = "python3.11"
_DEBIAN = {"x86_64": "amd64", "arm64": "arm64"}
_PACKAGES = (
    "ca-certificates",
    "coreutils",
    "dash",
    "gcc",
    "libc-bin",
    "libc6-dev",
    "libpython3.11-dev",
    "libpython3.11-stdlib",
    "libstdc++6",
    "python3.11",
    "python3.11-venv",
    "python3-minimal",
)
# Not under emulation: git for versions, and a library that Lambda's images don't have.
_ONLY_HERE = ("git", "liblz4-dev")
# Debian keeps programs and libraries below /usr; only an installation would make these links.
_MERGED = (
    'for d in bin lib sbin lib64; do mkdir -p "$1/usr/$d" && ln -s "usr/$d" "$1/$d" || exit 1; done'
)
_COMPILED = '{host} -S -m compileall -q -j 2 -s "$1" -p / "$1/usr/lib/{runtime}" >/dev/null || true'
_STORAGE = """[storage]
driver = "{driver}"
graphroot = "{root}/{driver}"
runroot = "{run}"
"""
# What a machine may lack that is itself a container: limits to raise, cgroups, a network to make.
_CONTAINERS = """[containers]
default_ulimits = ["nofile=20000:20000", "nproc=1024:1024"]
netns = "host"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
# Its own, too: else it would wait for, and know of, the user's containers.
lock_type = "file"
tmp_dir = "{run}/libpod"
"""


def image_name(architecture: str) -> str:
    """Give the default name of the image of an architecture."""
    return f"public.ecr.aws/sam/build-{RUNTIME}:latest-{architecture}"


@dataclass(frozen=True, slots=True)
class ContainerEngine:
    """The engine: `environment` is what a process needs to have it as `podman`."""

    environment: dict[str, str]

    def podman(self, *arguments: str) -> str:
        """Run podman and give what it prints."""
        done = subprocess.run(
            ["podman", *arguments],
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def has(self, image: str) -> bool:
        """Whether an image is there."""
        return image in self.podman("images", "--format", "{{.Repository}}:{{.Tag}}").split()

    def containers(self, cache_dir: Path) -> list[str]:
        """Give the names of all containers of builds with this cache, running or not."""
        label = f"label=hatch-lambda-layer.cache={Store(cache_dir).id}"
        ours = ("--all", "--filter", label, "--format", "{{.Names}}")
        return self.podman("ps", *ours).split()

    @contextmanager
    def socket(self, folder: Path) -> Iterator[dict[str, str]]:
        """Give the environment in which `docker` talks to this engine; every user may."""
        path = folder / "engine.sock"
        service = subprocess.Popen(
            ["podman", "system", "service", "--time=0", f"unix://{path}"],
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_until(lambda: path.exists() or service.poll() is not None)
            assert service.poll() is None
            path.chmod(0o666)
            yield {"DOCKER_HOST": f"unix://{path}"}
        finally:
            service.terminate()
            service.wait()


def started(log: Path) -> int:
    """Give how many containers were started, by what was asked of an engine."""
    return sum(line.startswith("run ") for line in log.read_text("utf-8").splitlines())


@cache
def container_engine(architecture: str = "x86_64") -> ContainerEngine:
    """Give the engine with the image of an architecture; raise MissingPart where that can't be."""
    for program in ("podman", "runc", "mmdebstrap"):
        if tool(program) is None:
            raise MissingPart(f"no {program}")
    if os.geteuid() != 0:
        raise MissingPart("images are made by root only")
    if architecture == "arm64" and not runs_arm64():
        raise MissingPart("arm64 programs don't run here")
    facts = (_PACKAGES, _ONLY_HERE, _MERGED, _COMPILED, _STORAGE, _CONTAINERS)
    identity = hashlib.sha256(repr(facts).encode()).hexdigest()[:12]
    root = cache_folder() / f"containers-{identity}"
    root.mkdir(exist_ok=True)
    # Sockets lie there, whose paths must be short.
    run = Path(tempfile.gettempdir(), f"hll-containers-{identity}")
    engine = ContainerEngine(
        {
            "CONTAINERS_CONF": str(root / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(root / "storage.conf"),
        }
    )
    with (root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (root / "storage.conf").exists():
            _configure(engine, root, run)
        if not engine.has(image_name(architecture)):
            _make(engine, architecture)
    return engine


def docker_client() -> str:
    """Give the path of `docker`; raise MissingPart where it is not here."""
    found = tool("docker")
    if found is None:
        raise MissingPart("no docker client")
    return found


def _configure(engine: ContainerEngine, root: Path, run: Path) -> None:
    """Write the engine's settings, with the quickest storage that works on this machine."""
    (root / "containers.conf").write_text(_CONTAINERS.format(run=run), encoding="utf-8")
    for driver in ("overlay", "vfs"):
        settings = _STORAGE.format(driver=driver, root=root, run=run)
        (root / "storage.new").write_text(settings, encoding="utf-8")
        trial = {**os.environ, **engine.environment}
        trial["CONTAINERS_STORAGE_CONF"] = str(root / "storage.new")
        done = subprocess.run(
            ["podman", "info"], env=trial, capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            # Under its name only now: others read it without the lock.
            (root / "storage.new").rename(root / "storage.conf")
            return
    raise MissingPart(f"podman does not work here:\n{done.stderr.strip()[-1000:]}")


def _make(engine: ContainerEngine, architecture: str) -> None:
    """Make an image of packages as mmdebstrap extracts them."""
    own = architecture == Architecture.parse(platform.machine()).value
    packages = (*_PACKAGES, *(_ONLY_HERE if own else ()))
    argv = [str(tool("mmdebstrap")), "--quiet", "--variant=extract"]
    argv += [f"--architectures={_DEBIAN[architecture]}", f"--include={','.join(packages)}"]
    argv += [f"--setup-hook={_MERGED}"]
    if not own and (host := find_interpreters().get(RUNTIME)) is not None:
        # Bytecode is the same on every machine, and halves the time of each emulated start.
        argv += [f"--extract-hook={_COMPILED.format(host=host, runtime=RUNTIME)}"]
    importing = ["podman", "import", "--quiet", "--arch", _DEBIAN[architecture], "-"]
    # Through a pipe: 400 MB need not be written twice.
    line = f"set -o pipefail; {shlex.join([*argv, 'bookworm', '-'])} | "
    line += shlex.join(["env", *(f"{k}={v}" for k, v in engine.environment.items()), *importing])
    fetch(["bash", "-c", f"{line} {image_name(architecture)}"])
