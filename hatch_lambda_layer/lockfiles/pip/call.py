"""One call of pip for a target: which pip, with what, and what it said."""

from __future__ import annotations

import json
import os
import re
import sys
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from ..._internal.process import redact, run
from ...config.indexes import normalized_url
from ...exceptions import LockfileError, ToolError
from ..tools import beside, on_path, version_of
from .failures import INSTALL_PIP, explained, no_markers, nothing_found

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...exceptions import LambdaLayerError
    from ...index.auth import IndexAccess
    from ...targets.target import Target

# Settings that contradict the options of the call, add to its files, or change what it prints; and
# one that keeps pip from installing, which is not what it does here.
_CONTRADICTING = frozenset(
    {
        *("PIP_ABI", "PIP_DRY_RUN", "PIP_EDITABLE", "PIP_IMPLEMENTATION", "PIP_LOG"),
        *("PIP_NO_BINARY", "PIP_ONLY_BINARY", "PIP_PLATFORM", "PIP_PREFIX", "PIP_PYTHON"),
        *("PIP_PYTHON_VERSION", "PIP_QUIET", "PIP_REPORT", "PIP_REQUIRE_VIRTUALENV"),
        *("PIP_REQUIREMENT", "PIP_ROOT", "PIP_SRC", "PIP_TARGET", "PIP_USER", "PIP_VERBOSE"),
    }
)
_IN_PROCESS = "inprocess-build-deps"
# Not settings of the call, for there they would contradict it, but of the sources it may take.
_FORMATS = {"--only-binary": "PIP_ONLY_BINARY", "--no-binary": "PIP_NO_BINARY"}


@dataclass(frozen=True, kw_only=True, slots=True)
class PipCall:
    """pip, asked what it would install on the target from the files `names` below `root`.

    Whatever it writes is below `folder`. With `sources` it may run build backends. The indexes of
    `access` are offered to it; one of them that does not answer is an error.
    """

    root: Path
    names: tuple[str, ...]
    target: Target
    folder: Path
    sources: bool
    access: IndexAccess

    def lock(self, base: Path) -> tuple[bytes, tuple[str, ...]]:
        """Give what pip reports as a `pylock.toml`, and what there is to warn of.

        Paths in it are relative to `base`. Raises `LambdaLayerError` that says why there is none.
        """
        from .report import pylock_text

        try:
            said = self._run()
        except ToolError as error:
            raise self._explained(error.output) from error
        unanswered = self._unanswered()
        self._check_answered(unanswered)
        report = json.loads(self._report.read_bytes())
        # What the runner has changed in pip must be what pip has used, too.
        if not self._markers.items() <= report["environment"].items():
            raise no_markers(f"it reports {report['environment']}")
        return pylock_text(report, base, self._clones), _warnings(said, unanswered)

    @property
    def _markers(self) -> dict[str, object]:
        return {**self.target.marker_environment()}

    @property
    def _report(self) -> Path:
        return self.folder / "report.json"

    @property
    def _clones(self) -> Path:
        return self.folder / "src"

    def _run(self, *options: str) -> str:
        settings = {
            "markers": self._markers,
            "home": self._home(),
            "unanswered": str(self.folder / "unanswered"),
        }
        argv = [find_pip(), str(Path(__file__).with_name("_runner.py")), json.dumps(settings)]
        argv += ["install", *self._options(), *options]
        # What a pip leaves that is killed goes with the folder.
        scratch = self.folder / "tmp"
        scratch.mkdir(exist_ok=True)
        own = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch))
        with self.access.environment("pip") as environment:
            said = run(argv, cwd=self.root, env={**_settled(environment), **own})
        return redact(said.decode("utf-8", "replace"))

    def _explained(self, said: str) -> LambdaLayerError:
        self._check_answered(self._unanswered())
        log = self.folder / "log"
        if nothing_found(said):
            # Once more, for why. A whole log takes pip as long as everything else it does.
            with suppress(ToolError):
                self._run("--log", str(log))
        return explained(said, self._unanswered(), _text(log), self.names, self.target)

    def _check_answered(self, unanswered: Mapping[str, str]) -> None:
        """Raise `LockfileError` for a private index that did not answer: that is not a no.

        What is private would come from another index then, if anybody has put it there.
        """
        for index, (url, answer) in product(self.access.own, unanswered.items()):
            pages = f"{normalized_url(index.url)}/"
            if normalized_url(url).startswith(pages) and not answer.startswith("404 "):
                refused = re.match("40[13] ", answer)
                raise LockfileError(
                    f"The private index `{index.name}` gave pip no answer to {url}: {answer}",
                    hint=self.access.advice(url)
                    if refused
                    else "check the network, or ask who "
                    "runs the index; pip must not go on without it",
                )

    def _unanswered(self) -> Mapping[str, str]:
        """Give the pages of indexes that pip could not read, with the reason for each."""
        noted = _text(self.folder / "unanswered").replace("****@", "")
        pattern = r"^Could not fetch URL (\S+): (.*?)(?: - skipping)?$"
        return dict(re.findall(pattern, noted, re.MULTILINE))

    def _home(self) -> str | None:
        """Give a home for build backends, where they may run."""
        if not self.sources:
            return None
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        return str(home)

    def _options(self) -> list[str]:
        runtime = self.target.runtime
        abi = "cp{}{}".format(*runtime.python_version)
        options = ["--dry-run", "--ignore-installed", "--report", str(self._report)]
        options += ["--quiet", "--no-input", "--no-color", "--disable-pip-version-check"]
        options += ["--no-user", "--src", str(self._clones)]
        options += ["--target", str(self.folder / "target"), "--only-binary", ":all:"]
        options += ["--implementation", "cp", "--python-version", runtime.python]
        # Without them, the flags of the running interpreter would count, as of a debug build.
        options += [part for name in (abi, "abi3", "none") for part in ("--abi", name)]
        options += [part for name in self.target.platforms() for part in ("--platform", name)]
        files = [str(self._allowance()), *self.names] if self.sources else [*self.names]
        if self.access.own:
            files.append(str(self._offer()))
        return options + [part for name in files for part in ("--requirement", name)]

    def _offer(self) -> Path:
        """Write a file that names the private indexes: read last, for `--index-url` ends a list."""
        path = self.folder / "indexes.txt"
        lines = [f"--extra-index-url {index.url}\n" for index in self.access.own]
        path.write_text("".join(lines), encoding="utf-8")
        return path

    def _allowance(self) -> Path:
        """Write a file that takes back what pip demands of calls for another platform.

        A wheel of an older version then still goes before a source of a newer one.
        """
        path = self.folder / "sources.txt"
        lines = ["--only-binary :none:", "--prefer-binary"]
        # What the user has set for them still counts.
        lines += [
            f"{option} {names}"
            for option, variable in _FORMATS.items()
            if (names := os.environ.get(variable))
        ]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path


