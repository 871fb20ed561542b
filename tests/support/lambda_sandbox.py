"""Runs a layer as Lambda does: read-only at /opt, as an unprivileged user, without a network.

The sandbox is bubblewrap's: the interpreter at /var/lang, the layer at /opt, the function at
/var/task, the runtime client at /var/runtime, no site-packages of the host and none of its
environment. The C library and the shared libraries under /usr are the host's own, so a layer that
leans on a system library that Amazon Linux lacks is not found out here.

What has to be fetched (AWS's Runtime Interface Emulator, its runtime client, an arm64 root) is kept
in the user's cache folder and reused. A part that this machine lacks raises `MissingPart`.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from zipfile import ZipFile

from tests.support.system_parts import (
    MissingPart,
    cached,
    fetch,
    find_interpreters,
    install,
    interpreter_for,
    is_real_interpreter,
    require,
    runs_arm64,
    tool,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "MissingPart",
    "SandboxError",
    "arm64_root",
    "extract_layer",
    "find_interpreters",
    "import_all",
    "import_all_arm64",
    "interpreter_for",
    "invoke",
    "require",
]

ARM64_SUITES = {"3.11": "bookworm", "3.13": "trixie"}
# The core of Graviton2. qemu's own default emulates pointer authentication as well, which makes
# trixie's interpreter ten times slower.
ARM64_CPU = "neoverse-n1"
EMULATOR = "aws-sam-cli==1.170.0"
RUNTIME_CLIENT = "awslambdaric==4.2.2"

# Lambda's own user, as its /etc/passwd names it.
UID, GID = 993, 990
PASSWD = f"sbx_user1051:x:{UID}:{GID}::/home/sbx_user1051:/sbin/nologin\n"

# The mounts need root's rights, and reading the layer must not have them: the files belong to
# root, so that only their modes for everyone let the function's user in.
_DROP_ROOT = f"""
import os, sys
os.setgroups([])
os.setresgid({GID}, {GID}, {GID})
os.setresuid({UID}, {UID}, {UID})
os.execv(sys.argv[1], sys.argv[1:])
"""

# One JSON line says that the interpreter is up, one more tells the outcome of each module. What a
# module prints goes to stderr, so that it can't be taken for a report.
_IMPORT_DRIVER = """
import importlib, json, os, sys, traceback
names = json.load(sys.stdin)
report = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
print('"up"', file=report, flush=True)
for name in names:
    texts = []
    try:
        importlib.import_module(name)
    except BaseException as error:
        while error is not None:
            texts += traceback.format_exception_only(type(error), error)
            error = error.__cause__ or error.__context__
    print(json.dumps("".join(texts).strip()), file=report, flush=True)
os._exit(0)
"""

# The sandbox has a network of its own, so the ports are free in it. The event is posted once: a
# second try could run the handler twice.
_INVOKE_DRIVER = """
import os, socket, subprocess, sys, time, urllib.error, urllib.request
event = sys.stdin.buffer.read()
os.environ["AWS_LAMBDA_FUNCTION_TIMEOUT"] = sys.argv[1]
# The emulator's own time limit comes first, because its answer says more.
deadline = time.monotonic() + int(sys.argv[1]) + 5
emulator = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL, stdout=2, stderr=2)
while True:
    try:
        socket.create_connection(("127.0.0.1", 8080), timeout=1).close()
        break
    except OSError:
        if emulator.poll() is not None or time.monotonic() > deadline:
            sys.exit("the Runtime Interface Emulator does not answer")
        time.sleep(0.01)
url = "http://127.0.0.1:8080/2015-03-31/functions/function/invocations"
try:
    with urllib.request.urlopen(url, event, timeout=deadline - time.monotonic()) as response:
        body = response.read()
except urllib.error.HTTPError as error:
    body = error.read()
sys.stdout.buffer.write(body)
"""


class SandboxError(RuntimeError):
    """The sandbox itself failed, or the function gave no JSON; the text carries the logs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _System:
    """The root that a sandbox starts from, as bubblewrap's options, and the interpreter in it."""

    options: tuple[str, ...]
    python: PurePosixPath


