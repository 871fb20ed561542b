"""What the real tests lean on: system packages, target interpreters, downloads kept in a cache.

`python -m tests.support.system_parts` is silent where every system package is there. As root on a
Debian-like system it installs what is missing with `apt-get` and registers qemu for arm64 programs;
anywhere else it prints what is missing. It exits with 1 only under `CI=true` with a part still
missing.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

P = ParamSpec("P")
T = TypeVar("T")

RUNTIMES = ("python3.10", "python3.11", "python3.12", "python3.13", "python3.14")

BINFMT_MISC = Path("/proc/sys/fs/binfmt_misc")
DEBIAN_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

# Debian leaves the sbin directories out of a plain user's PATH; `update-binfmts` lives there.
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


class MissingPart(Exception):  # noqa: N818 - on a plain user's machine it is no error
    """A program, an interpreter or a download that a test needs is not to be had here."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One thing the tests need, the packages that bring it, and how to see that it is there."""

    name: str
    packages: tuple[str, ...]
    present: Callable[[], bool]


def in_ci() -> bool:
    """Whether this is a continuous-integration run, where a missing part is a failure."""
    return os.environ.get("CI", "").lower() == "true"


def c_compiler(*, headers: bool = False) -> str:
    """Give a C compiler for the Linux that runs here, with the headers of this Python if wanted."""
    found = shutil.which("cc") or shutil.which("gcc")
    if found is None or platform.system() != "Linux":
        raise MissingPart("no C compiler for Linux on this machine")
    if headers and not Path(sysconfig.get_path("include"), "Python.h").is_file():
        raise MissingPart("no headers of this Python on this machine")
    return found


def require(get: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Give `get(*args, **kwargs)`; a missing part skips the test, and fails it in CI."""
    # The installing command runs where pytest may not be.
    import pytest

    try:
        return get(*args, **kwargs)
    except MissingPart as missing:
        if in_ci():
            pytest.fail(f"missing in CI: {missing}", pytrace=False)
        pytest.skip(str(missing))


def tool(name: str) -> str | None:
    """The path of a command, the sbin directories included."""
    return shutil.which(name, path=SEARCH_PATH)


def runs_arm64() -> bool:
    """Whether this kernel starts arm64 binaries, by itself or through a registered emulator."""
    if platform.machine() == "aarch64":
        return True
    try:
        return (BINFMT_MISC / "qemu-aarch64").read_text(encoding="ascii").startswith("enabled")
    except OSError:
        return False


def _command(name: str, package: str) -> Part:
    return Part(name=name, packages=(package,), present=lambda: tool(name) is not None)


PARTS = (
    _command("bwrap", "bubblewrap"),
    _command("mmdebstrap", "mmdebstrap"),
    # mmdebstrap asks it whether the machine can run a foreign architecture's programs.
    _command("arch-test", "arch-test"),
    _command("unzip", "unzip"),
    _command("zipinfo", "unzip"),
    _command("zip", "zip"),
    _command("bsdtar", "libarchive-tools"),
    _command("podman", "podman"),
    _command("runc", "runc"),
    # The client alone is needed; older releases have it only with its daemon.
    Part(
        name="docker",
        packages=("docker-cli", "docker.io"),
        present=lambda: tool("docker") is not None,
    ),
    # Ubuntu has mmdebstrap without the keys that Debian's packages are signed with.
    Part(
        name="debian-archive-keyring",
        packages=("debian-archive-keyring",),
        present=DEBIAN_KEYRING.exists,
    ),
    Part(
        name="arm64 emulation (qemu-aarch64 in binfmt_misc)",
        packages=("qemu-user-static", "binfmt-support"),
        present=runs_arm64,
    ),
)


def missing_parts() -> list[str]:
    """The names of the parts that are not on this machine."""
    return [part.name for part in PARTS if not part.present()]


def find_interpreters() -> dict[str, Path]:
    """Map each of `RUNTIMES` that is on this machine to its interpreter, links resolved.

    The running interpreter's own version comes first, then PATH, pyenv, uv, Hatch and the tool
    cache of a GitHub runner; within one of them the newest. Nothing is downloaded.
    """
    found = ((runtime, _candidates(runtime)) for runtime in RUNTIMES)
    real = ((runtime, next(filter(is_real_interpreter, paths), None)) for runtime, paths in found)
    return {runtime: path.resolve() for runtime, path in real if path is not None}


def interpreter_for(runtime: str) -> Path:
    """The interpreter for a runtime's id, such as `python3.12`; raises MissingPart without one."""
    try:
        return find_interpreters()[runtime]
    except KeyError:
        raise MissingPart(f"no {runtime} interpreter on this machine") from None


def _candidates(runtime: str) -> Iterable[Path]:
    yield Path(sys.base_prefix, "bin", runtime)
    for directory in os.get_exec_path():
        yield Path(directory, runtime)
    home = Path.home()
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    managed = {
        os.environ.get("PYENV_ROOT") or home / ".pyenv": "versions/*/bin",
        os.environ.get("UV_PYTHON_INSTALL_DIR") or data / "uv" / "python": "cpython-*-gnu/bin",
        data / "hatch" / "pythons": "*/python/bin",
    }
    if tool_cache := os.environ.get("RUNNER_TOOL_CACHE"):
        managed[tool_cache] = "Python/*/*/bin"
    # Another user's folder may be named here: pathlib's glob raises where it may not look.
    for root, pattern in managed.items():
        if not os.access(root, os.R_OK | os.X_OK):
            continue
        yield from sorted(Path(root).glob(f"{pattern}/{runtime}"), key=_numbers, reverse=True)


def _numbers(path: Path) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", str(path))]


def is_real_interpreter(path: Path) -> bool:
    """Whether this is a program in its own prefix; pyenv's shims are scripts without a prefix."""
    binary = path.resolve()
    try:
        with binary.open("rb") as stream:
            is_program = stream.read(4) == b"\x7fELF"
        return is_program and (binary.parent.parent / "lib" / path.name / "os.py").is_file()
    except OSError:
        return False


# As the tests were started: some of them cut themselves off from every other host, and have a home
# of their own.
_OUTSIDE = dict(os.environ)
_CACHE = (
    Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hatch-lambda-layer-tests"
)


def cache_folder() -> Path:
    """The folder of what tests keep, made where it is not there."""
    _CACHE.mkdir(parents=True, exist_ok=True)
    return _CACHE


def cached(name: str, build: Callable[[Path], None], cache: Path | None = None) -> Path:
    """The folder `name` of a cache, filled by `build` the first time it is asked for.

    The cache is that of all runs of the tests, if none is given. Runs that ask at once wait for the
    first; a build that was killed leaves no half folder.
    """
    cache = cache or cache_folder()
    entry = cache / name
    if entry.is_dir():
        return entry
    with (cache / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Whoever holds the lock is the only builder: an unfinished folder is a dead run's.
        unfinished = cache / f"{name}.unfinished"
        if not entry.is_dir():
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            unfinished.chmod(0o755)
            build(unfinished)
            unfinished.rename(entry)
    return entry


def fetch(argv: Sequence[str]) -> None:
    """Run a command that downloads; its failure is a missing part, with the end of its output."""
    done = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env=_OUTSIDE,
        # What is fetched must be readable for the sandbox's unprivileged user.
        umask=0o022,
    )
    if done.returncode != 0:
        raise MissingPart(f"`{argv[0]}` could not fetch a part:\n{done.stdout.strip()[-2000:]}")


def install(target: Path, requirement: str, interpreter: Path, *options: str) -> None:
    """Install a distribution into a folder, for `interpreter`, with the pip or uv that is here."""
    python = ["--python", str(interpreter)]
    aim = ["--target", str(target), *options, requirement]
    beside = os.pathsep.join([str(Path(sys.executable).parent), SEARCH_PATH])
    if importlib.util.find_spec("pip") is not None:
        fetch([sys.executable, "-m", "pip", *python, "install", "--no-compile", *aim])
    elif (uv := shutil.which("uv", path=beside)) is not None:
        fetch([uv, "pip", "install", *python, *aim])
    else:
        raise MissingPart("neither pip nor uv is here to fetch AWS's runtime parts")


def _run(*argv: str) -> bool:
    """Run a command and give whether it succeeded, with its output printed only if it did not."""
    done = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        # At runlevel 1, no service is started that comes with a package.
        env={
            **os.environ,
            "DEBIAN_FRONTEND": "noninteractive",
            "LC_ALL": "C.UTF-8",
            "RUNLEVEL": "1",
        },
    )
    if done.returncode != 0:
        _say(f"`{' '.join(argv)}` ended with {done.returncode}:\n{done.stdout.rstrip()}")
    return done.returncode == 0


