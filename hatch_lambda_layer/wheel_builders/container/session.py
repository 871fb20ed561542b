"""A container that runs commands: it is started, sent requests, and removed in any case."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import shutil
import stat
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..._internal.process import Conversation, redact
from ...exceptions import BuildError, ToolError, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import BinaryIO

    from ..._internal.store import Store
    from ...config.container import ContainerConfig
    from ...targets.target import Target
    from .engine import Engine, Image

# The two folders of this machine in the container; the first is read-only there.
IN = "/build/in"
OUT = "/build/out"
_DRIVER = "_driver.py"
# Labels of our containers: one for all, one for those of a cache.
_LABEL = "hatch-lambda-layer"
_LABEL_OF_CACHE = f"{_LABEL}.cache"
# Starts the driver with the image's Python; the exit codes tell what is missing for that.
_NO_DRIVER, _NO_PYTHON = 43, 44
_START = f"""
python=$1; shift
[ -r {IN}/{_DRIVER} ] || exit {_NO_DRIVER}
command -v "$python" >/dev/null || {{ python3 --version; exit {_NO_PYTHON}; }}
exec "$python" {IN}/{_DRIVER} {OUT} "$@"
"""
_SECONDS_TO_START = 180
_SECONDS_BETWEEN_SIGNS = 10
# The driver writes a line about every second while a command runs.
_SECONDS_OF_SILENCE = 120
_SECONDS_TO_END = 10


class Container:
    """A running container; `folder` has its two folders, `in` and `out`.

    `python` is the name of its interpreter, `path` its search path for programs.
    """

    def __init__(
        self, engine: Engine, image: Image, folder: Path, target: Target, talk: Conversation
    ) -> None:
        major, minor = target.runtime.python_version
        self.engine = engine
        self.image = image
        self.python = f"python{major}.{minor}"
        self.path = ""
        self.folder_in = folder / "in"
        self.folder_out = folder / "out"
        self._target = target
        self._talk = talk
        self._telling = threading.Lock()

    def run(
        self,
        argv: Sequence[str],
        *,
        log: str,
        seconds: int,
        env: Mapping[str, str],
        cwd: str = "/",
        root: bool = False,
        said: Callable[[str], None] = lambda _: None,
    ) -> int | None:
        """Run a command, with its output in the file `log` of `folder_out`.

        Returns its exit code, `None` where it was killed after `seconds`. `said` is called with
        the last line of output, about once a second. Raises `BuildError` where the command can't
        be started, or the container ends.
        """
        request = {"argv": list(argv), "cwd": cwd, "env": dict(env), "log": log}
        self._tell({**request, "seconds": seconds, "root": root})
        while True:
            answer = self._hear(_SECONDS_OF_SILENCE)
            if "code" in answer:
                if error := answer.get("error"):
                    raise self.failure(f"can't run `{argv[0]}`: {error}")
                code = answer["code"]
                return code if isinstance(code, int) else None
            said(redact(str(answer.get("last", ""))))

    def take(self, name: str, path: Path) -> None:
        """Copy a file of `folder_out` to the new file `path`; raise `OSError` where it is not one.

        Nothing there is trusted: no link is followed, and only a regular file is read.
        """
        with _open(self.folder_out, name) as source, path.open("xb") as copy:
            shutil.copyfileobj(source, copy)

    def failure(self, reason: str) -> BuildError:
        """Return the error for a container that fails; `reason` is the rest of the sentence."""
        return BuildError(
            f"The container of image {self.image.name} {reason}",
            hint=f"check that `{self.engine.name} run` works, then build again",
        )

    def begin(self) -> None:
        """Wait until the container is ready; raise `BuildError` with the reason where it fails."""
        try:
            facts = self._heard(_SECONDS_TO_START)
        except (TimeoutError, EOFError):
            code, said = self._talk.end(_SECONDS_TO_END)
            raise self._no_start(code, said) from None
        self.path = str(facts.get("path", ""))
        machine = self._target.architecture.machine
        if facts.get("machine") != machine:
            raise BuildError(
                f"Image {self.image.name} runs on {facts.get('machine')!a}, not on {machine}",
                hint="name one of the right architecture in `image` of "
                "[tool.lambda-layer.container]",
            )
        threading.Thread(target=self._give_signs, daemon=True).start()

    def _no_start(self, code: int | None, said: str) -> BuildError:
        name, shown = self.image.name, quoted(said)
        here = "of [tool.lambda-layer.container]"
        if code == _NO_PYTHON:
            found = self._printed or "no Python at all"
            return BuildError(
                f"Image {name} has no {self.python}, the runtime's own: it has {found}",
                hint=f"name one in `image` {here}; `{{runtime}}` in its name is "
                f"{self._target.runtime.interpreter}",
            )
        if code == _NO_DRIVER:
            return BuildError(
                f"The container does not see {self.folder_in}: {self.engine.name} runs on another "
                "machine, or may not share that folder",
                hint="use an engine of this machine, or let it share the project's folder",
            )
        if "exec format error" in said.lower():
            arch = self._target.architecture.value
            return BuildError(
                f"This machine can't run programs for {arch}, which image {name} is for\n\n{shown}",
                hint=f"enable emulation: `apt-get install qemu-user-static` on Debian and Ubuntu, "
                f"`{self.engine.name} run --privileged --rm tonistiigi/binfmt --install {arch}` "
                "elsewhere; or build on a machine of that architecture",
            )
        return BuildError(
            f"The container of image {name} could not be started\n\n{shown}".rstrip(),
            hint=f"check that `{self.engine.name} run --rm {name} true` works",
        )

    def _hear(self, seconds: float) -> dict[str, Any]:
        try:
            return self._heard(seconds)
        except TimeoutError:
            raise self.failure(f"has been silent for {seconds:.0f} seconds") from None
        except EOFError:
            _, said = self._talk.end(_SECONDS_TO_END)
            raise self.failure(
                f"has ended before its work was done\n\n{quoted(said)}".rstrip()
            ) from None

    def _heard(self, seconds: float) -> dict[str, Any]:
        """Return the next message of the driver; other lines are a shell's, the last is kept."""
        self._printed = ""
        while True:
            line = self._talk.hear(seconds).decode("utf-8", "replace").strip()
            with suppress(ValueError):
                if isinstance(facts := json.loads(line), dict):
                    return facts
            self._printed = line

    def _tell(self, request: Mapping[str, object]) -> None:
        with self._telling:
            self._talk.tell(json.dumps(request).encode())

    def _give_signs(self) -> None:
        """Send a line now and then, while this process lives: not every engine notices its end."""
        while self._talk.lasts(_SECONDS_BETWEEN_SIGNS):
            self._tell({})


