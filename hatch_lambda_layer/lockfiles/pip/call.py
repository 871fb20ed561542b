"""One call of pip for a target: the program, its options and the meaning of its output."""

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
from ..tools import beside, on_path
from .failures import INSTALL_PIP, explained, no_markers, nothing_found

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...exceptions import LambdaLayerError
    from ...index.auth import IndexAccess
    from ...targets.target import Target

# Settings that contradict the options of the call, add to its files, or change what it prints; and
# PIP_REQUIRE_VIRTUALENV, which forbids installations: nothing is installed here.
_CONTRADICTING = frozenset(
    {
        *("PIP_ABI", "PIP_DRY_RUN", "PIP_EDITABLE", "PIP_IMPLEMENTATION", "PIP_LOG"),
        *("PIP_NO_BINARY", "PIP_ONLY_BINARY", "PIP_PLATFORM", "PIP_PREFIX", "PIP_PYTHON"),
        *("PIP_PYTHON_VERSION", "PIP_QUIET", "PIP_REPORT", "PIP_REQUIRE_VIRTUALENV"),
        *("PIP_REQUIREMENT", "PIP_ROOT", "PIP_SRC", "PIP_TARGET", "PIP_USER", "PIP_VERBOSE"),
    }
)
_IN_PROCESS = "inprocess-build-deps"
# Settings that would contradict the call; they go into the file that allows sources instead.
_FORMATS = {"--only-binary": "PIP_ONLY_BINARY", "--no-binary": "PIP_NO_BINARY"}


@dataclass(frozen=True, kw_only=True, slots=True)
class PipCall:
    """A call of pip for what it would install on the target from the files `names` below `root`.

    pip writes only below `folder`. With `sources`, it may run build backends. It also searches the
    indexes of `access`; it is an error if one of those does not answer.
    """

    root: Path
    names: tuple[str, ...]
    target: Target
    folder: Path
    sources: bool
    access: IndexAccess

    def lock(self, base: Path) -> tuple[bytes, tuple[str, ...]]:
        """Return pip's report as a `pylock.toml`, and the warnings for the user.

        Paths in it are relative to `base`. Raises `LockfileError`, `SelectionError` or, where the
        reason is not known, `ToolError` with pip's output.
        """
        from .report import pylock_text

        try:
            said = self._run()
        except ToolError as error:
            raise self._explained(error.output) from error
        unanswered = self._unanswered()
        self._check_answered(unanswered)
        report = json.loads(self._report.read_bytes())
        # pip must really have used the markers that the runner has given it.
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
        argv = [_find_pip(), str(Path(__file__).with_name("_runner.py")), json.dumps(settings)]
        argv += ["install", *self._options(), *options]
        # The files of a pip that is killed are removed with the folder.
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
            # Once more, for a log with the reasons: it takes pip as long as the rest of its work.
            with suppress(ToolError):
                self._run("--log", str(log))
        return explained(said, self._unanswered(), _text(log), self.names, self.target)

    def _check_answered(self, unanswered: Mapping[str, str]) -> None:
        """Raise `LockfileError` where a private index could not be read, except for a 404.

        pip would go on, and could take a package of the same name from a public index.
        """
        for index, (url, answer) in product(self.access.own, unanswered.items()):
            pages = f"{normalized_url(index.url)}/"
            if normalized_url(url).startswith(pages) and not answer.startswith("404 "):
                refused = re.match("40[13] ", answer)
                raise LockfileError(
                    f"pip could not read {url} of the private index `{index.name}`: {answer}",
                    hint=self.access.advice(url)
                    if refused
                    else "check the network, or ask the operator of the index; without it, pip "
                    "could take a package from another index",
                )

    def _unanswered(self) -> Mapping[str, str]:
        """Return the URLs of index pages that pip could not read, with the reason for each."""
        noted = _text(self.folder / "unanswered").replace("****@", "")
        pattern = r"^Could not fetch URL (\S+): (.*?)(?: - skipping)?$"
        return dict(re.findall(pattern, noted, re.MULTILINE))

    def _home(self) -> str | None:
        """Return a home folder for build backends, `None` where none may run."""
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
        # Without `--abi`, pip takes the flags of its own interpreter, such as those of a debug one.
        options += [part for name in (abi, "abi3", "none") for part in ("--abi", name)]
        options += [part for name in self.target.platforms() for part in ("--platform", name)]
        files = [str(self._allowance()), *self.names] if self.sources else [*self.names]
        if self.access.own:
            files.append(str(self._offer()))
        return options + [part for name in files for part in ("--requirement", name)]

    def _offer(self) -> Path:
        """Write a file with the private indexes, to be read last: `--index-url` drops earlier ones.

        Returns its path.
        """
        path = self.folder / "indexes.txt"
        lines = [f"--extra-index-url {index.url}\n" for index in self.access.own]
        path.write_text("".join(lines), encoding="utf-8")
        return path

    def _allowance(self) -> Path:
        """Write a file that allows sources, which pip forbids for another platform.

        A wheel of an older version still comes before a source of a newer one. Returns its path.
        """
        path = self.folder / "sources.txt"
        lines = ["--only-binary :none:", "--prefer-binary"]
        # The user's own settings for them still apply.
        lines += [
            f"{option} {names}"
            for option, variable in _FORMATS.items()
            if (names := os.environ.get(variable))
        ]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path