@dataclass(frozen=True, kw_only=True, slots=True)
class _Outcome:
    """How a command in the sandbox ended; `ending` is a phrase for people."""

    ending: str
    stdout: str
    stderr: str


def extract_layer(zip_path: Path, directory: Path) -> Path:
    """Extract a layer's zip with the modes it stores, as Lambda does into /opt; give `directory`.

    Directories that have no entry get 0755. Raises ValueError on a name that leads outside.
    """
    _make_directory(directory)
    modes: dict[Path, int] = {}
    links: dict[Path, str] = {}
    with ZipFile(zip_path) as archive:
        for member in archive.infolist():
            name = PurePosixPath(member.filename)
            if name.is_absolute() or ".." in name.parts:
                raise ValueError(f"{zip_path}: {member.filename!r} leads outside of the layer")
            path = directory / name
            _make_directory(path if member.is_dir() else path.parent)
            mode = member.external_attr >> 16
            if stat.S_ISLNK(mode):
                links[path] = archive.read(member).decode()
                continue
            if not member.is_dir():
                path.write_bytes(archive.read(member))
            modes[path] = stat.S_IMODE(mode)
    # Links come last so that no member is written through one, directories after what is in them.
    for path, mode in sorted(modes.items(), reverse=True):
        path.chmod(mode)
    for path, target in links.items():
        path.symlink_to(target)
    return directory


def _make_directory(path: Path) -> None:
    if not path.is_dir():
        _make_directory(path.parent)
        path.mkdir()
        # The test's umask must not decide what the function's user can read.
        path.chmod(0o755)


def import_all(
    layer_dir: Path, interpreter: Path, modules: Iterable[str], *, timeout: float = 60
) -> dict[str, str]:
    """Import the modules in one process on top of the layer; give the failures' error texts.

    A module that ends the interpreter is reported, and the rest are tried in a new process.
    """
    return _import_each(layer_dir, _host_system(interpreter), modules, timeout)


def import_all_arm64(
    layer_dir: Path, root: Path, modules: Iterable[str], *, timeout: float = 300
) -> dict[str, str]:
    """The same as `import_all` with the interpreter of an `arm64_root`."""
    binary = next(path for path in root.glob("usr/bin/python3.*") if is_real_interpreter(path))
    python = PurePosixPath("/usr/bin", binary.name)
    options = ("--ro-bind", str(root), "/", "--setenv", "QEMU_CPU", ARM64_CPU)
    system = _System(options=options, python=python)
    return _import_each(layer_dir, system, modules, timeout)


def _import_each(
    layer_dir: Path, system: _System, modules: Iterable[str], timeout: float
) -> dict[str, str]:
    command = [str(system.python), "-S", "-c", _IMPORT_DRIVER]
    failures: dict[str, str] = {}
    waiting = list(dict.fromkeys(modules))
    while waiting:
        outcome = _run(system, layer_dir, command, json.dumps(waiting), timeout=timeout)
        reports = [json.loads(line) for line in outcome.stdout.splitlines()]
        tried = dict(zip(waiting, reports[1:], strict=False))
        failures |= {name: text for name, text in tried.items() if text}
        unknown = waiting[len(tried) :]
        death = f"the interpreter {outcome.ending}\n{outcome.stderr[-2000:]}".strip()
        if not reports:
            # It never came up: a module of the layer hides one that the start itself needs.
            return failures | dict.fromkeys(unknown, death)
        failures |= dict.fromkeys(unknown[:1], death)
        waiting = unknown[1:]
    return failures