def _text(path: Path) -> str:
    """Give what pip has written, without credentials; nothing where it has not."""
    try:
        return redact(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return ""


def _warnings(said: str, unanswered: Mapping[str, str]) -> tuple[str, ...]:
    """Give what pip has passed over that is about the lock."""
    yanked = re.findall(
        r"yanked version: '([^']+)' candidate \(version (\S+) .*\n"
        r"\s*Reason for being yanked: (.*)",
        said,
    )
    return (
        *(f"{name} {version} was yanked: {reason}" for name, version, reason in yanked),
        *dict.fromkeys(re.findall(r"WARNING: (.* does not provide the extra .*)", said)),
        # What only a private index has must not come from another one in silence.
        *(
            f"pip went on without an answer from {url} ({answer})"
            for url, answer in unanswered.items()
            if not answer.startswith("404 ")
        ),
    )


def find_pip() -> str:
    """Give the interpreter of the pip that is here, else of the pip on the search path."""
    if beside("pip"):
        return sys.executable
    program = _program()
    with program.open("rb") as file:
        shebang = re.match(rb"#!(\S*python[\d.]*)\s", file.read(512))
    if shebang and Path(interpreter := os.fsdecode(shebang[1])).is_file():
        return interpreter
    # Shims and launchers don't show which interpreter they start, but pip tells it.
    said = run([str(program), "debug"], cwd=program.parent, env=_settled(os.environ)).decode()
    if (match := re.search(r"^sys\.executable: (.+?)\s*$", said, re.MULTILINE)) is None:
        raise LockfileError(f"{program} does not tell its interpreter", hint=INSTALL_PIP)
    return match[1]


def pip_identity() -> str:
    """Name the pip that `find_pip` would find, and its version, without starting it."""
    if beside("pip"):
        return version_of("pip") or ""
    program = _program()
    return f"{program} {program.stat().st_mtime_ns}"


def _program() -> Path:
    found = on_path("pip") or on_path("pip3")
    if found is None:
        raise LockfileError("Requirements need pip, and none was found", hint=INSTALL_PIP)
    return Path(found[0])


def _settled(environment: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in environment.items() if name not in _CONTRADICTING}
    # git would ask at the terminal for what it is not given.
    unasked = {"GIT_TERMINAL_PROMPT": "0", "SSH_ASKPASS": "false", "SSH_ASKPASS_REQUIRE": "force"}
    # What a build requires is for this machine: a process of its own has its own markers.
    features = [each for each in kept.pop("PIP_USE_FEATURE", "").split() if each != _IN_PROCESS]
    if features:
        kept["PIP_USE_FEATURE"] = " ".join(features)
    return {**kept, **unasked, "PIP_REQUIRE_VIRTUALENV": "0"}
