"""`requirements.txt`, read through pip's installation report for the target."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..._internal.process import redact
from ..._internal.scratch import scratch_folder
from ...exceptions import LockfileError, backticked
from ..protocol import Lock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ...targets.target import Target
    from ..protocol import LockRequest
    from .requirements import RequirementsFiles

# Incremented when the same files are locked differently than before.
_SCHEMA = 1


class PipLockfile:
    """Requirements files, resolved by pip as if it ran on the target.

    To read what a source requires, pip runs its build backend, in an environment without secrets,
    where the request allows it; else a source is an error.
    """

    tool = "pip"
    filename = "requirements.txt"
    # Without `--python-version`, uv leaves out what only Pythons older than its own need.
    command = (
        "uv pip compile pyproject.toml --universal --python-version OLDEST --generate-hashes "
        "-o requirements.txt"
    )
    per_target = True
    is_slow = True

    def find(self, request: LockRequest) -> list[Path]:
        """Return the path of the first requirements file, if it is there.

        Raises `LockfileError` where one that `requirements` names is missing.
        """
        root = request.layout.dir_project_root
        # Path.is_file() fails for a name that is too long.
        missing = [
            name
            for name in request.requirements
            if not os.path.isfile(root / name)  # noqa: PTH113
        ]
        if missing:
            raise LockfileError(
                f"No lockfile: {backticked(missing)} is missing in {root}, and `requirements` "
                "names it",
                hint=f"make it, as with `{self.command}`",
            )
        path = root / self._names(request)[0]
        return [path] if path.is_file() else []

    def read(self, path: Path, request: LockRequest, target: Target) -> Lock:
        """Run pip to resolve the files, which takes seconds and asks the index.

        pip enforces the hashes in the files. Where there are none, the index decides what is
        locked, and the lock has a warning. Raises `LockfileError`, `SelectionError` and
        `ToolError`.
        """
        from .call import PipCall

        self._refuse_selection(path, request)
        names = self._names(request)
        files = self._files(request)
        with scratch_folder() as folder:
            call = PipCall(
                root=request.layout.dir_project_root,
                names=names,
                target=target,
                folder=folder,
                sources=request.build,
                access=request.access,
            )
            text, warnings = call.lock(path.parent)
        if not files.has_hashes:
            unfixed = (
                f"There are no hashes in {backticked(names)}: the layer can change although the "
                f"project does not; lock with hashes, as with `{self.command}`"
            )
            warnings = (unfixed, *warnings)
        return Lock(
            path=path,
            command=self.command,
            text=text,
            warnings=warnings,
            resolved=not files.has_hashes,
        )

    def key(self, path: Path, request: LockRequest, target: Target) -> str | None:  # noqa: ARG002
        """Return a key of the lock: equal keys mean equal locks, `None` that an index decides.

        Where all files are here, with hashes for everything, an index decides the URLs only; those
        depend on pip's settings, which are in the key as well.
        """
        from .call import pip_identity

        files = self._files(request)
        if not files.is_settled or self._selects(request):
            return None
        root = request.layout.dir_project_root
        facts = [
            _SCHEMA,
            request.build,
            self._names(request),
            [(os.path.relpath(path, root), _digest(text)) for path, text in files.texts.items()],
            files.expanded,
            target.marker_environment(),
            target.platforms(),
            pip_identity(),
            sorted(_settings()),
            [index.url for index in request.access.own],
        ]
        return _digest(json.dumps(facts, sort_keys=True).encode())

    def default_indexes(self, path: Path, request: LockRequest) -> Sequence[str]:  # noqa: ARG002
        """Return the URLs that pip searches, by its settings and the requirements files."""
        from .call import configured_indexes

        return self._files(request).indexes(configured_indexes())

    def _names(self, request: LockRequest) -> tuple[str, ...]:
        return request.requirements or (self.filename,)

    def _files(self, request: LockRequest) -> RequirementsFiles:
        from .requirements import RequirementsFiles

        root = request.layout.dir_project_root
        constraints = os.environ.get("PIP_CONSTRAINT", "").split()
        return RequirementsFiles(root, self._names(request), constraints, os.environ)

    def _selects(self, request: LockRequest) -> bool:
        return bool(request.groups or request.extras)

    def _refuse_selection(self, path: Path, request: LockRequest) -> None:
        if self._selects(request):
            raise LockfileError(
                f"Lockfile `{path}` has no groups and no extras: what pip installs comes from "
                "requirements files alone",
                hint="leave out `groups` and `extras`, and name a file for each in `requirements`",
            )


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _settings() -> Iterator[tuple[str, str]]:
    """Yield the settings that decide which index pip asks, without credentials.

    These are variables with their values, and configuration files with their digests.
    """
    from platformdirs import PlatformDirs

    for name, value in os.environ.items():
        if name.startswith("PIP_"):
            yield name, redact(value)
    # The files of pip's documentation, "Configuration"; one more than pip reads does no harm.
    name = "pip.ini" if sys.platform == "win32" else "pip.conf"
    home = Path.home()
    folders = [Path("/etc"), Path(sys.prefix), home / ".config/pip", home / ".pip", home / "pip"]
    folders += map(Path, PlatformDirs("pip", appauthor=False, roaming=True).iter_config_dirs())
    paths = [folder / name for folder in folders]
    if chosen := os.environ.get("PIP_CONFIG_FILE"):
        paths.append(Path(chosen))
    for path in paths:
        if path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            yield str(path), _digest(redact(text).encode())