def _text(path: Path) -> str:
    """Return the content of a file of pip's, without credentials; empty where there is none."""
    try:
        return redact(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return ""


def _warnings(said: str, unanswered: Mapping[str, str]) -> tuple[str, ...]:
    """Return the warnings about the lock."""
    yanked = re.findall(
        r"yanked version: '([^']+)' candidate \(version (\S+) .*\n"
        r"\s*Reason for being yanked: (.*)",
        said,
    )
    return (
        *(f"{name} {version} was yanked: {reason}" for name, version, reason in yanked),
        *dict.fromkeys(re.findall(r"WARNING: (.* does not provide the extra .*)", said)),
        # A package of an index that failed may have come from another index.
        *(
            f"pip could not read {url} ({answer}) and went on without it"
            for url, answer in unanswered.items()
            if not answer.startswith("404 ")
        ),
    )


def _find_pip() -> str:
    """Return the path of the interpreter whose pip is called: this one, if it has pip.

    Else it is that of the pip on the search path. Raises `LockfileError` where there is none.
    """
    if beside("pip"):
        return sys.executable
    program = _program()
    with program.open("rb") as file:
        shebang = re.match(rb"#!(\S*python[\d.]*)\s", file.read(512))
    if shebang and Path(interpreter := os.fsdecode(shebang[1])).is_file():
        return interpreter
    # The file of a shim or a launcher does not name its interpreter, but `pip debug` prints it.
    said = run([str(program), "debug"], cwd=program.parent, env=_settled(os.environ)).decode()
    if (match := re.search(r"^sys\.executable: (.+?)\s*$", said, re.MULTILINE)) is None:
        raise LockfileError(f"`{program} debug` does not name its interpreter", hint=INSTALL_PIP)
    return match[1]


def _program() -> Path:
    found = on_path("pip") or on_path("pip3")
    if found is None:
        raise LockfileError("Requirements need pip, and none was found", hint=INSTALL_PIP)
    return Path(found[0])


def _settled(environment: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in environment.items() if name not in _CONTRADICTING}
    # git must not ask for a password at the terminal.
    unasked = {"GIT_TERMINAL_PROMPT": "0", "SSH_ASKPASS": "false", "SSH_ASKPASS_REQUIRE": "force"}
    # Build requirements are for this machine, and need a pip process without the target's markers.
    features = [each for each in kept.pop("PIP_USE_FEATURE", "").split() if each != _IN_PROCESS]
    if features:
        kept["PIP_USE_FEATURE"] = " ".join(features)
    return {**kept, **unasked, "PIP_REQUIRE_VIRTUALENV": "0"}