def _say(text: str) -> None:
    print(f"system parts: {text}", flush=True)


def _install(packages: list[str]) -> None:
    _say(f"installing {', '.join(packages)}")
    # A broken third-party source fails the update although Debian's own lists are fresh.
    _run("apt-get", "update", "-qq")
    # Two test runs may start together; the second waits for dpkg's lock.
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends"]
    install += ["-o", "DPkg::Lock::Timeout=300"]
    if not _run(*install, *packages) and len(packages) > 1:
        # One name that this release does not know makes apt-get refuse the whole list.
        for package in packages:
            _run(*install, package)


def _register_arm64() -> None:
    if (update_binfmts := tool("update-binfmts")) is None:
        return
    _say("registering qemu-aarch64 in binfmt_misc")
    if not (BINFMT_MISC / "register").exists():
        _run("mount", "-t", "binfmt_misc", "binfmt_misc", str(BINFMT_MISC))
    _run(update_binfmts, "--enable", "qemu-aarch64")


def _provide() -> None:
    """Install what is missing, as root on a Debian-like system."""
    # A registration ends with the machine's uptime, the packages stay: no download is needed then.
    if not runs_arm64():
        _register_arm64()
    missing = [part for part in PARTS if not part.present()]
    if missing:
        _install(list(dict.fromkeys(name for part in missing for name in part.packages)))
    if not runs_arm64():
        _register_arm64()


def main() -> int:
    """Provide the missing parts where that is possible and give the exit code."""
    if not missing_parts():
        return 0
    is_root = os.geteuid() == 0
    has_apt = tool("apt-get") is not None
    if is_root and has_apt:
        _provide()
    missing = missing_parts()
    if not missing:
        _say("everything is there now")
        return 0
    _say(f"missing: {', '.join(missing)}")
    if has_apt and not is_root:
        _say("hint: run this file once as root")
    if in_ci():
        _say("CI is set: a missing part is a failure")
        return 1
    _say("the tests that need a missing part will be skipped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