def invoke(
    layer_dir: Path,
    interpreter: Path,
    handler_source: str,
    event: object,
    *,
    wrapper: str | None = None,
    timeout: int = 60,
) -> object:
    """Run `app.handler` from `handler_source` under AWS's emulator; give its result as JSON has it.

    `wrapper` is a program that starts it, as AWS_LAMBDA_EXEC_WRAPPER names one: Lambda runs it with
    the command of the runtime.

    An error of the function is a result too: a dict with `errorType` and `errorMessage`. Raises
    SandboxError where no JSON comes back in time.
    """
    system = _host_system(interpreter)
    driver = [str(system.python), "-I", "-S", "-c", _INVOKE_DRIVER, str(timeout)]
    emulator = ["/var/rie", "--runtime-interface-emulator-address", "127.0.0.1:8080"]
    emulator += ["--runtime-api-address", "127.0.0.1:9001"]
    function = [str(system.python), "-S", "-m", "awslambdaric", "app.handler"]
    outcome = _run(
        system,
        layer_dir,
        [*driver, *emulator, *([wrapper] if wrapper else []), *function],
        json.dumps(event),
        files={"/var/task/app.py": handler_source},
        mounts={"/var/rie": _emulator(), "/var/runtime": runtime_client(interpreter)},
        timeout=timeout + 10,
    )
    try:
        return json.loads(outcome.stdout)
    except ValueError:
        answer = f"the emulator {outcome.ending}, its answer: {outcome.stdout!r}"
        raise SandboxError(f"{answer}\n{outcome.stderr}") from None


def arm64_root(python: str = "3.11") -> Path:
    """A Debian root for arm64 with Python 3.11 or 3.13 in it, never booted, for bubblewrap."""
    mmdebstrap = tool("mmdebstrap")
    if mmdebstrap is None:
        raise MissingPart("`mmdebstrap` is not installed")
    if not runs_arm64():
        raise MissingPart("this machine does not start arm64 binaries (qemu-aarch64, binfmt_misc)")
    suite = ARM64_SUITES[python]
    packages = f"python3-minimal,python{python},libpython{python}-stdlib,libstdc++6,ca-certificates"
    argv = [mmdebstrap, "--variant=extract", "--architectures=arm64", f"--include={packages}"]

    def build(root: Path) -> None:
        fetch([*argv, suite, str(root)])
        # Nothing ran in there, so Debian's base-files has not linked /lib to /usr/lib.
        if not (root / "lib").exists():
            (root / "lib").symlink_to("usr/lib")
        for name in ("dev", "etc", "opt", "proc", "tmp", "var/task"):
            (root / name).mkdir(parents=True, exist_ok=True)
        (root / "etc" / "passwd").touch()
        if (host := find_interpreters().get(f"python{python}")) is not None:
            # Bytecode is the same on every machine and halves the time of each emulated import.
            library = root / "usr" / "lib" / f"python{python}"
            compiling = [str(host), "-S", "-m", "compileall", "-q", "-s", str(root), "-p", "/"]
            subprocess.run([*compiling, str(library)], capture_output=True, check=False)

    return cached(f"arm64-python{python}", build)


def _host_system(interpreter: Path) -> _System:
    """The host's /usr and the interpreter's prefix at /var/lang, where Lambda has it."""
    # bubblewrap 0.8 makes the parents of a mount for root alone.
    options = ["--dir", "/etc", "--dir", "/var"]
    for name in ("usr", "bin", "lib", "lib32", "lib64", "sbin", "nix"):
        path = Path("/", name)
        if path.is_symlink():
            options += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            options += ["--ro-bind", str(path), str(path)]
    options += ["--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"]
    binary = interpreter.resolve()
    options += ["--ro-bind", str(binary.parents[1]), "/var/lang"]
    return _System(options=tuple(options), python=PurePosixPath("/var/lang/bin", binary.name))