@contextmanager
def running(
    engine: Engine,
    image: Image,
    folder: Path,
    target: Target,
    config: ContainerConfig,
    store: Store,
    options: Sequence[str] = (),
) -> Iterator[Container]:
    """Yield a container with the new folders `in` and `out` of `folder`; remove it at the end.

    `options` are more of those of the engine's `run`.
    Containers that earlier builds could not remove are removed as well. Raises `BuildError`.
    """
    for part in ("in", "out"):
        (folder / part).mkdir()
    shutil.copyfile(Path(__file__).with_name(_DRIVER), folder / "in" / _DRIVER)
    # The token's lock ends with this process; a container whose token is not locked is abandoned.
    with store.token() as token:
        name = f"hatch-lambda-layer-{token}"
        _remove_abandoned(engine, store)
        argv = _command(engine, image, folder, target, config, store, name, options)
        try:
            talk = Conversation(argv, cwd=folder, env=os.environ)
        except ToolError as error:
            raise BuildError(error.message) from error
        try:
            container = Container(engine, image, folder, target, talk)
            container.begin()
            yield container
        finally:
            code, _ = talk.end(_SECONDS_TO_END)
            # When its input ends, the driver exits with 0, and the engine removes the container.
            if code != 0:
                engine.remove(name)


def _command(
    engine: Engine,
    image: Image,
    folder: Path,
    target: Target,
    config: ContainerConfig,
    store: Store,
    name: str,
    options: Sequence[str],
) -> list[str]:
    caller = engine.caller
    argv = [engine.program, "run", "--rm", "--interactive", "--name", name]
    argv += ["--label", _LABEL, "--label", f"{_LABEL_OF_CACHE}={store.id}"]
    argv += ["--platform", f"linux/{target.architecture.oci}", "--workdir", "/"]
    argv += [
        "--mount",
        bind_mount(folder / "in", IN, "readonly"),
        "--mount",
        bind_mount(folder / "out", OUT),
    ]
    argv += [*engine.selinux_options, *engine.proxy_options]
    if config.network is not None:
        argv += ["--network", config.network]
    argv += options
    driver: tuple[str, ...] = ()
    if config.before_build:
        argv += caller.root_options
        driver = caller.demoted
    else:
        argv += [*caller.options, "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
    major, minor = target.runtime.python_version
    argv += ["--entrypoint", "/bin/sh", image.id]
    return [*argv, "-c", _START, "sh", f"python{major}.{minor}", *driver]


def bind_mount(folder: Path, place: str, *options: str) -> str:
    """Return the value of `--mount`, which the engines read as a line of CSV."""
    line = io.StringIO()
    fields = ["type=bind", f"source={folder}", f"target={place}", *options]
    csv.writer(line, lineterminator="").writerow(fields)
    return line.getvalue()


def _remove_abandoned(engine: Engine, store: Store) -> None:
    for name in engine.names(f"{_LABEL_OF_CACHE}={store.id}"):
        if not store.has_owner(name.rpartition("-")[2]):
            engine.remove(name)


def _open(folder: Path, name: str) -> BinaryIO:
    """Open the regular file `name` below `folder`, following no link; raise `OSError`."""
    if sys.platform == "win32":
        return (folder / name).open("rb")
    parent, _, last = name.rpartition("/")
    directory = os.open(folder / parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        # Without O_NONBLOCK, to open a pipe would be to wait for its other end.
        descriptor = os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
    finally:
        os.close(directory)
    file = os.fdopen(descriptor, "rb")
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "it is not a file", name)
    return file