def _run(
    system: _System,
    layer_dir: Path,
    command: Sequence[str],
    stdin: str,
    *,
    timeout: float,
    files: Mapping[str, str] | None = None,
    mounts: Mapping[str, Path] | None = None,
) -> _Outcome:
    """Run a command in the sandbox, with text files and folders of the host mounted read-only."""
    site = f"/opt/python/lib/{system.python.name}/site-packages"
    environment = {
        "PYTHONPATH": f"/var/task:{site}:/opt/python:/var/runtime",
        "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin:/bin:/opt/bin",
        "LD_LIBRARY_PATH": "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/task/lib:/opt/lib",
        "LAMBDA_TASK_ROOT": "/var/task",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "LANG": "C.UTF-8",
        "TZ": ":UTC",
    }
    argv = [_bwrap(), "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
    argv += ["--die-with-parent", "--new-session", "--clearenv", *system.options]
    argv += ["--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--tmpfs", "/tmp"]  # noqa: S108
    argv += ["--ro-bind", str(layer_dir), "/opt", "--tmpfs", "/var/task"]
    for name, value in environment.items():
        argv += ["--setenv", name, value]
    with tempfile.TemporaryDirectory() as directory:
        for number, (path, text) in enumerate({"/etc/passwd": PASSWD, **(files or {})}.items()):
            source = Path(directory, str(number))
            source.write_text(text, encoding="utf-8")
            source.chmod(0o644)
            argv += ["--ro-bind", str(source), path]
        for path, source in (mounts or {}).items():
            argv += ["--ro-bind", str(source), path]
        argv += ["--remount-ro", "/var/task", "--remount-ro", "/", "--chdir", "/var/task"]
        if os.geteuid() == 0:
            argv += ["--", str(system.python), "-I", "-S", "-c", _DROP_ROOT]
        else:
            # Without root's rights every file belongs to the function's user: modes prove less.
            argv += ["--unshare-user", "--uid", str(UID), "--gid", str(GID), "--"]
        return _finish([*argv, *command], stdin, timeout)


def _finish(argv: Sequence[str], stdin: str, timeout: float) -> _Outcome:
    process = subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    )
    try:
        stdout, stderr = process.communicate(stdin, timeout)
        # bubblewrap gives 128 and the signal's number where its child ended by one.
        code = process.returncode
        name = signal.Signals(code - 128).name if code - 128 in set(signal.Signals) else None
        ending = f"was ended by {name}" if name else f"ended with exit code {code}"
    except subprocess.TimeoutExpired:
        # The sandbox has processes of its own: they end with bubblewrap, by the kernel's hand.
        process.kill()
        stdout, stderr = process.communicate()
        ending = f"did not finish within {timeout:g} s"
    if not stdout and stderr.startswith("bwrap: "):
        raise SandboxError(stderr.strip())
    return _Outcome(ending=ending, stdout=stdout, stderr=stderr)


@cache
def _bwrap() -> str:
    """The path of bubblewrap, once it was seen to make a sandbox on this machine."""
    bwrap = tool("bwrap")
    if bwrap is None:
        raise MissingPart("`bwrap` (bubblewrap) is not installed")
    argv = [bwrap, "--ro-bind", "/", "/", "--unshare-pid", "--unshare-net", "--proc", "/proc"]
    probe = subprocess.run([*argv, "true"], capture_output=True, text=True, check=False)
    if probe.returncode != 0:
        raise MissingPart(f"bubblewrap can't make a sandbox here: {probe.stderr.strip()}")
    return bwrap


def _emulator() -> Path:
    """AWS's Runtime Interface Emulator for this machine, out of the `aws-sam-cli` wheel."""
    machine = {"x86_64": "x86_64", "aarch64": "arm64"}.get(platform.machine())
    if machine is None:
        raise MissingPart(f"no Runtime Interface Emulator for {platform.machine()}")

    def build(directory: Path) -> None:
        with tempfile.TemporaryDirectory() as wheel:
            install(Path(wheel), EMULATOR, Path(sys.executable), "--no-deps")
            source = Path(wheel, "samcli", "local", "rapid", f"aws-lambda-rie-{machine}")
            shutil.copy(source, directory / "aws-lambda-rie")
        (directory / "aws-lambda-rie").chmod(0o755)

    return cached(f"{EMULATOR}-{machine}", build) / "aws-lambda-rie"


def runtime_client(interpreter: Path) -> Path:
    """AWS's runtime client with its C extension, for this interpreter's own ABI."""
    name = interpreter.resolve().name
    return cached(
        f"{RUNTIME_CLIENT}-{name}-{platform.machine()}",
        lambda directory: install(directory, RUNTIME_CLIENT, interpreter),
    )
